/* SPDX-License-Identifier: MIT */
#include "doctor/changes.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"

static bool
same_target(const struct doctor_target *a, const struct doctor_target *b)
{
	return a->port == b->port && a->scheme == b->scheme && a->no_probe == b->no_probe && strcmp(a->host, b->host) == 0;
}

/* When it went bad before; 0: it was well, or is new. */
static int64_t
bad_before(const struct doctor_report *before, const struct doctor_target *t)
{
	for (uint32_t i = 0; before && i < before->n_targets; i++)
		if (same_target(&before->target[i], t))
			return before->bad_since_s[i];
	return 0;
}

static const char *
lasted(int64_t s, char *buf, size_t n)
{
	if (s < 60)
		snprintf(buf, n, "%" PRId64 " s", s < 0 ? 0 : s);
	else if (s < 2 * 3600)
		snprintf(buf, n, "%" PRId64 " min", s / 60);
	else
		snprintf(buf, n, "%" PRId64 " h", s / 3600);
	return buf;
}

static void
tell(const struct doctor_report *now, uint32_t i, const struct doctor_row *worst, int64_t since)
{
	const struct doctor_target *t = &now->target[i];
	char                        age[32], way[DOCTOR_PARENT_NAME + 8];

	if (worst)
		log_warn("endpoint %s:%u (%s%s%s) is bad: %s, way: %s; postern doctor says what to do", t->host, t->port, t->list, *t->list ? ", " : "", t->where,
		    doctor_fault_word((enum doctor_fault)worst->fault), doctor_report_way(now, worst, way));
	else
		log_info("endpoint %s:%u is well again, after %s", t->host, t->port, lasted(now->ended_s - since, age, sizeof age));
}

void
doctor_changes(const struct doctor_report *before, struct doctor_report *now)
{
	uint32_t told = 0;

	for (uint32_t i = 0; i < now->n_targets; i++) {
		const struct doctor_row *worst = doctor_report_worst(now, i);
		int64_t                  since = bad_before(before, &now->target[i]);
		now->bad_since_s[i] = !worst ? 0 : since ? since : now->ended_s;
		if (!worst == !since)
			continue;
		if (told++ < DOCTOR_CHANGES_TOLD)
			tell(now, i, worst, since);
	}
	if (told > DOCTOR_CHANGES_TOLD)
		log_info("%u more endpoints changed; postern doctor --watch names them", told - DOCTOR_CHANGES_TOLD);
}
