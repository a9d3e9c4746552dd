/* SPDX-License-Identifier: MIT */
/* What lint says is true: a plain pattern is the regex's equal, a dead rule decides nothing, and without a covered entry nothing changes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "lint/parts.h"
#include "match/host_set.h"
#include "policy/compile.h"
#include "policy/rule.h"

static uint64_t seed = 42;

static uint32_t
dice(uint32_t n)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(seed >> 33) % n;
}

#define PICK(list) ((list)[dice((uint32_t)(sizeof(list) / sizeof *(list)))])

/* --- regexes --- */

static const struct {
	const char   *regex;
	enum likeness want;
	const char   *plain;
} rows[] = {
	{"www\\.example\\.com", REGEX_SAME, "www.example.com"},
	{"^WWW\\.example\\.com$", REGEX_SAME, "www.example.com"},
	{".*\\.example\\.com", REGEX_SAME, "*.example.com"},
	{".+\\.example\\.com", REGEX_SAME, "*.example.com"},
	{"(.*\\.)?example\\.com", REGEX_SAME, ".example.com"},
	{"(?:.+\\.)?example[.]com", REGEX_SAME, ".example.com"},
	{"(a\\.x\\.org|b\\.x\\.org)", REGEX_SAME, "a.x.org b.x.org"},
	{"^(?:a\\.x\\.org|.*\\.b\\.x\\.org)$", REGEX_SAME, "a.x.org *.b.x.org"},
	{".*vortex.*\\.data\\.example\\.com", REGEX_SAME, "*vortex*.data.example.com"},
	{".*", REGEX_SAME, "*"},
	{"a.x.org", REGEX_NEARLY, "a.x.org"},
	{".*.x.org", REGEX_NEARLY, "*.x.org"},
	{"", REGEX_OTHER, NULL},
	{"|", REGEX_OTHER, NULL},
	{"a\\.x\\.org|", REGEX_OTHER, NULL},
	{"\\.x\\.org", REGEX_OTHER, NULL},
	{"x\\.org\\.", REGEX_OTHER, NULL},
	{"x\\.org\\$", REGEX_OTHER, NULL},
	{"[^.]+\\.x\\.org", REGEX_OTHER, NULL},
	{"a+\\.x\\.org", REGEX_OTHER, NULL},
	{"a?\\.x\\.org", REGEX_OTHER, NULL},
	{"a{2}\\.x\\.org", REGEX_OTHER, NULL},
	{"\\.*x\\.org", REGEX_OTHER, NULL},
	{"a.*?\\.x\\.org", REGEX_OTHER, NULL},
	{".?x\\.org", REGEX_OTHER, NULL},
	{"(a|b)\\.x\\.org", REGEX_OTHER, NULL},
	{"(a\\.x\\.org", REGEX_OTHER, NULL},
	{"a\\.x\\.org)", REGEX_OTHER, NULL},
	{"\\d\\.x\\.org", REGEX_OTHER, NULL},
	{"1\\.2\\.3\\.4", REGEX_OTHER, NULL},
	{"(?i)a\\.x\\.org", REGEX_OTHER, NULL},
	{"(.*\\.)?a.*\\.x\\.org", REGEX_OTHER, NULL},
	{"(", REGEX_OTHER, NULL},
	{")", REGEX_OTHER, NULL},
	{"()", REGEX_OTHER, NULL},
	{"\\", REGEX_OTHER, NULL},
	{"(a)(b)", REGEX_OTHER, NULL},
};

static void
test_a_regex_is_a_plain_pattern_or_not(void **state)
{
	char out[REGEX_PLAIN_MOST];

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		size_t n = strlen(rows[i].regex);
		for (size_t k = 0; k <= n; k++) {
			char *block = malloc(k ? k : 1);
			assert_non_null(block);
			memcpy(block, rows[i].regex, k);
			regex_plain(span_of(block, k), out);
			free(block);
		}
		if (regex_plain(span_str(rows[i].regex), out) != rows[i].want)
			fail_msg("%s: %s", rows[i].regex, out);
		if (rows[i].plain)
			assert_string_equal(out, rows[i].plain);
	}
}

static void
set_add(struct host_set_builder *b, const char *item, uint32_t tag)
{
	struct host_spec spec;
	char             why[HOST_SPEC_WHY];

	if (!host_spec_parse(span_str(item), &spec, why) || !host_set_builder_add(b, &spec, tag, 1, why))
		fail_msg("%s: %s", item, why);
}

static uint32_t
tags_of(const struct host_set *h, const char *name)
{
	struct host_hit hit;
	uint32_t        loose[8], n, bits = 0;
	const uint32_t *tags;

	hit = (struct host_hit){.loose = loose};
	host_set_find(h, span_str(name), &hit);
	tags = host_set_tags(h, hit.set, &n);
	for (uint32_t i = 0; i < n; i++)
		bits |= 1u << tags[i];
	for (uint32_t i = 0; i < hit.n_loose; i++)
		bits |= 1u << loose[i];
	return bits;
}

static const char *const labels[] = {"a", "b", "ab", "www", "x", "a-b", "a1"};

static void
name_make(char *name, size_t room)
{
	size_t n = 0;

	for (uint32_t k = 1 + dice(4); k; k--)
		n += (size_t)snprintf(name + n, room - n, "%s%s", PICK(labels), k > 1 ? "." : "");
}

static void
regex_make(char *out, size_t room)
{
	static const char *const starts[] = {"", "^", ".*\\.", ".+\\.", "(.*\\.)?", "(?:.+\\.)?", ".*", "a.*"};
	static const char *const dots[] = {"\\.", "\\.", "[.]", ".*\\.", ".*"};
	size_t                   n = 0;

	for (uint32_t branch = 1 + dice(2); branch; branch--) {
		n += (size_t)snprintf(out + n, room - n, "%s%s", PICK(starts), PICK(labels));
		for (uint32_t k = dice(3); k; k--)
			n += (size_t)snprintf(out + n, room - n, "%s%s", PICK(dots), PICK(labels));
		n += (size_t)snprintf(out + n, room - n, "%s%s", dice(4) ? "" : "$", branch > 1 ? "|" : "");
	}
}

static void
test_a_plain_pattern_holds_for_the_same_names_as_its_regex(void **state)
{
	unsigned same = 0, held = 0;

	(void)state;
	for (unsigned round = 0; round < 300; round++) {
		static const uint8_t     key[16] = {1};
		char                     regex[400], item[410], plain[REGEX_PLAIN_MOST], *save, name[300];
		struct host_set_builder *b;
		struct host_set         *h;
		struct flat              f;
		uint32_t                 off;

		regex_make(regex, sizeof regex);
		if (regex_plain(span_str(regex), plain) != REGEX_SAME)
			continue;
		same++;
		flat_init(&f);
		b = host_set_builder_new(key);
		snprintf(item, sizeof item, "re:%s", regex);
		set_add(b, item, 0);
		flat_add(&f, NULL, 64, 64);
		for (char *one = strtok_r(strdupa(plain), " ", &save); one; one = strtok_r(NULL, " ", &save))
			set_add(b, one, 1);
		off = host_set_builder_finish(b, &f);
		assert_true(off != 0);
		h = host_set_open(f.base, f.used, off, false);
		assert_non_null(h);
		for (unsigned k = 0; k < 300; k++) {
			uint32_t bits;
			name_make(name, sizeof name);
			bits = tags_of(h, name);
			held += bits == 3;
			if (bits != 0 && bits != 3)
				fail_msg("%s is not %s: %s", regex, plain, name);
		}
		host_set_close(h);
		host_set_builder_free(b);
		flat_clear(&f);
	}
	assert_true(same > 100 && held > 1000);
}

/* --- rules and entries --- */

struct built {
	struct conf   *c;
	struct report  r;
	struct flat    f;
	struct policy *p;
};

static void
built_make(struct built *b, const char *path)
{
	uint32_t off;

	report_init(&b->r);
	b->r.thorough = true;
	flat_init(&b->f);
	flat_add(&b->f, NULL, 64, 64);
	b->c = conf_load(path, &b->r);
	assert_non_null(b->c);
	off = policy_compile(b->c, &b->f, &b->r);
	if (!off) {
		report_print(&b->r, b->c, stderr);
		fail_msg("%s", path);
	}
	b->p = policy_open(b->f.base, b->f.used, off, false);
	assert_non_null(b->p);
}

static void
built_clear(struct built *b)
{
	policy_close(b->p);
	flat_clear(&b->f);
	conf_free(b->c);
	report_clear(&b->r);
}

#define LINES 200
struct text {
	char     line[LINES][120];
	unsigned n;
};

static void __attribute__((format(printf, 2, 3)))
line_add(struct text *t, const char *fmt, ...)
{
	va_list ap;

	assert_true(t->n < LINES);
	va_start(ap, fmt);
	vsnprintf(t->line[t->n++], sizeof t->line[0], fmt, ap);
	va_end(ap);
}

static const char *const hosts[] = {"a.x", "*.x", ".x", "b.a.x", "*.a.x", "https://a.x", "http://a.x", "a.x:8443", "b.x", "*", "re:a\\..*", "*b*.x", "!a.x", "!b.x"};

static void
text_make(struct text *t, const char *users)
{
	static const char *const conditions[] = {"ports = 443", "ports = 80 8443", "ports = 1-442", "ports = 444-65535", "ports = !443", "schemes = https", "schemes = http",
		"schemes = http https", "methods = CONNECT", "methods = GET", "methods = !GET", "clients = 10.0.0.0/8", "clients = 0.0.0.0/0", "clients = !10.0.0.0/8", "clients = ::/0",
		"clients = any", "listeners = one", "listeners = two", "listeners = one two", "times = mon-fri", "times = sat-sun", "times = 08:00-18:00", "times = 18:00-08:00",
		"users = alice", "users = alice, bob", "users = !alice", "users = bob", "groups = staff", "report = yes"};

	t->n = 0;
	line_add(t, "[listener one]");
	line_add(t, "address = 127.0.0.1:1");
	line_add(t, "[listener two]");
	line_add(t, "address = 127.0.0.1:2");
	line_add(t, "[auth]");
	line_add(t, "ntlm-file = %s", users);
	for (unsigned l = 0; l < 3; l++) {
		line_add(t, "[list l%u]", l);
		for (uint32_t k = 1 + dice(4); k; k--)
			line_add(t, "host = %s", PICK(hosts));
	}
	for (unsigned r = 0; r < 7; r++) {
		line_add(t, "[rule r%u]", r);
		line_add(t, "action = %s", dice(2) ? "deny" : "tunnel");
		line_add(t, "auth = none");
		line_add(t, "force = yes"); /* groups are told by nobody here */
		for (uint32_t k = dice(3); k; k--)
			line_add(t, "hosts = %s", PICK(hosts));
		for (uint32_t k = dice(3); k; k--)
			line_add(t, "hosts = %s@l%u", dice(6) ? "" : "!", dice(3));
		for (uint32_t k = dice(3); k; k--)
			line_add(t, "%s", PICK(conditions));
	}
}

/* `but`: a line whose item holds for nothing instead; 0: none. */
static void
text_write(const struct text *t, const char *path, uint32_t but)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	for (unsigned i = 0; i < t->n; i++) {
		const char *value = strstr(t->line[i], " = ");
		if (i + 1 == but && value)
			fprintf(f, "%.*s = %s%s\n", (int)(value - t->line[i]), t->line[i], value[3] == '!' ? "!" : "",
			    strncmp(t->line[i], "clients", 7) == 0 ? "198.51.100.77" : "never.invalid");
		else
			fprintf(f, "%s\n", t->line[i]);
	}
	fclose(f);
}

struct asking {
	struct host  host;
	struct facts f;
	struct who   who;
	struct span  group;
};

static void
asking_make(struct asking *a)
{
	static const char *const names[] = {"a.x", "b.x", "b.a.x", "c.b.a.x", "x", "y", "abc.x", "a.y"};
	static const char *const clients[] = {"10.0.0.1", "192.0.2.1", "2001:db8::1"};
	static const uint16_t    ports[] = {443, 80, 8443, 1, 65535};

	*a = (struct asking){0};
	assert_true(host_parse(span_str(PICK(names)), &a->host));
	a->f = (struct facts){.host = &a->host, .port = PICK(ports), .scheme = dice(2) ? SCHEME_HTTPS : SCHEME_HTTP, .method = dice(2) ? SPAN("CONNECT") : SPAN("GET"),
		.listener = (uint16_t)dice(2), .week_minute = dice(WEEK_MINUTES), .known = FACT_USER};
	assert_true(addr_parse(span_str(PICK(clients)), &a->f.client));
	a->who.account = dice(2) ? SPAN("alice") : dice(2) ? SPAN("bob") : SPAN("carol");
	a->group = SPAN("staff");
	a->who.group = &a->group;
	a->who.n_groups = dice(2);
}

static uint32_t
rule_of(const struct built *b, struct asking *a)
{
	uint64_t       row[16] = {0};
	struct verdict v;

	assert_true(policy_row_words(b->p) <= 16);
	policy_user_row(b->p, &a->who, row);
	a->f.user_row = row;
	assert_int_equal(policy_decide(b->p, &a->f, &v), POLICY_VERDICT);
	return v.rule;
}

static uint32_t
rule_at(const struct built *b, struct where at)
{
	const struct conf_rule *r;
	uint32_t                i = 0;

	TAILQ_FOREACH (r, &b->c->rules, link) {
		if (r->at.line == at.line)
			return i;
		i++;
	}
	fail_msg("no rule at line %u", at.line);
	return 0;
}

static unsigned
dead_try(struct built *b)
{
	unsigned n = 0;

	for (size_t i = 0; i < b->r.n; i++) {
		uint32_t dead;
		if (b->r.v[i].kind != FINDING_RULE_DEAD)
			continue;
		dead = rule_at(b, b->r.v[i].at);
		n++;
		for (unsigned k = 0; k < 1000; k++) {
			struct asking a;
			asking_make(&a);
			if (rule_of(b, &a) == dead) {
				report_print(&b->r, b->c, stderr);
				fail_msg("rule %u decides", dead);
			}
		}
	}
	return n;
}

/* Entries that stand alone on their line. */
static unsigned
covered_try(struct built *b, const struct text *t, const char *path)
{
	unsigned n = 0;

	for (size_t i = 0; i < b->r.n; i++) {
		struct built other;
		if (b->r.v[i].kind != FINDING_ENTRY_COVERED)
			continue;
		text_write(t, path, b->r.v[i].at.line);
		built_make(&other, path);
		n++;
		for (unsigned k = 0; k < 500; k++) {
			struct asking a;
			asking_make(&a);
			if (rule_of(b, &a) != rule_of(&other, &a)) {
				report_print(&b->r, b->c, stderr);
				fail_msg("line %u matters: %s", b->r.v[i].at.line, t->line[b->r.v[i].at.line - 1]);
			}
		}
		built_clear(&other);
	}
	return n;
}

static void
test_what_is_called_dead_decides_nothing_and_what_adds_nothing_can_go(void **state)
{
	char     path[] = "/tmp/test_lint_XXXXXX", users[] = "/tmp/test_lint_XXXXXX";
	int      fd = mkstemp(path), none = mkstemp(users); /* made with mode 0600 */
	unsigned dead = 0, covered = 0;

	(void)state;
	assert_true(fd >= 0 && none >= 0);
	close(fd);
	close(none);
	for (unsigned round = 0; round < 250; round++) {
		struct text  t;
		struct built b;
		text_make(&t, users);
		text_write(&t, path, 0);
		built_make(&b, path);
		dead += dead_try(&b);
		covered += covered_try(&b, &t, path);
		built_clear(&b);
	}
	unlink(path);
	unlink(users);
	assert_true(dead > 100 && covered > 100);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_regex_is_a_plain_pattern_or_not),
		cmocka_unit_test(test_a_plain_pattern_holds_for_the_same_names_as_its_regex),
		cmocka_unit_test(test_what_is_called_dead_decides_nothing_and_what_adds_nothing_can_go),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
