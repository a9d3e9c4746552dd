/* SPDX-License-Identifier: MIT */
/*
 * evidence: the rows are kept here and published one by one when they change. Loops are found by suspects: client, host and agent that got a 407 and have not
 * got through yet; most of them are handshakes that go on and are forgotten a moment later.
 */
#include "ipc/evidence.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "ipc/latest.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#define SETS  256u /* a power of two */
#define WAYS  4u

_Static_assert(sizeof(((struct addr *)0)->b) == 2 * sizeof(uint64_t), "an address is two words of a hash");
_Static_assert(sizeof(struct evidence_row) % sizeof(uint64_t) == 0, "copied by words");

struct suspect {
	uint64_t hash; /* of client, host, port and agent; 0: free */
	uint64_t first_us, last_us;
	uint64_t count;
};

struct evidence {
	uint64_t                key;
	struct shared_evidence *to; /* borrowed */
	uint32_t                n_suspects, n_loops;
	uint32_t                hash[EVIDENCE_HOSTS]; /* of each row's host */
	struct suspect          suspect[SETS][WAYS];
	struct evidence_row     row[EVIDENCE_HOSTS];
};

const char *
evidence_word(enum evidence_kind k)
{
	static const char *const word[EVIDENCE_KINDS] = {"-", "client-rejected-certificate", "origin-wants-certificate", "407-loop"};

	return (unsigned)k < EVIDENCE_KINDS ? word[k] : word[0];
}

static bool
holds(struct span text, const char *part)
{
	size_t n = strlen(part);

	for (size_t i = 0; i + n <= text.n; i++)
		if (strncasecmp(text.p + i, part, n) == 0)
			return true;
	return false;
}

static bool
begins(struct span text, const char *with)
{
	size_t n = strlen(with);

	return text.n >= n && memcmp(text.p, with, n) == 0;
}

/* Is this what a program says that nobody sits in front of? Whatever is no browser, and what is empty; some libraries of Windows call themselves Mozilla
 * as browsers do. */
static bool
is_machine(struct span agent)
{
	if (!begins(agent, "Mozilla/") && !begins(agent, "Opera/"))
		return true;
	return holds(agent, "WinHttp") || holds(agent, "MS Web Services") || holds(agent, "Microsoft BITS");
}

/* --- from process to process --- */

static void
publish(struct evidence *e, uint32_t i)
{
	if (e->to)
		latest_put(&e->to->slot[i].number, &e->to->slot[i].row, &e->row[i], sizeof e->row[i]);
}

static uint64_t
at_most(uint64_t n, uint64_t most)
{
	return n < most ? n : most;
}

bool
evidence_read(const struct shared_evidence *s, uint32_t slot, struct evidence_row *out)
{
	if (!latest_get(&s->slot[slot].number, &s->slot[slot].row, out, sizeof *out))
		return false;
	out->n_who = at_most(out->n_who, EVIDENCE_WHO);
	out->n_agents = at_most(out->n_agents, EVIDENCE_AGENTS);
	out->n_details = at_most(out->n_details, EVIDENCE_DETAILS);
	for (unsigned k = 0; k < EVIDENCE_AGENTS; k++)
		out->agent[k][EVIDENCE_AGENT_MAX - 1] = 0;
	for (unsigned k = 0; k < EVIDENCE_DETAILS; k++)
		out->detail[k][EVIDENCE_DETAIL_MAX - 1] = 0;
	out->host[sizeof out->host - 1] = 0;
	return out->kind != EVIDENCE_NONE && out->kind < EVIDENCE_KINDS;
}

/* --- rows --- */

static uint32_t
host_hash(const struct evidence *e, struct span host)
{
	return (uint32_t)XXH3_64bits_withSeed(host.p, host.n, e->key);
}

static void
count_rows(struct evidence *e)
{
	uint64_t n[EVIDENCE_KINDS] = {0};

	for (unsigned i = 0; i < EVIDENCE_HOSTS; i++)
		n[e->row[i].kind]++;
	e->n_loops = (uint32_t)n[EVIDENCE_LOOP];
	for (unsigned k = EVIDENCE_NONE + 1; e->to && k < EVIDENCE_KINDS; k++)
		atomic_store_explicit(&e->to->hosts[k], n[k], memory_order_relaxed);
}

/* The row of that kind for the event's host; null: there is none. */
static struct evidence_row *
row_find(struct evidence *e, enum evidence_kind kind, const struct evidence_event *ev)
{
	uint32_t hash = host_hash(e, ev->host);

	for (unsigned i = 0; i < EVIDENCE_HOSTS; i++) {
		struct evidence_row *r = &e->row[i];
		if (e->hash[i] == hash && r->kind == kind && r->port == ev->port && r->https == ev->https && span_eq(span_str(r->host), ev->host))
			return r;
	}
	return NULL;
}

static void
text_set(char *to, size_t room, struct span from)
{
	size_t n = from.n < room ? from.n : room - 1;

	memset(to, 0, room);
	for (size_t i = 0; i < n; i++)
		to[i] = from.p[i] ? from.p[i] : ' ';
}

/* Takes the place of the one that was not seen for longest. */
static struct evidence_row *
row_new(struct evidence *e, enum evidence_kind kind, const struct evidence_event *ev)
{
	unsigned at = 0;

	for (unsigned i = 0; i < EVIDENCE_HOSTS && e->row[at].kind != EVIDENCE_NONE; i++)
		if (e->row[i].kind == EVIDENCE_NONE || e->row[i].last_us < e->row[at].last_us)
			at = i;
	memset(&e->row[at], 0, sizeof e->row[at]);
	e->row[at].kind = kind;
	e->row[at].port = ev->port;
	e->row[at].https = ev->https;
	e->row[at].first_us = ev->when_us;
	text_set(e->row[at].host, sizeof e->row[at].host, ev->host);
	e->hash[at] = host_hash(e, ev->host);
	count_rows(e);
	return &e->row[at];
}

/* The number of a text among `n`; `room` when it is not there and there is none left. */
static uint32_t
text_number_of(char *texts, size_t size, uint64_t *n, uint32_t room, struct span text, bool add)
{
	char cut[EVIDENCE_AGENT_MAX > EVIDENCE_DETAIL_MAX ? EVIDENCE_AGENT_MAX : EVIDENCE_DETAIL_MAX];

	text_set(cut, size, text);
	for (uint32_t i = 0; i < *n; i++)
		if (strcmp(texts + i * size, cut) == 0)
			return i;
	if (*n == room || !add)
		return room;
	memcpy(texts + *n * size, cut, size);
	return (uint32_t)(*n)++;
}

static uint32_t
agent_number(struct evidence_row *r, struct span agent, bool add)
{
	return text_number_of(r->agent[0], EVIDENCE_AGENT_MAX, &r->n_agents, EVIDENCE_AGENTS, agent, add);
}

static struct evidence_who *
who_find(struct evidence_row *r, const struct addr *client, uint32_t agent)
{
	for (uint64_t i = 0; i < r->n_who; i++)
		if (r->who[i].agent == agent && addr_eq(&r->who[i].client, client))
			return &r->who[i];
	return NULL;
}

static void
row_add(struct evidence *e, enum evidence_kind kind, const struct evidence_event *ev, uint64_t times, uint64_t since_us)
{
	struct evidence_row *r = row_find(e, kind, ev);
	struct evidence_who *w;
	uint32_t             agent;

	if (!r)
		r = row_new(e, kind, ev);
	if (since_us < r->first_us)
		r->first_us = since_us;
	if (ev->when_us > r->last_us)
		r->last_us = ev->when_us;
	r->count += times;
	agent = agent_number(r, ev->agent, true);
	w = who_find(r, &ev->client, agent);
	if (!w && r->n_who < EVIDENCE_WHO) {
		w = &r->who[r->n_who++];
		*w = (struct evidence_who){.client = ev->client, .agent = agent};
	}
	if (w)
		w->count += times;
	else
		r->more += times;
	if (ev->detail.n)
		text_number_of(r->detail[0], EVIDENCE_DETAIL_MAX, &r->n_details, EVIDENCE_DETAILS, ev->detail, true);
	if (e->to)
		atomic_fetch_add_explicit(&e->to->times[kind], times, memory_order_relaxed);
	publish(e, (uint32_t)(r - e->row));
}

/* --- loops --- */

/* The suspect of this event, or (`add`) the one whose place it takes; null: there is none. */
static struct suspect *
suspect_find(struct evidence *e, const struct evidence_event *ev, bool add)
{
	struct suspect *set, *oldest;
	uint64_t        hash, part[5];

	part[0] = XXH3_64bits_withSeed(ev->host.p, ev->host.n, e->key);
	part[1] = XXH3_64bits_withSeed(ev->agent.p, ev->agent.n, e->key);
	part[2] = ev->port;
	memcpy(&part[3], ev->client.b, sizeof ev->client.b);
	hash = XXH3_64bits_withSeed(part, sizeof part, e->key) | 1;
	set = oldest = e->suspect[hash >> 32 & (SETS - 1)];
	for (unsigned i = 0; i < WAYS; i++) {
		if (set[i].hash == hash)
			return &set[i];
		if (!set[i].hash || (oldest->hash && set[i].last_us < oldest->last_us))
			oldest = &set[i];
	}
	if (!add)
		return NULL;
	e->n_suspects += !oldest->hash;
	*oldest = (struct suspect){.hash = hash, .first_us = ev->when_us};
	return oldest;
}

/* A log-on that got nowhere. */
static void
challenged(struct evidence *e, const struct evidence_event *ev)
{
	struct suspect *s = suspect_find(e, ev, true);
	bool            is_known = s->count >= EVIDENCE_LOOP_TIMES;

	/* spread over a longer time it is no loop; what was one once stays one, however slow it has become */
	if (!is_known && ev->when_us > s->first_us + EVIDENCE_LOOP_US) {
		s->first_us = ev->when_us;
		s->count = 0;
	}
	s->last_us = ev->when_us;
	if (++s->count == EVIDENCE_LOOP_TIMES)
		row_add(e, EVIDENCE_LOOP, ev, s->count, s->first_us);
	else if (is_known)
		row_add(e, EVIDENCE_LOOP, ev, 1, ev->when_us);
}

static void
row_drop(struct evidence *e, struct evidence_row *r)
{
	memset(r, 0, sizeof *r);
	count_rows(e);
}

/* It can log on after all, or need not any more. */
static void
passed(struct evidence *e, const struct evidence_event *ev)
{
	struct suspect      *s = e->n_suspects ? suspect_find(e, ev, false) : NULL;
	struct evidence_row *r = e->n_loops ? row_find(e, EVIDENCE_LOOP, ev) : NULL;
	struct evidence_who *w = r ? who_find(r, &ev->client, agent_number(r, ev->agent, false)) : NULL;

	if (s) {
		*s = (struct suspect){0};
		e->n_suspects--;
	}
	if (!w)
		return;
	r->count -= w->count;
	*w = r->who[--r->n_who];
	if (r->count == 0)
		row_drop(e, r);
	publish(e, (uint32_t)(r - e->row));
}

/* The next leg of a handshake: that client does have credentials. */
static void
continued(struct evidence *e, const struct evidence_event *ev)
{
	struct suspect *s = suspect_find(e, ev, false);

	if (s && s->count && s->count < EVIDENCE_LOOP_TIMES)
		s->count--;
}

/* --- what is what --- */

void
evidence_note(struct evidence *e, const struct evidence_event *ev)
{
	bool wanted = ev->status == 400 && begins(ev->detail, EVIDENCE_WANTED);

	if (!ev->host.n || ev->host.n >= sizeof e->row[0].host)
		return;
	if (ev->fault == FAULT_CLIENT_REJECTED_CERTIFICATE)
		row_add(e, EVIDENCE_REJECTED, ev, 1, ev->when_us);
	else if ((ev->fault == FAULT_ORIGIN_WANTS_CERTIFICATE && ev->is_connect) || wanted) /* requests inside say it once more */
		row_add(e, EVIDENCE_WANTS, ev, 1, ev->when_us);
	if (ev->fault == FAULT_AUTH_CONTINUES)
		continued(e, ev);
	else if ((ev->status == 407 || ev->fault == FAULT_AUTH_LIMITED) && is_machine(ev->agent))
		challenged(e, ev);
	else if (ev->is_decided && ev->status && ev->status != 407 && ev->fault != FAULT_AUTH_LIMITED && ev->fault != FAULT_AUTH_UNAVAILABLE)
		passed(e, ev);
}

size_t
evidence_rows(const struct evidence *e, const struct evidence_row *out[EVIDENCE_HOSTS])
{
	size_t n = 0;

	for (unsigned i = 0; i < EVIDENCE_HOSTS; i++)
		if (e->row[i].kind != EVIDENCE_NONE)
			out[n++] = &e->row[i];
	return n;
}

struct evidence *
evidence_new(uint64_t key, struct shared_evidence *to)
{
	struct evidence *e = calloc(1, sizeof *e);

	if (!e)
		return NULL;
	e->key = key;
	e->to = to;
	for (uint32_t i = 0; to && i < EVIDENCE_HOSTS; i++) {
		if (evidence_read(to, i, &e->row[i]))
			e->hash[i] = host_hash(e, span_str(e->row[i].host));
		else
			memset(&e->row[i], 0, sizeof e->row[i]);
	}
	count_rows(e);
	return e;
}

void
evidence_free(struct evidence *e)
{
	free(e);
}
