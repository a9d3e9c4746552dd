/* SPDX-License-Identifier: MIT */
/* status_json: the status as JSON. The manual, postern(8), documents it: names stay, new ones may come. */
#include "audit/line.h"
#include "proc/status.h"

static void
quoted(struct text *t, struct span s)
{
	char        buf[LINE_TEXT_MAX];
	struct line l = {buf, buf + sizeof buf};

	line_text(&l, s, STYLE_JSON);
	text_str(t, "\"");
	text_add(t, span_of(buf, (size_t)(l.at - buf)));
	text_str(t, "\"");
}

static void
key(struct text *t, const char *name, bool first)
{
	text_str(t, first ? "\"" : ",\"");
	text_str(t, name);
	text_str(t, "\":");
}

/* Thousandths. */
static void
decimal(struct text *t, uint64_t n)
{
	unsigned rest = (unsigned)(n % 1000);

	text_number(t, n / 1000);
	if (rest)
		text_printf(t, ".%03u", rest);
}

static void
value(struct text *t, enum cell_kind kind, const struct cell *c)
{
	switch (kind) {
	case CELL_TEXT:
	case CELL_WORD:
		quoted(t, c->text);
		break;
	case CELL_RATE:
	case CELL_SPEED:
	case CELL_MS:
		c->n == CELL_NONE ? text_str(t, "null") : decimal(t, c->n);
		break;
	case CELL_NUMBER:
	case CELL_COUNT:
	case CELL_BYTES:
	case CELL_AGO:
	case CELL_SINCE:
		c->n == CELL_NONE ? text_str(t, "null") : text_number(t, c->n);
		break;
	}
}

static void
point_values(struct text *t, const struct point *p, bool names)
{
	for (unsigned i = 0; i < POINT_FIELDS; i++) {
		if (names)
			key(t, point_word[i], i == 0);
		else if (i)
			text_str(t, ",");
		p->v[i] == POINT_NONE ? text_str(t, "null") : decimal(t, p->v[i]);
	}
}

static void
table(struct text *t, const struct table *of)
{
	key(t, of->key, false);
	text_str(t, "[");
	for (size_t r = 0; r < of->n; r++) {
		text_str(t, r ? ",\n{" : "\n{");
		for (unsigned i = 0; i < of->n_columns; i++) {
			key(t, of->column[i].key, i == 0);
			value(t, of->column[i].kind, &of->cell[r * of->n_columns + i]);
		}
		text_str(t, "}");
	}
	text_str(t, "]");
}

void
status_json(struct text *out, const struct status *s)
{
	const char *group = "";

	text_str(out, "{\"now\":");
	text_number(out, s->now_s);
	for (unsigned i = 0; i < s->n_figures; i++) {
		const struct figure *f = &s->figure[i];
		bool                 first = strcmp(f->group, group) != 0;
		if (first) {
			if (*group)
				text_str(out, "}");
			text_str(out, ",\n\"");
			text_str(out, f->group);
			text_str(out, "\":{");
			group = f->group;
		}
		key(out, f->key, first);
		value(out, f->kind, &f->cell);
	}
	text_str(out, "},\n\"point\":");
	if (s->has_point) {
		text_str(out, "{");
		point_values(out, &s->point, true);
		text_str(out, "}");
	} else {
		text_str(out, "null");
	}
	for (unsigned i = 0; i < STATUS_TABLES; i++)
		table(out, &s->table[i]);
	text_str(out, "}\n");
}

void
history_json(struct text *out, const struct history *h)
{
	struct point p;

	text_printf(out, "{\"every_ms\":%u,\"points_most\":%u,\"columns\":[", HISTORY_EVERY_MS, HISTORY_POINTS);
	for (unsigned i = 0; i < POINT_FIELDS; i++)
		text_printf(out, "%s\"%s\"", i ? "," : "", point_word[i]);
	text_str(out, "],\"points\":[");
	for (unsigned i = 0; history_point(h, i, &p); i++) {
		text_str(out, i ? ",\n[" : "\n[");
		point_values(out, &p, false);
		text_str(out, "]");
	}
	text_str(out, "]}\n");
}
