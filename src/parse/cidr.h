/* SPDX-License-Identifier: MIT */
/* cidr: "10.0.0.0/8", "2001:db8::/32", or a plain address (a /32 or /128). */
#ifndef POSTERN_PARSE_CIDR_H
#define POSTERN_PARSE_CIDR_H

#include "base/addr.h"

struct cidr {
	struct addr addr; /* host bits are zero */
	uint8_t     bits; /* 0-128 of the 16-byte form: IPv4 a.b.c.d/n is n + 96 */
};

enum cidr_fault { CIDR_FINE, CIDR_BAD, CIDR_HOST_BITS /* 10.0.0.1/8: addr holds the network that was meant */ };

/* `in` whole; *out is set for CIDR_FINE and CIDR_HOST_BITS. An IPv4-mapped prefix below /96 is CIDR_BAD. */
enum cidr_fault cidr_parse(struct span in, struct cidr *out);
/* First and last address. */
void cidr_range(const struct cidr *c, struct addr *first, struct addr *last);

#endif
