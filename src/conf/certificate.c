/* SPDX-License-Identifier: MIT */
#include "conf/certificate.h"

#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "conf/file.h"

#define RENEW_DAYS     30
#define SERVER_DAYS    14 /* certificates that live for 90 days are renewed 30 before */
#define RSA_BITS_LEAST 2048
#define EC_BITS_LEAST  256
#define HASH_BITS_LEAST 112 /* SHA-1 has fewer */
#define NAME_TEXT      200

/* Nothing of the system's openssl.cnf, whatever asks first. */
static void
library_begin(void)
{
	OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG | OPENSSL_INIT_NO_ATEXIT, NULL);
}

static bool
say(char why[DER_WHY], const char *text)
{
	snprintf(why, DER_WHY, "%s", text);
	return false;
}

/* --- lists --- */

void
der_list_clear(struct der_list *d)
{
	free(d->v);
	*d = (struct der_list){0};
}

static bool
piece_add(struct der_list *d, const unsigned char *der, size_t n)
{
	size_t room = d->room ? d->room : 4096;
	char  *v;

	while (room - d->n < n + 4)
		room *= 2;
	if (room != d->room) {
		v = realloc(d->v, room);
		if (!v)
			return false;
		d->v = v;
		d->room = room;
	}
	for (unsigned i = 0; i < 4; i++)
		d->v[d->n++] = (char)(n >> (24 - 8 * i) & 0xff);
	memcpy(d->v + d->n, der, n);
	d->n += n;
	d->count++;
	return true;
}

bool
der_next(struct span *rest, struct span *der)
{
	size_t n = 0;

	if (rest->n < 4)
		return false;
	for (unsigned i = 0; i < 4; i++)
		n = n << 8 | (unsigned char)rest->p[i];
	if (n > rest->n - 4)
		return false;
	*der = span_of(rest->p + 4, n);
	*rest = span_of(rest->p + 4 + n, rest->n - 4 - n);
	return true;
}

/* One piece, decoded to see that it is one and encoded again, so that nothing trails behind it. */
static bool
der_take(struct der_list *d, enum der_kind kind, const unsigned char *p, size_t n, char why[DER_WHY])
{
	const unsigned char *at = p;
	unsigned char       *der = NULL;
	X509                *cert = kind == DER_CERTIFICATE ? d2i_X509(NULL, &at, (long)n) : NULL;
	X509_CRL            *crl = kind == DER_CRL ? d2i_X509_CRL(NULL, &at, (long)n) : NULL;
	int                  len = cert ? i2d_X509(cert, &der) : crl ? i2d_X509_CRL(crl, &der) : -1;
	bool                 ok = len > 0 && piece_add(d, der, (size_t)len);

	if (!cert && !crl)
		say(why, kind == DER_CRL ? "holds a CRL that cannot be read" : "holds a certificate that cannot be read");
	else if (!ok)
		say(why, "out of memory");
	OPENSSL_free(der);
	X509_free(cert);
	X509_CRL_free(crl);
	ERR_clear_error();
	return ok;
}

static bool
is_kind(const char *name, enum der_kind kind)
{
	if (kind == DER_CRL)
		return strcmp(name, PEM_STRING_X509_CRL) == 0;
	return strcmp(name, PEM_STRING_X509) == 0 || strcmp(name, PEM_STRING_X509_OLD) == 0 || strcmp(name, PEM_STRING_X509_TRUSTED) == 0;
}

static bool
is_key(const char *name)
{
	size_t n = strlen(name), tail = strlen("PRIVATE KEY");

	return n >= tail && strcmp(name + n - tail, "PRIVATE KEY") == 0;
}

static bool
pem_take(struct der_list *d, enum der_kind kind, struct span bytes, char why[DER_WHY])
{
	BIO           *in = BIO_new_mem_buf(bytes.p, (int)bytes.n);
	char          *name = NULL, *header = NULL;
	unsigned char *data = NULL;
	long           n = 0;
	bool           ok = in != NULL;
	unsigned long  end;

	if (!in)
		say(why, "out of memory");
	ERR_clear_error();
	while (ok && PEM_read_bio(in, &name, &header, &data, &n) == 1) {
		d->beside_key |= is_key(name);
		if (is_kind(name, kind))
			ok = der_take(d, kind, data, (size_t)n, why);
		OPENSSL_free(name);
		OPENSSL_free(header);
		OPENSSL_clear_free(data, (size_t)n);
		ERR_clear_error();
	}
	end = ERR_peek_last_error();
	if (ok && !(ERR_GET_LIB(end) == ERR_LIB_PEM && ERR_GET_REASON(end) == PEM_R_NO_START_LINE))
		ok = say(why, ERR_GET_REASON(end) == ERR_R_MALLOC_FAILURE ? "out of memory" : "is cut off, or not PEM throughout");
	ERR_clear_error();
	BIO_free(in);
	return ok;
}

bool
der_list_add(struct der_list *d, enum der_kind kind, struct span bytes, char why[DER_WHY])
{
	size_t   n = d->n;
	uint32_t count = d->count;
	bool     is_der = bytes.n > 0 && bytes.p[0] == 0x30; /* a SEQUENCE; PEM is text */
	bool     ok;

	library_begin();
	if (bytes.n > CERTIFICATE_FILE_MOST)
		return say(why, "is larger than 64 MiB");
	ok = is_der ? der_take(d, kind, (const unsigned char *)bytes.p, bytes.n, why) : pem_take(d, kind, bytes, why);
	if (ok && d->count == count)
		ok = say(why, kind == DER_CRL ? "holds no CRL; want PEM (BEGIN X509 CRL) or DER" : "holds no certificate; want PEM (BEGIN CERTIFICATE) or DER");
	if (!ok) {
		d->n = n;
		d->count = count;
	}
	return ok;
}

bool
der_list_read(struct der_list *d, enum der_kind kind, const char *path, char why[DER_WHY])
{
	struct file_bytes file;
	char              cannot[FILE_WHY];
	bool              ok;

	if (!file_read(path, CERTIFICATE_FILE_MOST, &file, cannot)) {
		snprintf(why, DER_WHY, "cannot be read: %s", cannot);
		return false;
	}
	ok = der_list_add(d, kind, span_of(file.p, file.n), why);
	OPENSSL_cleanse(file.p, file.n);
	free(file.p);
	return ok;
}

/* --- judging --- */

static void
time_print(const ASN1_TIME *t, char *buf, size_t n)
{
	struct tm tm;

	if (!t || ASN1_TIME_to_tm(t, &tm) != 1 || strftime(buf, n, "%Y-%m-%d %H:%M:%S UTC", &tm) == 0)
		snprintf(buf, n, "an unreadable time");
}

/* Is `t` before now + days? An unreadable time is before everything. */
static bool
is_before(const ASN1_TIME *t, int64_t now, int days)
{
	time_t at = (time_t)now + (time_t)days * 86400;

	return !t || X509_cmp_time(t, &at) <= 0;
}

struct judge {
	certificate_say *say;
	void            *arg;
};

static void
judge_use(const struct judge *j, X509 *cert)
{
	uint32_t flags = X509_get_extension_flags(cert), use = X509_get_key_usage(cert);

	if (flags & EXFLAG_INVALID)
		j->say(j->arg, true, "has an extension that is not valid; make a new one");
	else if (!(flags & EXFLAG_CA))
		j->say(j->arg, true, "is not a CA's (basicConstraints): it may not sign others; `postern ca init` makes one");
	else if (!(flags & EXFLAG_KUSAGE) || !(use & KU_KEY_CERT_SIGN))
		j->say(j->arg, true, "may not sign certificates (keyUsage without keyCertSign); `postern ca init` makes one that may");
	else if ((flags & EXFLAG_XKUSAGE) && !(X509_get_extended_key_usage(cert) & (XKU_SSL_SERVER | XKU_ANYEKU)))
		j->say(j->arg, true, "may not sign for servers (extendedKeyUsage without serverAuth); `postern ca init` makes one that may");
	if (X509_NAME_entry_count(X509_get_subject_name(cert)) == 0)
		j->say(j->arg, true, "has no subject, which clients look for; `postern ca init` makes one that has");
}

static void
judge_time(const struct judge *j, X509 *cert, int64_t now)
{
	const ASN1_TIME *from = X509_get0_notBefore(cert), *to = X509_get0_notAfter(cert);
	char             text[200], when[40];

	time_print(is_before(from, now, 0) ? to : from, when, sizeof when);
	if (!is_before(from, now, 0)) {
		snprintf(text, sizeof text, "is not valid before %s; is this machine's clock right?", when);
		j->say(j->arg, true, text);
	} else if (is_before(to, now, 0)) {
		snprintf(text, sizeof text, "expired on %s; make a new one and have clients trust it", when);
		j->say(j->arg, true, text);
	} else if (is_before(to, now, RENEW_DAYS)) {
		snprintf(text, sizeof text, "expires on %s; make a new one, and have clients trust both before then", when);
		j->say(j->arg, false, text);
	}
}

static void
judge_strength(const struct judge *j, X509 *cert)
{
	EVP_PKEY *key = X509_get0_pubkey(cert);
	int       kind = key ? EVP_PKEY_get_base_id(key) : EVP_PKEY_NONE, bits = key ? EVP_PKEY_get_bits(key) : 0, hash = 0, secure = 0;
	char      text[160];

	if (kind != EVP_PKEY_RSA && kind != EVP_PKEY_EC) {
		j->say(j->arg, true, "has a key that not all clients understand; want RSA or EC");
	} else if (bits < (kind == EVP_PKEY_RSA ? RSA_BITS_LEAST : EC_BITS_LEAST)) {
		snprintf(text, sizeof text, "has a key of %d bits, which is too short; want %s", bits, kind == EVP_PKEY_RSA ? "RSA with 2048 or more" : "EC with 256 or more");
		j->say(j->arg, true, text);
	}
	if (!X509_get_signature_info(cert, &hash, NULL, &secure, NULL) || secure < HASH_BITS_LEAST)
		j->say(j->arg, true, "is signed with a hash that is broken, such as SHA-1; want SHA-256 or better");
	ERR_clear_error();
}

void
certificate_ca_judge(struct span der, int64_t now, certificate_say *say_it, void *arg)
{
	const unsigned char *at = (const unsigned char *)der.p;
	struct judge         j = {say_it, arg};
	X509                *cert;

	library_begin();
	cert = d2i_X509(NULL, &at, (long)der.n);
	if (!cert) {
		say_it(arg, true, "cannot be read");
	} else {
		judge_use(&j, cert);
		judge_time(&j, cert, now);
		judge_strength(&j, cert);
	}
	X509_free(cert);
	ERR_clear_error();
}

/* Clients refuse it then; the gateway serves those that do not look. */
static void
judge_server_time(const struct judge *j, X509 *cert, int64_t now)
{
	const ASN1_TIME *from = X509_get0_notBefore(cert), *to = X509_get0_notAfter(cert);
	bool             early = !is_before(from, now, 0);
	char             text[200], when[40];

	time_print(early ? from : to, when, sizeof when);
	if (early)
		snprintf(text, sizeof text, "is not valid before %s, so that clients refuse it; is this machine's clock right?", when);
	else if (is_before(to, now, 0))
		snprintf(text, sizeof text, "expired on %s, so that clients refuse it; put a new one there with its key, and reload", when);
	else if (is_before(to, now, SERVER_DAYS))
		snprintf(text, sizeof text, "expires on %s; put a new one there with its key before then, and reload", when);
	else
		return;
	j->say(j->arg, false, text);
}

static void
judge_server_use(const struct judge *j, X509 *cert)
{
	uint32_t flags = X509_get_extension_flags(cert);

	if (flags & EXFLAG_INVALID)
		j->say(j->arg, true, "has an extension that is not valid; want another");
	else if ((flags & EXFLAG_XKUSAGE) && !(X509_get_extended_key_usage(cert) & (XKU_SSL_SERVER | XKU_ANYEKU)))
		j->say(j->arg, false, "is not for servers (extendedKeyUsage without serverAuth), so that clients refuse it; want another");
}

static X509 *
certificate_read(struct span der)
{
	const unsigned char *at = (const unsigned char *)der.p;

	library_begin();
	return d2i_X509(NULL, &at, (long)der.n);
}

void
certificate_server_judge(struct span der, int64_t now, certificate_say *say_it, void *arg)
{
	struct judge j = {say_it, arg};
	X509        *cert = certificate_read(der);

	if (!cert) {
		say_it(arg, true, "cannot be read");
	} else {
		judge_server_use(&j, cert);
		judge_server_time(&j, cert, now);
		judge_strength(&j, cert);
	}
	X509_free(cert);
	ERR_clear_error();
}

void
certificate_link_judge(struct span der, certificate_say *say_it, void *arg)
{
	struct judge j = {say_it, arg};
	X509        *cert = certificate_read(der);

	/* nobody looks at how a root signed itself */
	if (cert && !(X509_get_extension_flags(cert) & EXFLAG_SS))
		judge_strength(&j, cert);
	X509_free(cert);
	ERR_clear_error();
}

static void
name_print(const X509_NAME *name, char *buf, size_t n)
{
	BIO *out = BIO_new(BIO_s_mem());
	int  got = 0;

	if (out && X509_NAME_print_ex(out, name, 0, XN_FLAG_RFC2253 & ~(unsigned long)ASN1_STRFLGS_ESC_MSB) >= 0)
		got = BIO_read(out, buf, (int)n - 1);
	buf[got > 0 ? got : 0] = '\0';
	BIO_free(out);
}

bool
crl_is_old(struct span der, int64_t now, char *text, size_t n)
{
	const unsigned char *at = (const unsigned char *)der.p;
	const ASN1_TIME     *next;
	X509_CRL            *crl;
	char                 name[NAME_TEXT], when[40];
	bool                 old;

	library_begin();
	crl = d2i_X509_CRL(NULL, &at, (long)der.n);
	next = crl ? X509_CRL_get0_nextUpdate(crl) : NULL;
	old = next && is_before(next, now, 0);
	if (old) {
		name_print(X509_CRL_get_issuer(crl), name, sizeof name);
		time_print(next, when, sizeof when);
		snprintf(text, n, "%s, %s", name, when);
	}
	X509_CRL_free(crl);
	ERR_clear_error();
	return old;
}

bool
certificate_print(struct span der, uint8_t print[32])
{
	bool ok;

	library_begin();
	ok = EVP_Digest(der.p, der.n, print, NULL, EVP_sha256(), NULL) == 1;
	ERR_clear_error();
	return ok;
}
