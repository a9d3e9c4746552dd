/* SPDX-License-Identifier: MIT */
/*
 * request: do url, headers, content-types, origin-tls and origin-strength of a rule hold? Asked one rule after another, and only when all else of the
 * rule holds, since a regex costs more than all other conditions together.
 */
#include "policy/open.h"

/* An item; adds to *given_up when its regex hits its limit. */
typedef bool test_fn(const struct policy *p, const struct facts *f, const struct block_test *t, uint64_t *given_up);

static bool
regex_matches(const struct policy *p, const struct block_test *t, struct span text, uint64_t *given_up)
{
	uint64_t before = pattern_set_limit_hits(p->texts);
	bool     matches = pattern_set_matches(p->texts, t->regex - 1, text);

	*given_up += pattern_set_limit_hits(p->texts) - before;
	return matches;
}

static bool
url_matches(const struct policy *p, const struct facts *f, const struct block_test *t, uint64_t *given_up)
{
	return regex_matches(p, t, f->url, given_up);
}

static bool
header_matches(const struct policy *p, const struct facts *f, const struct block_test *t, uint64_t *given_up)
{
	struct span  name = span_of(policy_at(p, t->text.off), t->text.n);
	struct field field;

	for (size_t at = 0; head_field_next(f->head, &at, &field);)
		if (span_eq_nocase(field.name, name) && (!t->regex || regex_matches(p, t, field.value, given_up)))
			return true;
	return false;
}

/* Is this Content-Type, parameters aside, of that media type? */
static bool
type_is(const struct policy *p, const struct block_test *t, struct span value)
{
	const char *text = policy_at(p, t->text.off), *semicolon = value.n ? memchr(value.p, ';', value.n) : NULL;

	if (semicolon)
		value.n = (size_t)(semicolon - value.p);
	while (value.n && (value.p[value.n - 1] == ' ' || value.p[value.n - 1] == '\t'))
		value.n--;
	if (text[t->text.n - 1] == '/' && value.n > t->text.n)
		value.n = t->text.n;
	return span_eq_nocase(value, span_of(text, t->text.n));
}

/* Some Content-Type, of several that stand in one list too: what one reader takes for the type, another may not. */
static bool
value_has_type(const struct policy *p, const struct block_test *t, struct span value)
{
	struct span item;

	for (size_t at = 0; field_list_next(value, &at, &item);)
		if (type_is(p, t, item))
			return true;
	return false;
}

static bool
type_matches(const struct policy *p, const struct facts *f, const struct block_test *t, uint64_t *given_up)
{
	struct field field;

	(void)given_up;
	if (f->known & FACT_RESPONSE && value_has_type(p, t, f->response_type))
		return true;
	if (!(f->head->seen & 1u << FIELD_CONTENT_TYPE))
		return false;
	for (size_t at = 0; head_field_next(f->head, &at, &field);)
		if (field.id == FIELD_CONTENT_TYPE && value_has_type(p, t, field.value))
			return true;
	return false;
}

static test_fn *const test_of[] = {url_matches, header_matches, type_matches};

static const struct block_request *
request_of(const struct policy *p, uint32_t rule)
{
	return policy_at(p, p->rules[rule].request);
}

/* One item that is not negated must match, if there is one, and none that is. */
static enum trace_state
tests_state(const struct policy *p, const struct facts *f, struct flat_ref tests, enum condition c, uint64_t *given_up)
{
	const struct block_test *t = policy_at(p, tests.off);
	bool                     held = false, asked = false, vetoed = false;

	for (uint32_t i = 0; i < tests.n; i++) {
		asked |= !t[i].negated;
		vetoed |= t[i].negated != 0;
		if ((held && !t[i].negated) || !test_of[c - COND_URL](p, f, &t[i], given_up))
			continue;
		if (t[i].negated)
			return TRACE_FAILED;
		held = true;
	}
	/* the response may still bring what is asked for, or what is ruled out */
	if (c == COND_CONTENT_TYPES && !(f->known & FACT_RESPONSE) && (!held || vetoed))
		return TRACE_UNKNOWN;
	return held || !asked ? TRACE_HELD : TRACE_FAILED;
}

static bool
bits_hold(const struct policy *p, struct flat_ref bits, uint32_t strength)
{
	const struct block_bits *b = policy_at(p, bits.off);
	bool                     held = false, asked = false;

	for (uint32_t i = 0; i < bits.n; i++) {
		bool in = b[i].first <= strength && strength <= b[i].last;
		if (in && b[i].negated)
			return false;
		asked |= !b[i].negated;
		held |= in;
	}
	return held || !asked;
}

enum trace_state
request_state(const struct policy *p, const struct facts *f, uint32_t rule, enum condition c, uint64_t *given_up)
{
	const struct block_request *r = request_of(p, rule);
	bool                        held;

	if (c <= COND_CONTENT_TYPES)
		return f->known & FACT_REQUEST ? tests_state(p, f, r->tests[c - COND_URL], c, given_up) : TRACE_FAILED;
	if (!(f->known & FACT_ORIGIN))
		return TRACE_FAILED;
	if (c == COND_ORIGIN_TLS)
		held = (f->origin_tls == 0x0303 || f->origin_tls == 0x0304) && r->tls >> (f->origin_tls - 0x0303) & 1;
	else
		held = bits_hold(p, r->bits, f->origin_strength);
	return held ? TRACE_HELD : TRACE_FAILED;
}

enum trace_state
request_states(const struct policy *p, const struct facts *f, uint32_t rule, uint64_t *given_up)
{
	/* cheap ones first */
	static const enum condition order[] = {COND_ORIGIN_TLS, COND_ORIGIN_STRENGTH, COND_CONTENT_TYPES, COND_HEADERS, COND_URL};
	enum trace_state            all = TRACE_HELD;

	for (size_t i = 0; i < sizeof order / sizeof *order; i++) {
		if (!(p->rules[rule].has >> order[i] & 1))
			continue;
		enum trace_state one = request_state(p, f, rule, order[i], given_up);
		if (one == TRACE_FAILED)
			return one;
		if (one == TRACE_UNKNOWN)
			all = one;
	}
	return all;
}

enum settle
rule_settle_read(const struct policy *p, const struct facts *f, struct view *v, uint32_t rule)
{
	return rule_settle_by(p, f, v, rule, true);
}

bool
request_origin(const struct policy *p, const struct facts *f, uint32_t rule, enum condition c, bool against, uint32_t *line)
{
	const struct block_test *t;
	struct flat_ref          tests;
	uint64_t                 given_up = 0;

	if (c < COND_URL || c > COND_CONTENT_TYPES || !(p->rules[rule].has >> c & 1) || !(f->known & FACT_REQUEST))
		return false;
	tests = request_of(p, rule)->tests[c - COND_URL];
	t = policy_at(p, tests.off);
	for (uint32_t i = 0; i < tests.n; i++)
		if ((t[i].negated != 0) == against && test_of[c - COND_URL](p, f, &t[i], &given_up)) {
			*line = t[i].line;
			return true;
		}
	return false;
}

bool
policy_wants_url(const struct policy *p)
{
	return p->head->n_texts > 0; /* of headers too, which seldom stand alone */
}
