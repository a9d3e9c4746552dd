/* SPDX-License-Identifier: MIT */
/* import_m365_diff: the list in use, of an ini or a list file, and how a new one differs from it. */
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/import_m365.h"

/* What stands behind `p` on its line, after '#'. */
static struct span
comment_of(const char *p, const char *end)
{
	const char *stop = memchr(p, '\n', (size_t)(end - p)), *hash;

	stop = stop ? stop : end;
	hash = memchr(p, '#', (size_t)(stop - p));
	if (!hash)
		return SPAN("");
	for (hash++; hash < stop && *hash == ' ';)
		hash++;
	while (stop > hash && (unsigned char)stop[-1] <= ' ')
		stop--;
	return span_of(hash, (size_t)(stop - hash));
}

static bool
old_add(struct m365_diff *d, size_t *room, struct span text, struct span comment)
{
	if (d->n_old == *room) {
		size_t           more = *room ? 2 * *room : 256;
		struct m365_old *v = realloc(d->old, more * sizeof *v);
		if (!v)
			return false;
		d->old = v;
		*room = more;
	}
	d->old[d->n_old++] = (struct m365_old){text, comment};
	return true;
}

static int
from_file(struct m365_diff *d, const char *path)
{
	char        why[FILE_WHY];
	size_t      room = 0;
	const char *end;

	if (!file_read(path, M365_BYTES_MAX, &d->bytes, why))
		return cli_file_error(path, why);
	end = d->bytes.p + d->bytes.n;
	for (const char *p = d->bytes.p, *stop; p < end; p = stop + (stop < end)) {
		const char *item;
		stop = memchr(p, '\n', (size_t)(end - p));
		stop = stop ? stop : end;
		while (p < stop && (unsigned char)*p <= ' ')
			p++;
		for (item = p; p < stop && (unsigned char)*p > ' ';)
			p++;
		if (p > item && *item != '#' && *item != ';' && !old_add(d, &room, span_of(item, (size_t)(p - item)), comment_of(p, end)))
			return cli_usage_error("out of memory");
	}
	return CLI_FINE;
}

static int
from_ini(struct m365_diff *d, const char *path, const char *name)
{
	const struct conf_list *l;
	struct report           r;
	size_t                  room = 0;
	bool                    ok;

	if (!cli_file_readable(path))
		return CLI_USAGE;
	report_init(&r);
	d->conf = conf_load(path, &r);
	ok = d->conf && r.errors == 0;
	if (!ok && d->conf)
		report_print(&r, d->conf, stderr);
	report_clear(&r);
	if (!ok)
		return cli_file_error(path, "it has errors; nothing can be compared with it");
	l = conf_list_find(d->conf, span_str(name));
	if (!l)
		return cli_file_error(path, "it has no list of that name; say which one with --list NAME");
	for (size_t i = 0; i < l->hosts.n; i++) {
		const struct conf_item *item = &l->hosts.v[i];
		const struct conf_file *f = &d->conf->files[item->at.file];
		const char             *end = item->text.p + item->text.n;
		if (!item->negated && !old_add(d, &room, item->text, f->bytes ? comment_of(end, f->bytes + f->n) : SPAN("")))
			return cli_usage_error("out of memory");
	}
	return CLI_FINE;
}

/* --- which differ --- */

static int
old_compare(const void *a, const void *b)
{
	return span_order(((const struct m365_old *)a)->text, ((const struct m365_old *)b)->text);
}

static int
new_compare(const void *a, const void *b)
{
	return strcmp((*(const struct m365_item *const *)a)->text, (*(const struct m365_item *const *)b)->text);
}

static void
compare(struct m365_diff *d, const struct m365_item **now, size_t n)
{
	size_t i = 0, k = 0;

	while (i < n || k < d->n_old) {
		int c = i == n ? 1 : k == d->n_old ? -1 : span_order(span_str(now[i]->text), d->old[k].text);
		if (k && k < d->n_old && c >= 0 && old_compare(&d->old[k - 1], &d->old[k]) == 0) {
			k++; /* it stood there twice */
		} else if (c < 0) {
			d->added[d->n_added++] = now[i++];
		} else if (c > 0) {
			d->removed[d->n_removed++] = &d->old[k++];
		} else {
			i++;
			k++;
		}
	}
}

int
m365_diff_make(struct m365_diff *d, const struct m365_list *now, const char *path, const char *name)
{
	size_t                   n = strlen(path);
	const struct m365_item **sorted;
	int                      code;

	*d = (struct m365_diff){0};
	code = n > 4 && strcmp(path + n - 4, ".ini") == 0 ? from_ini(d, path, name) : from_file(d, path);
	if (code != CLI_FINE)
		return code;
	sorted = calloc(now->n_entries + 1, sizeof *sorted);
	d->added = calloc(now->n_entries + 1, sizeof *d->added);
	d->removed = calloc(d->n_old + 1, sizeof *d->removed);
	if (sorted && d->added && d->removed) {
		for (size_t i = 0; i < now->n_entries; i++)
			sorted[i] = &now->v[i];
		qsort(sorted, now->n_entries, sizeof *sorted, new_compare);
		if (d->n_old)
			qsort(d->old, d->n_old, sizeof *d->old, old_compare);
		compare(d, sorted, now->n_entries);
	} else {
		code = cli_usage_error("out of memory");
	}
	free(sorted);
	return code;
}

void
m365_diff_clear(struct m365_diff *d)
{
	free(d->old);
	free(d->added);
	free(d->removed);
	free(d->bytes.p);
	conf_free(d->conf);
	*d = (struct m365_diff){0};
}
