/* SPDX-License-Identifier: MIT */
#include "script.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "token.h"

void
step_clear(struct step *l)
{
	free(l->store.p);
	*l = (struct step){0};
}

static int
hex(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* A quoted text from its opening quote on; returns where it ended, null when it did not. */
static const char *
quoted(const char *s, struct bytes *out)
{
	const char *end;

	for (s++; *s && *s != '"'; s++) {
		char c = *s;
		if (c == '\\') {
			switch (*++s) {
			case 'r':
				c = '\r';
				break;
			case 'n':
				c = '\n';
				break;
			case 't':
				c = '\t';
				break;
			case '\\':
			case '"':
				c = *s;
				break;
			case '{':
				if (!(end = strchr(s, '}')) || !token_make(span_of(s + 1, (size_t)(end - s - 1)), out))
					return NULL;
				s = end;
				continue;
			case 'x':
				if (hex(s[1]) < 0 || hex(s[2]) < 0)
					return NULL;
				c = (char)(hex(s[1]) << 4 | hex(s[2]));
				s += 2;
				break;
			default:
				return NULL;
			}
		}
		bytes_add(out, span_of(&c, 1));
	}
	return *s == '"' ? s + 1 : NULL;
}

/* N*"text": repeated. */
static const char *
repeated(const char *s, unsigned long times, struct bytes *out)
{
	struct bytes one = {0};
	const char  *end = quoted(s, &one);

	for (unsigned long i = 0; end && i < times; i++)
		bytes_add(out, bytes_left(&one));
	free(one.p);
	return end;
}

static const char *
made(const char *s, struct bytes *out, const char **why)
{
	char   words[256];
	size_t n = strcspn(s, ")");

	if (s[n] != ')' || n >= sizeof words) {
		*why = "no ) after hello(";
		return NULL;
	}
	snprintf(words, sizeof words, "%.*s", (int)n, s);
	*why = hello_make(words, out);
	return *why ? NULL : s + n + 1;
}

const char *
step_read(struct step *l, const char *s)
{
	size_t      at[WORDS_MAX + 1];
	const char *why = "a quoted text does not end, or has an escape other than \\r \\n \\t \\\\ \\\" \\xNN \\{TOKEN}";
	char       *end;

	*l = (struct step){0};
	for (;;) {
		s += strspn(s, " \t\n");
		if (!*s || *s == '#')
			break;
		if (l->n == WORDS_MAX)
			return "too many words";
		struct word  *w = &l->word[l->n];
		unsigned long times = strtoul(s, &end, 10);
		at[l->n++] = l->store.n;
		w->is_text = true;
		if (*s == '"')
			s = quoted(s, &l->store);
		else if (end != s && *end == '*' && end[1] == '"')
			s = repeated(end + 1, times, &l->store);
		else if (strncmp(s, "hello(", 6) == 0)
			s = made(s + 6, &l->store, &why);
		else {
			size_t n = strcspn(s, " \t\n");
			w->is_text = false;
			bytes_add(&l->store, span_of(s, n));
			s += n;
		}
		if (!s)
			return why;
		w->s.n = l->store.n - at[l->n - 1];
		bytes_add(&l->store, span_of("", 1));
	}
	/* the store may have moved while it grew */
	for (unsigned i = 0; i < l->n; i++)
		l->word[i].s.p = l->store.p + at[i];
	return NULL;
}

const char *
step_bytes(const struct step *l, unsigned at, struct bytes *out, unsigned *pieces)
{
	bool head = false;

	if (pieces)
		*pieces = 0;
	for (; at < l->n; at++) {
		const struct word *w = &l->word[at];
		if (w->is_text) {
			bytes_add(out, w->s);
			if (head)
				bytes_add(out, SPAN("\r\n"));
		} else if (strcmp(w->s.p, "head") == 0) {
			head = true;
		} else if (head && strcmp(w->s.p, "body") == 0) {
			bytes_add(out, SPAN("\r\n"));
			head = false;
		} else if (pieces && strcmp(w->s.p, "in") == 0 && strcmp(step_word(l, at + 1), "pieces") == 0 && atoi(step_word(l, at + 3)) > 0) {
			*pieces = (unsigned)atoi(step_word(l, at + 3));
			at += 3;
		} else {
			return "bytes are \"text\", N*\"text\", hello(...), head \"line\"... [body ...], and `in pieces of N` after what is sent";
		}
	}
	if (head)
		bytes_add(out, SPAN("\r\n"));
	return NULL;
}

/* --- hello --- */

static void
put_int(struct bytes *b, unsigned long v, unsigned n)
{
	while (n-- > 0) {
		char c = (char)(v >> 8 * n);
		bytes_add(b, span_of(&c, 1));
	}
}

/* A vector: its length in so many bytes, then itself. */
static void
put_vector(struct bytes *b, unsigned n, struct span s)
{
	put_int(b, s.n, n);
	bytes_add(b, s);
}

static void
put_extension(struct bytes *b, unsigned type, struct bytes *data)
{
	put_int(b, type, 2);
	put_vector(b, 2, bytes_left(data));
	data->n = 0;
}

struct wanted {
	char          sni[256], alpn[128];
	bool          ech;
	unsigned long size, records;
};

static void
put_extensions(struct bytes *out, const struct wanted *w, size_t before)
{
	struct bytes e = {0}, data = {0}, inner = {0};
	char         list[128], *p = list, *name;

	if (w->sni[0]) {
		put_int(&inner, 0, 1);
		put_vector(&inner, 2, span_str(w->sni));
		put_vector(&data, 2, bytes_left(&inner));
		put_extension(&e, 0, &data);
		inner.n = 0;
	}
	if (w->alpn[0]) {
		snprintf(list, sizeof list, "%s", w->alpn);
		while ((name = strsep(&p, ",")))
			put_vector(&inner, 1, span_str(name));
		put_vector(&data, 2, bytes_left(&inner));
		put_extension(&e, 16, &data);
	}
	if (w->ech) {
		bytes_add(&data, SPAN("ech"));
		put_extension(&e, 0xfe0d, &data);
	}
	if (before + e.n + 6 < w->size) {
		while (before + e.n + 6 + data.n < w->size)
			put_int(&data, 0, 1);
		put_extension(&e, 21, &data); /* padding, RFC 7685 */
	}
	put_vector(out, 2, bytes_left(&e));
	free(e.p);
	free(data.p);
	free(inner.p);
}

static const char *
wanted_read(struct wanted *w, const char *words)
{
	char copy[256], *p = copy, *word;

	*w = (struct wanted){.records = 16384};
	snprintf(copy, sizeof copy, "%s", words);
	while ((word = strsep(&p, " "))) {
		if (strncmp(word, "alpn=", 5) == 0)
			snprintf(w->alpn, sizeof w->alpn, "%s", word + 5);
		else if (strncmp(word, "size=", 5) == 0)
			w->size = strtoul(word + 5, NULL, 10);
		else if (strncmp(word, "records=", 8) == 0)
			w->records = strtoul(word + 8, NULL, 10);
		else if (strcmp(word, "ech") == 0)
			w->ech = true;
		else if (strchr(word, '=') || w->records == 0)
			return "hello(NAME alpn=A,B ech size=N records=N)";
		else if (*word)
			snprintf(w->sni, sizeof w->sni, "%s", word);
	}
	return NULL;
}

const char *
hello_make(const char *words, struct bytes *out)
{
	struct bytes  m = {0}, body = {0};
	struct wanted w;
	const char   *why = wanted_read(&w, words);
	size_t        n;

	if (why)
		return why;
	put_int(&body, 0x0303, 2);
	for (unsigned i = 0; i < 32; i++)
		put_int(&body, i, 1); /* random */
	put_int(&body, 0, 1);
	put_vector(&body, 2, SPAN("\x13\x01"));
	put_vector(&body, 1, SPAN("\0"));
	put_extensions(&body, &w, body.n);
	put_int(&m, 1, 1);
	put_vector(&m, 3, bytes_left(&body));
	for (struct span left = bytes_left(&m); left.n; left = span_of(left.p + n, left.n - n)) {
		n = left.n < w.records ? left.n : w.records;
		put_int(out, 0x160301, 3);
		put_vector(out, 2, span_of(left.p, n));
	}
	free(m.p);
	free(body.p);
	return NULL;
}
