/* SPDX-License-Identifier: MIT */
#include "tls/resume.h"

#define XXH_INLINE_ALL
#include <stdlib.h>
#include <sys/queue.h>
#include <sys/random.h>
#include <time.h>
#include <xxhash.h>

#include "base/clock.h"
#include "tls/origin_memory.h"

#define SETS 2048u
/* A session whose profile gets too old during the handshake would be of no use to verify: left out that much earlier. */
#define YOUNG_US (ORIGIN_MEMORY_US - UINT64_C(60) * 1000000)

struct kept {
	LIST_ENTRY(kept)  set;
	TAILQ_ENTRY(kept) age;
	SSL_SESSION      *session; /* a reference */
	struct profile   *profile; /* likewise */
	uint64_t          key;
	uint16_t          port;
	uint8_t           n;
	char              host[];
};

struct resume {
	LIST_HEAD(, kept)         set[SETS]; /* newest first */
	TAILQ_HEAD(ages, kept) ages;      /* newest first */
	unsigned                  count;
	uint64_t                  seed;
};

struct resume *
resume_new(void)
{
	struct resume *r = calloc(1, sizeof *r);

	if (!r || getrandom(&r->seed, sizeof r->seed, 0) != sizeof r->seed) {
		free(r);
		return NULL;
	}
	TAILQ_INIT(&r->ages);
	return r;
}

static void
unlink_kept(struct resume *r, struct kept *k)
{
	LIST_REMOVE(k, set);
	TAILQ_REMOVE(&r->ages, k, age);
	r->count--;
}

static void
forget(struct resume *r, struct kept *k)
{
	unlink_kept(r, k);
	SSL_SESSION_free(k->session);
	profile_unref(k->profile);
	free(k);
}

void
resume_free(struct resume *r)
{
	if (!r)
		return;
	while (!TAILQ_EMPTY(&r->ages))
		forget(r, TAILQ_FIRST(&r->ages));
	free(r);
}

static size_t
set_of(const struct resume *r, const struct resume_place *at)
{
	return XXH3_64bits_withSeed(at->host.p, at->host.n, r->seed ^ at->key ^ at->port) % SETS;
}

static bool
is_there(const struct kept *k, const struct resume_place *at)
{
	return k->key == at->key && k->port == at->port && span_eq(span_of(k->host, k->n), at->host);
}

static bool
is_good(const struct kept *k)
{
	long made = SSL_SESSION_get_time(k->session), age = (long)time(NULL) - made;

	return age >= 0 && age < SSL_SESSION_get_timeout(k->session) && SSL_SESSION_is_resumable(k->session) &&
	       clock_mono_us() - k->profile->verified_us < YOUNG_US;
}

SSL_SESSION *
resume_take(struct resume *r, const struct resume_place *at, struct profile **profile)
{
	struct kept *k, *next;
	SSL_SESSION *session;

	for (k = LIST_FIRST(&r->set[set_of(r, at)]); k; k = next) {
		next = LIST_NEXT(k, set);
		if (!is_there(k, at))
			continue;
		if (!is_good(k)) {
			forget(r, k);
			continue;
		}
		session = k->session;
		*profile = profile_ref(k->profile);
		SSL_SESSION_up_ref(session);
		if (SSL_SESSION_get_protocol_version(session) == TLS1_3_VERSION)
			forget(r, k);
		return session;
	}
	return NULL;
}

void
resume_keep(struct resume *r, const struct resume_place *at, SSL_SESSION *session, struct profile *profile)
{
	struct kept *k, *next, *fresh;
	unsigned     there = 0;
	size_t       set = set_of(r, at);
	bool         once = SSL_SESSION_get_protocol_version(session) == TLS1_3_VERSION;

	if (at->host.n > UINT8_MAX)
		return;
	for (k = LIST_FIRST(&r->set[set]); k; k = next) {
		next = LIST_NEXT(k, set);
		if (!is_there(k, at))
			continue;
		if (!once || ++there >= RESUME_PER_HOST) /* the last ones of the set are the oldest */
			forget(r, k);
	}
	fresh = malloc(sizeof *fresh + at->host.n);
	if (!fresh)
		return;
	if (r->count >= RESUME_MOST)
		forget(r, TAILQ_LAST(&r->ages, ages));
	SSL_SESSION_up_ref(session);
	fresh->session = session;
	fresh->profile = profile_ref(profile);
	fresh->key = at->key;
	fresh->port = at->port;
	fresh->n = (uint8_t)at->host.n;
	memcpy(fresh->host, at->host.p, at->host.n);
	LIST_INSERT_HEAD(&r->set[set], fresh, set);
	TAILQ_INSERT_HEAD(&r->ages, fresh, age);
	r->count++;
}

void
resume_drop(struct resume *r, const struct resume_place *at)
{
	struct kept *k, *next;

	for (k = LIST_FIRST(&r->set[set_of(r, at)]); k; k = next) {
		next = LIST_NEXT(k, set);
		if (is_there(k, at))
			forget(r, k);
	}
}
