/* SPDX-License-Identifier: MIT */
/*
 * loose_builder: gathers globs and regexes, each once however many tags it has, picks a few bytes of each one's literal for the search,
 * and writes all into the flat block.
 */
#include <stdio.h>
#include <stdlib.h>

#include "match/glob.h"
#include "match/loose_flat.h"
#include "match/pattern.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#define FIRST_SLOTS 64

struct item {
	enum host_spec_kind kind;
	uint32_t            text, n; /* in the builder's text */
	struct pattern     *pattern; /* SPEC_REGEX; owned */
	uint32_t            n_own;   /* how many tags and origins it has */
};

struct own {
	uint32_t item, tag, origin;
};

/* One literal of an item; of those that follow each other with one `branch`, only the rarest is kept. */
struct literal {
	uint32_t item;
	uint32_t branch;
	uint32_t text;
	uint8_t  n;
	uint8_t  gram; /* which of its bytes are searched for */
};

struct loose_builder {
	struct item    *item;
	uint32_t        n, room;
	struct own     *own; /* as they came */
	uint32_t        n_own, room_own;
	char           *text;
	uint32_t        n_text, room_text;
	uint32_t       *slot; /* hash table of items: number + 1, 0 free */
	uint32_t        n_slots;
	struct literal *literal;
	uint32_t        n_literals, room_literals;
	uint32_t       *always; /* items that are tried on every name */
	uint32_t        n_always, room_always;
};

struct loose_builder *
loose_builder_new(void)
{
	return calloc(1, sizeof(struct loose_builder));
}

void
loose_builder_free(struct loose_builder *b)
{
	if (!b)
		return;
	for (uint32_t i = 0; i < b->n; i++)
		pattern_free(b->item[i].pattern);
	free(b->item);
	free(b->own);
	free(b->text);
	free(b->slot);
	free(b->literal);
	free(b->always);
	free(b);
}

static struct span
text_of(const struct loose_builder *b, const struct item *i)
{
	return span_of(b->text + i->text, i->n);
}

static uint32_t *
find_slot(const struct loose_builder *b, enum host_spec_kind kind, struct span text)
{
	uint32_t mask = b->n_slots - 1;

	for (uint32_t i = (uint32_t)XXH3_64bits_withSeed(text.p, text.n, kind) & mask;; i = (i + 1) & mask) {
		const struct item *item = b->slot[i] ? &b->item[b->slot[i] - 1] : NULL;
		if (!item || (item->kind == kind && span_eq(text_of(b, item), text)))
			return &b->slot[i];
	}
}

static bool
grow_slots(struct loose_builder *b)
{
	uint32_t *old = b->slot, n = b->n_slots ? b->n_slots * 2 : FIRST_SLOTS;

	if (b->n_slots > b->n * 2)
		return true;
	b->slot = calloc(n, sizeof *b->slot);
	if (!b->slot) {
		b->slot = old;
		return false;
	}
	free(old);
	b->n_slots = n;
	for (uint32_t i = 0; i < b->n; i++)
		*find_slot(b, b->item[i].kind, text_of(b, &b->item[i])) = i + 1;
	return true;
}

static bool
put_text(struct loose_builder *b, struct span s, uint32_t *at)
{
	if (!tag_grow(&b->text, &b->room_text, (size_t)b->n_text + s.n + 1, 1))
		return false;
	memcpy(b->text + b->n_text, s.p, s.n);
	*at = b->n_text;
	b->n_text += (uint32_t)s.n;
	return true;
}

/* False: out of memory or no regex; *why is set only for the latter. */
static bool
new_item(struct loose_builder *b, enum host_spec_kind kind, struct span text, char why[HOST_SPEC_WHY])
{
	struct item i = {.kind = kind, .n = (uint32_t)text.n};

	if (!tag_grow(&b->item, &b->room, (size_t)b->n + 1, sizeof *b->item) || !put_text(b, text, &i.text))
		return false;
	if (kind == SPEC_REGEX) {
		i.pattern = pattern_new(PATTERN_NAME, text, why);
		if (!i.pattern)
			return false;
	}
	b->item[b->n++] = i;
	return true;
}

bool
loose_builder_add(struct loose_builder *b, const struct host_spec *s, uint32_t tag, uint32_t origin, char why[HOST_SPEC_WHY])
{
	struct span text = s->kind == SPEC_REGEX ? s->regex : span_of(s->text, s->n);
	uint32_t   *slot;

	if (!grow_slots(b) || !tag_grow(&b->own, &b->room_own, (size_t)b->n_own + 1, sizeof *b->own))
		return false;
	slot = find_slot(b, s->kind, text);
	if (!*slot) {
		if (!new_item(b, s->kind, text, why))
			return false;
		*slot = b->n;
	}
	b->own[b->n_own++] = (struct own){*slot - 1, tag, origin};
	b->item[*slot - 1].n_own++;
	return true;
}

static bool
put_runs(struct loose_builder *b, uint32_t item, uint32_t branch, const struct loose_runs *r)
{
	for (unsigned i = 0; i < r->n; i++) {
		struct literal l = {.item = item, .branch = branch, .n = r->run[i].n};
		if (!put_text(b, span_of(r->text + r->run[i].at, r->run[i].n), &l.text) ||
		    !tag_grow(&b->literal, &b->room_literals, (size_t)b->n_literals + 1, sizeof *b->literal))
			return false;
		b->literal[b->n_literals++] = l;
	}
	return true;
}

/* The literals of an item, one for each branch at least; an item of which one branch has none is always tried. */
static bool
take_literals(struct loose_builder *b, uint32_t i, uint32_t *branch)
{
	uint32_t          before = b->n_literals;
	struct loose_runs runs;
	size_t            at = 0;
	bool              sure = true;

	if (b->item[i].kind == SPEC_GLOB) {
		sure = loose_glob_runs(text_of(b, &b->item[i]), &runs);
		if (sure && !put_runs(b, i, (*branch)++, &runs))
			return false;
	} else {
		while (sure && loose_regex_runs(text_of(b, &b->item[i]), &at, &runs)) {
			sure = runs.n > 0;
			if (!put_runs(b, i, (*branch)++, &runs))
				return false;
		}
	}
	if (sure)
		return true;
	b->n_literals = before;
	if (!tag_grow(&b->always, &b->room_always, (size_t)b->n_always + 1, sizeof *b->always))
		return false;
	b->always[b->n_always++] = i;
	return true;
}

static uint32_t *
count_of(const struct loose_builder *b, uint32_t *count, const struct literal *l, unsigned at)
{
	return &count[loose_gram_hash(loose_gram(b->text + l->text + at, loose_gram_size(l->n))) >> (32 - LOOSE_COUNT_BITS)];
}

/* Choose the gram of `l` that fewest literals hold; returns how many. */
static uint32_t
choose_gram(const struct loose_builder *b, uint32_t *count, struct literal *l)
{
	uint32_t least = UINT32_MAX;

	for (unsigned at = 0; at + loose_gram_size(l->n) <= l->n; at++)
		if (*count_of(b, count, l, at) < least) {
			least = *count_of(b, count, l, at);
			l->gram = (uint8_t)at;
		}
	return least;
}

/* Of each branch keep one literal: a long gram before a short one, then the rarest, so that a common ending does not wake all patterns. */
static bool
choose_literals(struct loose_builder *b)
{
	uint32_t *count = calloc(LOOSE_COUNTS, sizeof *count), kept = 0, least = 0;

	if (!count)
		return false;
	for (uint32_t i = 0; i < b->n_literals; i++)
		for (unsigned at = 0; at + loose_gram_size(b->literal[i].n) <= b->literal[i].n; at++)
			++*count_of(b, count, &b->literal[i], at);
	for (uint32_t i = 0; i < b->n_literals; i++) {
		struct literal *l = &b->literal[i], *best = kept ? &b->literal[kept - 1] : NULL;
		uint32_t        n = choose_gram(b, count, l);
		unsigned        size = loose_gram_size(l->n);
		if (!best || best->branch != l->branch)
			best = &b->literal[kept++];
		else if (size < loose_gram_size(best->n) || (size == loose_gram_size(best->n) && n >= least))
			continue;
		*best = *l;
		least = n;
	}
	b->n_literals = kept;
	free(count);
	return true;
}

/* The table of all grams of `g` bytes; 0 with *ok true when there is none. */
static uint32_t
write_grams(struct loose_builder *b, struct flat *f, unsigned g, bool *ok)
{
	struct loose_grams t = {.shift = 32};
	uint32_t           n = 0, off = 0, *edge = NULL;
	uint64_t          *filter = NULL;
	struct loose_word *word = NULL;

	for (uint32_t i = 0; i < b->n_literals; i++)
		n += loose_gram_size(b->literal[i].n) == g;
	if (!n)
		return 0;
	while (t.shift > 16 && ((uint32_t)1 << (32 - t.shift)) < n)
		t.shift--;
	edge = calloc(((size_t)1 << (32 - t.shift)) + 1, sizeof *edge);
	filter = calloc(((size_t)1 << (32 - t.shift)) * LOOSE_FILTER_BITS / 64 + 1, sizeof *filter);
	word = calloc(n, sizeof *word);
	*ok = edge && filter && word;
	/* count, add up, fill from the back */
	for (unsigned round = 0; *ok && round < 2; round++) {
		for (uint32_t i = 0; i < b->n_literals; i++) {
			const struct literal *l = &b->literal[i];
			uint32_t              gram, hash, bit;
			if (loose_gram_size(l->n) != g)
				continue;
			gram = loose_gram(b->text + l->text + l->gram, g);
			hash = loose_gram_hash(gram);
			bit = loose_filter_bit(hash, t.shift);
			filter[bit >> 6] |= (uint64_t)1 << (bit & 63);
			if (round == 0)
				edge[loose_bucket(hash, t.shift)]++;
			else
				word[--edge[loose_bucket(hash, t.shift)]] = (struct loose_word){gram, l->item, l->text, l->n, l->gram};
		}
		for (uint32_t i = 1; round == 0 && i <= (uint32_t)1 << (32 - t.shift); i++)
			edge[i] += edge[i - 1];
	}
	if (*ok) {
		off = flat_add(f, NULL, sizeof t, 8);
		t.filter = flat_add(f, filter, (((size_t)1 << (32 - t.shift)) * LOOSE_FILTER_BITS / 64 + 1) * sizeof *filter, 8);
		t.edge = flat_add(f, edge, (((size_t)1 << (32 - t.shift)) + 1) * sizeof *edge, 4);
		t.word = flat_add(f, word, n * sizeof *word, 4);
		*ok = off && t.filter && t.edge && t.word;
	}
	if (*ok)
		memcpy(flat_at(f, off), &t, sizeof t);
	free(edge);
	free(filter);
	free(word);
	return off;
}

/* The distinct tags, ascending, and for each item its origins; a tag is kept as its place among the distinct ones too. */
static bool
write_own(struct loose_builder *b, struct flat *f, struct loose_flat *out)
{
	uint32_t             *tag = calloc((size_t)b->n_own + 1, sizeof *tag), *next = calloc((size_t)b->n + 1, sizeof *next), at = 0;
	struct loose_origin  *origin = calloc((size_t)b->n_own + 1, sizeof *origin);
	struct loose_pattern *p = calloc((size_t)b->n + 1, sizeof *p);
	bool                  ok = tag && next && origin && p;

	for (uint32_t i = 0; ok && i < b->n_own; i++)
		tag[i] = b->own[i].tag;
	if (ok)
		out->n_tags = tag_sort_unique(tag, b->n_own);
	for (uint32_t i = 0, code = 0; ok && i < b->n; i++) {
		const struct item *item = &b->item[i];
		p[i] = (struct loose_pattern){item->kind, item->text, item->n, item->kind == SPEC_REGEX ? code++ : 0, at, item->n_own};
		next[i] = at;
		at += item->n_own;
	}
	for (uint32_t i = 0; ok && i < b->n_own; i++) {
		uint32_t low = 0, high = out->n_tags;
		while (high - low > 1) {
			uint32_t mid = low + (high - low) / 2;
			if (tag[mid] <= b->own[i].tag)
				low = mid;
			else
				high = mid;
		}
		origin[next[b->own[i].item]++] = (struct loose_origin){low, b->own[i].origin};
	}
	if (ok) {
		out->tag = flat_add(f, tag, out->n_tags * sizeof *tag, 4);
		out->origin = flat_add(f, origin, b->n_own * sizeof *origin, 4);
		out->pattern = flat_add(f, p, b->n * sizeof *p, 4);
		out->n = b->n;
		ok = out->tag && out->origin && out->pattern;
	}
	free(tag);
	free(next);
	free(origin);
	free(p);
	return ok;
}

static bool
write_codes(struct loose_builder *b, struct flat *f, struct loose_flat *out)
{
	struct pattern **list = calloc((size_t)b->n + 1, sizeof *list);

	if (!list)
		return false;
	for (uint32_t i = 0; i < b->n; i++)
		if (b->item[i].pattern)
			list[out->n_codes++] = b->item[i].pattern;
	out->codes = out->n_codes ? pattern_write(list, out->n_codes, f, &out->n_code_bytes) : flat_add(f, NULL, 0, 1);
	free(list);
	return out->codes;
}

bool
loose_builder_write(struct loose_builder *b, struct flat *f, struct loose_flat *out)
{
	uint32_t branch = 0;
	bool     ok = true;

	*out = (struct loose_flat){0};
	b->n_literals = b->n_always = 0;
	for (uint32_t i = 0; i < b->n; i++)
		if (!take_literals(b, i, &branch))
			return false;
	if (!choose_literals(b) || !write_own(b, f, out) || !write_codes(b, f, out))
		return false;
	out->gram[0] = write_grams(b, f, LOOSE_SHORT, &ok);
	out->gram[1] = ok ? write_grams(b, f, LOOSE_LONG, &ok) : 0;
	out->text = flat_add(f, b->text, b->n_text, 1);
	out->n_text = b->n_text;
	out->always = flat_add(f, b->always, b->n_always * sizeof *b->always, 4);
	out->n_always = b->n_always;
	return ok && out->text && out->always;
}

static int
own_compare(const void *a, const void *b)
{
	const struct own *x = a, *y = b;

	if (x->item != y->item)
		return x->item < y->item ? -1 : 1;
	if (x->tag != y->tag)
		return x->tag < y->tag ? -1 : 1;
	return (x->origin > y->origin) - (x->origin < y->origin);
}

bool
loose_builder_repeats(const struct loose_builder *b, void (*each)(void *arg, uint32_t tag, uint32_t origin, uint32_t by_origin), void *arg)
{
	struct own *own = calloc((size_t)b->n_own + 1, sizeof *own);

	if (!own)
		return false;
	if (b->n_own)
		memcpy(own, b->own, b->n_own * sizeof *own);
	qsort(own, b->n_own, sizeof *own, own_compare);
	for (uint32_t i = 1, first = 0; i < b->n_own; i++) {
		if (own[i].item == own[first].item && own[i].tag == own[first].tag)
			each(arg, own[i].tag, own[i].origin, own[first].origin);
		else
			first = i;
	}
	free(own);
	return true;
}

bool
loose_builder_glob_covers(const struct loose_builder *b, struct span name, uint32_t tag, uint32_t *origin)
{
	for (uint32_t i = 0; i < b->n_own; i++) {
		const struct item *item = &b->item[b->own[i].item];
		if (b->own[i].tag != tag || item->kind != SPEC_GLOB || !glob_matches(text_of(b, item), name))
			continue;
		*origin = b->own[i].origin;
		return true;
	}
	return false;
}

uint32_t
loose_builder_globs(const struct loose_builder *b)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < b->n_own; i++)
		n += b->item[b->own[i].item].kind == SPEC_GLOB;
	return n;
}

void
loose_builder_each(const struct loose_builder *b, void (*each)(void *arg, uint32_t tag, uint32_t origin), void *arg)
{
	for (uint32_t i = 0; i < b->n_own; i++)
		each(arg, b->own[i].tag, b->own[i].origin);
}
