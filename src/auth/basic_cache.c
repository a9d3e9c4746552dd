/* SPDX-License-Identifier: MIT */
#include "auth/basic_cache.h"

#include <nettle/hmac.h>
#include <stdlib.h>
#include <sys/queue.h>
#include <sys/random.h>

#define BUCKETS 4096u /* power of two */

struct entry {
	TAILQ_ENTRY(entry) in_bucket, by_age;
	struct identity *identity; /* a reference */
	uint64_t         until_us, epoch;
	uint8_t          digest[SHA256_DIGEST_SIZE];
};

TAILQ_HEAD(entries, entry);

struct basic_cache {
	struct hmac_sha256_ctx keyed; /* with a key that nobody else knows, and no bytes yet */
	struct entries         bucket[BUCKETS];
	struct entries         by_age; /* oldest first */
	size_t                 n;
};

struct basic_cache *
basic_cache_new(void)
{
	uint8_t             key[SHA256_DIGEST_SIZE];
	struct basic_cache *c = malloc(sizeof *c);

	if (!c || getrandom(key, sizeof key, 0) != sizeof key) {
		free(c);
		return NULL;
	}
	hmac_sha256_set_key(&c->keyed, sizeof key, key);
	explicit_bzero(key, sizeof key);
	for (unsigned i = 0; i < BUCKETS; i++)
		TAILQ_INIT(&c->bucket[i]);
	TAILQ_INIT(&c->by_age);
	c->n = 0;
	return c;
}

/* Keyed, so that neither what is kept nor the bucket says anything of the password. The length parts user and password. */
static void
digest_of(const struct basic_cache *c, struct span user, struct span password, uint8_t out[SHA256_DIGEST_SIZE])
{
	struct hmac_sha256_ctx h = c->keyed;
	uint64_t               n = user.n;

	hmac_sha256_update(&h, sizeof n, (const uint8_t *)&n);
	hmac_sha256_update(&h, user.n, (const uint8_t *)user.p);
	hmac_sha256_update(&h, password.n, (const uint8_t *)password.p);
	hmac_sha256_digest(&h, SHA256_DIGEST_SIZE, out);
	explicit_bzero(&h, sizeof h);
}

static struct entries *
bucket_of(struct basic_cache *c, const uint8_t digest[SHA256_DIGEST_SIZE])
{
	return &c->bucket[(digest[0] | (unsigned)digest[1] << 8) & (BUCKETS - 1)];
}

static void
entry_remove(struct basic_cache *c, struct entry *e)
{
	TAILQ_REMOVE(bucket_of(c, e->digest), e, in_bucket);
	TAILQ_REMOVE(&c->by_age, e, by_age);
	c->n--;
	identity_unref(e->identity);
	explicit_bzero(e, sizeof *e);
	free(e);
}

void
basic_cache_free(struct basic_cache *c)
{
	struct entry *e;

	if (!c)
		return;
	while ((e = TAILQ_FIRST(&c->by_age)))
		entry_remove(c, e);
	explicit_bzero(c, sizeof *c);
	free(c);
}

static struct entry *
entry_find(struct basic_cache *c, const uint8_t digest[SHA256_DIGEST_SIZE])
{
	struct entry *e;

	TAILQ_FOREACH (e, bucket_of(c, digest), in_bucket)
		if (memcmp(e->digest, digest, SHA256_DIGEST_SIZE) == 0) /* its time tells nothing: nobody can aim at a keyed digest */
			return e;
	return NULL;
}

struct identity *
basic_cache_find(struct basic_cache *c, struct span user, struct span password, uint64_t epoch, uint64_t now_us)
{
	uint8_t       digest[SHA256_DIGEST_SIZE];
	struct entry *e;

	digest_of(c, user, password, digest);
	e = entry_find(c, digest);
	if (e && (e->epoch != epoch || now_us >= e->until_us)) {
		entry_remove(c, e);
		e = NULL;
	}
	return e ? e->identity : NULL;
}

void
basic_cache_add(struct basic_cache *c, struct span user, struct span password, uint64_t epoch, uint64_t now_us, uint64_t ttl_us, struct identity *i)
{
	uint8_t       digest[SHA256_DIGEST_SIZE];
	struct entry *e;

	if (!ttl_us)
		return;
	digest_of(c, user, password, digest);
	if ((e = entry_find(c, digest)))
		entry_remove(c, e);
	while ((e = TAILQ_FIRST(&c->by_age)) && (c->n >= BASIC_CACHE_MAX || now_us >= e->until_us))
		entry_remove(c, e);
	if (!(e = malloc(sizeof *e)))
		return; /* asked again next time */
	*e = (struct entry){.identity = identity_ref(i), .until_us = now_us + ttl_us, .epoch = epoch};
	memcpy(e->digest, digest, sizeof digest);
	TAILQ_INSERT_TAIL(bucket_of(c, digest), e, in_bucket);
	TAILQ_INSERT_TAIL(&c->by_age, e, by_age);
	c->n++;
}
