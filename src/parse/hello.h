/* SPDX-License-Identifier: MIT */
/*
 * hello: reads a TLS ClientHello from the first bytes of a tunnel (RFC 8446 4.1.2, 5.1; RFC 6066 3; RFC 9849 ECH).
 * Pure; any number of TLS records and TCP segments, up to HELLO_MAX. Never decrypts, never alters.
 */
#ifndef POSTERN_PARSE_HELLO_H
#define POSTERN_PARSE_HELLO_H

#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"
#include "parse/hostname.h"
#include "parse/result.h"

#define HELLO_MAX 65536 /* bytes of handshake message; with record headers the caller may have to hold a little more */

enum hello_why {
	HELLO_FINE,
	HELLO_NOT_TLS,   /* not a handshake record */
	HELLO_SSLV2,     /* an SSLv2-style hello */
	HELLO_BAD,       /* TLS, but no valid ClientHello; doubled or invalid server_name included */
	HELLO_TOO_LARGE
};

struct hello {
	uint16_t    record_version, legacy_version, max_version; /* max_version: highest non-GREASE of supported_versions, else legacy */
	bool        has_sni;
	struct host sni;      /* canonical outer name; has_sni only. An IP literal in SNI is HELLO_BAD (RFC 6066 3) */
	bool        has_ech;  /* encrypted_client_hello extension present (0xfe0d); most are dummies */
	char        alpn[64]; /* first offered protocols joined by commas, printable bytes only, cut to fit; "" none */
	bool        has_alpn; /* some protocol is offered; GREASE counts */
	bool        alpn_h2, alpn_http11; /* these are among all that are offered */
	bool        ecdsa, ecdsa_12; /* can be shown a certificate with a key on P-256: at its highest version (RFC 8446 4.2.3); in TLS 1.2 too (RFC 8422 2.2, 5.1) */
};

/* Is there a whole ClientHello at the start of `in`? PARSE_MORE: not all of it yet, and what is there is right so far (the first
 * byte that cannot be right is PARSE_BAD at once). *why is set for PARSE_BAD. Cost linear in `in`; callers call it for each arrival, at
 * most once for each KiB or so. */
enum parse_result hello_parse(struct span in, struct hello *out, enum hello_why *why);

#endif
