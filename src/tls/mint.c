/* SPDX-License-Identifier: MIT */
#include "tls/mint.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/addr.h"
#include "tls/extension.h"
#include "tls/findings.h"
#include "tls/leaf.h"
#include "tls/name_check.h"
#include "tls/profile.h"

#define BACKDATE_S   3600  /* clocks of clients are behind */
#define PAGE_S       86400 /* of a leaf that an error page is shown under */
#define SERIAL_BYTES 16u   /* 127 bits of them random */
#define MINT_KEYS    2u    /* leaf keys that are in turn: ECDSA and RSA */
#define NAME_MOST    64u   /* of a common name: X.520's upper bound */

/* What leaves say of one leaf key, worked out once: encoding a key takes OpenSSL 3.0 four times as long as signing. */
struct shown {
	EVP_PKEY       *key; /* a reference, so that the pointer names it; null: none yet */
	X509_PUBKEY    *public;
	X509_EXTENSION *id;
};

struct mint {
	X509             *cert;
	EVP_PKEY         *key;
	const EVP_MD     *md;
	X509_EXTENSION   *basic, *usage, *purpose, *authority; /* what all leaves share; authority null: the CA has no key identifier */
	NAME_CONSTRAINTS *allowed; /* null: all names */
	int64_t           not_before, not_after; /* the CA's */
	int64_t           leaf_s;
	uint8_t           print[32];
	struct shown      shown[MINT_KEYS]; /* of the leaf keys last asked for, the latest first */
};

/* --- small things --- */

static bool
time_set(ASN1_TIME *t, int64_t at)
{
	return ASN1_TIME_adj(t, (time_t)at, 0, 0) != NULL;
}

static bool
serial_set(X509 *x)
{
	uint8_t       bytes[SERIAL_BYTES];
	BIGNUM       *n;
	ASN1_INTEGER *serial = NULL;
	bool          ok;

	if (RAND_bytes(bytes, sizeof bytes) != 1)
		return false;
	bytes[0] = (bytes[0] & 0x7f) | 0x40; /* positive, and always of this length (RFC 5280 4.1.2.2) */
	n = BN_bin2bn(bytes, sizeof bytes, NULL);
	serial = n ? BN_to_ASN1_INTEGER(n, NULL) : NULL;
	ok = serial && X509_set_serialNumber(x, serial);
	ASN1_INTEGER_free(serial);
	BN_free(n);
	return ok;
}

static const EVP_MD *
digest_for(EVP_PKEY *key)
{
	int bits = EVP_PKEY_get_base_id(key) == EVP_PKEY_EC ? EVP_PKEY_get_bits(key) : 256;

	return bits > 384 ? EVP_sha512() : bits > 256 ? EVP_sha384() : EVP_sha256();
}

/* --- can it be used? --- */

static const char *
key_fault(EVP_PKEY *key)
{
	switch (EVP_PKEY_get_base_id(key)) {
	case EVP_PKEY_RSA:
		return EVP_PKEY_get_bits(key) < 2048 ? "its RSA key has less than 2048 bits, which clients refuse" : NULL;
	case EVP_PKEY_EC:
		return EVP_PKEY_get_bits(key) < 256 ? "its key has less than 256 bits, which clients refuse" : NULL;
	default:
		return "its key is neither RSA nor ECDSA, which is all that clients take";
	}
}

const char *
mint_ca_fault(const X509 *cert, EVP_PKEY *key, int64_t now, char *buf, size_t n)
{
	X509       *x = (X509 *)(uintptr_t)cert; /* OpenSSL keeps what it has worked out inside */
	EVP_PKEY   *public = X509_get0_pubkey(cert);
	int64_t     from = 0, until = 0;
	const char *why = NULL;

	if (X509_check_ca(x) != 1)
		why = "is not the certificate of a CA: basicConstraints has to say CA:TRUE, and keyUsage keyCertSign";
	else if (!(X509_get_key_usage(x) & KU_KEY_CERT_SIGN))
		why = "may not sign certificates: its keyUsage lacks keyCertSign";
	else if (!(X509_get_extended_key_usage(x) & (XKU_SSL_SERVER | XKU_ANYEKU)))
		why = "may not sign for servers: its extendedKeyUsage lacks serverAuth";
	else if (!public)
		why = "has a public key that cannot be read";
	else if (!time_read(X509_get0_notBefore(cert), &from) || !time_read(X509_get0_notAfter(cert), &until))
		why = "has no valid dates";
	else if (now >= until)
		why = "has expired";
	else if (now < from)
		why = "is not valid yet";
	else
		why = key_fault(public);
	if (!why && key && X509_check_private_key(x, key) != 1)
		why = "does not fit the private key: they are not a pair";
	ERR_clear_error();
	if (!why)
		return NULL;
	snprintf(buf, n, "%s", why);
	return buf;
}

/* --- the mint --- */

static void
shown_clear(struct shown *s)
{
	EVP_PKEY_free(s->key);
	X509_PUBKEY_free(s->public);
	X509_EXTENSION_free(s->id);
	*s = (struct shown){0};
}

void
mint_free(struct mint *m)
{
	if (!m)
		return;
	for (unsigned i = 0; i < MINT_KEYS; i++)
		shown_clear(&m->shown[i]);
	X509_EXTENSION_free(m->basic);
	X509_EXTENSION_free(m->usage);
	X509_EXTENSION_free(m->purpose);
	X509_EXTENSION_free(m->authority);
	NAME_CONSTRAINTS_free(m->allowed);
	X509_free(m->cert);
	EVP_PKEY_free(m->key); /* OpenSSL cleanses private numbers when the last reference goes */
	free(m);
}

struct mint *
mint_new(X509 *cert, EVP_PKEY *key)
{
	struct mint             *m = calloc(1, sizeof *m);
	const ASN1_OCTET_STRING *id = X509_get0_subject_key_id(cert);
	unsigned                 n = sizeof m->print;
	int                      critical = -1;
	bool                     ok;

	if (!m || !X509_up_ref(cert)) {
		free(m);
		return NULL;
	}
	m->cert = cert;
	m->leaf_s = MINT_LEAF_S;
	ok = EVP_PKEY_up_ref(key);
	m->key = ok ? key : NULL;
	ok = ok && X509_digest(cert, EVP_sha256(), m->print, &n) && time_read(X509_get0_notBefore(cert), &m->not_before) &&
	     time_read(X509_get0_notAfter(cert), &m->not_after);
	m->md = digest_for(key);
	m->basic = extension_basic(false);
	m->usage = extension_usage(0, 0); /* digitalSignature; no RSA key exchange: every cipher that we take is ephemeral */
	m->purpose = extension_purpose();
	m->authority = id ? extension_authority(id) : NULL;
	m->allowed = X509_get_ext_d2i(cert, NID_name_constraints, &critical, NULL);
	ok = ok && m->basic && m->usage && m->purpose && (!id || m->authority) && (m->allowed || critical == -1); /* constraints that cannot be read allow nothing */
	ERR_clear_error();
	if (ok)
		return m;
	mint_free(m);
	return NULL;
}

void
mint_fit(struct mint *m, int64_t leaf_s)
{
	m->leaf_s = leaf_s;
}

int64_t
mint_ends(const struct mint *m)
{
	return m->not_after;
}

const uint8_t *
mint_print(const struct mint *m)
{
	return m->print;
}

/* --- a leaf's names --- */

static bool
general_add(GENERAL_NAMES *all, const struct leaf_name *name)
{
	GENERAL_NAME      *g = GENERAL_NAME_new();
	ASN1_STRING       *s = name->dns.n ? ASN1_IA5STRING_new() : ASN1_OCTET_STRING_new();
	struct addr        a;
	bool               ok = g && s;

	if (ok && name->dns.n) {
		ok = ASN1_STRING_set(s, name->dns.p, (int)name->dns.n);
	} else if (ok) {
		memcpy(a.b, name->addr, sizeof a.b);
		ok = addr_is_v4(&a) ? ASN1_STRING_set(s, a.b + 12, 4) : ASN1_STRING_set(s, a.b, 16);
	}
	if (!ok || sk_GENERAL_NAME_push(all, g) <= 0) {
		GENERAL_NAME_free(g);
		ASN1_STRING_free(s);
		return false;
	}
	GENERAL_NAME_set0_value(g, name->dns.n ? GEN_DNS : GEN_IPADD, s);
	return true;
}

/* All names of the ask; *subject gets the one for the common name, or stays empty. */
static GENERAL_NAMES *
names_make(const struct leaf_ask *ask, char subject[NAME_MOST + 1], const char **why)
{
	GENERAL_NAMES   *all = sk_GENERAL_NAME_new_null();
	struct leaf_name name;
	size_t           at = 0, n = 0;
	char             text[ADDR_TEXT_MAX];
	bool             ok = all != NULL, common = false;

	*why = "out of memory";
	while (ok && leaf_name_next(ask->names, &at, &name)) {
		struct span says = name.dns;
		if (name.dns.n && !name_may_be_signed(name.dns)) {
			*why = "a name is none that a certificate may hold";
			ok = false;
			break;
		}
		if (!name.dns.n) {
			struct addr a;
			memcpy(a.b, name.addr, sizeof a.b);
			says = span_of(text, addr_print(&a, text));
		}
		if (says.n <= NAME_MOST && (n == 0 || (!common && says.n == ask->common_name.n && span_eq_nocase(says, ask->common_name)))) {
			common = span_eq_nocase(says, ask->common_name);
			snprintf(subject, NAME_MOST + 1, "%.*s", SPAN_ARG(says));
		}
		n++;
		ok = general_add(all, &name);
	}
	if (ok && (at != ask->names.n || n == 0 || n > PROFILE_NAMES_MAX || (ask->page && n != 1))) {
		*why = n == 0 ? "there is no name" : n > PROFILE_NAMES_MAX ? "there are too many names" : "the names are damaged";
		ok = false;
	}
	if (ok)
		return all;
	sk_GENERAL_NAME_pop_free(all, GENERAL_NAME_free);
	return NULL;
}

static bool
names_set(X509 *x, const struct leaf_ask *ask, const char **why)
{
	char           subject[NAME_MOST + 1] = "";
	GENERAL_NAMES *all = names_make(ask, subject, why);
	bool           ok;

	if (!all)
		return false;
	/* RFC 5280 4.2.1.6: critical when the subject says nothing */
	ok = (!subject[0] ||
	         X509_NAME_add_entry_by_NID(X509_get_subject_name(x), NID_commonName, MBSTRING_UTF8, (const unsigned char *)subject, -1, -1, 0)) &&
	     extension_add(x, extension_of(NID_subject_alt_name, !subject[0], all));
	sk_GENERAL_NAME_pop_free(all, GENERAL_NAME_free);
	return ok;
}

/* --- a leaf's key --- */

static const struct shown *
shown_of(struct mint *m, EVP_PKEY *key)
{
	struct shown s = {0};

	for (unsigned i = 0; i < MINT_KEYS; i++)
		if (m->shown[i].key == key)
			return &m->shown[i];
	if (!X509_PUBKEY_set(&s.public, key) || !(s.id = extension_key_id(s.public)) || !EVP_PKEY_up_ref(key)) {
		shown_clear(&s);
		return NULL;
	}
	s.key = key;
	shown_clear(&m->shown[MINT_KEYS - 1]);
	memmove(&m->shown[1], &m->shown[0], sizeof m->shown - sizeof *m->shown);
	m->shown[0] = s;
	return m->shown;
}

/* As X509_set_pubkey, of what is encoded already. */
static bool
public_set(X509 *x, X509_PUBKEY *public)
{
	const unsigned char *bits;
	int                  n, type;
	X509_ALGOR          *algorithm;
	const ASN1_OBJECT   *object;
	const void          *value;
	ASN1_OBJECT         *curve = NULL;
	unsigned char       *copy;

	if (!X509_PUBKEY_get0_param(NULL, &bits, &n, &algorithm, public))
		return false;
	X509_ALGOR_get0(&object, &type, &value, algorithm);
	/* RSA has NULL there, ECDSA the name of its curve */
	if ((type != V_ASN1_OBJECT && type != V_ASN1_NULL) || (type == V_ASN1_OBJECT && !(curve = OBJ_dup(value))))
		return false;
	copy = OPENSSL_memdup(bits, (size_t)n);
	if (copy && X509_PUBKEY_set0_param(X509_get_X509_PUBKEY(x), OBJ_nid2obj(OBJ_obj2nid(object)), type, curve, copy, n))
		return true;
	ASN1_OBJECT_free(curve);
	OPENSSL_free(copy);
	return false;
}

/* --- a leaf --- */

/* What nobody trusts keeps the dates of an origin that is out of its time: the browser is to say so. */
bool
mint_dates(const struct mint *m, const struct leaf_ask *ask, int64_t now, int64_t *from, int64_t *until)
{
	int64_t most = ask->page && m->leaf_s > PAGE_S ? PAGE_S : m->leaf_s;

	*from = now - BACKDATE_S;
	*until = now + most;
	if (ask->ca == LEAF_UNTRUSTED && (ask->not_after || ask->not_before) && (ask->not_after <= now || ask->not_before > now)) {
		*from = ask->not_before;
		*until = ask->not_after;
		return *from < *until;
	}
	if (ask->not_before && *from < ask->not_before)
		*from = ask->not_before;
	if (ask->not_after && *until > ask->not_after)
		*until = ask->not_after;
	if (*from < m->not_before)
		*from = m->not_before;
	if (*until > m->not_after)
		*until = m->not_after;
	return *from <= now && now < *until;
}

/* May this CA sign these names? */
static bool
is_allowed(struct mint *m, X509 *x)
{
	int verdict = X509_V_OK;

	if (!m->allowed)
		return true;
	X509_check_purpose(x, -1, 0); /* has OpenSSL read the names that NAME_CONSTRAINTS_check looks at */
	verdict = NAME_CONSTRAINTS_check(x, m->allowed);
	return verdict == X509_V_OK;
}

static bool
leaf_fill(struct mint *m, X509 *x, const struct leaf_ask *ask, EVP_PKEY *leaf_key, int64_t now, const char **why)
{
	int64_t             from, until;
	const struct shown *shown = shown_of(m, leaf_key);

	*why = "out of memory";
	if (!shown)
		return false;
	if (!mint_dates(m, ask, now, &from, &until)) {
		*why = now >= m->not_after || now < m->not_before ? "the CA's own certificate is not valid now" : "the origin's certificate is not valid now";
		return false;
	}
	*why = "out of memory";
	if (!X509_set_version(x, X509_VERSION_3) || !serial_set(x) || !X509_set_issuer_name(x, X509_get_subject_name(m->cert)) ||
	    !time_set(X509_getm_notBefore(x), from) || !time_set(X509_getm_notAfter(x), until) || !public_set(x, shown->public))
		return false;
	if (!X509_add_ext(x, m->basic, -1) || !X509_add_ext(x, m->usage, -1) || !X509_add_ext(x, m->purpose, -1) || !names_set(x, ask, why))
		return false;
	*why = "out of memory";
	if (!X509_add_ext(x, shown->id, -1) || (m->authority && !X509_add_ext(x, m->authority, -1)))
		return false;
	*why = "the CA's name constraints do not allow it";
	return is_allowed(m, x);
}

size_t
mint_leaf(struct mint *m, const struct leaf_ask *ask, EVP_PKEY *leaf_key, int64_t now, uint8_t *out, size_t room, const char **why)
{
	X509 *x = X509_new();
	int   n = 0;

	*why = "out of memory";
	if (x && leaf_fill(m, x, ask, leaf_key, now, why)) {
		*why = MINT_UNSIGNED;
		n = X509_sign(x, m->key, m->md) > 0 ? i2d_X509(x, NULL) : 0;
		if (n > 0 && (size_t)n > room) {
			*why = "the certificate is too large";
			n = 0;
		}
		if (n > 0)
			n = i2d_X509(x, &out);
	}
	X509_free(x);
	ERR_clear_error();
	if (n <= 0)
		return 0;
	*why = NULL;
	return (size_t)n;
}

/* --- the authority itself --- */

/* Only these names and what is below them; and no addresses, which these would not hold back (RFC 5280 4.2.1.10). */
static X509_EXTENSION *
extension_permit(const struct mint_ca_want *want)
{
	NAME_CONSTRAINTS *nc = NAME_CONSTRAINTS_new();
	X509_EXTENSION   *e = NULL;
	bool              ok = nc && (nc->permittedSubtrees = sk_GENERAL_SUBTREE_new_null()) && (nc->excludedSubtrees = sk_GENERAL_SUBTREE_new_null());

	for (size_t i = 0; ok && i < want->n_permit + 2; i++) {
		static const uint8_t all[32];
		bool                 is_name = i < want->n_permit;
		GENERAL_SUBTREE     *sub = GENERAL_SUBTREE_new();
		ASN1_STRING         *s = is_name ? ASN1_IA5STRING_new() : ASN1_OCTET_STRING_new();
		ok = sub && s && (is_name ? ASN1_STRING_set(s, want->permit[i], -1) : ASN1_STRING_set(s, all, i == want->n_permit ? 8 : 32));
		if (ok)
			ok = sk_GENERAL_SUBTREE_push(is_name ? nc->permittedSubtrees : nc->excludedSubtrees, sub) > 0;
		if (!ok) {
			GENERAL_SUBTREE_free(sub);
			ASN1_STRING_free(s);
			break;
		}
		GENERAL_NAME_set0_value(sub->base, is_name ? GEN_DNS : GEN_IPADD, s);
	}
	if (ok)
		e = extension_of(NID_name_constraints, true, nc);
	NAME_CONSTRAINTS_free(nc);
	return e;
}

static bool
subject_add(X509_NAME *name, int nid, const char *text)
{
	return X509_NAME_add_entry_by_NID(name, nid, MBSTRING_UTF8, (const unsigned char *)text, -1, -1, 0);
}

static bool
ca_fill(X509 *x, const struct mint_ca_want *want, EVP_PKEY *key, int64_t now, const char **why)
{
	X509_NAME *name = X509_get_subject_name(x);

	*why = "the name or the organisation is no valid UTF-8 of at most 64 letters";
	if ((want->organisation && !subject_add(name, NID_organizationName, want->organisation)) || !subject_add(name, NID_commonName, want->name))
		return false;
	*why = "out of memory";
	if (!X509_set_version(x, X509_VERSION_3) || !serial_set(x) || !X509_set_issuer_name(x, name) || !time_set(X509_getm_notBefore(x), now - BACKDATE_S) ||
	    !time_set(X509_getm_notAfter(x), now + (int64_t)want->days * 86400) || !X509_set_pubkey(x, key))
		return false;
	return extension_add(x, extension_basic(true)) && extension_add(x, extension_usage(5, 6)) /* keyCertSign, cRLSign */ && extension_add(x, extension_key_id(X509_get_X509_PUBKEY(x))) &&
	       (want->n_permit == 0 || extension_add(x, extension_permit(want)));
}

bool
mint_ca_make(const struct mint_ca_want *want, int64_t now, X509 **cert, EVP_PKEY **key, const char **why)
{
	X509     *x = X509_new();
	EVP_PKEY *k = want->rsa ? EVP_RSA_gen(3072) : EVP_EC_gen("P-256");
	bool      ok = false;

	*why = "out of memory";
	for (size_t i = 0; i < want->n_permit; i++)
		if (!name_may_be_signed(span_str(want->permit[i])) || want->permit[i][0] == '*') {
			*why = "a permitted domain is no host name; write it in lower case, without a dot or star in front";
			goto out;
		}
	if (!k)
		*why = "the key cannot be made";
	else if (x && ca_fill(x, want, k, now, why)) {
		*why = MINT_UNSIGNED;
		ok = X509_sign(x, k, digest_for(k)) > 0;
	}
out:
	ERR_clear_error();
	if (!ok) {
		X509_free(x);
		EVP_PKEY_free(k);
		return false;
	}
	*cert = x;
	*key = k;
	*why = NULL;
	return true;
}
