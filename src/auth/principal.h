/* SPDX-License-Identifier: MIT */
/*
 * principal: a Kerberos name as libraries print it (RFC 1964 2.1.1), taken apart. Pure.
 */
#ifndef POSTERN_AUTH_PRINCIPAL_H
#define POSTERN_AUTH_PRINCIPAL_H

#include <stdbool.h>

#include "auth/ask.h"

/* "alice@CORP.EXAMPLE" is account alice of realm CORP.EXAMPLE; "WS01$", "host/px1" and "a\@b" (the account a@b) are accounts too. False: no such
 * name, or one that could be taken for another: control bytes, a backslash or a quoted slash in a part, more than ASK_NAME_MAX - 1 bytes. */
bool principal_split(struct span text, char account[ASK_NAME_MAX], char realm[ASK_NAME_MAX]);
/* Somebody whom the realm does not name (RFC 8062). */
bool principal_is_anonymous(const char *account, const char *realm);

#endif
