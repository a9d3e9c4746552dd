/* SPDX-License-Identifier: MIT */
#include "conf/outline_list.h"

#include <stdio.h>
#include <stdlib.h>

/* As match/host_spec reads it: only how it is spelled. */
static void
count_host(struct outline_list *o, struct span s)
{
	if (s.n > 3 && memcmp(s.p, "re:", 3) == 0) {
		o->regexes++;
		return;
	}
	for (size_t i = 0; i + 3 <= s.n; i++)
		if (memcmp(s.p + i, "://", 3) == 0) {
			s = span_of(s.p + i + 3, s.n - i - 3);
			break;
		}
	if (s.n && (s.p[0] == '.' || memchr(s.p, '*', s.n)))
		o->wildcards++;
	else
		o->names++;
}

static bool
names_list(const struct conf_items *items, struct span name)
{
	for (size_t i = 0; i < items->n; i++) {
		const struct conf_item *item = &items->v[i];
		if (!item->quoted && item->text.n == name.n + 1 && item->text.p[0] == '@' && memcmp(item->text.p + 1, name.p, name.n) == 0)
			return true;
	}
	return false;
}

/* A line each; null: none, or no memory (*ok false). */
static char *
rules_of(const struct conf *c, struct span name, size_t *n_rules, bool *ok)
{
	const struct conf_rule *r;
	char                   *text = NULL;
	size_t                  n = 0;
	FILE                   *f = open_memstream(&text, &n);

	*n_rules = 0;
	if (!f) {
		*ok = false;
		return NULL;
	}
	TAILQ_FOREACH(r, &c->rules, link)
		if (names_list(&r->hosts, name) || names_list(&r->clients, name) || names_list(&r->addresses, name))
			fprintf(f, "%s%.*s", (*n_rules)++ ? "\n" : "", SPAN_ARG(r->name));
	*ok = fclose(f) == 0 && *ok;
	return text;
}

/* NULL for what is not said. */
static char *
copy(struct span s, bool *ok)
{
	char *text = s.n ? strndup(s.p, s.n) : NULL;

	*ok = *ok && (text || !s.n);
	return text;
}

static bool
add_files(struct list_facts *f, const struct conf *c, const struct conf_list *l)
{
	bool ok = true;

	f->file = calloc(l->read.n ? l->read.n : 1, sizeof *f->file);
	if (!f->file)
		return false;
	f->told.file = f->file;
	f->told.n_files = l->read.n;
	for (size_t i = 0; i < l->read.n; i++) {
		const struct conf_file   *from = &c->files[l->read.v[i]];
		struct outline_list_file *to = &f->file[i];
		to->path = copy(span_str(from->path), &ok);
		to->source = copy(from->head.source, &ok);
		to->version = copy(from->head.version, &ok);
		to->fetched = copy(from->head.fetched, &ok);
		to->lines = from->lines;
		to->since = from->head.fetched_at ? from->head.fetched_at : from->changed;
	}
	return ok;
}

struct list_facts *
list_facts_new(const struct conf *c, const struct conf_list *l)
{
	struct list_facts *f = calloc(1, sizeof *f);
	bool               ok = f != NULL;

	if (!f)
		return NULL;
	for (size_t i = 0; i < l->hosts.n; i++)
		count_host(&f->told, l->hosts.v[i].text);
	f->told.hosts = l->hosts.n;
	f->told.addresses = l->addresses.n;
	f->told.probes = l->probes.n;
	f->told.oldest = l->oldest;
	f->told.max_age_ms = l->max_age_ms;
	ok = add_files(f, c, l);
	f->source = l->source ? copy(span_str(l->source), &ok) : NULL;
	for (size_t i = 0; i < f->told.n_files && !f->source && ok; i++)
		f->source = f->file[i].source ? copy(span_str(f->file[i].source), &ok) : NULL;
	f->rules = rules_of(c, l->name, &f->told.n_rules, &ok);
	f->told.source = f->source;
	f->told.rules = f->rules;
	if (ok)
		return f;
	list_facts_free(f);
	return NULL;
}

void
list_facts_free(struct list_facts *f)
{
	if (!f)
		return;
	for (size_t i = 0; f->file && i < f->told.n_files; i++) {
		free(f->file[i].path);
		free(f->file[i].source);
		free(f->file[i].version);
		free(f->file[i].fetched);
	}
	free(f->file);
	free(f->source);
	free(f->rules);
	free(f);
}
