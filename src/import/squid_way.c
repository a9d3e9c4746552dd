/* SPDX-License-Identifier: MIT */
/*
 * squid_way: which way requests leave: cache_peer with cache_peer_access, always_direct, never_direct; tcp_outgoing_address.
 */
#include "import/squid_inside.h"

#include "base/addr.h"

/* Lines of `name` (about `peer`, when given) as choices of 0 and 1, that end with the default. */
static struct squid_choices
decisions(struct squid *s, const char *name, struct span peer, uint32_t without)
{
	struct squid_choices out = {0};
	struct squid_words   w;
	uint32_t             last = !without;
	bool                 any = false;

	for (size_t i = 0; i < s->n_lines && !s->arena.failed; i++) {
		const struct squid_line *l = &s->line[i];
		struct span              verb;
		if (!span_eq(l->name, span_str(name)))
			continue;
		squid_words_begin(&w, s, l, false);
		if (peer.n && !span_eq(squid_word_plain(&w), peer))
			continue;
		verb = squid_word_plain(&w);
		if (!span_eq(verb, SPAN("allow")) && !span_eq(verb, SPAN("deny"))) {
			squid_note(s, SQUID_DIFFERS, l, "left out: neither allow nor deny");
			continue;
		}
		last = span_eq(verb, SPAN("allow"));
		any = true;
		squid_choices_add(s, &out, l, &w, last, true, false);
	}
	squid_choice_put(s, &out, &(struct squid_choice){.value = any ? !last : without});
	return out;
}

enum { WAY_DIRECT, WAY_PARENT, WAY_EITHER };

static uint32_t
join_direct(uint32_t always, uint32_t never)
{
	return always ? WAY_DIRECT : never ? WAY_PARENT : WAY_EITHER;
}

/* The way in the low bits; peers from bit 8 on. */
static uint32_t
join_peer(uint32_t way, uint32_t serves)
{
	return (way & 255) | (way >> 8) << 9 | serves << 8;
}

static bool
has_line(const struct squid *s, const char *name)
{
	for (size_t i = 0; i < s->n_lines; i++)
		if (span_eq(s->line[i].name, span_str(name)))
			return true;
	return false;
}

/* Values: bits of peers, the first in bit 0; 0: direct. Empty: there are no peers. */
struct squid_choices
squid_parents(struct squid *s)
{
	struct squid_choices always, never, out = {0};

	if (s->n_peers == 0)
		return out;
	always = decisions(s, "always_direct", (struct span){0}, 0);
	never = decisions(s, "never_direct", (struct span){0}, 0);
	out = squid_choices_join(s, &always, &never, join_direct);
	for (size_t i = s->n_peers; i > 0 && !s->why[0] && !s->arena.failed; i--) {
		struct squid_choices serves = decisions(s, "cache_peer_access", s->peer[i - 1].called, 1);
		out = squid_choices_join(s, &out, &serves, join_peer);
	}
	if (!has_line(s, "never_direct"))
		squid_note(s, SQUID_DIFFERS, s->peer[0].from, "without never_direct Squid asks a parent for what may be cached only, and tunnels go direct; so does everything here: "
		    "to send it through the parent, say parent = %s in [gateway]", s->peer[0].name);
	for (size_t i = 0; i < out.n; i++) {
		uint32_t v = out.v[i].value;
		out.v[i].value = (v & 255) == WAY_PARENT ? v >> 8 : 0;
	}
	return out;
}

/* Values: numbers in *table, 0: no address. Empty: nothing is said. */
struct squid_choices
squid_sources(struct squid *s, struct span **table)
{
	struct squid_choices out = {0};
	struct squid_words   w;
	size_t               n = 1, room = 0;

	*table = arena_grow(&s->arena, NULL, 0, &room, sizeof **table);
	for (size_t i = 0; i < s->n_lines && !s->arena.failed; i++) {
		const struct squid_line *l = &s->line[i];
		struct span              address;
		struct addr              a;
		char                     text[ADDR_TEXT_MAX];
		if (!span_eq(l->name, SPAN("tcp_outgoing_address")))
			continue;
		squid_words_begin(&w, s, l, false);
		address = squid_word_plain(&w);
		if (!addr_parse(address, &a)) {
			squid_note(s, SQUID_DIFFERS, l, "left out: this is no address");
			continue;
		}
		addr_print(&a, text);
		*table = arena_grow(&s->arena, *table, n, &room, sizeof **table);
		if (s->arena.failed)
			break;
		(*table)[n] = arena_copy(&s->arena, span_str(text));
		squid_choices_add(s, &out, l, &w, (uint32_t)n++, true, false);
	}
	if (out.n)
		squid_choice_put(s, &out, &(struct squid_choice){0});
	return out;
}
