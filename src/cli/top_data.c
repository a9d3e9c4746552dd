/* SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "cli/ask.h"
#include "cli/cli.h"
#include "cli/top.h"

#define ANSWER_MOST (8u << 20)

/* --- one question --- */

struct answer {
	char  *text; /* owned */
	size_t n, room;
	bool   failed;
	char  *said; /* the first line of kind e; TOP_TEXT * 2 bytes */
};

static void
on_line(void *arg, char kind, struct span text)
{
	struct answer *a = arg;

	if (kind == 'e') {
		if (!a->said[0])
			snprintf(a->said, TOP_TEXT * 2, "%.*s", (int)(text.n < TOP_TEXT ? text.n : TOP_TEXT), text.p);
		return;
	}
	if (a->failed || a->n + text.n + 1 > ANSWER_MOST) {
		a->failed = true;
		return;
	}
	if (a->n + text.n + 1 > a->room) {
		size_t room = (a->n + text.n + 1) * 2;
		char  *p = realloc(a->text, room);
		if (!p) {
			a->failed = true;
			return;
		}
		a->text = p;
		a->room = room;
	}
	memcpy(a->text + a->n, text.p, text.n);
	a->n += text.n;
	a->text[a->n++] = '\n';
}

/* null: *code says why, and t->said. */
static json_t *
ask(struct top *t, const char *request, int *code)
{
	struct answer a = {.said = t->said};
	json_t       *j = NULL;

	t->said[0] = '\0';
	*code = ask_gateway_quietly(t->path, request, on_line, &a, t->said, sizeof t->said);
	if (*code == CLI_FINE && !a.failed)
		j = json_loadb(a.text ? a.text : "", a.n, JSON_ALLOW_NUL, NULL);
	if (*code == CLI_FINE && !j) {
		snprintf(t->said, sizeof t->said, "the gateway's answer cannot be read");
		*code = CLI_NO_GATEWAY;
	}
	free(a.text);
	return j;
}

/* --- what it says --- */

static uint64_t
number(const json_t *o, const char *key)
{
	json_int_t v = json_integer_value(json_object_get(o, key));

	return v > 0 ? (uint64_t)v : 0;
}

static void
text(const json_t *o, const char *key, char *buf, size_t n)
{
	const json_t *v = json_object_get(o, key);
	size_t        len = json_string_length(v);

	snprintf(buf, n, "%s", "");
	if (!v || !json_is_string(v))
		return;
	len = len < n - 1 ? len : n - 1;
	memcpy(buf, json_string_value(v), len);
	for (size_t i = 0; i < len; i++)
		buf[i] = buf[i] ? buf[i] : '\1'; /* a NUL would hide the rest */
	buf[len] = '\0';
}

static void
take_status(struct top_look *l, const json_t *j)
{
	static const char *const word[4] = {"bypass", "tunnel", "inspect", "deny"};
	const json_t            *actions = json_object_get(j, "actions"), *rates = json_object_get(j, "rates");

	text(j, "version", l->version, sizeof l->version);
	text(j, "state", l->state, sizeof l->state);
	text(j, "configuration", l->holds, sizeof l->holds);
	l->up_ms = number(j, "up_ms");
	l->generation = number(j, "generation");
	l->connections = number(j, "connections");
	l->under_way = number(j, "under_way");
	l->requests = number(j, "requests");
	l->bytes_in = number(j, "bytes_in");
	l->bytes_out = number(j, "bytes_out");
	l->guard_closed = number(j, "guard_closed");
	l->queued = number(j, "queued");
	l->requests_rate = json_number_value(json_object_get(rates, "requests"));
	for (unsigned i = 0; i < 4; i++) {
		l->action[i].n = number(actions, word[i]);
		l->action[i].rate = json_number_value(json_object_get(rates, word[i]));
	}
}

static void
take_sessions(struct top_look *l, const json_t *j)
{
	const json_t *o;
	size_t        i;

	json_array_foreach(j, i, o) {
		struct top_session *s = &l->session[l->n_sessions];
		if (l->n_sessions == TOP_SESSIONS)
			break;
		*s = (struct top_session){.port = (unsigned)number(o, "port"), .age_ms = number(o, "age_ms"), .bytes_in = number(o, "bytes_in"), .bytes_out = number(o, "bytes_out")};
		text(o, "id", s->id, sizeof s->id);
		text(o, "client", s->client, sizeof s->client);
		text(o, "host", s->host, sizeof s->host);
		text(o, "rule", s->rule, sizeof s->rule);
		text(o, "user", s->user, sizeof s->user);
		text(o, "action", s->action, sizeof s->action);
		text(o, "state", s->state, sizeof s->state);
		l->n_sessions++;
	}
}

static void
take_rules(struct top_look *l, const json_t *j)
{
	const json_t *o;
	size_t        i;

	json_array_foreach(j, i, o) {
		struct top_rule *r = &l->rule[l->n_rules];
		if (l->n_rules == TOP_RULES)
			break;
		*r = (struct top_rule){.hits = number(o, "hits"), .open = number(o, "open")};
		text(o, "rule", r->name, sizeof r->name);
		text(o, "action", r->action, sizeof r->action);
		l->n_rules++;
	}
}

/* --- rates and order --- */

static const struct top_session *
find_session(const struct top_look *l, const char *id)
{
	for (unsigned i = 0; i < l->n_sessions; i++)
		if (strcmp(l->session[i].id, id) == 0)
			return &l->session[i];
	return NULL;
}

static const struct top_rule *
find_rule(const struct top_look *l, const char *name)
{
	for (unsigned i = 0; i < l->n_rules; i++)
		if (strcmp(l->rule[i].name, name) == 0)
			return &l->rule[i];
	return NULL;
}

static void
reckon_rates(struct top_look *l, const struct top_look *before)
{
	uint64_t us = l->at_us > before->at_us ? l->at_us - before->at_us : 0;

	for (unsigned i = 0; us && before->at_us && i < l->n_sessions; i++) {
		struct top_session       *s = &l->session[i];
		const struct top_session *b = find_session(before, s->id);
		uint64_t                  all = s->bytes_in + s->bytes_out, then = b ? b->bytes_in + b->bytes_out : all;
		/* one that came since has moved all it has within its own age */
		if (!b && s->age_ms * 1000 < us)
			then = 0;
		s->rate = all > then ? (all - then) * 1000000 / us : 0;
	}
	for (unsigned i = 0; us && before->at_us && i < l->n_rules; i++) {
		struct top_rule       *r = &l->rule[i];
		const struct top_rule *b = find_rule(before, r->name);
		r->rate = b && r->hits > b->hits ? (double)(r->hits - b->hits) * 1e6 / (double)us : 0;
	}
}

static int
by_rate(const void *a, const void *b)
{
	const struct top_session *x = a, *y = b;
	uint64_t                  bx = x->bytes_in + x->bytes_out, by = y->bytes_in + y->bytes_out;

	if (x->rate != y->rate)
		return x->rate < y->rate ? 1 : -1;
	return bx != by ? (bx < by ? 1 : -1) : strcmp(x->id, y->id);
}

static int
by_bytes(const void *a, const void *b)
{
	const struct top_session *x = a, *y = b;
	uint64_t                  bx = x->bytes_in + x->bytes_out, by = y->bytes_in + y->bytes_out;

	return bx != by ? (bx < by ? 1 : -1) : strcmp(x->id, y->id);
}

static int
by_age(const void *a, const void *b)
{
	const struct top_session *x = a, *y = b;

	return x->age_ms != y->age_ms ? (x->age_ms < y->age_ms ? 1 : -1) : strcmp(x->id, y->id);
}

/* Those with hits now, then those with most. */
static int
rules_by_use(const void *a, const void *b)
{
	const struct top_rule *x = a, *y = b;

	if (x->rate < y->rate || x->rate > y->rate)
		return x->rate < y->rate ? 1 : -1;
	if (x->hits != y->hits)
		return x->hits < y->hits ? 1 : -1;
	return strcmp(x->name, y->name);
}

/* --- all of it --- */

static int
look(struct top *t, struct top_look *l)
{
	static const char *const key[FILTER_COUNT] = {[FILTER_CLIENT] = " client=", [FILTER_RULE] = " rule=", [FILTER_HOST] = " host="};
	char                     request[64 + FILTER_COUNT * (FILTER_MOST + 10)];
	json_t                  *j;
	int                      code;

	snprintf(request, sizeof request, "sessions like top=%u%s", TOP_SESSIONS, t->sort == SORT_AGE ? " by=age" : "");
	for (unsigned i = 0; i < FILTER_COUNT; i++)
		if (t->filter[i][0])
			snprintf(request + strlen(request), sizeof request - strlen(request), "%s%s", key[i], t->filter[i]);
	snprintf(request + strlen(request), sizeof request - strlen(request), " --json");
	if (!(j = ask(t, "status --json", &code)))
		return code;
	take_status(l, j);
	json_decref(j);
	if (!(j = ask(t, "rules --json", &code)))
		return code;
	take_rules(l, j);
	json_decref(j);
	if (!(j = ask(t, request, &code)))
		return code;
	take_sessions(l, j);
	json_decref(j);
	return CLI_FINE;
}

int
top_refresh(struct top *t)
{
	static int (*const compare[SORT_COUNT])(const void *, const void *) = {[SORT_RATE] = by_rate, [SORT_BYTES] = by_bytes, [SORT_AGE] = by_age};
	struct top_look   *next = calloc(1, sizeof *next);
	int                code;

	if (!next) {
		snprintf(t->said, sizeof t->said, "out of memory");
		return CLI_NEGATIVE;
	}
	next->at_us = clock_mono_us();
	code = look(t, next);
	if (code != CLI_FINE) {
		free(next);
		return code;
	}
	reckon_rates(next, t->now);
	qsort(next->session, next->n_sessions, sizeof *next->session, compare[t->sort]);
	qsort(next->rule, next->n_rules, sizeof *next->rule, rules_by_use);
	free(t->before);
	t->before = t->now;
	t->now = next;
	return CLI_FINE;
}

int
top_kill(struct top *t, const char *id)
{
	char    request[64];
	json_t *j;
	int     code;

	snprintf(request, sizeof request, "kill %.16s --json", id);
	j = ask(t, request, &code);
	if (j)
		snprintf(t->said, sizeof t->said, "%.16s was ended", id);
	else if (!t->said[0])
		snprintf(t->said, sizeof t->said, "%.16s is not under way any more", id);
	json_decref(j);
	return code;
}

unsigned
top_selected(struct top *t)
{
	for (unsigned i = 0; i < t->now->n_sessions; i++)
		if (strcmp(t->now->session[i].id, t->selected) == 0)
			return i;
	return 0;
}

bool
top_init(struct top *t, const char *path)
{
	*t = (struct top){.path = path, .now = calloc(1, sizeof *t->now), .before = calloc(1, sizeof *t->before)};
	return t->now && t->before;
}

void
top_clear(struct top *t)
{
	free(t->now);
	free(t->before);
}
