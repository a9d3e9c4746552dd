/* SPDX-License-Identifier: MIT */
/*
 * leaf_wire: the packets between a worker and the signer, over SOCK_SEQPACKET. Neither side trusts lengths; read functions are pure and fuzzed.
 */
#ifndef POSTERN_TLS_LEAF_WIRE_H
#define POSTERN_TLS_LEAF_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"

#define LEAF_PACKET_MAX 32768u

enum leaf_packet {
	LEAF_HELLO,   /* signer: its CA's print, the keys of its leaves (each kind: id and PKCS#8), the chain to send with them */
	LEAF_TICKETS, /* signer: ticket keys, newest first */
	LEAF_ASK,     /* worker: struct leaf_ask */
	LEAF_MADE,    /* signer: number, certificate */
	LEAF_REFUSED  /* signer: number, why (text) */
};

struct leaf_ask {
	uint64_t    number;
	uint8_t     key, ca; /* enum leaf_key, enum leaf_ca */
	bool        page;    /* for an error page: short-lived */
	uint8_t     ca_print[32];
	uint8_t     print[32]; /* of the origin's certificate; zeros for a page */
	int64_t     not_before, not_after; /* the origin's; 0: ours */
	struct span common_name; /* "" none */
	struct span names;       /* as struct profile's: 'd' text NUL | 'a' 16 bytes, one after the other */
};

/* Bytes of the packet, 0: does not fit. */
size_t leaf_ask_write(const struct leaf_ask *a, uint8_t *out, size_t room);
bool   leaf_ask_read(struct span packet, struct leaf_ask *out); /* spans point into the packet */
struct leaf_made {
	uint64_t    number;
	bool        refused;
	struct span der; /* or why */
};
size_t leaf_made_write(const struct leaf_made *m, uint8_t *out, size_t room);
bool   leaf_made_read(struct span packet, struct leaf_made *out);

#endif
