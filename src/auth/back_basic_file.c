/* SPDX-License-Identifier: MIT */
/*
 * back_basic_file: Basic by a file of crypt(3) hashes: bcrypt, yescrypt, SHA-512 and SHA-256.
 * A line that is not taken (a weak hash, no hash) keeps that one user out and is said in the operations log; the others are let in as before. So one
 * line of many years ago does not lock a whole site out at the upgrade.
 * A file of bad lines alone is refused, and the one before stays in use.
 * Always true: an unknown user costs the check of a hash such as the file's first one.
 */
#include <crypt.h>
#include <nettle/memops.h>
#include <stdio.h>
#include <stdlib.h>

#include "auth/back_ops.h"
#include "auth/user_file.h"
#include "base/log.h"

#define THREADS   4u
#define SAID_MOST 20u /* bad lines that are logged one by one */

struct back {
	struct user_file  file;
	struct crypt_data work[THREADS]; /* 32 KiB each */
	const char       *decoy;         /* the hash that unknown users are checked against; null: nobody is in the file */
};

struct saying {
	unsigned n;
	char     first[BACK_WHY_MAX - 64]; /* what is wrong with the first of them */
};

static void
on_bad_line(void *arg, uint32_t line, const char *what)
{
	struct saying *s = arg;

	if (s->n == 0)
		snprintf(s->first, sizeof s->first, "line %u: %s", line, what);
	if (s->n++ < SAID_MOST)
		log_warn("basic-file, line %u: %s", line, what);
}

/* It looks as if somebody were writing it, or as if it were another file altogether. One of comments alone is meant: nobody is in it. */
static bool
file_is_bad(const struct user_file *f, const struct saying *s, char why[BACK_WHY_MAX])
{
	if (f->n == 0)
		snprintf(why, BACK_WHY_MAX, "is empty; a file that lets nobody in has a line that begins with #");
	else if (f->n_rows == 0 && s->n == 1)
		snprintf(why, BACK_WHY_MAX, "%s", s->first);
	else if (f->n_rows == 0 && s->n > 1)
		snprintf(why, BACK_WHY_MAX, "none of its %u lines can be taken, the first being %s", s->n, s->first);
	else
		return false;
	return true;
}

static void
close_file(struct back *b)
{
	if (!b)
		return;
	user_file_clear(&b->file);
	explicit_bzero(b, sizeof *b);
	free(b);
}

static struct back *
open_file(const struct snapshot *snap, int fd, char why[BACK_WHY_MAX])
{
	struct back  *b = calloc(1, sizeof *b);
	struct saying s = {0};
	uint32_t      first = UINT32_MAX;

	(void)snap;
	if (!b) {
		snprintf(why, BACK_WHY_MAX, "there is no memory for it");
		return NULL;
	}
	if (!user_file_read(&b->file, USER_FILE_BASIC, fd, on_bad_line, &s, why)) {
		free(b);
		return NULL;
	}
	if (file_is_bad(&b->file, &s, why)) {
		close_file(b);
		return NULL;
	}
	if (s.n > SAID_MOST)
		log_warn("basic-file: %u more such lines; `postern check` names them all", s.n - SAID_MOST);
	for (size_t i = 0; i < b->file.n_rows; i++)
		if (b->file.row[i].line < first) {
			first = b->file.row[i].line;
			b->decoy = b->file.row[i].hash.p;
		}
	return b;
}

/* Does crypt(3) make `hash` of the password? `password` ends by a NUL. */
static bool
hash_holds(struct crypt_data *work, const char *password, const char *hash)
{
	const char *made = crypt_rn(password, hash, work, sizeof *work);
	size_t      n = strlen(hash);
	bool        same = made && strlen(made) == n && nettle_memeql_sec(made, hash, n);

	explicit_bzero(work, sizeof *work);
	return same;
}

static void
check(struct back *b, unsigned thread, const struct ask *ask, struct answer *out)
{
	char                   password[CRYPT_MAX_PASSPHRASE_SIZE];
	struct span            user = ask->part[0], given = ask->part[1];
	const struct user_row *row;
	bool                   holds;

	if (ask->op != ASK_BASIC) {
		out->result = ASK_UNAVAILABLE;
		answer_detail(out, "basic-file answers Basic alone");
		return;
	}
	out->result = ASK_REFUSED;
	answer_name(out->account, user);
	if (given.n >= sizeof password || (given.n > 0 && memchr(given.p, '\0', given.n))) {
		answer_detail(out, "a password of more than %zu bytes, or with a NUL in it", sizeof password - 1);
		return;
	}
	if (given.n > 0)
		memcpy(password, given.p, given.n);
	password[given.n] = '\0';
	row = user_file_find(&b->file, SPAN(""), user);
	holds = (row || b->decoy) && hash_holds(&b->work[thread], password, row ? row->hash.p : b->decoy);
	explicit_bzero(password, sizeof password);
	if (!row || !holds) {
		answer_detail(out, "%s", row ? "wrong password" : "unknown user");
		return;
	}
	answer_name(out->account, row->user);
	out->result = ASK_OK;
}

static void
describe(struct back *b, void (*say)(void *arg, bool fault, const char *line), void *arg)
{
	char text[96];

	snprintf(text, sizeof text, "%zu user%s who can log on", b->file.n_rows, b->file.n_rows == 1 ? "" : "s");
	say(arg, b->file.n_rows == 0, text);
}

const struct back_ops back_basic_file_ops = {
	.word = "basic-file",
	.threads = THREADS,
	.may_repeat = true,
	.open = open_file,
	.close = close_file,
	.check = check,
	.describe = describe,
};
