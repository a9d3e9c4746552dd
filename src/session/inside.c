/* SPDX-License-Identifier: MIT */
#include "session/inside.h"

#include <stdlib.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

struct inside *
inside_new(void)
{
	struct inside *in = calloc(1, sizeof *in);

	if (in)
		in->refs = 1;
	return in;
}

struct inside *
inside_ref(struct inside *in)
{
	in->refs++;
	return in;
}

void
inside_unref(struct inside *in)
{
	if (!in || --in->refs)
		return;
	profile_unref(in->profile);
	identity_unref(in->identity);
	free(in);
}

uint64_t
inside_ground(const struct inside *in, uint64_t generation)
{
	return XXH3_64bits_withSeed(&generation, sizeof generation, in->ground);
}

uint64_t
inside_own_ground(const struct inside *in)
{
	return XXH3_64bits_withSeed(&in->session, sizeof in->session, in->ground) | 1;
}

uint16_t
inside_version(const struct inside *in)
{
	return in->profile ? in->profile->version : 0;
}
