/* SPDX-License-Identifier: MIT */
/*
 * answer_rules: `rules` at the control socket: the rules with what they decided, or the entries of lists and of rules' own hosts with what came about by them.
 * Entries may be a million: they are sorted once and told a few at a time, each read anew from the snapshot, which is kept until the last is told.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/clock.h"
#include "proc/commands.h"

#define ROWS_A_TURN 200u
#define NAME_TEXT   1600u

/* What is wanted. Texts are the client's words. */
struct wanted {
	bool        entries, dead, json;
	const char *rule, *list; /* null: any */
};

struct inventory_row {
	uint32_t         line; /* global: where it stands */
	struct host_walk at;
};

/* One client's way through the entries. */
struct inventory {
	struct commands      *m;
	struct wanted         wanted;
	struct snapshot      *snap; /* a reference */
	struct sums           sums;
	uint32_t              mark;
	struct inventory_row *row; /* owned */
	size_t                n, room, at, told;
};

static bool
read_words(const struct control_client *c, struct wanted *w)
{
	*w = (struct wanted){.json = c->json};
	for (unsigned i = 1; i < c->n_words; i++) {
		char *word = c->word[i];
		if (strcmp(word, "entries") == 0)
			w->entries = true;
		else if (strcmp(word, "dead") == 0)
			w->dead = true;
		else if (strncmp(word, "rule=", 5) == 0)
			w->rule = word + 5;
		else if (strncmp(word, "list=", 5) == 0)
			w->list = word + 5;
		else
			return false;
	}
	w->entries |= w->list != NULL;
	return !(w->rule && w->list);
}

/* null: it never happened. */
static const char *
milliseconds_or_null(uint64_t ms, char *buf, size_t n)
{
	if (!ms)
		return "null";
	snprintf(buf, n, "%" PRIu64, ms);
	return buf;
}

static const char *
ago(uint64_t real_ms, char *buf, size_t n)
{
	uint64_t now = clock_real_us() / 1000;

	if (!real_ms)
		snprintf(buf, n, "never");
	else if (now <= real_ms)
		snprintf(buf, n, "now");
	else
		age_print(now - real_ms, buf, n);
	return buf;
}

/* --- rules --- */

/* What is under way has been decided: it is among the requests here, and stays there when it ends. */
static void
rule_sum(const struct commands *m, uint32_t slot, struct rule_counters *sum)
{
	*sum = (struct rule_counters){0};
	for (uint32_t i = 0; m->shared && slot && slot < RULE_SLOTS && i < m->shared->n_workers; i++) {
		const struct rule_counters *r = &m->shared->worker[i].rule[slot];
		sum->requests += r->requests;
		sum->open += m->crew->worker[i].pid ? r->open : 0;
		sum->bytes_in += r->bytes_in;
		sum->bytes_out += r->bytes_out;
		if (r->last_real_us > sum->last_real_us)
			sum->last_real_us = r->last_real_us;
	}
	sum->requests += sum->open;
}

static void
rule_json(const struct commands *m, const struct outline_rule *r, const struct rule_counters *n, FILE *f, bool first)
{
	char     name[NAME_TEXT], where[NAME_TEXT], last[24], since[24];
	uint64_t since_ms = m->shared && r->slot && r->slot < RULE_SLOTS ? m->shared->slots.rule[r->slot].since_real_us / 1000 : 0;

	fprintf(f, "%c{\"rule\":%s,\"where\":%s,\"action\":\"%s\",\"hits\":%" PRIu64 ",\"hits_since_reload\":%" PRIu64 ",\"open\":%" PRIu64 ",\"bytes_in\":%" PRIu64
	           ",\"bytes_out\":%" PRIu64 ",\"last_hit_ms\":%s,\"counted_since_ms\":%s}\n",
	    first ? '[' : ',', control_escape_json(r->name, name, sizeof name), control_escape_json(span_str(r->where), where, sizeof where),
	    action_words[r->action], n->requests, ledger_rule_recent(&m->crew->ledger, r->slot, n->requests), n->open, n->bytes_in, n->bytes_out,
	    milliseconds_or_null(n->last_real_us / 1000, last, sizeof last), milliseconds_or_null(since_ms, since, sizeof since));
}

static void
rule_text(const struct commands *m, const struct outline_rule *r, const struct rule_counters *n, FILE *f)
{
	char name[NAME_TEXT], where[NAME_TEXT], last[24], in[24], out[24];

	fprintf(f, "%-24s %-8s %10" PRIu64 " %10" PRIu64 " %8" PRIu64 " %9s %9s %10s  %s\n", control_escape(r->name, name, sizeof name), action_words[r->action],
	    n->requests, ledger_rule_recent(&m->crew->ledger, r->slot, n->requests), n->open, size_print(n->bytes_in, in, sizeof in),
	    size_print(n->bytes_out, out, sizeof out), ago(n->last_real_us / 1000, last, sizeof last), control_escape(span_str(r->where), where, sizeof where));
}

static void
fill_rules(const struct commands *m, const void *wanted, FILE *f)
{
	const struct wanted *w = wanted;
	struct outline_rule  r;
	struct rule_counters n;
	size_t               told = 0;
	char                 age[24];

	if (!w->json)
		fprintf(f, "%-24s %-8s %10s %10s %8s %9s %9s %10s  %s\n", "RULE", "ACTION", "HITS", "RELOAD", "OPEN", "IN", "OUT", "LAST HIT", "WHERE");
	for (size_t i = 0; outline_rule_at(m->outline, i, &r); i++) {
		rule_sum(m, r.slot, &n);
		if ((w->rule && !span_eq(r.name, span_str(w->rule))) || (w->dead && (n.requests || n.last_real_us)))
			continue;
		if (w->json)
			rule_json(m, &r, &n, f, told == 0);
		else
			rule_text(m, &r, &n, f);
		told++;
	}
	if (w->json)
		fprintf(f, "%s]\n", told ? "" : "[");
	else if (w->dead)
		fprintf(f, "%zu rule%s never decided anything since the gateway started, %s ago\n", told, told == 1 ? "" : "s",
		    ago(m->crew->ledger.started_real_us / 1000, age, sizeof age));
}

/* --- entries --- */

static void
inventory_gone(struct control_client *c)
{
	struct inventory *v = c->listing;

	snapshot_unref(v->snap);
	sums_clear(&v->sums);
	free(v->row);
	free(v);
	c->listing = NULL;
	c->listing_gone = NULL;
	c->more = NULL;
}

static bool
is_wanted(const struct wanted *w, const struct policy_entry *e)
{
	if (w->list)
		return e->is_list && span_eq(e->owner, span_str(w->list));
	return !w->rule || (!e->is_list && span_eq(e->owner, span_str(w->rule)));
}

/* Several on a line by their text: in which order they were found is another one after each start. */
static int
compare(const void *a, const void *b, void *policy)
{
	const struct inventory_row *x = a, *y = b;
	struct host_walk            at[2] = {x->at, y->at};
	struct policy_entry         e[2];
	char                        text[2][ENTRY_TEXT_MAX];
	int                         order;

	if (x->line != y->line)
		return x->line < y->line ? -1 : 1;
	for (unsigned i = 0; i < 2; i++) {
		if (!policy_entry_next(policy, &at[i], &e[i]))
			return 0;
		policy_entry_text(&e[i], text[i]);
	}
	order = strcmp(text[0], text[1]);
	return order ? order : span_order(e[0].owner, e[1].owner);
}

/* All that are wanted, by where they stand. False: out of memory. */
static bool
inventory_take(struct inventory *v)
{
	struct host_walk    walk = {0};
	struct policy_entry e;
	void               *p;

	for (;;) {
		struct inventory_row row = {.at = walk};
		if (!policy_entry_next(v->snap->policy, &walk, &e))
			break;
		if (!is_wanted(&v->wanted, &e))
			continue;
		p = array_grow(v->row, v->n, &v->room, sizeof *v->row);
		if (!p)
			return false;
		v->row = p;
		row.line = e.what.origin;
		v->row[v->n++] = row;
	}
	if (v->n)
		qsort_r(v->row, v->n, sizeof *v->row, compare, v->snap->policy);
	return true;
}

/* Its hits; where the same stands twice, the first has them all. */
static struct sum
take_sum(struct inventory *v, uint64_t id)
{
	const struct sum *found = sums_find(&v->sums, id);
	struct sum       *mine = found ? &v->sums.v[found - v->sums.v] : NULL, s = {0};

	if (!mine || mine->mark == UINT32_MAX)
		return s;
	s = *mine;
	if (s.mark != v->mark)
		s.recent = 0;
	mine->mark = UINT32_MAX;
	return s;
}

static void
tell_entry(struct control_client *c, struct inventory *v, const struct policy_entry *e, const struct sum *s)
{
	char   raw[ENTRY_TEXT_MAX], place[4200], owner[NAME_TEXT], entry[ENTRY_TEXT_MAX * 6], where[8500], last[24];
	size_t n = policy_line_print(v->snap->policy, e->what.origin, place, sizeof place);

	policy_entry_text(e, raw);
	if (c->json) {
		control_say(c, '.', "%c{\"%s\":%s,\"entry\":%s,", v->told ? ',' : ' ', e->is_list ? "list" : "rule", control_escape_json(e->owner, owner, sizeof owner),
		    control_escape_json(span_str(raw), entry, sizeof entry < 3000 ? sizeof entry : 3000));
		control_say(c, '.', "\"where\":%s,\"hits\":%" PRIu64 ",\"hits_since_reload\":%" PRIu64 ",\"last_hit_ms\":%s}",
		    control_escape_json(span_of(place, n), where, 3500), s->hits, s->recent, milliseconds_or_null((uint64_t)s->last_s * 1000, last, sizeof last));
		return;
	}
	control_escape(span_of(place, n), where, 2000);
	snprintf(owner, sizeof owner, "%s", e->is_list ? "@" : "");
	control_escape(e->owner, owner + strlen(owner), 300);
	control_say(c, '.', "%10" PRIu64 " %10" PRIu64 " %10s  %-28s %-40s %s", s->hits, s->recent, ago((uint64_t)s->last_s * 1000, last, sizeof last), owner,
	    control_escape(span_str(raw), entry, 1300), where);
}

static void
inventory_end(struct control_client *c)
{
	struct inventory    *v = c->listing;
	const struct ledger *l = &v->m->crew->ledger;
	uint64_t             lost = ledger_lost(l);
	char                 age[24];

	if (c->json)
		control_say(c, '.', "]");
	else if (!v->n)
		control_say(c, '.', "there are no entries that fit");
	else if (v->wanted.dead)
		control_say(c, '.', "%zu of %zu entries never decided anything since the gateway started, %s ago, or since they came with a reload", v->told, v->n,
		    ago(l->started_real_us / 1000, age, sizeof age));
	if (!c->json && lost)
		control_say(c, '.', "%" PRIu64 " hits are not among these: there was no room to tell them apart", lost);
	inventory_gone(c);
	control_end(c, 0);
}

static void
more(struct control_client *c)
{
	struct inventory   *v = c->listing;
	struct policy_entry e;

	for (unsigned i = 0; i < ROWS_A_TURN && v->at < v->n; v->at++) {
		struct host_walk at = v->row[v->at].at;
		struct sum       s;
		if (!policy_entry_next(v->snap->policy, &at, &e))
			continue;
		s = take_sum(v, e.id);
		if (v->wanted.dead && s.hits)
			continue;
		tell_entry(c, v, &e, &s);
		v->told++;
		i++;
	}
	if (v->at == v->n)
		inventory_end(c);
}

static void
answer_entries(struct commands *m, struct control_client *c, const struct wanted *w)
{
	struct inventory *v = calloc(1, sizeof *v);
	struct snapshot  *snap = ledger_snapshot(&m->crew->ledger);

	if (v && snap) {
		v->m = m;
		v->wanted = *w;
		v->mark = m->crew->ledger.mark;
		v->snap = snapshot_ref(snap);
		c->listing = v;
		c->listing_gone = inventory_gone;
		crew_add_up(m->crew);
		if (ledger_sum(&m->crew->ledger, &v->sums) && inventory_take(v)) {
			if (c->json)
				control_say(c, '.', "[");
			else
				control_say(c, '.', "%10s %10s %10s  %-28s %-40s %s", "HITS", "RELOAD", "LAST HIT", "OF", "ENTRY", "WHERE");
			c->more = more;
			return;
		}
		inventory_gone(c);
	} else {
		free(v);
	}
	control_say(c, 'e', snap ? "out of memory" : "entries are not counted now: there was no memory for it; a reload tries again");
	control_end(c, 1);
}

void
answer_rules(struct commands *m, struct control_client *c)
{
	struct wanted w;

	if (!read_words(c, &w)) {
		control_say(c, 'e', "want rules [entries] [dead] [rule=NAME | list=NAME]");
		control_end(c, 2);
	} else if (w.entries) {
		answer_entries(m, c, &w);
	} else {
		answer_with(m, c, fill_rules, &w);
	}
}
