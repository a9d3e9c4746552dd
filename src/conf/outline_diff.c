/* SPDX-License-Identifier: MIT */
/* The difference of two outlines, in words. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf/outline_lines.h"

struct diff {
	void (*line)(void *arg, const char *text);
	void  *arg;
	size_t n;
};

#define LINE_BYTES 1024

static void __attribute__((format(printf, 2, 3)))
tell(struct diff *d, const char *fmt, ...)
{
	char    text[LINE_BYTES];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	d->n++;
	d->line(d->arg, text);
}

/* --- finding the same section in the other outline --- */

struct named {
	const char *name;
	size_t      index; /* among its kind */
	struct outline_section *section;
};

struct all {
	struct named *v; /* sorted by name */
	size_t        n;
};

static int
by_name(const void *x, const void *y)
{
	return strcmp(((const struct named *)x)->name, ((const struct named *)y)->name);
}

static bool
all_of(const struct outline *o, enum section_kind kind, struct all *a)
{
	*a = (struct all){0};
	for (size_t i = 0, index = 0; i < o->n; i++) {
		struct named one = {o->v[i].name, index, &o->v[i]};
		if (o->v[i].kind != kind)
			continue;
		if (!ARRAY_ADD(a, one))
			return false;
		index++;
	}
	if (a->n)
		qsort(a->v, a->n, sizeof *a->v, by_name);
	return true;
}

static const struct named *
find(const struct all *a, const char *name)
{
	struct named key = {.name = name};

	return a->n ? bsearch(&key, a->v, a->n, sizeof *a->v, by_name) : NULL;
}

/* --- entries of lists --- */

/* By the least significant byte first: a million take some 30 ms. False: no memory. */
static bool
sort_entries(struct outline_section *s)
{
	uint64_t *from = s->entry, *to;

	if (s->sorted)
		return true;
	to = malloc((s->n_entries ? s->n_entries : 1) * sizeof *to);
	if (!to)
		return false;
	for (unsigned shift = 0; shift < 64; shift += 8) {
		size_t    place[256] = {0}, at = 0;
		uint64_t *other = from;
		for (size_t i = 0; i < s->n_entries; i++)
			place[from[i] >> shift & 255]++;
		for (unsigned b = 0; b < 256; b++) {
			size_t n = place[b];
			place[b] = at;
			at += n;
		}
		for (size_t i = 0; i < s->n_entries; i++)
			to[place[from[i] >> shift & 255]++] = from[i];
		from = to;
		to = other;
	}
	free(to); /* eight passes: the result is where it began */
	s->sorted = true;
	return true;
}

static void
diff_entries(struct diff *d, struct outline_section *b, struct outline_section *a)
{
	size_t added = 0, removed = 0, i = 0, k = 0;

	if (b->n_entries == a->n_entries && b->sum == a->sum)
		return;
	if (!sort_entries(b) || !sort_entries(a)) {
		tell(d, "list %s: %zu entries, before %zu", a->name, a->n_entries, b->n_entries);
		return;
	}
	while (i < b->n_entries || k < a->n_entries) {
		if (i < b->n_entries && k < a->n_entries && b->entry[i] == a->entry[k])
			i++, k++;
		else if (k == a->n_entries || (i < b->n_entries && b->entry[i] < a->entry[k]))
			removed++, i++;
		else
			added++, k++;
	}
	if (added && removed)
		tell(d, "list %s: %zu entr%s added, %zu removed", a->name, added, added == 1 ? "y" : "ies", removed);
	else if (added || removed)
		tell(d, "list %s: %zu entr%s %s", a->name, added + removed, added + removed == 1 ? "y" : "ies", added ? "added" : "removed");
}

/* --- one section --- */

static void
title(const struct outline_section *s, char *buf, size_t n)
{
	const char *word = section_row(s->kind)->word;

	if (section_row(s->kind)->named)
		snprintf(buf, n, "%s %s", word, s->name);
	else
		snprintf(buf, n, "[%s]", word);
}

static void
diff_section(struct diff *d, struct outline_section *b, struct outline_section *a)
{
	size_t               n_options, n = 0, at = 0;
	const struct option *table = option_table(&n_options);
	char                 keys[LINE_BYTES / 2], name[300];

	keys[0] = '\0';
	for (size_t i = 0; i < n_options; i++) {
		if (table[i].section != a->kind || a->digest[i] == b->digest[i])
			continue;
		if (at < sizeof keys)
			at += (size_t)snprintf(keys + at, sizeof keys - at, "%s%s changed", n ? ", " : "", table[i].key);
		n++;
	}
	title(a, name, sizeof name);
	if (n)
		tell(d, "%s: %s", name, keys);
	if (a->kind == SECTION_LIST)
		diff_entries(d, b, a);
}

/* --- the order of rules --- */

/* Marks, of rules that both have, as few as can be so that the others stand in their old order: those are what moved. old[i] is the place of before,
 * SIZE_MAX for a new one. False: no memory. */
static bool
mark_moved(const size_t *old, size_t n, bool *moved)
{
	size_t *tail = malloc((n ? n : 1) * sizeof *tail), *before = malloc((n ? n : 1) * sizeof *before), length = 0;
	bool    ok = tail && before;

	/* the longest run of places that grow stays: tail[k] is where the best one of length k + 1 ends */
	for (size_t i = 0; ok && i < n; i++) {
		size_t low = 0, high = length;
		if (old[i] == SIZE_MAX)
			continue;
		moved[i] = true;
		while (low < high) {
			size_t mid = low + (high - low) / 2;
			if (old[tail[mid]] < old[i])
				low = mid + 1;
			else
				high = mid;
		}
		before[i] = low ? tail[low - 1] : SIZE_MAX;
		tail[low] = i;
		length += low == length;
	}
	for (size_t i = length ? tail[length - 1] : SIZE_MAX; ok && i != SIZE_MAX; i = before[i])
		moved[i] = false;
	free(tail);
	free(before);
	return ok;
}

static void
tell_added(struct diff *d, const struct outline_section *s, const struct outline_section *previous)
{
	char name[300];

	title(s, name, sizeof name);
	if (s->kind != SECTION_RULE)
		tell(d, "%s added (%s)", name, s->where);
	else if (previous)
		tell(d, "%s added after %s (%s)", name, previous->name, s->where);
	else
		tell(d, "%s added before all others (%s)", name, s->where);
}

static void
diff_kind(struct diff *d, struct outline *before, struct outline *after, enum section_kind kind)
{
	struct all              b, a = {0};
	struct outline_section *previous = NULL;
	size_t                 *old = NULL, index = 0;
	bool                   *moved = NULL;
	char                    name[300];

	if (!all_of(before, kind, &b) || !all_of(after, kind, &a))
		goto out;
	old = malloc((a.n + 1) * sizeof *old);
	moved = calloc(a.n + 1, sizeof *moved);
	if (!old || !moved)
		goto out;
	for (size_t i = 0; i < before->n; i++)
		if (before->v[i].kind == kind && !find(&a, before->v[i].name)) {
			title(&before->v[i], name, sizeof name);
			tell(d, "%s removed", name);
		}
	for (size_t i = 0; i < a.n; i++) {
		const struct named *was = find(&b, a.v[i].name);
		old[a.v[i].index] = was ? was->index : SIZE_MAX;
	}
	if (kind == SECTION_RULE && !mark_moved(old, a.n, moved))
		goto out;
	for (size_t i = 0; i < after->n; i++) {
		struct outline_section *s = &after->v[i];
		const struct named     *was = s->kind == kind ? find(&b, s->name) : NULL;
		if (s->kind != kind)
			continue;
		if (!was)
			tell_added(d, s, previous);
		else
			diff_section(d, was->section, s);
		if (moved[index++])
			tell(d, previous ? "rule %s moved: it stands after %s now" : "rule %s moved: it stands before all others now", s->name, previous ? previous->name : "");
		previous = s;
	}
out:
	free(old);
	free(moved);
	free(b.v);
	free(a.v);
}

size_t
outline_diff(struct outline *before, struct outline *after, void (*line)(void *arg, const char *text), void *arg)
{
	struct diff d = {line, arg, 0};

	for (unsigned kind = SECTION_GATEWAY; kind < SECTION_KINDS; kind++)
		diff_kind(&d, before, after, (enum section_kind)kind);
	return d.n;
}
