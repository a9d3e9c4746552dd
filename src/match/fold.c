/* SPDX-License-Identifier: MIT */
#include "match/fold.h"

#include <stdint.h>

/* Capital letters: all of a range lie `add` below their small ones; or (add 0) capitals and small letters take turns from `first` on. */
static const struct range {
	uint16_t first, last;
	int16_t  add;
} ranges[] = {
	{0x00c0, 0x00d6, 32}, {0x00d8, 0x00de, 32},
	{0x0100, 0x012f, 0}, {0x0132, 0x0137, 0}, {0x0139, 0x0148, 0}, {0x014a, 0x0177, 0}, {0x0178, 0x0178, -121}, {0x0179, 0x017e, 0},
	{0x01cd, 0x01dc, 0}, {0x01de, 0x01ef, 0}, {0x01f8, 0x021f, 0}, {0x0222, 0x0233, 0},
	{0x0386, 0x0386, 38}, {0x0388, 0x038a, 37}, {0x038c, 0x038c, 64}, {0x038e, 0x038f, 63}, {0x0391, 0x03a1, 32}, {0x03a3, 0x03ab, 32},
	{0x03c2, 0x03c2, 1}, /* the sigma at a word's end is the same letter */
	{0x0400, 0x040f, 80}, {0x0410, 0x042f, 32}, {0x0460, 0x0481, 0}, {0x048a, 0x04bf, 0}, {0x04c0, 0x04c0, 15}, {0x04c1, 0x04ce, 0}, {0x04d0, 0x052f, 0},
	{0x0531, 0x0556, 48},
	{0x1e00, 0x1e95, 0}, {0x1ea0, 0x1eff, 0},
};

static uint32_t
small(uint32_t c)
{
	for (size_t i = 0; i < sizeof ranges / sizeof *ranges && c >= ranges[i].first; i++)
		if (c <= ranges[i].last)
			return ranges[i].add ? (uint32_t)((int32_t)c + ranges[i].add) : c + ((c - ranges[i].first) % 2 == 0);
	return c;
}

static bool
is_tail(char c)
{
	return ((unsigned char)c & 0xc0) == 0x80;
}

void
name_fold(struct span in, char *out)
{
	for (size_t i = 0; i < in.n; i++) {
		unsigned char b = (unsigned char)in.p[i];
		uint32_t      c;
		if (b >= 0xc2 && b <= 0xdf && i + 1 < in.n && is_tail(in.p[i + 1])) {
			c = small((uint32_t)(b & 0x1f) << 6 | ((unsigned char)in.p[i + 1] & 0x3f));
			out[i] = (char)(0xc0 | c >> 6);
			out[++i] = (char)(0x80 | (c & 0x3f));
		} else if (b == 0xe1 && i + 2 < in.n && is_tail(in.p[i + 1]) && is_tail(in.p[i + 2])) {
			c = small(0x1000u | ((uint32_t)(unsigned char)in.p[i + 1] & 0x3f) << 6 | ((unsigned char)in.p[i + 2] & 0x3f));
			out[i] = (char)b;
			out[i + 1] = (char)(0x80 | (c >> 6 & 0x3f));
			out[i + 2] = (char)(0x80 | (c & 0x3f));
			i += 2;
		} else {
			out[i] = ascii_lower(in.p[i]);
		}
	}
}
