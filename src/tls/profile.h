/* SPDX-License-Identifier: MIT */
/*
 * profile: what is known of an origin after its handshake, as plain values: what its certificate says, how it was judged, how it speaks TLS.
 * Leaves are made after it, the log and the rules read it. Counted; never changes once made.
 */
#ifndef POSTERN_TLS_PROFILE_H
#define POSTERN_TLS_PROFILE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/fault.h"
#include "base/span.h"
#include "conf/conf.h"

#define PROFILE_NAMES_MAX 100u  /* names of a certificate that a leaf repeats; the one that was asked for is always among them */
#define PROFILE_PRINT     32u   /* SHA-256 */

struct profile {
	unsigned    refs;
	uint8_t     print[PROFILE_PRINT]; /* of the origin's own certificate, DER */
	enum fault  fault;      /* FAULT_NONE: it was found good; else FAULT_CERT_x: what is wrong, the gravest thing if several */
	bool        refuse;     /* and no rule can let it through (revoked, our own CA's) */
	uint16_t    kinds;      /* bit 1 << enum cert_kind for everything that is wrong, the gravest included */
	char        detail[192]; /* what exactly is wrong, gravest first, for the page and the log: "expired 2026-01-02 03:04:05 UTC"; of a good one: a note, or "" */
	char        issuer[128]; /* for the log: the issuer's organisation and common name, printable UTF-8 */
	char        common_name[65]; /* of its subject, when it is a name that a leaf may repeat; "" else */
	int64_t     not_before, not_after; /* seconds since 1970 */
	uint16_t    version;    /* 0x0303, 0x0304 */
	uint16_t    strength;   /* bits: the weaker of cipher and certificate key, as OpenSSL counts security bits */
	char        cipher[48]; /* "TLS_AES_128_GCM_SHA256" */
	bool        h2;         /* it chose h2 */
	uint64_t    verified_us; /* monotonic */
	uint32_t    n_names;    /* DNS names, canonical, `*.` in front allowed, and addresses */
	uint32_t    size;       /* of names */
	char        names[];    /* each: 'd' text NUL, or 'a' and 16 bytes of struct addr's address */
};

struct profile *profile_ref(struct profile *p);
void            profile_unref(struct profile *p);

/* What a configuration that has an answer for each kind says to this origin: the strictest answer of all that is wrong with it. Good: ORIGIN_PASS. */
enum bad_origin profile_answer(const struct profile *p, const uint8_t answer[CERT_KINDS]);

/* Walk the names: *at starts at 0. False at the end. One of the two is set: dns.n > 0, or is_addr. */
struct profile_name {
	struct span dns;
	struct addr addr;
	bool        is_addr;
};
bool profile_name_next(const struct profile *p, size_t *at, struct profile_name *out);

#endif
