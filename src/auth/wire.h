/* SPDX-License-Identifier: MIT */
/*
 * wire: asks and answers as packets between a worker and an auth process (SOCK_SEQPACKET, one packet each). Neither side trusts lengths.
 */
#ifndef POSTERN_AUTH_WIRE_H
#define POSTERN_AUTH_WIRE_H

#include "auth/ask.h"

/* Most bytes of a packet: the largest ask (an NTLM exchange, or a token of ASK_TOKEN_MAX) and the largest answer fit. */
#define WIRE_MAX (160u << 10)

/* Write into `to` (room bytes); returns the length, 0: does not fit. `id` comes back with the answer. */
size_t wire_put_ask(void *to, size_t room, uint64_t id, const struct ask *a);
size_t wire_put_answer(void *to, size_t room, uint64_t id, const struct answer *a);
/* False: damaged; `out` is not to be used. Spans of an ask point into `from`. */
bool wire_get_ask(const void *from, size_t n, uint64_t *id, struct ask *out);
/* When the asker stops waiting, on the monotonic clock of the machine, so that time spent in a queue of the kernel counts too: written into a packet
 * that wire_put_ask made, read from one that wire_get_ask took. 0: by the timeout alone. */
void     wire_set_deadline(void *ask, uint64_t deadline_us);
uint64_t wire_deadline(const void *ask);
/* Allocates; free with answer_clear (also after false). */
bool wire_get_answer(const void *from, size_t n, uint64_t *id, struct answer *out);

#endif
