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
	LEAF_REFUSED, /* signer: number, why (text) */
	LEAF_FOREIGN  /* signer: number; it has another CA: ask again when it says hello */
};
#define LEAF_KEYS        2u  /* enum leaf_key */
#define LEAF_CAS         2u  /* enum leaf_ca */
#define LEAF_TICKET      80u /* bytes of a ticket key */
#define LEAF_TICKETS_MAX 8u
#define LEAF_WHY_MAX     256u

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

/* What kind of packet this is; false: none. */
bool leaf_packet_kind(struct span packet, enum leaf_packet *kind);
/* Bytes of the packet, 0: does not fit. */
size_t leaf_ask_write(const struct leaf_ask *a, uint8_t *out, size_t room);
bool   leaf_ask_read(struct span packet, struct leaf_ask *out); /* spans point into the packet */
struct leaf_made {
	uint64_t    number;
	bool        refused;
	bool        foreign; /* refused, since the signer has another CA */
	struct span der; /* or why */
};
size_t leaf_made_write(const struct leaf_made *m, uint8_t *out, size_t room);
bool   leaf_made_read(struct span packet, struct leaf_made *out);

/* What the signer says first, and again when something of it changes. The newest is what counts for all that comes after it. */
struct leaf_hello {
	uint8_t ca_print[32];
	struct {
		uint64_t    id;    /* another one: another key */
		struct span pkcs8; /* DER: secret */
	} key[LEAF_KEYS];
	struct span chain[LEAF_CAS]; /* to send behind the leaves of each CA; as the snapshot's: 4 bytes of length, big-endian, DER, ... */
};
size_t leaf_hello_write(const struct leaf_hello *h, uint8_t *out, size_t room);
bool   leaf_hello_read(struct span packet, struct leaf_hello *out);

size_t leaf_tickets_write(const uint8_t (*key)[LEAF_TICKET], unsigned n, uint8_t *out, size_t room);
/* The keys lie in the packet. */
bool   leaf_tickets_read(struct span packet, const uint8_t (**key)[LEAF_TICKET], unsigned *n);

/* Walk such a list of certificates: *at starts at 0. False at the end, and for a list that is damaged. */
bool leaf_chain_next(struct span chain, size_t *at, struct span *der);
/* The names of an ask: *at starts at 0. False at the end, and for names that are damaged. */
struct leaf_name {
	struct span    dns;  /* n 0: an address */
	const uint8_t *addr; /* 16 bytes */
};
bool leaf_name_next(struct span names, size_t *at, struct leaf_name *out);

#endif
