/* SPDX-License-Identifier: MIT */
#include "lint/ways.h"

#include <stdio.h>
#include <string.h>

#include "parse/cidr.h"
#include "policy/egress.h"
#include "policy/rule.h"

/* Somewhere else than where questions lead at first: for rules with addresses = !NETWORK. */
#define OTHER_ADDRESS "150.171.22.10"

static void
way_add(struct ways *w, struct way way)
{
	for (size_t i = 0; i < w->n; i++) {
		const struct way *o = &w->v[i];
		if (o->scheme == way.scheme && o->port == way.port && span_eq(o->method, way.method) && o->has_to == way.has_to &&
		    (!way.has_to || memcmp(&o->to, &way.to, sizeof way.to) == 0))
			return;
	}
	if (w->n < WAYS_MOST)
		w->v[w->n++] = way;
}

static void
ports_add(struct ways *w, const struct conf_items *items)
{
	for (size_t i = 0; i < items->n; i++) {
		uint32_t port[2];
		if (!port_item_read(items->v[i].text, &port[0], &port[1]))
			continue;
		for (unsigned k = 0; k < 2; k++)
			way_add(w, (struct way){.scheme = SCHEME_HTTPS, .port = (uint16_t)port[k], .method = SPAN("CONNECT")});
	}
}

static void
addresses_add(struct ways *w, const struct conf_items *items)
{
	struct way way = {.scheme = SCHEME_HTTPS, .port = 443, .method = SPAN("CONNECT"), .has_to = true};

	if (items->n && addr_parse(SPAN(OTHER_ADDRESS), &way.to))
		way_add(w, way);
	for (size_t i = 0; i < items->n; i++) {
		struct cidr one;
		struct addr last;
		if (items->v[i].negated || cidr_parse(items->v[i].text, &one) != CIDR_FINE)
			continue;
		cidr_range(&one, &way.to, &last);
		if (egress_allows(w->egress, &way.to))
			way_add(w, way);
	}
}

void
ways_init(struct ways *w, const struct conf *c, const struct snapshot *s)
{
	const struct conf_rule *rule;

	*w = (struct ways){.egress = egress_at(s->block, s->set->egress)};
	way_add(w, (struct way){.scheme = SCHEME_HTTPS, .port = 443, .method = SPAN("CONNECT")});
	way_add(w, (struct way){.scheme = SCHEME_HTTP, .port = 80, .method = SPAN("GET")});
	way_add(w, (struct way){.scheme = SCHEME_HTTP, .port = 80, .method = SPAN("POST")});
	TAILQ_FOREACH (rule, &c->rules, link) {
		for (size_t i = 0; i < rule->methods.n; i++)
			if (!span_eq(rule->methods.v[i].text, SPAN("CONNECT")))
				way_add(w, (struct way){.scheme = SCHEME_HTTP, .port = 80, .method = rule->methods.v[i].text});
		ports_add(w, &rule->ports);
		addresses_add(w, &rule->addresses);
	}
}

size_t
ways_usual(const struct host_spec *spec)
{
	return spec->scheme == SCHEME_HTTP ? 1 : 0;
}

/* The k-th name that an item holds for; "" when there is none. */
static size_t
spec_name(const struct host_spec *spec, unsigned k, char *name, size_t room)
{
	struct addr first, last;
	char        text[ADDR_TEXT_MAX];
	size_t      n = 0;

	if (k > (spec->kind == SPEC_TREE ? 1 : 0))
		return 0;
	switch (spec->kind) {
	case SPEC_ADDR:
		cidr_range(&spec->cidr, &first, &last);
		addr_print(&first, text);
		return (size_t)snprintf(name, room, strchr(text, ':') ? "[%s]" : "%s", text);
	case SPEC_EXACT:
	case SPEC_BELOW:
	case SPEC_TREE:
	case SPEC_GLOB:
		if (spec->kind == SPEC_BELOW || k)
			n = (size_t)snprintf(name, room, "some-host.");
		for (uint16_t i = 0; i < spec->n && n + 2 < room; i++)
			name[n++] = spec->text[i] == '*' ? 'x' : spec->text[i];
		return n;
	case SPEC_REGEX:
	case SPEC_ALL:
		break;
	}
	return 0;
}

bool
ways_question(const struct ways *w, size_t way, const struct host_spec *spec, unsigned name, struct probe_request *q)
{
	const struct way *y = &w->v[way];
	char              text[2 * HOSTNAME_MAX];
	size_t            n = spec_name(spec, name, text, sizeof text);
	uint16_t          port = y->port;

	if (n == 0 || (spec->scheme != SCHEME_NONE && spec->scheme != y->scheme))
		return false;
	if (spec->port && port != (y->scheme == SCHEME_HTTP ? 80 : 443))
		return false; /* the item says which */
	if (spec->port)
		port = spec->port;
	if (way != ways_usual(spec) && !egress_port_allowed(w->egress, y->scheme == SCHEME_HTTPS, port))
		return false;
	if (!probe_request_init(q, span_of(text, n), y->scheme, port, y->method))
		return false;
	if (y->has_to && q->host.kind == HOST_ADDR)
		return false;
	if (y->has_to)
		q->to = y->to;
	return true;
}

const char *
way_tell(const struct ways *w, size_t way, char *buf, size_t n)
{
	const struct way *y = &w->v[way];
	char              to[ADDR_TEXT_MAX];

	buf[0] = '\0';
	if (y->has_to) {
		addr_print(&y->to, to);
		snprintf(buf, n, " (when the name leads to %s)", to);
	} else if (way > 1 || y->scheme == SCHEME_HTTP) {
		snprintf(buf, n, y->scheme == SCHEME_HTTP ? " (%.*s over plain HTTP, port %u)" : " (%.*s to port %u)", SPAN_ARG(y->method), y->port);
	}
	return buf;
}
