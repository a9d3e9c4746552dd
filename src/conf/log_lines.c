/* SPDX-License-Identifier: MIT */
/*
 * log_lines: which lines go to a log, what of them is told, and when its file is renamed.
 * Leaves the format to audit/format, and where the lines go to check.
 */
#include <stdlib.h>

#include "conf/load.h"

#define MAX_SIZE_LEAST ((uint64_t)64 << 10) /* one line may take more than that, but only a hostile one does */

struct word {
	const char *name;
	uint32_t    bit;
};

static int
name_order(const void *x, const void *y)
{
	return span_order(*(const struct span *)x, *(const struct span *)y);
}

static uint32_t
read_words(struct load *l, const struct conf_items *items, const char *key, const struct word *words, const char *wants)
{
	uint32_t bits = 0;

	for (size_t i = 0; i < items->n; i++) {
		const struct word *w = words;
		while (w->name && !span_eq(items->v[i].text, span_str(w->name)))
			w++;
		bits |= w->bit;
		if (!w->name)
			report_error(l->r, items->v[i].at, "%s = %.*s; want %s", key, SHOW(items->v[i].text), wants);
	}
	return bits;
}

/* `names`: those of all rules, in order. */
static void
check_rules(struct load *l, const struct conf_log *log, const struct span *names, size_t n)
{
	for (size_t i = 0; i < log->rules.n; i++) {
		const struct conf_item *item = &log->rules.v[i];
		if (!n || !bsearch(&item->text, names, n, sizeof *names, name_order))
			report_error(l->r, item->at, "rules = %.*s: there is no [rule %.*s]", SHOW(item->text), SHOW(item->text));
	}
}

static void
check_max_size(struct load *l, const struct conf_log *log)
{
	if (log->max_size && (!log->file || strcmp(log->file, "-") == 0))
		report_error(l->r, log->at, "[log %.*s] has a max-size, but only a file can be renamed when it is full; remove max-size, or give a file", SHOW(log->name));
	else if (log->max_size && log->max_size < MAX_SIZE_LEAST)
		report_error(l->r, log->at, "[log %.*s]: max-size is too small; want at least 64k, or 0 for no limit", SHOW(log->name));
}

struct file_of {
	struct span            path;
	const struct conf_log *log;
};

static int
file_order(const void *x, const void *y)
{
	const struct file_of *a = x, *b = y;
	int                   d = span_order(a->path, b->path);

	return d ? d : where_order(a->log->at, b->log->at);
}

/* Two writers of one file would tear each other's lines, and rename it under each other. */
static void
check_files(struct load *l, size_t n_logs)
{
	struct file_of  *all = calloc(n_logs + 1, sizeof *all);
	struct conf_log *log;
	size_t           n = 0;
	char             first[256];

	if (!all) {
		load_no_memory(l);
		return;
	}
	TAILQ_FOREACH(log, &l->c->logs, link)
	if (log->file && strcmp(log->file, "-") != 0)
		all[n++] = (struct file_of){span_str(log->file), log};
	qsort(all, n, sizeof *all, file_order);
	for (size_t i = 1, head = 0; i < n; i++) {
		if (!span_eq(all[head].path, all[i].path)) {
			head = i;
			continue;
		}
		where_print(l->c, all[head].log->at, first, sizeof first);
		report_error(l->r, all[i].log->at, "[log %.*s] writes to %s, as the log at %s does; want a file of its own", SHOW(all[i].log->name), all[i].log->file, first);
	}
	free(all);
}

void
check_log_lines(struct load *l)
{
	static const struct word actions[] = {{"bypass", 1u << ACTION_BYPASS}, {"tunnel", 1u << ACTION_TUNNEL}, {"inspect", 1u << ACTION_INSPECT},
	                                      {"deny", 1u << ACTION_DENY}, {"none", LOG_LETS_NONE}, {0}};
	static const struct word hidden[] = {{"clients", LOG_ANONYMISE_CLIENTS}, {"users", LOG_ANONYMISE_USERS}, {0}};
	size_t            n = 0, n_logs = 0;
	struct conf_rule *rule;
	struct conf_log  *log;
	struct span      *names;

	TAILQ_FOREACH(rule, &l->c->rules, link)
	n++;
	names = calloc(n + 1, sizeof *names);
	if (!names) {
		load_no_memory(l);
		return;
	}
	n = 0;
	TAILQ_FOREACH(rule, &l->c->rules, link)
	names[n++] = rule->name;
	qsort(names, n, sizeof *names, name_order);
	TAILQ_FOREACH(log, &l->c->logs, link)
	{
		check_rules(l, log, names, n);
		log->lets = log->actions.n ? read_words(l, &log->actions, "actions", actions, "bypass, tunnel, inspect, deny or none") : LOG_LETS_ALL;
		log->masks = read_words(l, &log->anonymise, "anonymise", hidden, "clients or users");
		check_max_size(l, log);
		n_logs++;
	}
	check_files(l, n_logs);
	free(names);
}
