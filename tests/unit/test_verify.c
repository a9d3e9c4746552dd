/* SPDX-License-Identifier: MIT */
/* One row for each bad certificate of badssl.com's list and of the studies of interceptors: what it is called, and that nothing else is held against it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <openssl/err.h>
#include <openssl/ocsp.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "block.h"
#include "certs.h"
#include "tls/names.h"
#include "tls/verify_inside.h"

#define HOST "www.example.com"

/* Authorities that the rows choose from. */
enum who {
	NOBODY,
	ROOT,        /* trusted */
	INTER,       /* of ROOT */
	FOREIGN,     /* a root that is not trusted */
	OWN,         /* our own */
	OWN_NAME,    /* a root of our own CA's name */
	EXPIRED,     /* intermediate of ROOT, expired */
	NO_CA,       /* of ROOT, CA:FALSE but keyCertSign */
	NO_SIGN,     /* of ROOT, a server's certificate */
	NO_USAGE,    /* of ROOT, CA:TRUE but only cRLSign */
	NO_LENGTH,   /* of ROOT, pathlen:0 */
	UNDER,       /* of NO_LENGTH */
	NO_TLS,      /* of ROOT, extended key usage codeSigning */
	PERMITS,     /* of ROOT, only .example.org */
	EXCLUDES,    /* of ROOT, not example.com */
	SHORT_KEY,   /* of ROOT, RSA 1024 */
	SHA1_SIGNED, /* of ROOT, with SHA-1 */
	CROSSED,     /* INTER's name and key, of an expired root */
	OLD_ROOT,    /* expired, not trusted */
	STRANGER,    /* root of INTER's name, other key */
	WHOS
};

static X509 *who[WHOS];
static const enum cert_key who_key[WHOS] = {
	[ROOT] = CERT_P256, [INTER] = CERT_P256_B, [FOREIGN] = CERT_P256_C, [OWN] = CERT_P384, [OWN_NAME] = CERT_P256_C, [EXPIRED] = CERT_P256_B,
	[NO_CA] = CERT_P256_B, [NO_SIGN] = CERT_P256_B, [NO_USAGE] = CERT_P256_B, [NO_LENGTH] = CERT_P256_B, [UNDER] = CERT_P256_C, [NO_TLS] = CERT_P256_B, [PERMITS] = CERT_P256_B,
	[EXCLUDES] = CERT_P256_B, [SHORT_KEY] = CERT_RSA_1024, [SHA1_SIGNED] = CERT_P256_B, [CROSSED] = CERT_P256_B, [OLD_ROOT] = CERT_P256_C, [STRANGER] = CERT_P256_C,
};
static const struct {
	struct cert_want want;
	enum who         by;
} authorities[WHOS] = {
	[ROOT] = {{.cn = "Root", .org = "Test", .ca = true}, NOBODY},
	[INTER] = {{.cn = "Inter", .org = "Test", .ca = true}, ROOT},
	[FOREIGN] = {{.cn = "Foreign", .ca = true}, NOBODY},
	[OWN] = {{.cn = "Inspection", .ca = true}, NOBODY},
	[OWN_NAME] = {{.cn = "Inspection", .ca = true}, NOBODY},
	[EXPIRED] = {{.cn = "Expired", .ca = true, .from = -9 * CERT_DAY, .to = -CERT_DAY}, ROOT},
	[NO_CA] = {{.cn = "No CA", .ca = true, .bc = "critical,CA:FALSE"}, ROOT},
	[NO_SIGN] = {{.cn = "shop.example.org", .san = "DNS:shop.example.org"}, ROOT},
	[NO_USAGE] = {{.cn = "No usage", .ca = true, .ku = "critical,cRLSign"}, ROOT},
	[NO_LENGTH] = {{.cn = "No length", .ca = true, .bc = "critical,CA:TRUE,pathlen:0"}, ROOT},
	[UNDER] = {{.cn = "Under", .ca = true}, NO_LENGTH},
	[NO_TLS] = {{.cn = "No TLS", .ca = true, .eku = "codeSigning"}, ROOT},
	[PERMITS] = {{.cn = "Permits", .ca = true, .nc = "critical,permitted;DNS:example.org"}, ROOT},
	[EXCLUDES] = {{.cn = "Excludes", .ca = true, .nc = "critical,excluded;DNS:example.com"}, ROOT},
	[SHORT_KEY] = {{.cn = "Short key", .ca = true}, ROOT},
	[SHA1_SIGNED] = {{.cn = "SHA-1", .ca = true, .digest = "SHA1"}, ROOT},
	[OLD_ROOT] = {{.cn = "Old root", .ca = true, .from = -99 * CERT_DAY, .to = -CERT_DAY}, NOBODY},
	[CROSSED] = {{.cn = "Inter", .org = "Test", .ca = true}, OLD_ROOT},
	[STRANGER] = {{.cn = "Inter", .org = "Test", .ca = true}, NOBODY},
};

static X509_STORE           *roots;
static struct verify_ground *ground;

static void
authority_make(enum who w)
{
	struct cert_want want = authorities[w].want;

	if (who[w])
		return;
	if (authorities[w].by)
		authority_make(authorities[w].by);
	want.key = who_key[w];
	who[w] = cert_make(&want, authorities[w].by ? who[authorities[w].by] : NULL, who_key[authorities[w].by]);
}

static int
setup(void **state)
{
	(void)state;
	for (unsigned w = NOBODY + 1; w < WHOS; w++)
		authority_make(w);
	roots = X509_STORE_new();
	assert_true(roots && X509_STORE_add_cert(roots, who[ROOT]));
	ground = verify_ground_new(roots, who[OWN]);
	assert_non_null(ground);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	verify_ground_free(ground);
	X509_STORE_free(roots);
	for (unsigned w = 0; w < WHOS; w++)
		X509_free(who[w]);
	certs_clear();
	return 0;
}

static struct profile *
judge_in(struct verify_ground *g, X509 *leaf, STACK_OF(X509) *sent, const char *name, struct span staple)
{
	struct host        host;
	struct profile    *p = NULL;
	char               url[VERIFY_URL_MAX + 1];
	struct verify_case c = {.leaf = leaf, .sent = sent, .staple = staple, .name = &host, .now = time(NULL), .now_us = clock_mono_us(), .version = 0x0304,
	    .cipher = "TLS_AES_256_GCM_SHA384", .cipher_bits = 256};

	assert_true(host_parse(span_str(name), &host));
	assert_int_equal(verify_chain(g, &c, &p, url), SAID_DONE);
	assert_non_null(p);
	assert_int_equal(ERR_peek_error(), 0);
	assert_int_equal(p->fault == FAULT_NONE, p->kinds == 0 && !p->refuse);
	return p;
}

#define SAN(bytes) {bytes, sizeof(bytes) - 1}
#define LABEL63 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static const struct row {
	const char      *what;
	struct cert_want leaf;
	enum who         by;
	enum who         sent[4];
	enum fault       fault;
	const char      *says; /* part of the detail */
	const char      *host; /* null: HOST */
	unsigned         more; /* how many other things are wrong as well */
} rows[] = {
	{"good", {.san = "DNS:" HOST}, INTER, {INTER}, FAULT_NONE, "", NULL, 0},
	{"good, right under the root", {.san = "DNS:" HOST}, ROOT, {0}, FAULT_NONE, "", NULL, 0},
	{"good, root sent too", {.san = "DNS:" HOST}, INTER, {INTER, ROOT}, FAULT_NONE, "", NULL, 0},
	{"good, wrong order and others", {.san = "DNS:" HOST}, INTER, {FOREIGN, ROOT, INTER}, FAULT_NONE, "", NULL, 0},
	{"good, RSA", {.san = "DNS:" HOST, .key = CERT_RSA_2048}, INTER, {INTER}, FAULT_NONE, "", NULL, 0},
	{"good, Ed25519", {.san = "DNS:" HOST, .key = CERT_ED25519}, INTER, {INTER}, FAULT_NONE, "", NULL, 0},
	{"good, SHA-384", {.san = "DNS:" HOST, .digest = "SHA384"}, INTER, {INTER}, FAULT_NONE, "", NULL, 0},
	{"good, wildcard", {.san = "DNS:*.example.com"}, INTER, {INTER}, FAULT_NONE, "", NULL, 0},
	{"good, capitals", {.san = "DNS:WWW.Example.COM"}, INTER, {INTER}, FAULT_NONE, "", NULL, 0},
	{"good, asked with a trailing dot", {.san = "DNS:" HOST}, INTER, {INTER}, FAULT_NONE, "", HOST ".", 0},
	{"good, address", {.san = "IP:192.0.2.1"}, INTER, {INTER}, FAULT_NONE, "", "192.0.2.1", 0},
	{"good, address of IPv6", {.san = "IP:2001:db8::1"}, INTER, {INTER}, FAULT_NONE, "", "[2001:db8::1]", 0},
	{"good, A-label", {.san = "DNS:xn--bcher-kva.example"}, INTER, {INTER}, FAULT_NONE, "", "xn--bcher-kva.example", 0},
	{"good, wildcard for names that a company lets", {.san = "DNS:*.blob.core.windows.net"}, INTER, {INTER}, FAULT_NONE, "", "a.blob.core.windows.net", 0},
	{"good, wildcard for an A-label", {.san = "DNS:*.example.com"}, INTER, {INTER}, FAULT_NONE, "", "xn--bcher-kva.example.com", 0},
	{"good, unknown extension", {.san = "DNS:" HOST, .odd = "plain"}, INTER, {INTER}, FAULT_NONE, "", NULL, 0},
	{"good, crossed with an expired root", {.san = "DNS:" HOST}, INTER, {CROSSED, OLD_ROOT, INTER}, FAULT_NONE, "", NULL, 0},
	{"good, crossed, root not sent", {.san = "DNS:" HOST}, INTER, {CROSSED, INTER}, FAULT_NONE, "", NULL, 0},
	{"good, issuer's name with another key first", {.san = "DNS:" HOST}, INTER, {STRANGER, INTER}, FAULT_NONE, "", NULL, 0},
	{"good, name that the constraint permits", {.san = "DNS:www.example.org"}, PERMITS, {PERMITS}, FAULT_NONE, "", "www.example.org", 0},
	{"good, label of 63", {.san = "DNS:" LABEL63 ".example.com"}, INTER, {INTER}, FAULT_NONE, "", LABEL63 ".example.com", 0},

	{"expired", {.san = "DNS:" HOST, .from = -9 * CERT_DAY, .to = -60}, INTER, {INTER}, FAULT_CERT_EXPIRED, "expired 20", NULL, 0},
	{"not yet valid", {.san = "DNS:" HOST, .from = CERT_DAY, .to = 9 * CERT_DAY}, INTER, {INTER}, FAULT_CERT_NOT_YET_VALID, "not valid before 20", NULL, 0},
	{"intermediate expired", {.san = "DNS:" HOST}, EXPIRED, {EXPIRED}, FAULT_CERT_EXPIRED, "(authority Expired)", NULL, 0},
	{"self-signed", {.cn = "me", .san = "DNS:" HOST}, NOBODY, {0}, FAULT_CERT_SELF_SIGNED, "signed by itself: me", NULL, 0},
	{"untrusted root, sent", {.san = "DNS:" HOST}, FOREIGN, {FOREIGN}, FAULT_CERT_UNTRUSTED, "not trusted here: Foreign", NULL, 0},
	{"untrusted root, not sent", {.san = "DNS:" HOST}, FOREIGN, {0}, FAULT_CERT_INCOMPLETE, "not known: Foreign, and no URL", NULL, 0},
	{"incomplete", {.san = "DNS:" HOST}, INTER, {0}, FAULT_CERT_INCOMPLETE, "not known: Inter (Test)", NULL, 0},
	{"incomplete, somebody else's sent", {.san = "DNS:" HOST}, INTER, {FOREIGN}, FAULT_CERT_INCOMPLETE, "not known: Inter (Test)", NULL, 0},
	{"wrong host", {.san = "DNS:a.example.org,DNS:b.example.org"}, INTER, {INTER}, FAULT_CERT_WRONG_HOST, "a.example.org, b.example.org", NULL, 0},
	{"common name only", {.cn = HOST}, INTER, {INTER}, FAULT_CERT_WRONG_HOST, "common name does not count", NULL, 0},
	{"common name beside others", {.cn = HOST, .san = "DNS:a.example.org"}, INTER, {INTER}, FAULT_CERT_WRONG_HOST, "a.example.org", NULL, 0},
	{"wildcard for a top-level domain", {.san = "DNS:*.com"}, INTER, {INTER}, FAULT_CERT_WRONG_HOST, "none of its names", "example.com", 0},
	{"wildcard for a registry", {.san = "DNS:*.co.uk"}, INTER, {INTER}, FAULT_CERT_WRONG_HOST, "none of its names", "example.co.uk", 0},
	{"wildcard alone", {.san = "DNS:*"}, INTER, {INTER}, FAULT_CERT_WRONG_HOST, "none of its names", NULL, 0},
	{"partial wildcard", {.san = "DNS:w*w.example.com"}, INTER, {INTER}, FAULT_CERT_WRONG_HOST, "none of its names", NULL, 0},
	{"partial wildcard at the end", {.san = "DNS:ww*.example.com"}, INTER, {INTER}, FAULT_CERT_WRONG_HOST, "none of its names", NULL, 0},
	{"wildcard within", {.san = "DNS:www.*.com"}, INTER, {INTER}, FAULT_CERT_WRONG_HOST, "none of its names", NULL, 0},
	{"two wildcards", {.san = "DNS:*.*.com"}, INTER, {INTER}, FAULT_CERT_WRONG_HOST, "none of its names", NULL, 0},
	{"wildcard for two labels", {.san = "DNS:*.example.com"}, INTER, {INTER}, FAULT_CERT_WRONG_HOST, "*.example.com", "a.b.example.com", 0},
	{"wildcard for no label", {.san = "DNS:*.example.com"}, INTER, {INTER}, FAULT_CERT_WRONG_HOST, "*.example.com", "example.com", 0},
	{"address as a name", {.san = "DNS:192.0.2.1"}, INTER, {INTER}, FAULT_CERT_WRONG_HOST, "none of its names", "192.0.2.1", 0},
	{"address in the common name", {.cn = "192.0.2.1", .san = "DNS:" HOST}, INTER, {INTER}, FAULT_CERT_WRONG_HOST, HOST, "192.0.2.1", 0},
	{"wildcard for an address", {.san = "DNS:*.0.2.1"}, INTER, {INTER}, FAULT_CERT_WRONG_HOST, "none of its names", "192.0.2.1", 0},
	{"another address", {.san = "IP:192.0.2.2"}, INTER, {INTER}, FAULT_CERT_WRONG_HOST, "192.0.2.2", "192.0.2.1", 0},
	{"IPv4 wrapped in IPv6", {.san = "IP:::ffff:192.0.2.1"}, INTER, {INTER}, FAULT_CERT_WRONG_HOST, "none of its names", "192.0.2.1", 0},
	{"NUL in a name", {.raw_san = SAN("\x30\x1d\x82\x1bwww.example.com\0.example.org")}, INTER, {INTER}, FAULT_CERT_WRONG_HOST, "none of its names", NULL, 0},
	{"no name in the extension", {.raw_san = SAN("\x30\x00")}, INTER, {INTER}, FAULT_CERT_WRONG_HOST, "names no host", NULL, 0},
	{"an empty name", {.raw_san = SAN("\x30\x02\x82\x00")}, INTER, {INTER}, FAULT_CERT_WRONG_HOST, "none of its names", NULL, 0},
	{"address of three bytes", {.raw_san = SAN("\x30\x05\x87\x03\x01\x02\x03")}, INTER, {INTER}, FAULT_CERT_WRONG_HOST, "none of its names", NULL, 0},
	{"names that are no names", {.raw_san = SAN("\x30\x05\x82\x09www")}, INTER, {INTER}, FAULT_CERT_INVALID, "cannot be read", NULL, 2},
	{"trailing dot", {.san = "DNS:" HOST "."}, INTER, {INTER}, FAULT_CERT_WRONG_HOST, "none of its names", NULL, 0},
	{"label of 64", {.san = "DNS:a" LABEL63 ".example.com"}, INTER, {INTER}, FAULT_CERT_WRONG_HOST, "none of its names", NULL, 0},
	{"letters beyond ASCII", {.raw_san = SAN("\x30\x12\x82\x10" "b\xc3\xbc" "cher.example")}, INTER, {INTER}, FAULT_CERT_INVALID, NULL, "xn--bcher-kva.example", 2},
	{"e-mail address only", {.san = "email:a@" HOST}, INTER, {INTER}, FAULT_CERT_WRONG_HOST, "names no host", NULL, 0},
	{"RSA 1024", {.san = "DNS:" HOST, .key = CERT_RSA_1024}, INTER, {INTER}, FAULT_CERT_WEAK_KEY, "an RSA key of 1024 bits", NULL, 0},
	{"RSA 512", {.san = "DNS:" HOST, .key = CERT_RSA_512}, INTER, {INTER}, FAULT_CERT_WEAK_KEY, "an RSA key of 512 bits", NULL, 0},
	{"EC 192", {.san = "DNS:" HOST, .key = CERT_P192}, INTER, {INTER}, FAULT_CERT_WEAK_KEY, "an EC key of 192 bits", NULL, 0},
	{"DSA", {.san = "DNS:" HOST, .key = CERT_DSA}, INTER, {INTER}, FAULT_CERT_WEAK_KEY, "a key of the kind DSA", NULL, 0},
	{"intermediate with RSA 1024", {.san = "DNS:" HOST}, SHORT_KEY, {SHORT_KEY}, FAULT_CERT_WEAK_KEY, "1024 bits (authority Short key)", NULL, 0},
	{"SHA-1", {.san = "DNS:" HOST, .digest = "SHA1"}, INTER, {INTER}, FAULT_CERT_WEAK_SIGNATURE, "SHA1", NULL, 0},
	{"MD5", {.san = "DNS:" HOST, .digest = "MD5", .key = CERT_RSA_2048}, SHORT_KEY, {SHORT_KEY}, FAULT_CERT_WEAK_KEY, "md5", NULL, 1},
	{"intermediate with SHA-1", {.san = "DNS:" HOST}, SHA1_SIGNED, {SHA1_SIGNED}, FAULT_CERT_WEAK_SIGNATURE, "(authority SHA-1)", NULL, 0},
	{"client's key usage", {.san = "DNS:" HOST, .eku = "clientAuth"}, INTER, {INTER}, FAULT_CERT_BAD_USAGE, "extended key usage", NULL, 0},
	{"key usage without signatures", {.san = "DNS:" HOST, .ku = "critical,dataEncipherment"}, INTER, {INTER}, FAULT_CERT_BAD_USAGE, "key usage", NULL, 0},
	{"intermediate not for TLS", {.san = "DNS:" HOST}, NO_TLS, {NO_TLS}, FAULT_CERT_BAD_USAGE, "(authority No TLS)", NULL, 0},
	{"constraint does not permit", {.san = "DNS:" HOST}, PERMITS, {PERMITS}, FAULT_CERT_CONSTRAINED, "permitted", NULL, 0},
	{"constraint excludes", {.san = "DNS:" HOST}, EXCLUDES, {EXCLUDES}, FAULT_CERT_CONSTRAINED, "excluded", NULL, 0},
	{"constraint excludes, wildcard", {.san = "DNS:*.example.com"}, EXCLUDES, {EXCLUDES}, FAULT_CERT_CONSTRAINED, "excluded", NULL, 0},
	{"path length", {.san = "DNS:" HOST}, UNDER, {UNDER, NO_LENGTH}, FAULT_CERT_BAD_CHAIN, "path length", NULL, 0},
	{"issuer that is no CA", {.san = "DNS:" HOST}, NO_CA, {NO_CA}, FAULT_CERT_BAD_CHAIN, "may not sign", NULL, 0},
	{"issuer that is a server", {.san = "DNS:" HOST}, NO_SIGN, {NO_SIGN}, FAULT_CERT_BAD_CHAIN, "(authority shop.example.org)", NULL, 0},
	{"issuer whose key usage is not to sign", {.san = "DNS:" HOST}, NO_USAGE, {NO_USAGE}, FAULT_CERT_BAD_CHAIN, "may not sign others (authority No usage)", NULL, 0},
	{"extension twice", {.san = "DNS:" HOST, .twice = "extendedKeyUsage"}, INTER, {INTER}, FAULT_CERT_INVALID, "Extended Key Usage twice", NULL, 1},
	{"unknown critical extension", {.san = "DNS:" HOST, .odd = "critical"}, INTER, {INTER}, FAULT_CERT_INVALID, "critical extension", NULL, 0},
	{"by our own CA", {.san = "DNS:" HOST}, OWN, {OWN}, FAULT_CERT_OWN_CA, "inspection authority", NULL, 1},
	{"by our own CA, not sent", {.san = "DNS:" HOST}, OWN, {0}, FAULT_CERT_OWN_CA, "inspection authority", NULL, 1},
	{"by a root of our CA's name", {.san = "DNS:" HOST}, OWN_NAME, {OWN_NAME}, FAULT_CERT_OWN_CA, "inspection authority", NULL, 1},
	{"must-staple without a staple", {.san = "DNS:" HOST, .tls_feature = "status_request"}, INTER, {INTER}, FAULT_CERT_INVALID, "demands a stapled", NULL, 0},
	{"three at once", {.san = "DNS:a.example.org", .from = -9 * CERT_DAY, .to = -60, .key = CERT_RSA_1024}, FOREIGN, {FOREIGN}, FAULT_CERT_UNTRUSTED,
	    "Foreign; it is for a.example.org; an RSA key of 1024 bits; expired ", NULL, 3},
};

static STACK_OF(X509) *
sent_of(const struct row *r, X509 *leaf)
{
	X509  *all[5] = {leaf};
	size_t n = 1;

	for (unsigned i = 0; i < 4 && r->sent[i]; i++)
		all[n++] = who[r->sent[i]];
	return certs_of(all, n);
}

static void
test_each_bad_certificate_is_called_what_it_is(void **state)
{
	unsigned failed = 0;

	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++) {
		const struct row *r = &rows[i];
		X509             *leaf = cert_make(&r->leaf, r->by ? who[r->by] : NULL, who_key[r->by]);
		STACK_OF(X509)   *sent = sent_of(r, leaf);
		struct profile   *p = judge_in(ground, leaf, sent, r->host ? r->host : HOST, span_of(NULL, 0));
		unsigned          kinds = (unsigned)__builtin_popcount(p->kinds) + (r->fault == FAULT_CERT_OWN_CA);
		if (p->fault != r->fault || (r->says && !strstr(p->detail, r->says)) || (r->fault == FAULT_NONE && p->detail[0]) ||
		    kinds != (r->fault != FAULT_NONE) + r->more || p->refuse != (r->fault == FAULT_CERT_OWN_CA)) {
			print_error("%s: %s, kinds %x, \"%s\"\n", r->what, fault_row(p->fault)->word, p->kinds, p->detail);
			failed++;
		}
		profile_unref(p);
		sk_X509_pop_free(sent, X509_free);
		X509_free(leaf);
	}
	assert_int_equal(failed, 0);
}

/* --- revocation --- */

static void
test_a_revoked_certificate_is_refused_by_crl(void **state)
{
	X509_STORE *store = X509_STORE_new();
	X509       *leaf, *fine;
	X509_CRL   *crl, *foreign, *above;
	STACK_OF(X509) *sent;
	struct verify_ground *g;
	struct profile *p;

	(void)state;
	leaf = cert_make(&(struct cert_want){.san = "DNS:" HOST, .serial = 77}, who[INTER], who_key[INTER]);
	fine = cert_make(&(struct cert_want){.san = "DNS:" HOST, .serial = 78}, who[INTER], who_key[INTER]);
	crl = crl_make(who[INTER], who_key[INTER], (const X509 *const[]){leaf}, 1, -9 * CERT_DAY, -CERT_DAY); /* and out of date: a revocation is not taken back */
	foreign = crl_make(who[STRANGER], who_key[STRANGER], (const X509 *const[]){fine}, 1, -CERT_DAY, CERT_DAY); /* an authority of the same name */
	above = crl_make(who[ROOT], who_key[ROOT], (const X509 *const[]){who[NO_LENGTH]}, 1, -CERT_DAY, CERT_DAY);
	X509_STORE_add_cert(store, who[ROOT]);
	assert_true(X509_STORE_add_crl(store, crl) && X509_STORE_add_crl(store, foreign) && X509_STORE_add_crl(store, above));
	g = verify_ground_new(store, who[OWN]);
	for (unsigned i = 0; i < 2; i++) { /* the second time with what is remembered of the CRL's signature */
		sent = certs_of((X509 *[]){leaf, who[INTER]}, 2);
		p = judge_in(g, leaf, sent, HOST, span_of(NULL, 0));
		assert_int_equal(p->fault, FAULT_CERT_REVOKED);
		assert_true(p->refuse && strstr(p->detail, "revoked 20") && strstr(p->detail, "by a CRL"));
		profile_unref(p);
		sk_X509_pop_free(sent, X509_free);
		sent = certs_of((X509 *[]){fine, who[INTER]}, 2);
		p = judge_in(g, fine, sent, HOST, span_of(NULL, 0));
		assert_int_equal(p->fault, FAULT_NONE);
		profile_unref(p);
		sk_X509_pop_free(sent, X509_free);
	}
	/* an issuer that was not sent: its name decides */
	p = judge_in(g, leaf, NULL, HOST, span_of(NULL, 0));
	assert_int_equal(p->fault, FAULT_CERT_REVOKED);
	profile_unref(p);
	X509_free(leaf);
	/* an intermediate */
	leaf = cert_make(&(struct cert_want){.san = "DNS:" HOST}, who[NO_LENGTH], who_key[NO_LENGTH]);
	sent = certs_of((X509 *[]){leaf, who[NO_LENGTH]}, 2);
	p = judge_in(g, leaf, sent, HOST, span_of(NULL, 0));
	assert_int_equal(p->fault, FAULT_CERT_REVOKED);
	assert_non_null(strstr(p->detail, "authority No length"));
	profile_unref(p);
	sk_X509_pop_free(sent, X509_free);
	X509_free(leaf);
	X509_free(fine);
	X509_CRL_free(crl);
	X509_CRL_free(foreign);
	X509_CRL_free(above);
	verify_ground_free(g);
	X509_STORE_free(store);
}

enum by { BY_ISSUER, BY_DELEGATE, BY_DELEGATE_UNSENT, BY_PLAIN, BY_EXPIRED, BY_FOREIGN };

static void
test_a_staple_is_believed_only_from_whom_it_may_come(void **state)
{
	static const struct {
		int         status;
		enum by     by;
		int64_t     from, to;
		const char *digest, *id_digest;
		bool        about_other;
		enum fault  fault;
		const char *says;
		enum fault  demanded; /* of a must-staple certificate */
	} rows2[] = {
		{V_OCSP_CERTSTATUS_GOOD, BY_ISSUER, -60, CERT_DAY, NULL, NULL, false, FAULT_NONE, "", FAULT_NONE},
		{V_OCSP_CERTSTATUS_GOOD, BY_ISSUER, -60, CERT_DAY, NULL, "SHA256", false, FAULT_NONE, "", FAULT_NONE},
		{V_OCSP_CERTSTATUS_GOOD, BY_DELEGATE, -60, CERT_DAY, NULL, NULL, false, FAULT_NONE, "", FAULT_NONE},
		{V_OCSP_CERTSTATUS_GOOD, BY_ISSUER, -60, 0, NULL, NULL, false, FAULT_NONE, "", FAULT_NONE},
		{V_OCSP_CERTSTATUS_GOOD, BY_ISSUER, 120, CERT_DAY, NULL, NULL, false, FAULT_NONE, "", FAULT_NONE}, /* clocks differ a little */
		{V_OCSP_CERTSTATUS_REVOKED, BY_ISSUER, -60, CERT_DAY, NULL, NULL, false, FAULT_CERT_REVOKED, "by the stapled", FAULT_CERT_REVOKED},
		{V_OCSP_CERTSTATUS_REVOKED, BY_DELEGATE, -60, CERT_DAY, NULL, NULL, false, FAULT_CERT_REVOKED, "by the stapled", FAULT_CERT_REVOKED},
		{V_OCSP_CERTSTATUS_REVOKED, BY_ISSUER, -9 * CERT_DAY, -CERT_DAY, NULL, NULL, false, FAULT_CERT_REVOKED, "by the stapled", FAULT_CERT_REVOKED},
		{V_OCSP_CERTSTATUS_GOOD, BY_ISSUER, -9 * CERT_DAY, -CERT_DAY, NULL, NULL, false, FAULT_NONE, "ignored: it is out of date", FAULT_CERT_INVALID},
		{V_OCSP_CERTSTATUS_GOOD, BY_ISSUER, -11 * CERT_DAY, 0, NULL, NULL, false, FAULT_NONE, "ignored: it is out of date", FAULT_CERT_INVALID},
		{V_OCSP_CERTSTATUS_GOOD, BY_ISSUER, CERT_DAY, 2 * CERT_DAY, NULL, NULL, false, FAULT_NONE, "from the future", FAULT_CERT_INVALID},
		{V_OCSP_CERTSTATUS_REVOKED, BY_ISSUER, CERT_DAY, 2 * CERT_DAY, NULL, NULL, false, FAULT_CERT_REVOKED, "by the stapled", FAULT_CERT_REVOKED},
		{V_OCSP_CERTSTATUS_UNKNOWN, BY_ISSUER, -60, CERT_DAY, NULL, NULL, false, FAULT_NONE, "does not know", FAULT_CERT_INVALID},
		{V_OCSP_CERTSTATUS_REVOKED, BY_ISSUER, -60, CERT_DAY, NULL, NULL, true, FAULT_NONE, "about another", FAULT_CERT_INVALID},
		{V_OCSP_CERTSTATUS_REVOKED, BY_ISSUER, -60, CERT_DAY, "SHA1", NULL, false, FAULT_CERT_REVOKED, "by the stapled", FAULT_CERT_REVOKED},
		{V_OCSP_CERTSTATUS_GOOD, BY_ISSUER, -60, CERT_DAY, "SHA1", NULL, false, FAULT_NONE, "weak algorithm", FAULT_CERT_INVALID},
		{V_OCSP_CERTSTATUS_REVOKED, BY_DELEGATE_UNSENT, -60, CERT_DAY, NULL, NULL, false, FAULT_NONE, "signer is not known", FAULT_CERT_INVALID},
		{V_OCSP_CERTSTATUS_REVOKED, BY_PLAIN, -60, CERT_DAY, NULL, NULL, false, FAULT_NONE, "may not answer", FAULT_CERT_INVALID},
		{V_OCSP_CERTSTATUS_REVOKED, BY_EXPIRED, -60, CERT_DAY, NULL, NULL, false, FAULT_NONE, "may not answer", FAULT_CERT_INVALID},
		{V_OCSP_CERTSTATUS_GOOD, BY_FOREIGN, -60, CERT_DAY, NULL, NULL, false, FAULT_NONE, "may not answer", FAULT_CERT_INVALID},
	};
	X509 *leaf[2] = {cert_make(&(struct cert_want){.san = "DNS:" HOST}, who[INTER], who_key[INTER]),
	    cert_make(&(struct cert_want){.san = "DNS:" HOST, .tls_feature = "status_request"}, who[INTER], who_key[INTER])};
	X509 *delegate = cert_make(&(struct cert_want){.cn = "OCSP", .eku = "OCSPSigning", .key = CERT_P256_C}, who[INTER], who_key[INTER]);
	X509 *plain = cert_make(&(struct cert_want){.cn = "No OCSP", .key = CERT_P256_C}, who[INTER], who_key[INTER]);
	X509 *expired = cert_make(&(struct cert_want){.cn = "OCSP", .eku = "OCSPSigning", .key = CERT_P256_C, .from = -9 * CERT_DAY, .to = -CERT_DAY}, who[INTER], who_key[INTER]);
	X509 *foreign = cert_make(&(struct cert_want){.cn = "OCSP", .eku = "OCSPSigning", .key = CERT_P384}, who[STRANGER], who_key[STRANGER]);

	(void)state;
	for (size_t i = 0; i < ROWS(rows2); i++) {
		for (unsigned k = 0; k < 2; k++) {
			struct staple_want w = {.about = rows2[i].about_other ? who[NO_SIGN] : leaf[k], .issuer = who[INTER], .signer_key = who_key[INTER], .status = rows2[i].status,
			    .from = rows2[i].from, .to = rows2[i].to, .digest = rows2[i].digest, .id_digest = rows2[i].id_digest, .with_signer = rows2[i].by != BY_DELEGATE_UNSENT};
			STACK_OF(X509) *sent = certs_of((X509 *[]){leaf[k], who[INTER]}, 2);
			enum fault      want = k ? rows2[i].demanded : rows2[i].fault;
			struct span     staple;
			struct profile *p;
			if (rows2[i].by != BY_ISSUER) {
				w.signer = rows2[i].by == BY_PLAIN ? plain : rows2[i].by == BY_EXPIRED ? expired : rows2[i].by == BY_FOREIGN ? foreign : delegate;
				w.signer_key = rows2[i].by == BY_FOREIGN ? CERT_P384 : CERT_P256_C;
			}
			staple = staple_make(&w);
			p = judge_in(ground, leaf[k], sent, HOST, staple);
			if (p->fault != want || !strstr(p->detail, rows2[i].says) || p->refuse != (want == FAULT_CERT_REVOKED))
				fail_msg("row %zu.%u: %s, %s", i, k, fault_row(p->fault)->word, p->detail);
			profile_unref(p);
			/* one bit of the signature, which stands before the certificates or at the end */
			if (rows2[i].by == BY_ISSUER && rows2[i].fault == FAULT_CERT_REVOKED && k == 0) {
				w.with_signer = false;
				block_free(staple);
				staple = staple_make(&w);
				((char *)(uintptr_t)staple.p)[staple.n - 1] ^= 1;
				p = judge_in(ground, leaf[k], sent, HOST, staple);
				assert_int_equal(p->fault, FAULT_NONE);
				assert_non_null(strstr(p->detail, "ignored"));
				profile_unref(p);
			}
			block_free(staple);
			sk_X509_pop_free(sent, X509_free);
		}
	}
	X509_free(leaf[0]);
	X509_free(leaf[1]);
	X509_free(delegate);
	X509_free(plain);
	X509_free(expired);
	X509_free(foreign);
}

static void
test_a_staple_that_is_cut_or_followed_is_ignored(void **state)
{
	X509           *leaf = cert_make(&(struct cert_want){.san = "DNS:" HOST}, who[INTER], who_key[INTER]);
	STACK_OF(X509) *sent = certs_of((X509 *[]){leaf, who[INTER]}, 2);
	struct span     staple = staple_make(&(struct staple_want){.about = leaf, .issuer = who[INTER], .signer_key = who_key[INTER], .status = V_OCSP_CERTSTATUS_REVOKED, .from = -60, .to = 60});

	(void)state;
	for (size_t n = 1; n <= staple.n + 1; n++) {
		struct span     part = block_of(staple.p, n <= staple.n ? n : staple.n);
		struct profile *p;
		if (n > staple.n) {
			part.p = realloc((char *)(uintptr_t)part.p, n);
			((char *)(uintptr_t)part.p)[n - 1] = 0;
			part.n = n;
		}
		p = judge_in(ground, leaf, sent, HOST, part);
		assert_int_equal(p->fault, n == staple.n ? FAULT_CERT_REVOKED : FAULT_NONE);
		assert_true(n == staple.n || strstr(p->detail, "ignored: it cannot be read"));
		profile_unref(p);
		block_free(part);
	}
	block_free(staple);
	sk_X509_pop_free(sent, X509_free);
	X509_free(leaf);
}

/* --- issuers that were not sent --- */

static enum verify_said
ask(struct verify_ground *g, X509 *leaf, STACK_OF(X509) *sent, bool may_fetch, struct profile **p, char url[VERIFY_URL_MAX + 1])
{
	struct host        host;
	struct verify_case c = {.leaf = leaf, .sent = sent, .name = &host, .now = time(NULL), .now_us = clock_mono_us(), .may_fetch = may_fetch, .cipher_bits = 256};

	*p = NULL;
	assert_true(host_parse(SPAN(HOST), &host));
	return verify_chain(g, &c, p, url);
}

static void
test_a_missing_issuer_is_asked_for_and_learnt(void **state)
{
	static const char url_a[] = "http://ca.test/a.cer", url_b[] = "http://ca.test/b.cer";
	struct verify_ground *g = verify_ground_new(roots, who[OWN]);
	X509           *lower = cert_make(&(struct cert_want){.cn = "Lower", .ca = true, .key = CERT_P256_C, .aia = "caIssuers;URI:http://ca.test/b.cer"}, who[INTER], who_key[INTER]);
	X509           *leaf = cert_make(&(struct cert_want){.san = "DNS:" HOST, .aia = "caIssuers;URI:ldap://x/,OCSP;URI:http://o.test/,caIssuers;URI:http://ca.test/a.cer"}, lower, CERT_P256_C);
	struct span     der = cert_der(lower), upper = cert_der(who[INTER]);
	char            url[VERIFY_URL_MAX + 1];
	struct profile *p;
	uint64_t        now = clock_mono_us();

	(void)state;
	assert_int_equal(ask(g, leaf, NULL, false, &p, url), SAID_DONE);
	assert_int_equal(p->fault, FAULT_CERT_INCOMPLETE);
	assert_null(strstr(p->detail, "no URL"));
	profile_unref(p);
	assert_int_equal(ask(g, leaf, NULL, true, &p, url), SAID_NEEDS);
	assert_string_equal(url, url_a);
	/* it could not be had: not asked for again, until a while later */
	issuers_keep(g->issuers, url_a, span_of(NULL, 0), now);
	assert_int_equal(ask(g, leaf, NULL, true, &p, url), SAID_DONE);
	assert_int_equal(p->fault, FAULT_CERT_INCOMPLETE);
	profile_unref(p);
	issuers_keep(g->issuers, url_a, span_of(NULL, 0), now - UINT64_C(601000000));
	assert_int_equal(ask(g, leaf, NULL, true, &p, url), SAID_NEEDS);
	issuers_keep(g->issuers, url_a, SPAN("garbage"), now);
	assert_int_equal(ask(g, leaf, NULL, true, &p, url), SAID_DONE);
	profile_unref(p);
	/* one that does not help: no circle */
	issuers_keep(g->issuers, url_a, upper, now);
	assert_int_equal(ask(g, leaf, NULL, true, &p, url), SAID_DONE);
	assert_int_equal(p->fault, FAULT_CERT_INCOMPLETE);
	profile_unref(p);
	/* the right ones, one after the other */
	issuers_keep(g->issuers, url_a, der, now);
	assert_int_equal(ask(g, leaf, NULL, true, &p, url), SAID_NEEDS);
	assert_string_equal(url, url_b);
	issuers_keep(g->issuers, url_b, upper, now);
	assert_int_equal(ask(g, leaf, NULL, false, &p, url), SAID_DONE);
	assert_int_equal(p->fault, FAULT_NONE);
	profile_unref(p);
	block_free(der);
	block_free(upper);
	X509_free(leaf);
	X509_free(lower);
	verify_ground_free(g);
}

static void
test_a_fetched_root_is_never_trusted_and_a_circle_ends(void **state)
{
	struct verify_ground *g = verify_ground_new(roots, who[OWN]);
	X509           *leaf = cert_make(&(struct cert_want){.san = "DNS:" HOST, .aia = "caIssuers;URI:http://ca.test/f.cer"}, who[FOREIGN], who_key[FOREIGN]);
	struct span     der = cert_der(who[FOREIGN]);
	char            url[VERIFY_URL_MAX + 1], name[40];
	struct profile *p;
	X509           *chain[7] = {NULL};

	(void)state;
	issuers_keep(g->issuers, "http://ca.test/f.cer", der, clock_mono_us());
	assert_int_equal(ask(g, leaf, NULL, true, &p, url), SAID_DONE);
	assert_int_equal(p->fault, FAULT_CERT_UNTRUSTED);
	profile_unref(p);
	block_free(der);
	X509_free(leaf);
	/* each has one above it that wants to be fetched: after four it is enough */
	for (unsigned i = 0; i < 7; i++) {
		char aia[80];
		snprintf(name, sizeof name, "Level %u", 6 - i);
		snprintf(aia, sizeof aia, "caIssuers;URI:http://ca.test/%u.cer", 6 - i);
		chain[i] = cert_make(&(struct cert_want){.cn = name, .ca = i < 6, .san = i < 6 ? NULL : "DNS:" HOST, .aia = aia, .key = i % 2 ? CERT_P256_B : CERT_P256_C},
		    i ? chain[i - 1] : who[FOREIGN], i ? (i % 2 ? CERT_P256_C : CERT_P256_B) : who_key[FOREIGN]);
	}
	unsigned fetches = 0;
	while (ask(g, chain[6], NULL, true, &p, url) == SAID_NEEDS) {
		unsigned at;
		assert_int_equal(sscanf(url, "http://ca.test/%u.cer", &at), 1);
		assert_true(at < 6);
		der = cert_der(chain[5 - at]);
		issuers_keep(g->issuers, url, der, clock_mono_us());
		block_free(der);
		fetches++;
		assert_true(fetches < 6);
	}
	assert_int_equal(fetches, 4);
	assert_int_equal(p->fault, FAULT_CERT_INCOMPLETE);
	profile_unref(p);
	for (unsigned i = 0; i < 7; i++)
		X509_free(chain[i]);
	verify_ground_free(g);
}

static void
test_the_store_of_issuers_is_bounded(void **state)
{
	struct issuers *t = issuers_new();
	struct span     der = cert_der(who[INTER]);
	STACK_OF(X509) *certs;
	char            url[64];
	unsigned        have = 0;

	(void)state;
	for (unsigned i = 0; i < 5000; i++) {
		snprintf(url, sizeof url, "http://ca.test/%u", i);
		issuers_keep(t, url, der, 1);
	}
	for (unsigned i = 0; i < 5000; i++) {
		snprintf(url, sizeof url, "http://ca.test/%u", i);
		have += issuers_find(t, url, 1, &certs) == ISSUERS_HAVE;
	}
	assert_int_equal(have, 256);
	assert_int_equal(issuers_find(t, "http://ca.test/4999", 1, &certs), ISSUERS_HAVE);
	issuers_free(t);
	block_free(der);
}

/* --- long chains, many names, anchors --- */

static void
test_long_chains_end(void **state)
{
	X509           *chain[120] = {NULL};
	STACK_OF(X509) *sent;
	struct profile *p;
	char            name[40];

	(void)state;
	for (unsigned i = 0; i < 120; i++) {
		bool ca = i < 119;
		snprintf(name, sizeof name, "Level %u", i);
		chain[119 - i] = cert_make(&(struct cert_want){.cn = name, .ca = ca, .san = ca ? NULL : "DNS:" HOST, .key = CERT_P256_B}, i ? chain[120 - i] : who[ROOT],
		    i ? CERT_P256_B : who_key[ROOT]);
		if (i != 7 && i != 8 && ca)
			continue;
		/* 8 and 9 authorities below the root; then all of them */
		sent = certs_of(chain + 119 - i, i + 1);
		X509 *leaf = ca ? cert_make(&(struct cert_want){.san = "DNS:" HOST}, chain[119 - i], CERT_P256_B) : chain[0];
		p = judge_in(ground, leaf, sent, HOST, span_of(NULL, 0));
		assert_int_equal(p->fault, i == 7 ? FAULT_NONE : FAULT_CERT_BAD_CHAIN);
		assert_true(i == 7 || strstr(p->detail, "longer than 8"));
		profile_unref(p);
		sk_X509_pop_free(sent, X509_free);
		if (ca)
			X509_free(leaf);
	}
	for (unsigned i = 0; i < 120; i++)
		X509_free(chain[i]);
}

static void
test_of_thousands_of_names_the_one_asked_for_is_kept(void **state)
{
	size_t              n = 0, at = 0;
	char               *san = malloc(200000);
	X509               *leaf;
	STACK_OF(X509)     *sent;
	struct profile     *p;
	struct profile_name name;
	unsigned            count = 0;

	(void)state;
	for (unsigned i = 0; i < 3000; i++)
		n += (size_t)sprintf(san + n, "DNS:h%u.example.net,DNS:bad_%u.example.net,", i, i);
	sprintf(san + n, "DNS:" HOST ",IP:192.0.2.7");
	leaf = cert_make(&(struct cert_want){.cn = "H5.example.net", .san = san}, who[INTER], who_key[INTER]);
	sent = certs_of((X509 *[]){leaf, who[INTER]}, 2);
	p = judge_in(ground, leaf, sent, HOST, span_of(NULL, 0));
	assert_int_equal(p->fault, FAULT_NONE);
	assert_int_equal(p->n_names, PROFILE_NAMES_MAX);
	assert_string_equal(p->common_name, "h5.example.net");
	assert_true(profile_name_next(p, &at, &name));
	assert_true(span_eq(name.dns, SPAN(HOST)));
	for (count = 1; profile_name_next(p, &at, &name); count++)
		assert_true(name.dns.n > 0 && !memchr(name.dns.p, '_', name.dns.n));
	assert_int_equal(count, PROFILE_NAMES_MAX);
	assert_int_equal(at, p->size);
	profile_unref(p);
	/* and by its address */
	p = judge_in(ground, leaf, sent, "192.0.2.7", span_of(NULL, 0));
	at = 0;
	assert_int_equal(p->fault, FAULT_NONE);
	assert_true(profile_name_next(p, &at, &name) && name.is_addr);
	profile_unref(p);
	p = judge_in(ground, leaf, sent, "elsewhere.example", span_of(NULL, 0));
	assert_int_equal(p->fault, FAULT_CERT_WRONG_HOST);
	assert_non_null(strstr(p->detail, "h0.example.net, h1.example.net, h2.example.net and 5999 more"));
	profile_unref(p);
	sk_X509_pop_free(sent, X509_free);
	X509_free(leaf);
	free(san);
}

static void
test_what_trust_names_is_an_anchor(void **state)
{
	X509_STORE           *store = X509_STORE_new();
	X509                 *server = cert_make(&(struct cert_want){.cn = "box", .san = "DNS:" HOST}, NULL, 0);
	X509                 *leaf = cert_make(&(struct cert_want){.san = "DNS:" HOST}, who[SHA1_SIGNED], who_key[SHA1_SIGNED]);
	struct verify_ground *g;
	struct profile       *p;

	(void)state;
	assert_true(X509_STORE_add_cert(store, who[SHA1_SIGNED]) && X509_STORE_add_cert(store, server));
	g = verify_ground_new(store, NULL);
	p = judge_in(g, leaf, NULL, HOST, span_of(NULL, 0)); /* an intermediate, however it was signed */
	assert_int_equal(p->fault, FAULT_NONE);
	profile_unref(p);
	p = judge_in(g, server, NULL, HOST, span_of(NULL, 0)); /* a server's own */
	assert_int_equal(p->fault, FAULT_NONE);
	profile_unref(p);
	p = judge_in(g, server, NULL, "www.example.org", span_of(NULL, 0));
	assert_int_equal(p->fault, FAULT_CERT_WRONG_HOST);
	profile_unref(p);
	X509_free(leaf);
	leaf = cert_make(&(struct cert_want){.san = "DNS:" HOST}, who[SHORT_KEY], who_key[SHORT_KEY]);
	assert_true(X509_STORE_add_cert(store, who[SHORT_KEY]));
	p = judge_in(g, leaf, NULL, HOST, span_of(NULL, 0)); /* but whose key others can work out is nobody's */
	assert_int_equal(p->fault, FAULT_CERT_WEAK_KEY);
	assert_non_null(strstr(p->detail, "an RSA key of 1024 bits (authority Short key)"));
	profile_unref(p);
	X509_free(server);
	X509_free(leaf);
	verify_ground_free(g);
	X509_STORE_free(store);
}

static void
test_the_profile_says_what_the_certificate_says(void **state)
{
	X509           *leaf = cert_make(&(struct cert_want){.cn = HOST, .san = "DNS:" HOST ",DNS:*.example.com,IP:2001:db8::1,DNS:" HOST ",DNS:*.com"}, who[INTER], who_key[INTER]);
	X509           *other = cert_make(&(struct cert_want){.cn = "not-its-name.example.com", .san = "DNS:" HOST, .key = CERT_RSA_2048}, who[INTER], who_key[INTER]);
	STACK_OF(X509) *sent = certs_of((X509 *[]){leaf, who[INTER]}, 2);
	struct profile *p = judge_in(ground, leaf, sent, HOST, span_of(NULL, 0));
	uint8_t         answer[CERT_KINDS];

	(void)state;
	assert_string_equal(p->issuer, "Inter (Test)");
	assert_string_equal(p->common_name, HOST);
	assert_int_equal(p->n_names, 3);
	assert_int_equal(p->strength, 128);
	assert_int_equal(p->version, 0x0304);
	assert_string_equal(p->cipher, "TLS_AES_256_GCM_SHA384");
	assert_in_range(p->not_after - time(NULL), 30 * CERT_DAY - 60, 30 * CERT_DAY);
	memset(answer, ORIGIN_BLOCK, sizeof answer);
	assert_int_equal(profile_answer(p, answer), ORIGIN_PASS);
	profile_unref(p);
	p = judge_in(ground, other, sent, HOST, span_of(NULL, 0));
	assert_string_equal(p->common_name, "");
	assert_int_equal(p->strength, 112);
	profile_unref(p);
	sk_X509_pop_free(sent, X509_free);
	X509_free(leaf);
	X509_free(other);
}

static void
test_the_strictest_answer_of_all_faults_counts(void **state)
{
	X509           *leaf = cert_make(&(struct cert_want){.san = "DNS:a.example.org", .from = -9 * CERT_DAY, .to = -60}, who[FOREIGN], who_key[FOREIGN]);
	STACK_OF(X509) *sent = certs_of((X509 *[]){leaf, who[FOREIGN]}, 2);
	struct profile *p = judge_in(ground, leaf, sent, HOST, span_of(NULL, 0));
	uint8_t         answer[CERT_KINDS];

	(void)state;
	memset(answer, ORIGIN_PASS, sizeof answer);
	assert_int_equal(profile_answer(p, answer), ORIGIN_PASS);
	answer[KIND_EXPIRED] = ORIGIN_WARN;
	assert_int_equal(profile_answer(p, answer), ORIGIN_WARN);
	answer[KIND_WRONG_HOST] = ORIGIN_BLOCK;
	assert_int_equal(profile_answer(p, answer), ORIGIN_BLOCK);
	memset(answer, ORIGIN_BLOCK, sizeof answer);
	answer[KIND_UNTRUSTED] = ORIGIN_PASS;
	assert_int_equal(profile_answer(p, answer), ORIGIN_BLOCK);
	profile_unref(p);
	sk_X509_pop_free(sent, X509_free);
	X509_free(leaf);
	/* no answer helps one of our own CA's */
	leaf = cert_make(&(struct cert_want){.san = "DNS:" HOST}, who[OWN], who_key[OWN]);
	p = judge_in(ground, leaf, NULL, HOST, span_of(NULL, 0));
	memset(answer, ORIGIN_PASS, sizeof answer);
	assert_int_equal(profile_answer(p, answer), ORIGIN_BLOCK);
	profile_unref(p);
	X509_free(leaf);
}

static void
test_texts_of_certificates_are_made_printable(void **state)
{
	X509           *issuer = cert_make(&(struct cert_want){.cn = "a\x1b[31m\xe2\x80\xae" "b\xc2\x85\xc3\xa4", .org = "x\ny", .ca = true, .key = CERT_P256_C}, NULL, 0);
	X509           *leaf = cert_make(&(struct cert_want){.san = "DNS:" HOST}, issuer, CERT_P256_C);
	STACK_OF(X509) *sent = certs_of((X509 *[]){leaf, issuer}, 2);
	struct profile *p = judge_in(ground, leaf, sent, HOST, span_of(NULL, 0));

	(void)state;
	assert_string_equal(p->issuer, "a?[31m???b??\xc3\xa4 (x?y)");
	profile_unref(p);
	sk_X509_pop_free(sent, X509_free);
	X509_free(leaf);
	X509_free(issuer);
}

/* Not a test of speed: a figure, and a bound that only a blunder passes. */
static void
test_a_verification_takes_microseconds(void **state)
{
	static const enum cert_key kinds[] = {CERT_P256, CERT_RSA_2048};

	(void)state;
	for (unsigned k = 0; k < 2; k++) {
		X509                 *root = cert_make(&(struct cert_want){.cn = "R", .ca = true, .key = kinds[k]}, NULL, 0);
		X509                 *inter = cert_make(&(struct cert_want){.cn = "I", .ca = true, .key = kinds[k]}, root, kinds[k]);
		X509                 *leaf = cert_make(&(struct cert_want){.cn = HOST, .san = "DNS:" HOST ",DNS:example.com", .key = kinds[k]}, inter, kinds[k]);
		STACK_OF(X509)       *sent = certs_of((X509 *[]){leaf, inter}, 2);
		X509_STORE           *store = X509_STORE_new();
		struct verify_ground *g;
		uint64_t              began;
		X509_STORE_add_cert(store, root);
		g = verify_ground_new(store, who[OWN]);
		began = clock_mono_us();
		for (unsigned i = 0; i < 200; i++) {
			struct profile *p = judge_in(g, leaf, sent, HOST, span_of(NULL, 0));
			assert_int_equal(p->fault, FAULT_NONE);
			profile_unref(p);
		}
		began = clock_mono_us() - began;
		print_message("%s: %u us for each verification\n", k ? "RSA" : "ECDSA", (unsigned)(began / 200));
		assert_true(began / 200 < 20000);
		sk_X509_pop_free(sent, X509_free);
		X509_free(root);
		X509_free(inter);
		X509_free(leaf);
		verify_ground_free(g);
		X509_STORE_free(store);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_bad_certificate_is_called_what_it_is),
		cmocka_unit_test(test_a_revoked_certificate_is_refused_by_crl),
		cmocka_unit_test(test_a_staple_is_believed_only_from_whom_it_may_come),
		cmocka_unit_test(test_a_staple_that_is_cut_or_followed_is_ignored),
		cmocka_unit_test(test_a_missing_issuer_is_asked_for_and_learnt),
		cmocka_unit_test(test_a_fetched_root_is_never_trusted_and_a_circle_ends),
		cmocka_unit_test(test_the_store_of_issuers_is_bounded),
		cmocka_unit_test(test_long_chains_end),
		cmocka_unit_test(test_of_thousands_of_names_the_one_asked_for_is_kept),
		cmocka_unit_test(test_what_trust_names_is_an_anchor),
		cmocka_unit_test(test_the_profile_says_what_the_certificate_says),
		cmocka_unit_test(test_the_strictest_answer_of_all_faults_counts),
		cmocka_unit_test(test_texts_of_certificates_are_made_printable),
		cmocka_unit_test(test_a_verification_takes_microseconds),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
