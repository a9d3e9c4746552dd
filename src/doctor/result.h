/* SPDX-License-Identifier: MIT */
/*
 * result: what the doctor tests and what it found, as plain values of fixed size: they travel between processes and stand in shared memory as they are.
 * Texts have their NUL and are cut to their room; what came from outside is as it came: whoever shows it escapes it.
 */
#ifndef POSTERN_DOCTOR_RESULT_H
#define POSTERN_DOCTOR_RESULT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"

#define DOCTOR_TARGETS_MAX 512u /* of the process; the command has more room */
#define DOCTOR_PARENTS_MAX 8u   /* that are tried, each a way of its own */
#define DOCTOR_LANES_MAX   (DOCTOR_PARENTS_MAX + 2u)
#define DOCTOR_PARENT_NAME 72u  /* with its NUL */

/* Which way a target is tried. */
enum doctor_way { DOCTOR_DIRECT, DOCTOR_PARENT, DOCTOR_GATEWAY, DOCTOR_WAYS };
/* How far one try came. */
enum doctor_step { DOCTOR_STEP_NONE, DOCTOR_STEP_DNS, DOCTOR_STEP_TCP, DOCTOR_STEP_PROXY, DOCTOR_STEP_TLS, DOCTOR_STEP_HTTP, DOCTOR_STEP_DONE };

/* What was wrong: word, what to do about it, which side it is on: doctor/advice. */
enum doctor_fault {
	DOCTOR_OK,
	DOCTOR_NOT_TRIED,      /* that way is not configured, or the target is a wildcard without known hosts */
	DOCTOR_NO_SUCH_NAME,   /* NXDOMAIN, or no address */
	DOCTOR_DNS_FAILED,     /* SERVFAIL, timeout, nobody answers */
	DOCTOR_PRIVATE_ADDRESS, /* a resolver or hosts file that answers with its own */
	DOCTOR_REFUSED,        /* TCP */
	DOCTOR_UNREACHABLE,
	DOCTOR_TIMEOUT,        /* TCP: nothing comes back */
	DOCTOR_RESET,          /* in TCP, or in the TLS handshake: a firewall that reads names */
	DOCTOR_PROXY_DOWN,     /* parent or gateway cannot be reached */
	DOCTOR_PROXY_AUTH,     /* 407 */
	DOCTOR_NO_TICKET,      /* a parent wants Negotiate, and there is no ticket for it */
	DOCTOR_PROXY_REFUSED,  /* another status to CONNECT; 403 */
	DOCTOR_PROXY_FAILED,   /* 5xx to CONNECT, or no answer */
	DOCTOR_NOT_TLS,        /* something else answers */
	DOCTOR_TLS_FAILED,     /* alert, no version or suite in common */
	DOCTOR_OWN_CA,         /* the chain ends at the inspection CA of this gateway */
	DOCTOR_INTERCEPTED,    /* an issuer that neither Microsoft nor the authorities that it uses are, and no public root */
	DOCTOR_UNTRUSTED,      /* chain to no root of the system, for another reason (intermediate missing) */
	DOCTOR_OTHER_ISSUER,   /* a public root, but not one that is expected */
	DOCTOR_WRONG_NAME,
	DOCTOR_EXPIRED,        /* or not valid yet */
	DOCTOR_OTHER_LEAF,     /* by gateway or parent not the certificate that is there directly */
	DOCTOR_HTTP_FAILED,    /* no HTTP answer */
	DOCTOR_SLOW,           /* all is well, and it took longer than half the timeout */
	DOCTOR_FAULTS
};

/* What is to be tried. */
struct doctor_target {
	char     host[256];
	char     pattern[256]; /* the list entry that it stands for: itself, or the wildcard */
	char     list[72], where[160]; /* "FILE:LINE" of the entry */
	uint16_t port;
	uint8_t  scheme; /* enum url_scheme */
	bool     no_probe; /* a wildcard without known hosts: only said, host is "" */
	bool     by_parent; /* every rule sends it through parents: how it is directly does not count */
	uint16_t parents;  /* those that a rule may send it through: a bit for each of the settings' */
};

/* One target by one way. */
struct doctor_row {
	uint32_t    target; /* its number */
	uint8_t     way, step, fault; /* fault: the worst thing that was found; enums above */
	uint8_t     parent; /* way is DOCTOR_PARENT: which of the settings' */
	uint8_t     addresses; /* that the name has, UINT8_MAX: or more; of the proxy where that is by name */
	uint8_t     tls;    /* 0; 2: TLS 1.2; 3: TLS 1.3 */
	bool        has_address;
	struct addr address;
	uint16_t    status; /* HTTP status of the server; of the proxy where that refused; 0 none */
	uint32_t    dns_ms, tcp_ms, proxy_ms, tls_ms, http_ms; /* UINT32_MAX: not come to */
	int64_t     not_after; /* of the leaf, UNIX time; 0: none seen */
	uint8_t     leaf_sha256[32]; /* zero: none seen */
	char        issuer[128], root[128]; /* "CN, O" of who issued the leaf, and of the last certificate of the chain */
	char        cname[256];  /* where the chain of CNAMEs ends; "": there is none */
	char        detail[200]; /* for people, what exactly */
};

const char *doctor_fault_word(enum doctor_fault f); /* "dns-no-such-name" ...: in JSON, metrics and log */
const char *doctor_way_word(enum doctor_way w);     /* "direct", "parent", "gateway" */
const char *doctor_step_word(enum doctor_step s);
/* Does this need somebody to act? OK, NOT_TRIED and SLOW do not. */
bool        doctor_is_bad(enum doctor_fault f);
/* Does this row of `t` speak against the endpoint? Where parents carry its traffic, that it cannot be reached directly does not. */
bool        doctor_counts(const struct doctor_row *r, const struct doctor_target *t);
/* Ways in the order in which they are shown: directly, each parent, the gateway. */
unsigned    doctor_lane(const struct doctor_row *r, unsigned n_parents);
enum doctor_way doctor_lane_way(unsigned lane, unsigned n_parents);
/* Is this way one of the target's? Others are neither tried nor shown. */
bool        doctor_lane_is_of(unsigned lane, unsigned n_parents, const struct doctor_target *t);

#endif
