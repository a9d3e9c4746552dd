/* SPDX-License-Identifier: MIT */
#include "proc/status.h"

#include <stdlib.h>

#include "auth/back.h"
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

/* A new row, or a place that takes it when there is no memory. */
static struct cell *
row(struct status *s, enum status_table which)
{
	static struct cell lost[16];
	struct table      *t = &s->table[which];

	if (t->n == t->room) {
		size_t       room = t->room ? 2 * t->room : 16;
		struct cell *cell = realloc(t->cell, room * t->n_columns * sizeof *cell);
		if (!cell) {
			s->failed = true;
			return lost;
		}
		t->cell = cell;
		t->room = room;
	}
	memset(t->cell + t->n * t->n_columns, 0, t->n_columns * sizeof *t->cell);
	return t->cell + t->n++ * t->n_columns;
}

static void
text(struct cell **c, struct span s)
{
	*(*c)++ = (struct cell){.text = s};
}

static void
number(struct cell **c, uint64_t n)
{
	*(*c)++ = (struct cell){.n = n};
}

/* A point in time; 0: never. */
static void
moment(struct cell **c, uint64_t real_us)
{
	number(c, real_us ? real_us / 1000000 : CELL_NONE);
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
figure(struct status *s, const char *group, const char *key, const char *title, enum cell_kind kind, struct cell cell)
{
	if (s->n_figures < STATUS_FIGURES)
		s->figure[s->n_figures++] = (struct figure){group, key, title, kind, cell};
}

static void
count(struct status *s, const char *group, const char *key, const char *title, uint64_t n)
{
	figure(s, group, key, title, CELL_COUNT, (struct cell){.n = n});
}

static void
word(struct status *s, const char *group, const char *key, const char *title, const char *is)
{
	figure(s, group, key, title, CELL_WORD, (struct cell){.text = span_str(is)});
}

static void
about_gateway(struct status *s, const struct metrics_view *v)
{
	static const char *const states[] = {[GATEWAY_STARTING] = "starting", [GATEWAY_SERVING] = "ready", [GATEWAY_DRAINING] = "draining"};
	const struct census     *c = &v->shared->census;
	uint32_t                 state = c->state;

	word(s, "gateway", "state", "State", v->orphaned ? "draining" : state < 3 ? states[state] : "starting");
	figure(s, "gateway", "version", "Version", CELL_TEXT, (struct cell){.text = SPAN(PACKAGE_VERSION)});
	figure(s, "gateway", "started", "Up for", CELL_SINCE, (struct cell){.n = c->started_real_us / 1000000});
	count(s, "gateway", "generation", "Configuration", c->generation);
	figure(s, "gateway", "applied", "In use for", CELL_SINCE, (struct cell){.n = c->reloaded_real_us ? c->reloaded_real_us / 1000000 : CELL_NONE});
	word(s, "gateway", "last_reload", "Last reload", c->reload_failed ? "refused" : c->reloads ? "done" : "none yet");
	count(s, "gateway", "reloads", "Reloads", c->reloads);
	count(s, "gateway", "reloads_refused", "Reloads refused", c->reloads_refused);
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
	count(s, "traffic", "tunnels", "Tunnels", SUM(sh, counters.tunnels_open));
	count(s, "traffic", "connections", "Connections", SUM(sh, counters.open));
	figure(s, "traffic", "decided_per_second", "Requests", CELL_RATE, (struct cell){.n = rate});
	figure(s, "traffic", "faults_per_second", "Failures", CELL_RATE, (struct cell){.n = faults});
	figure(s, "traffic", "received_per_second", "From clients", CELL_SPEED, (struct cell){.n = s->point.v[POINT_RECEIVED]});
	figure(s, "traffic", "sent_per_second", "To clients", CELL_SPEED, (struct cell){.n = s->point.v[POINT_SENT]});
	figure(s, "latency", "connect_p50_ms", "Connect 50 %", CELL_MS, (struct cell){.n = s->point.v[POINT_CONNECT_HALF]});
	figure(s, "latency", "connect_p95_ms", "Connect 95 %", CELL_MS, (struct cell){.n = s->point.v[POINT_CONNECT_MOST]});
	figure(s, "latency", "request_p50_ms", "Request 50 %", CELL_MS, (struct cell){.n = s->point.v[POINT_REQUEST_HALF]});
	figure(s, "latency", "request_p95_ms", "Request 95 %", CELL_MS, (struct cell){.n = s->point.v[POINT_REQUEST_MOST]});
	count(s, "totals", "accepted", "Connections accepted", SUM(sh, counters.accepted));
	count(s, "totals", "refused_unread", "Strangers closed unread", SUM(sh, counters.refused_unread));
	count(s, "totals", "refused_limit", "Over a client's limit", SUM(sh, counters.refused_limit));
	count(s, "totals", "requests", "Requests ended", SUM(sh, counters.requests));
	count(s, "totals", "tunnels", "Tunnels begun", SUM(sh, counters.tunnels));
	figure(s, "totals", "received", "From clients", CELL_BYTES, (struct cell){.n = SUM(sh, counters.bytes_in)});
	figure(s, "totals", "sent", "To clients", CELL_BYTES, (struct cell){.n = SUM(sh, counters.bytes_out)});
	count(s, "totals", "guard_closed", "Closed by the guard", SUM(sh, counters.guard_closed));
	count(s, "totals", "queued", "Waiting for a limit now", SUM(sh, counters.queued));
	count(s, "totals", "accept_pauses", "Pauses in accepting", SUM(sh, counters.accept_pauses));
	count(s, "suggest", "rejected_certificate", "Clients refuse our certificate", sh->evidence.hosts[EVIDENCE_REJECTED]);
	count(s, "suggest", "wanted_certificate", "Server demands a certificate", sh->evidence.hosts[EVIDENCE_WANTS]);
	count(s, "suggest", "no_logon", "Machines cannot log on", sh->evidence.hosts[EVIDENCE_LOOP]);
	count(s, "logs", "lines", "Log lines", sh->logger.lines);
	figure(s, "logs", "bytes", "Log bytes", CELL_BYTES, (struct cell){.n = sh->logger.bytes});
	count(s, "logs", "dropped", "Lines lost, log in trouble", sh->logger.dropped);
	count(s, "logs", "ring_dropped", "Lines lost, logger slow", sh->logger.ring_dropped);
	count(s, "logs", "errors", "Log errors", sh->logger.errors);
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
		struct cell *c = row(s, STATUS_ACTIONS);
		text(&c, span_str(rows[i].word));
		number(&c, s->point.v[rows[i].field]);
		number(&c, sum_of(sh, offsetof(struct shared_worker, counters.by_action) + (size_t)rows[i].action * sizeof(uint64_t)));
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
		c = row(s, STATUS_FAULTS);
		text(&c, span_str(fault_row((enum fault)f)->word));
		text(&c, span_str(fault_row((enum fault)f)->sentence));
		number(&c, history_faults(h, (enum fault)f));
		number(&c, all);
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
		struct cell *c = row(s, which);
		text(&c, span_str(list->row[i].name));
		number(&c, list->row[i].requests);
		number(&c, list->row[i].denied);
		number(&c, list->row[i].bytes);
	}
}

/* A rule or none (slot 0). */
static void
rule_row(struct status *s, const struct shared *sh, uint32_t nr, struct span name, uint32_t slot)
{
	struct rule_counters n = {0};
	struct cell         *c = row(s, STATUS_RULES_TABLE);

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
	number(&c, nr ? nr : CELL_NONE);
	text(&c, name);
	text(&c, n.last_real_us || n.requests ? SPAN("used") : SPAN("unused"));
	number(&c, n.requests);
	number(&c, n.open);
	moment(&c, n.last_real_us);
	number(&c, n.bytes_in);
	number(&c, n.bytes_out);
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
	count(s, "policy", "rules", "Rules", s->rules);
	count(s, "policy", "unused", "Never hit", s->rules_unused);
}

static void
listeners(struct status *s, const struct metrics_view *v)
{
	const struct snapshot_listener *l = v->snap ? snapshot_at(v->snap, v->snap->set->listeners.off) : NULL;
	uint32_t                        n = v->snap ? v->snap->set->listeners.n : 0;

	for (uint32_t i = 0; i < n && i < METRICS_LISTENERS; i++) {
		struct listener_counters all = {0};
		struct cell             *c = row(s, STATUS_LISTENERS);
		for (uint32_t w = 0; w < v->shared->n_workers && l[i].slot < LISTENER_COUNTS; w++) {
			const struct listener_counters *of = &v->shared->worker[w].listener[l[i].slot];
			all.open += of->open;
			all.accepted += of->accepted;
			all.refused += of->refused;
			all.requests += of->requests;
		}
		text(&c, snapshot_text(v->snap, l[i].name));
		number(&c, all.open);
		number(&c, all.accepted);
		number(&c, all.refused);
		number(&c, all.requests);
	}
}

static void
parents(struct status *s, const struct metrics_view *v)
{
	const struct snapshot_parent *p = v->snap ? snapshot_at(v->snap, v->snap->set->parents.off) : NULL;
	uint32_t                      n = v->snap ? v->snap->set->parents.n : 0;

	for (uint32_t i = 0; i < n; i++) {
		const struct parent_health *h = &v->shared->parents.v[p[i].slot % PARENT_SLOTS];
		struct cell                *c = row(s, STATUS_PARENTS);
		text(&c, snapshot_text(v->snap, p[i].name));
		text(&c, snapshot_text(v->snap, p[i].host));
		number(&c, p[i].port);
		text(&c, h->down ? SPAN("down") : SPAN("up"));
		moment(&c, h->since_us);
		number(&c, h->latency_us ? h->latency_us : CELL_NONE);
		number(&c, h->used);
		number(&c, h->failed);
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
		c = row(s, STATUS_PROCESSES);
		if (name.n > 4 && memcmp(name.p, "the ", 4) == 0)
			name = span_of(name.p + 4, name.n - 4);
		text(&c, name);
		text(&c, !p->pid ? SPAN("down") : p->silent_s ? SPAN("silent") : SPAN("up"));
		number(&c, p->pid ? (uint64_t)p->pid : CELL_NONE);
		moment(&c, p->pid ? p->since_real_us : 0);
		number(&c, p->starts);
		number(&c, p->deaths);
		number(&c, p->hangs);
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
		c = row(s, STATUS_BACKS);
		text(&c, span_str(back_word((enum back_kind)k)));
		text(&c, a->is_down ? SPAN("down") : SPAN("up"));
		number(&c, a->ok);
		number(&c, a->refused);
		number(&c, a->bad);
		number(&c, a->limited);
		number(&c, a->unavailable);
		number(&c, a->dropped);
		number(&c, asked ? a->busy_us / asked : CELL_NONE);
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
			c = row(s, STATUS_LISTS);
			text(&c, snapshot_text(v->snap, l[i].name));
			text(&c, stale ? SPAN("stale") : l[i].oldest ? SPAN("fine") : SPAN("inline"));
			number(&c, l[i].entries);
			number(&c, l[i].oldest > 0 ? (uint64_t)l[i].oldest : CELL_NONE);
		}
}

/* --- the doctor --- */

static void
about_doctor(struct status *s, const struct metrics_view *v)
{
	const struct doctor_report *r = s->doctor;
	bool                        on = v->board && v->snap && v->snap->set->doctor_interval_ms;
	int64_t                     next = on ? atomic_load(&v->board->next_s) : 0;
	uint32_t                    tested = 0, bad = 0;
	const char                 *state = "waiting";

	if (r)
		doctor_report_count(r, &tested, &bad);
	if (!on)
		state = "off";
	else if (atomic_load(&v->board->running))
		state = "running";
	else if (r)
		state = r->failed[0] ? "failed" : bad ? "bad" : "well";
	word(s, "doctor", "state", "Endpoints", state);
	figure(s, "doctor", "last", "Last tested", CELL_AGO, (struct cell){.n = r && r->ended_s > 0 ? (uint64_t)r->ended_s : CELL_NONE});
	figure(s, "doctor", "next_in_s", "Next test in, s", CELL_NUMBER, (struct cell){.n = next > (int64_t)s->now_s ? (uint64_t)(next - (int64_t)s->now_s) : on && next ? 0 : CELL_NONE});
	count(s, "doctor", "tested", "Tested", tested);
	count(s, "doctor", "bad", "Bad", bad);
	count(s, "doctor", "untested", "Without a known host, or too many", r ? r->n_targets - tested + r->more : 0);
}

static struct span
way_word(const struct doctor_row *r)
{
	return r ? span_str(doctor_fault_word((enum doctor_fault)r->fault)) : SPAN("");
}

/* Of several the one that is worst; postern doctor --watch tells them apart. */
static const struct doctor_row *
worst_parent(const struct doctor_report *r, const struct doctor_row *const way[DOCTOR_LANES_MAX])
{
	const struct doctor_row *worst = NULL;

	for (uint32_t k = 1; k <= r->n_parents; k++) {
		if (!way[k])
			continue;
		if (!worst || worst->fault == DOCTOR_NOT_TRIED || (worst->fault == DOCTOR_OK && way[k]->fault == DOCTOR_SLOW) ||
		    (!doctor_is_bad(worst->fault) && doctor_is_bad(way[k]->fault)))
			worst = way[k];
	}
	return worst;
}

static void
endpoint(struct status *s, const struct doctor_report *r, uint32_t i, const struct doctor_row *const way[DOCTOR_LANES_MAX])
{
	const struct doctor_target *t = &r->target[i];
	struct cell                *c = row(s, STATUS_DOCTOR);
	int64_t                     ends = 0;

	text(&c, span_str(t->no_probe ? t->pattern : t->host));
	number(&c, t->port);
	text(&c, span_str(t->list));
	text(&c, t->no_probe ? SPAN("untested") : doctor_report_worst(r, i) ? SPAN("bad") : SPAN("well"));
	for (unsigned k = 0; k < r->n_parents + 2; k++)
		ends = way[k] && way[k]->not_after > 0 && !ends ? way[k]->not_after : ends;
	text(&c, way_word(way[0]));
	text(&c, way_word(worst_parent(r, way)));
	text(&c, way_word(way[r->n_parents + 1]));
	number(&c, r->bad_since_s[i] > 0 ? (uint64_t)r->bad_since_s[i] : CELL_NONE);
	number(&c, ends ? (ends > (int64_t)s->now_s ? (uint64_t)(ends - (int64_t)s->now_s) / 86400 : 0) : CELL_NONE);
}

/* The bad ones first, each kind in the order of the configuration. */
static void
endpoints(struct status *s)
{
	const struct doctor_report *r = s->doctor;

	for (unsigned pass = 0; r && pass < 2; pass++)
		for (uint32_t i = 0; i < r->n_targets; i++) {
			const struct doctor_row *way[DOCTOR_LANES_MAX] = {NULL};
			if ((pass == 0) != (doctor_report_worst(r, i) != NULL))
				continue;
			for (uint32_t k = 0; k < r->n_rows; k++)
				if (r->row[k].target == i)
					way[doctor_lane(&r->row[k], r->n_parents)] = &r->row[k];
			endpoint(s, r, i, way);
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
	about_doctor(s, v);
	endpoints(s);
}

void
status_clear(struct status *s)
{
	for (unsigned i = 0; i < STATUS_TABLES; i++)
		free(s->table[i].cell);
	free(s->doctor);
	memset(s, 0, sizeof *s);
}
