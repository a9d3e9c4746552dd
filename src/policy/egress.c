/* SPDX-License-Identifier: MIT */
#include "policy/egress.h"

#include <string.h>

#include "match/addr_set.h"
#include "policy/block.h"

#define PORT_WORDS (65536 / 64)

struct egress {
	uint32_t deny, allow; /* addr_set; offsets from this struct */
	uint64_t connect_ports[PORT_WORDS], http_ports[PORT_WORDS];
};

static void
ports_set(const struct conf_ports *ports, uint64_t *bits)
{
	for (size_t i = 0; i < ports->n; i++)
		for (uint32_t k = ports->v[i].first; k <= ports->v[i].last; k++)
			bit_set(bits, k);
}

static uint32_t
cidrs_add(const struct conf_cidrs *cidrs, struct flat *f)
{
	struct addr_set_builder *b = addr_set_builder_new();
	bool                     ok = b != NULL;
	uint32_t                 off;

	for (size_t i = 0; ok && i < cidrs->n; i++)
		ok = addr_set_builder_add(b, &cidrs->v[i], 0, 0);
	off = ok ? addr_set_builder_finish(b, f) : 0;
	addr_set_builder_free(b);
	return off;
}

uint32_t
egress_compile(const struct conf *c, struct flat *f)
{
	uint32_t       off = flat_add(f, NULL, sizeof(struct egress), 64);
	uint32_t       deny = off ? cidrs_add(&c->gateway.egress_deny, f) : 0;
	uint32_t       allow = deny ? cidrs_add(&c->gateway.egress_allow, f) : 0;
	struct egress *e;

	if (!allow)
		return 0;
	e = flat_at(f, off);
	e->deny = deny - off;
	e->allow = allow - off;
	ports_set(&c->gateway.connect_ports, e->connect_ports);
	ports_set(&c->gateway.http_ports, e->http_ports);
	return off;
}

bool
egress_port_allowed(const struct egress *e, bool connect, uint16_t port)
{
	return bit_has(connect ? e->connect_ports : e->http_ports, port);
}

static bool
allows_plain(const struct egress *e, const struct addr *a)
{
	return addr_set_has(addr_set_at(e, e->allow), a) || !addr_set_has(addr_set_at(e, e->deny), a);
}

bool
egress_allows(const struct egress *e, const struct addr *a)
{
	struct addr inner;

	return allows_plain(e, a) && (!addr_embedded_v4(a, &inner) || allows_plain(e, &inner));
}

static bool
is_within(const struct cidr *c, const struct addr *a)
{
	struct addr first, last;

	cidr_range(c, &first, &last);
	return memcmp(a->b, first.b, sizeof a->b) >= 0 && memcmp(a->b, last.b, sizeof a->b) <= 0;
}

static bool
is_named_or_public(const struct egress *e, const struct addr *a)
{
	const struct cidr *list = NULL;
	size_t             n = 0;

	if (addr_set_has(addr_set_at(e, e->allow), a))
		return true;
	addr_group(SPAN("private"), &list, &n);
	for (size_t i = 0; i < n; i++)
		if (is_within(&list[i], a))
			return false;
	return true;
}

bool
egress_allows_errand(const struct egress *e, const struct addr *a)
{
	struct addr inner;

	return egress_allows(e, a) && is_named_or_public(e, a) && (!addr_embedded_v4(a, &inner) || is_named_or_public(e, &inner));
}
