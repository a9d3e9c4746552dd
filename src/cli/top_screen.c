/* SPDX-License-Identifier: MIT */
/* top_screen: what `postern top` shows, line by line, on a screen of any size. Knows no terminal: whoever has one gets each line by a callback. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <wchar.h>
#include <wctype.h>

#include "base/clock.h"
#include "cli/top.h"
#include "proc/commands.h"

#define RIGHT(n) (-(int)(n))

static const char *const sort_word[SORT_COUNT] = {[SORT_RATE] = "rate", [SORT_BYTES] = "bytes", [SORT_AGE] = "age"};
static const char *const filter_word[FILTER_COUNT] = {[FILTER_CLIENT] = "client", [FILTER_RULE] = "rule", [FILTER_HOST] = "host"};

/* --- one line --- */

/* The next character of a text, in at most `room` columns: itself, or what stands for one that must not be shown. Returns bytes of `text` used; 0: it has no room. */
static size_t
next_shown(const char *text, char *out, size_t out_n, unsigned room, unsigned *columns)
{
	mbstate_t state = {0};
	wchar_t   wide = 0;
	size_t    n = mbrtowc(&wide, text, strlen(text), &state);
	int       width;

	if (n == (size_t)-1 || n == (size_t)-2 || n == 0) {
		n = 1;
		width = -1;
	} else {
		width = iswprint((wint_t)wide) ? wcwidth(wide) : -1;
	}
	if (width <= 0) { /* also marks without a width: whoever sends a thousand of them means no good */
		snprintf(out, out_n, "?");
		*columns = 1;
	} else {
		snprintf(out, out_n, "%.*s", (int)n, text);
		*columns = (unsigned)width;
	}
	return *columns <= room ? n : 0;
}

/* Text of at most `width` columns; negative: right-aligned; 0: as long as it is. A blank follows when a width is given. */
static void
canvas_text(struct canvas *c, int width, const char *text)
{
	unsigned most = width ? (unsigned)(width < 0 ? -width : width) : c->columns, used = 0, columns;
	char     cell[2048], one[16];
	size_t   n = 0, step;

	while (*text && (step = next_shown(text, one, sizeof one, most - used, &columns)) && n + strlen(one) + 1 < sizeof cell) {
		memcpy(cell + n, one, strlen(one));
		n += strlen(one);
		used += columns;
		text += step;
	}
	cell[n] = '\0';
	for (unsigned i = used; width < 0 && i < most && c->used < c->columns && c->n + 1 < sizeof c->text; i++, c->used++)
		c->text[c->n++] = ' ';
	for (const char *p = cell; *p && (step = next_shown(p, one, sizeof one, c->columns - c->used, &columns)) && c->n + strlen(one) + 1 < sizeof c->text; p += step) {
		memcpy(c->text + c->n, one, strlen(one));
		c->n += strlen(one);
		c->used += columns;
	}
	for (unsigned i = width > 0 ? used : most; width && i < most + 1 && c->used < c->columns && c->n + 1 < sizeof c->text; i++, c->used++)
		c->text[c->n++] = ' ';
}

static void
canvas_end(struct canvas *c, enum pen pen)
{
	while (c->n && c->text[c->n - 1] == ' ')
		c->n--;
	c->text[c->n] = '\0';
	if (c->row < c->rows)
		c->line(c->arg, c->row, pen, c->text);
	c->row++;
	c->n = c->used = 0;
}

__attribute__((format(printf, 3, 4))) static void
canvas_say(struct canvas *c, enum pen pen, const char *fmt, ...)
{
	char    text[2048];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	canvas_text(c, 0, text);
	canvas_end(c, pen);
}

/* --- the parts --- */

static void
draw_head(const struct top *t, struct canvas *c)
{
	const struct top_look *l = t->now;
	uint64_t               rate = 0;
	char                   up[24], in[24], out[24], moving[24];

	for (unsigned i = 0; i < l->n_sessions; i++)
		rate += l->session[i].rate;
	if (t->away)
		canvas_say(c, PEN_WARN, "NOT REACHED for %s; this is what postern said before, and it is asked again", age_print((clock_mono_us() - l->at_us) / 1000, up, sizeof up));
	else
		canvas_say(c, strcmp(l->state, "serving") == 0 ? PEN_TITLE : PEN_WARN, "postern %s: %s, up %s, generation %" PRIu64 ": %s%s", l->version, l->state,
		    age_print(l->up_ms, up, sizeof up), l->generation, l->holds, t->paused ? "  PAUSED" : "");
	canvas_say(c, PEN_PLAIN, "connections %" PRIu64 ", under way %" PRIu64 ", ended %" PRIu64 " (%.1f/s), waiting %" PRIu64 ", closed by the guard %" PRIu64, l->connections,
	    l->under_way, l->requests, l->requests_rate, l->queued, l->guard_closed);
	canvas_say(c, PEN_PLAIN, "bypass %" PRIu64 " (%.1f/s), tunnel %" PRIu64 " (%.1f/s), inspect %" PRIu64 " (%.1f/s), deny %" PRIu64 " (%.1f/s)", l->action[0].n,
	    l->action[0].rate, l->action[1].n, l->action[1].rate, l->action[2].n, l->action[2].rate, l->action[3].n, l->action[3].rate);
	canvas_say(c, PEN_PLAIN, "bytes %s from clients, %s to them, of what has ended; %s/s move below", size_print(l->bytes_in, in, sizeof in),
	    size_print(l->bytes_out, out, sizeof out), size_print(rate, moving, sizeof moving));
}

static void
draw_rules(const struct top *t, struct canvas *c, unsigned most)
{
	canvas_text(c, 24, "RULE");
	canvas_text(c, 8, "ACTION");
	canvas_text(c, RIGHT(10), "HITS");
	canvas_text(c, RIGHT(8), "HITS/S");
	canvas_text(c, RIGHT(8), "OPEN");
	canvas_end(c, PEN_HEAD);
	for (unsigned i = 0; i < t->now->n_rules && i < most; i++) {
		const struct top_rule *r = &t->now->rule[i];
		char                   n[32];
		canvas_text(c, 24, r->name);
		canvas_text(c, 8, r->action);
		snprintf(n, sizeof n, "%" PRIu64, r->hits);
		canvas_text(c, RIGHT(10), n);
		snprintf(n, sizeof n, "%.1f", r->rate);
		canvas_text(c, RIGHT(8), n);
		snprintf(n, sizeof n, "%" PRIu64, r->open);
		canvas_text(c, RIGHT(8), n);
		canvas_end(c, PEN_PLAIN);
	}
}

/* Who goes where comes first: on a narrow screen the id is left out (`k` shows it), then what there is beside the rate. */
enum { WIDE_WITH_ID = 110, WIDE_WITH_BYTES = 75, WIDE_WITH_AGE = 60 };

static int
client_width(const struct canvas *c)
{
	return c->columns < WIDE_WITH_AGE ? 15 : 21;
}

static void
session_line(const struct top_session *s, struct canvas *c, enum pen pen)
{
	char buf[TOP_TEXT + 16], n[32];

	if (c->columns >= WIDE_WITH_ID)
		canvas_text(c, 16, s->id);
	if (c->columns >= WIDE_WITH_AGE)
		canvas_text(c, RIGHT(7), age_print(s->age_ms, n, sizeof n));
	snprintf(buf, sizeof buf, "%s/s", size_print(s->rate, n, sizeof n));
	canvas_text(c, RIGHT(8), buf);
	if (c->columns >= WIDE_WITH_BYTES) {
		canvas_text(c, RIGHT(7), size_print(s->bytes_in, n, sizeof n));
		canvas_text(c, RIGHT(7), size_print(s->bytes_out, n, sizeof n));
	}
	canvas_text(c, client_width(c), s->client);
	snprintf(buf, sizeof buf, "%s:%u", s->host, s->port);
	canvas_text(c, 32, buf);
	canvas_text(c, 20, s->rule[0] ? s->rule : "-");
	canvas_text(c, 7, s->action);
	canvas_text(c, 10, s->state);
	canvas_text(c, 0, s->user);
	canvas_end(c, pen);
}

static void
draw_sessions(struct top *t, struct canvas *c, unsigned most, bool once)
{
	unsigned selected = top_selected(t);

	if (c->columns >= WIDE_WITH_ID)
		canvas_text(c, 16, "ID");
	if (c->columns >= WIDE_WITH_AGE)
		canvas_text(c, RIGHT(7), "AGE");
	canvas_text(c, RIGHT(8), "RATE");
	if (c->columns >= WIDE_WITH_BYTES) {
		canvas_text(c, RIGHT(7), "IN");
		canvas_text(c, RIGHT(7), "OUT");
	}
	canvas_text(c, client_width(c), "CLIENT");
	canvas_text(c, 32, "HOST");
	canvas_text(c, 20, "RULE");
	canvas_text(c, 7, "ACTION");
	canvas_text(c, 10, "STATE");
	canvas_text(c, 0, "USER");
	canvas_end(c, PEN_HEAD);
	if (!most)
		return;
	if (selected < t->first)
		t->first = selected;
	if (selected >= t->first + most)
		t->first = selected - most + 1;
	if (t->first + most > t->now->n_sessions)
		t->first = t->now->n_sessions > most ? t->now->n_sessions - most : 0;
	for (unsigned i = t->first; i < t->now->n_sessions && i < t->first + most; i++)
		session_line(&t->now->session[i], c, !once && i == selected ? PEN_SELECTED : PEN_PLAIN);
	if (!t->now->n_sessions)
		canvas_say(c, PEN_DIM, "nothing is under way%s", t->filter[0][0] || t->filter[1][0] || t->filter[2][0] ? " that fits" : "");
}

static void
draw_help(struct canvas *c)
{
	static const char *const line[] = {
		"c h r        show only sessions whose client, host, rule holds what is typed; Enter takes it, Esc takes none",
		"Esc          show all again",
		"s            sort by rate, bytes, age; rate: of the 200 that moved most",
		"up down      select a session (also page up, page down, home)",
		"k            end the selected session, after y",
		"p, space     pause, go on",
		"?            this, and back",
		"q            quit",
	};

	for (unsigned i = 0; i < sizeof line / sizeof *line; i++)
		canvas_say(c, PEN_PLAIN, "%s", line[i]);
}

static void
draw_filters(const struct top *t, struct canvas *c)
{
	canvas_text(c, 0, "sorted by ");
	canvas_text(c, 0, sort_word[t->sort]);
	for (unsigned i = 0; i < FILTER_COUNT; i++)
		if (t->filter[i][0]) {
			canvas_text(c, 0, i ? ", " : "; ");
			canvas_text(c, 0, filter_word[i]);
			canvas_text(c, 0, " has ");
			canvas_text(c, 0, t->filter[i]);
		}
	canvas_end(c, PEN_DIM);
}

/* The last line: what is asked for, what was said, or the keys. */
static void
draw_foot(struct top *t, struct canvas *c)
{
	const struct top_session *s = t->now->n_sessions ? &t->now->session[top_selected(t)] : NULL;

	if (t->asks == ASK_FILTER)
		canvas_say(c, PEN_TITLE, "%s: %s_", filter_word[t->typing], t->typed);
	else if (t->asks == ASK_KILL && s)
		canvas_say(c, PEN_WARN, "y ends %s to %s:%u (%s), any other key does not", s->client, s->host, s->port, s->id);
	else if (t->said[0])
		canvas_say(c, PEN_WARN, "%s", t->said);
	else
		canvas_say(c, PEN_DIM, "q quit  ? help  c h r filter  Esc all  s sort  p pause  k end a session");
}

void
top_draw(struct top *t, struct canvas *c, bool once)
{
	unsigned rules = c->rows >= 16 ? (c->rows - 8) / 4 : 0, left;

	c->row = c->used = 0;
	c->n = 0;
	if (once)
		rules = TOP_RULES;
	if (rules > t->now->n_rules)
		rules = t->now->n_rules;
	if (t->help && !once) {
		draw_help(c);
	} else {
		/* a small screen shows sessions first of all */
		if (c->rows >= 8)
			draw_head(t, c);
		if (rules)
			draw_rules(t, c, rules);
		if (c->rows >= 8)
			draw_filters(t, c);
		left = c->rows > c->row + 2 ? c->rows - c->row - 2 : 0;
		if (c->rows >= 3)
			draw_sessions(t, c, left, once);
	}
	if (once)
		return;
	while (c->row + 1 < c->rows)
		canvas_end(c, PEN_PLAIN);
	c->row = c->rows ? c->rows - 1 : 0;
	draw_foot(t, c);
}
