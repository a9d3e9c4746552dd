/* SPDX-License-Identifier: MIT */
/*
 * addr_group: what "private", "loopback" and "any" mean.
 * "private" follows the IANA IPv4 and IPv6 Special-Purpose Address Registries (RFC 6890): what they do not call globally reachable; besides,
 * multicast and what is reserved, where no TCP origin can be, and what once was special and may still be routed inside (fec0::/10).
 */
#include "match/addr_set.h"

#define V4(a, b, c, d, n) {.addr = {{[10] = 0xff, [11] = 0xff, [12] = (a), [13] = (b), [14] = (c), [15] = (d)}}, .bits = 96 + (n)}
#define V6(a, b, c, d, e, f, n) \
	{.addr = {{(a) >> 8, (a) & 255, (b) >> 8, (b) & 255, (c) >> 8, (c) & 255, (d) >> 8, (d) & 255, [12] = (e) >> 8, (e) & 255, (f) >> 8, (f) & 255}}, .bits = (n)}

static const struct cidr private_list[] = {
	V4(0, 0, 0, 0, 8),        /* this network, RFC 791 */
	V4(10, 0, 0, 0, 8),       /* RFC 1918 */
	V4(100, 64, 0, 0, 10),    /* shared address space, RFC 6598 */
	V4(127, 0, 0, 0, 8),      /* loopback, RFC 1122 */
	V4(169, 254, 0, 0, 16),   /* link-local, RFC 3927; cloud metadata */
	V4(172, 16, 0, 0, 12),    /* RFC 1918 */
	V4(192, 0, 0, 0, 24),     /* protocol assignments, RFC 6890 */
	V4(192, 0, 2, 0, 24),     /* TEST-NET-1, RFC 5737 */
	V4(192, 88, 99, 0, 24),   /* 6to4 relay anycast, RFC 7526 */
	V4(192, 168, 0, 0, 16),   /* RFC 1918 */
	V4(198, 18, 0, 0, 15),    /* benchmarking, RFC 2544 */
	V4(198, 51, 100, 0, 24),  /* TEST-NET-2, RFC 5737 */
	V4(203, 0, 113, 0, 24),   /* TEST-NET-3, RFC 5737 */
	V4(224, 0, 0, 0, 4),      /* multicast, RFC 5771 */
	V4(240, 0, 0, 0, 4),      /* reserved, RFC 1112; limited broadcast */
	V6(0, 0, 0, 0, 0, 0, 128),           /* unspecified, RFC 4291 */
	V6(0, 0, 0, 0, 0, 1, 128),           /* loopback, RFC 4291 */
	V6(0x64, 0xff9b, 1, 0, 0, 0, 48),    /* local NAT64, RFC 8215 */
	V6(0x100, 0, 0, 0, 0, 0, 64),        /* discard-only, RFC 6666 */
	V6(0x100, 0, 0, 1, 0, 0, 64),        /* dummy prefix, RFC 9780 */
	V6(0x2001, 0, 0, 0, 0, 0, 23),       /* protocol assignments, RFC 2928: Teredo, ORCHID and benchmarking among them */
	V6(0x2001, 0xdb8, 0, 0, 0, 0, 32),   /* documentation, RFC 3849 */
	V6(0x3fff, 0, 0, 0, 0, 0, 20),       /* documentation, RFC 9637 */
	V6(0x5f00, 0, 0, 0, 0, 0, 16),       /* segment routing SIDs, RFC 9602 */
	V6(0xfc00, 0, 0, 0, 0, 0, 7),        /* unique local, RFC 4193 */
	V6(0xfe80, 0, 0, 0, 0, 0, 10),       /* link-local, RFC 4291 */
	V6(0xfec0, 0, 0, 0, 0, 0, 10),       /* site-local, RFC 3879 */
	V6(0xff00, 0, 0, 0, 0, 0, 8),        /* multicast, RFC 4291 */
};

static const struct cidr loopback_list[] = {
	V4(127, 0, 0, 0, 8),
	V6(0, 0, 0, 0, 0, 1, 128),
};

static const struct cidr any_list[] = {
	V6(0, 0, 0, 0, 0, 0, 0),
};

bool
addr_group(struct span name, const struct cidr **list, size_t *n)
{
	static const struct {
		const char        *name;
		const struct cidr *list;
		size_t             n;
	} rows[] = {
		{"private", private_list, sizeof private_list / sizeof *private_list},
		{"loopback", loopback_list, sizeof loopback_list / sizeof *loopback_list},
		{"any", any_list, sizeof any_list / sizeof *any_list},
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		if (span_eq(name, span_str(rows[i].name))) {
			*list = rows[i].list;
			*n = rows[i].n;
			return true;
		}
	return false;
}
