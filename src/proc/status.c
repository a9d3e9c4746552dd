/* SPDX-License-Identifier: MIT */
#include "proc/status_inside.h"

#include <stdlib.h>

#include "auth/back.h"
#include "base/array.h"
#include "base/clock.h"
#include "base/fault.h"

#define TOP_STALE_US (2 * TOP_HALF_US) /* a list that nobody has made anew for so long names nobody */

/* --- tables --- */

static const struct column action_columns[] = {
	{"action", "Action", CELL_TEXT, false},
	{"per_second", "Rate", CELL_RATE, false},
	{"requests", "In all", CELL_COUNT, false},
};
static const struct column fault_columns[] = {
	{"fault", "Fault", CELL_TEXT, false},
	{"sentence", "Meaning", CELL_TEXT, true},
	{"recent", "10 min", CELL_COUNT, false},
	{"requests", "In all", CELL_COUNT, false},
};
#define TOP_COLUMNS(key, title) \
	{ \
		{key, title, CELL_TEXT, false}, {"requests", "Requests", CELL_COUNT, false}, {"denied", "Denied", CELL_COUNT, false}, {"bytes", "Bytes", CELL_BYTES, true} \
	}
static const struct column host_columns[] = TOP_COLUMNS("host", "Host");
static const struct column client_columns[] = TOP_COLUMNS("client", "Client");
static const struct column rule_columns[] = {
	{"number", "No.", CELL_NUMBER, true},
	{"rule", "Rule", CELL_TEXT, false},
	{"state", "State", CELL_WORD, true},
	{"requests", "Hits", CELL_COUNT, false},
	{"open", "Open", CELL_COUNT, false},
	{"last", "Last hit", CELL_AGO, false},
	{"received", "Received", CELL_BYTES, true},
	{"sent", "Sent", CELL_BYTES, true},
};
static const struct column listener_columns[] = {
	{"listener", "Listener", CELL_TEXT, false},
	{"open", "Open", CELL_COUNT, false},
	{"accepted", "Accepted", CELL_COUNT, false},
	{"refused", "Refused", CELL_COUNT, false},
	{"requests", "Requests", CELL_COUNT, true},
};
static const struct column parent_columns[] = {
	{"parent", "Parent", CELL_TEXT, false},
	{"host", "Host", CELL_TEXT, true},
	{"port", "Port", CELL_NUMBER, true},
	{"state", "State", CELL_WORD, false},
	{"since", "Since", CELL_AGO, true},
	{"latency_ms", "Latency", CELL_MS, false},
	{"used", "Used", CELL_COUNT, false},
	{"failed", "Failed", CELL_COUNT, false},
};
static const struct column process_columns[] = {
	{"process", "Process", CELL_TEXT, false},
	{"state", "State", CELL_WORD, false},
	{"pid", "Pid", CELL_NUMBER, true},
	{"since", "Up for", CELL_SINCE, false},
	{"starts", "Starts", CELL_COUNT, true},
	{"deaths", "Deaths", CELL_COUNT, false},
	{"hangs", "Hangs", CELL_COUNT, true},
};
static const struct column back_columns[] = {
	{"back_end", "Back end", CELL_TEXT, false},
	{"state", "State", CELL_WORD, false},
	{"ok", "Good", CELL_COUNT, false},
	{"refused", "Refused", CELL_COUNT, false},
	{"bad", "Bad", CELL_COUNT, true},
	{"limited", "Limited", CELL_COUNT, true},
	{"unavailable", "Failed", CELL_COUNT, false},
	{"dropped", "Dropped", CELL_COUNT, true},
	{"mean_ms", "Mean", CELL_MS, true},
};
static const struct column list_columns[] = {
	{"list", "List", CELL_TEXT, false},
	{"state", "State", CELL_WORD, false},
	{"entries", "Entries", CELL_COUNT, false},
	{"since", "Age", CELL_SINCE, false},
};
static const struct column doctor_columns[] = {
	{"host", "Endpoint", CELL_TEXT, false},
	{"port", "Port", CELL_NUMBER, true},
	{"list", "List", CELL_TEXT, true},
	{"state", "State", CELL_WORD, false},
	{"direct", "Directly", CELL_TEXT, false},
	{"parent", "By its parents", CELL_TEXT, true},
	{"gateway", "By the gateway", CELL_TEXT, false},
	{"bad_since", "Bad for", CELL_SINCE, false},
	{"certificate_days", "Certificate, days left", CELL_COUNT, true},
};

#define TABLE(key, title, empty, columns) {key, title, empty, columns, sizeof columns / sizeof *columns, NULL, 0, 0}
static const struct table tables[STATUS_TABLES] = {
	[STATUS_ACTIONS] = TABLE("actions", "Requests by action", "", action_columns),
	[STATUS_FAULTS] = TABLE("faults", "Failures by kind", "Nothing has failed.", fault_columns),
	[STATUS_HOSTS] = TABLE("hosts", "Busiest hosts", "Nothing has ended of late.", host_columns),
	[STATUS_CLIENTS] = TABLE("clients", "Busiest clients", "Nothing has ended of late.", client_columns),
	[STATUS_RULES_TABLE] = TABLE("rules", "Rules", "There are no rules.", rule_columns),
	[STATUS_LISTENERS] = TABLE("listeners", "Listeners", "There are no listeners.", listener_columns),
	[STATUS_PARENTS] = TABLE("parents", "Parents", NULL, parent_columns),
	[STATUS_PROCESSES] = TABLE("processes", "Processes", "", process_columns),
	[STATUS_BACKS] = TABLE("back_ends", "Authentication", NULL, back_columns),
	[STATUS_DOCTOR] = TABLE("endpoints", "Endpoints of bypass rules", NULL, doctor_columns),
	[STATUS_LISTS] = TABLE("lists", "Lists", NULL, list_columns),
};

struct cell *
status_row(struct status *s, enum status_table which)
{
	static struct cell lost[16];
	struct table      *t = &s->table[which];
	struct cell       *cell;

	cell = array_grow(t->cell, t->n, &t->room, t->n_columns * sizeof *cell);
	if (!cell) {
		s->failed = true;
		return lost;
	}
	t->cell = cell;
	memset(t->cell + t->n * t->n_columns, 0, t->n_columns * sizeof *t->cell);
	return t->cell + t->n++ * t->n_columns;
}

/* A point in time; 0: never. */
static void
moment(struct cell **c, uint64_t real_us)
{
	cell_number(c, real_us ? real_us / 1000000 : CELL_NONE);
}

/* --- sums over the workers --- */

#define SUM(shared, field) sum_of(shared, offsetof(struct shared_worker, field))

static uint64_t
sum_of(const struct shared *s, size_t offset)
{
	uint64_t n = 0;

	for (uint32_t w = 0; w < s->n_workers; w++)
		n += *(const uint64_t *)(const void *)((const char *)&s->worker[w] + offset);
	return n;
}

static uint64_t
fault_sum(const struct shared *s, unsigned f)
{
	uint64_t n = 0;

	for (uint32_t w = 0; w < s->n_workers; w++)
		n += s->worker[w].counters.by_fault[f];
	return n;
}

/* --- figures --- */

static void
about_gateway(struct status *s, const struct metrics_view *v)
{
	static const char *const states[] = {[GATEWAY_STARTING] = "starting", [GATEWAY_SERVING] = "ready", [GATEWAY_DRAINING] = "draining"};
	const struct census     *c = &v->shared->census;
	uint32_t                 state = c->state;

	status_word(s, "gateway", "state", "State", v->orphaned ? "draining" : state < 3 ? states[state] : "starting");
	status_figure(s, "gateway", "version", "Version", CELL_TEXT, (struct cell){.text = SPAN(PACKAGE_VERSION)});
	status_figure(s, "gateway", "started", "Up for", CELL_SINCE, (struct cell){.n = c->started_real_us / 1000000});
	status_count(s, "gateway", "generation", "Configuration", c->generation);
	status_figure(s, "gateway", "applied", "In use for", CELL_SINCE, (struct cell){.n = c->reloaded_real_us ? c->reloaded_real_us / 1000000 : CELL_NONE});
	status_word(s, "gateway", "last_reload", "Last reload", c->reload_failed ? "refused" : c->reloads ? "done" : "none yet");
	status_count(s, "gateway", "reloads", "Reloads", c->reloads);
	status_count(s, "gateway", "reloads_refused", "Reloads refused", c->reloads_refused);
}

static void
about_traffic(struct status *s, const struct metrics_view *v)
{
	const struct shared *sh = v->shared;
	uint64_t             rate = 0, faults = 0;

	for (unsigned i = POINT_BYPASS; i <= POINT_DENY; i++)
		rate += s->point.v[i];
	for (unsigned i = POINT_REFUSED; i <= POINT_CLIENT; i++)
		faults += s->point.v[i];
	status_count(s, "traffic", "tunnels", "Tunnels", SUM(sh, counters.tunnels_open));
	status_count(s, "traffic", "connections", "Connections", SUM(sh, counters.open));
	status_figure(s, "traffic", "decided_per_second", "Requests", CELL_RATE, (struct cell){.n = rate});
	status_figure(s, "traffic", "faults_per_second", "Failures", CELL_RATE, (struct cell){.n = faults});
	status_figure(s, "traffic", "received_per_second", "From clients", CELL_SPEED, (struct cell){.n = s->point.v[POINT_RECEIVED]});
	status_figure(s, "traffic", "sent_per_second", "To clients", CELL_SPEED, (struct cell){.n = s->point.v[POINT_SENT]});
	status_figure(s, "latency", "connect_p50_ms", "Connect 50 %", CELL_MS, (struct cell){.n = s->point.v[POINT_CONNECT_HALF]});
	status_figure(s, "latency", "connect_p95_ms", "Connect 95 %", CELL_MS, (struct cell){.n = s->point.v[POINT_CONNECT_MOST]});
	status_figure(s, "latency", "request_p50_ms", "Request 50 %", CELL_MS, (struct cell){.n = s->point.v[POINT_REQUEST_HALF]});
	status_figure(s, "latency", "request_p95_ms", "Request 95 %", CELL_MS, (struct cell){.n = s->point.v[POINT_REQUEST_MOST]});
	status_count(s, "totals", "accepted", "Connections accepted", SUM(sh, counters.accepted));
	status_count(s, "totals", "refused_unread", "Strangers closed unread", SUM(sh, counters.refused_unread));
	status_count(s, "totals", "refused_limit", "Over a client's limit", SUM(sh, counters.refused_limit));
	status_count(s, "totals", "requests", "Requests ended", SUM(sh, counters.requests));
	status_count(s, "totals", "tunnels", "Tunnels begun", SUM(sh, counters.tunnels));
	status_figure(s, "totals", "received", "From clients", CELL_BYTES, (struct cell){.n = SUM(sh, counters.bytes_in)});
	status_figure(s, "totals", "sent", "To clients", CELL_BYTES, (struct cell){.n = SUM(sh, counters.bytes_out)});
	status_count(s, "totals", "guard_closed", "Closed by the guard", SUM(sh, counters.guard_closed));
	status_count(s, "totals", "queued", "Waiting for a limit now", SUM(sh, counters.queued));
	status_count(s, "totals", "accept_pauses", "Pauses in accepting", SUM(sh, counters.accept_pauses));
	status_count(s, "suggest", "rejected_certificate", "Clients refuse our certificate", sh->evidence.hosts[EVIDENCE_REJECTED]);
	status_count(s, "suggest", "wanted_certificate", "Server demands a certificate", sh->evidence.hosts[EVIDENCE_WANTS]);
	status_count(s, "suggest", "no_logon", "Machines cannot log on", sh->evidence.hosts[EVIDENCE_LOOP]);
	status_count(s, "logs", "lines", "Log lines", sh->logger.lines);
	status_figure(s, "logs", "bytes", "Log bytes", CELL_BYTES, (struct cell){.n = sh->logger.bytes});
	status_count(s, "logs", "dropped", "Lines lost, log in trouble", sh->logger.dropped);
	status_count(s, "logs", "ring_dropped", "Lines lost, logger slow", sh->logger.ring_dropped);
	status_count(s, "logs", "errors", "Log errors", sh->logger.errors);
}

/* --- rows --- */

static void
actions(struct status *s, const struct shared *sh)
{
	static const struct {
		enum action      action;
		enum point_field field;
		const char      *word;
	} rows[] = {{ACTION_BYPASS, POINT_BYPASS, "bypass"}, {ACTION_TUNNEL, POINT_TUNNEL, "tunnel"}, {ACTION_INSPECT, POINT_INSPECT, "inspect"}, {ACTION_DENY, POINT_DENY, "deny"}};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct cell *c = status_row(s, STATUS_ACTIONS);
		cell_text(&c, span_str(rows[i].word));
		cell_number(&c, s->point.v[rows[i].field]);
		cell_number(&c, sum_of(sh, offsetof(struct shared_worker, counters.by_action) + (size_t)rows[i].action * sizeof(uint64_t)));
	}
}

/* Lately first, then in all. */
static int
fault_compare(const void *a, const void *b)
{
	const struct cell *x = a, *y = b;

	for (unsigned i = 2; i < 4; i++)
		if (x[i].n != y[i].n)
			return x[i].n < y[i].n ? 1 : -1;
	return 0;
}

static void
faults(struct status *s, const struct shared *sh, const struct history *h)
{
	struct table *t = &s->table[STATUS_FAULTS];

	for (unsigned f = FAULT_NONE + 1; f < FAULT_COUNT; f++) {
		uint64_t     all = fault_sum(sh, f);
		struct cell *c;
		if (!all)
			continue;
		c = status_row(s, STATUS_FAULTS);
		cell_text(&c, span_str(fault_row((enum fault)f)->word));
		cell_text(&c, span_str(fault_row((enum fault)f)->sentence));
		cell_number(&c, history_faults(h, (enum fault)f));
		cell_number(&c, all);
	}
	if (t->n)
		qsort(t->cell, t->n, t->n_columns * sizeof *t->cell, fault_compare);
}

static void
tops(struct status *s, enum status_table which, const struct shared_top *from, struct top_list *list)
{
	uint64_t now_us = clock_mono_us();

	list->n = 0;
	if (!top_read(from, list) || now_us > list->at_us + TOP_STALE_US)
		list->n = 0;
	for (uint64_t i = 0; i < list->n; i++) {
		struct cell *c = status_row(s, which);
		cell_text(&c, span_str(list->row[i].name));
		cell_number(&c, list->row[i].requests);
		cell_number(&c, list->row[i].denied);
		cell_number(&c, list->row[i].bytes);
	}
}

/* A rule or none (slot 0). */
static void
rule_row(struct status *s, const struct shared *sh, uint32_t nr, struct span name, uint32_t slot)
{
	struct rule_counters n = {0};
	struct cell         *c = status_row(s, STATUS_RULES_TABLE);

	for (uint32_t w = 0; w < sh->n_workers && slot < RULE_SLOTS; w++) {
		const struct rule_counters *of = &sh->worker[w].rule[slot];
		n.requests += of->requests;
		n.open += of->open;
		n.bytes_in += of->bytes_in;
		n.bytes_out += of->bytes_out;
		if (n.last_real_us < of->last_real_us)
			n.last_real_us = of->last_real_us;
	}
	if (nr && !n.last_real_us && !n.requests)
		s->rules_unused++;
	cell_number(&c, nr ? nr : CELL_NONE);
	cell_text(&c, name);
	cell_text(&c, n.last_real_us || n.requests ? SPAN("used") : SPAN("unused"));
	cell_number(&c, n.requests);
	cell_number(&c, n.open);
	moment(&c, n.last_real_us);
	cell_number(&c, n.bytes_in);
	cell_number(&c, n.bytes_out);
}

/* Those with most hits, then those with most open, then in the order of the configuration. */
static int
rule_compare(const void *a, const void *b)
{
	const struct cell *x = a, *y = b;

	for (unsigned i = 3; i < 5; i++)
		if (x[i].n != y[i].n)
			return x[i].n < y[i].n ? 1 : -1;
	return x[0].n < y[0].n ? -1 : x[0].n > y[0].n;
}

static void
rules(struct status *s, const struct metrics_view *v, uint32_t most)
{
	struct table *t = &s->table[STATUS_RULES_TABLE];

	s->rules = v->snap ? policy_rule_count(v->snap->policy) : 0;
	for (uint32_t i = 0; i < s->rules; i++) {
		uint32_t slot = policy_rule_way(v->snap->policy, i)->slot;
		rule_row(s, v->shared, i + 1, policy_rule_name(v->snap->policy, i), slot ? slot : RULE_SLOTS);
	}
	rule_row(s, v->shared, 0, SPAN("(none)"), 0); /* no rule's name has parentheses */
	if (t->n && t->cell[(t->n - 1) * t->n_columns + 3].n == 0)
		t->n--;
	if (t->n)
		qsort(t->cell, t->n, t->n_columns * sizeof *t->cell, rule_compare);
	if (t->n > most)
		t->n = most;
	status_count(s, "policy", "rules", "Rules", s->rules);
	status_count(s, "policy", "unused", "Never hit", s->rules_unused);
}

static void
listeners(struct status *s, const struct metrics_view *v)
{
	const struct snapshot_listener *l = v->snap ? snapshot_at(v->snap, v->snap->set->listeners.off) : NULL;
	uint32_t                        n = v->snap ? v->snap->set->listeners.n : 0;

	for (uint32_t i = 0; i < n && i < METRICS_LISTENERS; i++) {
		struct listener_counters all = {0};
		struct cell             *c = status_row(s, STATUS_LISTENERS);
		for (uint32_t w = 0; w < v->shared->n_workers && l[i].slot < LISTENER_COUNTS; w++) {
			const struct listener_counters *of = &v->shared->worker[w].listener[l[i].slot];
			all.open += of->open;
			all.accepted += of->accepted;
			all.refused += of->refused;
			all.requests += of->requests;
		}
		cell_text(&c, snapshot_text(v->snap, l[i].name));
		cell_number(&c, all.open);
		cell_number(&c, all.accepted);
		cell_number(&c, all.refused);
		cell_number(&c, all.requests);
	}
}

static void
parents(struct status *s, const struct metrics_view *v)
{
	const struct snapshot_parent *p = v->snap ? snapshot_at(v->snap, v->snap->set->parents.off) : NULL;
	uint32_t                      n = v->snap ? v->snap->set->parents.n : 0;

	for (uint32_t i = 0; i < n; i++) {
		const struct parent_health *h = &v->shared->parents.v[p[i].slot % PARENT_SLOTS];
		struct cell                *c = status_row(s, STATUS_PARENTS);
		cell_text(&c, snapshot_text(v->snap, p[i].name));
		cell_text(&c, snapshot_text(v->snap, p[i].host));
		cell_number(&c, p[i].port);
		cell_text(&c, h->down ? SPAN("down") : SPAN("up"));
		moment(&c, h->since_us);
		cell_number(&c, h->latency_us ? h->latency_us : CELL_NONE);
		cell_number(&c, h->used);
		cell_number(&c, h->failed);
	}
}

static void
processes(struct status *s, const struct census *census)
{
	uint32_t n = census->n < CENSUS_PROCESSES ? census->n : CENSUS_PROCESSES;

	for (uint32_t i = 0; i < n; i++) {
		const struct census_process *p = &census->process[i];
		struct span                  name = span_of(p->name, strnlen(p->name, sizeof p->name));
		struct cell                 *c;
		if (!p->starts) /* not needed */
			continue;
		c = status_row(s, STATUS_PROCESSES);
		if (name.n > 4 && memcmp(name.p, "the ", 4) == 0)
			name = span_of(name.p + 4, name.n - 4);
		cell_text(&c, name);
		cell_text(&c, !p->pid ? SPAN("down") : p->silent_s ? SPAN("silent") : SPAN("up"));
		cell_number(&c, p->pid ? (uint64_t)p->pid : CELL_NONE);
		moment(&c, p->pid ? p->since_real_us : 0);
		cell_number(&c, p->starts);
		cell_number(&c, p->deaths);
		cell_number(&c, p->hangs);
	}
}

static void
back_ends(struct status *s, const struct metrics_view *v)
{
	for (unsigned k = 0; v->snap && k < BACK_KINDS; k++) {
		const struct auth_stats *a = &v->shared->auth.stats[k];
		uint64_t                 asked = a->asked;
		struct cell             *c;
		if (!(v->snap->set->auth.kinds & 1u << k))
			continue;
		c = status_row(s, STATUS_BACKS);
		cell_text(&c, span_str(back_word((enum back_kind)k)));
		cell_text(&c, a->is_down ? SPAN("down") : SPAN("up"));
		cell_number(&c, a->ok);
		cell_number(&c, a->refused);
		cell_number(&c, a->bad);
		cell_number(&c, a->limited);
		cell_number(&c, a->unavailable);
		cell_number(&c, a->dropped);
		cell_number(&c, asked ? a->busy_us / asked : CELL_NONE);
	}
}

/* The stale ones among them are few, and must not be those that are left out. */
static void
lists(struct status *s, const struct metrics_view *v)
{
	const struct snapshot_list *l = v->snap ? snapshot_at(v->snap, v->snap->set->lists.off) : NULL;
	uint32_t                    n = v->snap ? v->snap->set->lists.n : 0;

	for (unsigned stale = 1; stale < 2; stale--)
		for (uint32_t i = 0; i < n && s->table[STATUS_LISTS].n < STATUS_LISTS_MOST; i++) {
			struct cell *c;
			if (snapshot_list_is_stale(&l[i], (int64_t)s->now_s) != (stale == 1))
				continue;
			c = status_row(s, STATUS_LISTS);
			cell_text(&c, snapshot_text(v->snap, l[i].name));
			cell_text(&c, stale ? SPAN("stale") : l[i].oldest ? SPAN("fine") : SPAN("inline"));
			cell_number(&c, l[i].entries);
			cell_number(&c, l[i].oldest > 0 ? (uint64_t)l[i].oldest : CELL_NONE);
		}
}

void
status_gather(struct status *s, const struct metrics_view *v, const struct history *h, uint32_t most_rules)
{
	memset(s, 0, sizeof *s);
	memcpy(s->table, tables, sizeof s->table);
	s->now_s = clock_real_us() / 1000000;
	for (unsigned i = POINT_CONNECT_HALF; i < POINT_FIELDS; i++)
		s->point.v[i] = POINT_NONE;
	s->has_point = h->n && history_point(h, h->n - 1, &s->point);
	about_gateway(s, v);
	about_traffic(s, v);
	actions(s, v->shared);
	faults(s, v->shared, h);
	tops(s, STATUS_HOSTS, &v->shared->hosts, &s->hosts);
	tops(s, STATUS_CLIENTS, &v->shared->clients, &s->clients);
	rules(s, v, most_rules);
	listeners(s, v);
	parents(s, v);
	processes(s, &v->shared->census);
	back_ends(s, v);
	lists(s, v);
	s->doctor = metrics_doctor(v, &s->failed);
	status_doctor(s, v);
}

void
status_clear(struct status *s)
{
	for (unsigned i = 0; i < STATUS_TABLES; i++)
		free(s->table[i].cell);
	free(s->doctor);
	memset(s, 0, sizeof *s);
}
