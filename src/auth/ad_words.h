/* SPDX-License-Identifier: MIT */
/*
 * ad_words: what winbindd's and the directory's errors mean: is somebody refused, or could nobody be asked; and in plain words. Pure.
 */
#ifndef POSTERN_AUTH_AD_WORDS_H
#define POSTERN_AUTH_AD_WORDS_H

#include "auth/ask.h"

/* Of an NT_STATUS. `name` is its word as winbindd tells it, or null. Sets result and detail. */
void nt_status_explain(uint32_t status, const char *name, struct answer *out);

/* Active Directory's reason behind a refused bind: "80090308: LdapErr: ..., data 52e, v4563". NULL: none that is known. */
const char *ad_bind_words(const char *diagnostic);

#endif
