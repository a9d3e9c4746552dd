/* SPDX-License-Identifier: MIT */
#include "match/glob.h"

/* Cut what stands before the next '*' off the front of `glob`. False: no star is left, *piece is the rest. */
static bool
next_piece(struct span *glob, struct span *piece)
{
	const char *star = glob->n ? memchr(glob->p, '*', glob->n) : NULL;

	*piece = *glob;
	if (!star)
		return false;
	piece->n = (size_t)(star - glob->p);
	*glob = span_of(star + 1, glob->n - piece->n - 1);
	return true;
}

static bool
ends_with(struct span name, struct span piece)
{
	return name.n >= piece.n && span_eq(span_of(name.p + name.n - piece.n, piece.n), piece);
}

bool
glob_matches(struct span glob, struct span name)
{
	struct span piece;

	if (!next_piece(&glob, &piece))
		return span_eq(piece, name);
	if (name.n < piece.n || !span_eq(span_of(name.p, piece.n), piece))
		return false;
	name = span_of(name.p + piece.n, name.n - piece.n);
	/* the leftmost place of each inner piece leaves most room for those after it, so the first that fits is right */
	while (next_piece(&glob, &piece)) {
		const char *at = piece.n ? memmem(name.p, name.n, piece.p, piece.n) : name.p;
		if (!at)
			return false;
		name.n -= (size_t)(at - name.p) + piece.n;
		name.p = at + piece.n;
	}
	return ends_with(name, piece);
}
