/* SPDX-License-Identifier: MIT */
/*
 * token: a private key that stays in a token (PKCS#11), by way of OpenSSL's engine `pkcs11`. For the signer alone, which has one token's library.
 * Loads libraries, which open what they please, and may block: whoever calls this must have nothing else to do that cannot wait.
 * Always true: nobody is asked for a PIN; one that was wrong is told as such, since tokens lock after a few of them.
 */
#ifndef POSTERN_TLS_TOKEN_H
#define POSTERN_TLS_TOKEN_H

#include <openssl/types.h>
#include <stdbool.h>
#include <stddef.h>

#define TOKEN_WHY 200u

/* Can the engine be loaded? */
bool token_is_supported(void);
/* The key of this name (RFC 7512, without the part behind `?`). module "": the engine's own choice; pin null: none. NULL: why; *bad_pin: since the PIN is wrong. */
EVP_PKEY *token_key(const char *uri, const char *module, const char *pin, bool *bad_pin, char why[TOKEN_WHY]);
/* Let go of the token. No key of it may be in use any more. */
void token_close(void);

#endif
