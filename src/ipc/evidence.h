/* SPDX-License-Identifier: MIT */
/*
 * evidence: hosts that somebody could not use because of what this gateway does: clients that refuse the inspection certificate, servers that demand a
 * certificate of the client, and machines that get a 407 again and again because they cannot log on. Found in what access logs know of each request; whoever
 * reads records or logs hands everything in, here is decided what of it counts. Suggests nothing itself.
 * Bounded: EVIDENCE_HOSTS, EVIDENCE_WHO of each; what was not seen for longest is forgotten first.
 * One process writes the table in shared memory, others read, without a lock. It outlives the writer, whose successor goes on with it.
 */
#ifndef POSTERN_IPC_EVIDENCE_H
#define POSTERN_IPC_EVIDENCE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/fault.h"
#include "base/span.h"

#define EVIDENCE_HOSTS   256u
#define EVIDENCE_WHO     8u
#define EVIDENCE_AGENTS  4u
#define EVIDENCE_DETAILS 3u
#define EVIDENCE_AGENT_MAX  128u /* with the NUL; what is longer is cut */
#define EVIDENCE_DETAIL_MAX 128u
/* So many refused log-ons of one client, host and user agent, none of which ended well, within that time make a loop. */
#define EVIDENCE_LOOP_TIMES 10u
#define EVIDENCE_LOOP_US    UINT64_C(3600000000) /* services that cannot get through come back every few minutes */

/* How tls_detail of a request begins whose server had wanted a certificate, went on without, and then refused. */
#define EVIDENCE_WANTED "the server had asked for a certificate of the client"

enum evidence_kind {
	EVIDENCE_NONE,     /* an empty row */
	EVIDENCE_REJECTED, /* clients do not accept our certificate */
	EVIDENCE_WANTS,    /* the server demands a certificate of the client */
	EVIDENCE_LOOP,     /* 407 after 407 */
	EVIDENCE_KINDS
};

/* One client with one user agent. */
struct evidence_who {
	struct addr client;
	uint32_t    agent; /* its number; EVIDENCE_AGENTS: one for which there was no room */
	uint32_t    pad;
	uint64_t    count;
};

/* All numbers in 64 bits: it is copied by words. Texts have their NUL and are as they came from outside. */
struct evidence_row {
	uint64_t            kind, port, https; /* enum evidence_kind; https: a CONNECT, or inside one */
	uint64_t            count, first_us, last_us; /* UNIX time */
	uint64_t            n_who, n_agents, n_details;
	uint64_t            more; /* of count: those for whom there was no room in `who` */
	struct evidence_who who[EVIDENCE_WHO];
	char                agent[EVIDENCE_AGENTS][EVIDENCE_AGENT_MAX];
	char                detail[EVIDENCE_DETAILS][EVIDENCE_DETAIL_MAX];
	char                host[256];
};

struct shared_evidence {
	_Atomic uint64_t hosts[EVIDENCE_KINDS]; /* rows of each kind now */
	_Atomic uint64_t times[EVIDENCE_KINDS]; /* what was counted in them, ever */
	struct {
		_Atomic uint32_t    number; /* latest.h */
		uint32_t            pad;
		struct evidence_row row;
	} slot[EVIDENCE_HOSTS];
};

/* What is known of one request that has ended. Spans are read, not kept. */
struct evidence_event {
	struct span host, agent, detail; /* detail: tls_detail */
	struct addr client;
	uint64_t    when_us; /* UNIX time */
	uint16_t    port, status; /* 0: none */
	enum fault  fault;
	bool        https, is_connect, is_decided; /* is_decided: some rule gave an action */
};

struct evidence;

/* `key`: secret, so that nobody can choose what is slow to find or pushes others out. `to`: where it is published, and what it begins with; null: nowhere. NULL: no memory. */
struct evidence *evidence_new(uint64_t key, struct shared_evidence *to);
void             evidence_free(struct evidence *e);
void             evidence_note(struct evidence *e, const struct evidence_event *ev);
/* The rows that are in use, at most EVIDENCE_HOSTS; they live until the next note. Returns how many. */
size_t           evidence_rows(const struct evidence *e, const struct evidence_row *out[EVIDENCE_HOSTS]);

/* False: nothing is there. What is read is bounded and its texts have their NUL. */
bool evidence_read(const struct shared_evidence *s, uint32_t slot, struct evidence_row *out);
/* "client-rejected-certificate", "origin-wants-certificate", "407-loop". */
const char *evidence_word(enum evidence_kind k);

#endif
