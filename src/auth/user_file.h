/* SPDX-License-Identifier: MIT */
/*
 * user_file: a file of users and hashes, read once, kept sorted. Two kinds: NT hashes (ntlm-file) and crypt(3) hashes (basic-file).
 * Lines: USER:HASH; blank ones and those that begin with # are passed over. Of an NTLM file also DOMAIN\USER:HASH and the lines of pwdump
 * (USER:RID:LM:NT:::); names there are compared without case.
 * Every bad line is said, by number and never with the hash. What they mean for the file is its kind's: an NTLM file with a bad line is refused whole (it
 * is made by `postern passwd`, so something is wrong with it); of a Basic file, which may have grown over years, only the line is left out.
 * Always true: what was read is wiped when it is cleared.
 */
#ifndef POSTERN_AUTH_USER_FILE_H
#define POSTERN_AUTH_USER_FILE_H

#include <stdbool.h>
#include <stdint.h>

#include "auth/back.h"
#include "base/span.h"

enum user_file_kind { USER_FILE_NTLM, USER_FILE_BASIC };

struct user_row {
	struct span domain; /* "": none said */
	struct span user;   /* both as the file spells them */
	struct span hash;   /* 32 hex digits, or a crypt(3) string, ended by a NUL */
	uint32_t    line;
};

struct user_file {
	enum user_file_kind kind;
	char               *bytes; /* owned */
	size_t              n;
	struct user_row    *row; /* owned; sorted by name */
	size_t              n_rows;
	size_t              bad; /* lines said */
};

typedef void (*user_file_say)(void *arg, uint32_t line, const char *what);

/* Reads `fd` from the start. `say` hears of every bad line, in order of the file but for users that stand twice, who come last.
 * False: why (unreadable, too large, no memory); nothing is kept then. */
bool user_file_read(struct user_file *f, enum user_file_kind kind, int fd, user_file_say say, void *arg, char why[BACK_WHY_MAX]);
void user_file_clear(struct user_file *f);
/* A row of just this domain ("": one without) and user, or NULL. */
const struct user_row *user_file_find(const struct user_file *f, struct span domain, struct span user);

/* NULL: this crypt(3) string is taken; else what it is and why it is not, for "USER's hash is %s". */
const char *crypt_hash_fault(const char *hash);
/* NULL: good as a user's name in such a file (a domain in front allowed for NTLM); else what is wrong with it. */
const char *user_name_fault(enum user_file_kind kind, struct span name);
/* Do they name the same user? */
bool user_name_same(enum user_file_kind kind, struct span a, struct span b);

#endif
