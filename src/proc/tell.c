/* SPDX-License-Identifier: MIT */
#include "proc/tell.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#ifdef HAVE_SYSTEMD
#include <systemd/sd-daemon.h>
#endif

#include "auth/back.h"
#include "base/log.h"

void
notify(const char *fmt, ...)
{
#ifdef HAVE_SYSTEMD
	char    text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	sd_notify(0, text);
#else
	(void)fmt;
#endif
}

static bool
has_place(const struct ports *p, const struct port *at)
{
	const struct endpoint *e = &at->bound;

	for (uint32_t i = 0; p && i < LISTENER_SLOTS; i++)
		if (p->slot[i].used && addr_eq(&p->slot[i].bound.addr, &e->addr) && p->slot[i].bound.port == e->port && p->slot[i].bound.scope == e->scope &&
		    strcmp(p->slot[i].path, at->path) == 0)
			return true;
	return false;
}

void
say_listening(const struct ports *p, const struct ports *other, const char *what, const struct conf *c)
{
	char text[PORT_TEXT_MAX];

	for (uint32_t i = 0; i < LISTENER_SLOTS; i++) {
		const struct port          *port = &p->slot[i];
		const struct conf_listener *l = NULL;
		uint16_t                    index = 0;
		if (!port->used || has_place(other, port))
			continue;
		port_print(port, text);
		if (c)
			TAILQ_FOREACH(l, &c->listeners, link)
				if (index++ == port->index)
					break;
		if (l)
			log_info("%s %s (%.*s)", what, text, SPAN_ARG(l->name));
		else
			log_info("%s %s", what, text);
	}
}

void
note_counts(const struct conf *c, char *buf, size_t n)
{
	struct conf_counts t = conf_count(c);

	conf_counts_print(&t, buf, n);
}

void
say_totals(const struct shared *s)
{
	uint64_t       requests = 0, tunnels = 0, inspected = 0, unread = 0, limit = 0, guard = 0, full = 0;

	for (uint32_t i = 0; i < s->n_workers; i++) {
		const struct worker_counters *c = &s->worker[i].counters;
		requests += c->requests;
		tunnels += c->tunnels;
		inspected += c->inspected;
		unread += c->refused_unread;
		limit += c->refused_limit;
		guard += c->guard_closed;
	}
	for (unsigned k = 0; k < BACK_KINDS; k++) {
		const struct auth_stats *a = &s->auth.stats[k];
		if (a->asked)
			log_info("auth %s was asked %" PRIu64 " times: good %" PRIu64 ", refused %" PRIu64 ", unreadable %" PRIu64 ", limited %" PRIu64
			         ", unanswered %" PRIu64,
			    back_word((enum back_kind)k), a->asked, a->ok, a->refused, a->bad, a->limited, a->unavailable);
	}
	if (s->signer.asked)
		log_info("the signer was asked for %" PRIu64 " leaves: made %" PRIu64 ", had %" PRIu64 " already, refused %" PRIu64, s->signer.asked, s->signer.minted,
		    s->signer.cached, s->signer.refused);
	full = s->logger.dropped + s->logger.ring_dropped;
	log_info("stopped. In all: requests %" PRIu64 ", tunnels among them %" PRIu64 ", inspected %" PRIu64 ", tunnels that the guard closed %" PRIu64
	         ", clients closed unread %" PRIu64 ", clients over their limit %" PRIu64 ", log lines lost %" PRIu64,
	    requests, tunnels, inspected, guard, unread, limit, full);
}
