/* SPDX-License-Identifier: MIT */
/*
 * authenticate: finds out who asks, once policy needs to know.
 * Reads the credentials, has a back end judge them, goes back to gate with the user, or to reply with what the client must do next. What a 407 offers is
 * in challenge_fields.c.
 * Always true: credentials are read only when a rule needs the user. NTLM binds to the client's connection, Basic and Kerberos to the request; nothing
 * binds to a connection that another proxy opened (RFC 4559 6), since others may be behind it. Whatever credentials are read end what was bound before.
 * A challenge is good for one answer. A back end that cannot be asked is a 503, never a 407, never a yes. What was found good is void once somebody else
 * would be asked, or something else: another file, another directory, groups that nobody had asked for.
 */
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/random.h>

#include "auth/basic_cache.h"
#include "auth/challenge.h"
#include "auth/credential.h"
#include "auth/ntlm.h"
#include "auth/spnego.h"
#include "base/clock.h"
#include "base/log.h"
#include "session/listener_tls.h"
#include "session/logon.h"
#include "session/session.h"

#define NAMES_LOOK_MS     50u
#define FILETIME_OF_EPOCH 116444736000000000u /* 1970 in 100 ns since 1601 */

static void on_answer(void *arg, const struct answer *answer);

/* --- who is bound to the connection --- */

void
authenticate_break_off(struct session *s)
{
	handshake_free(s->handshake);
	s->handshake = NULL;
}

void
authenticate_forget(struct session *s)
{
	authenticate_break_off(s);
	identity_unref(s->identity);
	s->identity = NULL;
}

bool
request_know_user(struct request *r)
{
	r->facts.user_row = identity_row(r->identity, r->snap);
	return r->facts.user_row != NULL;
}

static bool
tell_policy(struct session *s, struct identity *i)
{
	struct request *r = s->req;

	r->identity = identity_ref(i);
	if (!request_know_user(r)) {
		reply_fault(s, FAULT_NO_MEMORY);
		return false;
	}
	r->facts.known |= FACT_USER;
	r->facts.bare = false;
	return true;
}

/* What a yes of this back end rests on that is given now. */
static uint64_t
ground_of(const struct session *s, uint32_t kind)
{
	uint32_t epoch = kind < BACK_KINDS ? atomic_load(&s->gw->shared->auth.epoch[kind]) : 0;

	return (uint64_t)epoch << 32 | s->req->snap->set->auth.ground;
}

bool
authenticate_recall(struct session *s)
{
	struct request             *r = s->req;
	const struct auth_settings *set = &r->snap->set->auth;
	uint64_t                    now_us = loop_now_us(s->gw->loop);

	if (r->head.n_proxy_authorization)
		return true; /* somebody, perhaps somebody else, says who they are: read when a rule needs it */
	authenticate_break_off(s);
	if (!s->identity || request_is_relayed(r))
		return true;
	if (s->ground != ground_of(s, set->ntlm) || (set->max_age_ms && now_us - identity_since_us(s->identity) >= set->max_age_ms * 1000)) {
		authenticate_forget(s);
		r->expired = true;
		return true;
	}
	return tell_policy(s, s->identity);
}

/* --- ends of one leg --- */

/* The client is to try again, or to go away. */
static void
refuse(struct session *s, enum fault fault, const char *why)
{
	logon_explain(s->req->logon, why);
	reply_fault(s, fault);
}

static void
refuse_scheme(struct session *s, enum auth_scheme scheme, const char *why)
{
	s->req->logon->withheld |= 1u << scheme;
	refuse(s, FAULT_AUTH_REQUIRED, why);
}

/* The next leg is the client's. The session owns what it has to come back to. */
static void
challenge(struct session *s, const struct handshake_parts *p, struct span token)
{
	struct logon *l = s->req->logon;

	s->handshake = handshake_new(p);
	if (!s->handshake || !logon_keep_token(l, token))
		reply_fault(s, FAULT_NO_MEMORY);
	else
		reply_fault(s, FAULT_AUTH_CONTINUES);
}

static void
welcome(struct session *s, struct identity *i)
{
	if (tell_policy(s, i))
		gate_decide(s);
}

/* --- asking --- */

static void
ask(struct session *s, enum back_kind kind, struct ask *a)
{
	struct request *r = s->req;
	struct logon   *l = r->logon;

	a->client = s->peer.addr;
	listener_tls_bind(s, a);
	a->wants_groups = r->snap->set->auth.wants_groups;
	a->timeout_ms = (uint32_t)r->snap->set->auth.timeout_ms;
	l->asked_us = loop_now_us(s->gw->loop);
	l->ground = ground_of(s, kind); /* not what it is when the answer comes: that may be of the file before */
	l->job = s->gw->desk ? desk_ask(s->gw->desk, kind, a, on_answer, s) : NULL;
	if (!l->job) {
		refuse(s, FAULT_AUTH_UNAVAILABLE, "too many log-ons are under way, or memory is short");
		return;
	}
	s->gw->count->auth_asked++;
	session_move(s, SESSION_AUTH);
	if (!head_settle(s))
		reply_fault(s, FAULT_NO_MEMORY);
}

/* --- Basic --- */

static void
try_basic(struct session *s, const struct credential *c)
{
	struct request  *r = s->req;
	struct identity *known;
	struct ask       a = {.op = ASK_BASIC, .part = {c->user, c->password}};

	r->logon->way = AUTH_WAY_BASIC;
	known = s->gw->basic ? basic_cache_find(s->gw->basic, c->user, c->password, ground_of(s, s->req->snap->set->auth.basic), loop_now_us(s->gw->loop)) : NULL;
	if (known) {
		s->gw->count->auth_cached++;
		welcome(s, known);
		return;
	}
	logon_claim(r->logon, SPAN(""), c->user);
	if (!logon_keep_basic(r->logon, c->user, c->password))
		reply_fault(s, FAULT_NO_MEMORY);
	else
		ask(s, (enum back_kind)r->snap->set->auth.basic, &a);
}

/* --- NTLM, by itself and inside SPNEGO --- */

/* Random bytes, many at once: a handshake is to cost no system call. */
static bool
random_take(uint8_t *out, size_t n)
{
	static struct {
		uint8_t  bytes[256]; /* what getrandom gives without stopping short */
		unsigned left;
	} pool;

	if (pool.left < n) {
		pool.left = 0;
		if (getrandom(pool.bytes, sizeof pool.bytes, 0) != sizeof pool.bytes)
			return false;
		pool.left = sizeof pool.bytes;
	}
	pool.left -= (unsigned)n;
	memcpy(out, pool.bytes + pool.left, n);
	explicit_bzero(pool.bytes + pool.left, n);
	return true;
}

/* What a challenge calls this machine. True: it is in a domain, and known there by that. */
static bool
names_of(const struct session *s, struct ntlm_names *out)
{
	const struct snapshot *snap = s->req->snap;

	if (snap->set->auth.kinds & 1u << BACK_WINBIND && names_read(&s->gw->shared->auth.names, out))
		return true;
	names_alone(snapshot_text(snap, snap->set->visible_name), out);
	return false;
}

/* SPNEGO without an NTLM message: the client learns that NTLM is what we chose. */
static void
choose_ntlm(struct session *s, const struct credential *c)
{
	struct handshake_parts p = {.scheme = AUTH_SCHEME_NEGOTIATE, .wrapped = true, .begun_us = loop_now_us(s->gw->loop), .mech_list = c->mech_list};
	char                   out[SPNEGO_ROOM(0)];
	size_t                 n = spnego_write(SPNEGO_INCOMPLETE, true, SPAN(""), SPAN(""), out, sizeof out);

	if (c->mech_list.n > HANDSHAKE_MECH_LIST_MAX)
		refuse(s, FAULT_AUTH_BAD_TOKEN, "the list of mechanisms is too long");
	else
		challenge(s, &p, span_of(out, n));
}

/* The second leg, to the NEGOTIATE in `p`. `chosen`: the client knows already that NTLM is what we chose. */
static void
challenge_ntlm(struct session *s, struct handshake_parts *p, bool chosen, const struct ntlm_names *names, bool in_domain)
{
	struct ntlm_negotiate negotiate;
	uint8_t               random[8];
	char                  plain[NTLM_CHALLENGE_MAX], wrapped[SPNEGO_ROOM(NTLM_CHALLENGE_MAX)];

	if (!ntlm_negotiate_read(p->negotiate, &negotiate)) {
		refuse(s, FAULT_AUTH_BAD_TOKEN, "the NTLM NEGOTIATE message cannot be read");
		return;
	}
	if (!random_take(random, sizeof random)) {
		refuse(s, FAULT_AUTH_UNAVAILABLE, "the system gives no random bytes");
		return;
	}
	p->challenge = span_of(plain, ntlm_challenge_write(&negotiate, names, in_domain, random, FILETIME_OF_EPOCH + clock_real_us() * 10, plain));
	if (p->wrapped)
		challenge(s, p, span_of(wrapped, spnego_write(SPNEGO_INCOMPLETE, !chosen, p->challenge, SPAN(""), wrapped, sizeof wrapped)));
	else
		challenge(s, p, p->challenge);
}

static void
on_names(void *arg)
{
	struct session        *s = arg;
	struct logon          *l = s->req->logon;
	struct handshake      *h = s->handshake;
	struct ntlm_names      names;
	bool                   known = names_of(s, &names);
	uint64_t               waited_ms = (loop_now_us(s->gw->loop) - l->asked_us) / 1000;
	struct handshake_parts p = {.scheme = (enum auth_scheme)h->scheme, .wrapped = h->wrapped, .begun_us = h->begun_us, .negotiate = handshake_negotiate(h),
	    .mech_list = handshake_mech_list(h)};

	if (!known && waited_ms < s->req->snap->set->auth.timeout_ms && !atomic_load(&s->gw->shared->auth.stats[BACK_WINBIND].is_down)) {
		timer_set(s->gw->loop, &l->names, NAMES_LOOK_MS);
		return;
	}
	l->ms = (uint32_t)waited_ms;
	session_move(s, SESSION_GATE);
	s->handshake = NULL;
	if (known)
		challenge_ntlm(s, &p, l->chosen, &names, true);
	else
		refuse(s, FAULT_AUTH_UNAVAILABLE, "winbind has not told yet what this machine is called");
	handshake_free(h);
}

/*
 * A domain controller refuses answers to a challenge in another machine's name: right passwords would count as wrong ones. Just after the start, and while
 * winbindd is down, the NEGOTIATE waits, as it would for any other answer of the domain; not once the back end is known to be down.
 */
static void
await_names(struct session *s, const struct handshake_parts *p, bool chosen)
{
	struct logon *l = s->req->logon;

	s->handshake = handshake_new(p);
	if (!s->handshake) {
		reply_fault(s, FAULT_NO_MEMORY);
		return;
	}
	l->chosen = chosen;
	l->asked_us = loop_now_us(s->gw->loop);
	timer_init(&l->names, on_names, s);
	timer_set(s->gw->loop, &l->names, NAMES_LOOK_MS);
	session_move(s, SESSION_AUTH);
	if (!head_settle(s))
		reply_fault(s, FAULT_NO_MEMORY);
}

static void
begin_ntlm(struct session *s, const struct credential *c, const struct handshake *before)
{
	struct ntlm_negotiate  negotiate;
	struct ntlm_names      names;
	bool                   chosen = before && before->wrapped && c->wrapped && !before->n_negotiate && !before->handle, in_domain = names_of(s, &names);
	struct handshake_parts p = {.scheme = c->scheme, .wrapped = c->wrapped, .begun_us = loop_now_us(s->gw->loop), .negotiate = c->token};

	if (c->token.n > NTLM_NEGOTIATE_MAX || c->mech_list.n > HANDSHAKE_MECH_LIST_MAX || !ntlm_negotiate_read(c->token, &negotiate)) {
		refuse(s, FAULT_AUTH_BAD_TOKEN, "the NTLM NEGOTIATE message cannot be read");
		return;
	}
	if (!s->keep) { /* the client begins anew on a connection that stays, if it has one */
		refuse(s, FAULT_AUTH_REQUIRED, "this connection ends, and NTLM would with it");
		return;
	}
	p.mech_list = chosen ? handshake_mech_list(before) : c->mech_list;
	if (s->req->snap->set->auth.ntlm == BACK_WINBIND && !in_domain)
		await_names(s, &p, chosen);
	else
		challenge_ntlm(s, &p, chosen, &names, in_domain);
}

static void
finish_ntlm(struct session *s, const struct credential *c, const struct handshake *h)
{
	struct ntlm_authenticate m;
	const char              *why = "";
	struct ask               a = {.op = ASK_NTLM};

	if (!h || h->scheme != c->scheme || h->wrapped != c->wrapped || !h->n_challenge) {
		refuse(s, FAULT_AUTH_BAD_TOKEN, "an NTLM AUTHENTICATE message without a challenge on this connection");
		return;
	}
	if (!ntlm_authenticate_read(c->token, handshake_challenge(h), &m, &why)) {
		refuse(s, FAULT_AUTH_BAD_TOKEN, why);
		return;
	}
	s->req->logon->wrapped = c->wrapped;
	logon_claim(s->req->logon, span_str(m.domain_utf8), span_str(m.user_utf8));
	a.part[0] = handshake_negotiate(h);
	a.part[1] = handshake_challenge(h);
	a.part[2] = c->token;
	a.part[3] = handshake_mech_list(h);
	a.part[4] = c->mic;
	ask(s, (enum back_kind)s->req->snap->set->auth.ntlm, &a);
}

/* What brings people to the proxy without a ticket, said where the administrator looks. */
static void
hint_no_ticket(const struct session *s)
{
	static struct log_limit limit;
	char                    client[ADDR_TEXT_MAX];

	addr_print(&s->peer.addr, client);
	log_write_limited(&limit, LOG_LEVEL_INFO,
	    "%s sent NTLM under Negotiate, although there is a keytab: it has no ticket. Its proxy setting names an IP address instead of a name, the domain has no "
	    "HTTP/NAME principal for that name, or it is not in the domain",
	    client);
}

static void
try_ntlm(struct session *s, const struct credential *c, const struct handshake *before)
{
	const struct auth_settings *set = &s->req->snap->set->auth;

	s->req->logon->way = c->scheme == AUTH_SCHEME_NEGOTIATE ? AUTH_WAY_NEGOTIATE_NTLM : AUTH_WAY_NTLM;
	/* most of all where NTLM is not taken: the client will get nowhere */
	if (c->scheme == AUTH_SCHEME_NEGOTIATE && set->kinds & 1u << BACK_KERBEROS && !request_is_relayed(s->req))
		hint_no_ticket(s);
	if (set->ntlm == BACK_KINDS || request_is_relayed(s->req)) {
		refuse_scheme(s, c->scheme, set->ntlm == BACK_KINDS ? "NTLM is not configured" : "NTLM through another proxy");
		return;
	}
	if (c->kind == CREDENTIAL_NEGOTIATE) {
		choose_ntlm(s, c);
		return;
	}
	switch (ntlm_message(c->token)) {
	case NTLM_NEGOTIATE:
		begin_ntlm(s, c, before);
		break;
	case NTLM_AUTHENTICATE:
		finish_ntlm(s, c, before);
		break;
	default:
		refuse(s, FAULT_AUTH_BAD_TOKEN, "no NTLM message that a client may send");
		break;
	}
}

/* --- Kerberos --- */

static void
try_kerberos(struct session *s, const struct credential *c, const struct handshake *before)
{
	const struct auth_settings *set = &s->req->snap->set->auth;
	struct ask                  a = {.op = ASK_KERBEROS, .part = {c->token}};

	if (!(set->kinds & 1u << BACK_KERBEROS) && c->offers_ntlm && set->ntlm != BACK_KINDS && !request_is_relayed(s->req)) {
		s->req->logon->way = AUTH_WAY_NEGOTIATE_NTLM;
		choose_ntlm(s, c); /* its second choice */
		return;
	}
	s->req->logon->way = AUTH_WAY_KERBEROS;
	if (!(set->kinds & 1u << BACK_KERBEROS)) {
		refuse_scheme(s, AUTH_SCHEME_NEGOTIATE, "a Kerberos ticket came, and there is no keytab");
		return;
	}
	a.wants_pac = set->wants_groups && set->kinds & 1u << BACK_WINBIND;
	a.handle = before ? before->handle : 0;
	ask(s, BACK_KERBEROS, &a);
}

/* The ticket is good: in which groups its owner is, winbindd reads from its PAC. False: need not be asked. */
static bool
ask_groups(struct session *s, const struct answer *ticket)
{
	const struct auth_settings *set = &s->req->snap->set->auth;
	struct ask                  a = {.op = ASK_PAC, .part = {span_of(ticket->pac, ticket->n_pac)}};

	if (!ticket->n_pac || !set->wants_groups || !(set->kinds & 1u << BACK_WINBIND))
		return false;
	if (!logon_keep_ticket(s->req->logon, ticket))
		reply_fault(s, FAULT_NO_MEMORY);
	else
		ask(s, BACK_WINBIND, &a);
	return true;
}

/* --- credentials --- */

static void
try_credential(struct session *s, const struct credential *c, unsigned offered, const struct handshake *before)
{
	struct logon *l = s->req->logon;

	l->scheme = (uint8_t)c->scheme;
	if (c->kind == CREDENTIAL_NONE)
		refuse(s, FAULT_AUTH_REQUIRED, "a scheme that is not known");
	else if (c->kind == CREDENTIAL_BAD)
		refuse(s, FAULT_AUTH_BAD_TOKEN, "the credentials cannot be read");
	else if (!(offered & 1u << c->scheme))
		refuse(s, FAULT_AUTH_REQUIRED, "a scheme that is not offered here");
	else if (c->kind == CREDENTIAL_BASIC)
		try_basic(s, c);
	else if (c->kind == CREDENTIAL_KERBEROS)
		try_kerberos(s, c, before);
	else
		try_ntlm(s, c, before);
}

void
authenticate(struct session *s)
{
	struct request   *r = s->req;
	unsigned          offered = authenticate_schemes(s);
	struct span       value = r->head.proxy_authorization;
	struct handshake *before; /* used up by whatever came */
	struct credential c = {0};
	char             *scratch;

	if (s->inside || s->original || r->facts.known & FACT_USER || !offered) {
		reply_fault(s, FAULT_USER_UNKNOWN); /* nobody can be asked here: never as if the rule did not hold */
		return;
	}
	if (r->head.n_proxy_authorization != 1) {
		reply_fault(s, r->head.n_proxy_authorization ? FAULT_BAD_FIELD : r->expired ? FAULT_AUTH_EXPIRED : FAULT_AUTH_REQUIRED);
		return;
	}
	if (request_is_relayed(r))
		authenticate_break_off(s); /* it may be somebody else's */
	before = s->handshake;
	s->handshake = NULL;
	authenticate_forget(s);
	r->logon = logon_new();
	scratch = malloc(value.n + 1); /* not the gateway's own: it is where the answer will be written */
	if (r->logon && scratch) {
		credential_read(value, scratch, value.n, &c);
		/* nobody reads it again: it need not lie about in memory */
		memset(r->text.p + (value.p - r->text.p), '*', value.n);
		try_credential(s, &c, offered, before);
	} else {
		reply_fault(s, FAULT_NO_MEMORY);
	}
	if (scratch)
		explicit_bzero(scratch, value.n);
	free(scratch);
	handshake_free(before);
}

/* --- the answer --- */

static struct identity *
identity_of(const struct session *s, const struct answer *a)
{
	const struct logon *l = s->req->logon;
	struct ntlm_names   names;
	bool                in_domain = names_of(s, &names);

	return identity_new(l->ticket ? l->ticket : a, l->ticket ? a : NULL, in_domain ? &names : NULL, (enum auth_way)l->way, loop_now_us(s->gw->loop));
}

/* What ends the exchange under Negotiate: Kerberos' own token, which came before the groups of the ticket; of NTLM in SPNEGO, the back end's MIC. */
static bool
keep_last_word(struct logon *l, const struct answer *a)
{
	struct span token = span_of(a->token, a->n_token);
	char        wrapped[SPNEGO_ROOM(0)];

	if (l->scheme != AUTH_SCHEME_NEGOTIATE || l->ticket)
		return true;
	if (l->wrapped)
		token = span_of(wrapped, spnego_write(SPNEGO_COMPLETED, false, SPAN(""), token, wrapped, sizeof wrapped));
	return token.n == 0 || logon_keep_token(l, token);
}

static void
accepted(struct session *s, const struct answer *a)
{
	struct request             *r = s->req;
	struct logon               *l = r->logon;
	const struct auth_settings *set = &r->snap->set->auth;
	struct identity            *i;

	if (!l->ticket && !a->account[0]) {
		refuse(s, FAULT_AUTH_UNAVAILABLE, "an answer without a name"); /* rules that want anybody known would hold for it */
		return;
	}
	if (!keep_last_word(l, a)) {
		reply_fault(s, FAULT_NO_MEMORY);
		return;
	}
	if (l->way == AUTH_WAY_KERBEROS && !l->ticket && ask_groups(s, a))
		return;
	i = identity_of(s, a);
	if (!i) {
		reply_fault(s, FAULT_NO_MEMORY);
		return;
	}
	if (l->way == AUTH_WAY_NTLM || l->way == AUTH_WAY_NEGOTIATE_NTLM) {
		s->identity = identity_ref(i);
		s->ground = l->ground;
	}
	if (l->way == AUTH_WAY_BASIC && s->gw->basic)
		basic_cache_add(s->gw->basic, logon_user(l), logon_password(l), l->ground, loop_now_us(s->gw->loop), set->success_ttl_ms * 1000, i);
	logon_forget_basic(l);
	welcome(s, i);
	identity_unref(i);
}

static void
on_answer(void *arg, const struct answer *a)
{
	struct session        *s = arg;
	struct logon          *l = s->req->logon;
	struct handshake_parts p = {.scheme = AUTH_SCHEME_NEGOTIATE, .handle = a->handle, .begun_us = loop_now_us(s->gw->loop)};

	l->job = NULL;
	l->ms = (l->ms == MS_NONE ? 0 : l->ms) + (uint32_t)((loop_now_us(s->gw->loop) - l->asked_us) / 1000);
	session_move(s, SESSION_GATE);
	if (a->account[0] && a->result != ASK_OK)
		logon_claim(l, span_str(a->domain), span_str(a->account));
	switch (a->result) {
	case ASK_OK:
		accepted(s, a);
		break;
	case ASK_CONTINUE:
		if (request_is_relayed(s->req))
			refuse_scheme(s, AUTH_SCHEME_NEGOTIATE, "a log-on of several messages through another proxy");
		else
			challenge(s, &p, span_of(a->token, a->n_token));
		break;
	case ASK_REFUSED:
		refuse(s, FAULT_AUTH_FAILED, a->detail);
		break;
	case ASK_BAD_TOKEN:
		refuse(s, FAULT_AUTH_BAD_TOKEN, a->detail);
		break;
	case ASK_LIMITED:
		l->retry_after_s = a->retry_after_s;
		refuse(s, FAULT_AUTH_LIMITED, a->detail);
		break;
	default:
		refuse(s, FAULT_AUTH_UNAVAILABLE, a->detail);
		break;
	}
}
