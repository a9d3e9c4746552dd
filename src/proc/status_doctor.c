/* SPDX-License-Identifier: MIT */
/* status_doctor: what the doctor process found last, on the status page. */
#include "proc/status_inside.h"

static void
figures(struct status *s, const struct metrics_view *v)
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
	status_word(s, "doctor", "state", "Endpoints", state);
	status_figure(s, "doctor", "last", "Last tested", CELL_AGO, (struct cell){.n = r && r->ended_s > 0 ? (uint64_t)r->ended_s : CELL_NONE});
	status_figure(s, "doctor", "next_in_s", "Next test in, s", CELL_NUMBER, (struct cell){.n = next > (int64_t)s->now_s ? (uint64_t)(next - (int64_t)s->now_s) : on && next ? 0 : CELL_NONE});
	status_count(s, "doctor", "tested", "Tested", tested);
	status_count(s, "doctor", "bad", "Bad", bad);
	status_count(s, "doctor", "untested", "Without a known host, or too many", r ? r->n_targets - tested + r->more : 0);
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
	struct cell                *c = status_row(s, STATUS_DOCTOR);
	int64_t                     ends = 0;

	cell_text(&c, span_str(t->no_probe ? t->pattern : t->host));
	cell_number(&c, t->port);
	cell_text(&c, span_str(t->list));
	cell_text(&c, t->no_probe ? SPAN("untested") : doctor_report_worst(r, i) ? SPAN("bad") : SPAN("well"));
	for (unsigned k = 0; k < r->n_parents + 2; k++)
		ends = way[k] && way[k]->not_after > 0 && !ends ? way[k]->not_after : ends;
	cell_text(&c, way_word(way[0]));
	cell_text(&c, way_word(worst_parent(r, way)));
	cell_text(&c, way_word(way[r->n_parents + 1]));
	cell_number(&c, r->bad_since_s[i] > 0 ? (uint64_t)r->bad_since_s[i] : CELL_NONE);
	cell_number(&c, ends ? (ends > (int64_t)s->now_s ? (uint64_t)(ends - (int64_t)s->now_s) / 86400 : 0) : CELL_NONE);
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
status_doctor(struct status *s, const struct metrics_view *v)
{
	figures(s, v);
	endpoints(s);
}
