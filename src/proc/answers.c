/* SPDX-License-Identifier: MIT */
/* answers: status, as text and as JSON, from the counters in shared memory. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "proc/commands.h"

const char *const action_words[4] = {[ACTION_DENY] = "deny", [ACTION_BYPASS] = "bypass", [ACTION_TUNNEL] = "tunnel", [ACTION_INSPECT] = "inspect"};

const char *
age_print(uint64_t ms, char *buf, size_t n)
{
	uint64_t s = ms / 1000;

	if (s < 60)
		snprintf(buf, n, "%" PRIu64 ".%" PRIu64 "s", s, ms % 1000 / 100);
	else if (s < 3600)
		snprintf(buf, n, "%" PRIu64 "m%02" PRIu64 "s", s / 60, s % 60);
	else if (s < 86400)
		snprintf(buf, n, "%" PRIu64 "h%02" PRIu64 "m", s / 3600, s % 3600 / 60);
	else
		snprintf(buf, n, "%" PRIu64 "d%02" PRIu64 "h", s / 86400, s % 86400 / 3600);
	return buf;
}

const char *
size_print(uint64_t bytes, char *buf, size_t n)
{
	static const char unit[] = " kMGTPE";
	unsigned          u = 0;
	uint64_t          v = bytes, rest = 0;

	while (v >= 1024 && u + 2 < sizeof unit) {
		rest = v % 1024;
		v /= 1024;
		u++;
	}
	if (u)
		snprintf(buf, n, "%" PRIu64 ".%" PRIu64 "%c", v, rest * 10 / 1024, unit[u]);
	else
		snprintf(buf, n, "%" PRIu64, v);
	return buf;
}

/* --- totals --- */

struct totals {
	struct worker_counters sum;
	uint64_t               tunnels_open, requests_open; /* by the rules' counters */
};

static void
gather(const struct commands *m, struct totals *t)
{
	*t = (struct totals){0};
	for (uint32_t i = 0; m->shared && i < m->shared->n_workers; i++) {
		const struct worker_counters *c = &m->shared->worker[i].counters;
		t->sum.accepted += c->accepted;
		t->sum.refused_unread += c->refused_unread;
		t->sum.refused_limit += c->refused_limit;
		t->sum.requests += c->requests;
		t->sum.tunnels += c->tunnels;
		t->sum.bytes_in += c->bytes_in;
		t->sum.bytes_out += c->bytes_out;
		t->sum.guard_closed += c->guard_closed;
		t->sum.guard_reported += c->guard_reported;
		t->sum.accept_pauses += c->accept_pauses;
		t->sum.open += m->crew->worker[i].pid ? c->open : 0;
		t->sum.inspected += c->inspected;
		t->sum.queued += m->crew->worker[i].pid ? c->queued : 0;
		t->sum.queued_total += c->queued_total;
		t->sum.queue_timeouts += c->queue_timeouts;
		for (unsigned a = 0; a < 4; a++)
			t->sum.by_action[a] += c->by_action[a];
		for (unsigned f = 0; f < FAULT_COUNT; f++)
			t->sum.by_fault[f] += c->by_fault[f];
		for (uint32_t r = 0; r < RULE_SLOTS; r++)
			t->requests_open += m->crew->worker[i].pid ? m->shared->worker[i].rule[r].open : 0;
	}
}

void
answer_sample(struct commands *m, struct command_sample *out)
{
	*out = (struct command_sample){.at_us = clock_mono_us()};
	for (uint32_t i = 0; m->shared && i < m->shared->n_workers; i++) {
		const struct worker_counters *c = &m->shared->worker[i].counters;
		out->requests += c->requests;
		out->bytes_in += c->bytes_in;
		out->bytes_out += c->bytes_out;
		for (unsigned a = 0; a < 4; a++)
			out->by_action[a] += c->by_action[a];
	}
}

/* Tenths a second over the last seconds. */
static uint64_t
rate(uint64_t now, uint64_t before, uint64_t us)
{
	return us && now > before ? (now - before) * 10000000 / us : 0;
}

/* --- status --- */

struct status {
	struct command_view   view;
	struct totals         t;
	struct command_sample now;
	uint64_t              span_us;
	uint64_t              up_ms;
};

/* A process, to be told of. */
struct seen {
	const char *name; /* CENSUS_NAME bytes at most */
	int         pid;
	unsigned    starts, hangs, silent_s;
	uint64_t    generation, up_ms;
};

typedef void tell_fn(FILE *f, const struct seen *p, bool first);

static struct seen
seen_member(const struct member *m)
{
	const struct census_process *c = m->census;

	return (struct seen){.name = m->name, .pid = m->pid, .starts = m->starts, .hangs = c ? c->hangs : 0, .silent_s = c ? c->silent_s : 0, .generation = m->applied,
		.up_ms = m->pid ? (clock_mono_us() - m->since_us) / 1000 : 0};
}

/* The admin, auth, signer and doctor processes, as the census has them: the crew's own come before. */
static void
others(const struct commands *m, tell_fn *fn, FILE *f)
{
	uint64_t now = clock_real_us();

	for (uint32_t i = 0; m->shared && i < m->shared->census.n && i < CENSUS_PROCESSES; i++) {
		const struct census_process *p = &m->shared->census.process[i];
		uint64_t                     since = p->since_real_us;
		if (!p->starts || strncmp(p->name, m->crew->logger.name, CENSUS_NAME) == 0 || strncmp(p->name, "worker ", 7) == 0)
			continue;
		fn(f, &(struct seen){.name = p->name, .pid = p->pid, .starts = p->starts, .hangs = p->hangs, .silent_s = p->silent_s, .generation = p->generation,
		       .up_ms = p->pid && now > since ? (now - since) / 1000 : 0}, false);
	}
}

static void
each_process(const struct commands *m, tell_fn *fn, FILE *f)
{
	struct seen p = seen_member(&m->crew->logger);

	fn(f, &p, true);
	for (uint32_t i = 0; i < m->crew->n_workers; i++) {
		p = seen_member(&m->crew->worker[i]);
		fn(f, &p, false);
	}
	others(m, fn, f);
}

static void
process_json(FILE *f, const struct seen *p, bool first)
{
	fprintf(f, "%s{\"name\":\"%.*s\",\"pid\":%d,\"starts\":%u,\"hangs\":%u,\"silent_s\":%u,\"generation\":%" PRIu64 ",\"up_ms\":%" PRIu64 "}", first ? "" : ",",
	    (int)CENSUS_NAME, p->name, p->pid, p->starts, p->hangs, p->silent_s, p->generation, p->up_ms);
}

static void
process_text(FILE *f, const struct seen *p, bool first)
{
	char age[24];

	(void)first;
	if (p->pid)
		fprintf(f, "  %-14.*s pid %-8d up %-8s generation %" PRIu64, (int)CENSUS_NAME, p->name, p->pid, age_print(p->up_ms, age, sizeof age), p->generation);
	else
		fprintf(f, "  %-14.*s is not there", (int)CENSUS_NAME, p->name);
	if (p->silent_s)
		fprintf(f, ", has not answered for %u s", p->silent_s);
	if (p->starts > 1)
		fprintf(f, ", started %u times", p->starts);
	if (p->hangs)
		fprintf(f, ", ended %u time%s because it hung", p->hangs, p->hangs == 1 ? "" : "s");
	putc('\n', f);
}

/* The i-th [parent] and how it does; null: nobody knows yet. False: there are no more. */
static bool
parent_at(const struct commands *m, size_t i, struct span *name, const struct parent_health **h)
{
	*h = NULL;
	if (!outline_parent_at(m->outline, i, name))
		return false;
	for (size_t k = 0; m->shared && k < PARENT_SLOTS; k++)
		if (span_eq(*name, span_of(m->shared->parents.v[k].name, strnlen(m->shared->parents.v[k].name, PARENT_NAME_MAX))))
			*h = &m->shared->parents.v[k];
	return true;
}

static void
parents_json(const struct commands *m, FILE *f)
{
	const struct parent_health *h;
	struct span                 name;
	char                        buf[1600];

	fprintf(f, "\"parents\":[");
	for (size_t i = 0; parent_at(m, i, &name, &h); i++)
		fprintf(f, "%s{\"name\":%s,\"up\":%s,\"used\":%" PRIu64 ",\"failed\":%" PRIu64 "}", i ? "," : "", control_escape_json(name, buf, sizeof buf),
		    h && h->down ? "false" : "true", h ? (uint64_t)h->used : 0, h ? (uint64_t)h->failed : 0);
	fprintf(f, "],");
}

static void
parents_text(const struct commands *m, FILE *f)
{
	const struct parent_health *h;
	struct span                 name;
	char                        buf[1600], age[24];
	uint64_t                    now = clock_real_us();

	for (size_t i = 0; parent_at(m, i, &name, &h); i++) {
		fprintf(f, "%s %s", i ? "," : "parents      ", control_escape(name, buf, sizeof buf));
		if (h && h->down)
			fprintf(f, " DOWN for %s", age_print(h->since_us && now > h->since_us ? (now - h->since_us) / 1000 : 0, age, sizeof age));
		else
			fprintf(f, " up");
		if (h && h->failed)
			fprintf(f, " (%" PRIu64 " failures in all)", (uint64_t)h->failed);
	}
	if (outline_parent_at(m->outline, 0, &name))
		putc('\n', f);
}

static void
status_json(const struct commands *m, const struct status *s, FILE *f)
{
	const struct worker_counters *c = &s->t.sum;
	char                          holds[400], file[6 * 4096 + 3];
	bool                          first = true;

	fprintf(f, "{\"version\":\"" PACKAGE_VERSION "\",\"state\":\"%s\",\"pid\":%d,\"up_ms\":%" PRIu64 ",\"generation\":%" PRIu64 ",\"configuration\":%s,", s->view.state,
	    (int)getpid(), s->up_ms, s->view.generation, control_escape_json(span_str(s->view.holds), holds, sizeof holds));
	fprintf(f, "\"last_reload_refused\":%s,", m->shared && m->shared->census.reload_failed ? "true" : "false");
	fprintf(f, "\"file\":%s,", m->file ? control_escape_json(span_str(m->file), file, sizeof file) : "null");
	parents_json(m, f);
	fprintf(f, "\"connections\":%" PRIu64 ",\"under_way\":%" PRIu64 ",\"accepted\":%" PRIu64 ",\"refused_unread\":%" PRIu64 ",\"refused_limit\":%" PRIu64 ",\"accept_pauses\":%" PRIu64
	           ",\"requests\":%" PRIu64 ",\"tunnels\":%" PRIu64 ",\"inspected\":%" PRIu64 ",\"bytes_in\":%" PRIu64 ",\"bytes_out\":%" PRIu64
	           ",\"guard_closed\":%" PRIu64 ",\"guard_reported\":%" PRIu64 ",\"queued\":%" PRIu64 ",\"queued_total\":%" PRIu64
	           ",\"queue_timeouts\":%" PRIu64 ",\n\"actions\":{",
	    c->open, s->t.requests_open, c->accepted, c->refused_unread, c->refused_limit, c->accept_pauses, c->requests, c->tunnels, c->inspected, c->bytes_in, c->bytes_out,
	    c->guard_closed, c->guard_reported, c->queued, c->queued_total, c->queue_timeouts);
	for (unsigned a = 0; a < 4; a++)
		fprintf(f, "%s\"%s\":%" PRIu64, a ? "," : "", action_words[a], c->by_action[a]);
	fprintf(f, "},\"rates\":{\"requests\":%.1f", (double)rate(s->now.requests, m->sample[0].requests, s->span_us) / 10);
	for (unsigned a = 0; a < 4; a++)
		fprintf(f, ",\"%s\":%.1f", action_words[a], (double)rate(s->now.by_action[a], m->sample[0].by_action[a], s->span_us) / 10);
	fprintf(f, "},\n\"faults\":{");
	for (unsigned i = 1; i < FAULT_COUNT; i++)
		if (c->by_fault[i]) {
			fprintf(f, "%s\"%s\":%" PRIu64, first ? "" : ",", fault_row((enum fault)i)->word, c->by_fault[i]);
			first = false;
		}
	fprintf(f, "},\n\"log\":{\"lines\":%" PRIu64 ",\"dropped\":%" PRIu64 ",\"errors\":%" PRIu64 "},\n\"processes\":[", m->shared ? m->shared->logger.lines : 0,
	    m->shared ? m->shared->logger.dropped + m->shared->logger.ring_dropped : 0, m->shared ? m->shared->logger.errors : 0);
	each_process(m, process_json, f);
	fprintf(f, "]}\n");
}

static void
status_text(const struct commands *m, const struct status *s, FILE *f)
{
	const struct worker_counters *c = &s->t.sum;
	char                          up[24], in[24], out[24];
	uint64_t                      per_s = rate(s->now.requests, m->sample[0].requests, s->span_us);
	bool                          any = false;

	fprintf(f, "postern " PACKAGE_VERSION ", pid %d: %s, up %s, generation %" PRIu64 ": %s\n", (int)getpid(), s->view.state, age_print(s->up_ms, up, sizeof up),
	    s->view.generation, s->view.holds);
	if (s->view.left_ms)
		fprintf(f, "draining: the rest is cut off in %" PRIu64 " s\n", (s->view.left_ms + 999) / 1000);
	if (m->shared && m->shared->census.reload_failed)
		fprintf(f, "the last reload was refused: what is on disk is not what is in use; postern check names the errors\n");
	fprintf(f, "connections   %" PRIu64 " open, %" PRIu64 " in all; closed unread %" PRIu64 ", over their limit %" PRIu64 "\n", c->open, c->accepted,
	    c->refused_unread, c->refused_limit);
	fprintf(f, "requests      %" PRIu64 " ended, %" PRIu64 ".%" PRIu64 " a second; tunnels among them %" PRIu64 ", inspected %" PRIu64 "; guard closed %" PRIu64
	           ", reported %" PRIu64 "\n",
	    c->requests, per_s / 10, per_s % 10, c->tunnels, c->inspected, c->guard_closed, c->guard_reported);
	if (c->accept_pauses)
		fprintf(f, "accepting     paused %" PRIu64 " times: out of descriptors, or at max-connections\n", c->accept_pauses);
	if (c->queued_total)
		fprintf(f, "queue         %" PRIu64 " wait in front of a limit, %" PRIu64 " had to in all; in vain %" PRIu64 "\n", c->queued, c->queued_total, c->queue_timeouts);
	fprintf(f, "bytes         %s from clients, %s to them, of what has ended\n", size_print(c->bytes_in, in, sizeof in), size_print(c->bytes_out, out, sizeof out));
	fprintf(f, "decided      ");
	for (unsigned a = 0; a < 4; a++) {
		uint64_t r = rate(s->now.by_action[a], m->sample[0].by_action[a], s->span_us);
		fprintf(f, " %s %" PRIu64 " (%" PRIu64 ".%" PRIu64 "/s)%s", action_words[a], c->by_action[a], r / 10, r % 10, a < 3 ? "," : "\n");
	}
	fprintf(f, "faults       ");
	for (unsigned i = 1; i < FAULT_COUNT; i++)
		if (c->by_fault[i]) {
			fprintf(f, "%s %s %" PRIu64, any ? "," : "", fault_row((enum fault)i)->word, c->by_fault[i]);
			any = true;
		}
	fprintf(f, any ? "\n" : " none\n");
	parents_text(m, f);
	if (m->shared)
		fprintf(f, "access logs   %" PRIu64 " lines; lost %" PRIu64 ", errors %" PRIu64 "%s\n", m->shared->logger.lines,
		    m->shared->logger.dropped + m->shared->logger.ring_dropped, m->shared->logger.errors, m->shared->logger.errors ? ": the operations log says which file" : "");
	fprintf(f, "processes\n");
	each_process(m, process_text, f);
}

void
answer_with(struct commands *m, struct control_client *c, void (*fill)(const struct commands *m, const void *what, FILE *f), const void *what)
{
	char  *text = NULL;
	size_t n = 0;
	FILE  *f = open_memstream(&text, &n);

	if (f) {
		fill(m, what, f);
		if (fclose(f) == 0)
			control_lines(c, '.', text, n);
		else
			f = NULL;
	}
	free(text);
	if (!f)
		control_say(c, 'e', "out of memory");
	control_end(c, f ? 0 : 1);
}

static void
fill_status_text(const struct commands *m, const void *what, FILE *f)
{
	status_text(m, what, f);
}

static void
fill_status_json(const struct commands *m, const void *what, FILE *f)
{
	status_json(m, what, f);
}

void
answer_status(struct commands *m, struct control_client *c)
{
	struct status s = {.up_ms = (clock_mono_us() - m->started_us) / 1000};

	m->doings->look(m->parent, &s.view);
	gather(m, &s.t);
	answer_sample(m, &s.now);
	s.span_us = m->sample[0].at_us ? s.now.at_us - m->sample[0].at_us : 0;
	answer_with(m, c, c->json ? fill_status_json : fill_status_text, &s);
}
