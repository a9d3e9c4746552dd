/* SPDX-License-Identifier: MIT */
/*
 * squid: Squid's configuration as rules and lists of ours.
 * Reads squid.conf with all that it includes, or a bare file of domains; says what it means in an ini and list files; and notes by file and line what cannot be
 * said. Prints nothing. What Squid does with each directive: import/README.
 * Always true: access is never made wider without a note of SQUID_WIDER. An allow line that is not understood is left out. What stands in the ini was spelt
 * here, from values that were understood; nothing of the input is copied into it but names and regular expressions whose bytes were judged one by one.
 */
#ifndef POSTERN_IMPORT_SQUID_H
#define POSTERN_IMPORT_SQUID_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>

#include "base/span.h"

struct squid;

enum squid_note_kind {
	SQUID_WIDER,     /* a refusal, or a part of one, could not be said: more is let through than by Squid */
	SQUID_NARROWER,  /* a permission, or a part of one, could not be said: less is let through */
	SQUID_DIFFERS,   /* who may go where is the same, something else is not */
	SQUID_TODO,      /* for a person to do, before or after the first start */
	SQUID_UNNEEDED,  /* what has no meaning here: there is no cache, no helper ... */
	SQUID_NOTE_KINDS
};

struct squid_note {
	enum squid_note_kind kind;
	const char          *file; /* as named; "" of what has no place */
	uint32_t             line;
	struct span          said, text; /* the line of the input, cut; why, and what would do instead. Outside text */
};

struct squid_totals {
	size_t files, lines, acls, accesses, rules, lists, entries;
};

struct squid *squid_new(void); /* NULL: no memory */
void          squid_free(struct squid *s);
/* Read the file and what it names. False: it cannot be read, or something is too large; squid_why says what. `now`: the time that list files bear. */
bool squid_load(struct squid *s, const char *path, time_t now);
/* The same of bytes; no other file is opened. */
bool        squid_load_bytes(struct squid *s, const char *name, struct span bytes, time_t now);
const char *squid_why(const struct squid *s);
/* Is it a file of domains and nothing else? */
bool squid_is_bare(const struct squid *s);

/* After a load. */
size_t                   squid_notes(const struct squid *s);
const struct squid_note *squid_note_at(const struct squid *s, size_t i); /* in the order of the input */
struct squid_totals      squid_count(const struct squid *s);
const char              *squid_note_word(enum squid_note_kind kind); /* "wider" ... */

/* The ini. With `list_folder` lists that came from files are named as LIST_FOLDER/NAME.list, to be written by squid_write_list; NULL: all in the ini. */
void   squid_write_ini(struct squid *s, FILE *to, const char *list_folder);
size_t squid_list_files(const struct squid *s);
const char *squid_list_name(const struct squid *s, size_t i); /* NAME: letters, digits, dots, hyphens and underscores */
void   squid_write_list(struct squid *s, size_t i, FILE *to);

#endif
