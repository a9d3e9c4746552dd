/* SPDX-License-Identifier: MIT */
/*
 * status_inside: what the files that gather the status share, and nobody else includes: status.c (all but the doctor), status_doctor.c.
 */
#ifndef POSTERN_PROC_STATUS_INSIDE_H
#define POSTERN_PROC_STATUS_INSIDE_H

#include "proc/status.h"

/* A new row, to be filled column by column; a place that takes it when there is no memory. */
struct cell *status_row(struct status *s, enum status_table which);

static inline void
cell_text(struct cell **c, struct span s)
{
	*(*c)++ = (struct cell){.text = s};
}

static inline void
cell_number(struct cell **c, uint64_t n)
{
	*(*c)++ = (struct cell){.n = n};
}

static inline void
status_figure(struct status *s, const char *group, const char *key, const char *title, enum cell_kind kind, struct cell cell)
{
	if (s->n_figures < STATUS_FIGURES)
		s->figure[s->n_figures++] = (struct figure){group, key, title, kind, cell};
}

static inline void
status_count(struct status *s, const char *group, const char *key, const char *title, uint64_t n)
{
	status_figure(s, group, key, title, CELL_COUNT, (struct cell){.n = n});
}

static inline void
status_word(struct status *s, const char *group, const char *key, const char *title, const char *is)
{
	status_figure(s, group, key, title, CELL_WORD, (struct cell){.text = span_str(is)});
}

/* Figures and endpoints of s->doctor, what the doctor process found last (status_doctor.c). */
void status_doctor(struct status *s, const struct metrics_view *v);

#endif
