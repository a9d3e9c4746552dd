/* SPDX-License-Identifier: MIT */
/*
 * hosts: finishes the host_set and prepares, for each of its interned sets, the list of rules for which that set makes a difference.
 * The base is what holds when no pattern does: rules without hosts and those with only negated ones. A set's list holds the rules whose answer
 * differs from the base, always or in some places (scheme and port); a rule in neither costs nothing.
 */
#include "policy/build.h"

#include <stdlib.h>
#include <string.h>

/* One set at a time. */
struct bench {
	struct build           *b;
	const struct block_tag *tags;
	struct block_owner     *owners;
	uint8_t                *on;      /* by owner */
	uint64_t               *touched; /* row: rules that some tag of the set concerns */
	uint64_t               *prog;    /* for each touched rule in turn, prog_words */
	struct candidate       *list;
	uint32_t               *rule;    /* touched rules, in order */
	uint32_t                n;
};

static bool
rule_holds(const struct bench *w, uint32_t rule)
{
	const struct side_build *s = &w->b->side[SIDE_HOSTS];

	if (s->rule_terms[rule].n == 0)
		return true; /* and terms.v may be null */
	return terms_hold(s->terms.v + s->rule_terms[rule].at, s->rule_terms[rule].n, w->owners, w->on);
}

static void
owners_mark(struct bench *w, const uint32_t *tag, uint32_t n, enum url_scheme scheme, uint16_t port)
{
	for (uint32_t i = 0; i < n; i++)
		w->on[w->tags[tag[i]].owner] = 0;
	for (uint32_t i = 0; i < n; i++)
		if (tag_applies(&w->tags[tag[i]], scheme, port))
			owner_mark(w->on, &w->tags[tag[i]]);
}

static void
touched_find(struct bench *w, const uint32_t *tag, uint32_t n)
{
	const struct side_build *s = &w->b->side[SIDE_HOSTS];

	for (uint32_t i = 0; i < n; i++) {
		const struct owner *o = &s->owner[w->tags[tag[i]].owner];
		for (uint32_t k = 0; k < o->n_rules; k++)
			bit_set(w->touched, s->rules.v[o->rules_at + k]);
	}
	w->n = 0;
	for (uint32_t i = 0; i < w->b->words; i++) {
		for (uint64_t bits = w->touched[i]; bits; bits &= bits - 1)
			w->rule[w->n++] = i * 64 + (uint32_t)__builtin_ctzll(bits);
		w->touched[i] = 0;
	}
}

/* The answer of each touched rule in the places of one port (0: all ports that no item names) and all schemes. */
static void
port_judge(struct bench *w, const uint32_t *tag, uint32_t n, uint16_t port, uint32_t number)
{
	for (uint32_t scheme = 0; scheme < 4; scheme++) {
		owners_mark(w, tag, n, (enum url_scheme)scheme, port);
		for (uint32_t i = 0; i < w->n; i++) {
			uint64_t *prog = w->prog + (size_t)i * w->b->prog_words;
			uint32_t  place = number * 4 + scheme;
			bool      holds = rule_holds(w, w->rule[i]);
			if (port == 0)
				for (uint32_t k = 0; holds && k <= w->b->ports.n; k++)
					bit_set(prog, k * 4 + scheme);
			else if (holds)
				bit_set(prog, place);
			else
				prog[place >> 6] &= ~((uint64_t)1 << (place & 63));
		}
	}
}

static bool
prog_intern(struct bench *w, const uint64_t *prog, uint32_t *out)
{
	struct build *b = w->b;
	uint32_t      places = (b->ports.n + 1) * 4, set = 0;

	for (uint32_t i = 0; i < b->prog_words; i++)
		set += (uint32_t)__builtin_popcountll(prog[i]);
	if (set == 0 || set == places) {
		*out = set ? PROG_ALWAYS : PROG_NEVER;
		return true;
	}
	if (!pool_intern(&b->progs, prog, b->prog_words * sizeof *prog, out))
		return false;
	*out += PROG_FIRST;
	return true;
}

static bool
set_judge(struct bench *w, uint32_t set, const uint32_t *tag, uint32_t n)
{
	struct build *b = w->b;
	bool          placed = false;
	uint32_t      used = 0, prog;

	touched_find(w, tag, n);
	for (uint32_t i = 0; i < n; i++)
		placed |= w->tags[tag[i]].port != 0 || w->tags[tag[i]].scheme != SCHEME_NONE;
	if (placed) {
		memset(w->prog, 0, (size_t)w->n * b->prog_words * sizeof *w->prog);
		port_judge(w, tag, n, 0, 0);
		for (uint32_t i = 0; i < n; i++) {
			uint16_t port = w->tags[tag[i]].port;
			uint32_t number;
			if (!port)
				continue;
			if (!pool_intern(&b->ports, &port, sizeof port, &number))
				return false;
			port_judge(w, tag, n, port, number + 1);
		}
	} else
		owners_mark(w, tag, n, SCHEME_NONE, 0);
	for (uint32_t i = 0; i < w->n; i++) {
		if (!placed)
			prog = rule_holds(w, w->rule[i]) ? PROG_ALWAYS : PROG_NEVER;
		else if (!prog_intern(w, w->prog + (size_t)i * b->prog_words, &prog))
			return false;
		if (prog != (bit_has(b->base, w->rule[i]) ? PROG_ALWAYS : PROG_NEVER))
			w->list[used++] = (struct candidate){w->rule[i], prog};
	}
	w->list[used++] = (struct candidate){RULE_NONE, PROG_NEVER};
	for (uint32_t i = 0; i < n; i++)
		w->on[w->tags[tag[i]].owner] = 0;
	return pool_intern(&b->lists, w->list, used * sizeof *w->list, &b->set_list[set]);
}

/* The number_map of the ports that host items name. */
static bool
places_build(struct build *b)
{
	uint16_t *number = calloc(65536, sizeof *number), port;

	if (!number)
		return false;
	for (uint32_t i = 0; i < b->ports.n; i++) {
		memcpy(&port, b->ports.bytes + b->ports.v[i].off, sizeof port);
		number[port] = (uint16_t)(i + 1);
	}
	b->dim[COND_HOSTS].where = number_map_add(b->flat, number);
	free(number);
	return b->dim[COND_HOSTS].where != 0;
}

static bool
bench_init(struct bench *w, struct build *b)
{
	const struct side_build *s = &b->side[SIDE_HOSTS];
	size_t                   most = 1; /* rules that one set can touch */

	for (uint32_t i = 0; i < b->n_rules; i++)
		most += s->rule_terms[i].n > 0;
	b->prog_words = ((b->ports.n + 1) * 4 + 63) / 64;
	*w = (struct bench){
		.b = b,
		.tags = (const void *)s->tags.bytes,
		.owners = owners_flat(s),
		.on = calloc((size_t)s->n_owners + 1, 1),
		.touched = calloc(b->words, sizeof *w->touched),
		.prog = calloc(most, b->prog_words * sizeof *w->prog),
		.list = calloc(most, sizeof *w->list),
		.rule = calloc(most, sizeof *w->rule),
	};
	b->base = calloc(b->words, sizeof *b->base);
	if (!w->owners || !w->on || !w->touched || !w->prog || !w->list || !w->rule || !b->base)
		return false;
	for (uint32_t i = 0; i < b->n_rules; i++)
		if (rule_holds(w, i))
			bit_set(b->base, i);
	return true;
}

void
hosts_build(struct build *b)
{
	struct bench     w = {0};
	struct host_set *h = NULL;

	if (!bench_init(&w, b) || !places_build(b))
		goto oom;
	b->hosts_off = host_set_builder_finish(b->hosts, b->flat);
	if (!b->hosts_off)
		goto oom;
	h = host_set_open(b->flat->base, b->flat->used, b->hosts_off, false);
	if (!h)
		goto oom;
	b->n_sets = host_set_count(h);
	b->set_list = calloc((size_t)b->n_sets + 1, sizeof *b->set_list);
	if (!b->set_list)
		goto oom;
	for (uint32_t i = 0; i < b->n_sets; i++) {
		uint32_t        n;
		const uint32_t *tag = host_set_tags(h, i, &n);
		if (!set_judge(&w, i, tag, n))
			goto oom;
	}
	goto out;
oom:
	build_oom(b);
out:
	host_set_close(h);
	free(w.owners);
	free(w.on);
	free(w.touched);
	free(w.prog);
	free(w.list);
	free(w.rule);
}
