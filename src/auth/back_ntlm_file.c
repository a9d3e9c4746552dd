/* SPDX-License-Identifier: MIT */
/*
 * back_ntlm_file: NTLMv2 by a file of NT hashes; no domain is needed. What the file may hold is told in user_file.h.
 * Always true: an unknown user costs the same work as a wrong password.
 */
#include <nettle/base16.h>
#include <stdio.h>
#include <stdlib.h>

#include "auth/back_ops.h"
#include "auth/ntlm_back.h"
#include "auth/ntlm_proof.h"
#include "auth/user_file.h"

struct back {
	struct user_file file;
};

/* The first bad line is told; how many more there are follows. */
struct first_bad {
	char    *why;
	unsigned n;
};

static void
on_bad_line(void *arg, uint32_t line, const char *what)
{
	struct first_bad *b = arg;

	if (b->n++ == 0)
		snprintf(b->why, BACK_WHY_MAX, "line %u: %s", line, what);
}

static void
close_file(struct back *b)
{
	if (!b)
		return;
	user_file_clear(&b->file);
	free(b);
}

static struct back *
open_file(const struct snapshot *snap, int fd, char why[BACK_WHY_MAX])
{
	struct back     *b = calloc(1, sizeof *b);
	struct first_bad bad = {.why = why};
	const char      *fault = back_file_fault(BACK_NTLM_FILE, fd);

	(void)snap;
	if (!b || fault) {
		snprintf(why, BACK_WHY_MAX, "%s", fault ? fault : "there is no memory for it");
		free(b);
		return NULL;
	}
	if (!user_file_read(&b->file, USER_FILE_NTLM, fd, on_bad_line, &bad, why) || b->file.bad > 0) {
		close_file(b);
		return NULL;
	}
	return b;
}

/* With the domain that the client says, else without one. */
static const struct user_row *
row_find(const struct user_file *f, const struct ntlm_authenticate *a)
{
	const struct user_row *row = user_file_find(f, span_str(a->domain_utf8), span_str(a->user_utf8));

	return row ? row : user_file_find(f, SPAN(""), span_str(a->user_utf8));
}

static void
check(struct back *b, unsigned thread, const struct ask *ask, struct answer *out)
{
	struct ntlm_authenticate a;
	const struct user_row   *row;
	uint8_t                  challenge[8], hash[16] = {0}, key[16];
	struct base16_decode_ctx hex;
	size_t                   n = sizeof hash;
	bool                     holds;

	(void)thread;
	if (ask->op != ASK_NTLM) {
		out->result = ASK_UNAVAILABLE;
		answer_detail(out, "ntlm-file answers NTLM alone");
		return;
	}
	if (!ntlm_back_read(ask, &a, challenge, out))
		return;
	row = row_find(&b->file, &a);
	if (row) {
		base16_decode_init(&hex);
		base16_decode_update(&hex, &n, hash, row->hash.n, row->hash.p);
	}
	holds = ntlm_response_holds(&a, challenge, hash, key);
	/* nobody's hash is all zeros, but somebody might send a proof made with it */
	if (!row || !holds) {
		out->result = ASK_REFUSED;
		answer_name(out->account, span_str(a.user_utf8));
		answer_name(out->domain, span_str(a.domain_utf8));
		answer_detail(out, "%s", row ? "wrong password" : "unknown user");
	} else {
		answer_name(out->account, row->user);
		answer_name(out->domain, row->domain);
		ntlm_back_finish(ask, &a, key, out);
	}
	explicit_bzero(hash, sizeof hash);
	explicit_bzero(key, sizeof key);
}

static void
describe(struct back *b, void (*say)(void *arg, bool fault, const char *line), void *arg)
{
	char text[64];

	snprintf(text, sizeof text, "%zu user%s", b->file.n_rows, b->file.n_rows == 1 ? "" : "s");
	say(arg, b->file.n_rows == 0, text);
}

const struct back_ops back_ntlm_file_ops = {
	.word = "ntlm-file",
	.may_repeat = true,
	.open = open_file,
	.close = close_file,
	.check = check,
	.describe = describe,
};
