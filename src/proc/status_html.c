/* SPDX-License-Identifier: MIT */
/*
 * status_html: the status as a page that needs no script. The script (status.js) finds by data-figure, data-table and data-column what it keeps up to date, and
 * writes amounts as this file does.
 */
#include <stdio.h>

#include "proc/status.h"

/* --- texts and amounts --- */

/* What comes from outside: nothing of it is markup, and no control byte stays. */
static void
escaped(struct text *t, struct span s)
{
	size_t from = 0;

	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];
		const char   *as = c == '&' ? "&amp;" : c == '<' ? "&lt;" : c == '>' ? "&gt;" : c == '"' ? "&quot;" : c == '\'' ? "&#39;" : c < 0x20 || c == 0x7f ? "?" : NULL;
		if (!as)
			continue;
		text_add(t, span_of(s.p + from, i - from));
		text_str(t, as);
		from = i + 1;
	}
	text_add(t, span_of(s.p + from, s.n - from));
}

/* 1,234,567 */
static void
grouped(struct text *t, uint64_t n)
{
	char   digits[24];
	size_t k = (size_t)snprintf(digits, sizeof digits, "%llu", (unsigned long long)n);

	for (size_t i = 0; i < k; i++) {
		if (i && (k - i) % 3 == 0)
			text_str(t, ",");
		text_add(t, span_of(digits + i, 1));
	}
}

/* Three digits and a unit; `n` in thousandths. */
static void
bytes(struct text *t, double n, const char *per)
{
	static const char *const unit[] = {"B", "kB", "MB", "GB", "TB", "PB", "EB"};
	unsigned                 u = 0;

	for (; n >= 999.5 && u < 6; u++)
		n /= 1000;
	text_printf(t, "%.*f\xc2\xa0%s%s", u && n < 99.95 ? 1 : 0, n, unit[u], per);
}

static void
rate(struct text *t, double n)
{
	if (n < 99.95)
		text_printf(t, "%.1f", n);
	else
		grouped(t, (uint64_t)(n + 0.5));
	text_str(t, "/s");
}

static void
milliseconds(struct text *t, double n)
{
	if (n < 999.5)
		text_printf(t, "%.*f\xc2\xa0ms", n < 9.95 ? 1 : 0, n);
	else
		text_printf(t, "%.1f\xc2\xa0s", n / 1000);
}

static void
duration(struct text *t, uint64_t s)
{
	if (s < 60)
		text_printf(t, "%u\xc2\xa0s", (unsigned)s);
	else if (s < 3600)
		text_printf(t, "%u\xc2\xa0min", (unsigned)(s / 60));
	else if (s < 86400)
		text_printf(t, "%u\xc2\xa0h\xc2\xa0%u\xc2\xa0min", (unsigned)(s / 3600), (unsigned)(s % 3600 / 60));
	else
		text_printf(t, "%llu\xc2\xa0" "d\xc2\xa0%u\xc2\xa0h", (unsigned long long)(s / 86400), (unsigned)(s % 86400 / 3600));
}

static const char *const kind_word[] = {
	[CELL_TEXT] = "text",
	[CELL_WORD] = "word",
	[CELL_NUMBER] = "number",
	[CELL_COUNT] = "count",
	[CELL_BYTES] = "bytes",
	[CELL_RATE] = "rate",
	[CELL_SPEED] = "speed",
	[CELL_MS] = "ms",
	[CELL_AGO] = "ago",
	[CELL_SINCE] = "since",
};

static bool
is_text(enum cell_kind kind)
{
	return kind == CELL_TEXT || kind == CELL_WORD;
}

static void
shown(struct text *t, enum cell_kind kind, const struct cell *c, uint64_t now_s)
{
	uint64_t age = now_s > c->n ? now_s - c->n : 0;

	if (!is_text(kind) && c->n == CELL_NONE) {
		text_str(t, kind == CELL_AGO ? "never" : "\xe2\x80\x93");
		return;
	}
	switch (kind) {
	case CELL_TEXT:
	case CELL_WORD:
		escaped(t, c->text);
		break;
	case CELL_NUMBER:
		text_number(t, c->n);
		break;
	case CELL_COUNT:
		grouped(t, c->n);
		break;
	case CELL_BYTES:
		bytes(t, (double)c->n, "");
		break;
	case CELL_RATE:
		rate(t, (double)c->n / 1000);
		break;
	case CELL_SPEED:
		bytes(t, (double)c->n / 1000, "/s");
		break;
	case CELL_MS:
		milliseconds(t, (double)c->n / 1000);
		break;
	case CELL_AGO:
		duration(t, age);
		text_str(t, " ago");
		break;
	case CELL_SINCE:
		duration(t, age);
		break;
	}
}

/* --- figures --- */

static const struct figure *
find(const struct status *s, const char *group, const char *key)
{
	for (unsigned i = 0; i < s->n_figures; i++)
		if (strcmp(s->figure[i].group, group) == 0 && strcmp(s->figure[i].key, key) == 0)
			return &s->figure[i];
	return NULL;
}

static void
figure_value(struct text *t, const struct status *s, const struct figure *f, const char *element)
{
	text_printf(t, "<%s data-figure=\"%s.%s\" data-kind=\"%s\"", element, f->group, f->key, kind_word[f->kind]);
	if (f->kind == CELL_WORD) { /* one of ours */
		text_str(t, " data-is=\"");
		escaped(t, f->cell.text);
		text_str(t, "\"");
	}
	text_str(t, ">");
	shown(t, f->kind, &f->cell, s->now_s);
	text_printf(t, "</%s>", element);
}

/* Where it stands in a sentence. */
static void
inline_figure(struct text *t, const struct status *s, const char *group, const char *key)
{
	const struct figure *f = find(s, group, key);

	if (f)
		figure_value(t, s, f, "b");
}

static void
group_list(struct text *t, const struct status *s, const char *group)
{
	for (unsigned i = 0; i < s->n_figures; i++) {
		const struct figure *f = &s->figure[i];
		if (strcmp(f->group, group) != 0)
			continue;
		text_str(t, "<div><dt>");
		text_str(t, f->title);
		text_str(t, "</dt>");
		figure_value(t, s, f, "dd");
		text_str(t, "</div>\n");
	}
}

static void
card(struct text *t, const struct status *s, const char *title, const char *group, const char *note)
{
	text_printf(t, "<section class=\"card\"><h2>%s</h2>\n<dl class=\"list\">\n", title);
	group_list(t, s, group);
	text_str(t, "</dl>");
	if (note)
		text_printf(t, "\n<p>%s</p>", note);
	text_str(t, "</section>\n");
}

/* --- tables --- */

static void
row(struct text *t, const struct table *of, size_t r, uint64_t now_s)
{
	const struct cell *c = &of->cell[r * of->n_columns];
	bool               head = true;

	text_str(t, "<tr");
	for (unsigned i = 0; i < of->n_columns; i++)
		if (of->column[i].kind == CELL_WORD) {
			text_str(t, " data-is=\"");
			escaped(t, c[i].text);
			text_str(t, "\"");
		}
	text_str(t, ">");
	for (unsigned i = 0; i < of->n_columns; i++) {
		const struct column *col = &of->column[i];
		/* the first text names the row */
		bool names = head && col->kind == CELL_TEXT;
		text_str(t, names ? "<th scope=\"row\"" : "<td");
		text_printf(t, " class=\"%s%s\">", kind_word[col->kind], col->minor ? " minor" : "");
		shown(t, col->kind, &c[i], now_s);
		text_str(t, names ? "</th>" : "</td>");
		head = head && !names;
	}
	text_str(t, "</tr>\n");
}

static void
table(struct text *t, const struct table *of, uint64_t now_s)
{
	text_printf(t, "<table data-table=\"%s\"><caption class=\"unseen\">%s</caption>\n<thead><tr>", of->key, of->title);
	for (unsigned i = 0; i < of->n_columns; i++)
		text_printf(t, "<th scope=\"col\" class=\"%s%s\" data-column=\"%s\">%s</th>", kind_word[of->column[i].kind], of->column[i].minor ? " minor" : "", of->column[i].key,
		    of->column[i].title);
	text_str(t, "</tr></thead>\n<tbody>\n");
	for (size_t r = 0; r < of->n; r++)
		row(t, of, r, now_s);
	text_str(t, "</tbody></table>\n");
	if (of->empty && *of->empty)
		text_printf(t, "<p class=\"empty\"%s>%s</p>\n", of->n ? " hidden" : "", of->empty);
}

static void
table_card(struct text *t, const struct status *s, enum status_table which, const char *note)
{
	const struct table *of = &s->table[which];

	if (!of->n && !of->empty)
		return;
	text_printf(t, "<section class=\"card\"><h2>%s</h2>\n", of->title);
	if (note)
		text_printf(t, "<p class=\"note\">%s</p>\n", note);
	table(t, of, s->now_s);
	text_str(t, "</section>\n");
}

static void
rules_card(struct text *t, const struct status *s, bool all)
{
	text_str(t, "<section class=\"card wide\"><h2>Rules</h2>\n<p class=\"note\">");
	inline_figure(t, s, "policy", "rules");
	text_str(t, " rules, ");
	inline_figure(t, s, "policy", "unused");
	text_str(t, " never hit.");
	if (!all && s->rules > STATUS_RULES)
		text_printf(t, " The %u busiest are here; <a href=\"/rules\">all of them</a>.", STATUS_RULES);
	text_str(t, "</p>\n");
	table(t, &s->table[STATUS_RULES_TABLE], s->now_s);
	text_str(t, "</section>\n");
}

/* Where somebody tests them. */
static void
doctor_card(struct text *t, const struct status *s)
{
	const struct figure *state = find(s, "doctor", "state");

	if (!state || span_eq(state->cell.text, SPAN("off")))
		return;
	text_str(t, "<section class=\"card wide\"><h2>Endpoints of bypass rules</h2>\n<p class=\"note\">");
	inline_figure(t, s, "doctor", "state");
	text_str(t, ": ");
	inline_figure(t, s, "doctor", "tested");
	text_str(t, " tested ");
	inline_figure(t, s, "doctor", "last");
	text_str(t, ", ");
	inline_figure(t, s, "doctor", "bad");
	text_str(t, " bad, ");
	inline_figure(t, s, "doctor", "untested");
	text_str(t, " without a known host; the next test in ");
	inline_figure(t, s, "doctor", "next_in_s");
	text_str(t, " s.");
	if (s->doctor && s->doctor->failed[0]) {
		text_str(t, " It could not be made: ");
		escaped(t, span_str(s->doctor->failed));
	}
	text_str(t, "</p>\n");
	table(t, &s->table[STATUS_DOCTOR], s->now_s);
	text_str(t, "</section>\n");
}

/* --- pages --- */

static void
begin(struct text *t, const struct status *s, bool live)
{
	text_str(t, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
	            "<meta name=\"color-scheme\" content=\"light dark\">\n<title>Postern</title>\n<link rel=\"icon\" href=\"/status.svg\" type=\"image/svg+xml\">\n"
	            "<link rel=\"stylesheet\" href=\"/status.css\">\n");
	if (live)
		text_str(t, "<script src=\"/status.js\" defer></script>\n<noscript><meta http-equiv=\"refresh\" content=\"10\"></noscript>\n");
	text_str(t, "</head>\n<body>\n<header>\n<h1>Postern ");
	inline_figure(t, s, "gateway", "state");
	text_str(t, "</h1>\n<p>Version ");
	inline_figure(t, s, "gateway", "version");
	text_str(t, ", up for ");
	inline_figure(t, s, "gateway", "started");
	text_str(t, ". Configuration ");
	inline_figure(t, s, "gateway", "generation");
	text_str(t, " in use for ");
	inline_figure(t, s, "gateway", "applied");
	text_str(t, "; last reload: ");
	inline_figure(t, s, "gateway", "last_reload");
	text_str(t, ".</p>\n<p id=\"trouble\" role=\"status\" hidden></p>\n</header>\n<main>\n");
}

static void
plots(struct text *t)
{
	static const struct {
		const char *title, *kind, *series;
	} rows[] = {
		{"Tunnels and connections", "count", "tunnels:tunnels connections:connections"},
		{"Requests by action", "rate", "bypass:bypass tunnel:tunnel inspect:inspect deny:deny"},
		{"Failures by kind", "rate", "refused:refused log_on:log-on server:server client:client"},
		{"Time to connect", "ms", "connect_p50:50&#8239;%&nbsp;below connect_p95:95&#8239;%&nbsp;below"},
		{"Time of requests", "ms", "request_p50:50&#8239;%&nbsp;below request_p95:95&#8239;%&nbsp;below"},
		{"Bytes of what has ended", "speed", "received:from&nbsp;clients sent:to&nbsp;clients"},
	};

	text_str(t, "<section id=\"plots\" class=\"cards\" aria-label=\"The last ten minutes\" hidden>\n");
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		text_printf(t, "<figure class=\"card\" data-plot=\"%s\" data-kind=\"%s\"><figcaption><h2>%s</h2></figcaption></figure>\n", rows[i].series, rows[i].kind, rows[i].title);
	text_str(t, "</section>\n");
}

void
status_page(struct text *out, const struct status *s)
{
	begin(out, s, true);
	text_str(out, "<dl class=\"tiles\">\n");
	group_list(out, s, "traffic");
	group_list(out, s, "latency");
	text_str(out, "</dl>\n");
	plots(out);
	text_str(out, "<div class=\"cards\">\n");
	table_card(out, s, STATUS_ACTIONS, NULL);
	table_card(out, s, STATUS_FAULTS, NULL);
	table_card(out, s, STATUS_HOSTS, "Of the last five to ten minutes, counted as requests and tunnels end.");
	table_card(out, s, STATUS_CLIENTS, "Of the last five to ten minutes, counted as requests and tunnels end.");
	rules_card(out, s, false);
	doctor_card(out, s);
	text_str(out, "</div>\n<div class=\"stacks\">\n");
	table_card(out, s, STATUS_LISTENERS, NULL);
	table_card(out, s, STATUS_PROCESSES, NULL);
	table_card(out, s, STATUS_PARENTS, NULL);
	table_card(out, s, STATUS_BACKS, NULL);
	table_card(out, s, STATUS_LISTS, NULL);
	card(out, s, "Hosts out of reach", "suggest", "What would let them through: postern suggest");
	card(out, s, "Since the start", "totals", NULL);
	card(out, s, "Access logs", "logs", NULL);
	text_str(out, "</div>\n</main>\n</body>\n</html>\n");
}

void
status_rules_page(struct text *out, const struct status *s)
{
	begin(out, s, false);
	text_str(out, "<p><a href=\"/\">Back to the status</a></p>\n<div class=\"cards\">\n");
	rules_card(out, s, true);
	text_str(out, "</div>\n</main>\n</body>\n</html>\n");
}
