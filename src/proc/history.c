/* SPDX-License-Identifier: MIT */
#include "proc/history.h"

#include <string.h>

#define RATE_POINTS 5u  /* rates are over so many steps */
#define TIME_POINTS 30u /* and times, which need some that ended */

const char *const point_word[POINT_FIELDS] = {
	[POINT_TUNNELS] = "tunnels",
	[POINT_CONNECTIONS] = "connections",
	[POINT_BYPASS] = "bypass",
	[POINT_TUNNEL] = "tunnel",
	[POINT_INSPECT] = "inspect",
	[POINT_DENY] = "deny",
	[POINT_REFUSED] = "refused",
	[POINT_LOG_ON] = "log_on",
	[POINT_SERVER] = "server",
	[POINT_CLIENT] = "client",
	[POINT_RECEIVED] = "received",
	[POINT_SENT] = "sent",
	[POINT_CONNECT_HALF] = "connect_p50",
	[POINT_CONNECT_MOST] = "connect_p95",
	[POINT_REQUEST_HALF] = "request_p50",
	[POINT_REQUEST_MOST] = "request_p95",
};

/* Whose fault it was: the field of a point that counts it; POINT_FIELDS: nobody's. */
static enum point_field
fault_kind(enum fault f)
{
	const struct fault_row *row = fault_row(f);

	if (f == FAULT_NONE)
		return POINT_FIELDS;
	if (row->status == 407)
		return POINT_LOG_ON;
	if (row->tag == TAG_DENIED || row->tag == TAG_REDIRECT)
		return POINT_REFUSED;
	return row->status >= 500 && row->tag != TAG_NOREQUEST ? POINT_SERVER : POINT_CLIENT;
}

void
history_add(struct history *h, const struct shared *s, uint64_t now_us)
{
	struct sample *to = &h->v[h->next];

	memset(to, 0, sizeof *to);
	to->at_us = now_us;
	for (uint32_t w = 0; w < s->n_workers; w++) {
		const struct worker_counters *c = &s->worker[w].counters;
		to->tunnels += c->tunnels_open;
		to->connections += c->open;
		to->bytes_in += c->bytes_in;
		to->bytes_out += c->bytes_out;
		for (unsigned i = 0; i < 4; i++)
			to->by_action[i] += c->by_action[i];
		for (unsigned f = 0; f < FAULT_COUNT; f++)
			to->by_fault[f] += c->by_fault[f];
		for (unsigned b = 0; b <= HISTOGRAM_BOUNDS; b++) {
			to->connect[b] += s->worker[w].time[HISTOGRAM_CONNECT].bucket[b];
			to->request[b] += s->worker[w].time[HISTOGRAM_REQUEST].bucket[b];
		}
	}
	h->next = (h->next + 1) % HISTORY_POINTS;
	if (h->n < HISTORY_POINTS)
		h->n++;
}

static const struct sample *
sample_at(const struct history *h, unsigned i)
{
	return &h->v[(h->next + HISTORY_POINTS - h->n + i) % HISTORY_POINTS];
}

static uint64_t
grown(uint64_t now, uint64_t before)
{
	return now > before ? now - before : 0;
}

/* A second, in thousandths. */
static uint64_t
rate(uint64_t n, uint64_t us)
{
	return us ? (uint64_t)((double)n * 1e9 / (double)us) : 0;
}

uint64_t
histogram_quantile(const uint64_t n[HISTOGRAM_BOUNDS + 1], unsigned per_thousand)
{
	uint64_t all = 0, below = 0;
	double   want;

	for (unsigned b = 0; b <= HISTOGRAM_BOUNDS; b++)
		all += n[b];
	if (!all)
		return POINT_NONE;
	want = (double)all * per_thousand / 1000;
	for (unsigned b = 0; b < HISTOGRAM_BOUNDS; b++) {
		double from = b ? histogram_bound_ms[b - 1] : 0, to = histogram_bound_ms[b];
		if (n[b] && (double)(below + n[b]) >= want)
			return (uint64_t)((from + (to - from) * (want - (double)below) / (double)n[b]) * 1000);
		below += n[b];
	}
	return (uint64_t)histogram_bound_ms[HISTOGRAM_BOUNDS - 1] * 1000; /* or more: nobody knows */
}

static void
times(const uint64_t now[HISTOGRAM_BOUNDS + 1], const uint64_t before[HISTOGRAM_BOUNDS + 1], uint64_t *half, uint64_t *most)
{
	uint64_t n[HISTOGRAM_BOUNDS + 1];

	for (unsigned b = 0; b <= HISTOGRAM_BOUNDS; b++)
		n[b] = grown(now[b], before[b]);
	*half = histogram_quantile(n, 500);
	*most = histogram_quantile(n, 950);
}

bool
history_point(const struct history *h, unsigned i, struct point *out)
{
	static const enum point_field of_action[4] = {
		[ACTION_BYPASS] = POINT_BYPASS, [ACTION_TUNNEL] = POINT_TUNNEL, [ACTION_INSPECT] = POINT_INSPECT, [ACTION_DENY] = POINT_DENY};
	uint64_t             faults[POINT_FIELDS + 1] = {0}, us;
	const struct sample *now, *before, *earlier;

	if (i >= h->n)
		return false;
	now = sample_at(h, i);
	before = sample_at(h, i > RATE_POINTS ? i - RATE_POINTS : 0);
	earlier = sample_at(h, i > TIME_POINTS ? i - TIME_POINTS : 0);
	us = grown(now->at_us, before->at_us);
	out->v[POINT_TUNNELS] = now->tunnels * 1000;
	out->v[POINT_CONNECTIONS] = now->connections * 1000;
	for (unsigned a = 0; a < 4; a++)
		out->v[of_action[a]] = rate(grown(now->by_action[a], before->by_action[a]), us);
	for (unsigned f = 0; f < FAULT_COUNT; f++)
		faults[fault_kind((enum fault)f)] += grown(now->by_fault[f], before->by_fault[f]);
	for (unsigned k = POINT_REFUSED; k <= POINT_CLIENT; k++)
		out->v[k] = rate(faults[k], us);
	out->v[POINT_RECEIVED] = rate(grown(now->bytes_in, before->bytes_in), us);
	out->v[POINT_SENT] = rate(grown(now->bytes_out, before->bytes_out), us);
	times(now->connect, earlier->connect, &out->v[POINT_CONNECT_HALF], &out->v[POINT_CONNECT_MOST]);
	times(now->request, earlier->request, &out->v[POINT_REQUEST_HALF], &out->v[POINT_REQUEST_MOST]);
	return true;
}

uint64_t
history_faults(const struct history *h, enum fault f)
{
	return h->n ? grown(sample_at(h, h->n - 1)->by_fault[f], sample_at(h, 0)->by_fault[f]) : 0;
}
