/* SPDX-License-Identifier: MIT */
#include "proc/tell.h"

#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef HAVE_SYSTEMD
#include <systemd/sd-daemon.h>
#endif

#include "base/clock.h"
#include "base/log.h"

#define CLOCK_SET_S 2 /* less is how clocks are kept right */

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

/* Not sd_watchdog_enabled(3): that asks for the process that was started first, which after an upgrade is another one. */
uint64_t
notify_interval_ms(void)
{
	const char *usec = getenv("WATCHDOG_USEC");
	char       *end;
	uint64_t    n = usec ? strtoull(usec, &end, 10) : 0;

	if (!n || *end || n == ULLONG_MAX)
		return 0;
	return n < 2000 ? 1 : n / 2000;
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
note_clock(void)
{
	static struct log_limit limit;
	static int64_t          before; /* the day's clock, less the one that nobody sets */
	static bool             known;
	int64_t                 now = (int64_t)clock_real_us() - (int64_t)clock_mono_us(), s = (now - before) / 1000000;

	if (known && llabs(s) >= CLOCK_SET_S)
		log_write_limited(&limit, LOG_LEVEL_WARN, "the clock was set %s by %lld s; connections and deadlines do not go by it", s < 0 ? "back" : "forward", llabs(s));
	before = now;
	known = true;
}
