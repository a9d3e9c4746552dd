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

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_bad_certificate_is_called_what_it_is),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
