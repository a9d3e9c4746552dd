/* SPDX-License-Identifier: MIT */
/*
 * names: the hosts that a certificate is for, read from its subjectAltName and cleaned (RFC 9525): DNS names in canonical spelling and addresses.
 * The common name counts for nothing. What is left out: a name with a NUL or a byte beyond ASCII, with a trailing dot, with a `*` other than as its whole
 * first label with two labels after it, an address written as a name, a name with an underscore that is not the host asked for (no leaf may repeat it).
 */
#ifndef POSTERN_TLS_NAMES_H
#define POSTERN_TLS_NAMES_H

#include <openssl/types.h>
#include <stdbool.h>
#include <stdint.h>

#include "parse/hostname.h"
#include "tls/profile.h"

/* Each at most 'd', a name and a NUL. */
#define NAMES_BYTES_MAX (PROFILE_NAMES_MAX * (1u + HOSTNAME_MAX + 1u))

struct names {
	uint32_t n, size;  /* kept; as struct profile has them */
	uint32_t total;    /* DNS names and addresses that the certificate has, good or not */
	bool     covers;   /* the host asked for is among them; what covers it is kept first */
	char     text[NAMES_BYTES_MAX];
};

/* A presented DNS name, cleaned, into out, NUL-terminated; its length, 0: not to be used. */
size_t name_clean(struct span raw, char out[HOSTNAME_MAX + 1]);
/* Does the cleaned `name`, which may be a wildcard, stand for `host` (RFC 9525 6.3)? */
bool name_covers(struct span name, struct span host);

/* False: no memory, or a subjectAltName that cannot be read; then there are none. */
bool names_of(const X509 *cert, const struct host *host, struct names *out);

#endif
