/* SPDX-License-Identifier: MIT */
/*
 * sandbox: what a child gives up before it meets the outside: its user, new privileges, core dumps, most system calls.
 */
#ifndef POSTERN_PROC_SANDBOX_H
#define POSTERN_PROC_SANDBOX_H

#include <stdbool.h>
#include <sys/types.h>

enum role { ROLE_WORKER, ROLE_LOGGER };

/* Become uid:gid with no other groups, for good. Said in the operations log when it fails. */
bool sandbox_drop_user(uid_t uid, gid_t gid);
/* No new privileges, no dumps, then the filter of this role. `jit`: executable memory may be made (regexes). A build with sanitizers has no filter. */
bool sandbox_enter(enum role role, bool jit);

#endif
