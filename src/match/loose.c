/* SPDX-License-Identifier: MIT */
/*
 * loose: matches globs and regexes of a built set against a name. First the name is searched for grams of the patterns' literals, then
 * the literals are compared whole, then the patterns that are left are tried, each once.
 */
#include "match/loose.h"

#include <stdlib.h>

#include "match/glob.h"
#include "match/loose_flat.h"
#include "match/pattern.h"

struct loose {
	const char                 *block;
	const struct loose_flat    *flat;
	const struct loose_pattern *pattern;
	const struct loose_grams   *grams[2];
	struct pattern_set         *regexes; /* owned; null when there is none */
	uint32_t                   *tried;   /* for each pattern: the turn in which it was tried last */
	uint32_t                   *held;    /* for each distinct tag: the turn in which it held last */
	uint32_t                   *by;      /* and the first of the patterns by which it did */
	uint32_t                    turn;    /* one for each look-up; never 0 */
};

struct loose *
loose_open(const void *block, const struct loose_flat *flat, bool jit)
{
	struct loose *l = calloc(1, sizeof *l);

	if (!l)
		return NULL;
	*l = (struct loose){.block = block, .flat = flat};
	l->pattern = (const void *)(l->block + flat->pattern);
	for (unsigned i = 0; i < 2; i++)
		l->grams[i] = flat->gram[i] ? (const void *)(l->block + flat->gram[i]) : NULL;
	l->tried = calloc(flat->n, sizeof *l->tried);
	l->held = calloc(flat->n_tags, sizeof *l->held);
	l->by = calloc(flat->n_tags, sizeof *l->by);
	if (flat->n_codes)
		l->regexes = pattern_set_open(PATTERN_NAME, l->block + flat->codes, flat->n_codes, jit);
	if (!l->tried || !l->held || !l->by || (flat->n_codes && !l->regexes)) {
		loose_close(l);
		return NULL;
	}
	return l;
}

void
loose_close(struct loose *l)
{
	if (!l)
		return;
	pattern_set_close(l->regexes);
	free(l->tried);
	free(l->held);
	free(l->by);
	free(l);
}

bool
loose_has_jit(const struct loose *l)
{
	return !l->regexes || pattern_set_has_jit(l->regexes);
}

bool
loose_warm(struct loose *l, uint32_t *n)
{
	return !l->regexes || pattern_set_warm(l->regexes, n);
}

bool
loose_is_warm(const struct loose *l)
{
	return !l->regexes || pattern_set_is_warm(l->regexes);
}

uint64_t
loose_limit_hits(const struct loose *l)
{
	return l->regexes ? pattern_set_limit_hits(l->regexes) : 0;
}

void
loose_assume(struct loose *l, bool match)
{
	if (l->regexes)
		pattern_set_assume(l->regexes, match);
}

static bool
matches(struct loose *l, uint32_t i, struct span name)
{
	const struct loose_pattern *p = &l->pattern[i];

	if (p->kind == SPEC_REGEX)
		return pattern_set_matches(l->regexes, p->code, name);
	return glob_matches(span_of(l->block + l->flat->text + p->text, p->n), name);
}

static const struct loose_origin *
origins_of(const struct loose *l, uint32_t i)
{
	return (const struct loose_origin *)(l->block + l->flat->origin) + l->pattern[i].origin;
}

/* Try one pattern if this turn has not; mark its tags when it matches. Returns how many tags are new. */
static uint32_t
try_pattern(struct loose *l, uint32_t i, struct span name)
{
	const struct loose_origin *o = origins_of(l, i);
	uint32_t                   n = 0;

	if (l->tried[i] == l->turn)
		return 0;
	l->tried[i] = l->turn;
	if (!matches(l, i, name))
		return 0;
	for (uint32_t k = 0; k < l->pattern[i].n_origins; k++)
		if (l->held[o[k].nth] != l->turn) {
			l->held[o[k].nth] = l->turn;
			l->by[o[k].nth] = i;
			n++;
		} else if (i < l->by[o[k].nth]) {
			l->by[o[k].nth] = i;
		}
	return n;
}

static uint32_t
try_word(struct loose *l, const struct loose_word *w, struct span name, size_t at)
{
	if (at < w->at || name.n - (at - w->at) < w->n)
		return 0;
	if (memcmp(name.p + at - w->at, l->block + l->flat->text + w->text, w->n) != 0)
		return 0;
	return try_pattern(l, w->pattern, name);
}

static uint32_t
search(struct loose *l, const struct loose_grams *g, unsigned size, struct span name)
{
	const uint64_t          *filter = (const uint64_t *)(l->block + g->filter);
	const uint32_t          *edge = (const uint32_t *)(l->block + g->edge);
	const struct loose_word *word = (const struct loose_word *)(l->block + g->word);
	uint32_t                 n = 0, shift = g->shift;

	for (size_t at = 0; at + size <= name.n; at++) {
		uint32_t gram = loose_gram(name.p + at, size), hash = loose_gram_hash(gram), bit = loose_filter_bit(hash, shift);
		if (!(filter[bit >> 6] >> (bit & 63) & 1))
			continue;
		for (uint32_t i = edge[loose_bucket(hash, shift)]; i < edge[loose_bucket(hash, shift) + 1]; i++)
			if (word[i].gram == gram)
				n += try_word(l, &word[i], name, at);
	}
	return n;
}

uint32_t
loose_find(struct loose *l, struct span name, const uint32_t *but, uint32_t n_but, uint32_t *tag)
{
	const uint32_t *always = (const uint32_t *)(l->block + l->flat->always), *all = (const uint32_t *)(l->block + l->flat->tag);
	uint32_t        left = 0, n = 0, skip = 0;

	if (++l->turn == 0) {
		memset(l->tried, 0, l->flat->n * sizeof *l->tried);
		memset(l->held, 0, l->flat->n_tags * sizeof *l->held);
		l->turn = 1;
	}
	if (l->grams[0])
		left += search(l, l->grams[0], LOOSE_SHORT, name);
	if (l->grams[1])
		left += search(l, l->grams[1], LOOSE_LONG, name);
	for (uint32_t i = 0; i < l->flat->n_always; i++)
		left += try_pattern(l, always[i], name);
	for (uint32_t i = 0; left; i++) {
		if (l->held[i] != l->turn)
			continue;
		left--;
		while (skip < n_but && but[skip] < all[i])
			skip++;
		if (skip == n_but || but[skip] != all[i])
			tag[n++] = all[i];
	}
	return n;
}

uint32_t
loose_by(const struct loose *l, uint32_t tag)
{
	const uint32_t *all = (const uint32_t *)(l->block + l->flat->tag);
	uint32_t        low = 0, n = l->flat->n_tags;

	while (n > 1) {
		uint32_t half = n / 2;
		if (all[low + half] <= tag)
			low += half;
		n -= half;
	}
	return n && all[low] == tag && l->held[low] == l->turn ? l->by[low] : UINT32_MAX;
}

bool
loose_entry(const char *block, const struct loose_flat *flat, uint32_t pattern, uint32_t k, struct host_entry *e)
{
	const struct loose_pattern *p = (const struct loose_pattern *)(block + flat->pattern) + (pattern < flat->n ? pattern : 0);
	const struct loose_origin  *o;

	if (pattern >= flat->n || k >= p->n_origins)
		return false;
	o = (const struct loose_origin *)(block + flat->origin) + p->origin + k;
	*e = (struct host_entry){
		.kind = (enum host_spec_kind)p->kind,
		.text = span_of(block + flat->text + p->text, p->n),
		.tag = ((const uint32_t *)(block + flat->tag))[o->nth],
		.origin = o->origin,
	};
	return true;
}

uint32_t
loose_origins(struct loose *l, struct span name, uint32_t tag, uint32_t *origin, uint32_t room)
{
	const uint32_t *all = (const uint32_t *)(l->block + l->flat->tag);
	uint32_t        n = 0;

	for (uint32_t i = 0; i < l->flat->n; i++) {
		const struct loose_origin *o = origins_of(l, i);
		bool                       asked = false;
		for (uint32_t k = 0; k < l->pattern[i].n_origins; k++)
			asked |= all[o[k].nth] == tag;
		if (!asked || !matches(l, i, name))
			continue;
		for (uint32_t k = 0; k < l->pattern[i].n_origins; k++)
			if (all[o[k].nth] == tag) {
				if (n < room)
					origin[n] = o[k].origin;
				n++;
			}
	}
	return n;
}
