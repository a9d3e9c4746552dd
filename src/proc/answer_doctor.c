/* SPDX-License-Identifier: MIT */
/* answer_doctor: what the doctor process found last and when it looks again, as text and as JSON (contrib/schema/postern-doctor-watch.json). */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "parse/authority.h"
#include "proc/commands.h"
#include "proc/rounds.h"

struct look {
	const struct doctor_board  *board;
	const struct doctor_report *r; /* null: nothing is known yet */
	int64_t                     now_s, next_s;
	bool                        json;
	int                         wide; /* columns of endpoints */
};

static uint64_t
ms_since(const struct look *k, int64_t then)
{
	return k->now_s > then ? (uint64_t)(k->now_s - then) * 1000 : 0;
}

static const struct doctor_row *
row_of(const struct doctor_report *r, uint32_t target, unsigned lane)
{
	for (uint32_t i = 0; i < r->n_rows; i++)
		if (r->row[i].target == target && doctor_lane(&r->row[i], r->n_parents) == lane)
			return &r->row[i];
	return NULL;
}

/* --- JSON --- */

static void
number_or_null(FILE *f, const char *key, int64_t n, bool known)
{
	if (known)
		fprintf(f, ",\"%s\":%" PRId64, key, n);
	else
		fprintf(f, ",\"%s\":null", key);
}

static void
row_json(FILE *f, const struct doctor_report *r, const struct doctor_row *row)
{
	char text[1600];

	fprintf(f, "\"fault\":\"%s\",\"step\":\"%s\",\"bad\":%s,\"status\":%u", doctor_fault_word((enum doctor_fault)row->fault),
	    doctor_step_word((enum doctor_step)row->step), doctor_counts(row, &r->target[row->target]) ? "true" : "false", row->status);
	number_or_null(f, "certificate_until", row->not_after, row->not_after > 0);
	fprintf(f, ",\"detail\":%s}", control_escape_json(span_str(row->detail), text, sizeof text));
}

static void
way_json(FILE *f, const struct doctor_report *r, uint32_t target, unsigned lane)
{
	const struct doctor_row *row = row_of(r, target, lane);

	fprintf(f, ",\"%s\":", doctor_way_word(doctor_lane_way(lane, r->n_parents)));
	if (!row || row->fault == DOCTOR_NOT_TRIED) {
		fputs("null", f);
		return;
	}
	fputc('{', f);
	row_json(f, r, row);
}

/* Those that are not tried too, with why. */
static void
parents_json(FILE *f, const struct doctor_report *r, uint32_t target)
{
	bool any = false;
	char text[600];

	fputs(",\"parents\":[", f);
	for (uint32_t i = 0; i < r->n_parents; i++) {
		const struct doctor_row *row = row_of(r, target, i + 1);
		if (!row)
			continue;
		fprintf(f, "%s{\"name\":%s,", any ? "," : "", control_escape_json(span_str(r->parent[i]), text, sizeof text));
		row_json(f, r, row);
		any = true;
	}
	fputc(']', f);
}

static void
target_json(FILE *f, const struct doctor_report *r, uint32_t i)
{
	const struct doctor_target *t = &r->target[i];
	char                        text[2000];

	fprintf(f, "%s{\"host\":%s", i ? ",\n" : "\n", t->no_probe ? "null" : control_escape_json(span_str(t->host), text, sizeof text));
	fprintf(f, ",\"port\":%u,\"scheme\":\"%s\",\"pattern\":%s", t->port, t->scheme == SCHEME_HTTP ? "http" : "https",
	    control_escape_json(span_str(t->pattern), text, sizeof text));
	fprintf(f, ",\"list\":%s", control_escape_json(span_str(t->list), text, sizeof text));
	fprintf(f, ",\"where\":%s,\"state\":\"%s\"", control_escape_json(span_str(t->where), text, sizeof text),
	    t->no_probe ? "untested" : doctor_report_worst(r, i) ? "bad" : "well");
	number_or_null(f, "bad_since", r->bad_since_s[i], r->bad_since_s[i] > 0);
	way_json(f, r, i, 0);
	parents_json(f, r, i);
	way_json(f, r, i, r->n_parents + 1);
	fputc('}', f);
}

static void
fill_json(const struct look *k, FILE *f)
{
	const struct doctor_report *r = k->r;
	uint32_t                    tested = 0, bad = 0;
	char                        text[1200];

	if (r)
		doctor_report_count(r, &tested, &bad);
	fprintf(f, "{\"running\":%s", atomic_load(&k->board->running) ? "true" : "false");
	number_or_null(f, "last_run", r ? r->ended_s : 0, r && r->ended_s > 0);
	number_or_null(f, "took_ms", r ? (int64_t)r->took_ms : 0, r && r->ended_s > 0);
	number_or_null(f, "next_run", k->next_s, k->next_s > 0);
	fprintf(f, ",\"failed\":%s", r && r->failed[0] ? control_escape_json(span_str(r->failed), text, sizeof text) : "null");
	fprintf(f, ",\"tested\":%u,\"bad\":%u,\"left_out\":%u,\"endpoints\":[", tested, bad, r ? r->more : 0);
	for (uint32_t i = 0; r && i < r->n_targets; i++)
		target_json(f, r, i);
	fprintf(f, "]}\n");
}

/* --- text --- */

/* Does an endpoint go this way? */
static bool
lane_is_used(const struct doctor_report *r, unsigned lane)
{
	for (uint32_t i = 0; i < r->n_targets; i++)
		if (doctor_lane_is_of(lane, r->n_parents, &r->target[i]))
			return true;
	return false;
}

static void
way_text(FILE *f, const struct doctor_report *r, uint32_t target, unsigned lane)
{
	const struct doctor_row *row = row_of(r, target, lane);

	fprintf(f, lane == r->n_parents + 1 ? " %s" : " %-16s", row && row->fault != DOCTOR_NOT_TRIED ? doctor_fault_word((enum doctor_fault)row->fault) : "-");
}

static void
target_text(const struct look *k, FILE *f, uint32_t i)
{
	const struct doctor_report *r = k->r;
	const struct doctor_target *t = &r->target[i];
	const struct doctor_row    *worst = doctor_report_worst(r, i);
	char                        host[1100], age[24], name[1100], detail[900], way[DOCTOR_PARENT_NAME + 8];

	snprintf(name, sizeof name, "%s:%u", control_escape(span_str(t->no_probe ? t->pattern : t->host), host, sizeof host), t->port);
	fprintf(f, "%-8s %-*s", t->no_probe ? "untested" : worst ? "BAD" : "well", k->wide, name);
	for (unsigned lane = 0; lane < r->n_parents + 2; lane++)
		if (lane_is_used(r, lane))
			way_text(f, r, i, lane);
	fputc('\n', f);
	if (worst && r->bad_since_s[i] > 0)
		fprintf(f, "         for %s; %s; %s%s%s\n", age_print(ms_since(k, r->bad_since_s[i]), age, sizeof age), control_escape(span_str(t->where), host, sizeof host),
		    doctor_report_way(r, worst, way), worst->detail[0] ? ": " : "", control_escape(span_str(worst->detail), detail, sizeof detail));
}

static void
when_text(const struct look *k, FILE *f)
{
	uint32_t tested, bad;
	char     age[24], failed[900];

	if (atomic_load(&k->board->running))
		fprintf(f, "a run is under way\n");
	else if (k->next_s > k->now_s)
		fprintf(f, "the next run begins in %s\n", age_print((uint64_t)(k->next_s - k->now_s) * 1000, age, sizeof age));
	if (k->r && k->r->failed[0])
		fprintf(f, "endpoints cannot be tested: %s\n", control_escape(span_str(k->r->failed), failed, sizeof failed));
	if (!k->r || k->r->ended_s <= 0) {
		fprintf(f, "no run has ended yet\n");
		return;
	}
	doctor_report_count(k->r, &tested, &bad);
	fprintf(f, "the last run ended %s ago and took %" PRIu64 ".%" PRIu64 " s: %u endpoint%s tested, %u bad\n", age_print(ms_since(k, k->r->ended_s), age, sizeof age),
	    k->r->took_ms / 1000, k->r->took_ms % 1000 / 100, tested, tested == 1 ? "" : "s", bad);
	if (k->r->more)
		fprintf(f, "%u more did not fit\n", k->r->more);
}

static void
head_text(const struct look *k, FILE *f)
{
	const struct doctor_report *r = k->r;
	char                        name[600], head[620];

	fprintf(f, "%-8s %-*s %-16s ", "STATE", k->wide, "ENDPOINT", "DIRECTLY");
	for (uint32_t i = 0; i < r->n_parents; i++) {
		snprintf(head, sizeof head, "BY %s", control_escape(span_str(r->parent[i]), name, sizeof name));
		if (lane_is_used(r, i + 1))
			fprintf(f, "%-16s ", head);
	}
	fprintf(f, "GATEWAY\n");
}

/* Which of the parents was left out, and why. */
static void
untried_text(const struct doctor_report *r, FILE *f)
{
	char name[600], why[900];

	for (uint32_t i = 0; i < r->n_parents; i++)
		for (uint32_t k = 0; k < r->n_rows; k++) {
			const struct doctor_row *row = &r->row[k];
			if (row->way != DOCTOR_PARENT || row->parent != i || row->fault != DOCTOR_NOT_TRIED || r->target[row->target].no_probe)
				continue;
			fprintf(f, "parent %s is not tried: %s\n", control_escape(span_str(r->parent[i]), name, sizeof name), control_escape(span_str(row->detail), why, sizeof why));
			break;
		}
}

/* With its port, and no wider than what most terminals have room for. */
static int
wide(const struct doctor_report *r)
{
	size_t n = 8;

	for (uint32_t i = 0; r && i < r->n_targets; i++) {
		size_t m = strlen(r->target[i].no_probe ? r->target[i].pattern : r->target[i].host) + 1 + (r->target[i].port < 100 ? 2 : r->target[i].port < 1000 ? 3 : 5);
		n = m > n ? m : n;
	}
	return n < 44 ? (int)n : 44;
}

static void
fill_text(const struct look *k, FILE *f)
{
	when_text(k, f);
	if (!k->r || !k->r->n_targets)
		return;
	untried_text(k->r, f);
	head_text(k, f);
	for (unsigned pass = 0; pass < 2; pass++)
		for (uint32_t i = 0; i < k->r->n_targets; i++)
			if ((pass == 0) == (doctor_report_worst(k->r, i) != NULL))
				target_text(k, f, i);
}

/* The exit code: is all well? */
static int
judge(const struct doctor_report *r)
{
	uint32_t tested, bad;

	if (!r || r->ended_s <= 0 || r->failed[0])
		return 1;
	doctor_report_count(r, &tested, &bad);
	return bad ? 1 : 0;
}

static bool
say(const struct look *k, struct control_client *c)
{
	char  *text = NULL;
	size_t n = 0;
	FILE  *f = open_memstream(&text, &n);
	bool   ok;

	if (!f)
		return false;
	if (k->json)
		fill_json(k, f);
	else
		fill_text(k, f);
	ok = fclose(f) == 0;
	if (ok)
		control_lines(c, '.', text, n);
	free(text);
	return ok;
}

void
answer_doctor(struct commands *m, struct control_client *c)
{
	const struct rounds  *r = m->crew->rounds;
	bool                  on = r && r->now.fd >= 0;
	struct doctor_report *report = on ? malloc(sizeof *report) : NULL;
	struct look           k = {.now_s = (int64_t)(clock_real_us() / 1000000), .json = c->json};
	int                   code = on ? 2 : 1;

	if (report) {
		k.board = r->board;
		k.next_s = atomic_load(&r->board->next_s);
		k.r = doctor_board_read(r->board, report) ? report : NULL;
		k.wide = wide(k.r);
		code = say(&k, c) ? judge(k.r) : 2;
	}
	if (!on)
		control_say(c, 'e', "this gateway tests no endpoints; want interval = 15m, for example, in [doctor], or postern doctor, which tests them now");
	else if (code == 2)
		control_say(c, 'e', "out of memory");
	control_end(c, code);
	free(report);
}
