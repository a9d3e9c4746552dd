/* SPDX-License-Identifier: MIT */
/*
 * desk: a worker's errands to the auth processes. Sends, waits by a deadline, never blocks.
 * Always true: each job's callback comes exactly once, or never after a cancel; a process that is down, full or silent gives ASK_UNAVAILABLE; one that
 * has let three asks in a row run out of time without a word gives it at once, but for one ask a second that tries, until it says something or is replaced.
 */
#ifndef POSTERN_AUTH_DESK_H
#define POSTERN_AUTH_DESK_H

#include "auth/ask.h"
#include "net/loop.h"

struct desk;
struct desk_job;

#define DESK_JOBS_MAX 8192u /* of one worker under way; more: ASK_UNAVAILABLE at once */

struct desk *desk_new(struct loop *loop);
void         desk_free(struct desk *d); /* jobs under way are forgotten, without callbacks */
/* The way to the process of this kind: a SEQPACKET socket, owned from here on; replaces the one before, whose jobs are asked again when that
 * harms nobody, else answered ASK_UNAVAILABLE. -1: there is none any more. */
void desk_connect(struct desk *d, enum back_kind kind, int fd);

/* `done` is called from the loop, never from within desk_ask; `answer` lives until it returns. The ask's parts are copied. NULL: no memory, or too
 * many under way (then done is not called). While the process restarts the job waits, for at most timeout_ms of the ask. */
typedef void (*desk_done)(void *arg, const struct answer *answer);
struct desk_job *desk_ask(struct desk *d, enum back_kind kind, const struct ask *ask, desk_done done, void *arg);
void             desk_cancel(struct desk_job *job);

#endif
