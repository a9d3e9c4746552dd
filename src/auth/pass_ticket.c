/* SPDX-License-Identifier: MIT */
#include "auth/pass_ticket.h"

#include <errno.h>
#include <gssapi/gssapi_ext.h>
#include <gssapi/gssapi_krb5.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"

struct pass_ticket {
	_Atomic unsigned refs;
	krb5_context     context; /* to destroy the cache with; no thread's */
	krb5_ccache      cache;   /* in memory */
	gss_cred_id_t    cred;
	uint64_t         since_us, end_us;
};

static gss_OID_desc mech_kerberos = {9, (void *)(uintptr_t) "\x2a\x86\x48\x86\xf7\x12\x01\x02\x02"};
static gss_OID_desc mech_spnego = {6, (void *)(uintptr_t) "\x2b\x06\x01\x05\x05\x02"};

static bool
is_away(krb5_error_code code)
{
	return code == KRB5_KDC_UNREACH || code == KRB5_REALM_UNKNOWN || code == KRB5_REALM_CANT_RESOLVE || code == KRB5KDC_ERR_SVC_UNAVAILABLE || code == ENOMEM;
}

static void
tell_krb5(krb5_context context, krb5_error_code code, const char *what, struct pass_trouble *out)
{
	const char *text = krb5_get_error_message(context, code);

	out->away = is_away(code);
	snprintf(out->text, sizeof out->text, "%s: %s", what, text);
	krb5_free_error_message(context, text);
}

static void
tell_gss(OM_uint32 major, OM_uint32 minor, const char *what, struct pass_trouble *out)
{
	gss_buffer_desc text = GSS_C_EMPTY_BUFFER;
	OM_uint32       none, more = 0;

	out->away = is_away((krb5_error_code)minor);
	if (minor)
		gss_display_status(&none, minor, GSS_C_MECH_CODE, &mech_kerberos, &more, &text);
	else
		gss_display_status(&none, major, GSS_C_GSS_CODE, GSS_C_NO_OID, &more, &text);
	snprintf(out->text, sizeof out->text, "%s: %.*s", what, (int)text.length, text.value ? (const char *)text.value : "");
	gss_release_buffer(&none, &text);
}

/* --- getting one --- */

/* The KDC's answer, in a cache of its own. */
static krb5_error_code
fetch(struct pass_ticket *t, const struct keyring *keys, krb5_principal client)
{
	krb5_get_init_creds_opt *options = NULL;
	krb5_keytab              keytab = NULL;
	krb5_creds               creds = {0};
	krb5_error_code          code;

	code = krb5_kt_resolve(t->context, keys->name, &keytab);
	if (code == 0)
		code = krb5_get_init_creds_opt_alloc(t->context, &options);
	if (code == 0) {
		krb5_get_init_creds_opt_set_forwardable(options, 0);
		krb5_get_init_creds_opt_set_proxiable(options, 0);
		code = krb5_get_init_creds_keytab(t->context, &creds, client, keytab, 0, NULL, options);
	}
	if (code == 0)
		code = krb5_cc_new_unique(t->context, "MEMORY", NULL, &t->cache);
	if (code == 0)
		code = krb5_cc_initialize(t->context, t->cache, creds.client);
	if (code == 0)
		code = krb5_cc_store_cred(t->context, t->cache, &creds);
	if (code == 0) {
		krb5_timestamp from = creds.times.starttime ? creds.times.starttime : creds.times.authtime;
		/* as a length of time, so that neither our clock nor the KDC's has to be right; unsigned, as krb5 reads its timestamps beyond 2038 */
		t->end_us = t->since_us + (uint64_t)((uint32_t)creds.times.endtime - (uint32_t)from) * 1000000u;
	}
	krb5_free_cred_contents(t->context, &creds);
	if (options)
		krb5_get_init_creds_opt_free(t->context, options);
	if (keytab)
		krb5_kt_close(t->context, keytab);
	return code;
}

/* For exactly Kerberos and SPNEGO, the latter for Kerberos only. */
static bool
acquire(struct pass_ticket *t, struct pass_trouble *out)
{
	gss_OID_desc               mechs[2] = {mech_kerberos, mech_spnego};
	gss_OID_set_desc           wanted = {2, mechs}, inner = {1, &mech_kerberos};
	char                      *name = NULL;
	gss_key_value_element_desc where[1] = {{"ccache", NULL}};
	gss_key_value_set_desc     store = {1, where};
	krb5_error_code            code = krb5_cc_get_full_name(t->context, t->cache, &name);
	OM_uint32                  major, minor = 0;

	if (code != 0) {
		tell_krb5(t->context, code, "no cache in memory", out);
		return false;
	}
	where[0].value = name;
	major = gss_acquire_cred_from(&minor, GSS_C_NO_NAME, GSS_C_INDEFINITE, &wanted, GSS_C_INITIATE, &store, &t->cred, NULL, NULL);
	if (major == GSS_S_COMPLETE)
		major = gss_set_neg_mechs(&minor, t->cred, &inner);
	krb5_free_string(t->context, name);
	if (major == GSS_S_COMPLETE)
		return true;
	tell_gss(major, minor, "GSSAPI does not take the ticket", out);
	return false;
}

struct pass_ticket *
pass_ticket_get(const struct keyring *keys, const char *principal, struct pass_trouble *out)
{
	struct pass_ticket *t = calloc(1, sizeof *t);
	krb5_principal      client = NULL;
	krb5_error_code     code;
	char                what[BACK_WHY_MAX];
	bool                ok = false;

	*out = (struct pass_trouble){.away = true, .text = "no memory"};
	if (!t)
		return NULL;
	t->refs = 1;
	t->cred = GSS_C_NO_CREDENTIAL;
	t->since_us = clock_mono_us();
	code = krb5_init_context(&t->context);
	if (code != 0) {
		snprintf(out->text, sizeof out->text, "cannot begin with Kerberos (is krb5.conf readable?): error %ld", (long)code);
		pass_ticket_unref(t);
		return NULL;
	}
	snprintf(what, sizeof what, "no ticket for %s", principal);
	code = krb5_parse_name(t->context, principal, &client);
	if (code == 0)
		code = fetch(t, keys, client);
	if (code != 0)
		tell_krb5(t->context, code, what, out);
	else
		ok = acquire(t, out);
	krb5_free_principal(t->context, client);
	if (ok)
		return t;
	pass_ticket_unref(t);
	return NULL;
}

struct pass_ticket *
pass_ticket_ref(struct pass_ticket *t)
{
	t->refs++;
	return t;
}

void
pass_ticket_unref(struct pass_ticket *t)
{
	OM_uint32 minor;

	if (!t || --t->refs > 0)
		return;
	gss_release_cred(&minor, &t->cred);
	if (t->cache)
		krb5_cc_destroy(t->context, t->cache); /* which wipes its keys */
	if (t->context)
		krb5_free_context(t->context);
	free(t);
}

uint64_t
pass_ticket_since(const struct pass_ticket *t)
{
	return t->since_us;
}

uint64_t
pass_ticket_half(const struct pass_ticket *t)
{
	return t->since_us + (t->end_us - t->since_us) / 2;
}

uint64_t
pass_ticket_end(const struct pass_ticket *t)
{
	return t->end_us;
}

/* --- using it --- */

static OM_uint32
initiate(struct pass_ticket *t, gss_name_t target, gss_OID mech, gss_buffer_t token, OM_uint32 *minor)
{
	gss_ctx_id_t context = GSS_C_NO_CONTEXT;
	OM_uint32    none, major;

	/* one message is enough: the parent proves nothing, as with any client that talks to a proxy in the clear */
	major = gss_init_sec_context(minor, t->cred, &context, target, mech, 0, GSS_C_INDEFINITE, GSS_C_NO_CHANNEL_BINDINGS, GSS_C_NO_BUFFER, NULL, token, NULL, NULL);
	gss_delete_sec_context(&none, &context, GSS_C_NO_BUFFER);
	return major;
}

bool
pass_ticket_use(struct pass_ticket *t, const char *host, gss_buffer_t token, struct pass_trouble *out)
{
	char            text[BACK_WHY_MAX], what[BACK_WHY_MAX];
	gss_buffer_desc name = {.value = text};
	gss_name_t      target = GSS_C_NO_NAME;
	OM_uint32       major, minor = 0, none;

	*token = (gss_buffer_desc)GSS_C_EMPTY_BUFFER;
	name.length = (size_t)snprintf(text, sizeof text, "HTTP@%s", host);
	snprintf(what, sizeof what, "no ticket for HTTP/%s", host);
	if (name.length >= sizeof text) {
		*out = (struct pass_trouble){.text = "the parent's name is too long"};
		return false;
	}
	major = gss_import_name(&minor, &name, GSS_C_NT_HOSTBASED_SERVICE, &target);
	if (major == GSS_S_COMPLETE)
		major = initiate(t, target, &mech_spnego, token, &minor);
	if (GSS_ERROR(major)) {
		gss_release_buffer(&none, token);
		/* SPNEGO hides what went wrong below it */
		OM_uint32 clear = initiate(t, target, &mech_kerberos, token, &minor);
		tell_gss(GSS_ERROR(clear) ? clear : major, GSS_ERROR(clear) ? minor : 0, what, out);
	}
	gss_release_name(&none, &target);
	if (!GSS_ERROR(major) && token->length > 0)
		return true;
	gss_release_buffer(&none, token);
	return false;
}
