/* SPDX-License-Identifier: MIT */
/*
 * parent: what a [parent NAME] needs to be whole, and what parents and the rules that name them need together.
 * Looks at files of credentials and keys (there, plain, readable, closed to others) and reads none of them. Which names rules give is policy/ways's.
 */
#include <string.h>

#include "conf/load.h"
#include "parse/authority.h"

/* HOST:PORT in its canonical spelling; `host` lives as long as the configuration. False: reported. */
static bool
place_read(struct load *l, struct where at, const char *key, const char *text, char **host, uint16_t *port)
{
	struct authority a;

	if (!authority_parse_connect(span_str(text), &a)) {
		report_error(l->r, at, "%s = %.*s: want HOST:PORT such as proxy.example.net:3128 or [2001:db8::1]:3128", key, SHOW(span_str(text)));
		return false;
	}
	if (!(*host = conf_keep(l->c, host_span(&a.host)))) {
		load_no_memory(l);
		return false;
	}
	*port = a.port;
	return true;
}

/* After the address. */
static void
check_negotiate(struct load *l, const struct conf_parent *p)
{
	struct addr a;

#ifndef HAVE_KERBEROS
	report_error(l->r, p->auth_at, "auth = negotiate: this postern was built without Kerberos; use another, or build it --with-kerberos");
#endif
	if (!p->keytab)
		report_error(l->r, p->auth_at, "[parent %.*s]: auth = negotiate wants keytab = FILE with the key of the account to log on with", SHOW(p->name));
	check_file(l, p->keytab_at, "keytab", p->keytab, back_file_closed(BACK_INITIATOR), "so that others can read or change its keys; set it to 0640 or 0600");
	if (p->host && addr_parse(span_str(p->host), &a))
		report_warn(l->r, p->address_at, "auth = negotiate asks for a ticket for HTTP/%s: domains know proxies by name; want address = NAME:PORT", p->host);
	if (p->principal && (!*p->principal || strpbrk(p->principal, " \t")))
		report_error(l->r, p->principal_at, "principal = %s: want a name such as postern@EXAMPLE.COM, one that the keytab has a key of", p->principal);
}

static void
check_log_on(struct load *l, const struct conf_parent *p)
{
	switch (p->auth) {
	case PARENT_AUTH_NONE:
		if (p->credentials)
			report_find(l->r, FINDING_NO_EFFECT, p->credentials_at, "[parent %.*s]: credentials are not used; say auth = basic", SHOW(p->name));
		break;
	case PARENT_AUTH_BASIC:
		if (!p->credentials)
			report_error(l->r, p->auth_at, "[parent %.*s]: auth = basic wants credentials = FILE with one line user:password", SHOW(p->name));
		break;
	case PARENT_AUTH_NEGOTIATE:
		check_negotiate(l, p);
		if (p->credentials)
			report_find(l->r, FINDING_NO_EFFECT, p->credentials_at, "[parent %.*s]: credentials are for auth = basic only", SHOW(p->name));
		break;
	}
	if (p->auth != PARENT_AUTH_NEGOTIATE && (p->keytab || p->principal))
		report_find(l->r, FINDING_NO_EFFECT, p->keytab ? p->keytab_at : p->principal_at, "[parent %.*s]: keytab and principal are for auth = negotiate only", SHOW(p->name));
	check_file(l, p->credentials_at, "credentials", p->credentials, 0077, "so that others can read or change a password; set it to 0600");
}

void
check_parent(struct load *l, struct conf_parent *p)
{
	if (p->name.n >= PARENT_NAME_MAX)
		report_error(l->r, p->at, "[parent %.*s]: the name is longer than %u bytes; shorten it", SHOW(p->name), PARENT_NAME_MAX - 1);
	if (!p->address)
		report_error(l->r, p->at, "[parent %.*s] has no address; want address = HOST:PORT such as proxy.example.net:3128", SHOW(p->name));
	else
		place_read(l, p->address_at, "address", p->address, &p->host, &p->port);
	if (p->health_target && *p->health_target)
		place_read(l, p->at, "health-target", p->health_target, &p->health_host, &p->health_port);
	if (p->health_host && !p->health_interval_ms)
		report_find(l->r, FINDING_NO_EFFECT, p->at, "[parent %.*s]: health-target is not used with health-interval = 0; want an interval such as 10s", SHOW(p->name));
	check_log_on(l, p);
}

static bool
names_parent(const struct conf_items *items, struct span name)
{
	for (size_t i = 0; i < items->n; i++)
		if (span_eq(items->v[i].text, name))
			return true;
	return false;
}

static bool
is_direct(const struct conf_items *items)
{
	return items->n == 1 && !items->v[0].quoted && span_eq(items->v[0].text, SPAN("none"));
}

/* Where the parent resolves, nobody here knows which address it takes. */
static void
check_judging(struct load *l, const struct conf_rule *rule)
{
	const struct conf_items *items = rule->parent.n ? &rule->parent : &l->c->gateway.parent;

	if (rule->action == ACTION_DENY || !items->n || is_direct(items) || !rule->addresses.n)
		return;
	report_warn(l->r, rule->at, "[rule %.*s] looks at addresses and sends through a parent, which looks names up itself: the address that was judged may not be the one that it connects to",
	    SHOW(rule->name));
}

/* Where something is sent through a parent, or null. */
static const struct conf_item *
first_use(const struct conf *c)
{
	const struct conf_rule *rule;

	if (c->gateway.parent.n && !is_direct(&c->gateway.parent))
		return &c->gateway.parent.v[0];
	TAILQ_FOREACH (rule, &c->rules, link)
		if (rule->action != ACTION_DENY && rule->parent.n && !is_direct(&rule->parent))
			return &rule->parent.v[0];
	return NULL;
}

void
check_parents(struct load *l)
{
	const struct conf_parent *p;
	const struct conf_rule   *rule;
	const struct conf_gateway *g = &l->c->gateway;
	const struct conf_item   *to;
	size_t                    n = 0;

	TAILQ_FOREACH (p, &l->c->parents, link) {
		bool used = names_parent(&g->parent, p->name);
		TAILQ_FOREACH (rule, &l->c->rules, link)
			used |= names_parent(&rule->parent, p->name);
		if (!used)
			report_find(l->r, FINDING_UNUSED, p->at, "[parent %.*s] is named by no rule and not by [gateway] parent, so nothing goes through it", SHOW(p->name));
		if (span_eq(p->name, SPAN("none")))
			report_error(l->r, p->at, "[parent none]: `none` stands for no parent; use another name");
		if (++n == PARENTS_MAX + 1)
			report_error(l->r, p->at, "more than %u parents; remove some", PARENTS_MAX);
	}
	TAILQ_FOREACH (rule, &l->c->rules, link)
		check_judging(l, rule);
	if (l->c->gateway.egress_deny.n && (to = first_use(l->c)))
		report_warn(l->r, to->at, "where a parent resolves, egress-deny and egress-allow judge only targets that are addresses; the parent has to judge the rest");
}
