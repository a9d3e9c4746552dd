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
#include <string.h>

#define REGEX_MAX    4096
#define MATCH_STEPS  20000 /* a name has 253 bytes at most: enough for a pattern that is quadratic in them now and then */
#define FLAGS        (PCRE2_NEVER_BACKSLASH_C | PCRE2_NEVER_UTF | PCRE2_NEVER_UCP)
#define NAME_FLAGS   (FLAGS | PCRE2_ANCHORED | PCRE2_ENDANCHORED | PCRE2_CASELESS)
#define TEXT_FLAGS   (FLAGS | PCRE2_DOLLAR_ENDONLY)

/* The library counts steps anew for each place where a match may begin, so that for texts the bound grows with their length: enough for two repeats
 * of the kind of `.*` to try every byte, and no more than the square of the length in all. */
static inline uint32_t
text_steps(size_t n)
{
	return (uint32_t)(4096 + 2 * n);
}

static const uint32_t frames_kib[] = {[PATTERN_NAME] = 128, [PATTERN_TEXT] = 2048};

struct pattern {
	pcre2_code *code;
};

struct frames {
	bool  used;
	char *block; /* owned; frames_kib of its set's use */
};

struct pattern_set {
	enum pattern_use       use;
	pcre2_code           **code;
	uint32_t               n;
	uint32_t               n_warm; /* so many are compiled to machine code, from the first on */
	bool                   jit;    /* they are */
	bool                   warm;   /* all are, or none can be */
	bool                   sealed; /* opened: from now on memory comes from `frames` only */
	struct frames          frames[2];
	pcre2_general_context *general;
	pcre2_match_context   *limits;
	pcre2_match_data      *match;
	pcre2_jit_stack       *stack; /* of texts: what the library has by itself holds few of their bytes; null: none */
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
pattern_new(enum pattern_use use, struct span regex, char why[HOST_SPEC_WHY])
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
	p->code = pcre2_compile((PCRE2_SPTR)regex.p, regex.n, use == PATTERN_NAME ? NAME_FLAGS : TEXT_FLAGS, &error, &at, NULL);
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

const char *
pattern_stranger(const struct pattern *p)
{
	static const char *const names[] = {
		"nobody-has-this-name.com", "www.nobody-has-this-name.com", "nobody-has-this-name.net", "www.nobody-has-this-name.net",
		"nobody-has-this-name.org", "nobody-has-this-name.io", "nobody-has-this-name.dev", "nobody-has-this-name.ms", "nobody-has-this-name.de",
		"nobody-has-this-name.co.uk", "nobody-has-this-name.github.io", "nobody-has-this-name.s3.amazonaws.com", "nobody-has-this-name.cloudfront.net",
		"nobodyhasthisname.blob.core.windows.net", "nobodyhasthisname.azureedge.net", "nobodyhasthisname.azurewebsites.net",
		"nobodyhasthisname.westeurope.cloudapp.azure.com", "nobodyhasthisname.trafficmanager.net", "nobodyhasthisname.servicebus.windows.net",
	};
	pcre2_match_context *limits = pcre2_match_context_create(NULL);
	pcre2_match_data    *match = pcre2_match_data_create(1, NULL);
	const char          *found = NULL;

	for (size_t i = 0; limits && match && !found && i < sizeof names / sizeof *names; i++) {
		pcre2_set_match_limit(limits, MATCH_STEPS);
		pcre2_set_depth_limit(limits, MATCH_STEPS);
		if (pcre2_match(p->code, (PCRE2_SPTR)names[i], strlen(names[i]), 0, 0, match, limits) >= 0)
			found = names[i];
	}
	pcre2_match_data_free(match);
	pcre2_match_context_free(limits);
	return found;
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
		if (!s->frames[i].used && n <= frames_kib[s->use] * (size_t)1024) {
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
		s->frames[i].block = malloc(frames_kib[s->use] * (size_t)1024);
	if (!s->limits || !s->match || !s->frames[0].block || !s->frames[1].block)
		return false;
	pcre2_set_match_limit(s->limits, MATCH_STEPS);
	pcre2_set_depth_limit(s->limits, MATCH_STEPS);
	pcre2_set_heap_limit(s->limits, frames_kib[s->use]);
	return true;
}

/* False: out of memory. */
static bool
give_stack(struct pattern_set *s)
{
	s->sealed = false;
	s->stack = pcre2_jit_stack_create(32 * 1024, frames_kib[s->use] * (size_t)1024, s->general);
	s->sealed = true;
	if (s->stack)
		pcre2_jit_stack_assign(s->limits, NULL, s->stack);
	return s->stack != NULL;
}

bool
pattern_set_warm(struct pattern_set *s, uint32_t *n)
{
	if (s->warm)
		return true;
	s->jit = true;
	for (; s->jit && s->n_warm < s->n && *n; s->n_warm++, --*n)
		s->jit = pcre2_jit_compile(s->code[s->n_warm], PCRE2_JIT_COMPLETE) == 0;
	s->warm = !s->jit || s->n_warm == s->n;
	return !s->warm || !s->jit || s->use == PATTERN_NAME || give_stack(s);
}

bool
pattern_set_is_warm(const struct pattern_set *s)
{
	return s->warm;
}

struct pattern_set *
pattern_set_open(enum pattern_use use, const void *bytes, uint32_t n, bool jit)
{
	struct pattern_set *s = calloc(1, sizeof *s);

	if (!s)
		return NULL;
	s->use = use;
	s->code = calloc(n, sizeof *s->code);
	if (!s->code || !open_limits(s))
		goto fail;
	if (pcre2_serialize_get_number_of_codes(bytes) != (int32_t)n || pcre2_serialize_decode(s->code, (int32_t)n, bytes, NULL) != (int32_t)n)
		goto fail;
	s->n = n;
	s->sealed = true;
	if (jit && !pattern_set_warm(s, &(uint32_t){n}))
		goto fail;
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
	if (s->stack)
		pcre2_jit_stack_free(s->stack);
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
pattern_set_matches(struct pattern_set *s, uint32_t i, struct span text)
{
	int rc = PCRE2_ERROR_MATCHLIMIT;

	if (s->use == PATTERN_TEXT && text.n <= PATTERN_TEXT_MAX) {
		pcre2_set_match_limit(s->limits, text_steps(text.n));
		pcre2_set_depth_limit(s->limits, text_steps(text.n));
	}
	if (s->use == PATTERN_NAME || text.n <= PATTERN_TEXT_MAX)
		rc = pcre2_match(s->code[i], (PCRE2_SPTR)(text.n ? text.p : ""), text.n, 0, 0, s->match, s->limits);
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
