/* SPDX-License-Identifier: MIT */
/*
 * request_gather: reads the items of url, headers, content-types, origin-tls and origin-strength, and writes them into the block.
 * What a request is held against is request's.
 */
#include "base/array.h"
#include "parse/octet.h"
#include "policy/build.h"

#include <stdlib.h>
#include <string.h>

#define STRENGTH_MOST 1024

/* The regex's number among the policy's texts, + 1; 0: reported. */
static uint32_t
regex_add(struct build *b, const struct conf_item *item, struct span regex)
{
	struct texts_build *t = &b->texts;
	char                why[HOST_SPEC_WHY];
	uint32_t            index;
	void               *v;

	if (!pool_intern(&t->spelled, regex.p, regex.n, &index))
		goto oom;
	if (index < t->n)
		return index + 1;
	v = array_grow(t->v, t->n, &t->room, sizeof *t->v);
	if (!v)
		goto oom;
	t->v = v;
	/* one that is wrong has a place too, so that numbers stay what they are; then the block is not written */
	t->v[t->n] = pattern_new(PATTERN_TEXT, regex, why);
	if (!t->v[t->n])
		report_error(b->report, item->at, "`%.*s`: %s", SPAN_ARG(item->text), why);
	return ++t->n;
oom:
	build_oom(b);
	return 0;
}

static struct flat_ref
lower_add(struct build *b, struct span s)
{
	struct flat_ref ref = flat_add_text(b->flat, s);
	char           *p = ref.off ? flat_at(b->flat, ref.off) : NULL;

	for (uint32_t i = 0; p && i < ref.n; i++)
		p[i] = ascii_lower(p[i]);
	return ref;
}

/* Fields that hold what nobody should write into a file. */
static bool
is_secret(struct span name)
{
	return span_eq_nocase(name, SPAN("authorization")) || span_eq_nocase(name, SPAN("proxy-authorization")) || span_eq_nocase(name, SPAN("cookie"));
}

/* Name, or Name: regex. */
static bool
header_read(struct build *b, const struct conf_item *item, struct block_test *t)
{
	const char *colon = memchr(item->text.p, ':', item->text.n);
	struct span name = item->text, regex = {NULL, 0};

	if (colon) {
		name.n = (size_t)(colon - item->text.p);
		regex = span_of(colon + 1, item->text.n - name.n - 1);
	}
	while (regex.n && (*regex.p == ' ' || *regex.p == '\t')) {
		regex.p++;
		regex.n--;
	}
	if (!octet_is_token(name)) {
		report_error(b->report, item->at, "`%.*s` is no header field; say its name, or \"Name: regex\" in quotes", SPAN_ARG(name));
		return false;
	}
	if (colon && is_secret(name)) {
		report_error(b->report, item->at, "the value of %.*s is a secret, which has no place in a configuration; say %.*s alone: is the field there?",
		    SPAN_ARG(name), SPAN_ARG(name));
		return false;
	}
	if (colon && regex.n == 0) {
		report_error(b->report, item->at, "`%.*s`: nothing stands after the colon; say %.*s alone, or \"%.*s: regex\" in quotes", SPAN_ARG(item->text),
		    SPAN_ARG(name), SPAN_ARG(name));
		return false;
	}
	t->text = lower_add(b, name);
	t->regex = colon ? regex_add(b, item, regex) : 0;
	return true;
}

static bool
type_read(struct build *b, const struct conf_item *item, struct block_test *t)
{
	const char *slash = memchr(item->text.p, '/', item->text.n);
	struct span type = item->text, subtype = {NULL, 0};

	if (slash) {
		type.n = (size_t)(slash - item->text.p);
		subtype = span_of(slash + 1, item->text.n - type.n - 1);
	}
	if (!octet_is_token(type) || !octet_is_token(subtype) || memchr(type.p, '*', type.n) || (subtype.n > 1 && memchr(subtype.p, '*', subtype.n))) {
		report_error(b->report, item->at, "`%.*s` is no media type; say one such as text/html or image/*, without parameters", SPAN_ARG(item->text));
		return false;
	}
	t->text = lower_add(b, span_eq(subtype, SPAN("*")) ? span_of(item->text.p, type.n + 1) : item->text);
	return true;
}

static bool
test_read(struct build *b, enum condition c, const struct conf_item *item, struct block_test *t)
{
	*t = (struct block_test){.negated = item->negated, .line = build_line(b, item->at)};
	if (c == COND_HEADERS)
		return header_read(b, item, t);
	if (c == COND_CONTENT_TYPES)
		return type_read(b, item, t);
	t->regex = regex_add(b, item, item->text);
	return true;
}

static struct flat_ref
tests_gather(struct build *b, enum condition c, const struct conf_items *items)
{
	struct block_test *t = calloc(items->n + 1, sizeof *t);
	struct flat_ref    ref = {0, 0};

	for (size_t i = 0; t && i < items->n && !b->oom; i++)
		ref.n += test_read(b, c, &items->v[i], &t[ref.n]);
	if (t)
		ref.off = flat_add(b->flat, t, ref.n * sizeof *t, 8);
	else
		build_oom(b);
	free(t);
	return ref;
}

static uint32_t
tls_gather(struct build *b, const struct conf_items *items)
{
	uint32_t plain = 0, negated = 0;

	for (size_t i = 0; i < items->n; i++) {
		const struct conf_item *item = &items->v[i];
		uint32_t                bit = span_eq(item->text, SPAN("1.2")) ? 1 : span_eq(item->text, SPAN("1.3")) ? 2 : 0;
		if (!bit)
			report_error(b->report, item->at, "`%.*s` is no version that an origin may speak; say 1.2 or 1.3", SPAN_ARG(item->text));
		if (item->negated)
			negated |= bit;
		else
			plain |= bit;
	}
	return (plain ? plain : 3) & ~negated;
}

/* 128, <128 or >=128. */
static bool
strength_read(struct span s, struct block_bits *out)
{
	bool     below = s.n > 1 && s.p[0] == '<', least = s.n > 2 && s.p[0] == '>' && s.p[1] == '=';
	size_t   at = below ? 1 : least ? 2 : 0;
	uint32_t n = 0;

	if (s.n == at || s.n - at > 4)
		return false;
	for (; at < s.n; at++) {
		if (s.p[at] < '0' || s.p[at] > '9')
			return false;
		n = n * 10 + (uint32_t)(s.p[at] - '0');
	}
	out->first = below ? 0 : n;
	out->last = below ? n - 1 : least ? UINT32_MAX : n;
	return n > 0 && n <= STRENGTH_MOST;
}

static struct flat_ref
bits_gather(struct build *b, const struct conf_items *items)
{
	struct block_bits *v = calloc(items->n + 1, sizeof *v);
	struct flat_ref    ref = {0, (uint32_t)items->n};

	for (size_t i = 0; v && i < items->n; i++) {
		v[i].negated = items->v[i].negated;
		if (!strength_read(items->v[i].text, &v[i]))
			report_error(b->report, items->v[i].at, "`%.*s` is no strength; say bits such as 128, <128 or >=128", SPAN_ARG(items->v[i].text));
	}
	if (v)
		ref.off = flat_add(b->flat, v, ref.n * sizeof *v, 8);
	else
		build_oom(b);
	free(v);
	return ref;
}

void
request_gather(struct build *b, uint32_t rule)
{
	const struct conf_rule *r = b->rule[rule];
	struct block_request    out;

	if (!(b->has[rule] & COND_READ))
		return;
	memset(&out, 0, sizeof out);
	out.tests[0] = tests_gather(b, COND_URL, &r->url);
	out.tests[1] = tests_gather(b, COND_HEADERS, &r->headers);
	out.tests[2] = tests_gather(b, COND_CONTENT_TYPES, &r->content_types);
	out.bits = bits_gather(b, &r->origin_strength);
	out.tls = tls_gather(b, &r->origin_tls);
	b->request[rule] = flat_add(b->flat, &out, sizeof out, 8);
}

void
request_write(struct build *b, struct policy_head *head)
{
	uint32_t bytes;

	head->n_texts = b->texts.n;
	if (!b->texts.n)
		return;
	head->texts = pattern_write(b->texts.v, b->texts.n, b->flat, &bytes);
	if (!head->texts)
		build_oom(b);
}

void
request_clear(struct build *b)
{
	for (uint32_t i = 0; i < b->texts.n; i++)
		pattern_free(b->texts.v[i]);
	free(b->texts.v);
	pool_clear(&b->texts.spelled);
}
