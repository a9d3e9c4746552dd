/* SPDX-License-Identifier: MIT */
#include "tls/leaf_cache.h"

#include <openssl/err.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "tls/leaf_ask.h"
#include "tls/leaf_inside.h"
#include "tls/lru.h"

struct leaf_cache {
	struct lru *lru;
};

struct cached {
	struct leaf *leaf;
	int64_t      until; /* seconds since 1970 */
};

static int64_t
now_s(void)
{
	return (int64_t)(clock_real_us() / 1000000);
}

static void
cached_drop(void *value)
{
	struct cached *c = value;

	leaf_unref(c->leaf);
	free(c);
}

static bool
use_until(const X509 *x, int64_t *until)
{
	struct tm from, to;

	if (!ASN1_TIME_to_tm(X509_get0_notBefore(x), &from) || !ASN1_TIME_to_tm(X509_get0_notAfter(x), &to)) {
		ERR_clear_error();
		return false;
	}
	*until = leaf_use_until((int64_t)timegm(&from), (int64_t)timegm(&to));
	return true;
}

void
leaf_cache_put(struct leaf_cache *all, const uint8_t digest[32], struct leaf *l)
{
	struct cached *c = calloc(1, sizeof *c);

	if (!c || !use_until(l->cert, &c->until)) {
		free(c);
		return;
	}
	c->leaf = leaf_ref(l);
	lru_put(all->lru, digest, c);
}

struct leaf *
leaf_cache_find(struct leaf_cache *all, const uint8_t digest[32])
{
	struct cached *c = lru_find(all->lru, digest);

	if (c && c->until <= now_s()) {
		lru_remove(all->lru, digest);
		c = NULL;
	}
	return c ? leaf_ref(c->leaf) : NULL;
}

static void
limit_age(void *value, void *arg)
{
	struct cached *c = value;
	int64_t        most = *(int64_t *)arg;

	if (c->until > most)
		c->until = most;
}

void
leaf_cache_age(struct leaf_cache *all, int64_t most_s)
{
	int64_t most = now_s() + most_s;

	lru_each(all->lru, limit_age, &most);
}

struct leaf_cache *
leaf_cache_new(uint32_t most)
{
	struct leaf_cache *all = calloc(1, sizeof *all);

	if (all && (all->lru = lru_new(most, cached_drop)))
		return all;
	free(all);
	return NULL;
}

void
leaf_cache_free(struct leaf_cache *all)
{
	if (!all)
		return;
	lru_free(all->lru);
	free(all);
}

void
leaf_cache_fit(struct leaf_cache *all, uint32_t most)
{
	(void)lru_fit(all->lru, most); /* else as many as before */
}
