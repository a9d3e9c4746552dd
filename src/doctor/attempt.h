/* SPDX-License-Identifier: MIT */
/*
 * attempt: one target tried by one way: look-up, TCP, perhaps a proxy, TLS, an HTTP answer; each step with a deadline.
 * Always true: once attempt_start was called its `done` comes once, from a later turn of the loop, unless it is cleared first.
 */
#ifndef POSTERN_DOCTOR_ATTEMPT_H
#define POSTERN_DOCTOR_ATTEMPT_H

#include "doctor/chain.h"
#include "doctor/cord.h"
#include "net/dial.h"
#include "net/resolve.h"
#include "net/resolve_channel.h"

/* What all attempts of a run share; owned by doctor. */
struct run {
	struct loop                  *loop;
	const struct doctor_settings *set;
	struct resolver              *resolver;
	struct upstream              *upstream; /* for where CNAMEs lead to, which the resolver does not tell */
	SSL_CTX                      *tls;
	struct chain_ground          *ground;
};

struct attempt {
	const struct run           *run;
	const struct doctor_target *target;
	const struct doctor_proxy  *proxy; /* null: directly */
	void (*done)(struct attempt *a);
	void              *owner;
	struct doctor_row  row;
	struct host        host;    /* of the target */
	struct timer       timer;
	struct watch       watch;
	uint64_t           since_us; /* this step began */
	struct resolve_job *job;
	struct question    question;
	bool               asking;  /* the question is under way */
	bool               looked_up, shaking_proxy, is_over;
	enum fault         dns_fault;
	unsigned           n_addrs;
	struct addr        addr[DIAL_ADDRS_MAX];
	struct dial       *dial;
	struct cord        cord;
	char              *buf;     /* owned while a request or its answer is under way: `room` bytes, TALK_ANSWER_MOST at least */
	size_t             room;
	size_t             n_out, at_out, n_in, seen;
	char               chain_end[DNS_NAME_TEXT];
};

/* `row` has its target and way by now. `proxy` null: directly. */
void attempt_start(struct attempt *a, const struct run *run, const struct doctor_target *target, const struct doctor_proxy *proxy);
void attempt_clear(struct attempt *a);

#endif
