/* SPDX-License-Identifier: MIT */
/*
 * regex: the plain patterns that say the same as a regex. Reads only what people write for want of knowing those: names with escaped dots, .* in them or
 * before them, several with | between. Everything else is OTHER.
 */
#include <stdio.h>
#include <string.h>

#include "lint/parts.h"
#include "match/host_spec.h"

struct writing {
	char  *out;
	size_t n;
	bool   nearly;
};

static bool
put(struct writing *w, char c)
{
	if (w->n + 2 > REGEX_PLAIN_MOST)
		return false;
	w->out[w->n++] = c;
	w->out[w->n] = '\0';
	return true;
}

static bool
skip(struct span *s, const char *text)
{
	size_t n = strlen(text);

	if (s->n < n || memcmp(s->p, text, n) != 0)
		return false;
	*s = span_of(s->p + n, s->n - n);
	return true;
}

/* The end of what stands before the next | outside of groups. */
static size_t
branch_end(struct span s)
{
	size_t depth = 0, i;

	for (i = 0; i < s.n && (depth || s.p[i] != '|'); i++) {
		if (s.p[i] == '\\' && i + 1 < s.n)
			i++;
		else if (s.p[i] == '(')
			depth++;
		else if (s.p[i] == ')' && depth)
			depth--;
	}
	return i;
}

/* (...) around all of it goes. */
static void
group_strip(struct span *s)
{
	size_t depth = 0;

	if (s->n < 2 || s->p[0] != '(' || s->p[s->n - 1] != ')')
		return;
	for (size_t i = 0; i < s->n; i++) {
		if (s->p[i] == '\\')
			i++;
		else if (s->p[i] == '(')
			depth++;
		else if (s->p[i] == ')' && --depth == 0 && i + 1 < s->n)
			return;
	}
	if (depth)
		return;
	*s = span_of(s->p + 1, s->n - 2);
	skip(s, "?:");
}

static bool
is_name_byte(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || c == '-' || c == '_';
}

/* Names and stars up to the end. */
static bool
body_write(struct writing *w, struct span s)
{
	while (s.n) {
		char c = ascii_lower(s.p[0]);
		if (skip(&s, "\\.") || skip(&s, "[.]"))
			c = '.';
		else if (skip(&s, "\\-"))
			c = '-';
		else if (skip(&s, ".*"))
			c = '*';
		else if (skip(&s, "."))
			w->nearly = true;
		else if (is_name_byte(c))
			s = span_of(s.p + 1, s.n - 1);
		else
			return false;
		/* what repeats the byte before is no part of a name */
		if ((s.n && memchr("*+?{", s.p[0], 4)) || !put(w, c))
			return false;
	}
	return true;
}

static bool
branch_write(struct writing *w, struct span s)
{
	static const char *const tree[] = {"(.*\\.)?", "(?:.*\\.)?", "(.+\\.)?", "(?:.+\\.)?", "(.*[.])?", "(^|.*\\.)", "(^|\\.)"};
	struct host_spec         spec;
	char                     why[HOST_SPEC_WHY];
	size_t                   from = w->n, i;

	skip(&s, "^");
	if (s.n && s.p[s.n - 1] == '$' && (s.n < 2 || s.p[s.n - 2] != '\\'))
		s.n--;
	for (i = 0; i + 1 < sizeof tree / sizeof *tree && !skip(&s, tree[i]); i++)
		;
	if (i + 1 < sizeof tree / sizeof *tree) {
		if (!put(w, '.'))
			return false;
	} else if (skip(&s, ".+\\.")) {
		if (!put(w, '*') || !put(w, '.'))
			return false;
	}
	if (!s.n || (s.p[0] == '\\' && s.n > 1 && s.p[1] == '.') || !body_write(w, s) || w->out[w->n - 1] == '.')
		return false;
	if (w->out[from] == '.' && memchr(w->out + from, '*', w->n - from))
		return false;
	if (!host_spec_parse(span_of(w->out + from, w->n - from), &spec, why))
		return false;
	return spec.kind != SPEC_ADDR && spec.kind != SPEC_REGEX && spec.scheme == SCHEME_NONE && spec.port == 0;
}

enum likeness
regex_plain(struct span regex, char out[REGEX_PLAIN_MOST])
{
	struct writing w = {.out = out};

	out[0] = '\0';
	skip(&regex, "^");
	if (regex.n > 1 && regex.p[regex.n - 1] == '$' && regex.p[regex.n - 2] == ')')
		regex.n--;
	group_strip(&regex);
	for (;;) {
		size_t end = branch_end(regex);
		if (!branch_write(&w, span_of(regex.p, end)))
			return REGEX_OTHER;
		if (end == regex.n)
			return w.nearly ? REGEX_NEARLY : REGEX_SAME;
		regex = span_of(regex.p + end + 1, regex.n - end - 1);
		if (!put(&w, ' '))
			return REGEX_OTHER;
	}
}
