/* SPDX-License-Identifier: MIT */
/*
 * squid_regex: POSIX extended regular expressions, as glibc reads them for Squid, in the spelling of PCRE2. Compiles nothing: what is spelt here is
 * compiled by the check of the configuration, under its bounds.
 * Always true: what comes out is printable ASCII without quotes, and finds exactly what the input finds in a text of one line.
 */
#include "import/squid_inside.h"

struct convert {
	struct span in;
	size_t      at, n;
	char       *out;
	const char *why;
};

static void
put(struct convert *c, const char *s)
{
	size_t n = strlen(s);

	memcpy(c->out + c->n, s, n);
	c->n += n;
}

static void
put_char(struct convert *c, char x)
{
	c->out[c->n++] = x;
}

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool
is_alnum(char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* A backslash and what follows it, outside of brackets. */
static bool
escape(struct convert *c)
{
	char x;

	if (c->at + 1 >= c->in.n) {
		c->why = "a backslash stands at its end";
		return false;
	}
	x = c->in.p[++c->at];
	c->at++;
	if (memchr("wWsSbB", x, 6) || (x >= '1' && x <= '9')) {
		put_char(c, '\\');
		put_char(c, x);
	} else if (x == '<') {
		put(c, "\\b(?=\\w)");
	} else if (x == '>') {
		put(c, "\\b(?<=\\w)");
	} else if (x == '`') {
		put(c, "\\A");
	} else if (x == '\'') {
		put(c, "\\z");
	} else if (is_alnum(x)) {
		put_char(c, x); /* \d is the letter d there */
	} else if (x == '"') {
		put(c, "\\x22");
	} else {
		put_char(c, '\\');
		put_char(c, x);
	}
	return true;
}

/* [...]: a backslash is a backslash. */
static bool
bracket(struct convert *c)
{
	put_char(c, '[');
	c->at++;
	if (c->at < c->in.n && c->in.p[c->at] == '^') {
		put_char(c, '^');
		c->at++;
	}
	for (bool first = true; c->at < c->in.n; first = false) {
		char x = c->in.p[c->at++];
		if (x == ']' && !first) {
			put_char(c, ']');
			return true;
		}
		if (x == '[' && c->at < c->in.n && memchr(".=:", c->in.p[c->at], 3)) {
			static const char *const classes[] = {"alpha", "digit", "alnum", "upper", "lower", "space", "blank", "punct", "print", "graph", "cntrl", "xdigit"};
			struct span rest = span_of(c->in.p + c->at, c->in.n - c->at);
			bool        known = false;
			for (size_t i = 0; i < sizeof classes / sizeof *classes && !known; i++) {
				size_t n = strlen(classes[i]);
				known = rest.p[0] == ':' && rest.n >= n + 3 && memcmp(rest.p + 1, classes[i], n) == 0 && memcmp(rest.p + 1 + n, ":]", 2) == 0;
				if (known) {
					put(c, "[:");
					put(c, classes[i]);
					put(c, ":]");
					c->at += n + 3;
				}
			}
			if (!known) {
				c->why = "a class in brackets is not known here";
				return false;
			}
		} else if (x == '\\' || x == '[' || (x == ']' && first)) {
			put_char(c, '\\');
			put_char(c, x);
		} else if (x == '"') {
			put(c, "\\x22");
		} else {
			put_char(c, x);
		}
	}
	c->why = "a bracket is not closed";
	return false;
}

/* {n}, {n,}, {n,m} */
static bool
interval(struct convert *c)
{
	size_t from = c->at++;
	size_t digits = 0;

	while (c->at < c->in.n && is_digit(c->in.p[c->at]) && digits < 4)
		c->at++, digits++;
	if (digits && c->at < c->in.n && c->in.p[c->at] == ',')
		for (c->at++; c->at < c->in.n && is_digit(c->in.p[c->at]) && digits < 8;)
			c->at++, digits++;
	if (!digits || c->at >= c->in.n || c->in.p[c->at] != '}') {
		c->why = "a brace is no repetition";
		return false;
	}
	c->at++;
	memcpy(c->out + c->n, c->in.p + from, c->at - from);
	c->n += c->at - from;
	return true;
}

/* A repetition of what stands before it; a second one is said where it means nothing else than the two. */
static bool
repeat(struct convert *c)
{
	char x = c->in.p[c->at], y;

	if (x == '{') {
		if (!interval(c))
			return false;
	} else {
		y = c->at + 1 < c->in.n ? c->in.p[c->at + 1] : '\0';
		c->at++;
		if (y == '?' || (y == '*' && x == '*')) { /* x*? is (x*)?, which is x*; (x+)? is x* too */
			put_char(c, x == '?' ? '?' : '*');
			c->at++;
		} else {
			put_char(c, x);
		}
	}
	if (c->at < c->in.n && memchr("*+?{", c->in.p[c->at], 4)) {
		c->why = "one repetition follows another";
		return false;
	}
	return true;
}

bool
squid_regex_convert(struct span in, char *out, size_t *n, const char **why)
{
	struct convert c = {.in = in, .out = out};
	bool           may_repeat = false;
	unsigned       depth = 0;

	*why = "it is empty";
	if (in.n == 0)
		return false;
	for (size_t i = 0; i < in.n; i++)
		if (in.p[i] < 0x20 || in.p[i] > 0x7e) {
			*why = "it holds bytes that are no printable ASCII";
			return false;
		}
	while (c.at < in.n && !c.why) {
		char x = in.p[c.at];
		if (memchr("*+?{", x, 4)) {
			if (!may_repeat)
				c.why = "a repetition has nothing before it";
			else
				repeat(&c);
			may_repeat = false;
			continue;
		}
		may_repeat = !memchr("(|^$", x, 4);
		if (x == '\\') {
			escape(&c);
		} else if (x == '[') {
			bracket(&c);
		} else {
			depth += x == '(';
			if (x == ')' && depth-- == 0)
				c.why = "a parenthesis was not opened";
			if (x == '"')
				put(&c, "\\x22");
			else
				put_char(&c, x);
			c.at++;
		}
	}
	if (!c.why && depth > 0)
		c.why = "a parenthesis is not closed";
	*n = c.n;
	*why = c.why ? c.why : "";
	return !c.why;
}

/* --- what it finds in host:port --- */

/*
 * Only what is plain enough is judged: letters, digits, hyphens, `\.` and `.`, perhaps tied to the start. Up to its last letter it lies in the host, since what
 * follows the host has none; so it must end with a letter, or with `\.` or a hyphen, which the port does not have either.
 */
enum squid_reach
squid_regex_reach(struct span in, bool any_case)
{
	struct span s = in;
	bool        fits = true;

	/* a URL's scheme and path are not in it */
	for (size_t i = 0; i + 2 < in.n; i++)
		if (memcmp(in.p + i, "://", 3) == 0 && !memchr(in.p, '|', in.n) && !memchr(in.p, '(', in.n) && !memchr(in.p, '[', in.n))
			return REGEX_NEVER;
	if (s.n > 1 && s.p[0] == '^')
		s = span_of(s.p + 1, s.n - 1);
	for (size_t i = 0; i < s.n; i++) {
		char x = s.p[i];
		if (x == '/' || x == '_')
			fits = fits && true;
		else if (x == '\\' && i + 1 < s.n && (s.p[i + 1] == '.' || s.p[i + 1] == '-' || s.p[i + 1] == '/'))
			i++;
		else if (!is_alnum(x) && x != '-' && x != '.')
			fits = false;
		/* the host is in lower case there, as here */
		if (!any_case && x >= 'A' && x <= 'Z' && fits && !memchr(in.p, '\\', in.n))
			return REGEX_NEVER;
	}
	if (!fits || s.n == 0)
		return REGEX_OPEN;
	if (memchr(s.p, '/', s.n))
		return REGEX_NEVER;
	char last = s.p[s.n - 1];
	if (s.n > 1 && s.p[s.n - 2] == '\\')
		return REGEX_HOST; /* \. or \- */
	return (is_alnum(last) && !is_digit(last)) || last == '-' ? REGEX_HOST : REGEX_OPEN;
}
