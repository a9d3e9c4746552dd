/* SPDX-License-Identifier: MIT */
#include "audit/line.h"

#include <stdbool.h>

/* What a byte is, as far as the styles care. */
enum {
	K_CONTROL = 1, /* and DEL */
	K_BLANK = 2,
	K_HIGH = 4,
	K_QUOTE = 8, /* " */
	K_BACKSLASH = 16,
	K_ANGLE = 32,   /* < > */
	K_UNSAFE = 64,  /* # { } | ^ ~ ` ' */
	K_PERCENT = 128,
	K_SQUARE = 256, /* [ ] */
	K_PLUS = 512,
	K_EQUALS = 1024,
	K_PIPE = 2048,
};

static const uint16_t kind[256] = {
	[0 ... 31] = K_CONTROL, [' '] = K_BLANK, ['"'] = K_QUOTE, ['#'] = K_UNSAFE, ['%'] = K_PERCENT, ['\''] = K_UNSAFE, ['+'] = K_PLUS,
	['<'] = K_ANGLE, ['='] = K_EQUALS, ['>'] = K_ANGLE, ['['] = K_SQUARE, ['\\'] = K_BACKSLASH, [']'] = K_SQUARE, ['^'] = K_UNSAFE, ['`'] = K_UNSAFE, ['{'] = K_UNSAFE,
	['|'] = K_UNSAFE | K_PIPE, ['}'] = K_UNSAFE, ['~'] = K_UNSAFE, [127] = K_CONTROL, [128 ... 255] = K_HIGH,
};

/* Kinds that do not stand as they are. */
static const uint16_t touched[] = {
	[STYLE_URL] = K_CONTROL | K_BLANK | K_HIGH | K_QUOTE | K_BACKSLASH | K_ANGLE,
	[STYLE_UNSAFE] = K_CONTROL | K_BLANK | K_HIGH | K_QUOTE | K_BACKSLASH | K_ANGLE | K_UNSAFE | K_SQUARE,
	[STYLE_STRICT] = K_CONTROL | K_BLANK | K_HIGH | K_QUOTE | K_BACKSLASH | K_ANGLE | K_UNSAFE | K_PERCENT | K_SQUARE,
	[STYLE_MIME] = K_CONTROL | K_HIGH | K_BACKSLASH | K_PERCENT | K_SQUARE,
	[STYLE_MIME_WORD] = K_CONTROL | K_HIGH | K_BACKSLASH | K_PERCENT | K_SQUARE | K_BLANK,
	[STYLE_QUOTED] = K_CONTROL | K_HIGH | K_BACKSLASH | K_QUOTE,
	[STYLE_QUOTED_WORD] = K_CONTROL | K_HIGH | K_BACKSLASH | K_QUOTE | K_BLANK,
	[STYLE_JSON] = K_CONTROL | K_HIGH | K_BACKSLASH | K_QUOTE,
	[STYLE_RAW] = K_CONTROL | K_HIGH,
	[STYLE_W3C] = K_CONTROL | K_HIGH | K_BLANK | K_QUOTE | K_PLUS | K_PERCENT,
	[STYLE_CEF] = K_CONTROL | K_HIGH | K_BACKSLASH | K_EQUALS,
	[STYLE_CEF_HEAD] = K_CONTROL | K_HIGH | K_BACKSLASH | K_PIPE,
};

static const char lower_hex[] = "0123456789abcdef", upper_hex[] = "0123456789ABCDEF";

void
line_number(struct line *l, uint64_t v, unsigned width, char fill)
{
	char     text[20];
	unsigned at = sizeof text;

	do {
		text[--at] = (char)('0' + v % 10);
		v /= 10;
	} while (v);
	while (sizeof text - at < width && at > 0)
		text[--at] = fill;
	line_bytes(l, text + at, sizeof text - at);
}

void
line_id(struct line *l, uint64_t v)
{
	char text[16];

	for (int i = 15; i >= 0; i--, v >>= 4)
		text[i] = lower_hex[v & 15];
	line_bytes(l, text, sizeof text);
}

void
line_addr(struct line *l, const struct addr *a)
{
	char text[ADDR_TEXT_MAX];

	if (!addr_is_v4(a)) {
		line_bytes(l, text, addr_print(a, text));
		return;
	}
	for (int i = 12; i < 16; i++) {
		line_number(l, a->b[i], 0, ' ');
		if (i < 15)
			line_char(l, '.');
	}
}

/* Length of the UTF-8 character at p (RFC 3629 4), 0 when there is none. C1 controls do not count as one: terminals obey them. */
static size_t
utf8_length(const unsigned char *p, size_t n)
{
	unsigned char first = p[0], low = 0x80, high = 0xbf;
	size_t        len = first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf5 ? 4 : 0;

	if (len == 0 || len > n)
		return 0;
	switch (first) {
	case 0xc2: low = 0xa0; break;
	case 0xe0: low = 0xa0; break;
	case 0xed: high = 0x9f; break;
	case 0xf0: low = 0x90; break;
	case 0xf4: high = 0x8f; break;
	default: break;
	}
	if (p[1] < low || p[1] > high)
		return 0;
	for (size_t i = 2; i < len; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	return len;
}

/* Write the escape of c to out; returns its length. */
static size_t
escape(unsigned char c, enum line_style style, char out[6])
{
	const char *hex = upper_hex;

	switch (style) {
	case STYLE_JSON:
		if (c == '"' || c == '\\') {
			out[0] = '\\', out[1] = (char)c;
			return 2;
		}
		memcpy(out, "\\u00", 4);
		out[4] = lower_hex[c >> 4], out[5] = lower_hex[c & 15];
		return 6;
	case STYLE_MIME:
	case STYLE_MIME_WORD:
		if (c == '\\' || c == '\r' || c == '\n') {
			out[0] = '\\', out[1] = (char)(c == '\r' ? 'r' : c == '\n' ? 'n' : c);
			return 2;
		}
		hex = lower_hex;
		break;
	case STYLE_QUOTED:
	case STYLE_QUOTED_WORD:
		out[0] = '\\';
		if (c == '"' || c == '\\' || c == '\r' || c == '\n' || c == '\t') {
			out[1] = (char)(c == '\r' ? 'r' : c == '\n' ? 'n' : c == '\t' ? 't' : c);
			return 2;
		}
		out[1] = 'x', out[2] = lower_hex[c >> 4], out[3] = lower_hex[c & 15];
		return 4;
	case STYLE_CEF:
	case STYLE_CEF_HEAD:
		if (c == '\\' || c == '=' || c == '|' || c == '\r' || c == '\n') {
			out[0] = '\\', out[1] = (char)(c == '\r' ? 'r' : c == '\n' ? 'n' : c);
			return 2;
		}
		break;
	case STYLE_W3C:
		if (c == ' ') {
			out[0] = '+';
			return 1;
		}
		break;
	case STYLE_URL:
	case STYLE_UNSAFE:
	case STYLE_STRICT:
	case STYLE_RAW:
		break;
	}
	out[0] = '%', out[1] = hex[c >> 4], out[2] = hex[c & 15];
	return 3;
}

void
line_text(struct line *l, struct span s, enum line_style style)
{
	const unsigned char *p = (const unsigned char *)s.p, *stop = s.n ? p + s.n : p; /* nothing may be a null pointer */
	size_t               room = (size_t)(l->end - l->at), n;
	char                *at = l->at, *end = at + (room < LINE_TEXT_MAX ? room : LINE_TEXT_MAX), piece[6];
	uint16_t             touch = touched[style];
	bool                 keeps_utf8 = style == STYLE_JSON || style == STYLE_RAW || style == STYLE_CEF || style == STYLE_CEF_HEAD;

	while (p < stop) {
		if (!(kind[*p] & touch)) {
			if (at == end)
				break;
			*at++ = (char)*p++;
			continue;
		}
		if (keeps_utf8 && (kind[*p] & K_HIGH) && (n = utf8_length(p, (size_t)(stop - p))) > 0) {
			if ((size_t)(end - at) < n)
				break;
			memcpy(at, p, n);
			p += n;
			at += n;
			continue;
		}
		n = escape(*p, style, piece);
		if ((size_t)(end - at) < n)
			break;
		memcpy(at, piece, n);
		at += n;
		p++;
	}
	l->at = at;
}
