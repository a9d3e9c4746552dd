/* SPDX-License-Identifier: MIT */
/* What /proxy.pac publishes as direct is what the policy lets pass, whatever the rules; and where nothing stands in the way it is published. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "conf/load.h"
#include "policy/compile.h"
#include "policy/pac.h"
#include "policy/policy.h"

#define END "[listener l]\naddress = 127.0.0.1:3128\n[log l]\nfile = -\n"
#define N(a) (sizeof(a) / sizeof *(a))

struct site {
	struct report    r;
	struct flat      f;
	struct conf     *c;
	struct policy   *p;
	struct pac_hosts hosts;
};

static void
site_open(struct site *s, const char *ini)
{
	uint32_t off;

	report_init(&s->r);
	flat_init(&s->f);
	s->c = conf_load_memory("x.ini", span_str(ini), &s->r);
	assert_non_null(s->c);
	off = policy_compile(s->c, &s->f, &s->r);
	if (s->r.errors)
		report_print(&s->r, s->c, stderr);
	assert_int_equal(s->r.errors, 0);
	s->p = policy_open(s->f.base, s->f.used, off, false);
	assert_non_null(s->p);
	assert_true(pac_hosts_gather(s->c, &s->hosts, &s->r));
}

static void
site_close(struct site *s)
{
	pac_hosts_clear(&s->hosts);
	policy_close(s->p);
	flat_clear(&s->f);
	conf_free(s->c);
	report_clear(&s->r);
}

static bool
glob_holds(const char *glob, const char *name)
{
	if (*glob == '*')
		return glob_holds(glob + 1, name) || (*name && glob_holds(glob, name + 1));
	return *glob == *name && (!*name || glob_holds(glob + 1, name + 1));
}

/* As the program in the file has it. */
static bool
is_direct(const struct pac_hosts *h, const char *name, uint8_t bits)
{
	for (size_t i = 0; i < h->n; i++) {
		const struct pac_entry *e = &h->v[i];
		size_t                  n = strlen(name), m = strlen(e->text);
		bool                    is = strcmp(name, e->text) == 0, below = n > m + 1 && name[n - m - 1] == '.' && strcmp(name + n - m, e->text) == 0;
		if (e->dropped || !(e->bits & bits))
			continue;
		if ((e->kind == SPEC_EXACT && is) || (e->kind == SPEC_BELOW && below) || (e->kind == SPEC_TREE && (is || below)) ||
		    (e->kind == SPEC_GLOB && glob_holds(e->text, name)))
			return true;
	}
	return false;
}

static bool
is_bypassed(const struct policy *p, const char *name, bool https)
{
	struct host    host;
	struct verdict v;
	struct facts   f = {.host = &host, .port = https ? 443 : 80, .scheme = https ? SCHEME_HTTPS : SCHEME_HTTP, .method = https ? SPAN("CONNECT") : SPAN("GET")};

	assert_true(host_parse(span_str(name), &host));
	return policy_decide(p, &f, &v) == POLICY_VERDICT && v.action == ACTION_BYPASS;
}

static const char *const patterns[] = {"b.c.d", "*.b.c.d", ".b.c.d", "*.c.d", ".c.d", "a.b.c.d", "c.d", ".a.b.c.d", "*x*.c.d", "x*.b.c.d", "https://b.c.d", "http://*.c.d", "re:b.*", "*",
	"b.c.d:8443", "*.x.c.d", "xb.c.d"};
static const char *const names[] = {"c.d", "b.c.d", "a.b.c.d", "z.a.b.c.d", "xb.c.d", "x.c.d", "y.x.c.d", "x.b.c.d", "bb.c.d", "other", "xc.d"};

static uint32_t
any(uint32_t *seed, uint32_t below)
{
	*seed = *seed * 1664525u + 1013904223u;
	return (*seed >> 8) % below;
}

static void
random_ini(char *out, size_t room, uint32_t seed)
{
	static const char *const more[] = {"", "", "", "clients = 10.0.0.0/8\n", "report = yes\n", "methods = GET\n"};
	static const char *const actions[] = {"bypass\nforce = yes", "bypass\nforce = yes", "deny", "tunnel\nauth = none"};
	uint32_t                 rules = 1 + any(&seed, 4);
	size_t                   n = (size_t)snprintf(out, room, "[pac]\nbypass = direct\n");

	n += (size_t)snprintf(out + n, room - n, "[list l]\nhost = %s !%s\n", patterns[any(&seed, N(patterns))], patterns[any(&seed, N(patterns) - 4)]);
	for (uint32_t i = 0; i < rules; i++) {
		uint32_t items = any(&seed, 8) ? 1 + any(&seed, 3) : 0;
		n += (size_t)snprintf(out + n, room - n, "[rule r%u]\naction = %s\n%s", i, actions[any(&seed, N(actions))], more[any(&seed, N(more))]);
		if (items)
			n += (size_t)snprintf(out + n, room - n, "hosts =");
		for (uint32_t k = 0; k < items; k++)
			n += (size_t)snprintf(out + n, room - n, " %s%s", any(&seed, 4) ? "" : "!", any(&seed, 6) ? patterns[any(&seed, N(patterns))] : "@l");
		n += (size_t)snprintf(out + n, room - n, "\n");
	}
	snprintf(out + n, room - n, END);
}

static void
test_what_is_published_is_let_pass_whatever_the_rules(void **state)
{
	char   ini[4096];
	size_t direct = 0;

	(void)state;
	for (uint32_t seed = 1; seed <= 4000; seed++) {
		struct site s;
		random_ini(ini, sizeof ini, seed);
		site_open(&s, ini);
		for (size_t i = 0; i < N(names); i++)
			for (int https = 0; https < 2; https++) {
				bool published = is_direct(&s.hosts, names[i], https ? PAC_HTTPS : PAC_HTTP);
				direct += published;
				if (published && !is_bypassed(s.p, names[i], https))
					fail_msg("seed %u: %s over %s is published, and not let pass:\n%s", seed, names[i], https ? "https" : "http", ini);
			}
		site_close(&s);
	}
	assert_true(direct > 1000); /* else nothing was tried */
}

static void
test_where_nothing_stands_in_the_way_all_is_published(void **state)
{
	struct site s;

	(void)state;
	site_open(&s, "[pac]\nbypass = direct\n[rule r]\nhosts = reported.d\naction = deny\nreport = yes\n[rule other]\nhosts = x.example\naction = deny\n"
	              "[rule a]\nhosts = *.b.c.d x.d *vo*.data.c.d https://s.d .t.d\naction = bypass\n[rule last]\naction = deny\n" END);
	assert_int_equal(s.hosts.n, 5);
	for (size_t i = 0; i < s.hosts.n; i++)
		assert_false(s.hosts.v[i].dropped);
	assert_true(is_direct(&s.hosts, "s.d", PAC_HTTPS) && !is_direct(&s.hosts, "s.d", PAC_HTTP));
	site_close(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_published_is_let_pass_whatever_the_rules),
		cmocka_unit_test(test_where_nothing_stands_in_the_way_all_is_published),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
