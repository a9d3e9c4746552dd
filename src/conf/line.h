/* SPDX-License-Identifier: MIT */
/*
 * line: judges one raw line of an ini file before inih sees it, and makes of it what inih reads rightly.
 * Debian's inih takes 199 bytes for each line, reads an indented [section] as a continuation, cuts comments inside quotes, stops at a NUL and
 * takes ':' for '='. Such lines are found here. Comments are removed; a ';' inside quotes is passed through inih as LINE_SEMICOLON.
 * Pure. Leaves the names of sections and keys to option.
 */
#ifndef POSTERN_CONF_LINE_H
#define POSTERN_CONF_LINE_H

#include <stdbool.h>

#include "base/span.h"

#define LINE_TEXT_MAX  198 /* without the newline */
#define LINE_SEMICOLON '\001'
#define LINE_WHY       120

enum line_kind { LINE_BLANK, LINE_SECTION, LINE_KEY, LINE_MORE /* continues the value before it */, LINE_BAD };

struct line {
	enum line_kind kind;
	bool           indented, is_head; /* is_head: a section head, also a BAD one */
	char           text[LINE_TEXT_MAX + 2]; /* for inih: SECTION, KEY, MORE; with a newline and a NUL */
	struct span    word, name;              /* SECTION: [word name], into text; name may be empty */
	char           why[LINE_WHY];           /* what is wrong, what would be right: of BAD, and of an indented SECTION; else empty */
};

/* `raw`: without its newline; a CR before it is dropped. `is_first`: a byte order mark may stand there. */
void line_read(struct span raw, bool is_first, struct line *out);

#endif
