/* SPDX-License-Identifier: MIT */
#include "auth/keyring.h"

#include <errno.h>
#include <gssapi/gssapi_ext.h>
#include <gssapi/gssapi_krb5.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

static gss_OID_desc mech_kerberos = {9, (void *)(uintptr_t) "\x2a\x86\x48\x86\xf7\x12\x01\x02\x02"};
static gss_OID_desc mech_spnego = {6, (void *)(uintptr_t) "\x2b\x06\x01\x05\x05\x02"};

bool
keyring_is_strong(int32_t etype)
{
	switch (etype) {
	case ENCTYPE_AES128_CTS_HMAC_SHA1_96:
	case ENCTYPE_AES256_CTS_HMAC_SHA1_96:
	case ENCTYPE_AES128_CTS_HMAC_SHA256_128:
	case ENCTYPE_AES256_CTS_HMAC_SHA384_192:
	case ENCTYPE_CAMELLIA128_CTS_CMAC:
	case ENCTYPE_CAMELLIA256_CTS_CMAC:
		return true;
	default:
		return false;
	}
}

void
keyring_etype_name(int32_t etype, char out[64])
{
	if (krb5_enctype_to_name(etype, FALSE, out, 64) != 0)
		snprintf(out, 64, "key type %ld", (long)etype);
}

static void
why_krb5(krb5_context context, krb5_error_code code, const char *what, char why[BACK_WHY_MAX])
{
	const char *text = krb5_get_error_message(context, code);

	snprintf(why, BACK_WHY_MAX, "%s: %s", what, text);
	krb5_free_error_message(context, text);
}

/* The file's bytes in a memory file of this process, since it may not open the path any more. -1: why is filled. */
static int
file_copy(int fd, char why[BACK_WHY_MAX])
{
	char    block[4096];
	off_t   at = 0;
	ssize_t n;
	int     copy = memfd_create("keytab", MFD_CLOEXEC);

	if (copy < 0) {
		snprintf(why, BACK_WHY_MAX, "no memory for the keytab: %s", strerror(errno));
		return -1;
	}
	while ((n = pread(fd, block, sizeof block, at)) > 0) {
		if (at + n > (off_t)KEYRING_FILE_MAX) {
			snprintf(why, BACK_WHY_MAX, "is larger than %u MiB: no keytab", KEYRING_FILE_MAX >> 20);
			break;
		}
		if (write(copy, block, (size_t)n) != n) {
			n = -1;
			break;
		}
		at += n;
	}
	if (n < 0)
		snprintf(why, BACK_WHY_MAX, "cannot be read: %s", strerror(errno));
	explicit_bzero(block, sizeof block);
	if (n == 0)
		return copy;
	close(copy);
	return -1;
}

/* The kernel clears the pages of a memory file when the last user has closed it; done here too, as it costs nothing. */
static void
file_wipe(int copy)
{
	static const char zero[4096];
	off_t             size = lseek(copy, 0, SEEK_END);

	for (off_t at = 0; at < size; at += (off_t)sizeof zero)
		if (pwrite(copy, zero, sizeof zero, at) < 0)
			break;
	close(copy);
}

/* Notes one key, and takes it over when it is strong. */
static bool
key_add(struct keyring *r, krb5_keytab_entry *e, char why[BACK_WHY_MAX])
{
	struct keyring_key *grown;
	struct keyring_key  k = {.kvno = e->vno, .etype = e->key.enctype, .strong = keyring_is_strong(e->key.enctype)};
	krb5_error_code     code;

	if (r->n_keys == KEYRING_KEYS_MAX) {
		snprintf(why, BACK_WHY_MAX, "holds more than %u keys", KEYRING_KEYS_MAX);
		return false;
	}
	code = krb5_unparse_name(r->context, e->principal, &k.principal);
	if (code == 0 && k.strong)
		code = krb5_kt_add_entry(r->context, r->keytab, e);
	grown = code == 0 ? reallocarray(r->key, r->n_keys + 1, sizeof *grown) : NULL;
	if (!grown) {
		why_krb5(r->context, code ? code : ENOMEM, "cannot take over a key", why);
		krb5_free_unparsed_name(r->context, k.principal);
		return false;
	}
	r->key = grown;
	r->key[r->n_keys++] = k;
	return true;
}

static bool
keys_read(struct keyring *r, int copy, char why[BACK_WHY_MAX])
{
	char              path[48];
	krb5_keytab       file = NULL;
	krb5_kt_cursor    cursor;
	krb5_keytab_entry e;
	krb5_error_code   code;
	bool              ok = true;

	snprintf(path, sizeof path, "FILE:/proc/self/fd/%d", copy);
	code = krb5_kt_resolve(r->context, path, &file);
	if (code == 0)
		code = krb5_kt_start_seq_get(r->context, file, &cursor);
	if (code == 0) {
		while (ok && (code = krb5_kt_next_entry(r->context, file, &e, &cursor)) == 0) {
			ok = key_add(r, &e, why);
			krb5_free_keytab_entry_contents(r->context, &e);
		}
		krb5_kt_end_seq_get(r->context, file, &cursor);
	}
	if (file)
		krb5_kt_close(r->context, file);
	if (ok && code != 0 && code != KRB5_KT_END) {
		why_krb5(r->context, code, "is no keytab that can be read", why);
		return false;
	}
	return ok;
}

static bool
keys_are_fit(const struct keyring *r, char why[BACK_WHY_MAX])
{
	char type[64];

	for (size_t i = 0; i < r->n_keys; i++)
		if (r->key[i].strong)
			return true;
	if (r->n_keys == 0) {
		snprintf(why, BACK_WHY_MAX, "holds no key");
		return false;
	}
	keyring_etype_name(r->key[0].etype, type);
	snprintf(why, BACK_WHY_MAX,
	    "holds only weak keys (%s): let the account use AES (msDS-SupportedEncryptionTypes 24) and export the keytab again", type);
	return false;
}

/* For exactly Kerberos and SPNEGO, the latter for Kerberos only: what else is installed is never asked. */
static bool
credentials_acquire(struct keyring *r, char why[BACK_WHY_MAX])
{
	gss_OID_desc                 mechs[2] = {mech_kerberos, mech_spnego};
	gss_OID_set_desc             wanted = {2, mechs}, inner = {1, &mech_kerberos};
	gss_key_value_element_desc   where[2] = {{"keytab", r->name}, {"rcache", "dfl:"}};
	const gss_key_value_set_desc store = {2, where};
	gss_buffer_desc              text = GSS_C_EMPTY_BUFFER;
	OM_uint32                    major, minor, none, more = 0;

	major = gss_acquire_cred_from(&minor, GSS_C_NO_NAME, GSS_C_INDEFINITE, &wanted, GSS_C_ACCEPT, &store, &r->cred, NULL, NULL);
	if (major == GSS_S_COMPLETE)
		major = gss_set_neg_mechs(&minor, r->cred, &inner);
	if (major == GSS_S_COMPLETE)
		return true;
	gss_display_status(&none, minor, GSS_C_MECH_CODE, &mech_kerberos, &more, &text);
	snprintf(why, BACK_WHY_MAX, "GSSAPI does not take the keys: %.*s", (int)text.length, (const char *)text.value);
	gss_release_buffer(&none, &text);
	return false;
}

struct keyring *
keyring_new(int fd, bool accepts, char why[BACK_WHY_MAX])
{
	static _Atomic unsigned made;
	struct keyring         *r = calloc(1, sizeof *r);
	krb5_error_code         code;
	int                     copy = -1;
	bool                    ok = false;

	if (!r) {
		snprintf(why, BACK_WHY_MAX, "no memory");
		return NULL;
	}
	r->refs = 1;
	r->cred = GSS_C_NO_CREDENTIAL;
	code = krb5_init_context(&r->context);
	if (code != 0) {
		snprintf(why, BACK_WHY_MAX, "cannot begin with Kerberos (is krb5.conf readable?): error %ld", (long)code);
		goto out;
	}
	snprintf(r->name, sizeof r->name, "MEMORY:postern-%u", made++);
	code = krb5_kt_resolve(r->context, r->name, &r->keytab);
	if (code != 0) {
		why_krb5(r->context, code, "no keytab in memory", why);
		goto out;
	}
	copy = file_copy(fd, why);
	ok = copy >= 0 && keys_read(r, copy, why) && keys_are_fit(r, why) && (!accepts || credentials_acquire(r, why));
out:
	if (copy >= 0)
		file_wipe(copy);
	if (ok)
		return r;
	keyring_unref(r);
	return NULL;
}

struct keyring *
keyring_ref(struct keyring *r)
{
	r->refs++;
	return r;
}

void
keyring_unref(struct keyring *r)
{
	OM_uint32 minor;

	if (!r || --r->refs > 0)
		return;
	gss_release_cred(&minor, &r->cred);
	for (size_t i = 0; i < r->n_keys; i++)
		krb5_free_unparsed_name(r->context, r->key[i].principal);
	free(r->key);
	/* the last to close it frees its keys, wiped */
	if (r->keytab)
		krb5_kt_close(r->context, r->keytab);
	if (r->context)
		krb5_free_context(r->context);
	free(r);
}

void
keyring_principals(const struct keyring *r, char *out, size_t room)
{
	size_t   at = 0;
	unsigned shown = 0, left = 0;

	out[0] = '\0';
	for (size_t i = 0; i < r->n_keys; i++) {
		bool seen = !r->key[i].strong;

		for (size_t k = 0; k < i && !seen; k++)
			seen = strcmp(r->key[k].principal, r->key[i].principal) == 0;
		if (seen)
			continue;
		if (shown < 3 && at + strlen(r->key[i].principal) + 24 < room) {
			at += (size_t)snprintf(out + at, room - at, "%s%s", shown++ ? ", " : "", r->key[i].principal);
			continue;
		}
		left++;
	}
	if (left)
		snprintf(out + at, room - at, " and %u more", left);
}
