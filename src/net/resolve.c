/* SPDX-License-Identifier: MIT */
/*
 * Callers' jobs for one name share one look-up. A look-up walks the candidates that resolv.conf makes of the name and asks two questions
 * for each. Answers are only noted while c-ares is at work; looked at, and told to callers, when it has returned (resolver_settle), so
 * that a caller may do anything from its callback, freeing the resolver included.
 */
#include "net/resolve.h"

#include <stdlib.h>
#include <sys/queue.h>
#include <sys/random.h>
#include <unistd.h>

#include "net/loop.h"
#include "net/resolve_cache.h"
#include "net/resolve_channel.h"
#include "net/resolve_conf.h"

#define TABLE           1024u /* buckets of look-ups under way */
#define LOOKUPS_MAX     16384u
#define DELAY_MS        50u /* RFC 8305 section 3 */
#define TTL_LEAST_S     1u
#define TTL_MOST_S      3600u
#define TTL_HALF_S      60u /* when one family could not be learnt */
#define NEGATIVE_S      10u /* without SOA */
#define NEGATIVE_MOST_S 60u
#define ERROR_S         1u /* a server that fails is not asked for the same name more often */

struct resolve_job {
	TAILQ_ENTRY(resolve_job) link;
	struct job_list *on; /* a look-up's or the resolver's `ready` */
	resolve_fn      *done;
	void            *arg;
	enum fault       fault; /* once ready */
	struct resolved *addrs; /* once ready; owned */
};
TAILQ_HEAD(job_list, resolve_job);

/* The question for one family. */
struct half {
	struct question q;
	struct lookup  *lookup;
	bool            waiting;
	enum fault      fault;
};

struct lookup {
	TAILQ_ENTRY(lookup) link;     /* all */
	LIST_ENTRY(lookup) same_slot; /* under way, to be joined */
	TAILQ_ENTRY(lookup) answer;   /* to be settled */
	bool             joinable, answered;
	bool             told; /* its callers have their answer: the rest is for the cache */
	struct resolver *resolver;
	struct upstream *upstream; /* as it was when the look-up began */
	struct job_list  jobs;
	struct timer     timer; /* the deadline, or before it the resolution delay */
	bool             delayed;
	uint64_t         deadline_us;
	unsigned         candidate;  /* the next one */
	bool             as_is;      /* the one under way is the name itself */
	enum fault       fault;      /* best reason so far; NONE: no candidate failed yet */
	bool             pinned;     /* no later candidate can change it */
	uint32_t         negative_s; /* how long that may be kept */
	struct half      half[2];    /* AAAA, A */
	uint64_t         hash;
	char             candidate_name[RESOLV_NAME_MAX + 1];
	unsigned         n;
	char             name[];
};

struct resolver {
	struct grave         grave;
	struct loop         *loop;
	bool                 dead; /* freed from within a callback: buried */
	struct upstream     *upstream;
	uint64_t             timeout_ms;
	uint64_t             seed;
	char                 host[256]; /* name of this machine, asked for once: a sandbox may forbid it later */
	struct resolve_cache cache, hosts;
	LIST_HEAD(, lookup) table[TABLE];
	TAILQ_HEAD(, lookup) lookups, answered;
	unsigned              n_lookups;
	struct job_list       ready;
	struct watch          kick; /* settle in the next turn */
};

static void resolver_settle(void *arg);

/* --- jobs --- */

static void
job_ready(struct resolver *r, struct resolve_job *j, enum fault fault, struct resolved *addrs)
{
	if (j->on)
		TAILQ_REMOVE(j->on, j, link);
	j->fault = fault;
	j->addrs = addrs ? resolved_ref(addrs) : NULL;
	j->on = &r->ready;
	TAILQ_INSERT_TAIL(&r->ready, j, link);
}

void
resolve_job_cancel(struct resolve_job *j)
{
	if (!j)
		return;
	TAILQ_REMOVE(j->on, j, link);
	resolved_unref(j->addrs);
	free(j);
}

static void
jobs_ready(struct lookup *l, enum fault fault, struct resolved *addrs)
{
	struct resolve_job *j;

	while ((j = TAILQ_FIRST(&l->jobs)))
		job_ready(l->resolver, j, fault, addrs);
}

/* --- look-ups --- */

static void
lookup_hide(struct lookup *l)
{
	if (l->joinable)
		LIST_REMOVE(l, same_slot);
	l->joinable = false;
}

/* Nothing of it may be waiting in c-ares, unless its upstream dies with it. */
static void
lookup_free(struct lookup *l)
{
	struct resolver *r = l->resolver;

	lookup_hide(l);
	timer_clear(&l->timer);
	if (l->answered)
		TAILQ_REMOVE(&r->answered, l, answer);
	TAILQ_REMOVE(&r->lookups, l, link);
	r->n_lookups--;
	upstream_unref(l->upstream);
	free(l);
}

static struct span
lookup_name(const struct lookup *l)
{
	return span_of(l->name, l->n);
}

static void
keep(struct lookup *l, struct resolved *addrs, enum fault fault, uint64_t expires_us)
{
	struct resolver *r = l->resolver;

	if (l->upstream == r->upstream) /* else it was asked by an older configuration */
		resolve_cache_put(&r->cache, lookup_name(l), l->hash, addrs, fault, expires_us);
}

static uint64_t
after_s(struct resolver *r, uint32_t s)
{
	return loop_now_us(r->loop) + (uint64_t)s * 1000000;
}

/* All addresses at hand. Null: out of memory. */
static struct resolved *
lookup_addrs(struct lookup *l)
{
	const struct dns_answer *six = &l->half[0].q.answer, *four = &l->half[1].q.answer;
	uint32_t                 ttl = TTL_MOST_S;

	for (int i = 0; i < 2; i++) {
		const struct half *h = &l->half[i];
		if (h->waiting || (h->fault != FAULT_NONE && h->fault != FAULT_DNS_NXDOMAIN))
			ttl = ttl < TTL_HALF_S ? ttl : TTL_HALF_S;
		else if (h->q.answer.n && h->q.answer.ttl < ttl)
			ttl = h->q.answer.ttl;
	}
	if (ttl < TTL_LEAST_S)
		ttl = TTL_LEAST_S;
	return resolved_new(
	    six->addr, l->half[0].waiting ? 0 : six->n, four->addr, l->half[1].waiting ? 0 : four->n, after_s(l->resolver, ttl));
}

/* Tell the callers, once. Late answers come here too, for the cache only. */
static void
lookup_tell_addrs(struct lookup *l)
{
	struct resolved *addrs = lookup_addrs(l);

	if (addrs)
		keep(l, addrs, FAULT_NONE, addrs->expires_us);
	jobs_ready(l, addrs ? FAULT_NONE : FAULT_NO_MEMORY, addrs);
	resolved_unref(addrs);
	l->told = true;
	lookup_hide(l);
}

static void
lookup_tell_fault(struct lookup *l, enum fault fault)
{
	jobs_ready(l, fault, NULL);
	l->told = true;
	lookup_hide(l);
}

static bool
half_has(const struct half *h)
{
	return !h->waiting && h->q.answer.n > 0;
}

static void
on_lookup_timer(void *arg)
{
	struct lookup *l = arg;

	if (half_has(&l->half[0]) || half_has(&l->half[1]))
		lookup_tell_addrs(l);
	else
		lookup_tell_fault(l, FAULT_DNS_TIMEOUT);
	/* what is still under way ends by c-ares' own timeouts */
	resolver_settle(l->resolver);
}

static void
on_question_done(struct question *q, enum fault fault)
{
	struct half   *h = (struct half *)q;
	struct lookup *l = h->lookup;

	h->waiting = false;
	h->fault = fault;
	if (fault != FAULT_NONE)
		q->answer.n = 0;
	if (!l->answered)
		TAILQ_INSERT_TAIL(&l->resolver->answered, l, answer);
	l->answered = true;
}

/* Ask for the next candidate. False: there is none. */
static bool
lookup_ask(struct lookup *l)
{
	do {
		if (!resolv_conf_candidate(upstream_conf(l->upstream), lookup_name(l), l->candidate++, l->candidate_name, &l->as_is))
			return false;
	} while (!l->candidate_name[0]);
	/* both wait before either is asked: an answer may come at once */
	for (int i = 0; i < 2; i++) {
		struct half *h = &l->half[i];
		h->lookup = l;
		h->waiting = true;
		h->q.fn = on_question_done;
		h->q.name = l->candidate_name;
		h->q.type = i ? DNS_TYPE_A : DNS_TYPE_AAAA;
	}
	for (int i = 0; i < 2; i++)
		question_ask(l->upstream, &l->half[i].q);
	return true;
}

/* Why this candidate has no address: the less final reason of the two, so that trouble is not taken for "no". */
static enum fault
candidate_fault(const struct lookup *l)
{
	static const enum fault order[] = {
	    FAULT_DNS_NXDOMAIN, FAULT_NO_MEMORY, FAULT_DNS_ERROR, FAULT_DNS_REFUSED, FAULT_DNS_UNREACHABLE, FAULT_DNS_TIMEOUT};

	for (size_t i = 0; i < sizeof order / sizeof *order; i++)
		if (l->half[0].fault == order[i] || l->half[1].fault == order[i])
			return order[i];
	return FAULT_DNS_NO_ADDRESS;
}

static uint32_t
candidate_negative_s(const struct lookup *l)
{
	uint32_t least = DNS_NO_TTL;

	for (int i = 0; i < 2; i++)
		if (l->half[i].q.answer.negative_ttl < least)
			least = l->half[i].q.answer.negative_ttl;
	if (least == DNS_NO_TTL)
		return NEGATIVE_S;
	if (least < TTL_LEAST_S)
		return TTL_LEAST_S;
	return least < NEGATIVE_MOST_S ? least : NEGATIVE_MOST_S;
}

/* The candidate has no address: remember why, as res_search does. The name itself counts most when it was asked first; else a name that is
 * there without address, then trouble. */
static void
candidate_note(struct lookup *l, enum fault fault)
{
	bool     is_no = fault == FAULT_DNS_NXDOMAIN || fault == FAULT_DNS_NO_ADDRESS;
	uint32_t s = is_no ? candidate_negative_s(l) : ERROR_S;

	if (s < l->negative_s)
		l->negative_s = s;
	if (l->fault == FAULT_NONE) {
		l->pinned = l->as_is && l->candidate == 1;
		l->fault = fault;
	} else if (!l->pinned && (fault == FAULT_DNS_NO_ADDRESS || l->fault == FAULT_DNS_NXDOMAIN)) {
		l->fault = fault;
	}
}

static void
lookup_delay(struct lookup *l)
{
	if (l->delayed)
		return;
	l->delayed = true;
	if (loop_now_us(l->resolver->loop) + DELAY_MS * 1000 < l->deadline_us)
		timer_set(l->resolver->loop, &l->timer, DELAY_MS);
}

/* Look at the answers that have come. */
static void
lookup_settle(struct lookup *l)
{
	bool       waiting = l->half[0].waiting || l->half[1].waiting, has = half_has(&l->half[0]) || half_has(&l->half[1]);
	enum fault fault;

	if (waiting) {
		if (has && !l->told)
			lookup_delay(l);
		return;
	}
	if (has) {
		lookup_tell_addrs(l);
	} else if (!l->told) {
		fault = candidate_fault(l);
		if (fault != FAULT_DNS_TIMEOUT && fault != FAULT_NO_MEMORY) {
			candidate_note(l, fault);
			if (lookup_ask(l))
				return;
			fault = l->fault;
			keep(l, NULL, fault, after_s(l->resolver, l->negative_s));
		}
		lookup_tell_fault(l, fault);
	}
	lookup_free(l);
}

static void
resolver_settle(void *arg)
{
	struct resolver    *r = arg;
	struct lookup      *l;
	struct resolve_job *j, told;

	while ((l = TAILQ_FIRST(&r->answered))) {
		TAILQ_REMOVE(&r->answered, l, answer);
		l->answered = false;
		lookup_settle(l);
	}
	while (!r->dead && (j = TAILQ_FIRST(&r->ready))) {
		TAILQ_REMOVE(&r->ready, j, link);
		told = *j;
		free(j);
		told.done(told.arg, told.fault, told.addrs);
	}
}

static void
on_kick(void *arg, unsigned what)
{
	(void)what;
	resolver_settle(arg);
}

/* --- what callers see --- */

static struct cache_entry *
resolver_find(struct resolver *r, struct span name, uint64_t hash)
{
	struct cache_entry *e = resolve_cache_find(&r->hosts, name, hash, 0);

	return e ? e : resolve_cache_find(&r->cache, name, hash, loop_now_us(r->loop));
}

struct resolved *
resolver_cached(struct resolver *r, struct span name, enum fault *fault)
{
	struct cache_entry *e = resolver_find(r, name, resolve_hash(r->seed, name));

	*fault = e ? e->fault : FAULT_NONE;
	if (!e)
		return NULL;
	return e->addrs ? resolved_ref(e->addrs) : NULL;
}

static struct lookup *
lookup_find(struct resolver *r, struct span name, uint64_t hash)
{
	struct lookup *l;

	LIST_FOREACH(l, &r->table[hash % TABLE], same_slot)
	if (l->hash == hash && span_eq(lookup_name(l), name))
		return l;
	return NULL;
}

static struct lookup *
lookup_new(struct resolver *r, struct span name, uint64_t hash)
{
	struct lookup *l = calloc(1, sizeof *l + name.n);

	if (!l)
		return NULL;
	l->resolver = r;
	l->upstream = upstream_ref(r->upstream);
	TAILQ_INIT(&l->jobs);
	l->negative_s = NEGATIVE_MOST_S;
	l->hash = hash;
	l->n = (unsigned)name.n;
	memcpy(l->name, name.p, name.n);
	timer_init(&l->timer, on_lookup_timer, l);
	timer_set(r->loop, &l->timer, r->timeout_ms);
	l->deadline_us = loop_now_us(r->loop) + r->timeout_ms * 1000;
	LIST_INSERT_HEAD(&r->table[hash % TABLE], l, same_slot);
	l->joinable = true;
	TAILQ_INSERT_TAIL(&r->lookups, l, link);
	r->n_lookups++;
	return l;
}

/* c-ares reads names as text with escapes; no canonical name holds what would need one. */
static bool
name_is_askable(struct span name)
{
	return name.n > 0 && name.n <= RESOLV_NAME_MAX + 1 && !memchr(name.p, '\0', name.n) && !memchr(name.p, '\\', name.n);
}

struct resolve_job *
resolver_start(struct resolver *r, struct span name, resolve_fn *done, void *arg)
{
	struct resolve_job *j = malloc(sizeof *j);
	uint64_t            hash = resolve_hash(r->seed, name);
	struct cache_entry *e;
	struct lookup      *l;

	if (!j)
		return NULL;
	*j = (struct resolve_job){.done = done, .arg = arg};
	if (!name_is_askable(name)) {
		job_ready(r, j, FAULT_DNS_NXDOMAIN, NULL);
	} else if ((e = resolver_find(r, name, hash))) {
		job_ready(r, j, e->fault, e->addrs);
	} else {
		l = lookup_find(r, name, hash);
		if (!l && r->n_lookups == LOOKUPS_MAX) { /* a name server that answers never has so many waiting */
			job_ready(r, j, FAULT_DNS_TIMEOUT, NULL);
			goto out;
		}
		if (!l) {
			l = lookup_new(r, name, hash);
			if (!l) {
				free(j);
				return NULL;
			}
			if (!lookup_ask(l)) {
				lookup_free(l);
				job_ready(r, j, FAULT_DNS_NXDOMAIN, NULL);
				goto out;
			}
		}
		j->on = &l->jobs;
		TAILQ_INSERT_TAIL(&l->jobs, j, link);
	}
out:
	if (!TAILQ_EMPTY(&r->ready) || !TAILQ_EMPTY(&r->answered))
		watch_again(&r->kick, WATCH_READ);
	return j;
}

bool
resolver_reconfigure(struct resolver *r, const struct resolver_config *c)
{
	struct resolv_conf  *conf = malloc(sizeof *conf);
	struct resolve_cache hosts;
	struct upstream     *u;
	struct lookup       *l;

	if (!conf)
		return false;
	resolv_conf_read(conf, c->resolv_conf, span_str(r->host));
	if (c->n_servers) {
		conf->n_servers = c->n_servers < RESOLV_SERVERS_MAX ? c->n_servers : RESOLV_SERVERS_MAX;
		memcpy(conf->servers, c->servers, conf->n_servers * sizeof *conf->servers);
	}
	resolve_cache_init(&hosts, UINT32_MAX, r->seed);
	u = resolve_hosts_read(&hosts, c->hosts) ? upstream_new(r->loop, conf, c->timeout_ms, resolver_settle, r) : NULL;
	free(conf);
	if (!u) {
		resolve_cache_clear(&hosts);
		return false;
	}
	TAILQ_FOREACH(l, &r->lookups, link)
	lookup_hide(l);
	upstream_unref(r->upstream);
	r->upstream = u;
	r->timeout_ms = c->timeout_ms;
	resolve_cache_clear(&r->hosts);
	resolve_cache_clear(&r->cache);
	resolve_cache_init(&r->cache, c->cache_names, r->seed);
	resolve_cache_take(&r->hosts, &hosts);
	return true;
}

struct resolver *
resolver_new(struct loop *loop, const struct resolver_config *c)
{
	struct resolver *r = calloc(1, sizeof *r);

	if (!r)
		return NULL;
	r->loop = loop;
	TAILQ_INIT(&r->lookups);
	TAILQ_INIT(&r->answered);
	TAILQ_INIT(&r->ready);
	watch_init_idle(&r->kick, loop, on_kick, r);
	if (getrandom(&r->seed, sizeof r->seed, 0) != sizeof r->seed)
		goto fail;
	resolve_cache_init(&r->cache, 0, r->seed);
	resolve_cache_init(&r->hosts, 0, r->seed);
	gethostname(r->host, sizeof r->host - 1);
	if (!resolver_reconfigure(r, c))
		goto fail;
	return r;
fail:
	free(r);
	return NULL;
}

static void
jobs_free(struct job_list *jobs)
{
	struct resolve_job *j;

	while ((j = TAILQ_FIRST(jobs)))
		resolve_job_cancel(j);
}

void
resolver_free(struct resolver *r)
{
	struct lookup *l;

	if (!r)
		return;
	jobs_free(&r->ready);
	while ((l = TAILQ_FIRST(&r->lookups))) {
		jobs_free(&l->jobs);
		lookup_free(l);
	}
	watch_clear(&r->kick);
	upstream_unref(r->upstream);
	resolve_cache_clear(&r->cache);
	resolve_cache_clear(&r->hosts);
	r->dead = true;
	loop_bury(r->loop, &r->grave);
}
