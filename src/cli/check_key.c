/* SPDX-License-Identifier: MIT */
/*
 * check_key: does the CA's key fit its certificate, and each listener's its own? Asked by `postern check` alone, which an administrator runs: the parent of a running gateway does not
 * read the key.
 */
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "cli/check.h"
#include "conf/certificate.h"
#include "conf/file.h"
#include "conf/key_uri.h"
#include "tls/key.h"
#include "tls/token.h"

/* Null: said why. What the file holds is wiped. */
static EVP_PKEY *
key_read(const char *key, const char *path, struct where at, struct report *r)
{
	struct file_bytes file;
	EVP_PKEY         *found;
	const char       *fault;
	char              why[FILE_WHY];

	if (!file_read(path, KEY_MOST, &file, why)) {
		report_error(r, at, "%s: %s cannot be read: %s", key, path, why);
		return NULL;
	}
	found = key_parse(file.p, file.n, &fault);
	if (!found)
		report_error(r, at, "%s: %s: %s", key, path, fault);
	OPENSSL_cleanse(file.p, file.n);
	free(file.p);
	return found;
}

/* Null: conf has said why. */
static X509 *
cert_read(const char *path)
{
	struct der_list      list = {0};
	struct span          rest, der;
	const unsigned char *at;
	X509                *cert = NULL;
	char                 why[DER_WHY];

	if (der_list_read(&list, DER_CERTIFICATE, path, why)) {
		rest = span_of(list.v, list.n);
		if (der_next(&rest, &der)) {
			at = (const unsigned char *)der.p;
			cert = d2i_X509(NULL, &at, (long)der.n);
		}
	}
	der_list_clear(&list);
	ERR_clear_error();
	return cert;
}

/* One that is missing, or open to others, conf has spoken of. */
static bool
is_closed(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISREG(st.st_mode) && !(st.st_mode & CA_KEY_CLOSED);
}

/* `key`: the option that names the key; both files are there, as conf has seen. */
static void
pair_check(const char *key, const char *cert_path, const char *key_path, struct where at, struct report *r)
{
	X509     *cert;
	EVP_PKEY *found;

	if (!is_closed(key_path))
		return;
	cert = cert_read(cert_path);
	found = key_read(key, key_path, at, r);
	/* where they fit, what is said of the certificate's key (too short) is said of this one */
	if (cert && found && X509_check_private_key(cert, found) != 1)
		report_error(r, at, "%s: the key in %s is not that of the certificate in %s; name the two that belong together", key, key_path, cert_path);
	ERR_clear_error();
	EVP_PKEY_free(found);
	X509_free(cert);
}

static void
ca_check(const struct conf_inspection *i, struct report *r)
{
	if (!i->present || !i->ca_cert || !i->ca_key)
		return;
	if (!key_uri_is(i->ca_key))
		pair_check("ca-key", i->ca_cert, i->ca_key, i->ca_key_at, r);
	else if (!token_is_supported())
		report_warn(r, i->ca_key_at, "ca-key: OpenSSL's engine pkcs11 cannot be loaded, without which no token can be used; install libengine-pkcs11-openssl");
}

void
check_keys(const struct conf *c, struct report *r)
{
	const struct conf_listener *l;

	TAILQ_FOREACH (l, &c->listeners, link)
		if (l->tls_cert && l->tls_key)
			pair_check("tls-key", l->tls_cert, l->tls_key, l->tls_key_at, r);
	ca_check(&c->inspection, r);
}
