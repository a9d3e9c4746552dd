/* SPDX-License-Identifier: MIT */
#include "proc/ends.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "proc/commands.h"

#define WAIT_MS 2000u

/* One client's question. */
struct ending {
	uint32_t number;
	uint32_t n_waiting;
	uint64_t id;
	bool     waiting[SHARED_WORKERS_MAX];
};

static void
gone(struct control_client *c)
{
	free(c->listing);
	c->listing = NULL;
	c->listing_gone = NULL;
}

static void
settle(struct control_client *c, bool found, const char *why_not)
{
	struct ending *q = c->listing;

	if (found)
		log_info("control: uid %u (pid %d) has ended %016llx", (unsigned)c->uid, (int)c->pid, (unsigned long long)q->id);
	if (c->json)
		control_say(c, '.', "{\"id\":\"%016llx\",\"ended\":%s,\"why_not\":%s%s%s}", (unsigned long long)q->id, found ? "true" : "false", found ? "" : "\"",
		    found ? "null" : why_not, found ? "" : "\"");
	else
		control_say(c, found ? '.' : 'e', found ? "ended %016llx" : "%016llx is not ended: %s", (unsigned long long)q->id, why_not);
	gone(c);
	control_end(c, found ? 0 : 1);
}

static void
on_deadline(void *arg)
{
	struct ends *e = arg;

	for (struct control_client *c = NULL; (c = control_next(e->control, c));)
		if (c->waits == WAIT_KILL)
			settle(c, false, "a worker does not answer");
}

void
ends_heard(struct ends *e, uint32_t worker, struct span data)
{
	uint32_t number;

	if (data.n != sizeof number + 1)
		return;
	memcpy(&number, data.p, sizeof number);
	for (struct control_client *c = NULL; (c = control_next(e->control, c));) {
		struct ending *q = c->listing;
		if (c->waits != WAIT_KILL || q->number != number || !q->waiting[worker])
			continue;
		q->waiting[worker] = false;
		q->n_waiting--;
		if (data.p[sizeof number])
			settle(c, true, "");
		else if (!q->n_waiting)
			settle(c, false, "nothing of that id is under way");
		return;
	}
}

static bool
read_id(const struct control_client *c, uint64_t *id)
{
	char *end;

	if (c->n_words != 2 || strlen(c->word[1]) > 16 || strspn(c->word[1], "0123456789abcdefABCDEF") != strlen(c->word[1]))
		return false;
	errno = 0;
	*id = strtoull(c->word[1], &end, 16);
	return !*end && !errno;
}

void
ends_ask(struct ends *e, struct control_client *c)
{
	struct ending *q = calloc(1, sizeof *q);

	if (!q || !read_id(c, &q->id)) {
		control_say(c, 'e', q ? "want kill ID, as `sessions` shows it: 16 hexadecimal digits" : "out of memory");
		control_end(c, q ? 2 : 1);
		free(q);
		return;
	}
	q->number = ++e->number;
	c->listing = q;
	c->listing_gone = gone;
	for (uint32_t i = 0; i < e->crew->n_workers; i++)
		if (e->crew->worker[i].state == MEMBER_SERVING && member_say(&e->crew->worker[i], MSG_END, q->id, &q->number, sizeof q->number, NULL, 0)) {
			q->waiting[i] = true;
			q->n_waiting++;
		}
	if (!q->n_waiting) {
		settle(c, false, "no worker is there");
		return;
	}
	c->waits = WAIT_KILL;
	timer_set(e->crew->loop, &e->deadline, WAIT_MS);
}

void
ends_init(struct ends *e, struct crew *crew, struct control *control)
{
	*e = (struct ends){.crew = crew, .control = control};
	timer_init(&e->deadline, on_deadline, e);
}

void
ends_clear(struct ends *e)
{
	if (e->crew)
		timer_clear(&e->deadline);
}
