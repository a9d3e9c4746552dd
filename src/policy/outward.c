/* SPDX-License-Identifier: MIT */
#include "policy/outward.h"

#include <stdlib.h>
#include <string.h>

struct flat_ref
outward_parents(struct flat *f, const struct conf *c)
{
	const struct conf_parent *p;
	size_t                    n = 0;
	uint32_t                  off;

	TAILQ_FOREACH (p, &c->parents, link)
		n++;
	off = flat_add(f, NULL, n * sizeof(struct snapshot_parent), 8);
	n = 0;
	TAILQ_FOREACH (p, &c->parents, link) {
		struct snapshot_parent to;

		memset(&to, 0, sizeof to); /* padding too */
		to.name = flat_add_text(f, p->name);
		to.host = flat_add_text(f, span_str(p->host));
		to.principal = flat_add_text(f, span_str(p->principal));
		to.health_host = flat_add_text(f, span_str(p->health_host));
		to.port = p->port;
		to.health_port = p->health_port;
		to.weight = p->weight;
		to.auth = p->auth;
		to.slot = p->slot;
		to.fail_after = p->fail_after;
		to.health_interval_ms = p->health_interval_ms;
		to.connect_timeout_ms = p->connect_timeout_ms;
		if (f->failed)
			break;
		((struct snapshot_parent *)flat_at(f, off))[n++] = to;
	}
	return (struct flat_ref){off, (uint32_t)n};
}

void
outward_check_sources(struct flat *f, const struct conf *c, const struct settings *set, struct report *r)
{
	const struct conf_rule *rule;
	struct addr             a;

	TAILQ_FOREACH (rule, &c->rules, link)
		for (size_t i = 0; i < rule->source.n && !f->failed; i++) {
			bool found = !addr_parse(rule->source.v[i].text, &a); /* said already */
			for (uint32_t k = 0; k < set->local.n && !found; k++)
				found = addr_eq(&a, &((const struct addr *)flat_at(f, set->local.off))[k]);
			if (!found)
				report_warn(r, rule->source.v[i].at, "source = %.*s is no address of this machine at the moment: what this rule lets through cannot connect",
				    SPAN_ARG(rule->source.v[i].text));
		}
}

bool
snapshot_negotiates(const struct snapshot *s)
{
	const struct snapshot_parent *v = snapshot_at(s, s->set->parents.off);

	for (uint32_t i = 0; i < s->set->parents.n; i++)
		if (v[i].auth == PARENT_AUTH_NEGOTIATE)
			return true;
	return false;
}

bool
snapshot_keep_secrets(struct snapshot *s, const struct snapshot_secret *secret, uint32_t n)
{
	if (n != s->set->parents.n || n > PARENTS_MAX || s->secrets)
		return false;
	if (!(s->secrets = calloc(n, sizeof *s->secrets)))
		return false;
	memcpy(s->secrets, secret, n * sizeof *s->secrets);
	return true;
}

struct span
snapshot_secret_of(const struct snapshot *s, uint32_t parent)
{
	if (!s->secrets || parent >= s->set->parents.n)
		return SPAN("");
	return span_of(s->secrets[parent].text, s->secrets[parent].n);
}

void
outward_forget(struct snapshot *s)
{
	if (s->secrets)
		explicit_bzero(s->secrets, s->set->parents.n * sizeof *s->secrets);
	free(s->secrets);
	s->secrets = NULL;
}
