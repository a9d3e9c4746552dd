/* SPDX-License-Identifier: MIT */
/*
 * format_custom: a format string with Squid's % codes, read once into tokens, then written for each record.
 *     %["|[|'|#][-][0][width][.most][{argument}]code[{argument}]
 * Codes that we have no data for are refused rather than always written as "-".
 * %{key}note gives what Squid has no code for; its keys are those of the json format.
 */
#include <stdio.h>
#include <stdlib.h>

#include "audit/format_kinds.h"
#include "audit/words.h"

#define SOURCE_MAX 4096u
#define KNOWN_CODES "%% ts tu tS tl tg tr dt >a >p <a <p <A >Hs Ss Sh rm ru rp rv >rs >rd >rP un ui mt st >st <st >h <h ssl::... note"
#define KNOWN_NOTES "id session listener worker action rule list_* reported guard sni alpn fault user groups auth_* tls_* origin_* queue_*"
#define NO_MINOR 255

enum code {
	CODE_LITERAL, CODE_SECONDS, CODE_MILLISECONDS, CODE_START, CODE_LOCAL_TIME, CODE_UTC_TIME, CODE_DURATION, CODE_RESOLVE_MS, CODE_CLIENT,
	CODE_CLIENT_PORT, CODE_ADDRESS, CODE_SERVER_PORT, CODE_SERVER_NAME, CODE_STATUS, CODE_RESULT, CODE_HIER, CODE_TARGET, CODE_PATH,
	CODE_VERSION, CODE_SCHEME, CODE_PORT, CODE_IDENT, CODE_MEDIA_TYPE, CODE_BYTES, CODE_BYTES_IN, CODE_BYTES_OUT, CODE_TEXT, CODE_REFERER,
	CODE_ID, CODE_SESSION, CODE_WORKER, CODE_ACTION, CODE_GUARD, CODE_FAULT, CODE_AUTH_SCHEME,
	CODE_AUTH_MS, CODE_QUEUE_MS, CODE_BUMP_MODE, CODE_TLS_VERSION, CODE_TLS_CIPHER,
};

enum takes { TAKES_NOTHING, TAKES_TIME, TAKES_REQUEST_FIELD, TAKES_REPLY_FIELD, TAKES_NOTE };

struct row {
	const char *name;
	uint8_t     code, text, takes; /* text: CODE_TEXT's enum record_text */
	uint8_t     style; /* when the format asks for none */
};

static const struct row codes[] = {
	{"ts", CODE_SECONDS, 0, 0, 0}, {"tu", CODE_MILLISECONDS, 0, 0, 0}, {"tS", CODE_START, 0, 0, 0},
	{"tl", CODE_LOCAL_TIME, 0, TAKES_TIME, STYLE_RAW}, {"tg", CODE_UTC_TIME, 0, TAKES_TIME, STYLE_RAW}, {"tr", CODE_DURATION, 0, 0, 0},
	{"dt", CODE_RESOLVE_MS, 0, 0, 0}, {">a", CODE_CLIENT, 0, 0, 0}, {">p", CODE_CLIENT_PORT, 0, 0, 0}, {"<a", CODE_ADDRESS, 0, 0, 0},
	{"<p", CODE_SERVER_PORT, 0, 0, 0}, {"<A", CODE_SERVER_NAME, 0, 0, STYLE_URL}, {">Hs", CODE_STATUS, 0, 0, 0}, {"Hs", CODE_STATUS, 0, 0, 0},
	{"Ss", CODE_RESULT, 0, 0, 0}, {"Sh", CODE_HIER, 0, 0, 0}, {"rm", CODE_TEXT, RT_METHOD, 0, STYLE_URL}, {">rm", CODE_TEXT, RT_METHOD, 0, STYLE_URL},
	{"ru", CODE_TARGET, 0, 0, STYLE_URL}, {">ru", CODE_TARGET, 0, 0, STYLE_URL}, {"rp", CODE_PATH, 0, 0, STYLE_URL}, {">rp", CODE_PATH, 0, 0, STYLE_URL},
	{"rv", CODE_VERSION, 0, 0, 0}, {">rv", CODE_VERSION, 0, 0, 0}, {">rs", CODE_SCHEME, 0, 0, 0}, {">rd", CODE_TEXT, RT_HOST, 0, STYLE_URL},
	{">rP", CODE_PORT, 0, 0, 0}, {"un", CODE_TEXT, RT_USER, 0, STYLE_UNSAFE}, {"ul", CODE_TEXT, RT_USER, 0, STYLE_UNSAFE}, {"ui", CODE_IDENT, 0, 0, 0},
	{"mt", CODE_MEDIA_TYPE, 0, 0, STYLE_URL}, {"st", CODE_BYTES, 0, 0, 0}, {">st", CODE_BYTES_IN, 0, 0, 0}, {"<st", CODE_BYTES_OUT, 0, 0, 0},
	{">h", 0, 0, TAKES_REQUEST_FIELD, STYLE_UNSAFE}, {"<h", 0, 0, TAKES_REPLY_FIELD, STYLE_UNSAFE},
	{"ssl::>sni", CODE_TEXT, RT_SNI, 0, STYLE_URL}, {"ssl::bump_mode", CODE_BUMP_MODE, 0, 0, 0},
	{"ssl::>negotiated_version", CODE_TLS_VERSION, RT_TLS_CLIENT, 0, STYLE_URL}, {"ssl::>negotiated_cipher", CODE_TLS_CIPHER, RT_TLS_CLIENT, 0, STYLE_URL},
	{"ssl::<negotiated_version", CODE_TLS_VERSION, RT_TLS_ORIGIN, 0, STYLE_URL}, {"ssl::<negotiated_cipher", CODE_TLS_CIPHER, RT_TLS_ORIGIN, 0, STYLE_URL},
	{"ssl::<cert_issuer", CODE_TEXT, RT_ORIGIN_ISSUER, 0, STYLE_URL},
	{"note", 0, 0, TAKES_NOTE, STYLE_URL},
};

/* What `>h`, `<h` and `note` may be asked for. */
static const struct row request_fields[] = {{"user-agent", CODE_TEXT, RT_USER_AGENT, 0, 0}, {"referer", CODE_REFERER, 0, 0, 0}, {0}};
static const struct row reply_fields[] = {{"content-type", CODE_TEXT, RT_CONTENT_TYPE, 0, 0}, {0}};
static const struct row notes[] = {
	{"id", CODE_ID, 0, 0, 0}, {"session", CODE_SESSION, 0, 0, 0}, {"listener", CODE_TEXT, RT_LISTENER, 0, 0}, {"worker", CODE_WORKER, 0, 0, 0},
	{"action", CODE_ACTION, 0, 0, 0}, {"rule", CODE_TEXT, RT_RULE, 0, 0}, {"list_entry", CODE_TEXT, RT_LIST_ENTRY, 0, 0},
	{"reported", CODE_TEXT, RT_REPORTED, 0, 0}, {"guard", CODE_GUARD, 0, 0, 0}, {"sni", CODE_TEXT, RT_SNI, 0, 0}, {"alpn", CODE_TEXT, RT_ALPN, 0, 0},
	{"tls_client", CODE_TEXT, RT_TLS_CLIENT, 0, 0}, {"tls_origin", CODE_TEXT, RT_TLS_ORIGIN, 0, 0}, {"origin_issuer", CODE_TEXT, RT_ORIGIN_ISSUER, 0, 0},
	{"tls_detail", CODE_TEXT, RT_TLS_DETAIL, 0, 0},
	{"fault", CODE_FAULT, 0, 0, 0}, {"user", CODE_TEXT, RT_USER, 0, 0}, {"groups", CODE_TEXT, RT_GROUPS, 0, 0},
	{"auth_scheme", CODE_AUTH_SCHEME, 0, 0, 0}, {"auth_ms", CODE_AUTH_MS, 0, 0, 0}, {"auth_detail", CODE_TEXT, RT_AUTH_DETAIL, 0, 0},
	{"queue_ms", CODE_QUEUE_MS, 0, 0, 0}, {0},
};

struct token {
	enum code         code;
	enum record_text  text;
	enum line_style   style;
	bool              is_left, is_zero;
	uint16_t          width, most; /* most 0: no limit */
	struct span       literal;     /* into custom.source */
	struct time_text *time;        /* owned */
};

struct custom {
	char         *source; /* owned; as configured */
	struct token *v;      /* owned */
	size_t        n;
};

/* Where reading stands. */
struct reader {
	const char *p, *end, *start;
	char       *why; /* [160] */
};

static unsigned
column(const struct reader *in, const char *p)
{
	return (unsigned)(p - in->start) + 1;
}

void
custom_free(struct custom *c)
{
	if (!c)
		return;
	for (size_t i = 0; i < c->n; i++)
		free(c->v[i].time);
	free(c->v);
	free(c->source);
	free(c);
}

static uint16_t
read_width(struct reader *in)
{
	unsigned n = 0;

	for (int digits = 0; in->p < in->end && *in->p >= '0' && *in->p <= '9' && digits < 3; digits++)
		n = n * 10 + (unsigned)(*in->p++ - '0');
	return (uint16_t)n;
}

/* Quote character or 0, sign, zero, width, limit. */
static char
read_modifiers(struct reader *in, struct token *t)
{
	char quote = 0;

	if (in->p < in->end && memchr("\"[#'", *in->p, 4))
		quote = *in->p++;
	if (in->p < in->end && *in->p == '-') {
		t->is_left = true;
		in->p++;
	}
	if (in->p < in->end && *in->p == '0')
		t->is_zero = true;
	t->width = read_width(in);
	if (in->p < in->end && *in->p == '.') {
		in->p++;
		t->most = read_width(in);
	}
	return quote;
}

/* "{...}" if it stands here. False: it does not end. */
static bool
read_argument(struct reader *in, struct span *arg)
{
	const char *close;

	if (in->p == in->end || *in->p != '{')
		return true;
	close = memchr(in->p, '}', (size_t)(in->end - in->p));
	if (!close) {
		snprintf(in->why, 160, "the { at column %u is not closed", column(in, in->p));
		return false;
	}
	*arg = span_of(in->p + 1, (size_t)(close - in->p - 1));
	in->p = close + 1;
	return true;
}

/* The longest code that stands here. */
static const struct row *
read_code(struct reader *in)
{
	const struct row *best = NULL;
	size_t            most = 0;

	if (in->end - in->p > 6 && memcmp(in->p, "http::", 6) == 0)
		in->p += 6;
	for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
		size_t n = strlen(codes[i].name);
		if (n > most && n <= (size_t)(in->end - in->p) && memcmp(in->p, codes[i].name, n) == 0) {
			best = &codes[i];
			most = n;
		}
	}
	in->p += most;
	return best;
}

static const struct row *
row_find(const struct row *rows, struct span name)
{
	for (; rows->name; rows++)
		if (span_eq_nocase(span_str(rows->name), name))
			return rows;
	return NULL;
}

static bool
resolve_argument(struct reader *in, const char *at, const struct row *code, struct span arg, struct token *t)
{
	const struct row *row = code;

	switch (code->takes) {
	case TAKES_NOTHING:
		if (arg.p) {
			snprintf(in->why, 160, "%%%s at column %u takes no {argument}", code->name, column(in, at));
			return false;
		}
		break;
	case TAKES_TIME:
		t->time = malloc(sizeof *t->time);
		if (!t->time)
			return false;
		if (!time_text_init(t->time, arg.p ? arg : CLF_TIME, code->code == CODE_LOCAL_TIME)) {
			snprintf(in->why, 160, "the time format at column %u is longer than 63 bytes", column(in, at));
			return false;
		}
		break;
	case TAKES_REQUEST_FIELD:
	case TAKES_REPLY_FIELD:
		row = row_find(code->takes == TAKES_REQUEST_FIELD ? request_fields : reply_fields, arg);
		if (!row)
			snprintf(in->why, 160, "%%%s at column %u knows only %s", code->name, column(in, at),
			         code->takes == TAKES_REQUEST_FIELD ? "{User-Agent} and {Referer}" : "{Content-Type}");
		break;
	case TAKES_NOTE:
		row = row_find(notes, arg);
		if (!row)
			snprintf(in->why, 160, "no such note at column %u; known: " KNOWN_NOTES, column(in, at));
		break;
	}
	if (!row)
		return false;
	t->code = row->code;
	t->text = row->text;
	return true;
}

static enum line_style
style_of(char quote, const struct row *code)
{
	switch (quote) {
	case '"': return STYLE_QUOTED;
	case '[': return code->text == RT_USER && code->code == CODE_TEXT ? STYLE_MIME_WORD : STYLE_MIME; /* a name with a blank must stay one token */
	case '#': return STYLE_STRICT;
	case '\'': return STYLE_RAW;
	default: return code->style;
	}
}

/* One %code; in->p stands after the %. */
static bool
read_token(struct reader *in, struct token *t)
{
	const char       *at = in->p - 1;
	struct span       arg = {NULL, 0};
	const struct row *code;
	char              quote = read_modifiers(in, t);

	if (!read_argument(in, &arg))
		return false;
	code = read_code(in);
	if (!code) {
		size_t n = (size_t)(in->end - at) < 6 ? (size_t)(in->end - at) : 6;
		for (size_t i = 1; i < n; i++)
			if (at[i] == ' ' || at[i] == '%')
				n = i;
		snprintf(in->why, 160, "unknown code \"%.*s\" at column %u; known: " KNOWN_CODES, (int)n, at, column(in, at));
		return false;
	}
	if (code->takes != TAKES_NOTHING && !arg.p && !read_argument(in, &arg))
		return false;
	t->style = style_of(quote, code);
	return resolve_argument(in, at, code, arg, t);
}

static bool
read_all(struct custom *c, struct reader *in)
{
	while (in->p < in->end) {
		struct token *t = &c->v[c->n++];
		const char   *from = in->p;

		if (*in->p == '%' && in->p + 1 < in->end && in->p[1] == '%') {
			t->literal = span_of(in->p, 1);
			in->p += 2;
		} else if (*in->p == '%') {
			in->p++;
			if (!read_token(in, t))
				return false;
		} else {
			for (; in->p < in->end && *in->p != '%'; in->p++)
				if (((unsigned char)*in->p < 0x20 && *in->p != '\t') || *in->p == 0x7f) {
					snprintf(in->why, 160, "control byte at column %u", column(in, in->p));
					return false;
				}
			t->literal = span_of(from, (size_t)(in->p - from));
		}
	}
	return true;
}

struct custom *
custom_new(struct span source, char why[160])
{
	struct custom *c;
	struct reader  in;

	if (source.n == 0 || source.n > SOURCE_MAX) {
		snprintf(why, 160, source.n ? "the format is longer than %u bytes" : "the format is empty", SOURCE_MAX);
		return NULL;
	}
	c = calloc(1, sizeof *c);
	if (!c)
		return NULL;
	c->source = malloc(source.n);
	c->v = calloc(source.n, sizeof *c->v); /* each token takes at least a byte */
	if (!c->source || !c->v)
		goto fail;
	memcpy(c->source, source.p, source.n);
	in = (struct reader){c->source, c->source + source.n, c->source, why};
	if (!read_all(c, &in))
		goto fail;
	return c;
fail:
	custom_free(c);
	return NULL;
}

static void
put_ms(struct line *l, uint32_t ms)
{
	if (ms != MS_NONE)
		line_number(l, ms, 0, ' ');
}

static void
put_word(struct line *l, const char *word)
{
	if (word)
		line_str(l, word);
}

static void
put_start(struct line *l, const struct record *r)
{
	uint64_t us = r->end_real_us > r->duration_us ? r->end_real_us - r->duration_us : 0;

	line_number(l, us / 1000000, 0, ' ');
	line_char(l, '.');
	line_number(l, us / 1000 % 1000, 3, '0');
}

/* Codes whose value is a number; false: another kind. A value that is not there writes nothing. */
static bool
put_number(struct line *l, const struct token *t, const struct record *r)
{
	uint64_t v;

	switch (t->code) {
	case CODE_SECONDS: v = r->end_real_us / 1000000; break;
	case CODE_MILLISECONDS: v = r->end_real_us / 1000 % 1000; break;
	case CODE_DURATION: v = r->duration_us / 1000; break;
	case CODE_CLIENT_PORT:
		if (!r->client.port)
			return true;
		v = r->client.port;
		break;
	case CODE_STATUS: v = r->status; break;
	case CODE_BYTES: v = r->bytes_in + r->bytes_out; break;
	case CODE_BYTES_IN: v = r->bytes_in; break;
	case CODE_BYTES_OUT: v = r->bytes_out; break;
	case CODE_WORKER: v = r->worker; break;
	case CODE_RESOLVE_MS: put_ms(l, r->resolve_ms); return true;
	case CODE_AUTH_MS: put_ms(l, r->auth_ms); return true;
	case CODE_QUEUE_MS: put_ms(l, r->queue_ms); return true;
	case CODE_SERVER_PORT:
		if (!r->has_address)
			return true;
		v = r->port;
		break;
	case CODE_PORT:
		if (!r->port)
			return true;
		v = r->port;
		break;
	default: return false;
	}
	line_number(l, v, 0, ' ');
	return true;
}

static void
put_value(struct line *l, const struct token *t, const struct record *r, const struct span text[RT_COUNT], bool query)
{
	switch (t->code) {
	case CODE_START: put_start(l, r); break;
	case CODE_LOCAL_TIME:
	case CODE_UTC_TIME: line_text(l, time_text_get(t->time, r->end_real_us), t->style); break;
	case CODE_CLIENT: line_addr(l, &r->client.addr); break;
	case CODE_ADDRESS:
		if (r->has_address)
			line_addr(l, &r->address);
		break;
	case CODE_SERVER_NAME:
		if (r->hier != HIER_NONE)
			line_text(l, text[RT_PARENT].n ? text[RT_PARENT] : text[RT_HOST], t->style);
		break;
	case CODE_RESULT: line_str(l, words_result(r)); break;
	case CODE_HIER: line_str(l, words_hier(r)); break;
	case CODE_TARGET: words_target(l, r, text, query, t->style); break;
	case CODE_PATH: line_text(l, words_path(text[RT_URL], query), t->style); break;
	case CODE_VERSION:
		if (r->minor != NO_MINOR)
			words_http_version(l, r);
		break;
	case CODE_SCHEME: put_word(l, words_scheme(r)); break;
	case CODE_MEDIA_TYPE: line_text(l, words_media_type(text[RT_CONTENT_TYPE]), t->style); break;
	case CODE_TEXT: line_text(l, text[t->text], t->style); break;
	case CODE_REFERER: words_url_print(l, text[RT_REFERER], query, t->style); break;
	case CODE_ID: line_id(l, r->id); break;
	case CODE_SESSION: line_id(l, r->session); break;
	case CODE_ACTION: put_word(l, words_action(r)); break;
	case CODE_AUTH_SCHEME: put_word(l, words_auth_way(r)); break;
	case CODE_BUMP_MODE: put_word(l, words_bump_mode(r)); break;
	case CODE_TLS_VERSION: line_text(l, words_tls_version(text[t->text]), t->style); break;
	case CODE_TLS_CIPHER: line_text(l, words_tls_cipher(text[t->text]), t->style); break;
	case CODE_GUARD: put_word(l, words_guard(r)); break;
	case CODE_FAULT:
		if (r->fault != FAULT_NONE)
			line_str(l, fault_row((enum fault)r->fault)->word);
		break;
	default: break; /* an ident, which nobody has */
	}
}

/* Cut and fill what was written since `from`. */
static void
fit(struct line *l, char *from, const struct token *t, bool is_number)
{
	size_t n = (size_t)(l->at - from), fill, room;

	if (t->most && n > t->most) {
		n = t->most;
		while (n > 0 && t->style == STYLE_RAW && ((unsigned char)from[n] & 0xc0) == 0x80)
			n--; /* not inside a character */
		l->at = from + n;
	}
	room = (size_t)(l->end - l->at);
	if (n >= t->width)
		return;
	fill = t->width - n < room ? t->width - n : room;
	if (t->is_left) {
		memset(l->at, ' ', fill);
	} else {
		memmove(from + fill, from, n);
		memset(from, t->is_zero && is_number ? '0' : ' ', fill);
	}
	l->at += fill;
}

void
format_custom(struct line *l, const struct record *r, const struct span text[RT_COUNT], bool query, const struct custom *c)
{
	for (size_t i = 0; i < c->n; i++) {
		const struct token *t = &c->v[i];
		char               *from = l->at;
		bool                is_number;

		if (t->code == CODE_LITERAL) {
			line_span(l, t->literal);
			continue;
		}
		is_number = put_number(l, t, r);
		if (!is_number)
			put_value(l, t, r, text, query);
		if (l->at == from) {
			line_char(l, '-');
			is_number = false;
		}
		fit(l, from, t, is_number);
	}
}
