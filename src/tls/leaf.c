/* SPDX-License-Identifier: MIT */
#include "tls/leaf.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tls/leaf_ask.h"
#include "tls/leaf_cache.h"
#include "tls/leaf_inside.h"
#include "tls/leaf_wire.h"

#define READS_A_GO   32u   /* then others get their turn */
#define BUCKETS      1024u /* of errands; a power of two */
#define ERRANDS_MOST 8192u /* under way; more are refused at once */
#define OLD_KEY_S    3600  /* so long leaves of a key that was renewed stay in use */

enum errand_state {
	ERRAND_WAITING, /* to be sent */
	ERRAND_SENT,
	ERRAND_HELD /* the signer has another CA: until it says hello */
};

/* One ask that is under way, for all who want that leaf. */
struct errand {
	LIST_ENTRY(errand) bucket;
	TAILQ_ENTRY(errand) link;
	struct leaf_desk *desk;
	enum errand_state state;
	uint64_t          number; /* serial << 16 | bucket */
	uint8_t           digest[32], ca_print[32];
	uint8_t           key, ca;
	bool              ending; /* its jobs are being called */
	TAILQ_HEAD(job_list, leaf_job) jobs;
	size_t            n;
	uint8_t           packet[];
};
TAILQ_HEAD(errand_list, errand);

struct leaf_job {
	TAILQ_ENTRY(leaf_job) link;
	struct leaf_desk *desk;
	struct job_list  *list;
	struct errand    *errand; /* null: none is needed */
	struct leaf      *leaf;   /* that was there already; owned */
	enum fault        fault;  /* what a time that is over means */
	struct timer      timer;
	leaf_done        *done;
	void             *arg;
};

/* What goes along with the leaves of one CA. */
struct authority {
	bool            known;
	uint8_t         print[32];
	STACK_OF(X509) *chain; /* owned; null: nothing */
};

struct leaf_desk {
	struct loop       *loop;
	struct watch       watch;
	int                fd; /* -1: none */
	bool               up, gone; /* it has said hello; there will be none: nobody waits */
	uint64_t           serial;
	uint32_t           n_errands;
	LIST_HEAD(bucket, errand) bucket[BUCKETS];
	struct errand_list list[ERRAND_HELD + 1];
	struct job_list    awaiting, ready;
	struct leaf_cache *cache;
	EVP_PKEY          *key[LEAF_KEYS];
	uint64_t           key_id[LEAF_KEYS];
	struct authority   now, before; /* of LEAF_TRUSTED: the CA in use, and the one that it has replaced */
	STACK_OF(X509)    *untrusted;
	void             (*on_tickets)(void *arg, const uint8_t (*key)[80], unsigned n);
	void              *arg;
	uint8_t            buf[LEAF_PACKET_MAX];
};

/* --- jobs --- */

static void
errand_free(struct errand *e)
{
	LIST_REMOVE(e, bucket);
	TAILQ_REMOVE(&e->desk->list[e->state], e, link);
	e->desk->n_errands--;
	free(e);
}

static void
job_free(struct leaf_job *j)
{
	struct errand *e = j->errand;

	TAILQ_REMOVE(j->list, j, link);
	timer_clear(&j->timer);
	leaf_unref(j->leaf);
	free(j);
	if (e && !e->ending && TAILQ_EMPTY(&e->jobs))
		errand_free(e); /* nobody wants it any more */
}

/* The callback, as the last thing that happens to a job. It may ask again, or cancel others. */
static void
job_end(struct leaf_job *j, struct leaf *leaf, enum fault fault)
{
	leaf_done *done = j->done;
	void      *arg = j->arg;

	job_free(j);
	done(arg, leaf, fault);
}

static void
on_time(void *arg)
{
	struct leaf_job *j = arg;
	struct leaf     *leaf = j->leaf;

	j->leaf = NULL;
	job_end(j, leaf, j->fault);
	leaf_unref(leaf);
}

static struct leaf_job *
job_new(struct leaf_desk *d, struct job_list *list, struct errand *e, leaf_done *done, void *arg)
{
	struct leaf_job *j = calloc(1, sizeof *j);

	if (!j)
		return NULL;
	*j = (struct leaf_job){.desk = d, .list = list, .errand = e, .fault = FAULT_SIGNER_UNAVAILABLE, .done = done, .arg = arg};
	timer_init(&j->timer, on_time, j);
	TAILQ_INSERT_TAIL(list, j, link);
	return j;
}

static void
jobs_end(struct job_list *list, struct leaf *leaf, enum fault fault)
{
	struct job_list  now = TAILQ_HEAD_INITIALIZER(now); /* those that join meanwhile have their own reasons to wait */
	struct leaf_job *j;

	TAILQ_CONCAT(&now, list, link);
	TAILQ_FOREACH(j, &now, link)
		j->list = &now;
	while ((j = TAILQ_FIRST(&now)))
		job_end(j, leaf, fault);
}

static void
errand_end(struct errand *e, struct leaf *leaf, enum fault fault)
{
	e->ending = true;
	jobs_end(&e->jobs, leaf, fault);
	errand_free(e);
}

/* --- the way to the signer --- */

static void
errand_move(struct errand *e, enum errand_state to)
{
	TAILQ_REMOVE(&e->desk->list[e->state], e, link);
	e->state = to;
	TAILQ_INSERT_TAIL(&e->desk->list[to], e, link);
}

/* What was under way is asked again, first. */
static void
desk_close(struct leaf_desk *d)
{
	struct errand_list *sent = &d->list[ERRAND_SENT], *waiting = &d->list[ERRAND_WAITING];
	struct errand      *e;

	watch_clear(&d->watch);
	if (d->fd >= 0)
		close(d->fd);
	d->fd = -1;
	d->up = false;
	TAILQ_CONCAT(sent, &d->list[ERRAND_HELD], link);
	TAILQ_FOREACH(e, sent, link)
		e->state = ERRAND_WAITING;
	TAILQ_CONCAT(sent, waiting, link);
	TAILQ_CONCAT(waiting, sent, link);
}

static void
desk_send(struct leaf_desk *d)
{
	struct errand *e;

	while (d->fd >= 0 && (e = TAILQ_FIRST(&d->list[ERRAND_WAITING]))) {
		ssize_t w = send(d->fd, e->packet, e->n, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (w < 0 && errno == EINTR)
			continue;
		if (w < 0 && (errno == EAGAIN || errno == ENOBUFS || errno == ENOMEM))
			return; /* on_desk comes when there is room; each job's own timer if there never is */
		if (w < 0 && errno != EMSGSIZE) {
			desk_close(d);
			return;
		}
		errand_move(e, ERRAND_SENT);
	}
}

static EVP_PKEY *
key_read(struct span pkcs8)
{
	const unsigned char *p = (const unsigned char *)pkcs8.p;
	PKCS8_PRIV_KEY_INFO *info = d2i_PKCS8_PRIV_KEY_INFO(NULL, &p, (long)pkcs8.n);
	EVP_PKEY            *key = info ? EVP_PKCS82PKEY(info) : NULL;

	PKCS8_PRIV_KEY_INFO_free(info);
	return key;
}

/* The keys that are new. False: they cannot be read, and those before stay. */
static bool
take_keys(struct leaf_desk *d, const struct leaf_hello *h)
{
	EVP_PKEY *key[LEAF_KEYS] = {NULL};
	bool      ok = true, renewed = false;

	for (unsigned i = 0; ok && i < LEAF_KEYS; i++)
		if (!d->key[i] || d->key_id[i] != h->key[i].id)
			ok = (key[i] = key_read(h->key[i].pkcs8)) != NULL;
	for (unsigned i = 0; i < LEAF_KEYS; i++) {
		if (!ok || !key[i]) {
			EVP_PKEY_free(key[i]);
			continue;
		}
		renewed |= d->key[i] != NULL;
		EVP_PKEY_free(d->key[i]);
		d->key[i] = key[i];
		d->key_id[i] = h->key[i].id;
	}
	/* they are as good as before, each with its own key; not all in one go, and not for ever */
	if (renewed)
		leaf_cache_age(d->cache, OLD_KEY_S);
	return ok;
}

static bool
take_hello(struct leaf_desk *d, const struct leaf_hello *h)
{
	STACK_OF(X509) *chain = NULL, *untrusted = NULL;

	if (!leaf_chain_read(h->chain[LEAF_TRUSTED], &chain) || !leaf_chain_read(h->chain[LEAF_UNTRUSTED], &untrusted) || !take_keys(d, h)) {
		leaf_chain_free(chain);
		leaf_chain_free(untrusted);
		ERR_clear_error();
		return false;
	}
	if (d->now.known && memcmp(d->now.print, h->ca_print, sizeof d->now.print) != 0) {
		leaf_chain_free(d->before.chain);
		d->before = d->now;
		d->now.chain = NULL;
	}
	leaf_chain_free(d->now.chain);
	leaf_chain_free(d->untrusted);
	d->now.known = true;
	d->now.chain = chain;
	d->untrusted = untrusted;
	memcpy(d->now.print, h->ca_print, sizeof d->now.print);
	return true;
}

static void
on_hello(struct leaf_desk *d, struct span packet)
{
	struct leaf_hello h;
	struct errand    *e;

	if (!leaf_hello_read(packet, &h) || !take_hello(d, &h)) {
		/* there was no memory: the signer says hello again when it is paired anew, and no sooner */
		desk_close(d);
		return;
	}
	d->up = true;
	while ((e = TAILQ_FIRST(&d->list[ERRAND_HELD])))
		errand_move(e, ERRAND_WAITING);
	jobs_end(&d->awaiting, NULL, FAULT_NONE);
}

static struct errand *
errand_by_number(struct leaf_desk *d, uint64_t number)
{
	struct errand *e;

	LIST_FOREACH(e, &d->bucket[number & (BUCKETS - 1)], bucket)
		if (e->number == number)
			break;
	return e;
}

static struct leaf *
leaf_made_for(struct leaf_desk *d, const struct errand *e, struct span der)
{
	const struct authority *a = memcmp(e->ca_print, d->now.print, sizeof e->ca_print) == 0 ? &d->now : &d->before;
	STACK_OF(X509)         *chain = e->ca == LEAF_UNTRUSTED ? d->untrusted : a->chain;

	if (!d->key[e->key] || (e->ca == LEAF_TRUSTED && (!a->known || memcmp(e->ca_print, a->print, sizeof e->ca_print) != 0)))
		return NULL;
	return leaf_new(der, d->key[e->key], chain);
}

static void
on_made(struct leaf_desk *d, struct span packet)
{
	struct leaf_made m;
	struct errand   *e;
	struct leaf     *leaf = NULL;

	/* one that was cancelled, or had waited long enough */
	if (!leaf_made_read(packet, &m) || !(e = errand_by_number(d, m.number)) || e->state != ERRAND_SENT)
		return;
	if (m.foreign) {
		errand_move(e, ERRAND_HELD);
		return;
	}
	if (!m.refused)
		leaf = leaf_made_for(d, e, m.der);
	if (leaf)
		leaf_cache_put(d->cache, e->digest, leaf);
	errand_end(e, leaf, leaf ? FAULT_NONE : FAULT_SIGNER_UNAVAILABLE);
	leaf_unref(leaf);
}

static void
on_packet(struct leaf_desk *d, struct span packet)
{
	const uint8_t(*key)[LEAF_TICKET];
	enum leaf_packet kind;
	unsigned         n;

	if (!leaf_packet_kind(packet, &kind))
		return;
	if (kind == LEAF_HELLO)
		on_hello(d, packet);
	else if (kind != LEAF_TICKETS)
		on_made(d, packet);
	else if (leaf_tickets_read(packet, &key, &n))
		d->on_tickets(d->arg, key, n);
	if (kind == LEAF_HELLO || kind == LEAF_TICKETS)
		OPENSSL_cleanse((char *)(uintptr_t)packet.p, packet.n);
}

static void
on_desk(void *arg, unsigned what)
{
	struct leaf_desk *d = arg;
	int               fd = d->fd;

	(void)what;
	for (unsigned i = 0; d->fd == fd && fd >= 0; i++) {
		ssize_t got;
		if (i == READS_A_GO) {
			watch_again(&d->watch, WATCH_READ);
			break;
		}
		got = recv(fd, d->buf, sizeof d->buf, MSG_DONTWAIT);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0 && (errno == EAGAIN || errno == ENOMEM || errno == ENOBUFS))
			break;
		if (got <= 0) {
			desk_close(d);
			return;
		}
		on_packet(d, span_of((const char *)d->buf, (size_t)got));
	}
	desk_send(d);
}

/* --- the desk --- */

struct leaf_desk *
leaf_desk_new(struct loop *loop, uint32_t most, void (*on_tickets)(void *arg, const uint8_t (*key)[80], unsigned n), void *arg)
{
	struct leaf_desk *d = calloc(1, sizeof *d);

	if (!d)
		return NULL;
	*d = (struct leaf_desk){.loop = loop, .fd = -1, .on_tickets = on_tickets, .arg = arg, .cache = leaf_cache_new(most)};
	for (unsigned i = 0; i <= ERRAND_HELD; i++)
		TAILQ_INIT(&d->list[i]);
	TAILQ_INIT(&d->awaiting);
	TAILQ_INIT(&d->ready);
	if (d->cache)
		return d;
	free(d);
	return NULL;
}

static void
jobs_forget(struct job_list *list)
{
	struct leaf_job *j;

	while ((j = TAILQ_FIRST(list)))
		job_free(j);
}

void
leaf_desk_free(struct leaf_desk *d)
{
	struct errand *e;

	if (!d)
		return;
	desk_close(d);
	while ((e = TAILQ_FIRST(&d->list[ERRAND_WAITING]))) {
		e->ending = true;
		jobs_forget(&e->jobs);
		errand_free(e);
	}
	jobs_forget(&d->awaiting);
	jobs_forget(&d->ready);
	leaf_cache_free(d->cache);
	for (unsigned i = 0; i < LEAF_KEYS; i++)
		EVP_PKEY_free(d->key[i]);
	leaf_chain_free(d->now.chain);
	leaf_chain_free(d->before.chain);
	leaf_chain_free(d->untrusted);
	OPENSSL_cleanse(d->buf, sizeof d->buf);
	free(d);
}

void
leaf_desk_fit(struct leaf_desk *d, uint32_t most)
{
	leaf_cache_fit(d->cache, most);
}

static void
jobs_hurry(struct leaf_desk *d, struct job_list *list)
{
	struct leaf_job *j;

	TAILQ_FOREACH(j, list, link)
		timer_set(d->loop, &j->timer, 0);
}

void
leaf_desk_connect(struct leaf_desk *d, int fd)
{
	struct errand *e;

	desk_close(d);
	d->gone = fd < 0;
	if (fd < 0) {
		TAILQ_FOREACH(e, &d->list[ERRAND_WAITING], link)
			jobs_hurry(d, &e->jobs);
		jobs_hurry(d, &d->awaiting);
		return;
	}
	d->fd = fd;
	if (!watch_init(&d->watch, d->loop, fd, WATCH_READ | WATCH_WRITE | WATCH_CLOSED, on_desk, d))
		desk_close(d);
	else
		desk_send(d);
}

bool
leaf_desk_is_up(const struct leaf_desk *d)
{
	return d->up;
}

/* --- asks --- */

struct leaf *
leaf_find(struct leaf_desk *d, const struct leaf_want *want)
{
	uint8_t packet[LEAF_PACKET_MAX], digest[32];
	size_t  n = leaf_ask_pack(want, packet, sizeof packet);

	return n > 0 && leaf_ask_digest(span_of((const char *)packet, n), digest) ? leaf_cache_find(d->cache, digest) : NULL;
}

/* The one that is under way already, or a new one that is. */
static struct errand *
errand_for(struct leaf_desk *d, const struct leaf_want *want, const uint8_t *packet, size_t n, const uint8_t digest[32])
{
	unsigned       place = (digest[0] | (unsigned)digest[1] << 8) & (BUCKETS - 1);
	struct errand *e;

	LIST_FOREACH(e, &d->bucket[place], bucket)
		if (!e->ending && memcmp(e->digest, digest, 32) == 0)
			return e;
	if (d->n_errands >= ERRANDS_MOST || !(e = calloc(1, sizeof *e + n)))
		return NULL;
	e->desk = d;
	e->state = ERRAND_WAITING;
	e->number = ++d->serial << 16 | place;
	e->key = (uint8_t)want->key;
	e->ca = (uint8_t)want->ca;
	memcpy(e->digest, digest, sizeof e->digest);
	memcpy(e->ca_print, want->ca_print, sizeof e->ca_print);
	memcpy(e->packet, packet, n);
	e->n = n;
	leaf_ask_number(e->packet, e->number);
	TAILQ_INIT(&e->jobs);
	LIST_INSERT_HEAD(&d->bucket[place], e, bucket);
	TAILQ_INSERT_TAIL(&d->list[ERRAND_WAITING], e, link);
	d->n_errands++;
	return e;
}

/* One that need not go to the signer, and still is called from the loop. */
static struct leaf_job *
job_ready(struct leaf_desk *d, struct leaf *leaf, enum fault fault, leaf_done *done, void *arg)
{
	struct leaf_job *j = job_new(d, &d->ready, NULL, done, arg);

	if (!j) {
		leaf_unref(leaf);
		return NULL;
	}
	j->leaf = leaf;
	j->fault = fault;
	timer_set(d->loop, &j->timer, 0);
	return j;
}

struct leaf_job *
leaf_ask(struct leaf_desk *d, const struct leaf_want *want, uint64_t timeout_ms, leaf_done *done, void *arg)
{
	uint8_t          packet[LEAF_PACKET_MAX], digest[32];
	size_t           n = leaf_ask_pack(want, packet, sizeof packet);
	struct leaf     *leaf;
	struct errand   *e;
	struct leaf_job *j;

	if (n == 0)
		return job_ready(d, NULL, FAULT_SIGNER_UNAVAILABLE, done, arg); /* no names that a leaf could have */
	if (!leaf_ask_digest(span_of((const char *)packet, n), digest))
		return NULL;
	if ((leaf = leaf_cache_find(d->cache, digest)))
		return job_ready(d, leaf, FAULT_NONE, done, arg);
	e = errand_for(d, want, packet, n, digest);
	if (!e)
		return NULL;
	j = job_new(d, &e->jobs, e, done, arg);
	if (!j) {
		if (TAILQ_EMPTY(&e->jobs))
			errand_free(e);
		return NULL;
	}
	timer_set(d->loop, &j->timer, d->gone ? 0 : timeout_ms);
	desk_send(d);
	return j;
}

struct leaf_job *
leaf_await(struct leaf_desk *d, uint64_t timeout_ms, leaf_done *done, void *arg)
{
	struct leaf_job *j;

	if (d->up)
		return job_ready(d, NULL, FAULT_NONE, done, arg);
	j = job_new(d, &d->awaiting, NULL, done, arg);
	if (j)
		timer_set(d->loop, &j->timer, d->gone ? 0 : timeout_ms);
	return j;
}

void
leaf_cancel(struct leaf_job *j)
{
	if (j)
		job_free(j);
}
