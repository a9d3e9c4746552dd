/* SPDX-License-Identifier: MIT */
/*
 * back_winbind: Samba's winbindd, by libwbclient: NTLM, Basic, and whom a ticket's PAC means. The library is loaded when it is needed, so that Postern
 * runs where Samba is not.
 * Each thread has a context (one socket to winbindd) of its own, made anew after anything that went wrong on it.
 * Always true: who is let in comes with all the groups that were asked for; when a name of one cannot be found out, nobody is let in, since a rule that
 * denies by that name would be passed by.
 */
#include <dlfcn.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <wbclient.h> /* wants the types of stdint.h and stdbool.h before it */

#include "auth/ad_words.h"
#include "auth/back_ops.h"
#include "auth/ntlm_back.h"
#include "auth/sid_names.h"
#include "base/clock.h"

#define THREADS    8u
#define FIELD_MAX  255u  /* winbindd cuts what is longer */
#define GROUPS_MAX 2048u /* Windows lets nobody log on with more than 1,024 or so */

/* What of libwbclient is used. */
static struct {
	struct wbcContext *(*ctx_create)(void);
	void (*ctx_free)(struct wbcContext *);
	void (*free_memory)(void *);
	int (*sid_print)(const struct wbcDomainSid *, char *, int);
	wbcErr (*ping)(struct wbcContext *);
	wbcErr (*ping_dc)(struct wbcContext *, const char *, struct wbcAuthErrorInfo **);
	wbcErr (*details)(struct wbcContext *, struct wbcInterfaceDetails **);
	wbcErr (*check)(struct wbcContext *, const struct wbcAuthUserParams *, struct wbcAuthUserInfo **, struct wbcAuthErrorInfo **);
	wbcErr (*sid_name)(struct wbcContext *, const struct wbcDomainSid *, char **, char **, enum wbcSidType *);
	wbcErr (*sids_name)(struct wbcContext *, const struct wbcDomainSid *, int, struct wbcDomainInfo **, int *, struct wbcTranslatedName **);
} wbc;

struct back {
	struct sid_names *names;
	struct {
		struct wbcContext *ctx; /* null: to be made */
	} lane[THREADS];
};

static bool
load(char why[BACK_WHY_MAX])
{
	static const struct {
		const char *name;
		void      **at;
	} symbols[] = {
		{"wbcCtxCreate", (void **)&wbc.ctx_create},
		{"wbcCtxFree", (void **)&wbc.ctx_free},
		{"wbcFreeMemory", (void **)&wbc.free_memory},
		{"wbcSidToStringBuf", (void **)&wbc.sid_print},
		{"wbcCtxPing", (void **)&wbc.ping},
		{"wbcCtxPingDc", (void **)&wbc.ping_dc},
		{"wbcCtxInterfaceDetails", (void **)&wbc.details},
		{"wbcCtxAuthenticateUserEx", (void **)&wbc.check},
		{"wbcCtxLookupSid", (void **)&wbc.sid_name},
		{"wbcCtxLookupSids", (void **)&wbc.sids_name},
	};
	void *lib = dlopen("libwbclient.so.0", RTLD_NOW | RTLD_LOCAL);

	if (!lib) {
		snprintf(why, BACK_WHY_MAX, "libwbclient.so.0 is not there; install it (Debian: libwbclient0 and winbind)");
		return false;
	}
	for (size_t i = 0; i < sizeof symbols / sizeof *symbols; i++) {
		*symbols[i].at = dlsym(lib, symbols[i].name);
		if (!*symbols[i].at) {
			snprintf(why, BACK_WHY_MAX, "libwbclient.so.0 lacks %s: it is too old", symbols[i].name);
			dlclose(lib);
			return false;
		}
	}
	return true; /* stays loaded */
}

static void
close_winbind(struct back *b)
{
	if (!b)
		return;
	for (size_t i = 0; i < THREADS; i++)
		if (b->lane[i].ctx)
			wbc.ctx_free(b->lane[i].ctx);
	sid_names_free(b->names);
	free(b);
}

static struct back *
open_winbind(const struct snapshot *snap, int fd, char why[BACK_WHY_MAX])
{
	struct back *b = calloc(1, sizeof *b);

	(void)snap;
	(void)fd;
	if (b)
		b->names = sid_names_new();
	if (!b || !b->names) {
		snprintf(why, BACK_WHY_MAX, "out of memory");
		free(b);
		return NULL;
	}
	return b;
}

static struct wbcContext *
ctx_of(struct back *b, unsigned thread)
{
	if (!b->lane[thread].ctx)
		b->lane[thread].ctx = wbc.ctx_create();
	return b->lane[thread].ctx;
}

static void
ctx_drop(struct back *b, unsigned thread)
{
	if (b->lane[thread].ctx)
		wbc.ctx_free(b->lane[thread].ctx);
	b->lane[thread].ctx = NULL;
}

/* --- groups --- */

struct groups {
	char                (*name)[ASK_NAME_MAX]; /* "": has none */
	struct wbcDomainSid *unknown; /* SIDs whose names have to be asked for, and which they are */
	size_t              *place;
	int                  n_unknown;
};

/* "CORP\\Proxy Users"; kept for those who come after. */
static void
name_found(struct back *b, struct groups *g, int i, const char *domain, const char *name)
{
	char  sid[WBC_SID_STRING_BUFLEN], full[2 * ASK_NAME_MAX + 2];
	char *out = g->name[g->place[i]];

	snprintf(full, sizeof full, "%.*s%s%.*s", (int)ASK_NAME_MAX, domain, *domain && *name ? "\\" : "", (int)ASK_NAME_MAX, name);
	answer_name(out, *name ? span_str(full) : SPAN(""));
	wbc.sid_print(&g->unknown[i], sid, sizeof sid);
	sid_names_add(b->names, sid, out, clock_mono_us());
}

static const char *
text_of(const char *s)
{
	return s ? s : "";
}

static bool
has_name(enum wbcSidType type)
{
	return type != WBC_SID_NAME_UNKNOWN && type != WBC_SID_NAME_INVALID && type != WBC_SID_NAME_DELETED;
}

/* All at once: one errand of the domain controller. One odd SID among them (of a domain that is gone, or of none) and the whole fails. */
static bool
names_ask(struct back *b, struct wbcContext *ctx, struct groups *g)
{
	struct wbcDomainInfo     *domain = NULL;
	struct wbcTranslatedName *name = NULL;
	int                       unused; /* libwbclient does not set it; it has seen to it that each domain_index is one of the array's */
	bool                      ok = wbc.sids_name(ctx, g->unknown, g->n_unknown, &domain, &unused, &name) == WBC_ERR_SUCCESS;

	for (int i = 0; ok && i < g->n_unknown; i++)
		name_found(b, g, i, text_of(domain[name[i].domain_index].short_name), has_name(name[i].type) ? text_of(name[i].name) : "");
	wbc.free_memory(domain);
	wbc.free_memory(name);
	return ok;
}

/* One by one. That a SID has no name and that nobody could be asked for it comes as the same error: then the domain controller must be there. */
static bool
names_ask_each(struct back *b, struct wbcContext *ctx, struct groups *g)
{
	bool there = false;

	for (int i = 0; i < g->n_unknown; i++) {
		char           *domain = NULL, *name = NULL;
		enum wbcSidType type = WBC_SID_NAME_UNKNOWN;
		wbcErr          err = wbc.sid_name(ctx, &g->unknown[i], &domain, &name, &type);

		there = there || err == WBC_ERR_SUCCESS || wbc.ping_dc(ctx, NULL, NULL) == WBC_ERR_SUCCESS;
		if (there)
			name_found(b, g, i, text_of(domain), err == WBC_ERR_SUCCESS && has_name(type) ? text_of(name) : "");
		wbc.free_memory(domain);
		wbc.free_memory(name);
		if (!there)
			return false;
	}
	return true;
}

/* The primary group stands among the others once more. */
static bool
is_repeated(const struct wbcAuthUserInfo *info, uint32_t i)
{
	return i > 1 && memcmp(&info->sids[i].sid, &info->sids[1].sid, sizeof info->sids[i].sid) == 0;
}

/* Every SID, then every name that is known. False: the answer would not be whole. */
static bool
groups_put(const struct wbcAuthUserInfo *info, const struct groups *g, struct answer *out)
{
	char text[WBC_SID_STRING_BUFLEN];

	for (uint32_t i = 1; i < info->num_sids; i++) {
		wbc.sid_print(&info->sids[i].sid, text, sizeof text);
		if (!is_repeated(info, i) && !answer_group(out, span_str(text)))
			return false;
	}
	for (uint32_t i = 1; i < info->num_sids; i++)
		if (!is_repeated(info, i) && g->name[i][0] && !answer_group(out, span_str(g->name[i])))
			return false;
	return true;
}

/* The first SID is the account's own. */
static bool
groups_add(struct back *b, unsigned thread, const struct wbcAuthUserInfo *info, struct answer *out)
{
	struct wbcContext *ctx = ctx_of(b, thread);
	struct groups      g = {0};
	bool               ok = false;

	if (info->num_sids > GROUPS_MAX) {
		answer_detail(out, "the user is in more than %u groups", GROUPS_MAX);
		return false;
	}
	g.name = calloc(info->num_sids + 1, sizeof *g.name);
	g.unknown = calloc(info->num_sids + 1, sizeof *g.unknown);
	g.place = calloc(info->num_sids + 1, sizeof *g.place);
	if (!g.name || !g.unknown || !g.place) {
		answer_detail(out, "out of memory");
		goto out;
	}
	for (uint32_t i = 1; i < info->num_sids; i++) {
		char text[WBC_SID_STRING_BUFLEN];
		wbc.sid_print(&info->sids[i].sid, text, sizeof text);
		if (is_repeated(info, i) || sid_names_find(b->names, text, clock_mono_us(), g.name[i]))
			continue;
		g.unknown[g.n_unknown] = info->sids[i].sid;
		g.place[g.n_unknown++] = i;
	}
	if (g.n_unknown > 0 && (!ctx || (!names_ask(b, ctx, &g) && !names_ask_each(b, ctx, &g)))) {
		ctx_drop(b, thread);
		answer_detail(out, "winbindd could not tell what the user's groups are called");
		goto out;
	}
	ok = groups_put(info, &g, out);
	if (!ok)
		answer_detail(out, "the names of the user's groups take more than %u bytes, or there is no memory", GROUPS_BYTES_MAX);
out:
	free(g.name);
	free(g.unknown);
	free(g.place);
	return ok;
}

/* --- one check --- */

/* Neither winbindd nor a domain controller said anything about the user. */
static void
explain_unavailable(struct back *b, unsigned thread, wbcErr err, bool privileged, struct answer *out)
{
	struct wbcContext *ctx;

	out->result = ASK_UNAVAILABLE;
	ctx_drop(b, thread);
	ctx = ctx_of(b, thread);
	switch (err) {
	case WBC_ERR_WINBIND_NOT_AVAILABLE:
		/* it answers, only not to this: then it is the privileged pipe */
		if (privileged && ctx && wbc.ping(ctx) == WBC_ERR_SUCCESS)
			answer_detail(out, "not allowed to use winbindd's privileged pipe; the user that Postern runs as must be in the group winbindd_priv");
		else
			answer_detail(out, "winbindd does not answer; is it running?");
		break;
	case WBC_ERR_DOMAIN_NOT_FOUND:
		answer_detail(out, "winbindd does not know the domain, or cannot reach it");
		break;
	case WBC_ERR_NO_MEMORY:
		answer_detail(out, "out of memory");
		break;
	default:
		answer_detail(out, "winbindd failed (libwbclient error %d)", (int)err);
		break;
	}
	ctx_drop(b, thread);
}

static void
upper(char *s)
{
	for (; *s; s++)
		*s = *s >= 'a' && *s <= 'z' ? (char)(*s - 32) : *s;
}

static void
who_put(const struct wbcAuthUserInfo *info, struct answer *out)
{
	answer_name(out->account, span_str(info->account_name));
	answer_name(out->domain, span_str(info->domain_name));
	answer_name(out->realm, span_str(info->dns_domain_name));
	upper(out->realm);
}

/* Asks winbindd. `info` comes out when the user was found good (free it); else `out` says. */
static struct wbcAuthUserInfo *
user_check(struct back *b, unsigned thread, const struct wbcAuthUserParams *p, struct answer *out)
{
	struct wbcContext       *ctx = ctx_of(b, thread);
	struct wbcAuthUserInfo  *info = NULL;
	struct wbcAuthErrorInfo *error = NULL;
	wbcErr                   err;

	if (!ctx) {
		out->result = ASK_UNAVAILABLE;
		answer_detail(out, "out of memory");
		return NULL;
	}
	err = wbc.check(ctx, p, &info, &error);
	if (err == WBC_ERR_SUCCESS && info && info->account_name && *info->account_name && !(info->user_flags & WBC_AUTH_USER_INFO_GUEST)) {
		who_put(info, out);
		wbc.free_memory(error);
		return info;
	}
	if (err == WBC_ERR_SUCCESS) {
		out->result = ASK_REFUSED;
		answer_detail(out, "let in as a guest only, or without a name");
	} else if (error && error->nt_status != 0) {
		nt_status_explain(error->nt_status, error->nt_string, out);
		if (out->result == ASK_UNAVAILABLE)
			ctx_drop(b, thread);
	} else if (err == WBC_ERR_UNKNOWN_USER) {
		out->result = ASK_REFUSED;
		answer_detail(out, "unknown user");
	} else {
		explain_unavailable(b, thread, err, p->level != WBC_AUTH_USER_LEVEL_PLAIN, out);
	}
	wbc.free_memory(info);
	wbc.free_memory(error);
	return NULL;
}

static bool
groups_wanted(struct back *b, unsigned thread, const struct ask *ask, const struct wbcAuthUserInfo *info, struct answer *out)
{
	if (!ask->wants_groups || groups_add(b, thread, info, out))
		return true;
	out->result = ASK_UNAVAILABLE;
	return false;
}

static void
check_ntlm(struct back *b, unsigned thread, const struct ask *ask, struct answer *out)
{
	struct ntlm_authenticate a;
	struct wbcAuthUserParams p = {.level = WBC_AUTH_USER_LEVEL_RESPONSE};
	struct wbcAuthUserInfo  *info;

	if (!ntlm_back_read(ask, &a, p.password.response.challenge, out))
		return;
	p.account_name = a.user_utf8;
	p.domain_name = a.domain_utf8;
	p.workstation_name = a.workstation_utf8;
	/* without these two, computer accounts are refused */
	p.parameter_control = WBC_MSV1_0_ALLOW_WORKSTATION_TRUST_ACCOUNT | WBC_MSV1_0_ALLOW_SERVER_TRUST_ACCOUNT;
	p.password.response.nt_length = (uint32_t)a.nt.n;
	p.password.response.nt_data = (uint8_t *)(uintptr_t)a.nt.p;
	info = user_check(b, thread, &p, out);
	if (!info) {
		answer_name(out->account, span_str(a.user_utf8));
		answer_name(out->domain, span_str(a.domain_utf8));
		return;
	}
	ntlm_back_finish(ask, &a, info->user_session_key, out);
	if (out->result == ASK_OK)
		groups_wanted(b, thread, ask, info, out);
	explicit_bzero(info->user_session_key, sizeof info->user_session_key);
	wbc.free_memory(info);
}

static bool
field_copy(char out[FIELD_MAX + 1], struct span s)
{
	if (s.n > FIELD_MAX || (s.n > 0 && memchr(s.p, '\0', s.n)))
		return false;
	if (s.n > 0)
		memcpy(out, s.p, s.n);
	out[s.n] = '\0';
	return true;
}

/* "CORP\alice", "alice@CORP.EXAMPLE", "alice": winbindd takes all of them; a bare one is looked for in the machine's own domain. */
static void
check_basic(struct back *b, unsigned thread, const struct ask *ask, struct answer *out)
{
	char                        user[FIELD_MAX + 1], domain[FIELD_MAX + 1] = "", password[FIELD_MAX + 1];
	struct wbcInterfaceDetails *here = NULL;
	struct wbcAuthUserParams    p = {.level = WBC_AUTH_USER_LEVEL_PLAIN, .account_name = user, .domain_name = domain, .password.plaintext = password};
	struct wbcAuthUserInfo     *info;
	char                       *slash;

	answer_name(out->account, ask->part[0]);
	out->result = ASK_REFUSED;
	if (ask->part[0].n == 0 || !field_copy(user, ask->part[0]) || !field_copy(password, ask->part[1])) {
		answer_detail(out, "no name, or a name or password of more than %u bytes", FIELD_MAX);
		return;
	}
	slash = strchr(user, '\\');
	if (slash) {
		*slash = '\0';
		p.domain_name = user;
		p.account_name = slash + 1;
	} else if (!strchr(user, '@')) {
		/* a machine's local accounts are not meant */
		if (ctx_of(b, thread) && wbc.details(ctx_of(b, thread), &here) == WBC_ERR_SUCCESS && here && here->netbios_domain)
			field_copy(domain, span_str(here->netbios_domain));
		wbc.free_memory(here);
	}
	info = user_check(b, thread, &p, out);
	explicit_bzero(password, sizeof password);
	if (!info)
		return;
	out->result = ASK_OK;
	groups_wanted(b, thread, ask, info, out);
	explicit_bzero(info->user_session_key, sizeof info->user_session_key);
	wbc.free_memory(info);
}

/* Kerberos found the ticket good, and with it the PAC; winbindd reads it. */
static void
check_pac(struct back *b, unsigned thread, const struct ask *ask, struct answer *out)
{
	struct wbcAuthUserParams p = {.level = WBC_AUTH_USER_LEVEL_PAC};
	struct wbcAuthUserInfo  *info;

	p.password.pac.data = (uint8_t *)(uintptr_t)ask->part[0].p;
	p.password.pac.length = ask->part[0].n;
	info = user_check(b, thread, &p, out);
	if (!info)
		return;
	out->result = ASK_OK;
	groups_wanted(b, thread, ask, info, out);
	wbc.free_memory(info);
}

static void
check(struct back *b, unsigned thread, const struct ask *ask, struct answer *out)
{
	switch (ask->op) {
	case ASK_NTLM:
		check_ntlm(b, thread, ask, out);
		break;
	case ASK_BASIC:
		check_basic(b, thread, ask, out);
		break;
	case ASK_PAC:
		check_pac(b, thread, ask, out);
		break;
	default:
		out->result = ASK_UNAVAILABLE;
		answer_detail(out, "winbind does not answer Kerberos; a keytab does");
		break;
	}
	if (out->result != ASK_OK) {
		free(out->groups);
		out->groups = NULL;
		out->groups_bytes = 0;
	}
}

static bool
ping(struct back *b, unsigned thread, char why[BACK_WHY_MAX])
{
	struct wbcAuthErrorInfo *error = NULL;
	struct answer            a = {0};
	struct wbcContext       *ctx = ctx_of(b, thread);
	wbcErr                   err = ctx ? wbc.ping_dc(ctx, NULL, &error) : WBC_ERR_NO_MEMORY;

	if (err == WBC_ERR_SUCCESS) {
		wbc.free_memory(error);
		return true;
	}
	if (error && error->nt_status != 0)
		nt_status_explain(error->nt_status, error->nt_string, &a);
	else
		explain_unavailable(b, thread, err, false, &a);
	ctx_drop(b, thread);
	wbc.free_memory(error);
	snprintf(why, BACK_WHY_MAX, "%s", a.detail);
	return false;
}

static void
name_put(char *out, size_t room, const char *s)
{
	char whole[ASK_NAME_MAX];

	answer_name(whole, span_str(s));
	/* NetBIOS names are ASCII in practice; a longer one would be no NetBIOS name */
	snprintf(out, room, "%.*s", (int)room - 1, whole);
}

static bool
names(struct back *b, struct ntlm_names *out)
{
	struct wbcInterfaceDetails *here = NULL;
	struct wbcContext          *ctx = ctx_of(b, 0);
	bool                        ok = ctx && wbc.details(ctx, &here) == WBC_ERR_SUCCESS && here && here->netbios_domain && here->netbios_name;
	char                        host[NAME_NETBIOS_MAX];

	*out = (struct ntlm_names){0};
	if (ok) {
		name_put(out->domain, sizeof out->domain, here->netbios_domain);
		name_put(out->computer, sizeof out->computer, here->netbios_name);
		name_put(out->dns_domain, sizeof out->dns_domain, here->dns_domain);
		snprintf(host, sizeof host, "%s", out->computer);
		for (char *c = host; *c; c++)
			*c = ascii_lower(*c);
		/* one that does not fit is not told */
		if (out->dns_domain[0] &&
		    (size_t)snprintf(out->dns_computer, sizeof out->dns_computer, "%s.%s", host, out->dns_domain) >= sizeof out->dns_computer)
			out->dns_computer[0] = '\0';
	} else {
		ctx_drop(b, 0);
	}
	wbc.free_memory(here);
	return ok;
}

static void
describe(struct back *b, void (*say)(void *arg, bool fault, const char *line), void *arg)
{
	struct ntlm_names n;
	char              text[BACK_WHY_MAX + NAME_DNS_MAX];

	if (!names(b, &n)) {
		say(arg, true, "winbindd does not tell the names of the domain and of this machine");
		return;
	}
	snprintf(text, sizeof text, "domain %s (%s), this machine is %s", n.domain, n.dns_domain[0] ? n.dns_domain : "no DNS name", n.computer);
	say(arg, false, text);
}

const struct back_ops back_winbind_ops = {
	.word = "winbind",
	.threads = THREADS,
	.may_repeat = true,
	.counts = true,
	.load = load,
	.open = open_winbind,
	.close = close_winbind,
	.check = check,
	.ping = ping,
	.names = names,
	.describe = describe,
};
