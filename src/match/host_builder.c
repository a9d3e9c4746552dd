/* SPDX-License-Identifier: MIT */
/*
 * host_builder: gathers host patterns, then sorts them by the hash of their names, which is the order of the index's lines, and builds the
 * index that the look-up uses. Leaves the sets of tags and the writing to host_finish.
 */
#include "match/host_builder.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#define AHEAD 12 /* how far memory is fetched ahead of its use */

struct host_set_builder *
host_set_builder_new(const uint8_t key[16])
{
	struct host_set_builder *b = calloc(1, sizeof *b);

	if (!b)
		return NULL;
	name_key_init(&b->key, key);
	b->addrs = addr_set_builder_new();
	b->loose = loose_builder_new();
	if (!b->addrs || !b->loose) {
		host_set_builder_free(b);
		return NULL;
	}
	addr_set_builder_keep_apart(b->addrs);
	return b;
}

static void
unsettle(struct host_set_builder *b)
{
	free(b->order);
	free(b->node);
	free(b->line);
	free(b->family);
	free(b->heap);
	b->order = NULL;
	b->node = NULL;
	b->line = NULL;
	b->family = NULL;
	b->heap = NULL;
	b->n_nodes = 0;
	b->n_heap = 0;
	b->settled = false;
}

void
host_set_builder_free(struct host_set_builder *b)
{
	if (!b)
		return;
	unsettle(b);
	free(b->added);
	free(b->text);
	free(b->all);
	addr_set_builder_free(b->addrs);
	loose_builder_free(b->loose);
	free(b);
}

static bool
add_name(struct host_set_builder *b, const struct host_spec *s, uint32_t tag, uint32_t origin)
{
	const struct added *last = b->n_added ? &b->added[b->n_added - 1] : NULL;
	struct added        a = {.tag = tag, .origin = origin, .n = (uint8_t)s->n, .kind = (uint8_t)s->kind};
	unsigned            depth;

	if (!tag_grow(&b->added, &b->room_added, (size_t)b->n_added + 1, sizeof *b->added))
		return false;
	last = b->n_added ? &b->added[b->n_added - 1] : NULL;
	if (last && last->n == s->n && memcmp(b->text + last->text, s->text, s->n) == 0) {
		/* callers add one pattern for several tags in a row */
		a.hash = last->hash;
		a.family = last->family;
		a.text = last->text;
		a.depth = last->depth;
	} else {
		/* eight bytes of room beyond: names are loaded by words */
		if (!tag_grow(&b->text, &b->room_text, (size_t)b->n_text + s->n + 8, 1))
			return false;
		memcpy(b->text + b->n_text, s->text, s->n);
		a.text = b->n_text;
		a.hash = name_hash(&b->key, span_of(s->text, s->n), &a.family, &depth);
		a.depth = (uint8_t)depth;
		b->n_text += s->n;
	}
	b->added[b->n_added++] = a;
	return true;
}

bool
host_set_builder_add(struct host_set_builder *b, const struct host_spec *s, uint32_t tag, uint32_t origin, char why[HOST_SPEC_WHY])
{
	bool ok = false;

	unsettle(b);
	snprintf(why, HOST_SPEC_WHY, "out of memory");
	switch (s->kind) {
	case SPEC_EXACT:
	case SPEC_BELOW:
	case SPEC_TREE:
		assert(s->n > 0 && s->n <= HOSTNAME_MAX);
		ok = add_name(b, s, tag, origin);
		break;
	case SPEC_ALL:
		ok = tag_grow(&b->all, &b->room_all, (size_t)b->n_all + 1, sizeof *b->all);
		if (ok)
			b->all[b->n_all++] = (struct host_origin){.tag = tag, .origin = origin, .kind = SPEC_ALL};
		break;
	case SPEC_GLOB:
	case SPEC_REGEX:
		ok = loose_builder_add(b->loose, s, tag, origin, why);
		break;
	case SPEC_ADDR:
		ok = addr_set_builder_add(b->addrs, &s->cidr, tag, origin);
		break;
	}
	if (ok)
		why[0] = '\0';
	return ok;
}

struct key {
	uint64_t hash;
	uint32_t at;
};

static struct span
text_of(const struct host_set_builder *b, uint32_t at)
{
	return span_of(b->text + b->added[at].text, b->added[at].n);
}

/* Names in the order of length and bytes; in a crowd of one hash only. */
static int
compare_text(const struct host_set_builder *b, uint32_t x, uint32_t y)
{
	struct span s = text_of(b, x), t = text_of(b, y);

	if (b->added[x].text == b->added[y].text && s.n == t.n)
		return 0;
	return s.n != t.n ? (s.n > t.n) - (s.n < t.n) : memcmp(s.p, t.p, s.n);
}

/* Sort by the upper 33 bits in three rounds of counting; what they leave undecided is little and nearly in order: insertion settles it. Stable. */
static bool
sort_added(struct host_set_builder *b)
{
	size_t      n = b->n_added;
	struct key *from = calloc(n + 1, sizeof *from), *to = calloc(n + 1, sizeof *to), *swap;
	uint32_t    count[3][2048] = {0};
	bool        ok = from && to && (b->order = calloc(n + 1, sizeof *b->order));

	for (size_t i = 0; ok && i < n; i++) {
		uint64_t h = b->added[i].hash;
		from[i] = (struct key){h, (uint32_t)i};
		count[0][h >> 31 & 2047]++;
		count[1][h >> 42 & 2047]++;
		count[2][h >> 53]++;
	}
	for (unsigned round = 0; ok && round < 3; round++) {
		uint32_t at = 0;
		for (unsigned i = 0; i < 2048; i++) {
			uint32_t here = count[round][i];
			count[round][i] = at;
			at += here;
		}
		for (size_t i = 0; i < n; i++)
			to[count[round][from[i].hash >> (31 + 11 * round) & 2047]++] = from[i];
		swap = from;
		from = to;
		to = swap;
	}
	for (size_t i = 1; ok && i < n; i++) {
		struct key k = from[i];
		size_t     j = i;
		for (; j > 0 && (from[j - 1].hash > k.hash || (from[j - 1].hash == k.hash && compare_text(b, from[j - 1].at, k.at) > 0)); j--)
			from[j] = from[j - 1];
		from[j] = k;
	}
	for (size_t i = 0; ok && i < n; i++)
		b->order[i] = from[i].at;
	free(from);
	free(to);
	return ok;
}

/* Group equal names. */
static bool
make_nodes(struct host_set_builder *b)
{
	size_t bytes = NAME_HEAP_SPARE;

	b->node = calloc((size_t)b->n_added + 1, sizeof *b->node);
	if (!b->node)
		return false;
	for (uint32_t i = 0; i < b->n_added; i++) {
		struct added *a = &b->added[b->order[i]];
		if (i + AHEAD < b->n_added)
			__builtin_prefetch(&b->added[b->order[i + AHEAD]]);
		if (i && b->added[b->order[i - 1]].hash == a->hash && compare_text(b, b->order[i - 1], b->order[i]) == 0) {
			b->node[b->n_nodes - 1].n++;
			continue;
		}
		b->node[b->n_nodes++] = (struct node){.first = i, .n = 1, .parent = UINT32_MAX};
		bytes += sizeof(struct name_entry) + a->n;
		b->index.depths[(a->depth - 1) >> 6] |= (uint64_t)1 << ((a->depth - 1) & 63);
		if (a->depth > b->index.max_depth)
			b->index.max_depth = a->depth;
	}
	b->n_heap = bytes;
	return bytes <= UINT32_MAX;
}

/* Write the names side by side in the order of their hashes, and the lines beside them. */
static bool
fill_index(struct host_set_builder *b)
{
	struct name_entry *last = NULL;
	struct name_line  *line = NULL;
	uint64_t           n_lines = b->n_nodes / NAME_LOAD + 1, at_line = 0;
	uint32_t           at = 0;

	b->line = aligned_alloc(64, n_lines * sizeof *b->line);
	b->heap = malloc(b->n_heap);
	if (!b->line || !b->heap)
		return false;
	memset(b->heap + b->n_heap - NAME_HEAP_SPARE, 0, NAME_HEAP_SPARE);
	b->index.n_lines = n_lines;
	b->index.line = b->line;
	b->index.heap = b->heap;
	b->index.key = b->key;
	for (uint32_t i = 0; i < b->n_nodes; i++) {
		struct node        *n = &b->node[i];
		const struct added *a = host_builder_added(b, n, 0);
		uint64_t            to = name_line_of(&b->index, a->hash);
		unsigned            bucket = name_bucket_of(&b->index, a->hash);
		struct name_entry  *e = (struct name_entry *)(b->heap + at);

		if (i + AHEAD < b->n_nodes)
			__builtin_prefetch(b->text + host_builder_added(b, n + AHEAD, 0)->text);
		for (; !line || at_line <= to; at_line++) {
			line = &b->line[at_line];
			*line = (struct name_line){.heap = at, .node = i};
			memset(line->bucket, 0xff, sizeof line->bucket);
		}
		if (i - line->node > UINT8_MAX || at - line->heap >= NAME_NO_BUCKET)
			return false; /* hundreds of names on a line for twenty: no key does that */
		for (unsigned w = 0; w < 4; w++)
			line->filter[w] |= (uint64_t)1 << (a->hash >> (6 * w) & 63);
		*e = (struct name_entry){.value = NAME_LAST, .nth = (uint8_t)(i - line->node), .n = a->n};
		if (line->bucket[bucket] == NAME_NO_BUCKET)
			line->bucket[bucket] = (uint16_t)(at - line->heap);
		else
			last->value = 0;
		memcpy(e->text, b->text + a->text, a->n);
		n->entry = at;
		at += (uint32_t)sizeof *e + a->n;
		last = e;
	}
	for (; at_line < n_lines; at_line++) {
		b->line[at_line] = (struct name_line){.heap = at, .node = b->n_nodes};
		memset(b->line[at_line].bucket, 0xff, sizeof b->line[at_line].bucket);
	}
	return true;
}

static bool
fill_family(struct host_set_builder *b)
{
	b->index.n_family = (uint64_t)b->n_nodes * NAME_FAMILY_BITS / 64 + 1;
	b->family = calloc(b->index.n_family, sizeof *b->family);
	b->index.family = b->family;
	for (uint32_t i = 0; b->family && i < b->n_added; i++)
		if (b->added[i].depth >= NAME_FAMILY)
			b->family[name_family_word(&b->index, b->added[i].family)] |= name_family_bits(b->added[i].family);
	return b->family;
}

static void
find_parents(struct host_set_builder *b)
{
	for (uint32_t i = 0; i < b->n_nodes; i++) {
		const struct name_entry *e = (const struct name_entry *)(b->heap + b->node[i].entry);
		struct name_suffix       suffix;
		struct name_words        words;
		struct name_walk         w = name_search(&b->index, &words, span_of(e->text, e->n));

		name_walk_down(&w, &words);
		while (b->node[i].parent == UINT32_MAX && name_search_next(&b->index, &w, &words, &suffix)) {
			uint32_t up;
			if (name_find(&b->index, w.p, e->n, &suffix, &up))
				b->node[i].parent = up;
		}
	}
}

bool
host_builder_settle(struct host_set_builder *b)
{
	if (b->settled)
		return true;
	unsettle(b);
	b->index = (struct name_index){0};
	b->settled = sort_added(b) && make_nodes(b) && fill_index(b) && fill_family(b);
	if (!b->settled) {
		unsettle(b);
		return false;
	}
	find_parents(b);
	return true;
}
