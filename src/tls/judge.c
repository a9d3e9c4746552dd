/* SPDX-License-Identifier: MIT */
/*
 * judge: the whole judgement of one origin: its best path, revocation, our own CA, its name; and the profile that comes of it.
 */
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509v3.h>
#include <stdlib.h>

#include "tls/names.h"
#include "tls/verify_inside.h"

#define OTHER_PATHS_MAX 4

struct verify_ground *
verify_ground_new(X509_STORE *roots, X509 *own)
{
	struct verify_ground *g = calloc(1, sizeof *g);

	if (!g)
		return NULL;
	g->roots = roots;
	g->own = own;
	g->crls = crls_new(roots);
	g->issuers = issuers_new();
	if (!g->crls || !g->issuers) {
		verify_ground_free(g);
		return NULL;
	}
	return g;
}

void
verify_ground_free(struct verify_ground *g)
{
	if (!g)
		return;
	crls_free(g->crls);
	issuers_free(g->issuers);
	free(g);
}

/* One path, weighed. */
static bool
path_judge(const struct verify_ground *g, const struct verify_case *c, STACK_OF(X509) *pool, struct path *out)
{
	if (!path_find(g, c, pool, out))
		return false;
	path_weigh(out);
	return true;
}

static int
pool_index(const STACK_OF(X509) *pool, const X509 *cert)
{
	for (int i = 0; i < sk_X509_num(pool); i++)
		if (X509_cmp(sk_X509_value(pool, i), cert) == 0)
			return i;
	return -1;
}

/* Where what was found is about a certificate above the leaf, another path may be without fault: leave out the sent one that leads there and look again. */
static bool
path_best(const struct verify_ground *g, const struct verify_case *c, STACK_OF(X509) *sent, struct path *best)
{
	STACK_OF(X509) *pool = sk_X509_dup(sent);
	bool            ok = pool && path_judge(g, c, pool, best);
	int             at = ok ? best->worst_at : 0;

	for (unsigned i = 0; ok && i < OTHER_PATHS_MAX; i++) {
		struct path other;
		int         where = -1;
		while (at > 0 && (where = pool_index(pool, sk_X509_value(best->chain, at))) < 0)
			at--;
		if (where < 0)
			break;
		sk_X509_delete(pool, where);
		ok = path_judge(g, c, pool, &other);
		if (ok && other.anchored && other.found.count < best->found.count) {
			path_clear(best);
			*best = other;
			at = best->worst_at;
		} else {
			if (ok)
				path_clear(&other);
			at--;
		}
	}
	sk_X509_free(pool);
	if (!ok)
		path_clear(best);
	return ok;
}

/* A certificate that OpenSSL may use to check others: not one whose key costs too much to check with. False: no memory. */
static bool
pool_push(STACK_OF(X509) *pool, X509 *one)
{
	EVP_PKEY *key = X509_get0_pubkey(one);

	return !key || EVP_PKEY_get_bits(key) > VERIFY_KEY_BITS_MAX || sk_X509_push(pool, one);
}

static STACK_OF(X509) *
pool_of(const struct verify_case *c)
{
	STACK_OF(X509) *pool = sk_X509_new_null();

	for (int i = 0; pool && i < sk_X509_num(c->sent) && i < VERIFY_SENT_MAX; i++)
		if (!pool_push(pool, sk_X509_value(c->sent, i))) {
			sk_X509_free(pool);
			return NULL;
		}
	ERR_clear_error();
	return pool;
}

/* Put into the pool what aia brought for the last one of the path. False: nothing new; *wanted: it could be fetched from url. */
static bool
pool_learn(const struct verify_ground *g, const struct verify_case *c, const struct path *p, STACK_OF(X509) *pool, char url[VERIFY_URL_MAX + 1], bool *wanted)
{
	X509           *top = sk_X509_value(p->chain, sk_X509_num(p->chain) - 1);
	STACK_OF(X509) *certs = NULL;
	bool            more = false;

	*wanted = false;
	if (!issuers_url(top, url))
		return false;
	switch (issuers_find(g->issuers, url, c->now_us, &certs)) {
	case ISSUERS_UNKNOWN:
		*wanted = c->may_fetch;
		return false;
	case ISSUERS_MISSED:
		return false;
	case ISSUERS_HAVE:
		break;
	}
	for (int i = 0; i < sk_X509_num(certs); i++) {
		X509 *one = sk_X509_value(certs, i);
		more |= pool_index(pool, one) < 0 && pool_push(pool, one);
	}
	return more;
}

/* The best path there is, with what aia brought and may bring. */
static enum verify_said
path_complete(struct verify_ground *g, const struct verify_case *c, struct path *p, char url[VERIFY_URL_MAX + 1])
{
	STACK_OF(X509)  *pool = pool_of(c);
	enum verify_said said = pool && path_best(g, c, pool, p) ? SAID_DONE : SAID_NO_MEMORY;

	for (unsigned fetched = 0; said == SAID_DONE && p->missing && fetched < VERIFY_FETCHES_MAX; fetched++) {
		bool wanted;
		if (!pool_learn(g, c, p, pool, url, &wanted)) {
			if (wanted)
				said = SAID_NEEDS;
			break;
		}
		path_clear(p);
		if (!path_best(g, c, pool, p))
			said = SAID_NO_MEMORY;
	}
	sk_X509_free(pool);
	if (said != SAID_DONE)
		path_clear(p);
	return said;
}

/* Our own CA, or one that calls itself so: an origin that is inspected already, or that somebody made look so. */
static void
judge_own(const struct verify_ground *g, struct path *p)
{
	int n = sk_X509_num(p->chain);

	for (int i = 0; g->own && i < n; i++) {
		X509 *cert = sk_X509_value(p->chain, i);
		/* last: a key of ours under another name, of a CA that was made anew with the old key */
		if (X509_NAME_cmp(X509_get_issuer_name(cert), X509_get_subject_name(g->own)) == 0 ||
		    X509_NAME_cmp(X509_get_subject_name(cert), X509_get_subject_name(g->own)) == 0 ||
		    EVP_PKEY_eq(X509_get0_pubkey(cert), X509_get0_pubkey(g->own)) == 1 ||
		    (i == n - 1 && p->missing && X509_verify(cert, X509_get0_pubkey(g->own)) == 1)) {
			findings_add(&p->found, FAULT_CERT_OWN_CA, "the chain leads to this gateway's inspection authority, or to one of its name");
			break;
		}
	}
	ERR_clear_error();
}

static void
judge_revocation(const struct verify_ground *g, const struct verify_case *c, struct path *p)
{
	int         n = sk_X509_num(p->chain);
	X509       *issuer = n > 1 ? sk_X509_value(p->chain, 1) : NULL;
	char        when[TIME_TEXT], name[100];
	const char *why = "";
	int64_t     t = 0;

	for (int i = 0; i < n && !(p->anchored && i == n - 1); i++) {
		X509 *cert = sk_X509_value(p->chain, i);
		if (!crls_revoke(g->crls, cert, i + 1 < n ? sk_X509_value(p->chain, i + 1) : NULL, &t))
			continue;
		name_print(X509_get_subject_name(cert), name, sizeof name);
		findings_add(&p->found, FAULT_CERT_REVOKED, "revoked %s by a CRL%s%s", time_print(t, when), i ? ": authority " : "", i ? name : "");
	}
	switch (staple_judge(c->staple, c->leaf, issuer, c->now, &t, &why)) {
	case STAPLE_REVOKED:
		findings_add(&p->found, FAULT_CERT_REVOKED, "revoked %s by the stapled OCSP answer", time_print(t, when));
		return;
	case STAPLE_GOOD:
		return;
	case STAPLE_USELESS:
		findings_note(&p->found, "stapled OCSP answer ignored: %s", why);
		break;
	case STAPLE_NONE:
		break;
	}
	if (!c->resumed && staple_is_demanded(c->leaf))
		findings_add(&p->found, FAULT_CERT_INVALID, "it demands a stapled OCSP answer, and no good one came");
}

/* --- its names --- */

/* The first few, for a person. */
static void
names_print(const struct names *names, char *buf, size_t n)
{
	size_t   at = 0, pos = 0;
	unsigned said = 0;

	buf[0] = '\0';
	while (pos < names->size && said < 3) {
		char        text[ADDR_TEXT_MAX];
		const char *name = names->text + pos + 1;
		struct addr a;
		size_t      len;
		if (names->text[pos] == 'a') {
			memcpy(a.b, name, sizeof a.b);
			len = addr_print(&a, text);
			name = text;
			pos += 1 + sizeof a.b;
		} else {
			len = strlen(name);
			pos += 1 + len + 1;
		}
		if (at + len + 32 > n)
			break;
		at += (size_t)snprintf(buf + at, n - at, "%s%s", said ? ", " : "", name);
		said++;
	}
	if (said && names->total > said)
		snprintf(buf + at, n - at, " and %u more", names->total - said);
}

static void
judge_names(const struct verify_case *c, struct path *p, struct names *names)
{
	char list[FINDING_TEXT - 20];

	if (!names_of(c->leaf, c->name, names))
		findings_add(&p->found, FAULT_CERT_INVALID, "its names cannot be read");
	if (names->covers)
		return;
	names_print(names, list, sizeof list);
	if (names->n > 0)
		findings_add(&p->found, FAULT_CERT_WRONG_HOST, "it is for %s", list[0] ? list : "other names");
	else if (names->total > 0)
		findings_add(&p->found, FAULT_CERT_WRONG_HOST, "none of its names is a valid one");
	else
		findings_add(&p->found, FAULT_CERT_WRONG_HOST, "it names no host (no subjectAltName; the common name does not count)");
}

/* The common name, when it is one of the names: then a leaf may repeat it. */
static void
common_name_copy(const X509 *leaf, const struct names *names, char out[65])
{
	const X509_NAME     *subject = X509_get_subject_name(leaf);
	int                  at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
	const ASN1_STRING   *s = at >= 0 ? X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)) : NULL;
	char                 clean[HOSTNAME_MAX + 1];
	size_t               n = s ? name_clean(span_of((const char *)ASN1_STRING_get0_data(s), (size_t)ASN1_STRING_length(s)), clean) : 0;

	out[0] = '\0';
	if (n == 0 || n > 64)
		return;
	for (size_t pos = 0; pos < names->size; pos += names->text[pos] == 'a' ? 17 : strlen(names->text + pos + 1) + 2)
		if (names->text[pos] == 'd' && strcmp(names->text + pos + 1, clean) == 0)
			memcpy(out, clean, n + 1);
}

static struct profile *
profile_make(const struct verify_case *c, const struct path *p, const struct names *names)
{
	struct profile *out = calloc(1, sizeof *out + names->size);
	EVP_PKEY       *key = X509_get0_pubkey(c->leaf);
	int             bits = key ? EVP_PKEY_get_security_bits(key) : 0;
	unsigned        n;

	if (!out || !X509_digest(c->leaf, EVP_sha256(), out->print, &n)) {
		free(out);
		ERR_clear_error();
		return NULL;
	}
	out->refs = 1;
	out->fault = findings_gravest(&p->found);
	out->refuse = findings_refuse(&p->found);
	out->kinds = findings_cert_kinds(&p->found);
	findings_print(&p->found, out->detail, sizeof out->detail);
	name_print(X509_get_issuer_name(c->leaf), out->issuer, sizeof out->issuer);
	common_name_copy(c->leaf, names, out->common_name);
	if (!time_read(X509_get0_notBefore(c->leaf), &out->not_before) || !time_read(X509_get0_notAfter(c->leaf), &out->not_after))
		out->not_before = out->not_after = 0;
	out->version = c->version;
	if (bits > c->cipher_bits)
		bits = c->cipher_bits;
	out->strength = (uint16_t)(bits > 0 ? bits : 0);
	snprintf(out->cipher, sizeof out->cipher, "%s", c->cipher ? c->cipher : "");
	out->h2 = c->h2;
	out->verified_us = c->now_us;
	out->n_names = names->n;
	out->size = names->size;
	memcpy(out->names, names->text, names->size);
	return out;
}

enum verify_said
verify_chain(struct verify_ground *g, const struct verify_case *c, struct profile **out, char url[VERIFY_URL_MAX + 1])
{
	struct path      p;
	struct names     names;
	enum verify_said said = path_complete(g, c, &p, url);

	if (said != SAID_DONE)
		return said;
	judge_own(g, &p);
	judge_revocation(g, c, &p);
	judge_names(c, &p, &names);
	*out = profile_make(c, &p, &names);
	path_clear(&p);
	ERR_clear_error();
	return *out ? SAID_DONE : SAID_NO_MEMORY;
}
