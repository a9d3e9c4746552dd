/* SPDX-License-Identifier: MIT */
/*
 * findings: what is wrong with a certificate chain, each kind once, and which of it is the gravest.
 */
#ifndef POSTERN_TLS_FINDINGS_H
#define POSTERN_TLS_FINDINGS_H

#include <openssl/types.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/fault.h"

/* FAULT_CERT_x, the gravest first: what no rule lets through; what makes the certificate or its chain meaningless; who vouches; for whom; how well; when. */
#define FINDINGS_ORDER \
	FAULT_CERT_OWN_CA, FAULT_CERT_REVOKED, FAULT_CERT_INVALID, FAULT_CERT_BAD_CHAIN, FAULT_CERT_CONSTRAINED, FAULT_CERT_SELF_SIGNED, FAULT_CERT_UNTRUSTED, \
	    FAULT_CERT_INCOMPLETE, FAULT_CERT_WRONG_HOST, FAULT_CERT_BAD_USAGE, FAULT_CERT_WEAK_KEY, FAULT_CERT_WEAK_SIGNATURE, FAULT_CERT_NOT_YET_VALID, \
	    FAULT_CERT_EXPIRED
#define FINDINGS_MAX 14
#define FINDING_TEXT 160

struct findings {
	uint32_t kinds; /* bits of places in FINDINGS_ORDER */
	unsigned count; /* also those of a kind that was there already */
	char     text[FINDINGS_MAX][FINDING_TEXT]; /* the first of each kind */
	char     note[96]; /* not at fault, but to be known */
};

void findings_init(struct findings *f);
void findings_add(struct findings *f, enum fault fault, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
void findings_note(struct findings *f, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* FAULT_NONE: nothing is wrong. */
enum fault findings_gravest(const struct findings *f);
/* Is there one that no rule can let through: a certificate of our own CA, one that was revoked? */
bool findings_refuse(const struct findings *f);
/* Bits of enum cert_kind. */
uint16_t findings_cert_kinds(const struct findings *f);
/* All texts, gravest first, as far as there is room; then the note. */
void findings_print(const struct findings *f, char *buf, size_t n);

/* --- texts out of certificates --- */

/* "R3 (Let's Encrypt)": common name and organisation as printable UTF-8, whatever they hold. */
void name_print(const X509_NAME *name, char *buf, size_t n);
/* "2026-01-02 03:04:05 UTC" */
#define TIME_TEXT 40
const char *time_print(int64_t t, char buf[TIME_TEXT]);
/* False: not a time. */
bool time_read(const ASN1_TIME *t, int64_t *out);

#endif
