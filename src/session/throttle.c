/* SPDX-License-Identifier: MIT */
#include "session/throttle.h"

#include <stdlib.h>

#include "session/session.h"

#define ROUND_MS    16u             /* a tick of the wheel */
#define SAVED_PART  4u              /* of the burst, that is left in the bucket before turns become longer */
#define TURN_LEAST  2048u           /* bytes: below it system calls cost more than fairness is worth */
#define TURN_MOST   (16u << 20)
#define TAKE_MOST   (256u << 10)    /* by somebody before whom nobody waits */
#define CLAIMS      3

/* One bucket that a session takes from. */
struct claim {
	_Atomic uint64_t *paid_ns;
	uint64_t          rate;
	uint32_t          under; /* a rule slot, or RULE_SLOTS and the number of a client's count */
};

static void on_round(void *arg);

void
throttle_init(struct gateway *gw)
{
	struct throttle *t = &gw->throttle;

	TAILQ_INIT(&t->waiting[0]);
	TAILQ_INIT(&t->waiting[1]);
	TAILQ_INIT(&t->again);
	timer_init(&t->timer, on_round, gw);
}

void
throttle_clear(struct gateway *gw)
{
	timer_clear(&gw->throttle.timer);
	free(gw->throttle.rule);
	gw->throttle.rule = NULL;
}

/* --- rates --- */

static bool
has_rates(const struct snapshot *s)
{
	for (uint32_t i = 0; i < policy_rule_count(s->policy); i++) {
		const struct rule_way *way = policy_rule_way(s->policy, i);
		if (way->bandwidth || way->bandwidth_per_client)
			return true;
	}
	return false;
}

bool
throttle_prepare(struct gateway *gw, const struct snapshot *s)
{
	struct throttle *t = &gw->throttle;

	return t->rule || !has_rates(s) || (t->rule = calloc(RULE_SLOTS, sizeof *t->rule));
}

void
throttle_use(struct gateway *gw, const struct snapshot *s)
{
	struct throttle *t = &gw->throttle;

	t->client = s->set->bandwidth_per_client;
	t->on = t->client > 0;
	if (!t->rule)
		return;
	memset(t->rule, 0, RULE_SLOTS * sizeof *t->rule);
	for (uint32_t i = 0; i < policy_rule_count(s->policy); i++) {
		const struct rule_way *way = policy_rule_way(s->policy, i);
		if (!way->slot || way->slot >= RULE_SLOTS)
			continue;
		t->rule[way->slot] = (struct throttle_rates){way->bandwidth, way->bandwidth_per_client};
		t->on |= way->bandwidth || way->bandwidth_per_client;
	}
}

static uint64_t
now_ns(const struct session *s)
{
	return loop_now_us(s->gw->loop) * 1000;
}

static void
claim_client(const struct session *s, uint32_t under, uint64_t rate, struct claim *c)
{
	uint32_t number;

	c->paid_ns = limits_client(&s->gw->shared->limits, under, &s->peer.addr, now_ns(s), &number);
	c->rate = rate;
	c->under = RULE_SLOTS + (number & (THROTTLE_CLIENTS - 1));
}

/* The buckets that a session takes from, the rule's first. */
static unsigned
claims_of(const struct session *s, struct claim c[CLAIMS])
{
	const struct throttle      *t = &s->gw->throttle;
	const struct throttle_rates none = {0, 0}, *r = t->rule ? &t->rule[s->limited_by] : &none;
	unsigned                    n = 0;

	if (r->all)
		c[n++] = (struct claim){&s->gw->shared->limits.rule[s->limited_by].paid_ns, r->all, s->limited_by};
	if (r->client)
		claim_client(s, s->limited_by, r->client, &c[n++]);
	if (t->client)
		claim_client(s, RULE_SLOTS, t->client, &c[n++]);
	return n;
}

/* --- who waits --- */

static uint32_t
waiting_before(const struct gateway *gw, const struct claim *c)
{
	return c->under < RULE_SLOTS ? shared_waiting(gw->shared, c->under) : gw->throttle.clients_waiting[c->under - RULE_SLOTS];
}

static void
count_waiting(struct gateway *gw, uint32_t under, bool comes)
{
	if (under >= RULE_SLOTS)
		gw->throttle.clients_waiting[under - RULE_SLOTS] = (uint16_t)(gw->throttle.clients_waiting[under - RULE_SLOTS] + (comes ? 1 : -1));
	else if (comes)
		atomic_fetch_add_explicit(&gw->shared->worker[gw->worker].limits.waiting[under], 1, memory_order_relaxed);
	else
		atomic_fetch_sub_explicit(&gw->shared->worker[gw->worker].limits.waiting[under], 1, memory_order_relaxed);
}

static void
join(struct session *s, struct wait_list *list, uint32_t under)
{
	s->wait.on = list;
	s->wait.under = under;
	TAILQ_INSERT_TAIL(list, s, wait.link);
	count_waiting(s->gw, under, true);
}

static void
leave(struct session *s)
{
	TAILQ_REMOVE(s->wait.on, s, wait.link);
	s->wait.on = NULL;
	count_waiting(s->gw, s->wait.under, false);
}

void
throttle_quit(struct session *s)
{
	leave(s);
	s->gw->count->throttled_us += loop_now_us(s->gw->loop) - s->wait.since_us;
}

static void
begin_wait(struct session *s, uint32_t under)
{
	struct throttle *t = &s->gw->throttle;

	s->wait.since_us = loop_now_us(s->gw->loop);
	join(s, t->in_round ? &t->again : &t->waiting[t->row], under);
	if (!t->in_round && !t->timer.at_tick) {
		t->round_us = s->wait.since_us;
		timer_set(s->gw->loop, &t->timer, ROUND_MS);
	}
}

/* --- taking --- */

/* From all of them; 0: *dry has not enough. */
static uint64_t
take(const struct claim *c, unsigned n_claims, uint64_t want, uint64_t ns, unsigned *dry)
{
	uint64_t n = want, got;

	for (unsigned i = 0; i < n_claims; i++) {
		got = bucket_take(c[i].paid_ns, c[i].rate, n, ns);
		for (unsigned k = 0; k < i; k++)
			bucket_give(c[k].paid_ns, c[k].rate, n - got);
		n = got;
		if (!n) {
			*dry = i;
			break;
		}
	}
	return n;
}

size_t
throttle_take_some(struct session *s, size_t want)
{
	struct throttle *t = &s->gw->throttle;
	struct claim     c[CLAIMS];
	unsigned         n_claims, dry = 0;
	uint64_t         n;

	if (s->wait.on)
		return 0;
	n_claims = claims_of(s, c);
	if (!n_claims)
		return want;
	if (t->turn == s) {
		n = want < t->left ? want : t->left;
	} else {
		n = want < TAKE_MOST ? want : TAKE_MOST;
		for (unsigned i = 0; i < n_claims && n; i++)
			if (waiting_before(s->gw, &c[i])) {
				dry = i;
				n = 0;
			}
	}
	if (n)
		n = take(c, n_claims, n, now_ns(s), &dry);
	if (!n)
		begin_wait(s, c[dry].under);
	else if (t->turn == s)
		t->left -= n;
	return (size_t)n;
}

void
throttle_give_back(struct session *s, size_t n)
{
	struct claim c[CLAIMS];
	unsigned     n_claims = n ? claims_of(s, c) : 0;

	for (unsigned i = 0; i < n_claims; i++)
		bucket_give(c[i].paid_ns, c[i].rate, n);
	if (s->gw->throttle.turn == s)
		s->gw->throttle.left += n;
}

void
throttle_charge(struct session *s, size_t n)
{
	struct claim c[CLAIMS];
	unsigned     n_claims = n ? claims_of(s, c) : 0;

	for (unsigned i = 0; i < n_claims; i++)
		bucket_charge(c[i].paid_ns, c[i].rate, n, now_ns(s));
}

enum lane_answer
throttle_pump_some(struct session *s, struct lane *l, struct side *from, struct side *to)
{
	size_t           may, taken;
	enum lane_answer answer;

	taken = may = lane_wants(l, from, to) ? throttle_take_some(s, SIZE_MAX) : 0;
	answer = lane_pump(l, from, to, &s->gw->lanes, &may);
	throttle_give_back(s, may);
	return answer == LANE_DRY && taken && !s->wait.on ? LANE_AGAIN : answer;
}

/* --- rounds --- */

/* How much one of those who wait for this rule may have in this round, so that all have as much, in whichever worker they are: its part of what came in since
 * the last round, and of what is left over from before. */
static uint64_t
turn_of(const struct gateway *gw, const struct claim *c, uint64_t since_us, uint64_t ns)
{
	uint64_t others = waiting_before(gw, c), level = bucket_level(c->paid_ns, c->rate, ns), came, kept, turn;

	if (c->under >= RULE_SLOTS)
		return TURN_MOST;
	since_us = since_us < BUCKET_BURST_NS / 1000 ? since_us : BUCKET_BURST_NS / 1000;
	came = c->rate / 1000 * since_us / 1000;
	kept = c->rate / (1000000000 / BUCKET_BURST_NS) / SAVED_PART;
	if (level > kept && level - kept > came)
		came = level - kept;
	turn = came / (others + 1);
	return turn < TURN_LEAST ? TURN_LEAST : turn < TURN_MOST ? turn : TURN_MOST;
}

/* False: there is nothing for it, and it keeps its place. */
static bool
serve(struct session *s, uint64_t since_us)
{
	struct throttle *t = &s->gw->throttle;
	struct claim     c[CLAIMS];
	unsigned         n = claims_of(s, c);
	uint64_t         began_us = s->wait.since_us, ns = now_ns(s), turn = TURN_MOST, before;

	for (unsigned i = 0; i < n; i++) {
		uint64_t least = turn_of(s->gw, &c[i], since_us, ns);
		if (bucket_level(c[i].paid_ns, c[i].rate, ns) < bucket_least(c[i].rate)) {
			leave(s);
			join(s, &t->waiting[t->row], c[i].under);
			s->wait.since_us = began_us;
			return false;
		}
		turn = least < turn ? least : turn;
	}
	throttle_quit(s);
	t->turn = s;
	t->left = turn;
	do {
		before = t->left;
		session_go_on(s);
	} while (s->state != SESSION_DONE && !s->wait.on && t->left && t->left < before);
	t->turn = NULL;
	return true;
}

static void
on_round(void *arg)
{
	struct gateway   *gw = arg;
	struct throttle  *t = &gw->throttle;
	struct wait_list *due = &t->waiting[t->row];
	struct session   *s;
	uint64_t          now_us = loop_now_us(gw->loop), since_us = now_us - t->round_us;

	t->round_us = now_us;
	t->row = !t->row;
	t->in_round = true;
	while ((s = TAILQ_FIRST(due)))
		serve(s, since_us);
	t->in_round = false;
	/* behind those who had nothing */
	while ((s = TAILQ_FIRST(&t->again))) {
		TAILQ_REMOVE(&t->again, s, wait.link);
		s->wait.on = &t->waiting[t->row];
		TAILQ_INSERT_TAIL(s->wait.on, s, wait.link);
	}
	if (!TAILQ_EMPTY(&t->waiting[t->row]))
		timer_set(gw->loop, &t->timer, ROUND_MS);
}
