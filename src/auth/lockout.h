/* SPDX-License-Identifier: MIT */
/*
 * lockout: keeps wrong passwords away from the directory, which would lock the account, and slows down who guesses. Counts in shared memory
 * (ipc/failures); used by auth processes, before the back end is asked and after.
 * Counted are user and client together, and the user alone; never a client alone, behind which a whole site may be. A good log-on forgets what user and
 * client have against them, and keeps the user's count: the directory counts by user, and another device with a stale password must not get new
 * tries each time that this one succeeds. A changed file of users forgives what was counted against the one before.
 */
#ifndef POSTERN_AUTH_LOCKOUT_H
#define POSTERN_AUTH_LOCKOUT_H

#include "auth/ask.h"
#include "ipc/shared.h"
#include "policy/snapshot.h"

#define LOCKOUT_REFUSED_S 900u /* how long a Basic password that was wrong is remembered */
#define LOCKOUT_USER_MAX  (2 * ASK_NAME_MAX)

/* Under which keys an ask counts. */
struct lockout {
	bool     counted;  /* it names a user */
	bool     password; /* of Basic: secret is set */
	uint64_t pair, user, secret;
	char     name[LOCKOUT_USER_MAX]; /* as claimed, for the log */
};
void lockout_keys(const struct shared_auth *s, enum back_kind kind, const struct ask *ask, struct lockout *out);

/* What is to become of it now. `under_way_*`: asks with the same keys that the back end has at the moment; any of them may still fail. */
enum lockout_verdict {
	LOCKOUT_ASK,
	LOCKOUT_WAIT,    /* as many are under way as may still fail: when one of them is done, ask again */
	LOCKOUT_LIMITED, /* *retry_after_s is set */
	LOCKOUT_REFUSED, /* this very password was wrong a moment ago */
};
enum lockout_verdict lockout_judge(const struct shared_auth *s, const struct auth_settings *set, const struct lockout *l, unsigned under_way_pair,
    unsigned under_way_user, uint32_t now_s, uint32_t *retry_after_s);

/* How long it is held back first: nothing without failures, then 250 ms, doubling to 2 s. */
uint32_t lockout_delay_ms(const struct shared_auth *s, const struct lockout *l, uint32_t now_s);

/* After the back end has answered. Says once in the operations log that a limit is reached. */
void lockout_note(struct shared_auth *s, const struct auth_settings *set, const struct lockout *l, const struct addr *client, const struct answer *a, uint32_t now_s);

/* A user's name, so that spellings of one count as one (lockout_fold.c): the account without its domain, in small letters without marks. Returns the
 * length. */
size_t lockout_fold(struct span claimed, char *out, size_t room);

/* The clock of failures: seconds, the same for all processes, going on while the machine sleeps. */
uint32_t lockout_now_s(void);

#endif
