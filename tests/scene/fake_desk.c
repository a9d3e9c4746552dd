/* SPDX-License-Identifier: MIT */
/*
 * fake_desk: auth/desk.h without processes. Answers when the script says so, in a later turn, never after a cancel.
 */
#include "fake_desk.h"

#include <stdlib.h>

#include "auth/desk.h"

struct desk {
	int unused;
};

struct desk_job {
	TAILQ_ENTRY(desk_job) link;
	struct happening event;
	enum back_kind   kind;
	struct answer    answer;
	bool             answered;
	desk_done        done;
	void            *arg;
};

static TAILQ_HEAD(, desk_job) jobs = TAILQ_HEAD_INITIALIZER(jobs);
bool fake_desk_is_full;

static const char *const kinds[BACK_KINDS] = {"ntlm-file", "basic-file", "kerberos", "winbind", "ldap", "pam", "initiator"};

struct desk *
desk_new(struct loop *loop)
{
	static struct desk one;

	(void)loop;
	fake_desk_is_full = false;
	return &one;
}

void
desk_free(struct desk *d)
{
	(void)d;
}

void
desk_connect(struct desk *d, enum back_kind kind, int fd)
{
	(void)d, (void)kind, (void)fd;
}

static void
job_tell(void *arg)
{
	struct desk_job *j = arg, was = *j;

	TAILQ_REMOVE(&jobs, j, link);
	free(j);
	was.done(was.arg, &was.answer);
	answer_clear(&was.answer);
}

static void
say(enum back_kind kind, const struct ask *a)
{
	switch (a->op) {
	case ASK_BASIC:
		fake_errand("ask %s basic %.*s:%.*s", kinds[kind], SPAN_ARG(a->part[0]), SPAN_ARG(a->part[1]));
		break;
	case ASK_NTLM:
		fake_errand("ask %s ntlm%s%s", kinds[kind], a->part[3].n ? " with mechanisms" : "", a->part[4].n ? " with mic" : "");
		if (!a->part[0].n || !a->part[1].n || !a->part[2].n)
			fake_wrong("an NTLM exchange lacks a message");
		break;
	case ASK_KERBEROS:
		fake_errand("ask %s kerberos %llu", kinds[kind], (unsigned long long)a->handle);
		break;
	case ASK_INITIATE:
		fake_errand("ask %s for %.*s at %.*s%s", kinds[kind], SPAN_ARG(a->part[0]), SPAN_ARG(a->part[1]), a->handle ? " anew" : "");
		break;
	default:
		fake_errand("ask %s pac %.*s", kinds[kind], SPAN_ARG(a->part[0]));
		break;
	}
}

struct desk_job *
desk_ask(struct desk *d, enum back_kind kind, const struct ask *ask, desk_done done, void *arg)
{
	struct desk_job *j = fake_desk_is_full ? NULL : calloc(1, sizeof *j);

	(void)d;
	if (!j)
		return NULL;
	j->event = (struct happening){.fn = job_tell, .arg = j};
	j->kind = kind;
	j->done = done;
	j->arg = arg;
	TAILQ_INSERT_TAIL(&jobs, j, link);
	say(kind, ask);
	return j;
}

void
desk_cancel(struct desk_job *j)
{
	fake_errand("ask of %s cancelled", kinds[j->kind]);
	happening_drop(&j->event);
	TAILQ_REMOVE(&jobs, j, link);
	answer_clear(&j->answer);
	free(j);
}

bool
fake_desk_answer(const struct answer *a)
{
	struct desk_job *j;

	TAILQ_FOREACH (j, &jobs, link)
		if (!j->answered)
			break;
	if (!j)
		return false;
	j->answered = true;
	j->answer = *a;
	happening_queue(&j->event);
	return true;
}

bool
fake_desk_waits(void)
{
	return !TAILQ_EMPTY(&jobs);
}

void
fake_desk_clear(void)
{
	struct desk_job *j;

	while ((j = TAILQ_FIRST(&jobs)))
		desk_cancel(j);
}
