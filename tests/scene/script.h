/* SPDX-License-Identifier: MIT */
/*
 * script: the words and bytes of one line of a .scene file.
 */
#ifndef POSTERN_TESTS_SCRIPT_H
#define POSTERN_TESTS_SCRIPT_H

#include <stdbool.h>
#include <stddef.h>

#include "fake_net.h"

#define WORDS_MAX 64

/* A word as it stands, or text that was quoted, repeated or made (owned by the line). */
struct word {
	bool        is_text;
	struct span s; /* words end with a NUL */
};

struct step {
	struct word  word[WORDS_MAX];
	unsigned     n;
	struct bytes store;
};

/* Cut `text` up. Null, or what is wrong with it. */
const char *step_read(struct step *l, const char *text);
void        step_clear(struct step *l);

static inline const char *
step_word(const struct step *l, unsigned i)
{
	return i < l->n && !l->word[i].is_text ? l->word[i].s.p : "";
}

/* The bytes that the words from `at` on mean, put into `out`: texts one after the other; after the word `head` each text is a line of a head, ended by an
 * empty one before the word `body` or the end. Null, or what is wrong. `*pieces` (if not null): the N of a last `in pieces of N`, else 0. */
const char *step_bytes(const struct step *l, unsigned at, struct bytes *out, unsigned *pieces);

/* hello(NAME alpn=A,B ech size=N records=N): a TLS ClientHello in which NAME (may be absent) is the server name, padded to at least `size` bytes, cut into
 * records of `records` bytes. Null, or what is wrong. */
const char *hello_make(const char *words, struct bytes *out);

#endif
