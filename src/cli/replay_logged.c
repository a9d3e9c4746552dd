/* SPDX-License-Identifier: MIT */
/*
 * replay_logged: what a line says was asked for, and what it says was decided.
 */
#include "cli/replay.h"
#include "policy/rule.h"

/* What a rule may ask of a request whose fields nobody logged: its URL. replay_judge knows that the fields are not known. */
static bool
url_read(struct asked *a, struct span url)
{
	static const struct head none;

	if (!url_parse(url, &a->url))
		return false;
	a->at = a->url.at;
	a->inner = a->url.scheme == SCHEME_HTTPS;
	if (a->url.scheme == SCHEME_OTHER)
		return true;
	if (!url_normalise(&a->url, a->text, ASKED_ROOM, &a->facts.url))
		return false;
	a->facts.head = &none;
	a->facts.known |= FACT_REQUEST;
	return true;
}

/* The place where the request went, when that is the origin itself. */
static void
address_read(struct asked *a, const struct log_entry *e)
{
	bool direct = e->kind == LOG_KIND_JSON ? e->parent.n == 0 : span_eq(e->hierarchy, SPAN("HIER_DIRECT")) || span_eq(e->hierarchy, SPAN("ORIGINAL_DST"));

	a->has_address = direct && e->peer.n && addr_parse(e->peer, &a->address);
	/* of what the origin answered; else it is that of our own page, or there is none */
	a->has_type = !a->connect && e->peer.n && e->status && (e->kind != LOG_KIND_JSON || e->fault.n == 0);
	a->type = e->content_type;
}

static void
user_read(struct asked *a, const struct log_entry *e)
{
	if (e->user.n && !a->first_leg) {
		a->has_user = true;
		if (!who_read(e->user, &a->who))
			a->who = (struct who){.account = e->user};
		a->who.group = e->group;
		a->who.n_groups = e->n_groups;
		a->groups_known = e->n_groups && e->n_groups < LOG_GROUPS_MAX;
		a->facts.known |= FACT_USER;
		a->facts.who = &a->who;
		a->bare = 0;
	} else {
		a->bare = span_eq(e->fault, SPAN("auth-required")) ? 1 : -1;
	}
}

/* Squid and we write NONE of a connection on which nothing was asked that could be read; and Squid UDP_ of what other caches ask it by ICP or HTCP. */
static bool
is_nothing(const struct log_entry *e)
{
	static const struct span none = SPAN("NONE"), udp = SPAN("UDP_");

	if (e->method.n == 0 || span_eq(e->method, SPAN("-")) || span_eq(e->method, none) || e->url.n == 0 || span_eq(e->url, SPAN("-")) ||
	    (e->url.n > 6 && memcmp(e->url.p, "error:", 6) == 0))
		return true;
	if (e->kind == LOG_KIND_SQUID && e->result.n >= udp.n && memcmp(e->result.p, udp.p, udp.n) == 0)
		return true;
	return e->kind == LOG_KIND_SQUID && e->result.n >= none.n && memcmp(e->result.p, none.p, none.n) == 0 && (e->status == 0 || e->status == 400 || e->status == 408);
}

enum asked_kind
asked_read(struct asked *a, const struct log_entry *e)
{
	char *text = a->text;

	if (is_nothing(e))
		return ASKED_NOTHING;
	*a = (struct asked){.text = text, .has_client = e->has_client, .query_is_cut = e->query_is_cut, .first_leg = e->is_first_leg, .listener = e->listener};
	a->connect = span_eq(e->method, SPAN("CONNECT"));
	if (a->connect ? !authority_parse_connect(e->url, &a->at) : !url_read(a, e->url))
		return ASKED_UNREADABLE;
	if (a->connect)
		a->url.scheme = SCHEME_HTTPS;
	a->facts.host = &a->at.host;
	a->facts.port = a->at.port;
	a->facts.scheme = a->url.scheme;
	a->facts.method = e->method;
	a->facts.client = e->has_client ? e->client : addr_from_v4(0x7f000001);
	a->facts.week_minute = policy_week_minute(e->end_us - e->elapsed_us);
	address_read(a, e);
	user_read(a, e);
	return ASKED_REQUEST;
}

/* --- what was decided --- */

static bool
word_is(struct span s, enum fault f)
{
	return span_eq(s, span_str(fault_row(f)->word));
}

/* A fault by which the gateway refuses what rules let through, or before it asks them; null: none of these. */
static const char *
fault_decided(struct span word)
{
	static const enum fault decided[] = {FAULT_NO_RULE, FAULT_PORT_DENIED, FAULT_USER_UNKNOWN, FAULT_UNDECIDED};

	for (size_t i = 0; i < sizeof decided / sizeof *decided; i++)
		if (word_is(word, decided[i]))
			return fault_row(decided[i])->word;
	return NULL;
}

static bool
json_outcome(const struct log_entry *e, const struct asked *a, struct outcome *out)
{
	static const struct {
		struct span word;
		enum fate   fate;
	} fates[] = {{SPAN("bypass"), FATE_BYPASS}, {SPAN("tunnel"), FATE_TUNNEL}, {SPAN("inspect"), FATE_INSPECT}, {SPAN("deny"), FATE_DENY}};

	out->fault = fault_decided(e->fault);
	if (out->fault) {
		out->fate = FATE_DENY;
		return true;
	}
	if (a->at.host.kind == HOST_ADDR && (word_is(e->fault, FAULT_EGRESS_DENIED) || word_is(e->fault, FAULT_SELF_TARGET))) {
		*out = (struct outcome){.fate = FATE_DENY, .fault = fault_row(word_is(e->fault, FAULT_SELF_TARGET) ? FAULT_SELF_TARGET : FAULT_EGRESS_DENIED)->word};
		return true;
	}
	out->rule = e->rule;
	for (size_t i = 0; i < sizeof fates / sizeof *fates; i++)
		if (span_eq(e->action, fates[i].word)) {
			out->fate = word_is(e->fault, FAULT_REDIRECTED) ? FATE_REDIRECT : fates[i].fate;
			return true;
		}
	return false; /* it ended before, or the rules had nothing to do with it */
}

/* Where a rule of Squid's refuses by sending the client elsewhere (deny_info); a browser heeds that of no CONNECT. */
static bool
is_redirect(uint16_t status)
{
	return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

/* TCP_DENIED with another status than these is a request that no rule refused, but for Squid's own tunnels, which it denies after they were opened. */
static bool
squid_outcome(const struct log_entry *e, const struct asked *a, struct outcome *out)
{
	static const struct span denied = SPAN("TCP_DENIED"), redirect = SPAN("TCP_REDIRECT");

	if (e->result.n >= denied.n && memcmp(e->result.p, denied.p, denied.n) == 0) {
		out->fate = is_redirect(e->status) && !a->connect ? FATE_REDIRECT : FATE_DENY;
		if (e->status == 200 && a->connect)
			*out = (struct outcome){.fate = FATE_UNTOLD, .untold = UNTOLD_END};
		return e->status == 403 || is_redirect(e->status) || out->fate == FATE_UNTOLD;
	}
	out->fate = span_eq(e->result, redirect) ? FATE_REDIRECT : FATE_LET;
	return true;
}

bool
logged_outcome(const struct log_entry *e, const struct asked *a, struct outcome *out)
{
	*out = (struct outcome){0};
	if (e->is_first_leg) {
		out->fate = FATE_CHALLENGE;
		return true;
	}
	return e->kind == LOG_KIND_JSON ? json_outcome(e, a, out) : squid_outcome(e, a, out);
}

bool
outcome_same(const struct outcome *from, const struct outcome *to)
{
	return from->fate == to->fate || (from->fate == FATE_LET && (to->fate == FATE_BYPASS || to->fate == FATE_TUNNEL || to->fate == FATE_INSPECT));
}
