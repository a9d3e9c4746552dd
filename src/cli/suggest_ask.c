/* SPDX-License-Identifier: MIT */
/* suggest_ask: the table of evidence as the running gateway has it. Its answer is checked like anything from outside. */
#include <jansson.h>
#include <string.h>

#include "cli/ask.h"
#include "cli/cli.h"
#include "cli/suggest.h"

struct ask {
	struct evidence_row *out;
	size_t               n;
	bool                 bad;
};

static uint64_t
number(const json_t *o, const char *key)
{
	json_int_t v = json_integer_value(json_object_get(o, key));

	return v > 0 ? (uint64_t)v : 0;
}

static void
text(char *to, size_t room, const json_t *v)
{
	const char *s = json_string_value(v);

	if (s)
		snprintf(to, room, "%s", s);
}

static uint64_t
texts(char *to, size_t size, size_t most, const json_t *array)
{
	size_t n = json_array_size(array) < most ? json_array_size(array) : most;

	for (size_t i = 0; i < n; i++)
		text(to + i * size, size, json_array_get(array, i));
	return n;
}

static enum evidence_kind
kind_of(const char *word)
{
	for (unsigned k = EVIDENCE_NONE + 1; word && k < EVIDENCE_KINDS; k++)
		if (strcmp(word, evidence_word((enum evidence_kind)k)) == 0)
			return (enum evidence_kind)k;
	return EVIDENCE_NONE;
}

static bool
who_read_json(struct evidence_row *r, const json_t *who)
{
	for (size_t i = 0; i < json_array_size(who) && i < EVIDENCE_WHO; i++) {
		const json_t        *o = json_array_get(who, i);
		struct evidence_who *w = &r->who[r->n_who];
		uint64_t             agent = number(o, "agent");
		if (!addr_parse(span_str(json_string_value(json_object_get(o, "client"))), &w->client))
			return false;
		w->agent = agent < r->n_agents ? (uint32_t)agent : EVIDENCE_AGENTS;
		w->count = number(o, "count");
		r->n_who++;
	}
	return true;
}

static bool
row_read(struct evidence_row *r, const json_t *o)
{
	memset(r, 0, sizeof *r);
	r->kind = kind_of(json_string_value(json_object_get(o, "kind")));
	r->port = number(o, "port");
	r->https = json_is_true(json_object_get(o, "https"));
	r->count = number(o, "count");
	r->first_us = number(o, "first_us");
	r->last_us = number(o, "last_us");
	r->more = number(o, "more");
	r->n_agents = texts(r->agent[0], EVIDENCE_AGENT_MAX, EVIDENCE_AGENTS, json_object_get(o, "agents"));
	r->n_details = texts(r->detail[0], EVIDENCE_DETAIL_MAX, EVIDENCE_DETAILS, json_object_get(o, "details"));
	text(r->host, sizeof r->host, json_object_get(o, "host"));
	return r->kind != EVIDENCE_NONE && who_read_json(r, json_object_get(o, "who"));
}

static void
on_line(void *arg, char kind, struct span line)
{
	struct ask *a = arg;
	json_t     *o;

	if (kind == 'e') {
		ask_print(NULL, kind, line);
		return;
	}
	if (a->n == EVIDENCE_HOSTS)
		return;
	o = json_loadb(line.p, line.n, 0, NULL);
	if (o && row_read(&a->out[a->n], o))
		a->n++;
	else
		a->bad = true;
	json_decref(o);
}

size_t
suggest_ask(const char *path, struct evidence_row out[EVIDENCE_HOSTS], int *code)
{
	struct ask a = {.out = out};

	*code = ask_gateway(path, "suggest --json", on_line, &a);
	if (*code == CLI_NEGATIVE)
		*code = CLI_NO_GATEWAY; /* it would look as if there were suggestions */
	if (*code == CLI_FINE && a.bad)
		*code = cli_usage_error("the gateway's answer cannot be read; is it of another version?");
	return a.n;
}
