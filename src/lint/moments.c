/* SPDX-License-Identifier: MIT */
#include "lint/moments.h"

#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "policy/rule.h"

#define CLIENTS_MOST 8000u

struct addrs {
	struct addr *v;
	size_t       n, room;
};

struct minutes {
	uint32_t *v;
	size_t    n, room;
};

static bool
addr_add(struct addrs *s, const struct addr *a)
{
	void *v;

	if (s->n >= CLIENTS_MOST)
		return true;
	v = array_grow(s->v, s->n, &s->room, sizeof *s->v);
	if (!v)
		return false;
	s->v = v;
	s->v[s->n++] = *a;
	return true;
}

/* One further, or back; at an end it stays. */
static struct addr
addr_step(struct addr a, int by)
{
	struct addr out = a;

	for (size_t i = sizeof a.b; i-- > 0;) {
		out.b[i] = (uint8_t)(a.b[i] + by);
		if (out.b[i] != (by > 0 ? 0 : 0xff))
			return out;
	}
	return a;
}

static bool
cidr_add(struct addrs *s, const struct cidr *c)
{
	struct addr first, last, before, after;

	cidr_range(c, &first, &last);
	before = addr_step(first, -1);
	after = addr_step(last, 1);
	return addr_add(s, &first) && addr_add(s, &last) && addr_add(s, &before) && addr_add(s, &after);
}

static bool
items_add(struct addrs *s, const struct conf_items *items)
{
	bool ok = true;

	for (size_t i = 0; i < items->n && ok && s->n < CLIENTS_MOST; i++) {
		const struct cidr *list;
		struct cidr        one;
		size_t             n;

		if (!addr_group(items->v[i].text, &list, &n)) {
			if (cidr_parse(items->v[i].text, &one) != CIDR_FINE)
				continue; /* @LIST: its own turn comes */
			list = &one;
			n = 1;
		}
		for (size_t k = 0; k < n && ok; k++)
			ok = cidr_add(s, &list[k]);
	}
	return ok;
}

static int
addr_order(const void *a, const void *b)
{
	const struct addr *x = a, *y = b;

	return memcmp(x->b, y->b, sizeof x->b);
}

/* Each once, the usual ones first. */
static bool
clients_gather(struct addrs *s, const struct conf *c)
{
	static const char *const    usual[] = {"10.0.0.1", "127.0.0.1", "192.0.2.1", "fd00::1", "2001:db8::1"};
	const struct conf_rule     *rule;
	const struct conf_list     *list;
	const struct conf_listener *l;
	struct addr                 a;
	size_t                      n_usual = 0, kept;
	bool                        ok = true;

	for (size_t i = 0; i < sizeof usual / sizeof *usual && ok; i++)
		ok = !addr_parse(span_str(usual[i]), &a) || addr_add(s, &a);
	n_usual = s->n;
	TAILQ_FOREACH (rule, &c->rules, link)
		ok = ok && items_add(s, &rule->clients);
	TAILQ_FOREACH (list, &c->lists, link)
		ok = ok && items_add(s, &list->addresses);
	TAILQ_FOREACH (l, &c->listeners, link)
		for (size_t i = 0; i < l->clients.n && ok; i++)
			ok = cidr_add(s, &l->clients.v[i]);
	if (!ok)
		return false;
	qsort(s->v + n_usual, s->n - n_usual, sizeof *s->v, addr_order);
	kept = n_usual;
	for (size_t i = n_usual; i < s->n; i++)
		if (i == n_usual || addr_order(&s->v[i], &s->v[kept - 1]) != 0)
			s->v[kept++] = s->v[i];
	s->n = kept;
	return true;
}

static bool
minute_add(struct minutes *s, uint32_t minute)
{
	void *v;

	for (size_t i = 0; i < s->n; i++)
		if (s->v[i] == minute)
			return true;
	if (s->n >= 200) /* windows of so many rules: the rest is not looked at */
		return true;
	v = array_grow(s->v, s->n, &s->room, sizeof *s->v);
	if (!v)
		return false;
	s->v = v;
	s->v[s->n++] = minute;
	return true;
}

static bool
minutes_gather(struct minutes *s, const struct conf *c)
{
	const struct conf_rule *rule;
	struct stretches        times = {0};
	struct report           unread;
	bool                    ok = minute_add(s, 0);

	report_init(&unread);
	TAILQ_FOREACH (rule, &c->rules, link)
		ok = ok && times_read(&rule->times, 0, &times, &unread);
	for (size_t i = 0; i < times.n && ok; i++)
		ok = minute_add(s, times.v[i].first) && minute_add(s, times.v[i].last) && minute_add(s, (times.v[i].last + 1) % WEEK_MINUTES) &&
		    minute_add(s, (times.v[i].first + WEEK_MINUTES - 1) % WEEK_MINUTES);
	stretches_clear(&times);
	report_clear(&unread);
	return ok;
}

static bool
moment_add(struct moments *m, const struct addr *client, size_t listener, uint32_t minute)
{
	void *v;

	if (m->n >= MOMENTS_MAX)
		return true;
	v = array_grow(m->v, m->n, &m->room, sizeof *m->v);
	if (!v)
		return false;
	m->v = v;
	m->v[m->n++] = (struct moment){*client, (uint16_t)listener, (uint16_t)minute};
	return true;
}

/* Those that differ from the listener's first one in so many ways: another client, another minute. */
static bool
listener_moments(struct moments *m, const struct snapshot *s, size_t listener, const struct addrs *clients, const struct minutes *minutes, int differs)
{
	const struct snapshot_listener *l = (const struct snapshot_listener *)snapshot_at(s, s->set->listeners.off) + listener;
	bool                            ok = true, first = true;

	for (size_t i = 0; i < clients->n && ok; i++) {
		if (!addr_set_has(addr_set_at(s->block, l->clients), &clients->v[i]))
			continue;
		for (size_t t = 0; t < minutes->n && ok; t++)
			if (differs == (first ? 0 : 1) + (t ? 1 : 0))
				ok = moment_add(m, &clients->v[i], listener, minutes->v[t]);
		first = false;
	}
	return ok;
}

bool
moments_init(struct moments *m, const struct conf *c, const struct snapshot *s)
{
	struct addrs   clients = {0};
	struct minutes minutes = {0};
	bool           ok;

	*m = (struct moments){0};
	ok = clients_gather(&clients, c) && minutes_gather(&minutes, c);
	for (int differs = 0; differs <= 2 && ok; differs++)
		for (size_t l = 0; l < s->set->listeners.n && ok; l++)
			ok = listener_moments(m, s, l, &clients, &minutes, differs);
	free(clients.v);
	free(minutes.v);
	if (!ok)
		moments_clear(m);
	return ok;
}

void
moments_clear(struct moments *m)
{
	free(m->v);
	*m = (struct moments){0};
}

const char *
moment_tell(const struct moment *m, const struct conf *c, char *buf, size_t n)
{
	static const char *const    day[] = {"mon", "tue", "wed", "thu", "fri", "sat", "sun"};
	const struct conf_listener *l;
	struct span                 name = SPAN("-");
	char                        client[ADDR_TEXT_MAX];
	unsigned                    i = 0;

	TAILQ_FOREACH (l, &c->listeners, link)
		if (i++ == m->listener)
			name = l->name;
	addr_print(&m->client, client);
	snprintf(buf, n, " (client %s, listener %.*s, %s %02u:%02u)", client, SPAN_ARG(name), day[m->week_minute / DAY_MINUTES], m->week_minute % DAY_MINUTES / 60u,
	    m->week_minute % 60u);
	return buf;
}
