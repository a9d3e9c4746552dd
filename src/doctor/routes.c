/* SPDX-License-Identifier: MIT */
#include "doctor/routes.h"

#include <stdlib.h>

/* --- parents --- */

static const struct conf_items *
items_of(const struct conf *c, const struct conf_rule *rule)
{
	return rule && rule->parent.n ? &rule->parent : &c->gateway.parent;
}

/* `none` is no parent's name. */
static const struct conf_parent *
parent_find(const struct conf *c, struct span name)
{
	const struct conf_parent *p;

	TAILQ_FOREACH (p, &c->parents, link)
		if (span_eq(p->name, name))
			return p;
	return NULL;
}

static int
index_of(const struct routes *w, const struct conf_parent *p)
{
	for (unsigned i = 0; i < w->n; i++)
		if (w->parent[i] == p)
			return (int)i;
	return -1;
}

static void
items_gather(const struct conf *c, const struct conf_items *items, struct routes *out)
{
	for (size_t i = 0; i < items->n; i++) {
		const struct conf_parent *p = parent_find(c, items->v[i].text);
		if (!p || !p->host || index_of(out, p) >= 0)
			continue;
		if (out->n < PARENTS_MAX)
			out->parent[out->n++] = p;
	}
}

void
routes_gather(const struct conf *c, struct routes *out)
{
	const struct conf_rule *r;

	*out = (struct routes){0};
	for (unsigned pass = 0; pass < 2; pass++)
		TAILQ_FOREACH (r, &c->rules, link)
			if (r->has_action && r->action != ACTION_DENY && (r->action == ACTION_BYPASS) == (pass == 0))
				items_gather(c, items_of(c, r), out);
	items_gather(c, &c->gateway.parent, out);
}

void
routes_of_rule(const struct routes *w, const struct conf *c, const struct conf_rule *rule, uint16_t *parents, bool *by_parent)
{
	const struct conf_items *items = items_of(c, rule);
	bool                     any = false;

	for (size_t i = 0; i < items->n; i++) {
		const struct conf_parent *p = parent_find(c, items->v[i].text);
		int                       at = p ? index_of(w, p) : -1;
		any |= p != NULL;
		if (at >= 0 && at < (int)DOCTOR_PARENTS_MAX)
			*parents |= (uint16_t)(1u << at);
	}
	*by_parent &= any;
}

static void
parent_set(const struct conf_parent *p, struct doctor_proxy *out)
{
	out->name = p->name.p;
	out->at.port = p->port;
	if (!addr_parse(span_str(p->host), &out->at.addr))
		out->host = p->host;
	out->present = true;
	if (p->auth == PARENT_AUTH_NEGOTIATE) {
		out->present = false;
		out->why = "it wants Negotiate, and the keys for that are another process's: postern doctor tries it, as root";
	}
}

/* --- the gateway --- */

static void
gateway_set(const struct conf *c, struct doctor_proxy *out)
{
	const struct conf_listener *e;
	static const struct addr    any6;
	const struct addr           any4 = addr_from_v4(0);

	out->why = "no explicit listener has an address";
	TAILQ_FOREACH (e, &c->listeners, link) {
		if (e->mode != LISTENER_EXPLICIT || !e->address.n || !e->address.v[0].port)
			continue;
		out->present = true;
		out->why = NULL;
		out->name = e->name.p;
		out->at = e->address.v[0];
		out->tls = e->tls_cert != NULL;
		/* every address of this machine: this one too */
		if (addr_eq(&out->at.addr, &any4))
			out->at.addr = addr_from_v4(INADDR_LOOPBACK);
		else if (addr_eq(&out->at.addr, &any6))
			out->at.addr.b[15] = 1;
		return;
	}
}

bool
doctor_settings_of(const struct conf *c, struct doctor_settings *out, const char ***issuer)
{
	size_t      n = c->doctor.issuers.n;
	struct routes routes;

	*out = (struct doctor_settings){.timeout_ms = c->doctor.timeout_ms, .parallel = c->doctor.parallel};
	*issuer = calloc(n + 1, sizeof **issuer);
	if (!*issuer)
		return false;
	for (size_t i = 0; i < n; i++)
		(*issuer)[i] = c->doctor.issuers.v[i].text.p;
	out->issuer = (const char *const *)*issuer;
	out->n_issuers = n;
	routes_gather(c, &routes);
	out->n_parents = routes.n < DOCTOR_PARENTS_MAX ? routes.n : DOCTOR_PARENTS_MAX;
	out->parents_more = routes.n - out->n_parents;
	for (unsigned i = 0; i < out->n_parents; i++)
		parent_set(routes.parent[i], &out->parent[i]);
	gateway_set(c, &out->gateway);
	return true;
}
