/* SPDX-License-Identifier: MIT */
/* tls_parts: certificates, snapshots and pairs of ends, for the tests and benchmarks of tls/. What cannot be made ends the program. */
#ifndef POSTERN_TEST_TLS_PARTS_H
#define POSTERN_TEST_TLS_PARTS_H

#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "policy/snapshot.h"
#include "tls/context.h"
#include "tls/end.h"
#include "tls/end_inside.h"
#include "tls/leaf_inside.h"

static inline void
part_must(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "tls_parts: %s failed\n", what);
	abort();
}

/* A snapshot with [inspection] and nothing else; `roots` as they lie in one: free() it. */
static inline struct snapshot *
part_snapshot(uint16_t min_tls, struct span roots)
{
	struct snapshot *s = calloc(1, sizeof *s + sizeof(struct settings) + roots.n);
	struct settings *set = (struct settings *)(void *)(s + 1);

	part_must(s != NULL, "calloc");
	s->refs = 1;
	s->block = set;
	s->set = set;
	set->inspection.present = true;
	set->inspection.min_tls = min_tls;
	set->inspection.roots = (struct flat_ref){sizeof *set, (uint32_t)roots.n};
	if (roots.n)
		memcpy((char *)set + sizeof *set, roots.p, roots.n);
	return s;
}

/* A self-signed certificate for `name`. */
static inline X509 *
part_certificate(EVP_PKEY *key, const char *name, const EVP_MD *md)
{
	X509           *x = X509_new();
	X509_NAME      *subject = X509_get_subject_name(x);
	char            san[300];
	X509_EXTENSION *e;

	snprintf(san, sizeof san, "DNS:%s", name);
	part_must(X509_set_version(x, X509_VERSION_3) && ASN1_INTEGER_set(X509_get_serialNumber(x), 1) && X509_gmtime_adj(X509_getm_notBefore(x), -3600) &&
		      X509_gmtime_adj(X509_getm_notAfter(x), 864000) && X509_set_pubkey(x, key),
	    "X509");
	X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const unsigned char *)name, -1, -1, 0);
	X509_set_issuer_name(x, subject);
	e = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, san);
	part_must(e && X509_add_ext(x, e, -1) && X509_sign(x, key, md), "X509_sign");
	X509_EXTENSION_free(e);
	return x;
}

static inline struct leaf *
part_leaf(bool rsa, const char *name)
{
	struct leaf *l = calloc(1, sizeof *l);

	part_must(l != NULL, "calloc");
	l->refs = 1;
	l->key = rsa ? EVP_RSA_gen(2048) : EVP_EC_gen("P-256");
	l->cert = part_certificate(l->key, name, EVP_sha256());
	return l;
}

static inline void
part_leaf_free(struct leaf *l)
{
	X509_free(l->cert);
	EVP_PKEY_free(l->key);
	sk_X509_pop_free(l->chain, X509_free);
	free(l);
}

static inline struct profile *
part_profile(void)
{
	struct profile *p = calloc(1, sizeof *p);

	part_must(p != NULL, "calloc");
	p->refs = 1;
	p->verified_us = clock_mono_us();
	return p;
}

static inline void
part_host(struct host *h, const char *text)
{
	part_must(host_parse(span_str(text), h), "host_parse");
}

/* Two sides that speak with each other; no loop: whoever uses them asks again. */
struct part_pair {
	struct side     client, server; /* client: the end of tls_connect */
	struct tls_end *c, *s;
};

static inline void
part_join(struct part_pair *p)
{
	int fd[2];

	memset(p, 0, sizeof *p);
	part_must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fd) == 0, "socketpair");
	p->client.fd = fd[0];
	p->server.fd = fd[1];
}

/* Both shake until neither goes on. True: both are through. */
static inline bool
part_shake(struct part_pair *p)
{
	enum tls_step c = TLS_WAITS, s = TLS_WAITS;

	for (int i = 0; i < 20 && (c == TLS_WAITS || s == TLS_WAITS); i++) {
		c = tls_shake(p->c);
		s = tls_shake(p->s);
	}
	return c == TLS_SHAKEN && s == TLS_SHAKEN;
}

static inline void
part_carry(struct part_pair *p)
{
	side_carry(&p->client, tls_carrier(p->c));
	side_carry(&p->server, tls_carrier(p->s));
}

static inline void
part_close(struct side *side, struct tls_end *t)
{
	if (side->fd >= 0 && !side->carrier)
		tls_end_free(t);
	side_close(side);
}

static inline void
part(struct part_pair *p)
{
	part_close(&p->client, p->c);
	part_close(&p->server, p->s);
}

#endif
