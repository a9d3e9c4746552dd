/* SPDX-License-Identifier: MIT */
#include "auth/contexts.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/random.h>

struct place {
	uint64_t    handle; /* 0: free */
	uint64_t    since_us;
	struct addr client;
	void       *context;
};

struct contexts {
	pthread_mutex_t lock;
	void (*drop)(void *context);
	struct place place[CONTEXTS_MAX];
};

struct contexts *
contexts_new(void (*drop)(void *context))
{
	struct contexts *c = calloc(1, sizeof *c);

	if (!c)
		return NULL;
	pthread_mutex_init(&c->lock, NULL);
	c->drop = drop;
	return c;
}

void
contexts_free(struct contexts *c)
{
	if (!c)
		return;
	for (size_t i = 0; i < CONTEXTS_MAX; i++)
		if (c->place[i].handle)
			c->drop(c->place[i].context);
	pthread_mutex_destroy(&c->lock);
	free(c);
}

/* Where the next goes: its client's oldest when that has too many, else a free place, else the oldest of all. What is too old goes meanwhile. */
static struct place *
place_choose(struct contexts *c, const struct addr *client, uint64_t now_us)
{
	struct place *unused = NULL, *oldest = NULL, *own = NULL;
	unsigned      owned = 0;

	for (struct place *p = c->place; p < c->place + CONTEXTS_MAX; p++) {
		if (p->handle && now_us - p->since_us > CONTEXTS_KEEP_US) {
			c->drop(p->context);
			p->handle = 0;
		}
		if (!p->handle) {
			unused = p;
			continue;
		}
		if (!oldest || p->since_us < oldest->since_us)
			oldest = p;
		if (!addr_eq(&p->client, client))
			continue;
		owned++;
		if (!own || p->since_us < own->since_us)
			own = p;
	}
	if (owned >= CONTEXTS_MAX_CLIENT)
		return own;
	return unused ? unused : oldest;
}

uint64_t
contexts_put(struct contexts *c, const struct addr *client, uint64_t now_us, void *context)
{
	uint64_t      handle = 0;
	struct place *p;

	if (getrandom(&handle, sizeof handle, 0) != sizeof handle || handle == 0)
		return 0;
	pthread_mutex_lock(&c->lock);
	p = place_choose(c, client, now_us);
	if (p->handle)
		c->drop(p->context);
	*p = (struct place){handle, now_us, *client, context};
	pthread_mutex_unlock(&c->lock);
	return handle;
}

void *
contexts_take(struct contexts *c, uint64_t handle, const struct addr *client, uint64_t now_us)
{
	void *found = NULL;

	pthread_mutex_lock(&c->lock);
	for (struct place *p = c->place; handle && p < c->place + CONTEXTS_MAX; p++) {
		if (p->handle != handle || !addr_eq(&p->client, client))
			continue;
		if (now_us - p->since_us <= CONTEXTS_KEEP_US)
			found = p->context;
		else
			c->drop(p->context);
		p->handle = 0;
		break;
	}
	pthread_mutex_unlock(&c->lock);
	return found;
}
