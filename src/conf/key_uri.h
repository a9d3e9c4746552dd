/* SPDX-License-Identifier: MIT */
/*
 * key_uri: a `ca-key` that lies in a token, as RFC 7512 names it. What names the key is left to who looks for it; what names files is read here.
 */
#ifndef POSTERN_CONF_KEY_URI_H
#define POSTERN_CONF_KEY_URI_H

#include <stdbool.h>
#include <string.h>

#include "base/span.h"

#define KEY_URI_WHY 200u

static inline bool
key_uri_is(const char *key)
{
	return strncmp(key, "pkcs11:", 7) == 0;
}
/* What names the key: all before the `?`. */
struct span key_uri_name(const char *uri);

/* The files behind the `?`, decoded: of the PIN, and of the module. */
struct key_uri {
	char *pin_file, *module; /* owned; null: not given */
};
/* False: why, without the URI, in which there may be a PIN; nothing is to be freed. */
bool key_uri_read(const char *uri, struct key_uri *out, char why[KEY_URI_WHY]);

#endif
