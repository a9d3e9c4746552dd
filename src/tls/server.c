/* SPDX-License-Identifier: MIT */
#include "tls/server.h"

#include <errno.h>
#include <limits.h>
#include <nettle/sha2.h>
#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conf/certificate.h"
#include "tls/end_parts.h"
#include "tls/key.h"
#include "tls/server_inside.h"


static bool
say(char why[TLS_SERVER_WHY], const char *text)
{
	snprintf(why, TLS_SERVER_WHY, "%s", text);
	return false;
}

/* OpenSSL's own word for it, or want of memory. */
static bool
say_reason(char why[TLS_SERVER_WHY], const char *what)
{
	unsigned long e = ERR_peek_last_error();
	const char   *reason = e ? ERR_reason_error_string(e) : NULL;

	snprintf(why, TLS_SERVER_WHY, "%s: %s", what, reason ? reason : "out of memory");
	return false;
}

/* --- the key --- */

/* From the beginning, wherever others who share the descriptor have read to. */
static EVP_PKEY *
key_read(int fd, char why[TLS_SERVER_WHY])
{
	struct stat st;
	EVP_PKEY   *key;
	const char *fault;
	char       *p;
	size_t      n = 0;
	ssize_t     got;

	if (fd < 0 || fstat(fd, &st) != 0 || st.st_size > (off_t)KEY_MOST) {
		say(why, fd < 0 ? "the key did not come" : "the key's file cannot be read, or is larger than 1 MiB");
		return NULL;
	}
	p = malloc((size_t)st.st_size + 1);
	if (!p) {
		say(why, "out of memory");
		return NULL;
	}
	while (n < (size_t)st.st_size && (got = pread(fd, p + n, (size_t)st.st_size - n, (off_t)n)) != 0) {
		if (got < 0 && errno != EINTR)
			break;
		n += got > 0 ? (size_t)got : 0;
	}
	key = key_parse(p, n, &fault);
	if (!key)
		say(why, fault);
	OPENSSL_cleanse(p, (size_t)st.st_size);
	free(p);
	return key;
}

/* --- the certificate --- */

static X509 *
next_certificate(struct span *rest)
{
	struct span          der;
	const unsigned char *at;

	if (!der_next(rest, &der) || der.n > LONG_MAX)
		return NULL;
	at = (const unsigned char *)der.p;
	return d2i_X509(NULL, &at, (long)der.n);
}

static bool
use_chain(SSL_CTX *ctx, struct span chain, char why[TLS_SERVER_WHY])
{
	X509 *x = next_certificate(&chain);
	bool  ok = x && SSL_CTX_use_certificate(ctx, x) == 1;

	X509_free(x);
	while (ok && (x = next_certificate(&chain))) {
		ok = SSL_CTX_add1_chain_cert(ctx, x) == 1;
		X509_free(x);
	}
	return ok && chain.n == 0 ? true : say_reason(why, "its certificate cannot be used");
}

static bool
use_key(SSL_CTX *ctx, int fd, char why[TLS_SERVER_WHY])
{
	EVP_PKEY *key = key_read(fd, why);
	bool      ok = false;

	if (!key)
		return false;
	if (X509_check_private_key(SSL_CTX_get0_certificate(ctx), key) != 1)
		say(why, "the key is not that of the certificate in tls-cert; name the two that belong together");
	else if (SSL_CTX_use_PrivateKey(ctx, key) != 1)
		say_reason(why, "the key cannot be used");
	else
		ok = true;
	EVP_PKEY_free(key);
	return ok;
}

/* --- the binding --- */

/* RFC 5929 4.1: the hash of the certificate's signature, but SHA-256 for MD5 and SHA-1 and where there is no single one. */
static const EVP_MD *
binding_hash(const X509 *x)
{
	int           hash = NID_undef;
	const EVP_MD *md = NULL;

	if (X509_get_signature_info((X509 *)(uintptr_t)x, &hash, NULL, NULL, NULL) && hash != NID_md5 && hash != NID_sha1 && hash != NID_md5_sha1)
		md = EVP_get_digestbynid(hash);
	return md ? md : EVP_sha256();
}

/* MS-NLMP 2.2.2.1: gss_channel_bindings_struct (RFC 2744 3.11) without addresses, all numbers little-endian. */
static bool
hash_bindings(struct tls_server *s)
{
	uint8_t text[20 + sizeof s->end_point] = {0};
	size_t  n = s->end_point_n;

	text[16] = (uint8_t)n;
	memcpy(text + 20, s->end_point, n);
	return EVP_Digest(text, 20 + n, s->binding, NULL, EVP_md5(), NULL) == 1;
}

static bool
make_binding(struct tls_server *s)
{
	X509    *x = SSL_CTX_get0_certificate(s->ctx);
	unsigned n = 0;

	memcpy(s->end_point, END_POINT, END_POINT_SIZE);
	if (X509_digest(x, binding_hash(x), s->end_point + END_POINT_SIZE, &n) != 1)
		return false;
	s->end_point_n = END_POINT_SIZE + n;
	return hash_bindings(s);
}

/* --- the whole --- */

/* A ticket is good for the listener and the certificate that it was given out under: keys are shared with what is inspected. */
static bool
set_ground(struct tls_server *s, struct span ground)
{
	static const char  what[] = "postern listener";
	uint8_t            digest[SHA256_DIGEST_SIZE];
	struct sha256_ctx  h;

	sha256_init(&h);
	sha256_update(&h, sizeof what, (const uint8_t *)what);
	sha256_update(&h, s->end_point_n, s->end_point);
	sha256_update(&h, ground.n, (const uint8_t *)ground.p);
	sha256_digest(&h, sizeof digest, digest);
	return SSL_CTX_set_session_id_context(s->ctx, digest, sizeof digest) == 1;
}

static bool
server_fill(struct tls_server *s, struct span chain, int key_fd, struct span ground, char why[TLS_SERVER_WHY])
{
	s->ctx = context_new(TLS_server_method(), TLS1_2_VERSION);
	if (!s->ctx || !tickets_init(&s->tickets) || !tickets_serve(&s->tickets, s->ctx))
		return say_reason(why, "TLS cannot be made ready");
	SSL_CTX_set_session_cache_mode(s->ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_timeout(s->ctx, TICKET_S);
	SSL_CTX_set_alpn_select_cb(s->ctx, end_on_alpn, NULL);
	if (!use_chain(s->ctx, chain, why) || !use_key(s->ctx, key_fd, why))
		return false;
	return (make_binding(s) && set_ground(s, ground)) || say_reason(why, "TLS cannot be made ready");
}

struct tls_server *
tls_server_new(struct span chain, int key_fd, struct span ground, char why[TLS_SERVER_WHY])
{
	struct tls_server *s = calloc(1, sizeof *s);

	why[0] = '\0';
	if (!s) {
		say(why, "out of memory");
		return NULL;
	}
	s->refs = 1;
	ERR_clear_error();
	if (!server_fill(s, chain, key_fd, ground, why)) {
		tls_server_unref(s);
		s = NULL;
	}
	ERR_clear_error();
	return s;
}

struct tls_server *
tls_server_ref(struct tls_server *s)
{
	s->refs++;
	return s;
}

void
tls_server_unref(struct tls_server *s)
{
	if (!s || --s->refs)
		return;
	SSL_CTX_free(s->ctx);
	tickets_clear(&s->tickets);
	free(s);
}

void
tls_server_set_tickets(struct tls_server *s, const uint8_t key[][TICKET_KEY_SIZE], unsigned n)
{
	tickets_set(&s->tickets, key, n);
	s->shared_tickets = true;
}

struct span
tls_server_end_point(const struct tls_server *s)
{
	return span_of((const char *)s->end_point, s->end_point_n);
}

const uint8_t *
tls_server_binding(const struct tls_server *s)
{
	return s->binding;
}
