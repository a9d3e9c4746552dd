/* SPDX-License-Identifier: MIT */
#include "tls/token.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/ui.h>
#include <stdio.h>

/* OpenSSL 3.0 deprecates engines, and Debian 12 has no provider for PKCS#11: here, and nowhere else. */
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
#include <openssl/engine.h>

/* CKR_PIN_INCORRECT, _INVALID, _LEN_RANGE, _EXPIRED, _LOCKED, which the engine gives on as reasons of its errors */
#define PIN_FIRST 0xa0
#define PIN_LAST  0xa4

static ENGINE *open_engine; /* null: none is */

static ENGINE *
engine_find(void)
{
	OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG | OPENSSL_INIT_ENGINE_DYNAMIC, NULL);
	return ENGINE_by_id("pkcs11");
}

bool
token_is_supported(void)
{
	ENGINE *e = engine_find();

	ERR_clear_error();
	ENGINE_free(e);
	return e != NULL;
}

/* --- what went wrong --- */

/* The first reason is nearest to the cause. Empties the queue. */
static void
tell(const char *what, bool *bad_pin, char why[TOKEN_WHY])
{
	const char   *reason = NULL;
	unsigned long e;

	while ((e = ERR_get_error())) {
		int r = ERR_GET_REASON(e);
		if (!reason)
			reason = ERR_reason_error_string(e);
		if (ERR_GET_LIB(e) >= ERR_LIB_USER && r >= PIN_FIRST && r <= PIN_LAST) {
			*bad_pin = true;
			reason = ERR_reason_error_string(e);
		}
	}
	snprintf(why, TOKEN_WHY, "%s%s%s", what, reason ? ": " : "", reason ? reason : "");
}

/* --- the engine --- */

static bool
engine_open(const char *module, char why[TOKEN_WHY])
{
	ENGINE *e;
	bool    bad_pin;

	if (open_engine)
		return true;
	e = engine_find();
	if (!e) {
		ERR_clear_error();
		snprintf(why, TOKEN_WHY, "OpenSSL's engine pkcs11 cannot be loaded; install libengine-pkcs11-openssl");
		return false;
	}
	ENGINE_ctrl_cmd_string(e, "QUIET", NULL, 0); /* it has our standard error */
	if ((!module[0] || ENGINE_ctrl_cmd_string(e, "MODULE_PATH", module, 0) == 1) && ENGINE_init(e) == 1)
		open_engine = e;
	else
		tell("OpenSSL's engine pkcs11 does not start", &bad_pin, why);
	ENGINE_free(e); /* what is initialised has a reference of its own */
	return open_engine != NULL;
}

void
token_close(void)
{
	if (open_engine)
		ENGINE_finish(open_engine);
	open_engine = NULL;
	ERR_clear_error();
}

/* --- the key --- */

/* The engine would ask on the terminal for a PIN that it has not got. */
static int
no_terminal(UI *ui)
{
	(void)ui;
	return 0;
}

EVP_PKEY *
token_key(const char *uri, const char *module, const char *pin, bool *bad_pin, char why[TOKEN_WHY])
{
	UI_METHOD *nobody;
	EVP_PKEY  *key = NULL;

	*bad_pin = false;
	if (!engine_open(module, why))
		return NULL;
	nobody = UI_create_method("nobody");
	if (!nobody || UI_method_set_opener(nobody, no_terminal) != 0 || (pin && ENGINE_ctrl_cmd_string(open_engine, "PIN", pin, 0) != 1))
		tell("the token cannot be asked", bad_pin, why);
	else if (!(key = ENGINE_load_private_key(open_engine, uri, nobody, NULL)))
		tell("there is no such key in a token, or it needs a PIN (pin-source)", bad_pin, why);
	UI_destroy_method(nobody);
	ERR_clear_error();
	if (*bad_pin)
		snprintf(why, TOKEN_WHY, "the token does not take this PIN; it is not tried again until its file or the configuration changes, since tokens lock");
	return key;
}
