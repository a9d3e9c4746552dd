/* SPDX-License-Identifier: MIT */
/*
 * back_kerberos: Negotiate by Kerberos, with MIT's GSSAPI as the acceptor.
 * Leaves the keys to keyring and what is between two messages to contexts.
 * Always true: the replay cache has seen each ticket that is found good; no mechanism but Kerberos is ever loaded or asked.
 */
#include <errno.h>
#include <fcntl.h>
#include <gssapi/gssapi_ext.h>
#include <gssapi/gssapi_krb5.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "auth/ap_req.h"
#include "auth/back_ops.h"
#include "auth/contexts.h"
#include "auth/keyring.h"
#include "auth/principal.h"
#include "base/clock.h"
#include "base/log.h"

/* What the operations log says at most once a minute each. */
enum hint { HINT_SKEW, HINT_NO_KEY, HINT_STALE_KEY, HINT_WEAK, HINT_REPLAY, HINT_OURS, HINTS };

struct back {
	struct keyring *keys;
};

/* One log-on between two messages; it keeps the keys that it began with. */
struct exchange {
	gss_ctx_id_t    context;
	struct keyring *keys;
};

/* Outlives a reload, as the log-ons in it do. */
static struct contexts *waiting;
static pthread_mutex_t  hint_lock = PTHREAD_MUTEX_INITIALIZER;
static struct log_limit hint_limit[HINTS];

static void
exchange_free(void *p)
{
	struct exchange *x = p;
	OM_uint32        minor;

	if (!x)
		return;
	gss_delete_sec_context(&minor, &x->context, GSS_C_NO_BUFFER);
	keyring_unref(x->keys);
	free(x);
}

static struct exchange *
exchange_new(struct keyring *keys)
{
	struct exchange *x = calloc(1, sizeof *x);

	if (!x)
		return NULL;
	x->context = GSS_C_NO_CONTEXT;
	x->keys = keyring_ref(keys);
	return x;
}

/* The answer, and the same in the operations log. */
static void refuse(struct answer *out, enum ask_result result, enum hint hint, const char *fmt, ...) __attribute__((format(printf, 4, 5)));
static void
refuse(struct answer *out, enum ask_result result, enum hint hint, const char *fmt, ...)
{
	char    text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	out->result = result;
	answer_detail(out, "%s", text);
	pthread_mutex_lock(&hint_lock);
	log_write_limited(&hint_limit[hint], LOG_LEVEL_WARN, "kerberos: %s", text);
	pthread_mutex_unlock(&hint_lock);
}

/* Where MIT's replay cache is kept ("dfl", rcache/rc_dfl.c): this user's, in a folder that outlives us unless the site says otherwise. */
static void
replay_cache_path(char *out, size_t room)
{
	const char *folder = secure_getenv("KRB5RCACHEDIR");

	if (!folder)
		folder = secure_getenv("TMPDIR");
	snprintf(out, room, "%s/krb5_%lu.rcache2", folder ? folder : "/var/tmp", (unsigned long)geteuid());
}

/* False: why not, with what to do. Looks as the library does: no symbolic link, and nobody else's file. */
static bool
replay_cache_works(char why[BACK_WHY_MAX])
{
	char        path[160];
	struct stat st;
	int         fd;
	bool        own;

	replay_cache_path(path, sizeof path);
	fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0) {
		snprintf(why, BACK_WHY_MAX, "the replay cache %s cannot be written (%s); tickets are refused until it can", path,
		    strerror(errno));
		return false;
	}
	own = fstat(fd, &st) == 0 && st.st_uid == geteuid() && S_ISREG(st.st_mode);
	close(fd);
	if (!own)
		snprintf(
		    why, BACK_WHY_MAX, "the replay cache %s belongs to somebody else; remove it; tickets are refused until then", path);
	return own;
}

/* What krb5 itself says of this ticket, replay cache aside: SPNEGO hides the codes of what is below it. 0: the ticket is good. */
static krb5_error_code
ticket_try(const struct keyring *keys, struct span message, char text[256])
{
	krb5_context      context;
	krb5_keytab       keytab = NULL;
	krb5_auth_context auth = NULL;
	krb5_data         data;
	krb5_error_code   code = krb5_init_context(&context);
	const char       *said;

	snprintf(text, 256, "no memory");
	if (code != 0)
		return ENOMEM;
	data.magic = KV5M_DATA;
	data.length = (unsigned)message.n;
	data.data = (char *)(uintptr_t)message.p;
	code = krb5_kt_resolve(context, keys->name, &keytab);
	if (code == 0)
		code = krb5_auth_con_init(context, &auth);
	if (code == 0)
		code = krb5_auth_con_setflags(context, auth, 0); /* no DO_TIME: no replay cache */
	if (code == 0)
		code = krb5_rd_req(context, &auth, &data, NULL, keytab, NULL, NULL);
	said = krb5_get_error_message(context, code);
	snprintf(text, 256, "%s", said);
	krb5_free_error_message(context, said);
	if (auth)
		krb5_auth_con_free(context, auth);
	if (keytab)
		krb5_kt_close(context, keytab);
	krb5_free_context(context);
	return code;
}

/* No key opens it: which is missing? */
static void
explain_key(const struct keyring *keys, const struct ap_req *req, struct answer *out)
{
	char     have[160], type[64];
	bool     principal = false, version = false, fits = false;
	uint32_t newest = 0;

	for (size_t i = 0; i < keys->n_keys; i++) {
		const struct keyring_key *k = &keys->key[i];

		if (!k->strong || strcasecmp(k->principal, req->server) != 0)
			continue;
		principal = true;
		newest = k->kvno > newest ? k->kvno : newest;
		version |= k->kvno == req->kvno;
		fits |= k->kvno == req->kvno && k->etype == req->etype;
	}
	if (!principal) {
		keyring_principals(keys, have, sizeof have);
		refuse(out, ASK_REFUSED, HINT_NO_KEY,
		    "the ticket is for %s, the keytab has %s: use that name as the proxy's in clients, or add the key", req->server, have);
		return;
	}
	if (!version && req->kvno) {
		refuse(out, ASK_REFUSED, HINT_STALE_KEY,
		    "the ticket for %s is under key version %u, the keytab has %u: one of them is out of date, export it again",
		    req->server, req->kvno, newest);
		return;
	}
	keyring_etype_name(req->etype, type);
	if (!fits)
		refuse(out, ASK_REFUSED, HINT_STALE_KEY,
		    "the ticket for %s is under a key of type %s, which the keytab has not: export it again", req->server, type);
	else
		refuse(out, ASK_REFUSED, HINT_STALE_KEY,
		    "the ticket for %s does not open with the keytab's key of version %u: a forgery, or export it again", req->server,
		    req->kvno);
}

/* Trouble of ours has a system error's text, which is all that passes through SPNEGO. */
static bool
is_our_trouble(const char *text)
{
	static const int code[] = {
	    ENOMEM, ENOSPC, EDQUOT, EIO, EROFS, EACCES, EPERM, EMFILE, ENFILE, EFBIG, EOVERFLOW, ENOENT, ENOTDIR, ELOOP, EISDIR};

	for (size_t i = 0; i < sizeof code / sizeof *code; i++)
		if (strstr(text, strerrordesc_np(code[i])))
			return true;
	return strstr(text, "Replay cache") != NULL;
}

/* The ticket is good, and was refused nevertheless. */
static void
explain_rest(OM_uint32 major, const char *text, struct answer *out)
{
	char why[BACK_WHY_MAX];

	if (major == GSS_S_DUPLICATE_TOKEN || strstr(text, "Request is a replay"))
		refuse(out, ASK_REFUSED, HINT_REPLAY,
		    "the ticket was used before (replay): a copied message, or a request that was sent twice");
	else if (!replay_cache_works(why))
		refuse(out, ASK_UNAVAILABLE, HINT_OURS, "%s", why);
	else if (is_our_trouble(text))
		refuse(out, ASK_UNAVAILABLE, HINT_OURS, "the replay cache or memory fails: %s", text);
	else if (major == GSS_S_BAD_BINDINGS) {
		out->result = ASK_REFUSED;
		answer_detail(out, "channel bindings do not fit: the client's TLS does not end here");
	} else {
		out->result = major == GSS_S_FAILURE ? ASK_REFUSED : ASK_BAD_TOKEN;
		answer_detail(out, "%s", text);
	}
}

static void
explain(const struct keyring *keys, OM_uint32 major, OM_uint32 minor, const struct ap_req *req, struct answer *out)
{
	gss_buffer_desc said = GSS_C_EMPTY_BUFFER;
	OM_uint32       none, more = 0;
	char            text[256], ticket[256];

	gss_display_status(&none, minor, GSS_C_MECH_CODE, GSS_C_NO_OID, &more, &said);
	snprintf(text, sizeof text, "%.*s", (int)said.length, said.value ? (const char *)said.value : "");
	gss_release_buffer(&none, &said);
	major = GSS_ROUTINE_ERROR(major);
	if (!req) {
		out->result = is_our_trouble(text) ? ASK_UNAVAILABLE : ASK_BAD_TOKEN;
		answer_detail(out, "no Kerberos ticket in the token: %s", text);
		return;
	}
	switch (ticket_try(keys, req->message, ticket)) {
	case 0:
		explain_rest(major, text, out);
		return;
	case ENOMEM:
		refuse(out, ASK_UNAVAILABLE, HINT_OURS, "no memory");
		return;
	case KRB5KRB_AP_ERR_SKEW:
		refuse(out, ASK_REFUSED, HINT_SKEW,
		    "clock skew too great: the clocks of the client, this machine and the domain must agree within five minutes");
		return;
	case KRB5KRB_AP_WRONG_PRINC:
	case KRB5KRB_AP_ERR_NOT_US:
	case KRB5KRB_AP_ERR_NOKEY:
	case KRB5KRB_AP_ERR_BADKEYVER:
	case KRB5KRB_AP_ERR_BADMATCH:
	case KRB5KRB_AP_ERR_BAD_INTEGRITY:
	case KRB5KRB_AP_ERR_MODIFIED:
	case KRB5_KT_NOTFOUND:
	case KRB5_KT_KVNONOTFOUND:
		explain_key(keys, req, out);
		return;
	case KRB5KRB_AP_ERR_MSG_TYPE:
	case KRB5_BADMSGTYPE:
		out->result = ASK_BAD_TOKEN;
		break;
	default:
		out->result = ASK_REFUSED;
		break;
	}
	answer_detail(out, "%s", ticket);
}

/* RC4 or DES between the client and us: the key that a ticket gave, whatever the ticket itself is under. */
static bool
session_is_strong(gss_ctx_id_t context)
{
	gss_buffer_set_t key = GSS_C_NO_BUFFER_SET;
	OM_uint32        minor;
	bool             strong = false;

	if (gss_inquire_sec_context_by_oid(&minor, context, GSS_C_INQ_SSPI_SESSION_KEY, &key) != GSS_S_COMPLETE)
		return false;
	/* the second is an OID whose last arc is the key's type (gss_krb5 4.0); each of those is below 128 */
	if (key->count >= 2 && key->elements[1].length > 0) {
		const uint8_t *oid = key->elements[1].value;
		strong = keyring_is_strong(oid[key->elements[1].length - 1]);
	}
	if (key->count > 0)
		explicit_bzero(key->elements[0].value, key->elements[0].length);
	gss_release_buffer_set(&minor, &key);
	return strong;
}

/* Proved by the domain's signature, or not handed out. */
static bool
pac_get(gss_name_t name, struct answer *out)
{
	static const char whole[] = "urn:mspac:";
	gss_buffer_desc attribute = {sizeof whole - 1, (void *)(uintptr_t)whole}, value = GSS_C_EMPTY_BUFFER, display = GSS_C_EMPTY_BUFFER;
	OM_uint32       minor, major;
	int             authenticated = 0, complete = 0, more = -1;
	bool            ok = true;

	major = gss_get_name_attribute(&minor, name, &attribute, &authenticated, &complete, &value, &display, &more);
	if (major == GSS_S_COMPLETE && authenticated)
		ok = answer_pac(out, span_of(value.value, value.length));
	gss_release_buffer(&minor, &value);
	gss_release_buffer(&minor, &display);
	return ok;
}

/* Who it is. */
static void
finish(gss_ctx_id_t context, gss_name_t name, OM_uint32 flags, bool wants_pac, struct answer *out)
{
	gss_buffer_desc text = GSS_C_EMPTY_BUFFER;
	OM_uint32       minor;

	out->result = ASK_REFUSED;
	if (gss_display_name(&minor, name, &text, NULL) != GSS_S_COMPLETE ||
	    !principal_split(span_of(text.value, text.length), out->account, out->realm)) {
		out->account[0] = out->realm[0] = '\0';
		answer_detail(out, "the ticket's name cannot be used here");
	} else if ((flags & GSS_C_ANON_FLAG) || principal_is_anonymous(out->account, out->realm))
		answer_detail(out, "an anonymous ticket");
	else if (!session_is_strong(context))
		refuse(out, ASK_REFUSED, HINT_WEAK, "the session key of %.*s is RC4 or DES: the domain and the client must allow AES",
		    (int)text.length, (const char *)text.value);
	else if (wants_pac && !pac_get(name, out)) {
		out->result = ASK_UNAVAILABLE;
		answer_detail(out, "no memory");
	} else
		out->result = ASK_OK;
	gss_release_buffer(&minor, &text);
}

/* One message of the client. Owns `x`. */
static void
step(struct exchange *x, const struct ask *ask, const struct ap_req *req, struct answer *out)
{
	struct span                        bound = ask->part[1];
	struct gss_channel_bindings_struct bindings = {.application_data = {bound.n, (void *)(uintptr_t)bound.p}};
	gss_buffer_desc                    in = {ask->part[0].n, (void *)(uintptr_t)ask->part[0].p}, token = GSS_C_EMPTY_BUFFER;
	gss_name_t                         name = GSS_C_NO_NAME;
	OM_uint32                          major, minor, none, flags = 0;

	major = gss_accept_sec_context(&minor, &x->context, x->keys->cred, &in, ask->has_binding ? &bindings : GSS_C_NO_CHANNEL_BINDINGS,
	    &name, NULL, &token, &flags, NULL, NULL);
	if (GSS_ERROR(major))
		explain(x->keys, major, minor, req, out);
	else if (token.length > ASK_TOKEN_MAX || (token.length && !answer_token(out, span_of(token.value, token.length)))) {
		out->result = ASK_UNAVAILABLE;
		answer_detail(out, "no memory");
	} else if (major & GSS_S_CONTINUE_NEEDED) {
		out->handle = contexts_put(waiting, &ask->client, clock_mono_us(), x);
		out->result = out->handle ? ASK_CONTINUE : ASK_UNAVAILABLE;
		if (out->handle)
			x = NULL;
	} else
		finish(x->context, name, flags, ask->wants_pac, out);
	gss_release_name(&none, &name);
	gss_release_buffer(&none, &token);
	exchange_free(x);
}

static void
kerberos_check(struct back *b, unsigned thread, const struct ask *ask, struct answer *out)
{
	struct exchange *x;
	struct ap_req    req;
	bool             has_req;
	char             type[64];

	(void)thread;
	if (ask->op != ASK_KERBEROS || (ask->has_binding && ask->part[1].n == 0)) {
		out->result = ASK_UNAVAILABLE;
		answer_detail(out, "the kerberos back end cannot be asked that");
		return;
	}
	if (ask->part[0].n == 0 || ask->part[0].n > ASK_TOKEN_MAX) {
		out->result = ASK_BAD_TOKEN;
		answer_detail(out, "an empty token, or one that is too long");
		return;
	}
	has_req = ap_req_read(ask->part[0], &req);
	if (has_req && !keyring_is_strong(req.etype)) {
		keyring_etype_name(req.etype, type);
		refuse(out, ASK_REFUSED, HINT_WEAK,
		    "the ticket for %s is under a weak key (%s): let its account use AES (msDS-SupportedEncryptionTypes 24) and export the "
		    "keytab again",
		    req.server, type);
		return;
	}
	x = ask->handle ? contexts_take(waiting, ask->handle, &ask->client, clock_mono_us()) : exchange_new(b->keys);
	if (!x) {
		out->result = ask->handle ? ASK_BAD_TOKEN : ASK_UNAVAILABLE;
		answer_detail(out, ask->handle ? "no log-on of this client is under way, or it took too long" : "no memory");
		return;
	}
	step(x, ask, has_req ? &req : NULL, out);
}

static bool
kerberos_load(char why[BACK_WHY_MAX])
{
	gss_OID_set mechs = GSS_C_NO_OID_SET;
	OM_uint32   minor, major;

	/* Plug-ins of other mechanisms (gss-ntlmssp) stay out of this process; read by the library at its first call. */
	if (setenv("GSS_MECH_CONFIG", "/dev/null", 1) != 0 || !(waiting = waiting ? waiting : contexts_new(exchange_free))) {
		snprintf(why, BACK_WHY_MAX, "no memory");
		return false;
	}
	major = gss_indicate_mechs(&minor, &mechs);
	gss_release_oid_set(&minor, &mechs);
	if (major != GSS_S_COMPLETE)
		snprintf(why, BACK_WHY_MAX, "GSSAPI does not start");
	return major == GSS_S_COMPLETE;
}

static struct back *
kerberos_open(const struct snapshot *snap, int fd, char why[BACK_WHY_MAX])
{
	struct back *b = calloc(1, sizeof *b);
	char         names[512], trouble[BACK_WHY_MAX];

	(void)snap;
	if (!b) {
		snprintf(why, BACK_WHY_MAX, "no memory");
		return NULL;
	}
	b->keys = keyring_new(fd, true, why);
	if (!b->keys) {
		free(b);
		return NULL;
	}
	keyring_principals(b->keys, names, sizeof names);
	log_info("kerberos: the keytab has %zu keys, of %s", b->keys->n_keys, names);
	if (!replay_cache_works(trouble))
		log_warn("kerberos: %s", trouble);
	return b;
}

static void
kerberos_close(struct back *b)
{
	if (!b)
		return;
	keyring_unref(b->keys);
	free(b);
}

static bool
kerberos_ping(struct back *b, unsigned thread, char why[BACK_WHY_MAX])
{
	(void)b;
	(void)thread;
	return replay_cache_works(why);
}

static void
kerberos_describe(struct back *b, void (*say)(void *arg, bool fault, const char *line), void *arg)
{
	for (size_t i = 0; i < b->keys->n_keys; i++) {
		const struct keyring_key *k = &b->keys->key[i];
		char                      type[64], text[512];

		keyring_etype_name(k->etype, type);
		snprintf(text, sizeof text, "%s, version %u, %s%s", k->principal, k->kvno, type, k->strong ? "" : " (weak: not used)");
		say(arg, false, text);
	}
}

const struct back_ops back_kerberos_ops = {
    .word = "kerberos",
    .threads = 2,
    .may_repeat = false,
    .counts = false,
    .load = kerberos_load,
    .open = kerberos_open,
    .close = kerberos_close,
    .check = kerberos_check,
    .ping = kerberos_ping,
    .describe = kerberos_describe,
};
