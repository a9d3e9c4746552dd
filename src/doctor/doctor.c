/* SPDX-License-Identifier: MIT */
#include "doctor/doctor.h"

#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>

#include "doctor/attempt.h"
#include "parse/authority.h"

/* A target by all its ways. */
struct unit {
	struct doctor *doctor;
	unsigned       open; /* attempts under way */
	unsigned       n;    /* ways: directly, each parent of the target, the gateway */
	struct attempt by[];
};

struct doctor {
	struct grave                  grave;
	struct run                    run;
	const struct doctor_settings *set;
	void (*each)(void *arg, const struct doctor_row *row);
	void (*done)(void *arg);
	void                *arg;
	struct watch         turn; /* begins the next ones, tells what was found */
	struct doctor_target *target;
	size_t               n, next, told, running;
	struct unit         *unit[]; /* null: not begun, or told */
};

/* --- one target --- */

static bool
same_print(const struct doctor_row *a, const struct doctor_row *b)
{
	return memcmp(a->leaf_sha256, b->leaf_sha256, sizeof a->leaf_sha256) == 0;
}

static bool
has_print(const struct doctor_row *r)
{
	static const uint8_t none[sizeof r->leaf_sha256];

	return memcmp(r->leaf_sha256, none, sizeof none) != 0;
}

/* Servers of a large service have several certificates of one issuer, each good by itself: that is said, and no fault. */
static void
leaf_compare(struct doctor_row *r, const struct doctor_row *direct)
{
	char said[sizeof r->detail];

	if (r->fault != DOCTOR_OK && r->fault != DOCTOR_SLOW)
		return;
	if (!has_print(r) || !has_print(direct) || same_print(r, direct))
		return;
	if (strcmp(r->issuer, direct->issuer) == 0) {
		snprintf(r->detail, sizeof r->detail, "another certificate than directly, of the same issuer");
		return;
	}
	r->fault = DOCTOR_OTHER_LEAF;
	snprintf(said, sizeof said, "here issued by %.70s, directly by %.70s", r->issuer, direct->issuer);
	memcpy(r->detail, said, sizeof said);
}

/* A refusal of plain HTTP looks like an answer, unless the server itself says something else. */
static void
plain_compare(struct doctor_row *r, const struct doctor_row *direct)
{
	/* where nothing came directly, only what proxies say and such servers do not */
	bool refused = direct->status ? r->status >= 400 && r->status != direct->status : r->status == 400 || r->status == 403 || r->status >= 500;

	if (r->fault != DOCTOR_OK && r->fault != DOCTOR_SLOW)
		return;
	if (refused) {
		r->fault = r->status >= 500 ? DOCTOR_PROXY_FAILED : DOCTOR_PROXY_REFUSED;
		r->step = DOCTOR_STEP_PROXY;
	} else if (r->fault == DOCTOR_OK && r->status >= 400) {
		r->detail[0] = '\0';
	}
}

static void
unit_compare(struct unit *u)
{
	const struct doctor_row *direct = &u->by[0].row;

	for (unsigned w = 1; w < u->n; w++) {
		struct attempt *a = &u->by[w];
		if (a->target->scheme == SCHEME_HTTP)
			plain_compare(&a->row, direct);
		else
			leaf_compare(&a->row, direct);
	}
}

static void
on_attempt(struct attempt *a)
{
	struct unit *u = a->owner;

	if (--u->open == 0)
		watch_again(&u->doctor->turn, WATCH_READ);
}

static void
not_tried(struct doctor_row *row, const char *why)
{
	row->fault = DOCTOR_NOT_TRIED;
	row->dns_ms = row->tcp_ms = row->proxy_ms = row->tls_ms = row->http_ms = UINT32_MAX;
	snprintf(row->detail, sizeof row->detail, "%s", why);
}

/* The ways of a target, as rows with nothing in them. Returns how many. */
static unsigned
rows_begin(const struct doctor *d, size_t target, struct doctor_row row[DOCTOR_LANES_MAX])
{
	unsigned n = 0;

	for (unsigned lane = 0; lane < d->set->n_parents + 2; lane++)
		if (doctor_lane_is_of(lane, d->set->n_parents, &d->target[target])) {
			enum doctor_way way = doctor_lane_way(lane, d->set->n_parents);
			row[n++] = (struct doctor_row){.target = (uint32_t)target, .way = (uint8_t)way, .parent = way == DOCTOR_PARENT ? (uint8_t)(lane - 1) : 0};
		}
	return n;
}

static const struct doctor_proxy *
proxy_of(const struct doctor *d, const struct doctor_row *r)
{
	return r->way == DOCTOR_DIRECT ? NULL : r->way == DOCTOR_GATEWAY ? &d->set->gateway : &d->set->parent[r->parent];
}

static bool
unit_start(struct doctor *d, size_t i)
{
	static const char           absent[] = "not configured", unknown[] = "no host below this wildcard is known; name one with probe = in the list";
	const struct doctor_target *t = &d->target[i];
	struct doctor_row           row[DOCTOR_LANES_MAX];
	unsigned                    n = rows_begin(d, i, row);
	struct unit                *u = d->unit[i] = calloc(1, sizeof *u + n * sizeof *u->by);

	if (!u)
		return false;
	u->doctor = d;
	u->n = n;
	u->open = 1; /* until all have begun */
	d->running++;
	for (unsigned w = 0; w < n; w++) {
		struct attempt            *a = &u->by[w];
		const struct doctor_proxy *proxy = proxy_of(d, &row[w]);
		a->done = on_attempt;
		a->owner = u;
		a->target = t;
		a->row = row[w];
		if (t->no_probe) {
			not_tried(&a->row, unknown);
		} else if (proxy && !proxy->present) {
			not_tried(&a->row, proxy->why ? proxy->why : absent);
		} else {
			u->open++;
			attempt_start(a, &d->run, t, proxy);
		}
	}
	if (--u->open == 0)
		watch_again(&d->turn, WATCH_READ);
	return true;
}

/* Its memory stays until the end: an answer of the DNS may still come for it. */
static void
unit_tell(struct doctor *d, struct unit *u)
{
	unit_compare(u);
	u->open = UINT32_MAX;
	d->running--;
	d->told++;
	for (unsigned w = 0; w < u->n; w++)
		d->each(d->arg, &u->by[w].row);
}

static void
untried_tell(struct doctor *d, size_t i)
{
	struct doctor_row row[DOCTOR_LANES_MAX];
	unsigned          n = rows_begin(d, i, row);

	d->told++;
	for (unsigned w = 0; w < n; w++) {
		not_tried(&row[w], "out of memory");
		d->each(d->arg, &row[w]);
	}
}

static void
on_turn(void *arg, unsigned what)
{
	struct doctor *d = arg;

	(void)what;
	for (size_t i = 0; i < d->next; i++)
		if (d->unit[i] && d->unit[i]->open == 0)
			unit_tell(d, d->unit[i]);
	while (d->next < d->n && d->running < d->set->parallel) {
		size_t i = d->next++;
		if (!unit_start(d, i))
			untried_tell(d, i);
	}
	if (d->told == d->n) {
		watch_clear(&d->turn);
		d->done(d->arg);
	}
}

/* --- the run --- */

/* Nothing is done here that could not be done while answers come. */
static void
on_settled(void *arg)
{
	(void)arg;
}

static bool
names_start(struct doctor *d)
{
	const struct snapshot *snap = d->set->snap;
	const struct endpoint *own = snapshot_at(snap, snap->set->resolvers.off);
	struct resolver_config c = {
	    .servers = own,
	    .n_servers = snap->set->resolvers.n,
	    .resolv_conf = snapshot_text(snap, snap->set->resolv_conf),
	    .hosts = snapshot_text(snap, snap->set->hosts),
	    .timeout_ms = d->set->timeout_ms,
	    .cache_names = DOCTOR_TARGETS_MAX,
	};
	struct resolv_conf *conf = malloc(sizeof *conf);

	if (!conf)
		return false;
	resolv_conf_read(conf, c.resolv_conf, SPAN(""));
	if (c.n_servers) {
		conf->n_servers = c.n_servers < RESOLV_SERVERS_MAX ? c.n_servers : RESOLV_SERVERS_MAX;
		memcpy(conf->servers, own, conf->n_servers * sizeof *own);
	}
	d->run.resolver = resolver_new(d->run.loop, &c);
	d->run.upstream = upstream_new(d->run.loop, conf, d->set->timeout_ms, on_settled, NULL);
	free(conf);
	return d->run.resolver && d->run.upstream;
}

struct doctor *
doctor_start(struct loop *l, const struct doctor_settings *settings, const struct doctor_target *target, size_t n,
    void (*each)(void *arg, const struct doctor_row *row), void (*done)(void *arg), void *arg, char why[200])
{
	struct doctor *d = calloc(1, sizeof *d + n * sizeof *d->unit);

	snprintf(why, 200, "out of memory");
	if (!d)
		return NULL;
	d->run.loop = l;
	d->run.set = d->set = settings;
	d->each = each;
	d->done = done;
	d->arg = arg;
	d->n = n;
	watch_init_idle(&d->turn, l, on_turn, d);
	d->target = malloc(n ? n * sizeof *target : 1);
	if (d->target)
		memcpy(d->target, target, n * sizeof *target);
	d->run.tls = cord_context_new();
	d->run.ground = d->run.tls ? chain_ground_new(settings, why) : NULL;
	if (!d->target || !d->run.ground || !names_start(d)) {
		doctor_free(d);
		return NULL;
	}
	watch_again(&d->turn, WATCH_READ);
	return d;
}

void
doctor_free(struct doctor *d)
{
	if (!d)
		return;
	watch_clear(&d->turn);
	upstream_unref(d->run.upstream);
	for (size_t i = 0; i < d->next; i++)
		for (unsigned w = 0; d->unit[i] && w < d->unit[i]->n; w++)
			if (d->unit[i]->by[w].run)
				attempt_clear(&d->unit[i]->by[w]);
	resolver_free(d->run.resolver);
	chain_ground_free(d->run.ground);
	SSL_CTX_free(d->run.tls);
	for (size_t i = 0; i < d->next; i++)
		free(d->unit[i]);
	free(d->target);
	loop_bury(d->run.loop, &d->grave);
}
