/* SPDX-License-Identifier: MIT */
/*
 * sandbox: what a child gives up before it meets the outside: its user, new privileges, core dumps, most system calls.
 */
#ifndef POSTERN_PROC_SANDBOX_H
#define POSTERN_PROC_SANDBOX_H

#include <stdbool.h>
#include <sys/types.h>

enum role {
	ROLE_WORKER,
	ROLE_LOGGER,
	ROLE_SIGNER,
	ROLE_AUTH,
	ROLE_ADMIN,
	ROLE_DOCTOR,
	ROLE_SIGNER_OPEN, /* its key is in a token, whose library opens who knows what: no new privileges, no dumps, and no filter */
	ROLE_AUTH_OPEN, /* PAM: its set-uid helper needs new privileges, its modules who knows which calls; no dumps is all that is left */
};

/* Become uid:gid with no other groups, for good. Said in the operations log when it fails. */
bool sandbox_drop_user(uid_t uid, gid_t gid);
/* The same, keeping these groups. */
bool sandbox_drop_user_but(uid_t uid, gid_t gid, const gid_t *groups, size_t n);
/* The groups that the administrator gave that user, at most GROUPS_MAX. Asks the machine's directory, which may take its time. */
#define GROUPS_MAX 64
size_t sandbox_groups(uid_t uid, gid_t group[GROUPS_MAX]);
/* No new privileges, no dumps, then the filter of this role. `jit`: executable memory may be made (regexes). A build with sanitizers has no filter. */
bool sandbox_enter(enum role role, bool jit);

#endif
