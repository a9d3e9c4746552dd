/* SPDX-License-Identifier: MIT */
/*
 * report: the problems of a configuration, gathered and printed in the order of file and line.
 * Always true: errors and warnings count every problem, also one whose text found no room.
 */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "conf/conf.h"

void
report_init(struct report *r)
{
	*r = (struct report){0};
}

void
report_clear(struct report *r)
{
	for (size_t i = 0; i < r->n; i++)
		free(r->v[i].text);
	free(r->v);
	*r = (struct report){0};
}

static const char *
last_break(const char *s)
{
	const char *found = NULL;

	for (; (s = strstr(s, "; ")); s++)
		found = s;
	return found;
}

/* Where what would be right begins: after the last "; " of fmt, since what a message repeats of a file may hold some too. 0: it is not told apart. */
static size_t __attribute__((format(printf, 1, 0)))
remedy_find(const char *fmt, va_list ap, const char *text)
{
	const char *in_fmt = last_break(fmt), *in_text = last_break(text);
	char       *head;
	int         n;

	if (!in_fmt)
		return in_text ? (size_t)(in_text - text) + 2 : 0;
	head = strndup(fmt, (size_t)(in_fmt - fmt) + 2);
	if (!head)
		return 0;
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	n = vsnprintf(NULL, 0, head, ap);
#pragma GCC diagnostic pop
	free(head);
	return n > 0 ? (size_t)n : 0;
}

static void
count(struct report *r, enum severity s)
{
	*(s == SEVERITY_ERROR ? &r->errors : s == SEVERITY_WARNING ? &r->warnings : &r->notes) += 1;
}

static void __attribute__((format(printf, 4, 0)))
report_add(struct report *r, enum finding kind, struct where at, const char *fmt, va_list ap)
{
	va_list again;
	char   *text;
	void   *v;

	count(r, finding_severity(kind));
	if (r->n == REPORT_LINES)
		return;
	v = array_grow(r->v, r->n, &r->room, sizeof *r->v);
	if (!v)
		return;
	r->v = v;
	va_copy(again, ap);
	if (vasprintf(&text, fmt, ap) >= 0) {
		r->v[r->n++] = (struct report_line){finding_severity(kind) == SEVERITY_ERROR, kind, at, text, 0};
		r->v[r->n - 1].remedy = remedy_find(fmt, again, text);
	}
	va_end(again);
}

void
report_error(struct report *r, struct where at, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	report_add(r, FINDING_INVALID, at, fmt, ap);
	va_end(ap);
}

void
report_warn(struct report *r, struct where at, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	report_add(r, FINDING_ADVICE, at, fmt, ap);
	va_end(ap);
}

void
report_find(struct report *r, enum finding kind, struct where at, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	report_add(r, kind, at, fmt, ap);
	va_end(ap);
}

int
where_order(struct where a, struct where b)
{
	return a.file != b.file ? (a.file > b.file) - (a.file < b.file) : (a.line > b.line) - (a.line < b.line);
}

const char *
where_print(const struct conf *c, struct where at, char *buf, size_t n)
{
	const char *path = c && at.file < c->n_files ? c->files[at.file].path : "-";

	if (at.line)
		snprintf(buf, n, "%s:%u", path, at.line);
	else
		snprintf(buf, n, "%s", path);
	return buf;
}

/* Paths and values come from files that anybody may have written; what is printed goes to a terminal. */
static void
print_escaped(const char *s, FILE *to)
{
	for (; *s; s++) {
		unsigned char b = (unsigned char)*s;
		if (b >= 0x20 && b < 0x7f)
			putc(b, to);
		else
			fprintf(to, "\\x%02x", b);
	}
}

/* Lines of one place keep the order in which they were found: qsort is not stable, addresses within v are. */
static int
line_compare(const void *a, const void *b)
{
	const struct report_line *x = *(struct report_line *const *)a, *y = *(struct report_line *const *)b;
	int                       d = where_order(x->at, y->at);

	return d ? d : x < y ? -1 : x > y;
}

static void
line_print(const struct report_line *l, const struct conf *c, FILE *to)
{
	fputs("postern: ", to);
	if (c && l->at.file < c->n_files) {
		print_escaped(c->files[l->at.file].path, to);
		if (l->at.line)
			fprintf(to, ":%u", l->at.line);
		fputs(": ", to);
	}
	if (!l->is_error)
		fprintf(to, "%s: ", severity_word(finding_severity(l->kind)));
	print_escaped(l->text, to);
	putc('\n', to);
}

const struct report_line **
report_sorted(const struct report *r)
{
	const struct report_line **line = malloc((r->n + 1) * sizeof *line);

	for (size_t i = 0; line && i < r->n; i++)
		line[i] = &r->v[i];
	if (line)
		qsort(line, r->n, sizeof *line, line_compare);
	return line;
}

void
report_print(const struct report *r, const struct conf *c, FILE *to)
{
	const struct report_line **order = r->n ? report_sorted(r) : NULL;
	size_t                     untold = r->errors + r->warnings + r->notes - r->n;

	for (size_t i = 0; i < r->n; i++)
		line_print(order ? order[i] : &r->v[i], c, to);
	if (untold)
		fprintf(to, "postern: %zu more problems are not shown: too many, or no memory for them\n", untold);
	free(order);
}

bool
conf_ports_have(const struct conf_ports *ports, uint16_t port)
{
	for (size_t i = 0; i < ports->n; i++)
		if (ports->v[i].first <= port && port <= ports->v[i].last)
			return true;
	return false;
}

const struct conf_list *
conf_list_find(const struct conf *c, struct span name)
{
	const struct conf_list *l;

	TAILQ_FOREACH (l, &c->lists, link)
		if (span_eq(l->name, name))
			return l;
	return NULL;
}

struct conf_counts
conf_count(const struct conf *c)
{
	struct conf_counts          t = {0};
	const struct conf_rule     *rule;
	const struct conf_list     *list;
	const struct conf_listener *listener;
	const struct conf_log      *log;

	TAILQ_FOREACH (rule, &c->rules, link)
		t.rules++;
	TAILQ_FOREACH (list, &c->lists, link) {
		t.lists++;
		t.entries += list->hosts.n + list->addresses.n;
	}
	TAILQ_FOREACH (listener, &c->listeners, link)
		t.listeners++;
	TAILQ_FOREACH (log, &c->logs, link)
		t.logs++;
	return t;
}

static const char *
plural(size_t n)
{
	return n == 1 ? "" : "s";
}

const char *
conf_counts_print(const struct conf_counts *t, char *buf, size_t n)
{
	snprintf(buf, n, "%zu rule%s, %zu list%s with %zu entr%s, %zu listener%s, %zu log%s", t->rules, plural(t->rules), t->lists, plural(t->lists),
	    t->entries, t->entries == 1 ? "y" : "ies", t->listeners, plural(t->listeners), t->logs, plural(t->logs));
	return buf;
}
