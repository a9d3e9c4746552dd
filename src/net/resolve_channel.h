/* SPDX-License-Identifier: MIT */
/*
 * resolve_channel: puts single questions to DNS servers, by c-ares, on the event loop.
 * c-ares brings tries and several servers; sockets are resolve_ares', ids are drawn here. No search list, no cache.
 * What a server does to one question must cost no other its answer: an answer too long for UDP is fetched by TCP on a channel of its own, a server that
 * is not there is asked again for a second, and EDNS is given up for one question only.
 */
#ifndef POSTERN_NET_RESOLVE_CHANNEL_H
#define POSTERN_NET_RESOLVE_CHANNEL_H

#include <stdint.h>
#include <sys/queue.h>

#include "base/fault.h"
#include "net/loop.h"
#include "net/resolve_answer.h"
#include "net/resolve_conf.h"

struct upstream;
struct channel;

/* One question; embedded in its owner, who keeps it until the answer has come. */
struct question {
	void (*fn)(struct question *q, enum fault fault);
	const char       *name; /* borrowed until the answer */
	unsigned          type;
	TAILQ_ENTRY(question) link; /* while it waits to be asked again */
	struct upstream  *upstream;
	struct channel   *channel;   /* that asks now */
	uint16_t          id;
	uint8_t           again;     /* how often it was asked again since no server was there */
	bool              plain;     /* asked without EDNS */
	bool              by_stream; /* the answer was too long for UDP: asked by TCP */
	enum fault        at_hand;   /* then: what came by UDP */
	struct dns_answer answer;
	char             *chain_end; /* null: nobody wants to know; DNS_NAME_TEXT bytes that get where CNAMEs lead to */
};

/* Servers and how to ask them. Counted. `settle` comes after each round in which answers may have come, as the last thing that the round
 * does, so that it may drop the last reference. A whole question takes about timeout_ms at most. Null: out of memory. */
struct upstream *upstream_new(struct loop *l, const struct resolv_conf *c, uint64_t timeout_ms, void (*settle)(void *arg), void *arg);
struct upstream *upstream_ref(struct upstream *u);
/* The last one lets all questions fall: their fn does not come any more, and is not called here. Not from within a question's fn. */
void                      upstream_unref(struct upstream *u);
const struct resolv_conf *upstream_conf(const struct upstream *u);

/* Ask q->name for q->type; q->fn comes once, possibly from inside this call. FAULT_NONE: q->answer is filled (it may hold no address);
 * else FAULT_DNS_NXDOMAIN, FAULT_DNS_TIMEOUT, FAULT_DNS_REFUSED, FAULT_DNS_UNREACHABLE, FAULT_DNS_ERROR or FAULT_NO_MEMORY. Not from within a question's fn. */
void question_ask(struct upstream *u, struct question *q);

#endif
