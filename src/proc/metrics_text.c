/* SPDX-License-Identifier: MIT */
#include "proc/metrics_text.h"

#include <stdlib.h>

#include "auth/back.h"
#include "base/clock.h"
#include "base/fault.h"
#include "doctor/exposition.h"
#include "ipc/ring.h"

/* --- lines --- */

static void
family(struct text *t, const char *name, const char *type, const char *help)
{
	text_str(t, "# HELP ");
	text_str(t, name);
	text_str(t, " ");
	text_str(t, help);
	text_str(t, "\n# TYPE ");
	text_str(t, name);
	text_str(t, " ");
	text_str(t, type);
	text_str(t, "\n");
}

/* A label's value: backslash, quote and line feed are escaped; names of sections hold no other control bytes. */
static void
escaped(struct text *t, struct span s)
{
	size_t from = 0;

	for (size_t i = 0; i < s.n; i++) {
		const char *as = s.p[i] == '\\' ? "\\\\" : s.p[i] == '"' ? "\\\"" : s.p[i] == '\n' ? "\\n" : NULL;
		if (!as)
			continue;
		text_add(t, span_of(s.p + from, i - from));
		text_str(t, as);
		from = i + 1;
	}
	text_add(t, span_of(s.p + from, s.n - from));
}

/* NAME{LABEL="VALUE"} */
static void
series(struct text *t, const char *name, const char *label, struct span value)
{
	text_str(t, name);
	if (label) {
		text_str(t, "{");
		text_str(t, label);
		text_str(t, "=\"");
		escaped(t, value);
		text_str(t, "\"}");
	}
	text_str(t, " ");
}

static void
sample(struct text *t, const char *name, const char *label, struct span value, uint64_t v)
{
	series(t, name, label, value);
	text_number(t, v);
	text_str(t, "\n");
}

/* Microseconds as seconds; exact. */
static void
seconds(struct text *t, uint64_t us)
{
	text_number(t, us / 1000000);
	text_printf(t, ".%06u\n", (unsigned)(us % 1000000));
}

static void
one(struct text *t, const char *name, const char *type, const char *help, uint64_t v)
{
	family(t, name, type, help);
	sample(t, name, NULL, SPAN(""), v);
}

/* --- sums over the workers --- */

#define COUNTER(field) offsetof(struct worker_counters, field)

static uint64_t
sum(const struct shared *s, size_t offset)
{
	uint64_t n = 0;

	for (uint32_t w = 0; w < s->n_workers; w++)
		n += *(const uint64_t *)(const void *)((const char *)&s->worker[w].counters + offset);
	return n;
}

static void
totals(struct text *t, const struct shared *s)
{
	static const struct {
		const char *name, *type, *help;
		size_t      at;
	} rows[] = {
		{"postern_connections_accepted_total", "counter", "Client connections accepted.", COUNTER(accepted)},
		{"postern_connections_refused_unread_total", "counter", "Connections closed unread: not among the listener's clients.", COUNTER(refused_unread)},
		{"postern_connections_refused_limit_total", "counter", "Connections refused: over max-connections-per-client.", COUNTER(refused_limit)},
		{"postern_connections_open", "gauge", "Client connections now.", COUNTER(open)},
		{"postern_accept_pauses_total", "counter", "Times that a worker stopped accepting: out of descriptors, or at max-connections.", COUNTER(accept_pauses)},
		{"postern_requests_total", "counter", "Requests that ended, tunnels among them.", COUNTER(requests)},
		{"postern_tunnels_total", "counter", "Tunnels that began.", COUNTER(tunnels)},
		{"postern_tunnels_open", "gauge", "Tunnels now.", COUNTER(tunnels_open)},
		{"postern_requests_queued", "gauge", "Requests that wait in front of a limit now.", COUNTER(queued)},
		{"postern_queued_total", "counter", "Requests that had to wait in front of a limit.", COUNTER(queued_total)},
		{"postern_queue_timeouts_total", "counter", "Those of them that were refused in the end.", COUNTER(queue_timeouts)},
		{"postern_received_bytes_total", "counter", "Bytes from clients, of what has ended.", COUNTER(bytes_in)},
		{"postern_sent_bytes_total", "counter", "Bytes to clients, of what has ended.", COUNTER(bytes_out)},
		{"postern_guard_closed_total", "counter", "Tunnels that the guard closed.", COUNTER(guard_closed)},
		{"postern_guard_reported_total", "counter", "Tunnels that the guard would have closed; guard = report.", COUNTER(guard_reported)},
		{"postern_inspected_total", "counter", "Tunnels whose TLS was taken up.", COUNTER(inspected)},
		{"postern_auth_asked_total", "counter", "Log-ons that an auth process was asked about.", COUNTER(auth_asked)},
		{"postern_auth_cached_total", "counter", "Basic passwords that were known to be right.", COUNTER(auth_cached)},
		{"postern_leaves_asked_total", "counter", "Certificates that workers had of the signer.", COUNTER(leaves_asked)},
		{"postern_leaves_cached_total", "counter", "Certificates that workers had already.", COUNTER(leaves_cached)},
		{"postern_origins_remembered_total", "counter", "Inspected tunnels answered before their origin was asked.", COUNTER(origins_remembered)},
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		one(t, rows[i].name, rows[i].type, rows[i].help, sum(s, rows[i].at));
	family(t, "postern_throttled_seconds_total", "counter", "Time that connections waited for bandwidth, all together.");
	series(t, "postern_throttled_seconds_total", NULL, SPAN(""));
	seconds(t, sum(s, COUNTER(throttled_us)));
}

static const char *const action_words[] = {[ACTION_BYPASS] = "bypass", [ACTION_TUNNEL] = "tunnel", [ACTION_INSPECT] = "inspect", [ACTION_DENY] = "deny"};

/* All are there from the beginning, at 0: a rate is wrong for a series that begins at 1. */
static void
failures(struct text *t, const struct shared *s)
{
	family(t, "postern_failures_total", "counter", "Requests that failed through no fault of the client's or the policy's, by action and by where it lies.");
	for (unsigned i = 0; i < sizeof action_words / sizeof *action_words; i++)
		for (unsigned k = FAILURE_NONE + 1; k < FAILURE_KINDS; k++)
			text_printf(t, "postern_failures_total{action=\"%s\",kind=\"%s\"} %llu\n", action_words[i], failure_word((enum failure)k),
			    (unsigned long long)sum(s, COUNTER(failed) + (i * FAILURE_KINDS + k) * sizeof(uint64_t)));
}

static void
actions(struct text *t, const struct shared *s)
{
	family(t, "postern_decisions_total", "counter", "Requests decided, by action.");
	for (unsigned i = 0; i < sizeof action_words / sizeof *action_words; i++)
		sample(t, "postern_decisions_total", "action", span_str(action_words[i]), sum(s, COUNTER(by_action) + i * sizeof(uint64_t)));
	family(t, "postern_faults_total", "counter", "Requests that ended otherwise than well, by fault as the access log names it.");
	for (unsigned f = FAULT_NONE + 1; f < FAULT_COUNT; f++)
		sample(t, "postern_faults_total", "fault", span_str(fault_row((enum fault)f)->word), sum(s, COUNTER(by_fault) + f * sizeof(uint64_t)));
}

/* --- by rule --- */

struct rule_sum {
	struct span          name;
	struct rule_counters c;
};

static void
rule_add(struct rule_counters *to, const struct shared *s, uint32_t slot)
{
	for (uint32_t w = 0; w < s->n_workers && slot < RULE_SLOTS; w++) {
		const struct rule_counters *c = &s->worker[w].rule[slot];
		to->requests += c->requests;
		to->open += c->open;
		to->bytes_in += c->bytes_in;
		to->bytes_out += c->bytes_out;
		if (to->last_real_us < c->last_real_us)
			to->last_real_us = c->last_real_us;
	}
}

static void
rules_write(struct text *t, const struct rule_sum *v, size_t n)
{
	static const struct {
		const char *name, *type, *help;
		size_t      at;
	} rows[] = {
		{"postern_rule_requests_total", "counter", "Requests that ended, by the rule that decided them; (none): no rule did.", offsetof(struct rule_counters, requests)},
		{"postern_rule_requests_open", "gauge", "Requests and tunnels under way, by rule.", offsetof(struct rule_counters, open)},
		{"postern_rule_received_bytes_total", "counter", "Bytes from clients, by rule.", offsetof(struct rule_counters, bytes_in)},
		{"postern_rule_sent_bytes_total", "counter", "Bytes to clients, by rule.", offsetof(struct rule_counters, bytes_out)},
	};

	for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
		family(t, rows[r].name, rows[r].type, rows[r].help);
		for (size_t i = 0; i < n; i++)
			sample(t, rows[r].name, "rule", v[i].name, *(const uint64_t *)(const void *)((const char *)&v[i].c + rows[r].at));
	}
	family(t, "postern_rule_last_decision_timestamp_seconds", "gauge", "When the rule decided last; 0: not yet.");
	for (size_t i = 0; i < n; i++) {
		series(t, "postern_rule_last_decision_timestamp_seconds", "rule", v[i].name);
		seconds(t, v[i].c.last_real_us);
	}
}

/* Number 0 stands for what no rule decided, and for rules that have no number of their own. No rule's name has parentheses. */
static void
rules(struct text *t, const struct metrics_view *v)
{
	uint32_t         n = v->snap ? policy_rule_count(v->snap->policy) : 0, own = n < METRICS_RULES ? n : METRICS_RULES;
	struct rule_sum *sums = calloc((size_t)own + 2, sizeof *sums);
	size_t           more = own;

	if (!sums) {
		t->failed = true;
		return;
	}
	for (uint32_t i = 0; i < n; i++) {
		struct rule_sum *to = &sums[i < own ? i : own];
		uint32_t         slot = policy_rule_way(v->snap->policy, i)->slot;
		to->name = i < own ? policy_rule_name(v->snap->policy, i) : SPAN("(other)");
		if (slot)
			rule_add(&to->c, v->shared, slot);
	}
	more += n > own;
	sums[more].name = SPAN("(none)");
	rule_add(&sums[more++].c, v->shared, 0);
	rules_write(t, sums, more);
	free(sums);
}

/* --- by listener --- */

static void
listeners(struct text *t, const struct metrics_view *v)
{
	static const struct {
		const char *name, *type, *help;
		size_t      at;
	} rows[] = {
		{"postern_listener_accepted_total", "counter", "Client connections accepted, by listener.", offsetof(struct listener_counters, accepted)},
		{"postern_listener_refused_total", "counter", "Client connections refused, by listener.", offsetof(struct listener_counters, refused)},
		{"postern_listener_requests_total", "counter", "Requests that ended, by listener.", offsetof(struct listener_counters, requests)},
		{"postern_listener_connections_open", "gauge", "Client connections now, by listener.", offsetof(struct listener_counters, open)},
	};
	const struct snapshot_listener *l = v->snap ? snapshot_at(v->snap, v->snap->set->listeners.off) : NULL;
	uint32_t                        n = v->snap ? v->snap->set->listeners.n : 0;

	n = n < METRICS_LISTENERS ? n : METRICS_LISTENERS;
	for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
		family(t, rows[r].name, rows[r].type, rows[r].help);
		for (uint32_t i = 0; i < n; i++) {
			uint64_t all = 0;
			for (uint32_t w = 0; w < v->shared->n_workers && l[i].slot < LISTENER_COUNTS; w++)
				all += *(const uint64_t *)(const void *)((const char *)&v->shared->worker[w].listener[l[i].slot] + rows[r].at);
			sample(t, rows[r].name, "listener", snapshot_text(v->snap, l[i].name), all);
		}
	}
	family(t, "postern_listener_certificate_expiry_timestamp_seconds", "gauge", "When the certificate that the listener shows its clients ends.");
	for (uint32_t i = 0; i < n; i++)
		if (v->listener_until[i] > 0)
			sample(t, "postern_listener_certificate_expiry_timestamp_seconds", "listener", snapshot_text(v->snap, l[i].name), (uint64_t)v->listener_until[i]);
}

/* --- by parent --- */

static void
parents(struct text *t, const struct metrics_view *v)
{
	static const struct {
		const char *name, *type, *help;
	} rows[] = {
		{"postern_parent_up", "gauge", "1: requests go to this parent proxy; 0: it is known to be down."},
		{"postern_parent_connections_total", "counter", "Connections for requests that the parent proxy took."},
		{"postern_parent_failures_total", "counter", "Connections and looks at the parent proxy that failed."},
		{"postern_parent_latency_seconds", "gauge", "What the last connection or look at the parent proxy that worked took; 0: none yet."},
	};
	const struct snapshot_parent *p = v->snap ? snapshot_at(v->snap, v->snap->set->parents.off) : NULL;
	uint32_t                      n = v->snap ? v->snap->set->parents.n : 0;

	for (unsigned r = 0; r < sizeof rows / sizeof *rows; r++) {
		family(t, rows[r].name, rows[r].type, rows[r].help);
		for (uint32_t i = 0; i < n; i++) {
			const struct parent_health *h = &v->shared->parents.v[p[i].slot % PARENT_SLOTS];
			series(t, rows[r].name, "parent", snapshot_text(v->snap, p[i].name));
			if (r == 3)
				seconds(t, h->latency_us);
			else
				text_printf(t, "%llu\n", (unsigned long long)(r == 0 ? !h->down : r == 1 ? h->used : h->failed));
		}
	}
}

/* --- by list --- */

static void
lists(struct text *t, const struct metrics_view *v)
{
	static const struct {
		const char *name, *help;
	} rows[] = {
		{"postern_list_entries", "Entries of the list."},
		{"postern_list_age_seconds", "Since the oldest file of the list was fetched, as it says, or changed; lists without files have none."},
		{"postern_list_max_age_seconds", "At that age the list is stale; lists without max-age have none."},
	};
	const struct snapshot_list *l = v->snap ? snapshot_at(v->snap, v->snap->set->lists.off) : NULL;
	uint32_t                    n = v->snap ? v->snap->set->lists.n : 0;
	int64_t                     now = (int64_t)(clock_real_us() / 1000000);

	n = n < METRICS_LISTS ? n : METRICS_LISTS;
	for (unsigned r = 0; r < sizeof rows / sizeof *rows; r++) {
		family(t, rows[r].name, "gauge", rows[r].help);
		for (uint32_t i = 0; i < n; i++) {
			uint64_t age = now > l[i].oldest ? (uint64_t)(now - l[i].oldest) : 0;
			if (r == 0 || (l[i].oldest > 0 && (r == 1 || l[i].max_age_s)))
				sample(t, rows[r].name, "list", snapshot_text(v->snap, l[i].name), r == 0 ? l[i].entries : r == 1 ? age : l[i].max_age_s);
		}
	}
}

/* --- times --- */

static void
histogram(struct text *t, const struct shared *s, enum histogram_kind kind, const char *name, const char *help)
{
	uint64_t below = 0, sum_us = 0;

	family(t, name, "histogram", help);
	for (unsigned b = 0; b <= HISTOGRAM_BOUNDS; b++) {
		for (uint32_t w = 0; w < s->n_workers; w++)
			below += s->worker[w].time[kind].bucket[b];
		if (b < HISTOGRAM_BOUNDS)
			text_printf(t, "%s_bucket{le=\"%g\"} ", name, histogram_bound_ms[b] / 1000.0);
		else
			text_printf(t, "%s_bucket{le=\"+Inf\"} ", name);
		text_number(t, below);
		text_str(t, "\n");
	}
	for (uint32_t w = 0; w < s->n_workers; w++)
		sum_us += s->worker[w].time[kind].sum_us;
	text_printf(t, "%s_sum ", name);
	seconds(t, sum_us);
	text_printf(t, "%s_count ", name);
	text_number(t, below);
	text_str(t, "\n");
}

static void
histograms(struct text *t, const struct shared *s)
{
	histogram(t, s, HISTOGRAM_RESOLVE, "postern_resolve_duration_seconds", "Look-ups of names; those that the cache answered are not among them.");
	histogram(t, s, HISTOGRAM_CONNECT, "postern_connect_duration_seconds", "Connections to origins and parents, all addresses of a name together.");
	histogram(t, s, HISTOGRAM_TLS, "postern_tls_handshake_duration_seconds", "TLS handshakes with the origins of inspected tunnels.");
	histogram(t, s, HISTOGRAM_REQUEST, "postern_request_duration_seconds", "Requests from their first byte to their end; of tunnels, to their beginning.");
}

/* --- those beside the workers --- */

static void
auth(struct text *t, const struct shared *s, uint32_t kinds)
{
	static const struct {
		const char *word;
		size_t      at;
	} results[] = {
		{"ok", offsetof(struct auth_stats, ok)},
		{"refused", offsetof(struct auth_stats, refused)},
		{"bad", offsetof(struct auth_stats, bad)},
		{"limited", offsetof(struct auth_stats, limited)},
		{"unavailable", offsetof(struct auth_stats, unavailable)},
		{"dropped", offsetof(struct auth_stats, dropped)},
	};

	family(t, "postern_auth_answers_total", "counter", "Answers about log-ons, by back end and result.");
	for (unsigned k = 0; k < BACK_KINDS; k++)
		for (size_t r = 0; r < sizeof results / sizeof *results && kinds & 1u << k; r++)
			text_printf(t, "postern_auth_answers_total{backend=\"%s\",result=\"%s\"} %llu\n", back_word((enum back_kind)k), results[r].word,
			    (unsigned long long)*(const _Atomic uint64_t *)(const void *)((const char *)&s->auth.stats[k] + results[r].at));
	family(t, "postern_auth_busy_seconds_total", "counter", "Time that back ends took to answer.");
	for (unsigned k = 0; k < BACK_KINDS; k++) {
		if (!(kinds & 1u << k))
			continue;
		series(t, "postern_auth_busy_seconds_total", "backend", span_str(back_word((enum back_kind)k)));
		seconds(t, s->auth.stats[k].busy_us);
	}
	family(t, "postern_auth_down", "gauge", "1: the back end does not answer, and is not asked for a while.");
	for (unsigned k = 0; k < BACK_KINDS; k++)
		if (kinds & 1u << k)
			sample(t, "postern_auth_down", "backend", span_str(back_word((enum back_kind)k)), s->auth.stats[k].is_down);
}

/* Totals only: what clients name is not for labels. */
static void
evidence(struct text *t, const struct shared_evidence *e)
{
	family(t, "postern_suggest_hosts", "gauge", "Hosts that postern suggest knows something about, by reason.");
	for (unsigned k = EVIDENCE_NONE + 1; k < EVIDENCE_KINDS; k++)
		sample(t, "postern_suggest_hosts", "reason", span_str(evidence_word((enum evidence_kind)k)), e->hosts[k]);
	family(t, "postern_suggest_requests_total", "counter", "What it was counted from: refused certificates, demands for one, and 407s of machines that cannot log on.");
	for (unsigned k = EVIDENCE_NONE + 1; k < EVIDENCE_KINDS; k++)
		sample(t, "postern_suggest_requests_total", "reason", span_str(evidence_word((enum evidence_kind)k)), e->times[k]);
}

static void
log_and_signer(struct text *t, const struct shared *s)
{
	one(t, "postern_signer_asked_total", "counter", "Certificates that the signer was asked for.", s->signer.asked);
	one(t, "postern_signer_minted_total", "counter", "Certificates that it made.", s->signer.minted);
	one(t, "postern_signer_cached_total", "counter", "Certificates that it had already.", s->signer.cached);
	one(t, "postern_signer_refused_total", "counter", "Certificates that it refused to make.", s->signer.refused);
	one(t, "postern_log_lines_total", "counter", "Lines written, over all access logs.", s->logger.lines);
	one(t, "postern_log_bytes_total", "counter", "Bytes written, over all access logs.", s->logger.bytes);
	one(t, "postern_log_dropped_total", "counter", "Lines that a log in trouble had no memory for.", s->logger.dropped);
	one(t, "postern_log_ring_dropped_total", "counter", "Lines that the logger was too slow to take.", s->logger.ring_dropped);
	one(t, "postern_log_errors_total", "counter", "Opens and writes of access logs that failed.", s->logger.errors);
	one(t, "postern_log_ring_size_bytes", "gauge", "What can wait for the logger, for each worker.", RING_BYTES);
	family(t, "postern_log_ring_bytes", "gauge", "What waits for the logger, by worker.");
	for (uint32_t w = 0; w < s->n_workers; w++) {
		uint64_t taken = s->logger.ring_taken[w], written = s->worker[w].counters.ring_written;
		/* the logger may have taken what the worker has not told of yet */
		text_printf(t, "postern_log_ring_bytes{worker=\"%u\"} %llu\n", w, written > taken ? (unsigned long long)(written - taken) : 0ull);
	}
}

/* --- the gateway as a whole --- */

/* "the logger" in sentences. */
static struct span
process_word(const struct census_process *p)
{
	struct span name = span_of(p->name, strnlen(p->name, sizeof p->name));

	return name.n > 4 && memcmp(name.p, "the ", 4) == 0 ? span_of(name.p + 4, name.n - 4) : name;
}

static void
processes(struct text *t, const struct census *c)
{
	enum { UP, STARTS, DEATHS, HANGS, SILENT, ROWS };
	static const struct {
		const char *name, *type, *help;
	} rows[ROWS] = {
		[UP] = {"postern_process_up", "gauge", "1: the process is there."},
		[STARTS] = {"postern_process_starts_total", "counter", "How often it was started."},
		[DEATHS] = {"postern_process_deaths_total", "counter", "How often it ended."},
		[HANGS] = {"postern_process_hangs_total", "counter", "How often it was ended because it did not answer."},
		[SILENT] = {"postern_process_silent_seconds", "gauge", "For how long it has not answered; 0: it does."},
	};
	uint32_t n = c->n < CENSUS_PROCESSES ? c->n : CENSUS_PROCESSES;

	for (unsigned r = 0; r < ROWS; r++) {
		family(t, rows[r].name, rows[r].type, rows[r].help);
		for (uint32_t i = 0; i < n; i++) {
			const struct census_process *p = &c->process[i];
			const uint64_t               value[ROWS] = {[UP] = p->pid != 0, [STARTS] = p->starts, [DEATHS] = p->deaths, [HANGS] = p->hangs, [SILENT] = p->silent_s};
			if (p->starts) /* the others are not needed */
				sample(t, rows[r].name, "process", process_word(p), value[r]);
		}
	}
}

static void
gateway(struct text *t, const struct metrics_view *v)
{
	const struct census *c = &v->shared->census;
	uint64_t             turned_us = c->turned_mono_us, now_us = clock_mono_us();

	family(t, "postern_build_info", "gauge", "1; the version is in the label.");
	sample(t, "postern_build_info", "version", SPAN(PACKAGE_VERSION), 1);
	family(t, "postern_start_timestamp_seconds", "gauge", "When the gateway started.");
	series(t, "postern_start_timestamp_seconds", NULL, SPAN(""));
	seconds(t, c->started_real_us);
	one(t, "postern_parent_silent_seconds", "gauge", "Since the parent process turned last. Without it traffic goes on, but nothing is reloaded, and what dies stays dead.",
	    now_us > turned_us ? (now_us - turned_us) / 1000000 : 0);
	one(t, "postern_draining", "gauge", "1: the gateway takes no more and ends when what is under way has.", c->state == GATEWAY_DRAINING);
	one(t, "postern_config_generation", "gauge", "Number of the configuration in use; 1 is that of the start.", c->generation);
	one(t, "postern_config_last_reload_successful", "gauge", "0: the last reload was refused.", !c->reload_failed);
	family(t, "postern_config_applied_timestamp_seconds", "gauge", "Since when the configuration is in use.");
	series(t, "postern_config_applied_timestamp_seconds", NULL, SPAN(""));
	seconds(t, c->reloaded_real_us);
	one(t, "postern_config_reloads_total", "counter", "Reloads that took effect, those for changed files of names, roots and revocation among them.", c->reloads);
	one(t, "postern_config_reloads_refused_total", "counter", "Reloads that changed nothing because something was wrong.", c->reloads_refused);
	if (v->snap)
		one(t, "postern_connections_limit", "gauge", "Most client connections, over all workers.", (uint64_t)v->snap->set->max_connections * v->shared->n_workers);
	if (v->ca_until > 0)
		one(t, "postern_ca_certificate_expiry_timestamp_seconds", "gauge", "When the inspection CA's certificate ends.", (uint64_t)v->ca_until);
	one(t, "postern_admin_refused_total", "counter", "Connections to the admin address closed unread: not among admin-clients.", v->strangers);
	processes(t, c);
}

/* --- the endpoints --- */

struct doctor_report *
metrics_doctor(const struct metrics_view *v, bool *failed)
{
	struct doctor_report *r;

	if (!v->board || !v->snap || !v->snap->set->doctor_interval_ms)
		return NULL;
	r = malloc(sizeof *r);
	if (!r)
		*failed = true;
	if (r && doctor_board_read(v->board, r))
		return r;
	free(r);
	return NULL;
}

static void
doctor(struct text *t, const struct metrics_view *v)
{
	struct doctor_report *r = metrics_doctor(v, &t->failed);

	doctor_exposition(t, r);
	free(r);
}

void
metrics_write(struct text *out, const struct metrics_view *v)
{
	gateway(out, v);
	totals(out, v->shared);
	actions(out, v->shared);
	failures(out, v->shared);
	rules(out, v);
	listeners(out, v);
	parents(out, v);
	lists(out, v);
	doctor(out, v);
	histograms(out, v->shared);
	auth(out, v->shared, v->snap ? v->snap->set->auth.kinds | (snapshot_negotiates(v->snap) ? 1u << BACK_INITIATOR : 0) : 0);
	log_and_signer(out, v->shared);
	evidence(out, &v->shared->evidence);
}
