/* SPDX-License-Identifier: MIT */
#include "parse/cidr.h"

#define V4_SHIFT 96 /* an IPv4 prefix of n bits is n + 96 of the 16-byte form */

/* One to three digits, no leading zero, at most `most`. */
static bool
bits_read(struct span s, unsigned most, unsigned *out)
{
	unsigned n = 0;

	if (s.n == 0 || s.n > 3 || (s.n > 1 && s.p[0] == '0'))
		return false;
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
		n = n * 10 + (unsigned)(s.p[i] - '0');
	}
	*out = n;
	return n <= most;
}

/* Which bits of byte `i` lie behind a prefix of `bits`. */
static uint8_t
host_mask(unsigned bits, unsigned i)
{
	if (bits >= 8 * (i + 1))
		return 0;
	return bits <= 8 * i ? 0xff : (uint8_t)(0xff >> (bits - 8 * i));
}

enum cidr_fault
cidr_parse(struct span in, struct cidr *out)
{
	const char *slash = in.n ? memchr(in.p, '/', in.n) : NULL;
	struct span text = {in.p, slash ? (size_t)(slash - in.p) : in.n};
	struct cidr c;
	unsigned    bits = 128;
	bool        dotted, stray = false;

	if (!addr_parse(text, &c.addr))
		return CIDR_BAD;
	dotted = !memchr(text.p, ':', text.n);
	if (slash) {
		if (!bits_read(span_of(slash + 1, in.n - text.n - 1), dotted ? 32 : 128, &bits))
			return CIDR_BAD;
		if (dotted)
			bits += V4_SHIFT;
	}
	/* it would mix IPv4 with something that is not */
	if (bits < V4_SHIFT && addr_is_v4(&c.addr))
		return CIDR_BAD;
	for (unsigned i = 0; i < sizeof c.addr.b; i++) {
		uint8_t mask = host_mask(bits, i);
		stray |= (c.addr.b[i] & mask) != 0;
		c.addr.b[i] &= (uint8_t)~mask;
	}
	c.bits = (uint8_t)bits;
	*out = c;
	return stray ? CIDR_HOST_BITS : CIDR_FINE;
}

void
cidr_range(const struct cidr *c, struct addr *first, struct addr *last)
{
	*first = *last = c->addr;
	for (unsigned i = 0; i < sizeof last->b; i++)
		last->b[i] |= host_mask(c->bits, i);
}
