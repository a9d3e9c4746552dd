/* SPDX-License-Identifier: MIT */
/*
 * resolve_ares: channels of c-ares, their sockets on the event loop. For resolve_channel alone.
 * c-ares reads no file: all that it would look up in files is given to it. Only when a channel is made does it try to open /dev/urandom,
 * for ids that are not used; a sandbox may refuse that.
 *
 * An error on one socket costs all questions that c-ares has under way with that server one of their tries, those by UDP too, and a question that fails
 * by TCP causes several: so c-ares never goes from UDP to TCP by itself, and what is asked by TCP has a channel of its own. Nor is c-ares told of
 * EDNS, which one answer would make it forget for all.
 */
#ifndef POSTERN_NET_RESOLVE_ARES_H
#define POSTERN_NET_RESOLVE_ARES_H

#include <ares.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "net/loop.h"
#include "net/resolve_answer.h"
#include "net/resolve_conf.h"

#define PACKET_MOST 4096u /* c-ares reads one byte more of a datagram: what fills that was cut off */

struct dns_socket;

/* What the channels of one upstream share. */
struct channel_env {
	struct loop       *loop;
	struct resolv_conf conf;
	unsigned           try_ms; /* of the first try at one server; c-ares doubles it in each round */
	void (*settle)(void *arg); /* answers may have come */
	void *arg;
};

TAILQ_HEAD(channel_list, channel);

struct channels {
	struct channel_list list;
	unsigned            n;
};

struct channel {
	TAILQ_ENTRY(channel) link;
	struct channels          *among;
	const struct channel_env *env;
	ares_channel              ares;
	unsigned                  sent; /* since it became the current one */
	unsigned                  pending;
	const uint8_t            *packet; /* the datagram that c-ares is looking at, whole: it hands on at most 512 bytes, or says only that all refused */
	size_t                    packet_n;
	unsigned                  packets_left;
	bool                      is_down; /* a call on a socket failed, and nothing came since */
	LIST_HEAD(, dns_socket) sockets;
};

/* Put at the end of `among`. Null: out of memory. */
struct channel *channel_new(const struct channel_env *env, struct channels *among, bool by_tcp);
void            channel_free(struct channel *ch); /* its questions end with ARES_EDESTRUCTION */
void            channels_free(struct channels *c);
/* Let c-ares see its timeouts, and watch what could not be watched. */
void channels_tick(struct channels *c);
/* What the datagram that c-ares is looking at says, when it answers the question of that id; DNS_RCODE_OK: nothing. c-ares keeps some refusals to
 * itself. */
unsigned channel_rcode(const struct channel *ch, uint16_t id);

#endif
