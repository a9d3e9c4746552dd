/* SPDX-License-Identifier: MIT */
/*
 * status: what the status page and /status.json show, gathered once, as figures and tables; both are written from it (status_json.c, status_html.c), so that
 * they cannot say different things, and the script of the page finds in JSON what stands in the page under the same names.
 * Texts are borrowed from the snapshot and shared memory, and come from outside: whoever writes them escapes them.
 */
#ifndef POSTERN_PROC_STATUS_H
#define POSTERN_PROC_STATUS_H

#include "base/text.h"
#include "ipc/top.h"
#include "proc/history.h"
#include "proc/metrics_text.h"

#define STATUS_RULES 100u /* on the page and in JSON; the others are on a page of their own */

#define STATUS_LISTS_MOST 100u

/* How `n` of a cell is meant; numbers in thousandths unless said otherwise. */
enum cell_kind {
	CELL_TEXT,  /* `text` */
	CELL_WORD,  /* `text`, one of few words that say how something is */
	CELL_NUMBER, /* whole, a name rather than an amount */
	CELL_COUNT, /* whole */
	CELL_BYTES, /* whole */
	CELL_RATE,  /* a second */
	CELL_SPEED, /* bytes a second */
	CELL_MS,    /* milliseconds */
	CELL_AGO,   /* a point in time, in whole seconds since the epoch */
	CELL_SINCE, /* likewise: something lasts since */
};
#define CELL_NONE UINT64_MAX /* not known, or never */

struct cell {
	struct span text;
	uint64_t    n;
};

struct column {
	const char    *key, *title;
	enum cell_kind kind;
	bool           minor; /* left out where the screen is narrow */
};

struct table {
	const char          *key, *title, *empty; /* what to say when there are no rows; null: then it is not shown */
	const struct column *column;
	unsigned             n_columns;
	struct cell         *cell; /* owned; row after row */
	size_t               n, room; /* rows */
};

struct figure {
	const char    *group, *key, *title;
	enum cell_kind kind;
	struct cell    cell;
};

enum status_table {
	STATUS_ACTIONS, STATUS_FAULTS, STATUS_HOSTS, STATUS_CLIENTS, STATUS_RULES_TABLE, STATUS_LISTENERS, STATUS_PARENTS, STATUS_PROCESSES, STATUS_BACKS, STATUS_LISTS,
	STATUS_DOCTOR,
	STATUS_TABLES
};

#define STATUS_FIGURES 48u

struct status {
	uint64_t        now_s;
	struct figure   figure[STATUS_FIGURES];
	unsigned        n_figures;
	struct table    table[STATUS_TABLES];
	struct point    point;
	bool            has_point;
	uint32_t        rules, rules_unused; /* of the configuration, all of them, not only those in the table */
	struct top_list hosts, clients;
	struct doctor_report *doctor; /* owned; null: nothing is known */
	bool            failed; /* no memory */
};

/* At most `most_rules` rules, the busiest. Clear it in any case; when `failed`, nothing of it is to be shown. */
void status_gather(struct status *s, const struct metrics_view *v, const struct history *h, uint32_t most_rules);
void status_clear(struct status *s);

/* RFC 8259. */
void status_json(struct text *out, const struct status *s);
void history_json(struct text *out, const struct history *h);
/* The whole page; and the one with all rules. */
void status_page(struct text *out, const struct status *s);
void status_rules_page(struct text *out, const struct status *s);

#endif
