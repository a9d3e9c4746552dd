/* SPDX-License-Identifier: MIT */
#include "doctor/chain.h"

#include <limits.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "conf/certificate.h"
#include "tls/verify_inside.h"

#define ORGANISATION_MAX 128

struct chain_ground {
	const struct doctor_settings *set; /* borrowed */
	X509_STORE           *roots;
	X509                 *own; /* null: none */
	struct verify_ground *ground;
};

/* --- what is trusted --- */

static X509 *
der_read(struct span der)
{
	const uint8_t *p = (const uint8_t *)der.p;

	return der.n <= LONG_MAX ? d2i_X509(NULL, &p, (long)der.n) : NULL;
}

/* Roots that OpenSSL cannot read are passed over, as everywhere. Returns how many there are. */
static size_t
roots_add(X509_STORE *store, struct span list)
{
	struct span der;
	size_t      n = 0;

	while (der_next(&list, &der)) {
		X509 *x = der_read(der);
		n += x && X509_STORE_add_cert(store, x);
		X509_free(x);
	}
	ERR_clear_error();
	return n;
}

static bool
roots_load(struct chain_ground *g, char why[200])
{
	struct der_list list = {0};
	char            reason[DER_WHY];
	bool            ok = true;

	if (!g->set->roots.n && !der_list_read(&list, DER_CERTIFICATE, SYSTEM_ROOTS, reason)) {
		snprintf(why, 200, "%s: %.110s; install ca-certificates", SYSTEM_ROOTS, reason);
		return false;
	}
	if (roots_add(g->roots, g->set->roots.n ? g->set->roots : span_of(list.v, list.n)) == 0) {
		snprintf(why, 200, "%s: there is no root in it", g->set->roots.n ? "roots" : SYSTEM_ROOTS);
		ok = false;
	}
	der_list_clear(&list);
	if (ok && der_list_add(&list, DER_CERTIFICATE, span_str(doctor_microsoft_root), reason))
		roots_add(g->roots, span_of(list.v, list.n));
	der_list_clear(&list);
	return ok;
}

static void
own_load(struct chain_ground *g)
{
	const struct snapshot *snap = g->set->snap;
	struct span            list = snap && snap->set->inspection.present ? snapshot_text(snap, snap->set->inspection.ca) : SPAN(""), der;

	if (list.n && der_next(&list, &der))
		g->own = der_read(der);
	ERR_clear_error();
}

struct chain_ground *
chain_ground_new(const struct doctor_settings *s, char why[200])
{
	struct chain_ground *g = calloc(1, sizeof *g);

	snprintf(why, 200, "out of memory");
	if (!g)
		return NULL;
	g->set = s;
	g->roots = X509_STORE_new();
	if (g->roots && roots_load(g, why)) {
		own_load(g);
		g->ground = verify_ground_new(g->roots, g->own);
		if (g->ground)
			return g;
		snprintf(why, 200, "out of memory");
	}
	chain_ground_free(g);
	return NULL;
}

void
chain_ground_free(struct chain_ground *g)
{
	if (!g)
		return;
	verify_ground_free(g->ground);
	X509_free(g->own);
	X509_STORE_free(g->roots);
	free(g);
}

/* --- who issued it --- */

/* The organisation of a name; "" when it has none, or one that is no text. */
static void
organisation_of(const X509_NAME *name, char out[ORGANISATION_MAX])
{
	int                at = X509_NAME_get_index_by_NID(name, NID_organizationName, -1), n;
	const ASN1_STRING *s = at >= 0 ? X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at)) : NULL;
	unsigned char     *text = NULL;

	out[0] = '\0';
	n = s ? ASN1_STRING_to_UTF8(&text, s) : -1;
	if (n > 0 && n < ORGANISATION_MAX && !memchr(text, 0, (size_t)n)) {
		memcpy(out, text, (size_t)n);
		out[n] = '\0';
	}
	if (n >= 0)
		OPENSSL_free(text);
	ERR_clear_error();
}

static bool
is_expected(const struct chain_ground *g, const char *organisation, bool any)
{
	for (size_t i = 0; i < g->set->n_issuers; i++)
		if ((any && strcmp(g->set->issuer[i], "*") == 0) || (*organisation && strcasecmp(g->set->issuer[i], organisation) == 0))
			return true;
	for (size_t i = 0; *organisation && doctor_issuers[i]; i++)
		if (strcasecmp(doctor_issuers[i], organisation) == 0)
			return true;
	return false;
}

/* The last certificate of the best path, by name; of one that has no end, who should be there. */
static void
root_name(const struct chain_ground *g, const struct verify_case *c, char *out, size_t room)
{
	STACK_OF(X509) *pool = sk_X509_new_null();
	struct path     path;

	for (int i = 0; pool && i < sk_X509_num(c->sent) && i < VERIFY_SENT_MAX; i++) {
		X509     *one = sk_X509_value(c->sent, i);
		EVP_PKEY *key = X509_get0_pubkey(one);
		if (!key || EVP_PKEY_get_bits(key) <= VERIFY_KEY_BITS_MAX) /* else checking with it costs too much */
			sk_X509_push(pool, one);
	}
	out[0] = '\0';
	if (pool && path_find(g->ground, c, pool, &path)) {
		const X509 *top = sk_X509_value(path.chain, sk_X509_num(path.chain) - 1);
		name_print(path.missing ? X509_get_issuer_name(top) : X509_get_subject_name(top), out, room);
		path_clear(&path);
	}
	sk_X509_free(pool);
	ERR_clear_error();
}

#define KIND(k) (1u << (k))

static enum doctor_fault
fault_of(const struct chain_ground *g, const X509 *leaf, const struct profile *p)
{
	char organisation[ORGANISATION_MAX];

	organisation_of(X509_get_issuer_name(leaf), organisation);
	if (p->fault == FAULT_CERT_OWN_CA)
		return DOCTOR_OWN_CA;
	if (p->kinds & (KIND(KIND_SELF_SIGNED) | KIND(KIND_UNTRUSTED) | KIND(KIND_INCOMPLETE)))
		return is_expected(g, organisation, false) ? DOCTOR_UNTRUSTED : DOCTOR_INTERCEPTED;
	if (p->kinds & KIND(KIND_WRONG_HOST))
		return DOCTOR_WRONG_NAME;
	if (p->kinds & (KIND(KIND_EXPIRED) | KIND(KIND_NOT_YET_VALID)))
		return DOCTOR_EXPIRED;
	if (p->fault != FAULT_NONE)
		return DOCTOR_UNTRUSTED;
	return is_expected(g, organisation, true) ? DOCTOR_OK : DOCTOR_OTHER_ISSUER;
}

static void
row_fill(const struct chain_ground *g, const X509 *leaf, const struct profile *p, struct doctor_row *row)
{
	char now[TIME_TEXT];

	row->fault = fault_of(g, leaf, p);
	row->not_after = p->not_after;
	memcpy(row->leaf_sha256, p->print, sizeof row->leaf_sha256);
	snprintf(row->issuer, sizeof row->issuer, "%s", p->issuer);
	switch (row->fault) {
	case DOCTOR_OK:
		break;
	case DOCTOR_OWN_CA:
		name_print(X509_get_subject_name(g->own), row->root, sizeof row->root);
		snprintf(row->detail, sizeof row->detail, "issued by this gateway's own inspection CA: %.120s", row->root);
		break;
	case DOCTOR_OTHER_ISSUER:
		snprintf(row->detail, sizeof row->detail, "issued by %.80s, root %.80s", row->issuer, row->root);
		break;
	case DOCTOR_INTERCEPTED:
		snprintf(row->detail, sizeof row->detail, "issued by %.80s, which no root of the system vouches for", row->issuer);
		break;
	case DOCTOR_EXPIRED: /* or is it our clock? */
		snprintf(row->detail, sizeof row->detail, "%.120s; here it is %s", p->detail, time_print((int64_t)(clock_real_us() / 1000000), now));
		break;
	default:
		snprintf(row->detail, sizeof row->detail, "%s", p->detail);
	}
}

void
chain_judge(struct chain_ground *g, const SSL *ssl, const struct host *name, struct doctor_row *row)
{
	X509              *leaf = SSL_get1_peer_certificate(ssl);
	struct profile    *p = NULL;
	char               url[VERIFY_URL_MAX + 1];
	struct verify_case c = {
	    .leaf = leaf,
	    .sent = SSL_get_peer_cert_chain(ssl),
	    .name = name,
	    .now = (int64_t)(clock_real_us() / 1000000),
	    .now_us = clock_mono_us(),
	    .resumed = true, /* no staple was asked for: it is not missed */
	    .version = (uint16_t)SSL_version(ssl),
	    .cipher = SSL_get_cipher_name(ssl),
	    .cipher_bits = SSL_get_cipher_bits(ssl, NULL),
	};

	row->tls = SSL_version(ssl) == TLS1_3_VERSION ? 3 : 2;
	if (!leaf) {
		row->fault = DOCTOR_TLS_FAILED;
		snprintf(row->detail, sizeof row->detail, "the server shows no certificate");
		return;
	}
	if (verify_chain(g->ground, &c, &p, url) == SAID_DONE) {
		root_name(g, &c, row->root, sizeof row->root);
		row_fill(g, leaf, p, row);
	} else {
		row->fault = DOCTOR_TLS_FAILED;
		snprintf(row->detail, sizeof row->detail, "out of memory");
	}
	profile_unref(p);
	X509_free(leaf);
	ERR_clear_error();
}
