/* SPDX-License-Identifier: MIT */
#include "conf/line.h"

#include <stdio.h>

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static struct span
trim(struct span s)
{
	while (s.n && is_blank(s.p[0]))
		s = span_of(s.p + 1, s.n - 1);
	while (s.n && is_blank(s.p[s.n - 1]))
		s.n--;
	return s;
}

static void
bad(struct line *out, const char *why)
{
	out->kind = LINE_BAD;
	snprintf(out->why, sizeof out->why, "%s", why);
}

/* Where the text of the line ends and its comment begins. Quotes count in values only: from the first '=' of a key line, at once in a
 * continuation. A quote opens where an item can begin. False: a quote is open at the end. */
static bool
find_comment(struct span s, bool in_value, bool is_head, size_t *end)
{
	bool quoted = false, item_start = true;

	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];
		if (quoted) {
			quoted = c != '"';
			continue;
		}
		if (c == ';' && (i == 0 || is_blank(s.p[i - 1]))) {
			*end = i;
			return true;
		}
		quoted = in_value && item_start && c == '"';
		item_start = is_blank(c) || c == ',' || (item_start && c == '!');
		if (c == '=' && !in_value && !is_head)
			in_value = item_start = true;
	}
	*end = s.n;
	return !quoted;
}

/* An indented "[...]" is a section head that inih would take for an item, unless it can be an address item: [::1]:3128, [2001:db8::1]. */
static bool
looks_like_section(struct span s)
{
	if (s.p[0] != '[' || s.p[s.n - 1] != ']')
		return false;
	s = trim(span_of(s.p + 1, s.n - 2));
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] == ':')
			return false;
	return true;
}

static void
read_section(struct line *out, struct span s)
{
	const char *close = memchr(s.p, ']', s.n);
	struct span in;
	size_t      n = 0;

	if (!close) {
		bad(out, "the section head has no \"]\"; write [WORD] or [WORD NAME]");
		return;
	}
	if (close != s.p + s.n - 1) {
		bad(out, "text after the \"]\" of a section head; put it on a line of its own, or after a blank and \";\"");
		return;
	}
	in = trim(span_of(s.p + 1, s.n - 2));
	while (n < in.n && !is_blank(in.p[n]))
		n++;
	out->kind = LINE_SECTION;
	out->word = span_of(in.p, n);
	out->name = trim(span_of(in.p + n, in.n - n));
}

static void
read_key(struct line *out, struct span s)
{
	size_t n = strcspn(s.p, "=:"); /* out->text ends in a NUL */

	if (n >= s.n)
		bad(out, "there is no \"=\"; write KEY = VALUE, or indent the line to continue the list above");
	else if (s.p[n] == ':')
		bad(out, "there is no \"=\" before the \":\"; write KEY = VALUE, or indent the line to continue the list above");
	else if (n == 0)
		bad(out, "nothing stands before the \"=\"; write KEY = VALUE");
	else
		out->kind = LINE_KEY;
}

/* The text as inih gets it: one blank for the indentation, and no ';' that it would take for a comment. Those that are left are in quotes. */
static void
put_text(struct line *out, struct span s)
{
	char *to = out->text;

	if (out->indented)
		*to++ = ' ';
	for (size_t i = 0; i < s.n; i++)
		*to++ = s.p[i] == ';' && i && is_blank(s.p[i - 1]) ? LINE_SEMICOLON : s.p[i];
	*to++ = '\n';
	*to = '\0';
}

/* Which bytes no line may hold. NULL: none of them is there. */
static const char *
find_odd_byte(struct span s)
{
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];
		if (c == 0)
			return "the line holds a NUL byte; is this a text file?";
		if ((c < 0x20 && c != '\t') || c == 0x7f)
			return "the line holds a control byte; remove it";
	}
	return NULL;
}

void
line_read(struct span raw, bool is_first, struct line *out)
{
	const char *odd;
	size_t      end;
	struct span s;

	out->kind = LINE_BLANK;
	out->indented = out->is_head = false;
	out->why[0] = '\0';
	if (is_first)
		raw = span_unmarked(raw);
	if (raw.n && raw.p[raw.n - 1] == '\r')
		raw.n--;
	odd = find_odd_byte(raw);
	if (odd) {
		bad(out, odd);
		return;
	}
	out->indented = raw.n && is_blank(raw.p[0]);
	s = trim(raw);
	if (s.n == 0 || s.p[0] == ';' || s.p[0] == '#')
		return;
	out->is_head = !out->indented && s.p[0] == '[';
	if (!find_comment(s, out->indented, out->is_head, &end)) {
		bad(out, "the quote is not closed; close it on the same line");
		return;
	}
	s = trim(span_of(s.p, end));
	if (s.n > LINE_TEXT_MAX - (size_t)out->indented) {
		bad(out, "line longer than 198 bytes; continue it on an indented next line");
		return;
	}
	put_text(out, s);
	s.p = out->text + out->indented;
	if (out->indented && looks_like_section(s)) {
		out->is_head = true;
		snprintf(out->why, sizeof out->why, "the section head is indented; begin it at the start of the line");
	}
	if (out->is_head)
		read_section(out, s);
	else if (out->indented)
		out->kind = LINE_MORE;
	else
		read_key(out, s);
}
