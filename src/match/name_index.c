/* SPDX-License-Identifier: MIT */
#include "match/name_index.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

void
name_key_init(struct name_key *k, const uint8_t key[16])
{
	uint64_t *word[] = {&k->start, &k->block, &k->label};

	/* a multiplier with few bits would mix badly; XXH3 makes good ones of any key, even of zeros */
	for (unsigned i = 0; i < 3; i++)
		*word[i] = XXH3_64bits_withSeed(key, 16, i + 1) | 1;
}

uint64_t
name_hash(const struct name_key *k, struct span name, uint64_t *family, unsigned *depth)
{
	struct name_words words;
	struct name_walk  w = name_walk_begin(&words, k, name);
	size_t            top, at;

	*family = name_walk_family(&w, &words, &top, &at) ? name_walk_hash(&w, &words, k, at) : 0;
	name_walk_whole(&w, &words);
	*depth = w.depth;
	return name_walk_hash(&w, &words, k, 0);
}
