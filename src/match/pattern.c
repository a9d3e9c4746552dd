/* SPDX-License-Identifier: MIT */
/*
 * pattern: PCRE2 with bounds. Matching takes its memory from two blocks that are there from the start, because the library allocates
 * while it matches: without JIT it keeps its frames in the match data, and doubles them when they do not suffice.
 */
#include "match/pattern.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdio.h>
#include <stdlib.h>

#define REGEX_MAX    4096
#define MATCH_STEPS  20000 /* a name has 253 bytes at most: enough for a pattern that is quadratic in them now and then */
#define FRAMES_KIB   128
#define FRAMES_BYTES ((size_t)FRAMES_KIB * 1024)
#define COMPILE_FLAGS \
	(PCRE2_ANCHORED | PCRE2_ENDANCHORED | PCRE2_CASELESS | PCRE2_NEVER_BACKSLASH_C | PCRE2_NEVER_UTF | PCRE2_NEVER_UCP)

struct pattern {
	pcre2_code *code;
};

struct frames {
	bool  used;
	char *block; /* owned; FRAMES_BYTES */
};

struct pattern_set {
	pcre2_code           **code;
	uint32_t               n;
	bool                   jit;    /* all of them */
	bool                   sealed; /* opened: from now on memory comes from `frames` only */
	struct frames          frames[2];
	pcre2_general_context *general;
	pcre2_match_context   *limits;
	pcre2_match_data      *match;
	uint64_t               limit_hits;
	bool                   assume; /* that a match which hits a bound is one */
};

static int
on_callout_found(pcre2_callout_enumerate_block *block, void *arg)
{
	(void)block;
	(void)arg;
	return 1;
}

struct pattern *
pattern_new(struct span regex, char why[HOST_SPEC_WHY])
{
	struct pattern *p = calloc(1, sizeof *p);
	int             error;
	size_t          at;

	if (!p) {
		snprintf(why, HOST_SPEC_WHY, "out of memory");
		return NULL;
	}
	if (regex.n > REGEX_MAX) {
		snprintf(why, HOST_SPEC_WHY, "the regex is longer than %d bytes; split it into several items", REGEX_MAX);
		goto fail;
	}
	p->code = pcre2_compile((PCRE2_SPTR)regex.p, regex.n, COMPILE_FLAGS, &error, &at, NULL);
	if (!p->code) {
		char text[120];
		pcre2_get_error_message(error, (PCRE2_UCHAR *)text, sizeof text);
		snprintf(why, HOST_SPEC_WHY, "regex: %s (at offset %zu)", text, at);
		goto fail;
	}
	if (pcre2_callout_enumerate(p->code, on_callout_found, NULL) != 0) {
		snprintf(why, HOST_SPEC_WHY, "regex: callouts are not taken; leave (?C) out");
		goto fail;
	}
	return p;
fail:
	pattern_free(p);
	return NULL;
}

void
pattern_free(struct pattern *p)
{
	if (!p)
		return;
	pcre2_code_free(p->code);
	free(p);
}

uint32_t
pattern_write(struct pattern *const *p, uint32_t n, struct flat *f, uint32_t *bytes)
{
	const pcre2_code **code = calloc(n, sizeof *code);
	uint8_t           *out = NULL;
	size_t             size = 0;
	uint32_t           off = 0;

	*bytes = 0;
	if (!code)
		return 0;
	for (uint32_t i = 0; i < n; i++)
		code[i] = p[i]->code;
	if (pcre2_serialize_encode(code, (int32_t)n, &out, &size, NULL) == (int32_t)n && size <= UINT32_MAX) {
		off = flat_add(f, out, size, 16);
		*bytes = (uint32_t)size;
	}
	pcre2_serialize_free(out);
	free(code);
	return off;
}

static void *
frames_take(size_t n, void *arg)
{
	struct pattern_set *s = arg;

	if (!s->sealed)
		return malloc(n);
	for (unsigned i = 0; i < 2; i++)
		if (!s->frames[i].used && n <= FRAMES_BYTES) {
			s->frames[i].used = true;
			return s->frames[i].block;
		}
	return NULL;
}

static void
frames_give(void *p, void *arg)
{
	struct pattern_set *s = arg;

	for (unsigned i = 0; i < 2; i++)
		if (p && p == s->frames[i].block) {
			s->frames[i].used = false;
			return;
		}
	free(p);
}

static bool
open_limits(struct pattern_set *s)
{
	s->general = pcre2_general_context_create(frames_take, frames_give, s);
	s->limits = s->general ? pcre2_match_context_create(s->general) : NULL;
	s->match = s->general ? pcre2_match_data_create(1, s->general) : NULL;
	for (unsigned i = 0; i < 2; i++)
		s->frames[i].block = malloc(FRAMES_BYTES);
	if (!s->limits || !s->match || !s->frames[0].block || !s->frames[1].block)
		return false;
	pcre2_set_match_limit(s->limits, MATCH_STEPS);
	pcre2_set_depth_limit(s->limits, MATCH_STEPS);
	pcre2_set_heap_limit(s->limits, FRAMES_KIB);
	return true;
}

struct pattern_set *
pattern_set_open(const void *bytes, uint32_t n, bool jit)
{
	struct pattern_set *s = calloc(1, sizeof *s);

	if (!s)
		return NULL;
	s->code = calloc(n, sizeof *s->code);
	if (!s->code || !open_limits(s))
		goto fail;
	if (pcre2_serialize_get_number_of_codes(bytes) != (int32_t)n || pcre2_serialize_decode(s->code, (int32_t)n, bytes, NULL) != (int32_t)n)
		goto fail;
	s->n = n;
	s->jit = jit;
	for (uint32_t i = 0; s->jit && i < n; i++)
		s->jit = pcre2_jit_compile(s->code[i], PCRE2_JIT_COMPLETE) == 0;
	s->sealed = true;
	return s;
fail:
	pattern_set_close(s);
	return NULL;
}

void
pattern_set_close(struct pattern_set *s)
{
	if (!s)
		return;
	for (uint32_t i = 0; i < s->n; i++)
		pcre2_code_free(s->code[i]);
	free(s->code);
	pcre2_match_data_free(s->match);
	pcre2_match_context_free(s->limits);
	pcre2_general_context_free(s->general);
	free(s->frames[0].block);
	free(s->frames[1].block);
	free(s);
}

bool
pattern_set_has_jit(const struct pattern_set *s)
{
	return s->jit;
}

bool
pattern_set_matches(struct pattern_set *s, uint32_t i, struct span name)
{
	int rc = pcre2_match(s->code[i], (PCRE2_SPTR)name.p, name.n, 0, 0, s->match, s->limits);

	if (rc >= PCRE2_ERROR_PARTIAL)
		return rc >= 0;
	s->limit_hits++;
	return s->assume;
}

void
pattern_set_assume(struct pattern_set *s, bool match)
{
	s->assume = match;
}

uint64_t
pattern_set_limit_hits(const struct pattern_set *s)
{
	return s->limit_hits;
}
