/* SPDX-License-Identifier: MIT */
/*
 * resolve_answer: reads one DNS response to an address question (RFC 1035 4.1).
 * Pure: bytes in, values out. Believes only records that belong to the name asked for, by its CNAME chain; whether the response came from
 * a server that was asked is the channel's to know.
 */
#ifndef POSTERN_NET_RESOLVE_ANSWER_H
#define POSTERN_NET_RESOLVE_ANSWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"

#define DNS_TYPE_A     1u
#define DNS_TYPE_AAAA  28u
#define DNS_RCODE_OK   0u
#define DNS_RCODE_FORM 1u
#define DNS_RCODE_NAME 3u
#define DNS_RCODE_NOT_IMPLEMENTED 4u
#define DNS_RCODE_REFUSED         5u
#define DNS_ADDRS_MAX  32u /* for one name; more are dropped */
#define DNS_CHAIN_MAX  16u /* CNAMEs from the question to the addresses */
#define DNS_NO_TTL     UINT32_MAX

struct dns_answer {
	unsigned    rcode;
	bool        has_opt;      /* the server speaks EDNS; looked for only when rcode is DNS_RCODE_FORM */
	uint32_t    ttl;          /* seconds; the least of the chain and the addresses; DNS_NO_TTL without any */
	uint32_t    negative_ttl; /* RFC 2308 section 5: of the SOA; DNS_NO_TTL without one */
	unsigned    n;
	struct addr addr[DNS_ADDRS_MAX]; /* in the order of the answer, each once */
};

/* Read the response to one question for `type` (DNS_TYPE_A or DNS_TYPE_AAAA). False: not a valid response; `out` is then of no use. */
bool dns_answer_read(const uint8_t *p, size_t n, unsigned type, struct dns_answer *out);

#define DNS_NAME_TEXT 256u /* with its NUL */
/* Where the CNAMEs of a response that dns_answer_read took lead to, as text; bytes that no host name has stand as '?'. "": there are none. For people. */
void dns_chain_end(const uint8_t *p, size_t n, char out[DNS_NAME_TEXT]);

#endif
