/* SPDX-License-Identifier: MIT */
#include <openssl/err.h>
#include <openssl/pkcs7.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/queue.h>

#include "tls/verify_inside.h"

#define ENTRIES_MAX  256u
#define BYTES_MAX    (1u << 20)
#define DER_MAX      65536u
#define BUNDLE_MAX   8
#define HAVE_US      (UINT64_C(86400) * 1000000)
#define MISSED_US    (UINT64_C(600) * 1000000)

struct issuer {
	TAILQ_ENTRY(issuer) by_age;
	STACK_OF(X509) *certs; /* null: could not be had */
	uint64_t        until_us;
	size_t          bytes;
	char            url[];
};

struct issuers {
	TAILQ_HEAD(, issuer) by_age; /* oldest first */
	unsigned n;
	size_t   bytes;
};

struct issuers *
issuers_new(void)
{
	struct issuers *t = calloc(1, sizeof *t);

	if (t)
		TAILQ_INIT(&t->by_age);
	return t;
}

static void
issuer_remove(struct issuers *t, struct issuer *i)
{
	TAILQ_REMOVE(&t->by_age, i, by_age);
	t->n--;
	t->bytes -= i->bytes;
	sk_X509_pop_free(i->certs, X509_free);
	free(i);
}

void
issuers_free(struct issuers *t)
{
	struct issuer *i;

	if (!t)
		return;
	while ((i = TAILQ_FIRST(&t->by_age)))
		issuer_remove(t, i);
	free(t);
}

/* Only chains that lack an issuer ask, so that a walk is cheap enough. */
static struct issuer *
issuer_find(struct issuers *t, const char *url)
{
	struct issuer *i;

	TAILQ_FOREACH (i, &t->by_age, by_age)
		if (strcmp(i->url, url) == 0)
			return i;
	return NULL;
}

enum issuers_know
issuers_find(struct issuers *t, const char *url, uint64_t now_us, STACK_OF(X509) **certs)
{
	struct issuer *i = issuer_find(t, url);

	if (i && now_us >= i->until_us) {
		issuer_remove(t, i);
		i = NULL;
	}
	if (!i)
		return ISSUERS_UNKNOWN;
	*certs = i->certs;
	return i->certs ? ISSUERS_HAVE : ISSUERS_MISSED;
}

/* One certificate, or a bundle of PKCS#7 (RFC 5280 4.2.2.1); null when it is neither. */
static STACK_OF(X509) *
certs_read(struct span der)
{
	const unsigned char *p = (const unsigned char *)der.p, *at = p;
	STACK_OF(X509)      *out = sk_X509_new_null(), *in;
	X509                *one;
	PKCS7               *bundle;

	if (!out)
		return NULL;
	one = d2i_X509(NULL, &at, (long)der.n);
	if (one && sk_X509_push(out, one))
		return out;
	X509_free(one);
	at = p;
	bundle = d2i_PKCS7(NULL, &at, (long)der.n);
	in = bundle && PKCS7_type_is_signed(bundle) && bundle->d.sign ? bundle->d.sign->cert : NULL;
	for (int i = 0; i < sk_X509_num(in) && i < BUNDLE_MAX; i++)
		if (X509_up_ref(sk_X509_value(in, i)) && !sk_X509_push(out, sk_X509_value(in, i)))
			X509_free(sk_X509_value(in, i));
	PKCS7_free(bundle);
	ERR_clear_error();
	if (sk_X509_num(out) > 0)
		return out;
	sk_X509_free(out);
	return NULL;
}

void
issuers_keep(struct issuers *t, const char *url, struct span der, uint64_t now_us)
{
	struct issuer *i = issuer_find(t, url);
	size_t         n = strnlen(url, VERIFY_URL_MAX + 1);

	if (i)
		issuer_remove(t, i);
	if (n > VERIFY_URL_MAX || !(i = calloc(1, sizeof *i + n + 1)))
		return; /* asked for again */
	memcpy(i->url, url, n);
	i->bytes = sizeof *i + n;
	if (der.p && der.n > 0 && der.n <= DER_MAX && (i->certs = certs_read(der)))
		i->bytes += 2 * der.n;
	i->until_us = now_us + (i->certs ? HAVE_US : MISSED_US);
	while (t->n >= ENTRIES_MAX || (t->n > 0 && t->bytes + i->bytes > BYTES_MAX))
		issuer_remove(t, TAILQ_FIRST(&t->by_age));
	TAILQ_INSERT_TAIL(&t->by_age, i, by_age);
	t->n++;
	t->bytes += i->bytes;
}

static bool
url_take(const GENERAL_NAME *where, char url[VERIFY_URL_MAX + 1])
{
	static const char    scheme[] = "http://";
	const ASN1_STRING   *s = where->type == GEN_URI ? where->d.uniformResourceIdentifier : NULL;
	const unsigned char *p = s ? ASN1_STRING_get0_data(s) : NULL;
	int                  n = s ? ASN1_STRING_length(s) : 0;

	if (n < (int)sizeof scheme || n > VERIFY_URL_MAX || strncasecmp((const char *)p, scheme, sizeof scheme - 1) != 0)
		return false;
	for (int i = 0; i < n; i++)
		if (p[i] <= 0x20 || p[i] >= 0x7f)
			return false;
	memcpy(url, p, (size_t)n);
	url[n] = '\0';
	return true;
}

bool
issuers_url(const X509 *cert, char url[VERIFY_URL_MAX + 1])
{
	AUTHORITY_INFO_ACCESS *all = X509_get_ext_d2i(cert, NID_info_access, NULL, NULL);
	bool                   found = false;

	for (int i = 0; !found && i < sk_ACCESS_DESCRIPTION_num(all); i++) {
		const ACCESS_DESCRIPTION *d = sk_ACCESS_DESCRIPTION_value(all, i);
		found = OBJ_obj2nid(d->method) == NID_ad_ca_issuers && url_take(d->location, url);
	}
	AUTHORITY_INFO_ACCESS_free(all);
	ERR_clear_error();
	return found;
}
