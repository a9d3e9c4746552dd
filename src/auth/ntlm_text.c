/* SPDX-License-Identifier: MIT */
#include "auth/ntlm_text.h"

/* The upper half of code page 850. */
static const uint16_t oem[128] = {
	0x00c7, 0x00fc, 0x00e9, 0x00e2, 0x00e4, 0x00e0, 0x00e5, 0x00e7, 0x00ea, 0x00eb, 0x00e8, 0x00ef, 0x00ee, 0x00ec, 0x00c4, 0x00c5,
	0x00c9, 0x00e6, 0x00c6, 0x00f4, 0x00f6, 0x00f2, 0x00fb, 0x00f9, 0x00ff, 0x00d6, 0x00dc, 0x00f8, 0x00a3, 0x00d8, 0x00d7, 0x0192,
	0x00e1, 0x00ed, 0x00f3, 0x00fa, 0x00f1, 0x00d1, 0x00aa, 0x00ba, 0x00bf, 0x00ae, 0x00ac, 0x00bd, 0x00bc, 0x00a1, 0x00ab, 0x00bb,
	0x2591, 0x2592, 0x2593, 0x2502, 0x2524, 0x00c1, 0x00c2, 0x00c0, 0x00a9, 0x2563, 0x2551, 0x2557, 0x255d, 0x00a2, 0x00a5, 0x2510,
	0x2514, 0x2534, 0x252c, 0x251c, 0x2500, 0x253c, 0x00e3, 0x00c3, 0x255a, 0x2554, 0x2569, 0x2566, 0x2560, 0x2550, 0x256c, 0x00a4,
	0x00f0, 0x00d0, 0x00ca, 0x00cb, 0x00c8, 0x0131, 0x00cd, 0x00ce, 0x00cf, 0x2518, 0x250c, 0x2588, 0x2584, 0x00a6, 0x00cc, 0x2580,
	0x00d3, 0x00df, 0x00d4, 0x00d2, 0x00f5, 0x00d5, 0x00b5, 0x00fe, 0x00de, 0x00da, 0x00db, 0x00d9, 0x00fd, 0x00dd, 0x00af, 0x00b4,
	0x00ad, 0x00b1, 0x2017, 0x00be, 0x00b6, 0x00a7, 0x00f7, 0x00b8, 0x00b0, 0x00a8, 0x00b7, 0x00b9, 0x00b3, 0x00b2, 0x25a0, 0x00a0,
};

/* Every `step`-th unit from first to last has its upper case `by` away. */
static const struct upper_run {
	uint16_t first, last, step;
	int16_t  by;
} upper_runs[] = {
	{0x00e0, 0x00f6, 1, -32}, {0x00f8, 0x00fe, 1, -32}, {0x00ff, 0x00ff, 1, 121}, {0x0101, 0x012f, 2, -1}, {0x0133, 0x0137, 2, -1},
	{0x013a, 0x0148, 2, -1}, {0x014b, 0x0177, 2, -1}, {0x017a, 0x017e, 2, -1}, {0x0180, 0x0180, 1, 195}, {0x0183, 0x0185, 2, -1},
	{0x0188, 0x0188, 1, -1}, {0x018c, 0x018c, 1, -1}, {0x0192, 0x0192, 1, -1}, {0x0195, 0x0195, 1, 97}, {0x0199, 0x0199, 1, -1},
	{0x019a, 0x019a, 1, 163}, {0x019e, 0x019e, 1, 130}, {0x01a1, 0x01a5, 2, -1}, {0x01a8, 0x01a8, 1, -1}, {0x01ad, 0x01ad, 1, -1},
	{0x01b0, 0x01b0, 1, -1}, {0x01b4, 0x01b6, 2, -1}, {0x01b9, 0x01b9, 1, -1}, {0x01bd, 0x01bd, 1, -1}, {0x01bf, 0x01bf, 1, 56},
	{0x01c6, 0x01c6, 1, -2}, {0x01c9, 0x01c9, 1, -2}, {0x01cc, 0x01cc, 1, -2}, {0x01ce, 0x01dc, 2, -1}, {0x01dd, 0x01dd, 1, -79},
	{0x01df, 0x01ef, 2, -1}, {0x01f3, 0x01f3, 1, -2}, {0x01f5, 0x01f5, 1, -1}, {0x01f9, 0x021f, 2, -1}, {0x0223, 0x0233, 2, -1},
	{0x023c, 0x023c, 1, -1}, {0x023f, 0x0240, 1, 10815}, {0x0242, 0x0242, 1, -1}, {0x0247, 0x024f, 2, -1}, {0x0250, 0x0250, 1, 10783},
	{0x0251, 0x0251, 1, 10780}, {0x0252, 0x0252, 1, 10782}, {0x0253, 0x0253, 1, -210}, {0x0254, 0x0254, 1, -206}, {0x0256, 0x0257, 1, -205},
	{0x0259, 0x0259, 1, -202}, {0x025b, 0x025b, 1, -203}, {0x0260, 0x0260, 1, -205}, {0x0263, 0x0263, 1, -207}, {0x0268, 0x0268, 1, -209},
	{0x0269, 0x0269, 1, -211}, {0x026b, 0x026b, 1, 10743}, {0x026f, 0x026f, 1, -211}, {0x0271, 0x0271, 1, 10749}, {0x0272, 0x0272, 1, -213},
	{0x0275, 0x0275, 1, -214}, {0x027d, 0x027d, 1, 10727}, {0x0280, 0x0280, 1, -218}, {0x0283, 0x0283, 1, -218}, {0x0288, 0x0288, 1, -218},
	{0x0289, 0x0289, 1, -69}, {0x028a, 0x028b, 1, -217}, {0x028c, 0x028c, 1, -71}, {0x0292, 0x0292, 1, -219}, {0x0371, 0x0373, 2, -1},
	{0x0377, 0x0377, 1, -1}, {0x037b, 0x037d, 1, 130}, {0x03ac, 0x03ac, 1, -38}, {0x03ad, 0x03af, 1, -37}, {0x03b1, 0x03c1, 1, -32},
	{0x03c3, 0x03cb, 1, -32}, {0x03cc, 0x03cc, 1, -64}, {0x03cd, 0x03ce, 1, -63}, {0x03d7, 0x03d7, 1, -8}, {0x03d9, 0x03ef, 2, -1},
	{0x03f2, 0x03f2, 1, 7}, {0x03f3, 0x03f3, 1, -116}, {0x03f8, 0x03f8, 1, -1}, {0x03fb, 0x03fb, 1, -1}, {0x0430, 0x044f, 1, -32},
	{0x0450, 0x045f, 1, -80}, {0x0461, 0x0481, 2, -1}, {0x048b, 0x04bf, 2, -1}, {0x04c2, 0x04ce, 2, -1}, {0x04cf, 0x04cf, 1, -15},
	{0x04d1, 0x052f, 2, -1}, {0x0561, 0x0586, 1, -48}, {0x1e01, 0x1e95, 2, -1}, {0x1ea1, 0x1eff, 2, -1},
};

#define N_RUNS (sizeof upper_runs / sizeof *upper_runs)

uint16_t
ntlm_text_upper(uint16_t unit)
{
	size_t low = 0, high = N_RUNS;

	if (unit < 0x80)
		return unit >= 'a' && unit <= 'z' ? (uint16_t)(unit - 32) : unit;
	while (low < high) {
		size_t                  middle = (low + high) / 2;
		const struct upper_run *r = &upper_runs[middle];
		if (unit > r->last)
			low = middle + 1;
		else if (unit < r->first)
			high = middle;
		else
			return (unit - r->first) % r->step == 0 ? (uint16_t)(unit + r->by) : unit;
	}
	return unit;
}

bool
ntlm_text_take(struct span *utf8, uint32_t *c)
{
	static const uint32_t least[5] = {0, 0, 0x80, 0x800, 0x10000};
	uint8_t               b;
	unsigned              n;

	if (utf8->n == 0)
		return false;
	b = (uint8_t)utf8->p[0];
	n = b < 0x80 ? 1 : b >= 0xc2 && b < 0xe0 ? 2 : b >= 0xe0 && b < 0xf0 ? 3 : b >= 0xf0 && b < 0xf5 ? 4 : 0;
	if (n == 0 || n > utf8->n)
		return false;
	*c = n == 1 ? b : b & (0x7fu >> n);
	for (unsigned i = 1; i < n; i++) {
		if (((uint8_t)utf8->p[i] & 0xc0) != 0x80)
			return false;
		*c = *c << 6 | ((uint8_t)utf8->p[i] & 0x3f);
	}
	if (*c < least[n] || (*c >= 0xd800 && *c < 0xe000) || *c > 0x10ffff)
		return false;
	utf8->p += n;
	utf8->n -= n;
	return true;
}

/* One character off the front of UTF-16LE. */
static bool
take_utf16(struct span *s, uint32_t *c)
{
	uint32_t low;

	if (s->n < 2)
		return false;
	*c = (uint8_t)s->p[0] | (uint32_t)(uint8_t)s->p[1] << 8;
	s->p += 2;
	s->n -= 2;
	if (*c < 0xd800 || *c >= 0xe000)
		return true;
	if (*c >= 0xdc00 || s->n < 2)
		return false;
	low = (uint8_t)s->p[0] | (uint32_t)(uint8_t)s->p[1] << 8;
	if (low < 0xdc00 || low >= 0xe000)
		return false;
	*c = 0x10000 + ((*c - 0xd800) << 10 | (low - 0xdc00));
	s->p += 2;
	s->n -= 2;
	return true;
}

static bool
take_oem(struct span *s, uint32_t *c)
{
	*c = (uint8_t)*s->p;
	if (*c >= 0x80)
		*c = oem[*c - 0x80];
	s->p++;
	s->n--;
	return true;
}

static bool
is_utf8(struct span s)
{
	uint32_t c;

	while (s.n > 0)
		if (!ntlm_text_take(&s, &c))
			return false;
	return true;
}

static size_t
put_utf8(char out[4], uint32_t c)
{
	if (c < 0x80) {
		out[0] = (char)c;
		return 1;
	}
	if (c < 0x800) {
		out[0] = (char)(0xc0 | c >> 6);
		out[1] = (char)(0x80 | (c & 63));
		return 2;
	}
	if (c < 0x10000) {
		out[0] = (char)(0xe0 | c >> 12);
		out[1] = (char)(0x80 | (c >> 6 & 63));
		out[2] = (char)(0x80 | (c & 63));
		return 3;
	}
	out[0] = (char)(0xf0 | c >> 18);
	out[1] = (char)(0x80 | (c >> 12 & 63));
	out[2] = (char)(0x80 | (c >> 6 & 63));
	out[3] = (char)(0x80 | (c & 63));
	return 4;
}

bool
ntlm_text_read(struct span text, bool unicode, char *out, size_t room)
{
	bool (*take)(struct span *, uint32_t *) = unicode ? take_utf16 : is_utf8(text) ? ntlm_text_take : take_oem;
	size_t n = 0;

	out[0] = 0;
	while (text.n > 0) {
		uint32_t c;
		char     bytes[4];
		size_t   len;
		if (!take(&text, &c) || c < 0x20 || (c >= 0x7f && c < 0xa0))
			return false;
		len = put_utf8(bytes, c);
		if (len >= room - n)
			return false;
		memcpy(out + n, bytes, len);
		n += len;
		out[n] = 0;
	}
	return true;
}

static void
put_unit(char *out, uint32_t unit)
{
	out[0] = (char)unit;
	out[1] = (char)(unit >> 8);
}

size_t
ntlm_text_utf16(struct span utf8, char *out, size_t room)
{
	size_t n = 0;

	while (utf8.n > 0) {
		uint32_t c;
		size_t   len;
		if (!ntlm_text_take(&utf8, &c))
			return SIZE_MAX;
		len = c < 0x10000 ? 2 : 4;
		if (len > room - n)
			return SIZE_MAX;
		if (len == 2) {
			put_unit(out + n, c);
		} else {
			put_unit(out + n, 0xd800 + ((c - 0x10000) >> 10));
			put_unit(out + n + 2, 0xdc00 + ((c - 0x10000) & 0x3ff));
		}
		n += len;
	}
	return n;
}

size_t
ntlm_text_oem(struct span utf8, char *out, size_t room)
{
	size_t   n = 0;
	uint32_t c;

	while (n < room && ntlm_text_take(&utf8, &c)) {
		char b = c < 0x80 ? (char)c : '?';
		for (unsigned i = 0; c >= 0x80 && i < 128; i++)
			if (oem[i] == c)
				b = (char)(0x80 + i);
		out[n++] = b;
	}
	return n;
}
