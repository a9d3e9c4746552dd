/* SPDX-License-Identifier: MIT */
/*
 * line_json: Postern's json format, one object a line (RFC 8259).
 * A scanner of our own and no library: jansson takes 15 s for a million of these lines, for it makes an object on the heap of each of the forty values;
 * replay has 8 s for all that it does. This one points into the line, and what it does not want it skips.
 * Always true: nesting is counted, never recursed into; bytes that are not UTF-8 come through as they are.
 */
#include "logread/line.h"

#define DEPTH_MAX 32u

struct scan {
	const char *at, *end;
	char       *to; /* free scratch: decoded text is never longer than what it was made of */
};

/* What is made of a value. */
enum value_kind { VALUE_TEXT, VALUE_NUMBER, VALUE_GROUPS };
enum key_id {
	KEY_TS, KEY_DURATION, KEY_ID, KEY_CLIENT, KEY_LISTENER, KEY_SESSION, KEY_METHOD, KEY_URL, KEY_ACTION, KEY_RULE, KEY_LIST_ENTRY, KEY_SNI, KEY_ALPN, KEY_TLS_DETAIL, KEY_USER,
	KEY_GROUPS, KEY_STATUS, KEY_RESULT, KEY_FAULT, KEY_ADDRESS, KEY_PARENT, KEY_USER_AGENT, KEY_CONTENT_TYPE, KEY_EVENT, KEY_LINES, KEY_COUNT
};
/* In the order in which we write them, so that the next one is nearly always the one that is looked for first. */
static const struct {
	struct span     name;
	enum value_kind kind;
} keys[KEY_COUNT] = {
	[KEY_TS] = {SPAN("ts"), VALUE_TEXT},
	[KEY_DURATION] = {SPAN("duration_ms"), VALUE_NUMBER},
	[KEY_ID] = {SPAN("id"), VALUE_TEXT},
	[KEY_CLIENT] = {SPAN("client"), VALUE_TEXT},
	[KEY_LISTENER] = {SPAN("listener"), VALUE_TEXT},
	[KEY_SESSION] = {SPAN("session"), VALUE_TEXT},
	[KEY_METHOD] = {SPAN("method"), VALUE_TEXT},
	[KEY_URL] = {SPAN("url"), VALUE_TEXT},
	[KEY_ACTION] = {SPAN("action"), VALUE_TEXT},
	[KEY_RULE] = {SPAN("rule"), VALUE_TEXT},
	[KEY_LIST_ENTRY] = {SPAN("list_entry"), VALUE_TEXT},
	[KEY_SNI] = {SPAN("sni"), VALUE_TEXT},
	[KEY_ALPN] = {SPAN("alpn"), VALUE_TEXT},
	[KEY_TLS_DETAIL] = {SPAN("tls_detail"), VALUE_TEXT},
	[KEY_USER] = {SPAN("user"), VALUE_TEXT},
	[KEY_GROUPS] = {SPAN("groups"), VALUE_GROUPS},
	[KEY_STATUS] = {SPAN("status"), VALUE_NUMBER},
	[KEY_RESULT] = {SPAN("result"), VALUE_TEXT},
	[KEY_FAULT] = {SPAN("fault"), VALUE_TEXT},
	[KEY_ADDRESS] = {SPAN("address"), VALUE_TEXT},
	[KEY_PARENT] = {SPAN("parent"), VALUE_TEXT},
	[KEY_USER_AGENT] = {SPAN("user_agent"), VALUE_TEXT},
	[KEY_CONTENT_TYPE] = {SPAN("content_type"), VALUE_TEXT},
	[KEY_EVENT] = {SPAN("event"), VALUE_TEXT},
	[KEY_LINES] = {SPAN("lines"), VALUE_NUMBER},
};

struct values {
	struct span text[KEY_COUNT];
	uint64_t    number[KEY_COUNT];
	bool        has_number[KEY_COUNT];
};

static void
blanks_skip(struct scan *s)
{
	while (s->at < s->end && (*s->at == ' ' || *s->at == '\t'))
		s->at++;
}

static bool
char_take(struct scan *s, char c)
{
	blanks_skip(s);
	if (s->at == s->end || *s->at != c)
		return false;
	s->at++;
	return true;
}

static bool
word_take(struct scan *s, struct span word)
{
	if ((size_t)(s->end - s->at) < word.n || memcmp(s->at, word.p, word.n) != 0)
		return false;
	s->at += word.n;
	return true;
}

/* --- strings --- */

/* Four hexadecimal digits; -1: no such thing. */
static int
unit_read(struct scan *s)
{
	int v = 0;

	if (s->end - s->at < 4)
		return -1;
	for (int i = 0; i < 4; i++) {
		char c = ascii_lower(s->at[i]);
		int  d = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
		if (d < 0)
			return -1;
		v = v << 4 | d;
	}
	s->at += 4;
	return v;
}

/* After "\u". A half of a pair that stands alone becomes U+FFFD. */
static bool
escape_unit_read(struct scan *s)
{
	int      first = unit_read(s), second;
	unsigned c;

	if (first < 0)
		return false;
	c = (unsigned)first;
	if (c >= 0xd800 && c < 0xdc00 && s->end - s->at >= 6 && s->at[0] == '\\' && s->at[1] == 'u') {
		struct scan ahead = {s->at + 2, s->end, NULL};
		second = unit_read(&ahead);
		if (second >= 0xdc00 && second < 0xe000) {
			c = 0x10000 + ((c - 0xd800) << 10) + ((unsigned)second - 0xdc00);
			s->at = ahead.at;
		}
	}
	if (c >= 0xd800 && c < 0xe000)
		c = 0xfffd;
	if (c < 0x80) {
		*s->to++ = (char)c;
	} else if (c < 0x800) {
		*s->to++ = (char)(0xc0 | c >> 6);
		*s->to++ = (char)(0x80 | (c & 0x3f));
	} else if (c < 0x10000) {
		*s->to++ = (char)(0xe0 | c >> 12);
		*s->to++ = (char)(0x80 | (c >> 6 & 0x3f));
		*s->to++ = (char)(0x80 | (c & 0x3f));
	} else {
		*s->to++ = (char)(0xf0 | c >> 18);
		*s->to++ = (char)(0x80 | (c >> 12 & 0x3f));
		*s->to++ = (char)(0x80 | (c >> 6 & 0x3f));
		*s->to++ = (char)(0x80 | (c & 0x3f));
	}
	return true;
}

static bool
escape_read(struct scan *s)
{
	static const char from[] = "\"\\/bfnrt", into[] = "\"\\/\b\f\n\r\t";
	const char       *which;

	if (s->at == s->end)
		return false;
	if (*s->at == 'u') {
		s->at++;
		return escape_unit_read(s);
	}
	which = *s->at ? strchr(from, *s->at) : NULL;
	if (!which)
		return false;
	s->at++;
	*s->to++ = into[which - from];
	return true;
}

/* After the opening quote, to after the closing one. */
static bool
string_read(struct scan *s, struct span *out)
{
	const char *start = s->at;
	char       *to = s->to;

	while (s->at < s->end && *s->at != '"' && *s->at != '\\' && (unsigned char)*s->at >= 0x20)
		s->at++;
	if (s->at == s->end || (unsigned char)*s->at < 0x20)
		return false;
	if (*s->at == '"') {
		*out = span_of(start, (size_t)(s->at++ - start));
		return true;
	}
	memcpy(to, start, (size_t)(s->at - start));
	s->to += s->at - start;
	while (s->at < s->end && *s->at != '"') {
		if ((unsigned char)*s->at < 0x20)
			return false;
		if (*s->at != '\\')
			*s->to++ = *s->at++;
		else if (s->at++, !escape_read(s))
			return false;
	}
	if (s->at == s->end)
		return false;
	s->at++;
	*out = span_of(to, (size_t)(s->to - to));
	return true;
}

/* --- values --- */

/* RFC 8259 6, loosely: nobody looks at what is skipped. */
static bool
number_skip(struct scan *s)
{
	const char *start = s->at;

	while (s->at < s->end && ((*s->at >= '0' && *s->at <= '9') || *s->at == '-' || *s->at == '+' || *s->at == '.' || *s->at == 'e' || *s->at == 'E'))
		s->at++;
	return s->at > start;
}

static bool
plain_skip(struct scan *s)
{
	struct span ignored;

	if (char_take(s, '"'))
		return string_read(s, &ignored);
	return word_take(s, SPAN("null")) || word_take(s, SPAN("true")) || word_take(s, SPAN("false")) || number_skip(s);
}

/* A name and its colon, where an object goes on. */
static bool
name_skip(struct scan *s)
{
	struct span ignored;

	return char_take(s, '"') && string_read(s, &ignored) && char_take(s, ':');
}

/* A value that nobody wants, whatever it is: `shut` has the bracket that ends each array or object that is open. */
static bool
value_skip(struct scan *s)
{
	char     shut[DEPTH_MAX];
	unsigned depth = 0;

	for (;;) {
		blanks_skip(s);
		if (s->at < s->end && (*s->at == '[' || *s->at == '{')) {
			if (depth == DEPTH_MAX)
				return false;
			shut[depth++] = *s->at++ == '[' ? ']' : '}';
			if (!char_take(s, shut[depth - 1])) {
				if (shut[depth - 1] == '}' && !name_skip(s))
					return false;
				continue; /* its first value */
			}
			depth--;
		} else if (!plain_skip(s)) {
			return false;
		}
		while (depth && char_take(s, shut[depth - 1]))
			depth--;
		if (depth == 0)
			return true;
		if (!char_take(s, ',') || (shut[depth - 1] == '}' && !name_skip(s)))
			return false;
	}
}

static bool
groups_read(struct scan *s, struct log_entry *out)
{
	struct span name;

	if (!char_take(s, '['))
		return false;
	if (char_take(s, ']'))
		return true;
	do {
		if (!char_take(s, '"') || !string_read(s, &name))
			return false;
		if (out->n_groups < LOG_GROUPS_MAX)
			out->group[out->n_groups++] = name;
	} while (char_take(s, ','));
	return char_take(s, ']');
}

static bool
value_read(struct scan *s, enum key_id key, struct values *v, struct log_entry *out)
{
	const char *start;

	blanks_skip(s);
	if (word_take(s, SPAN("null")))
		return true;
	switch (keys[key].kind) {
	case VALUE_TEXT:
		return char_take(s, '"') && string_read(s, &v->text[key]);
	case VALUE_NUMBER:
		start = s->at;
		v->has_number[key] = number_skip(s) && line_number_read(span_of(start, (size_t)(s->at - start)), &v->number[key]);
		return v->has_number[key];
	case VALUE_GROUPS:
		out->n_groups = 0;
		return groups_read(s, out);
	}
	return false;
}

/* The number of a key, looked for from `hint` on and round; KEY_COUNT: nobody wants it. */
static unsigned
key_find(struct span name, unsigned hint)
{
	for (unsigned i = 0; i < KEY_COUNT; i++) {
		unsigned k = hint + i < KEY_COUNT ? hint + i : hint + i - KEY_COUNT;
		if (keys[k].name.n == name.n && memcmp(keys[k].name.p, name.p, name.n) == 0)
			return k;
	}
	return KEY_COUNT;
}

static bool
object_read(struct scan *s, struct values *v, struct log_entry *out)
{
	struct span name;
	unsigned    key, hint = 0;

	if (!char_take(s, '{'))
		return false;
	if (char_take(s, '}'))
		return true;
	do {
		if (!char_take(s, '"') || !string_read(s, &name) || !char_take(s, ':'))
			return false;
		key = key_find(name, hint);
		if (key == KEY_COUNT ? !value_skip(s) : !value_read(s, (enum key_id)key, v, out))
			return false;
		if (key != KEY_COUNT)
			hint = key + 1 < KEY_COUNT ? key + 1 : 0;
	} while (char_take(s, ','));
	return char_take(s, '}');
}

/* --- what they mean --- */

/* Days from 1970-01-01 to a day of the Gregorian calendar; years begin in March, so that the leap day is a year's last. */
static uint64_t
day_number(uint64_t year, uint64_t month, uint64_t day)
{
	uint64_t y = year - (month <= 2), since_march = month > 2 ? month - 3 : month + 9;

	return y * 365 + y / 4 - y / 100 + y / 400 + (153 * since_march + 2) / 5 + day - 1 - 719468;
}

/* As we write it: 2026-01-31T23:59:59.999Z */
static bool
moment_read(struct span s, uint64_t *us)
{
	static const struct {
		uint8_t at, n;
		uint16_t least, most;
	} part[] = {{0, 4, 1970, 9999}, {5, 2, 1, 12}, {8, 2, 1, 31}, {11, 2, 0, 23}, {14, 2, 0, 59}, {17, 2, 0, 60}, {20, 3, 0, 999}};
	static const char form[] = "0000-00-00T00:00:00.000Z";
	uint64_t v[7];

	if (s.n != sizeof form - 1)
		return false;
	for (size_t i = 0; i < s.n; i++)
		if (form[i] != '0' && s.p[i] != form[i])
			return false;
	for (unsigned i = 0; i < 7; i++)
		if (!line_number_read(span_of(s.p + part[i].at, part[i].n), &v[i]) || v[i] < part[i].least || v[i] > part[i].most)
			return false;
	*us = (day_number(v[0], v[1], v[2]) * 86400 + v[3] * 3600 + v[4] * 60 + v[5]) * 1000000 + v[6] * 1000;
	return true;
}

static bool
entry_fill(struct log_entry *out, const struct values *v)
{
	const struct span *t = v->text;

	if (!moment_read(t[KEY_TS], &out->end_us) || !v->has_number[KEY_DURATION] || v->number[KEY_DURATION] > UINT32_MAX * 1000ull ||
	    v->number[KEY_STATUS] > 999 || t[KEY_RESULT].n == 0)
		return false;
	out->elapsed_us = v->number[KEY_DURATION] * 1000;
	out->has_client = addr_parse(t[KEY_CLIENT], &out->client);
	out->method = t[KEY_METHOD];
	out->url = t[KEY_URL];
	out->user = t[KEY_USER];
	out->status = (uint16_t)v->number[KEY_STATUS];
	out->result = t[KEY_RESULT];
	out->peer = out->address = t[KEY_ADDRESS];
	out->content_type = t[KEY_CONTENT_TYPE];
	out->id = t[KEY_ID];
	out->session = t[KEY_SESSION];
	out->listener = t[KEY_LISTENER];
	out->action = t[KEY_ACTION];
	out->rule = t[KEY_RULE];
	out->list_entry = t[KEY_LIST_ENTRY];
	out->fault = t[KEY_FAULT];
	out->sni = t[KEY_SNI];
	out->user_agent = t[KEY_USER_AGENT];
	out->alpn = t[KEY_ALPN];
	out->tls_detail = t[KEY_TLS_DETAIL];
	out->parent = t[KEY_PARENT];
	return true;
}

enum line_read
line_json(struct span line, struct log_entry *out, char *scratch, uint64_t *lost, const char **why)
{
	struct scan   s = {line.p, line.p + line.n, scratch};
	struct values v = {0};

	*why = "it is no JSON object (RFC 8259), or nested too deep";
	if (!object_read(&s, &v, out))
		return LINE_BAD;
	blanks_skip(&s);
	if (s.at != s.end)
		return LINE_BAD;
	if (span_eq(v.text[KEY_EVENT], SPAN("dropped"))) {
		*lost = v.number[KEY_LINES];
		return LINE_NOTE;
	}
	*why = "it is no line of an access log in the json format";
	return entry_fill(out, &v) ? LINE_ENTRY : LINE_BAD;
}
