/* SPDX-License-Identifier: MIT */
/*
 * addr: one IP address in one canonical form.
 * IPv4 is kept as its IPv4-mapped IPv6 form (RFC 4291 2.5.5.2), so that 10.0.0.1 and ::ffff:10.0.0.1 are the same value
 * wherever addresses are compared, looked up or logged. Printing gives back dotted IPv4.
 */
#ifndef POSTERN_BASE_ADDR_H
#define POSTERN_BASE_ADDR_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/span.h"

struct addr {
	uint8_t b[16];
};

/* An address and a port, and the zone of a link-local address (0: none). */
struct endpoint {
	struct addr addr;
	uint32_t    scope;
	uint16_t    port; /* host order */
};

/* Longest text that addr_print and endpoint_print write, with the NUL: [v6%4294967295]:65535 */
#define ADDR_TEXT_MAX     48
#define ENDPOINT_TEXT_MAX 72

bool        addr_is_v4(const struct addr *a);
bool        addr_eq(const struct addr *a, const struct addr *b);
struct addr addr_from_v4(uint32_t host_order);
/* Parse a whole span as an IPv4 dotted quad (four decimal parts, no leading zeros) or IPv6 text (RFC 4291 2.2, without
 * brackets or zone). False when it is anything else. */
bool addr_parse(struct span s, struct addr *out);
/* Write the text of `a` (RFC 5952; dotted for IPv4) and a NUL into `buf`; returns its length. */
size_t addr_print(const struct addr *a, char buf[ADDR_TEXT_MAX]);
/* a.b.c.d:port or [v6]:port */
size_t endpoint_print(const struct endpoint *e, char buf[ENDPOINT_TEXT_MAX]);
/* From and to what the kernel speaks. endpoint_to_sockaddr gives AF_INET for IPv4 and AF_INET6 else; returns the length. */
bool      endpoint_from_sockaddr(const struct sockaddr *sa, struct endpoint *out);
socklen_t endpoint_to_sockaddr(const struct endpoint *e, struct sockaddr_storage *out);
/* The IPv4 address that `a` carries inside an IPv6 transition form: NAT64 well-known prefix 64:ff9b::/96 (RFC 6052) and
 * 64:ff9b:1::/48 (RFC 8215), 6to4 2002::/16 (RFC 3056), Teredo 2001::/32 (RFC 4380, the client's), IPv4-compatible ::/96 and
 * ISATAP. False when it carries none. Used so that no wrapping reaches what egress-deny forbids. */
bool addr_embedded_v4(const struct addr *a, struct addr *out);

#endif
