/* SPDX-License-Identifier: MIT */
/*
 * inject_tls: OpenSSL and nghttp2. Some three hundred of their functions are called here, and nearly all of them fail for one reason only: there is no
 * memory. So it is their memory that fails, under the names "openssl" and "nghttp2": one allocation after the other, wherever in the library it is asked
 * for; all of the library's own ways back are then walked too, and no function need be named. A place is two things: where the program called
 * the library, and how the library came to its allocation (OpenSSL tells its file and line). What fails for another reason (no randomness, a key that
 * will not sign) is wrapped by its name.
 */
#include "inject.h"

#include <execinfo.h>
#include <nghttp2/nghttp2.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
#include <stdarg.h>
#include <stdlib.h>

#define FRAMES 48

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);

static uint32_t
mixed(uint32_t sum, uint64_t value)
{
	return (uint32_t)((sum ^ value ^ value >> 32) * 0x9e3779b1u);
}

static bool
is_ours(const void *address)
{
	return (const char *)address >= __executable_start && (const char *)address < etext;
}

/* Where the program called the library, which asks for memory at `within`; path: each address on the way, less `base`, which the loader chose. */
static const void *
caller(const void *within, uint32_t *path, uintptr_t base)
{
	void *frame[FRAMES];
	int   n = backtrace(frame, FRAMES), i = 0;

	while (i < n && frame[i] != within)
		i++;
	for (; i < n && !is_ours(frame[i]); i++)
		if (base)
			*path = mixed(*path, (uintptr_t)frame[i] - base);
	return i < n ? frame[i] : NULL;
}

/* --- OpenSSL --- */

static bool
openssl_fails(const void *within, const char *file, int line)
{
	uint32_t    path = (uint32_t)line;
	const void *site;

	if (!inject_asks_within("openssl"))
		return false;
	for (const char *p = file; p && *p; p++)
		path = mixed(path, (unsigned char)*p);
	site = caller(within, &path, 0);
	return site && inject_fails_within("openssl", site, path | 1);
}

static void *
openssl_malloc(size_t n, const char *file, int line)
{
	return openssl_fails(SITE, file, line) ? NULL : __real_malloc(n);
}

static void *
openssl_realloc(void *p, size_t n, const char *file, int line)
{
	return n > 0 && openssl_fails(SITE, file, line) ? NULL : __real_realloc(p, n);
}

static void
openssl_free(void *p, const char *file, int line)
{
	(void)file, (void)line;
	free(p);
}

void
inject_tls_begin(void)
{
	void *frame[1];

	backtrace(frame, 1); /* loads what it needs while there is memory */
	if (!CRYPTO_set_mem_functions(openssl_malloc, openssl_realloc, openssl_free))
		abort();
}

SAYS(int, RAND_bytes, (unsigned char *p, int n), (p, n), 0)
SAYS(int, X509_sign, (X509 * x, EVP_PKEY *key, const EVP_MD *md), (x, key, md), 0)

/* One word follows the type: a curve's name, or a size. */
EVP_PKEY *__real_EVP_PKEY_Q_keygen(OSSL_LIB_CTX *lib, const char *query, const char *type, ...);
EVP_PKEY *__wrap_EVP_PKEY_Q_keygen(OSSL_LIB_CTX *lib, const char *query, const char *type, ...);
EVP_PKEY *
__wrap_EVP_PKEY_Q_keygen(OSSL_LIB_CTX *lib, const char *query, const char *type, ...)
{
	va_list ap;
	size_t  word;

	if (inject_fails("EVP_PKEY_Q_keygen", 1, SITE) >= 0)
		return NULL;
	va_start(ap, type);
	word = va_arg(ap, size_t);
	va_end(ap);
	return __real_EVP_PKEY_Q_keygen(lib, query, type, word);
}

/* --- nghttp2 --- */

static bool
nghttp2_fails(const void *within)
{
	uint32_t    path = 0;
	const void *site;

	if (!inject_asks_within("nghttp2"))
		return false;
	site = caller(within, &path, (uintptr_t)nghttp2_session_client_new3);
	return site && inject_fails_within("nghttp2", site, path | 1);
}

static void *
nghttp2_get(size_t n, void *user)
{
	(void)user;
	return nghttp2_fails(SITE) ? NULL : __real_malloc(n);
}

static void *
nghttp2_get_clear(size_t n, size_t size, void *user)
{
	(void)user;
	return nghttp2_fails(SITE) ? NULL : __real_calloc(n, size);
}

static void *
nghttp2_get_more(void *p, size_t n, void *user)
{
	(void)user;
	return nghttp2_fails(SITE) ? NULL : __real_realloc(p, n);
}

static void
nghttp2_give(void *p, void *user)
{
	(void)user;
	free(p);
}

#define SESSION_NEW(side)                                                                                                                            \
	int __wrap_nghttp2_session_##side##_new2(nghttp2_session **out, const nghttp2_session_callbacks *c, void *user, const nghttp2_option *o);     \
	int __wrap_nghttp2_session_##side##_new2(nghttp2_session **out, const nghttp2_session_callbacks *c, void *user, const nghttp2_option *o)      \
	{                                                                                                                                            \
		nghttp2_mem mem = {NULL, nghttp2_get, nghttp2_give, nghttp2_get_clear, nghttp2_get_more};                                            \
		return inject_fails("nghttp2_session_" #side "_new2", 1, SITE) < 0 ? nghttp2_session_##side##_new3(out, c, user, o, &mem) : NGHTTP2_ERR_NOMEM; \
	}
SESSION_NEW(client)
SESSION_NEW(server)
SAYS(int, nghttp2_session_callbacks_new, (nghttp2_session_callbacks * *out), (out), NGHTTP2_ERR_NOMEM)
SAYS(int, nghttp2_option_new, (nghttp2_option * *out), (out), NGHTTP2_ERR_NOMEM)
