/* SPDX-License-Identifier: MIT */
/*
 * back: what a back end is to its process. May block; runs in an auth process (or in `postern auth test`), never in a worker.
 */
#ifndef POSTERN_AUTH_BACK_H
#define POSTERN_AUTH_BACK_H

#include <stdbool.h>
#include <stdint.h>

#include "auth/ask.h"
#include "ipc/names.h"
#include "policy/snapshot.h"

struct back; /* one opened back end */

#define BACK_WHY_MAX 256

/* How one kind behaves. The table is back_ops. */
struct back_ops {
	const char *word;    /* "ntlm-file", "basic-file", "kerberos", "winbind", "ldap", "pam", "initiator" */
	unsigned    threads; /* that call check at once; 0: a check takes microseconds and is made in the process's own thread */
	bool        may_repeat; /* asking the same again after the process died harms nobody (Kerberos: the replay cache would refuse it) */
	bool        lingers;    /* has threads of its own, who may be inside a library when the process ends: nothing is cleaned up then */
	bool        counts;     /* failed log-ons may lock an account: they are counted (max-failures) before the back end is asked */
	/* Before privileges go: load libraries. False: why. */
	bool (*load)(char why[BACK_WHY_MAX]);
	/* `fd`: its file (already open, read from the start; not closed), or -1. NULL: why is filled, one sentence for the operations log. */
	struct back *(*open)(const struct snapshot *snap, int fd, char why[BACK_WHY_MAX]);
	void (*close)(struct back *b);
	/* `thread` counts from 0 to threads - 1 (0 when threads is 0): each calls one at a time. `out` comes cleared; always set out->result. */
	void (*check)(struct back *b, unsigned thread, const struct ask *ask, struct answer *out);
	/* Is the back end there? Quick when it is; may block. NULL: always. Thread 0's. */
	bool (*ping)(struct back *b, unsigned thread, char why[BACK_WHY_MAX]);
	/* The names that an NTLM challenge tells, once they are known. May block; thread 0's. NULL: none of its own. */
	bool (*names)(struct back *b, struct ntlm_names *out);
	/* For `postern auth test`: what it found, one line a call; `fault`: something that should be put right. NULL: nothing to tell. */
	void (*describe)(struct back *b, void (*say)(void *arg, bool fault, const char *line), void *arg);
};

/* NULL: not built in. */
const struct back_ops *back_ops(enum back_kind kind);
const char            *back_word(enum back_kind kind);

/* Key files: NULL when it may be used; else why not (others can read or write it, not a plain file, too large), for "FILE: %s". */
#define BACK_FILE_MOST (64u << 20)
const char *back_file_fault(enum back_kind kind, int fd);

#endif
