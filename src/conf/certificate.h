/* SPDX-License-Identifier: MIT */
/*
 * certificate: takes certificates and CRLs out of files, and says what is wrong with an authority's, or a listener's. The one file of this room that uses OpenSSL: the
 * parent has to judge what an administrator names, and tls/ is for connections.
 * Judges no chain and no origin; reads no key. What comes out is bytes (DER) and sentences, nothing of OpenSSL's.
 * Always true: what else a file holds (a key beside its certificate) is wiped, not decoded.
 */
#ifndef POSTERN_CONF_CERTIFICATE_H
#define POSTERN_CONF_CERTIFICATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"

/* What `trust = system` means: Debian's ca-certificates keeps it. */
#define SYSTEM_ROOTS "/etc/ssl/certs/ca-certificates.crt"

#define CERTIFICATE_FILE_MOST ((size_t)64 << 20) /* bytes of one file; lists of revoked certificates can be long */

enum der_kind { DER_CERTIFICATE, DER_CRL };

/* Pieces of DER, one after the other: 4 bytes of length, big-endian, and so many bytes. */
struct der_list {
	char    *v; /* owned */
	size_t   n, room;
	uint32_t count;
	bool     beside_key; /* some file held a private key too */
};

#define DER_WHY 160

void der_list_clear(struct der_list *d);
/* Append what `bytes` hold: PEM, of which the pieces of `kind` are taken and others passed over, or DER, one piece. False: `why` says what is wrong, the
 * list is as it was. */
bool der_list_add(struct der_list *d, enum der_kind kind, struct span bytes, char why[DER_WHY]);
/* The same of a file. */
bool der_list_read(struct der_list *d, enum der_kind kind, const char *path, char why[DER_WHY]);
/* The next piece off the front of `rest`; false at the end. */
bool der_next(struct span *rest, struct span *der);

/* Why the certificate of an authority that signs for clients cannot do so (an error), or soon cannot (none); each is one sentence with what would be right. */
typedef void certificate_say(void *arg, bool error, const char *text);
void certificate_ca_judge(struct span der, int64_t now, certificate_say *say, void *arg);
/* The same of one that a listener shows to its clients; the others of its chain are looked at for their strength alone. */
void certificate_server_judge(struct span der, int64_t now, certificate_say *say, void *arg);
void certificate_link_judge(struct span der, certificate_say *say, void *arg);
/* Was a newer one due? Then whose it is and when that was: "CN=..., 2026-01-02 03:04:05 UTC". */
bool crl_is_old(struct span der, int64_t now, char *text, size_t n);
/* SHA-256. False: no memory. */
bool certificate_print(struct span der, uint8_t print[32]);

#endif
