/* SPDX-License-Identifier: MIT */
/*
 * keyring: a keytab's keys in this process's memory, and the GSSAPI credentials that use them. The file is read once; no path is opened later.
 * Only strong keys (AES, Camellia) are taken over: a ticket under RC4 or DES cannot be good then, whatever krb5.conf allows.
 * Always true: the credentials, where acceptors want them, are for Kerberos and SPNEGO, and SPNEGO may choose nothing but Kerberos.
 */
#ifndef POSTERN_AUTH_KEYRING_H
#define POSTERN_AUTH_KEYRING_H

#include <gssapi/gssapi.h>
#include <krb5.h>
#include <stdbool.h>
#include <stdint.h>

#include "auth/back.h"

struct keyring_key {
	char    *principal;
	uint32_t kvno;
	int32_t  etype;
	bool     strong; /* taken over */
};

struct keyring {
	_Atomic unsigned    refs;
	krb5_context        context; /* to close the keytab with; no thread's */
	krb5_keytab         keytab;
	char                name[48]; /* of the copy in memory */
	gss_cred_id_t       cred; /* GSS_C_NO_CREDENTIAL: only its keys were wanted */
	struct keyring_key *key;
	size_t              n_keys;
};

#define KEYRING_KEYS_MAX 4096u
#define KEYRING_FILE_MAX (4u << 20)

/* `fd` is read from the start and stays the caller's. `accepts`: there are credentials for acceptors. NULL: why is filled. */
struct keyring *keyring_new(int fd, bool accepts, char why[BACK_WHY_MAX]);
struct keyring *keyring_ref(struct keyring *r);
void            keyring_unref(struct keyring *r);

bool keyring_is_strong(int32_t etype);
/* "aes256-cts-hmac-sha1-96" */
void keyring_etype_name(int32_t etype, char out[64]);
/* The principals, each once, for one line of a log: "A, B and 3 more". */
void keyring_principals(const struct keyring *r, char *out, size_t room);

#endif
