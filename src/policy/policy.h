/* SPDX-License-Identifier: MIT */
/*
 * policy: facts in, verdict out. The one engine that live traffic, explain, check and replay ask.
 * A function: no I/O, no clock, no allocation after policy_open. Says NEED_x when a rule cannot be judged without a fact that the caller has not
 * given; the caller fetches it and asks again.
 */
#ifndef POSTERN_POLICY_POLICY_H
#define POSTERN_POLICY_POLICY_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/addr.h"
#include "base/span.h"
#include "conf/conf.h"
#include "match/host_set.h"
#include "parse/authority.h"
#include "parse/head.h"

struct policy; /* an opened block; one for each process and snapshot */

#define RULE_NONE UINT32_MAX

/* Bits of facts.known beyond those that are always there. */
#define FACT_ADDRESS (1u << 0) /* one resolved address of the target */
#define FACT_USER    (1u << 1) /* who asks: user_row */
#define FACT_REQUEST  (1u << 2) /* url and head: a request that can be read, so no CONNECT. Never asked for: without it url, headers and content-types do not hold */
#define FACT_RESPONSE (1u << 3) /* response_type */
#define FACT_ORIGIN   (1u << 4) /* origin_tls, origin_strength: inside an inspected tunnel. Never asked for; without it origin-tls and origin-strength do not hold */

/* Who asks, as authentication found out. Texts are UTF-8; rules compare them without regard to case, as directories do. */
struct who {
	struct span        account; /* "alice", "WS01$" */
	struct span        domain;  /* NetBIOS, "CORP"; "": none, or not known */
	struct span        realm;   /* "CORP.EXAMPLE"; "": likewise */
	const struct span *group;   /* SIDs "S-1-5-21-..." and names "CORP\\Proxy Users" */
	size_t             n_groups;
};

struct facts {
	/* always there */
	const struct host *host;
	uint16_t           port;
	enum url_scheme    scheme; /* CONNECT counts as https */
	struct span        method; /* as sent; methods are case-sensitive */
	struct addr        client;
	uint16_t           listener; /* index in the snapshot */
	uint32_t           week_minute; /* local time: minutes since Monday 00:00; policy_week_minute */
	/* asked for when a rule needs them */
	uint32_t        known;
	struct addr     address;
	const uint64_t *user_row; /* of policy_user_row, for this policy; borrowed */
	bool            bare;     /* FACT_USER is not known, and the request came without credentials: `nobody` holds */
	struct span     url;      /* normalised (url_normalise): scheme://host[:port]/path[?query] */
	const struct head *head;  /* the request's fields; borrowed */
	struct span     response_type; /* the response's Content-Type as it stands; "" none */
	uint16_t        origin_tls, origin_strength; /* 0x0303 ...; bits */
	const struct who *who;    /* with FACT_USER, for explanations only: tells users from groups where not both hold; may be null */
};

/* UNDECIDED: the verdict hangs on a regex that hit its limit, so the request must be refused. */
enum policy_answer { POLICY_VERDICT, POLICY_NEED_ADDRESS, POLICY_NEED_USER, POLICY_NEED_RESPONSE, POLICY_UNDECIDED };

#define VERDICT_REPORTS 8

/* What a verdict's place is the number of: a known name, asked for itself or with labels before it; a glob or regex; a piece of the address space. */
enum place_kind { PLACE_WHOLE, PLACE_BELOW, PLACE_LOOSE, PLACE_STRETCH };

struct verdict {
	uint32_t        rule; /* RULE_NONE: no rule held: deny */
	enum action     action;
	enum guard_mode guard;
	enum auth_mode  auth; /* settled: REQUIRED or NONE */
	uint32_t        reported[VERDICT_REPORTS]; /* rules with report = yes that held, first ones */
	uint32_t        n_reported;
	uint32_t        place;      /* where the host was found when `rule` decided: see policy_hit_key */
	uint8_t         place_kind; /* enum place_kind */
};

/* Is the guard's question of a rule: would host (the SNI) match a host item of rule `rule` for this port? Not when that is not sure. */
bool policy_rule_has_hosts(const struct policy *p, uint32_t rule);
bool policy_rule_host_holds(const struct policy *p, uint32_t rule, const struct host *host, enum url_scheme scheme, uint16_t port);

/* NEED_RESPONSE: a rule with content-types holds or not once the response's type is known (FACT_RESPONSE); every fact that the rules after it
 * need is known by then (they are asked for first, as if it did not hold), so the request may be sent; *v is what they would say. Where each such rule
 * refuses, and so do those after them, nothing is to be sent: that last refusal is the verdict.
 * NEED_USER: a rule cannot be judged, or its action not be taken (auth), without FACT_USER. */
enum policy_answer policy_decide(const struct policy *p, const struct facts *f, struct verdict *v);

/* For each rule a bit: do its users and groups conditions hold for this person? Computed once for each person and snapshot, kept by the caller. */
size_t policy_row_words(const struct policy *p);
void   policy_user_row(const struct policy *p, const struct who *who, uint64_t *row);

/* May some rule look at facts.url? Where none does, nobody needs to make it. */
bool policy_wants_url(const struct policy *p);

/* What a rule does to a message that it decided on, beside letting it through. */
struct rule_effects {
	struct span redirect;                        /* "": none; else the answer is a redirection to this place, nothing is sent on */
	struct span set_request, set_response;       /* whole field lines, each with CRLF; they replace fields of the same name */
	struct span remove_request, remove_response; /* names in lower case, each followed by a comma */
};
/* False: none of these. */
bool policy_rule_effects(const struct policy *p, uint32_t rule, struct rule_effects *out);
/* How a rule's tunnels are inspected: the rule's own answers, else those of [inspection]. */
struct rule_inspection {
	uint8_t bad_origin[CERT_KINDS]; /* enum bad_origin */
	uint8_t unknown_alpn;           /* enum odd_answer, settled */
};
void policy_rule_inspection(const struct policy *p, uint32_t rule, struct rule_inspection *out);

/* How what a rule lets through goes out, and how much of it may. */
#define WAY_PARENTS 8u
struct rule_way {
	uint16_t    parent[WAY_PARENTS]; /* indexes in the snapshot's parents, in the order of the rule; [gateway]'s where the rule names none */
	uint8_t     n_parents;           /* 0: to the origin itself */
	bool        original;            /* transparent: to the address that the client meant */
	bool        has_source[2];       /* IPv4, IPv6 */
	struct addr source[2];
	uint64_t    bandwidth, bandwidth_per_client; /* bytes a second; 0: no limit of the rule's own */
	uint32_t    max_connections;     /* 0: none */
	uint32_t    slot;                /* it counts under this number, which it keeps over reloads (proc gives it out; ipc/slots) */
};
/* Of the snapshot; for RULE_NONE: straight to the origin, without limits, slot 0. */
const struct rule_way *policy_rule_way(const struct policy *p, uint32_t rule);

uint32_t    policy_rule_count(const struct policy *p);
struct span policy_rule_name(const struct policy *p, uint32_t rule);   /* "-" for RULE_NONE */
struct span policy_rule_reason(const struct policy *p, uint32_t rule); /* "" when none given */
struct span policy_rule_where(const struct policy *p, uint32_t rule);  /* "FILE:LINE" */
/* "FILE:LINE" of the list entry or host item by which `rule` matched, most specific first; "" when the rule has no hosts. Slow: for logs in
 * json and for explanations. Returns the length written (with a NUL beyond). */
size_t policy_entry_where(const struct policy *p, uint32_t rule, const struct host *host, enum url_scheme scheme, uint16_t port, char *buf, size_t n);

/* `block` as policy_compile wrote it at offset `off`. `jit` for regexes. */
struct policy *policy_open(const void *block, size_t size, uint32_t off, bool jit);
/* The same for those who only read: rules by number, their names, ways and places (policy_rule_count, _name, _reason, _where, _way); it decides nothing. */
struct policy *policy_open_names(const void *block, size_t size, uint32_t off);
/* As pattern_set_warm: for those who open without jit, and cannot wait for it. */
bool policy_warm(struct policy *p, uint32_t n);
bool policy_is_warm(const struct policy *p);
void policy_close(struct policy *p);
const struct host_set *policy_hosts(const struct policy *p);

/* --- entries.c: by which entry a rule with hosts decided, for those who count it --- */
/* A number under which a verdict can be counted: the same for all requests that the same entry decided in the same way, of another one never. HIT_NONE: the rule
 * has no hosts. Costs a few instructions. */
#define HIT_NONE UINT64_MAX
uint64_t policy_hit_key(const struct policy *p, const struct verdict *v, enum url_scheme scheme, uint16_t port);

/* An entry of a list, or an item of a rule's own hosts. */
struct policy_entry {
	struct span       owner;  /* name of the list, or of the rule */
	bool              is_list;
	struct host_entry what;
	enum url_scheme   scheme; /* SCHEME_NONE: any */
	uint16_t          port;   /* 0: any */
	uint64_t          id;     /* made of all of these but where it stands: the same after a reload */
};
#define ENTRY_TEXT_MAX 1200
/* Open for this part only: rules by number, and entries. It decides nothing. */
struct policy *policy_open_entries(const void *block, size_t size, uint32_t off);
/* How many keys there may be, reckoned by what is there to be found. */
uint32_t policy_hit_room(const struct policy *p);
/* The entry that policy_entry_where would name. A glob or regex beside `*` in the same list counts with the `*`. False: none, by a negated item, or no key of this policy. */
bool policy_hit_entry(const struct policy *p, uint64_t key, struct policy_entry *e);
/* The next entry by which some rule can decide. False: there are no more. */
bool policy_entry_next(const struct policy *p, struct host_walk *w, struct policy_entry *e);
/* As it would be written in a list; not escaped. Returns buf. */
const char *policy_entry_text(const struct policy_entry *e, char buf[ENTRY_TEXT_MAX]);
/* "FILE:LINE" of a pattern's origin. As policy_entry_where. */
size_t policy_line_print(const struct policy *p, uint32_t line, char *buf, size_t n);

uint32_t policy_week_minute(uint64_t real_us);

/* --- trace: why. The same rows, read aloud. --- */
enum condition { COND_HOSTS, COND_PORTS, COND_SCHEMES, COND_METHODS, COND_CLIENTS, COND_LISTENERS, COND_ADDRESSES, COND_TIMES, COND_USERS, COND_GROUPS,
	COND_URL, COND_HEADERS, COND_CONTENT_TYPES, COND_ORIGIN_TLS, COND_ORIGIN_STRENGTH, COND_COUNT };
enum trace_state { TRACE_ABSENT, TRACE_HELD, TRACE_FAILED, TRACE_UNKNOWN };
struct trace_rule {
	uint32_t         rule;
	enum action      action;   /* what it says */
	enum trace_state cond[COND_COUNT];
	bool             held;     /* all conditions hold */
	bool             decided;  /* and it decided */
	bool             reported; /* and it only reports */
	bool             needs_address, needs_user, needs_response; /* it decides, or not, once that is known */
	bool             not_asked; /* a rule before it decided, or wants a fact first */
};
/* Calls `each` for every rule in order until one decides (or a fact is missing); answers as policy_decide does, by the same evaluation. */
enum policy_answer policy_trace(const struct policy *p, const struct facts *f, struct verdict *v, void (*each)(void *arg, const struct trace_rule *t), void *arg);
/* The same, and then for those after it (not_asked). */
enum policy_answer policy_trace_all(const struct policy *p, const struct facts *f, struct verdict *v, void (*each)(void *arg, const struct trace_rule *t), void *arg);
/* "FILE:LINE" of the item or list entry by which the hosts, clients, addresses, url, headers or content-types condition of `rule` holds (`against`: by which a '!' made it
 * fail); "" when no entry did, or for other conditions. As policy_entry_where. */
size_t policy_condition_where(const struct policy *p, uint32_t rule, enum condition c, const struct facts *f, bool against, char *buf, size_t n);
const char *condition_name(enum condition c); /* "hosts" ... as in the ini */

#endif
