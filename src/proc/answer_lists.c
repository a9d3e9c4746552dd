/* SPDX-License-Identifier: MIT */
/* answer_lists: what each list holds, which rules use it, where it is from and how old it is, as text and as JSON (contrib/schema/postern-lists.json). */
#include <inttypes.h>
#include <stdlib.h>

#include "base/clock.h"
#include "proc/commands.h"

#define NAME_BYTES 1600

struct look {
	FILE   *f;
	int64_t now_s;
};

static uint64_t
age_s(const struct look *k, time_t since)
{
	return k->now_s > (int64_t)since ? (uint64_t)(k->now_s - (int64_t)since) : 0;
}

static bool
is_stale(const struct look *k, const struct outline_list *l)
{
	return l->max_age_ms && l->n_files && age_s(k, l->oldest) > l->max_age_ms / 1000;
}

/* --- JSON --- */

static void
json_text(FILE *f, const char *key, const char *text)
{
	char buf[NAME_BYTES];

	fprintf(f, ",\"%s\":%s", key, text ? control_escape_json(span_str(text), buf, sizeof buf) : "null");
}

static void
json_files(const struct look *k, const struct outline_list *l)
{
	char path[NAME_BYTES];

	fprintf(k->f, ",\"files\":[");
	for (size_t i = 0; i < l->n_files; i++) {
		const struct outline_list_file *one = &l->file[i];
		fprintf(k->f, "%s{\"path\":%s,\"lines\":%" PRIu64 ",\"since\":%" PRId64, i ? "," : "", control_escape_json(span_str(one->path), path, sizeof path), one->lines,
		    (int64_t)one->since);
		json_text(k->f, "source", one->source);
		json_text(k->f, "version", one->version);
		json_text(k->f, "fetched", one->fetched);
		fputc('}', k->f);
	}
	fputc(']', k->f);
}

/* Lines, as an array. */
static void
json_lines(FILE *f, const char *text)
{
	char name[NAME_BYTES];

	for (const char *p = text, *end; p && *p; p = *end ? end + 1 : end) {
		end = strchrnul(p, '\n');
		fprintf(f, "%s%s", p == text ? "" : ",", control_escape_json(span_of(p, (size_t)(end - p)), name, sizeof name));
	}
}

static void
list_json(const struct look *k, const struct outline_list *l)
{
	char name[NAME_BYTES];

	fprintf(k->f, "{\"list\":%s", control_escape_json(l->name, name, sizeof name));
	json_text(k->f, "where", l->where);
	fprintf(k->f, ",\"hosts\":%zu,\"names\":%zu,\"wildcards\":%zu,\"regexes\":%zu,\"addresses\":%zu,\"probes\":%zu,\"rules\":[", l->hosts, l->names, l->wildcards, l->regexes,
	    l->addresses, l->probes);
	json_lines(k->f, l->rules);
	fputc(']', k->f);
	json_text(k->f, "source", l->source);
	json_files(k, l);
	if (l->n_files)
		fprintf(k->f, ",\"oldest\":%" PRId64 ",\"age_s\":%" PRIu64, (int64_t)l->oldest, age_s(k, l->oldest));
	else
		fprintf(k->f, ",\"oldest\":null,\"age_s\":null");
	if (l->max_age_ms)
		fprintf(k->f, ",\"max_age_s\":%" PRIu64, l->max_age_ms / 1000);
	else
		fprintf(k->f, ",\"max_age_s\":null");
	fprintf(k->f, ",\"stale\":%s}\n", is_stale(k, l) ? "true" : "false");
}

/* --- text --- */

static void
amount(FILE *f, bool *any, size_t n, const char *one, const char *many)
{
	if (!n)
		return;
	fprintf(f, "%s%zu %s", *any ? ", " : "    holds    ", n, n == 1 ? one : many);
	*any = true;
}

static void
holds_text(FILE *f, const struct outline_list *l)
{
	bool any = false;

	amount(f, &any, l->names, "name", "names");
	amount(f, &any, l->wildcards, "wildcard", "wildcards");
	amount(f, &any, l->regexes, "regular expression", "regular expressions");
	amount(f, &any, l->addresses, "address or network", "addresses and networks");
	amount(f, &any, l->probes, "probe", "probes");
	fputs(any ? "\n" : "    holds    nothing\n", f);
}

static void
rules_text(FILE *f, const struct outline_list *l)
{
	char name[NAME_BYTES];

	fprintf(f, "    used by  ");
	for (const char *p = l->rules, *end; p && *p; p = *end ? end + 1 : end) {
		end = strchrnul(p, '\n');
		fprintf(f, "%srule %s", p == l->rules ? "" : ", ", control_escape(span_of(p, (size_t)(end - p)), name, sizeof name));
	}
	fputs(l->n_rules ? "\n" : "no rule\n", f);
}

static void
file_text(const struct look *k, const struct outline_list_file *one)
{
	char path[NAME_BYTES], age[24];

	fprintf(k->f, "    file     %s: %" PRIu64 " line%s, %s old", control_escape(span_str(one->path), path, sizeof path), one->lines, one->lines == 1 ? "" : "s",
	    age_print(age_s(k, one->since) * 1000, age, sizeof age));
	if (one->version)
		fprintf(k->f, ", version %s", control_escape(span_str(one->version), path, sizeof path));
	if (one->fetched)
		fprintf(k->f, ", fetched %s", control_escape(span_str(one->fetched), path, sizeof path));
	fputc('\n', k->f);
}

static void
list_text(const struct look *k, const struct outline_list *l)
{
	char text[NAME_BYTES], where[NAME_BYTES], age[24];

	fprintf(k->f, "%s  (%s)\n", control_escape(l->name, text, sizeof text), control_escape(span_str(l->where), where, sizeof where));
	holds_text(k->f, l);
	rules_text(k->f, l);
	if (l->source)
		fprintf(k->f, "    source   %s\n", control_escape(span_str(l->source), text, sizeof text));
	for (size_t i = 0; i < l->n_files; i++)
		file_text(k, &l->file[i]);
	if (l->n_files)
		fprintf(k->f, "    age      %s", age_print(age_s(k, l->oldest) * 1000, age, sizeof age));
	else
		fprintf(k->f, "    age      as the configuration");
	if (is_stale(k, l))
		fprintf(k->f, ": STALE, max-age is %s; get it anew from its source", age_print(l->max_age_ms, age, sizeof age));
	fputc('\n', k->f);
}

static void
fill_lists(const struct commands *m, const void *what, FILE *f)
{
	const bool         *json = what;
	struct look         k = {f, (int64_t)(clock_real_us() / 1000000)};
	struct outline_list l;
	size_t              n = 0;

	for (; outline_list_at(m->outline, n, &l); n++) {
		if (*json) {
			fputc(n ? ',' : '[', f);
			list_json(&k, &l);
		} else {
			list_text(&k, &l);
		}
	}
	if (*json)
		fputs(n ? "]\n" : "[]\n", f);
	else if (!n)
		fputs("there are no lists\n", f);
}

void
answer_lists(struct commands *m, struct control_client *c)
{
	answer_with(m, c, fill_lists, &c->json);
}
