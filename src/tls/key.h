/* SPDX-License-Identifier: MIT */
/*
 * key: a private key out of the bytes of a file, PEM or DER: for listeners, the signer and `postern check`, so that they agree on what can be used.
 * Asks nobody for a pass phrase: no process of ours has anybody to ask. Wiping the bytes is the caller's.
 */
#ifndef POSTERN_TLS_KEY_H
#define POSTERN_TLS_KEY_H

#include <openssl/evp.h>
#include <stddef.h>

/* At most 1 MiB (KEY_MOST). NULL: *why says what is wrong, and what would be right. OpenSSL's queue of errors is empty afterwards. */
#define KEY_MOST ((size_t)1 << 20)
EVP_PKEY *key_parse(const void *bytes, size_t n, const char **why);

#endif
