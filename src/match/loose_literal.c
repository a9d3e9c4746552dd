/* SPDX-License-Identifier: MIT */
/*
 * loose_literal: reads from a regex or glob the runs of bytes that every name it matches must hold.
 * Not a parser of regexes: what it does not know for certain makes it give up, and then the regex is tried on every name. Right for
 * lower-case names and matching without case.
 */
#include "match/loose.h"

struct scan {
	struct span        s;
	size_t             at;
	struct loose_runs *out;
	size_t             start; /* of the run at hand, in out->text */
	size_t             n;     /* bytes of out->text in use */
};

/* The run at hand is over; one too short to search for is dropped, and one for which there is no room. */
static void
end_run(struct scan *c)
{
	size_t n = c->n - c->start;

	if (n >= LOOSE_RUN_MIN && c->out->n < LOOSE_RUNS)
		c->out->run[c->out->n++] = (struct loose_run){(uint8_t)c->start, (uint8_t)n};
	else
		c->n = c->start;
	c->start = c->n;
}

static void
put(struct scan *c, char byte)
{
	if (c->n == sizeof c->out->text) {
		end_run(c);
		if (c->n == sizeof c->out->text)
			return;
	}
	c->out->text[c->n++] = ascii_lower(byte);
}

static int
peek(const struct scan *c, size_t ahead)
{
	return c->at + ahead < c->s.n ? (unsigned char)c->s.p[c->at + ahead] : -1;
}

static bool
is_alnum(int c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/* At '[': past the class. False: cannot tell where it ends. */
static bool
skip_class(struct scan *c)
{
	c->at++;
	if (peek(c, 0) == '^')
		c->at++;
	if (peek(c, 0) == ']')
		c->at++;
	for (; c->at < c->s.n; c->at++) {
		int b = peek(c, 0);
		if (b == ']') {
			c->at++;
			return true;
		}
		if (b == '[' && (peek(c, 1) == ':' || peek(c, 1) == '.' || peek(c, 1) == '='))
			return false;
		if (b == '\\') {
			if (is_alnum(peek(c, 1)) && !memchr("dDwWsShHvV", peek(c, 1), 10))
				return false;
			c->at++;
		}
	}
	return false;
}

/* At '(': past the group, whatever is in it. False: cannot tell. */
static bool
skip_group(struct scan *c)
{
	unsigned depth = 0;

	while (c->at < c->s.n) {
		int b = peek(c, 0);
		if (b == '[') {
			if (!skip_class(c))
				return false;
			continue;
		}
		if (b == '\\') {
			if (is_alnum(peek(c, 1)) && !memchr("dDwWsShHvVbB", peek(c, 1), 12))
				return false;
			c->at += 2;
			continue;
		}
		if (b == '(') {
			/* verbs may end a match early, options change what follows, comments need not balance */
			if (peek(c, 1) == '*' || (peek(c, 1) == '?' && peek(c, 2) != ':' && peek(c, 2) != '=' && peek(c, 2) != '!'))
				return false;
			depth++;
		}
		c->at++;
		if (b == ')' && --depth == 0)
			return true;
	}
	return false;
}

/* After an atom: is there a quantifier? Takes it. -1: cannot tell what it is; 0: none; 1: the atom may be absent or repeat. */
static int
take_quantifier(struct scan *c)
{
	int    b = peek(c, 0);
	size_t i = 1;

	if (b == '{') {
		while (peek(c, i) >= '0' && peek(c, i) <= '9')
			i++;
		if (i == 1)
			return -1;
		if (peek(c, i) == ',')
			i++;
		while (peek(c, i) >= '0' && peek(c, i) <= '9')
			i++;
		if (peek(c, i) != '}')
			return -1;
		i++;
	} else if (b != '?' && b != '*' && b != '+') {
		return 0;
	}
	c->at += i;
	if (peek(c, 0) == '+' || peek(c, 0) == '?')
		c->at++;
	return 1;
}

/* One atom. -1: cannot tell; 0: no byte is sure of it; 1: it is the byte that was put, if there was room. */
static int
take_atom(struct scan *c)
{
	int b = peek(c, 0);

	switch (b) {
	case '[':
		return skip_class(c) ? 0 : -1;
	case '(':
		return skip_group(c) ? 0 : -1;
	case ')':
	case '?':
	case '*':
	case '+':
	case '{':
		return -1;
	case '.':
	case '^':
	case '$':
		c->at++;
		return 0;
	case '\\':
		b = peek(c, 1);
		c->at += 2;
		if (b < 0)
			return -1;
		if (is_alnum(b))
			return memchr("dDwWsShHvVbBAzZ", b, 15) ? 0 : -1;
		break;
	default:
		c->at++;
	}
	if (b < 0x21 || b > 0x7e) /* no name holds it */
		return 0;
	put(c, (char)b);
	return 1;
}

bool
loose_regex_runs(struct span regex, size_t *at, struct loose_runs *out)
{
	struct scan c = {.s = regex, .at = *at, .out = out};

	out->n = 0;
	if (*at > regex.n)
		return false;
	if (*at == 0 && regex.n >= 4 && memcmp(regex.p, "(?i)", 4) == 0)
		c.at = 4;
	while (c.at < regex.n && regex.p[c.at] != '|') {
		size_t before = c.n;
		int    atom = take_atom(&c), times = atom < 0 ? -1 : take_quantifier(&c);
		if (times < 0) {
			*at = regex.n + 1; /* not even where the next branch begins is sure */
			out->n = 0;
			return true;
		}
		if (atom == 1 && times && c.n > before)
			c.n--;
		if (atom == 0 || times)
			end_run(&c);
	}
	end_run(&c);
	*at = c.at + 1;
	return true;
}

bool
loose_glob_runs(struct span glob, struct loose_runs *out)
{
	struct scan c = {.s = glob, .out = out};

	out->n = 0;
	for (size_t i = 0; i < glob.n; i++) {
		if (glob.p[i] == '*')
			end_run(&c);
		else
			put(&c, glob.p[i]);
	}
	end_run(&c);
	return out->n > 0;
}
