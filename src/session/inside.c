/* SPDX-License-Identifier: MIT */
#include "session/inside.h"

#include <stdlib.h>

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
