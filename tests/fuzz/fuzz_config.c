/* SPDX-License-Identifier: MIT */
/* An input that begins with 'L' is a list file, any other an ini file. */
#include "conf/load.h"
#include "fuzz.h"

static void
check_items(const struct conf_items *items)
{
	for (size_t i = 0; i < items->n; i++)
		CHECK(items->v[i].text.n > 0 && items->v[i].text.p && items->v[i].at.line > 0);
}

static void
check_rule(const struct conf_rule *r)
{
	const struct conf_items *const all[] = {&r->hosts, &r->ports, &r->schemes, &r->methods, &r->clients, &r->listeners, &r->addresses, &r->times, &r->users, &r->groups};

	for (size_t i = 0; i < sizeof all / sizeof *all; i++)
		check_items(all[i]);
	CHECK(r->has_action);
}

/* What holds of every conf, also of one with errors, which goes on to policy_compile. */
static void
check_conf(const struct conf *c, bool is_fine)
{
	struct conf_listener *l;
	struct conf_list     *s;
	struct conf_rule     *r;
	struct conf_log      *a;

	CHECK(c->gateway.user && c->gateway.visible_name && c->gateway.max_head >= 4096 && c->gateway.tunnel_buffer >= 4096);
	CHECK(c->gateway.head_timeout_ms > 0 && c->gateway.idle_timeout_ms > 0);
	CHECK(!is_fine || !TAILQ_EMPTY(&c->listeners));
	CHECK(c->auth.n_schemes <= 3 && c->auth.realm && (!is_fine || !c->auth.present || c->auth.n_schemes));
	TAILQ_FOREACH(l, &c->listeners, link)
		CHECK(!is_fine || (l->address.n > 0 && l->clients.n > 0 && l->name.n > 0));
	TAILQ_FOREACH(s, &c->lists, link) {
		check_items(&s->hosts);
		check_items(&s->addresses);
	}
	TAILQ_FOREACH(r, &c->rules, link)
		check_rule(r);
	TAILQ_FOREACH(a, &c->logs, link)
		CHECK(!is_fine || (a->file && (a->format != LOG_CUSTOM || a->custom.n > 0)));
}

/* Printable, and a line for each. */
static void
check_report(const struct report *r, const struct conf *c)
{
	char  *text = NULL;
	size_t n = 0, lines = 0;
	FILE  *f = open_memstream(&text, &n);

	CHECK(f != NULL);
	report_print(r, c, f);
	fclose(f);
	for (size_t i = 0; i < n; i++) {
		CHECK(text[i] == '\n' || (text[i] >= 0x20 && text[i] < 0x7f));
		lines += text[i] == '\n';
	}
	CHECK(lines == r->n + (r->errors + r->warnings > r->n));
	free(text);
	for (size_t i = 0; i < r->n; i++) {
		CHECK(r->v[i].at.line <= c->files[0].lines);
		/* what load says when inih stumbles over a line that line_read let through */
		CHECK(strcmp(r->v[i].text, "the line cannot be read; write KEY = VALUE") != 0);
	}
}

static void
try_ini(struct span in)
{
	struct report r;
	struct conf  *c;

	report_init(&r);
	c = conf_load_memory("config", in, &r);
	CHECK(c != NULL);
	check_conf(c, r.errors == 0);
	check_report(&r, c);
	conf_free(c);
	report_clear(&r);
}

static void
try_list(struct span in)
{
	struct report     r;
	struct conf      *c;
	struct conf_items items = {0};
	struct load       l = {.r = &r};
	uint32_t          last = 0;

	report_init(&r);
	c = conf_load_memory("list", span_of(NULL, 0), &r);
	CHECK(c != NULL);
	report_clear(&r);
	l.c = c;
	list_parse(&l, &items, in, 0);
	for (size_t i = 0; i < items.n; i++) {
		const struct conf_item *it = &items.v[i];
		CHECK(it->text.n > 0 && span_inside(it->text, in) && it->at.line > last);
		for (size_t k = 0; k < it->text.n; k++)
			CHECK((unsigned char)it->text.p[k] >= 0x20 || (it->quoted && it->text.p[k] == '\t'));
		last = it->at.line;
	}
	CHECK(last <= c->files[0].lines);
	check_report(&r, c);
	free(items.v);
	conf_free(c);
	report_clear(&r);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct span in = fuzz_input(data, n);

	if (n && *data == 'L')
		try_list(span_of(in.p + 1, in.n - 1));
	else
		try_ini(in);
	return 0;
}
