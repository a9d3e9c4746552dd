/* SPDX-License-Identifier: MIT */
#include "parse/body.h"

#include "parse/octet.h"

#define SIZE_DIGITS_MAX 16

enum state {
	SIZE,         /* digits of chunk-size */
	EXT_GAP,      /* blanks before ';' */
	EXT_NAME_GAP, /* behind ';', blanks before the name */
	EXT_NAME,
	EXT_NAME_END,  /* blanks behind a name */
	EXT_VALUE_GAP, /* behind '=', blanks before the value */
	EXT_VALUE,
	EXT_QUOTED,
	EXT_QUOTED_PAIR,
	EXT_QUOTED_END,
	SIZE_LF,
	DATA,
	DATA_CR,
	DATA_LF,
	TRAILER, /* at the start of a line of the trailer section */
	TRAILER_NAME,
	TRAILER_VALUE,
	TRAILER_LF,
	END_LF,
	DONE,
	BROKEN
};

/* What has to be known before the content: framing, routing, authentication, modifiers, control data, format (RFC 9110 6.5.1). Sorted;
 * a hyphen at the end stands for every name that begins so. */
static const char *const barred[] = {
	"age", "authorization", "cache-control", "connection", "content-encoding", "content-length", "content-range", "content-type", "cookie",
	"cookie2", "expect", "expires", "forwarded", "host", "if-", "keep-alive", "location", "max-forwards", "pragma", "proxy-", "range",
	"retry-after", "set-cookie", "set-cookie2", "te", "trailer", "transfer-encoding", "upgrade", "vary", "via", "warning",
	"www-authenticate", "x-forwarded-",
};
#define N_BARRED ((uint8_t)(sizeof barred / sizeof *barred))

void
body_init(struct body *b, enum body_kind kind, uint64_t length)
{
	*b = (struct body){.kind = kind, .left = kind == BODY_LENGTH ? length : 0, .state = SIZE};
}

static enum state
size_take(struct body *b, char c)
{
	if (octet_is(c, OCTET_HEX)) {
		if (b->digits == SIZE_DIGITS_MAX || b->left > INT64_MAX >> 4)
			return BROKEN;
		b->digits++;
		b->left = b->left << 4 | octet_hex(c);
		return SIZE;
	}
	if (b->digits == 0)
		return BROKEN;
	if (c == ';')
		return EXT_NAME_GAP;
	if (c == '\r')
		return SIZE_LF;
	return octet_is_blank(c) ? EXT_GAP : BROKEN;
}

/* What may follow a whole extension. */
static enum state
extension_end(char c)
{
	if (c == ';')
		return EXT_NAME_GAP;
	if (c == '\r')
		return SIZE_LF;
	return octet_is_blank(c) ? EXT_GAP : BROKEN;
}

/* chunk-ext = *( BWS ";" BWS name [ BWS "=" BWS ( token / quoted-string ) ] ) (RFC 9112 7.1.1) */
static enum state
extension_take(enum state state, char c)
{
	bool blank = octet_is_blank(c), token = octet_is(c, OCTET_TOKEN);

	switch (state) {
	case EXT_GAP:
		return blank ? EXT_GAP : c == ';' ? EXT_NAME_GAP : BROKEN;
	case EXT_NAME_GAP:
		return blank ? EXT_NAME_GAP : token ? EXT_NAME : BROKEN;
	case EXT_NAME:
		if (token)
			return EXT_NAME;
		if (c == '=')
			return EXT_VALUE_GAP;
		return blank ? EXT_NAME_END : extension_end(c);
	case EXT_NAME_END:
		if (c == '=')
			return EXT_VALUE_GAP;
		return blank ? EXT_NAME_END : c == ';' ? EXT_NAME_GAP : BROKEN;
	case EXT_VALUE_GAP:
		if (c == '"')
			return EXT_QUOTED;
		return blank ? EXT_VALUE_GAP : token ? EXT_VALUE : BROKEN;
	case EXT_VALUE:
		return token ? EXT_VALUE : extension_end(c);
	case EXT_QUOTED:
		if (c == '"')
			return EXT_QUOTED_END;
		return c == '\\' ? EXT_QUOTED_PAIR : octet_is(c, OCTET_QUOTED) ? EXT_QUOTED : BROKEN;
	case EXT_QUOTED_PAIR:
		return octet_is(c, OCTET_TEXT) ? EXT_QUOTED : BROKEN;
	default:
		return extension_end(c);
	}
}

/* One byte of a chunk-size line. */
static enum state
line_take(struct body *b, char c)
{
	if (++b->line > BODY_CHUNK_LINE_MAX)
		return BROKEN;
	if (b->state == SIZE)
		return size_take(b, c);
	if (b->state != SIZE_LF)
		return extension_take(b->state, c);
	if (c != '\n')
		return BROKEN;
	return b->left > 0 ? DATA : TRAILER;
}

/* Keep those of `barred` that begin as the name does up to and with its next byte; false when one of them bars it already. */
static bool
name_take(struct body *b, char c)
{
	char lower = ascii_lower(c);

	/* a name that has outgrown one of them sorts behind it */
	while (b->lo < b->hi && barred[b->lo][b->line] < lower)
		b->lo++;
	while (b->lo < b->hi && barred[b->hi - 1][b->line] > lower)
		b->hi--;
	if (b->lo == b->hi)
		return true;
	b->line++;
	return lower != '-' || barred[b->lo][b->line] != '\0';
}

/* One byte of the trailer section. */
static enum state
trailer_take(struct body *b, char c)
{
	if (++b->trailer > BODY_TRAILER_MAX)
		return BROKEN;
	switch (b->state) {
	case TRAILER:
		if (c == '\r')
			return END_LF;
		b->line = 0;
		b->lo = 0;
		b->hi = N_BARRED;
		if (!octet_is(c, OCTET_TOKEN))
			return BROKEN;
		name_take(b, c);
		return TRAILER_NAME;
	case TRAILER_NAME:
		if (c == ':')
			return b->lo < b->hi && barred[b->lo][b->line] == '\0' ? BROKEN : TRAILER_VALUE;
		return octet_is(c, OCTET_TOKEN) && name_take(b, c) ? TRAILER_NAME : BROKEN;
	case TRAILER_VALUE:
		if (c == '\r')
			return TRAILER_LF;
		return octet_is(c, OCTET_TEXT) ? TRAILER_VALUE : BROKEN;
	case TRAILER_LF:
		return c == '\n' ? TRAILER : BROKEN;
	default:
		return c == '\n' ? DONE : BROKEN;
	}
}

/* Content at the front of what is left of `in`. */
static struct span
data_take(struct body *b, struct span in)
{
	struct span run = {in.p, in.n < b->left ? in.n : (size_t)b->left};

	b->left -= run.n;
	b->total += run.n;
	return run;
}

static enum parse_result
chunked_take(struct body *b, struct span in, size_t *used, struct span *data)
{
	size_t i = 0;

	while (i < in.n && b->state < DONE) {
		char c = in.p[i];
		if (b->state == DATA) {
			/* one run for each call */
			*data = data_take(b, span_of(in.p + i, in.n - i));
			i += data->n;
			if (b->left == 0)
				b->state = DATA_CR;
			break;
		}
		if (b->state < DATA) {
			b->state = line_take(b, c);
		} else if (b->state == DATA_CR) {
			b->state = c == '\r' ? DATA_LF : BROKEN;
		} else if (b->state == DATA_LF) {
			b->state = c == '\n' ? SIZE : BROKEN;
			b->digits = 0;
			b->line = 0;
		} else {
			b->state = trailer_take(b, c);
		}
		i += b->state != BROKEN;
	}
	*used = i;
	if (b->state == BROKEN)
		return PARSE_BAD;
	return b->state == DONE ? PARSE_OK : PARSE_MORE;
}

enum parse_result
body_take(struct body *b, struct span in, size_t *used, struct span *data)
{
	*data = span_of(in.p, 0);
	switch (b->kind) {
	case BODY_NONE:
		*used = 0;
		return PARSE_OK;
	case BODY_LENGTH:
		*data = data_take(b, in);
		*used = data->n;
		return b->left == 0 ? PARSE_OK : PARSE_MORE;
	case BODY_CHUNKED:
		return chunked_take(b, in, used, data);
	default:
		*data = in;
		*used = in.n;
		b->total += in.n;
		return PARSE_MORE;
	}
}
