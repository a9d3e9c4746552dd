/* SPDX-License-Identifier: MIT */
#include "session/unserved.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"

#define HOSTS     128u
#define CLIENTS   8u
#define HOUR_US   (UINT64_C(3600) * 1000000)
#define MINUTE_US (UINT64_C(60) * 1000000)
#define LINES     20u /* in a minute: a client can name any host */

struct entry {
	struct authority at;
	uint8_t          fault; /* enum fault; FAULT_NONE: unused */
	uint64_t         seen_us, told_us;
	uint64_t         count; /* since it was told */
	uint32_t         n;     /* clients, as far as they are kept */
	struct client {
		struct addr addr;
		uint64_t    count;
	} client[CLIENTS];
};

struct unserved {
	struct entry entry[HOSTS];
	uint64_t     minute_us; /* when the minute at hand began */
	unsigned     lines;     /* in it */
};

_Static_assert(FAULT_COUNT <= UINT8_MAX, "a fault fits into a byte");

struct unserved *
unserved_new(void)
{
	return calloc(1, sizeof(struct unserved));
}

void
unserved_free(struct unserved *u)
{
	free(u);
}

/* Its entry, or the one that it takes the place of. */
static struct entry *
find(struct unserved *u, const struct authority *at, enum fault fault)
{
	struct entry *oldest = u->entry;

	for (struct entry *e = u->entry; e < u->entry + HOSTS; e++) {
		if (e->fault == fault && e->at.port == at->port && span_eq(host_span(&e->at.host), host_span(&at->host)))
			return e;
		if (e->seen_us < oldest->seen_us)
			oldest = e;
	}
	*oldest = (struct entry){.at = *at, .fault = (uint8_t)fault};
	return oldest;
}

static void
note_client(struct entry *e, const struct addr *client)
{
	for (uint32_t i = 0; i < e->n; i++)
		if (addr_eq(&e->client[i].addr, client)) {
			e->client[i].count++;
			return;
		}
	if (e->n < CLIENTS)
		e->client[e->n++] = (struct client){.addr = *client, .count = 1};
}

static void
tell(const struct entry *e)
{
	bool   rejected = e->fault == FAULT_CLIENT_REJECTED_CERTIFICATE;
	char   who[CLIENTS * (ADDR_TEXT_MAX + 32)];
	size_t n = 0;

	for (uint32_t i = 0; i < e->n; i++) {
		if (i) {
			memcpy(who + n, ", ", 2);
			n += 2;
		}
		n += addr_print(&e->client[i].addr, who + n);
		n += (size_t)snprintf(who + n, sizeof who - n, " (%llu)", (unsigned long long)e->client[i].count);
	}
	log_info("%s:%u: %s (%llu times; clients: %.*s%s): %sonly a rule with action = bypass or tunnel can serve it", e->at.host.text, e->at.port,
	    rejected ? "clients reject the inspection certificate" : "the server demands a certificate of the client", (unsigned long long)e->count, (int)n, who,
	    e->n == CLIENTS ? ", perhaps others" : "", rejected ? "they do not trust the CA yet, or know the server's own certificate, and then " : "");
}

/* May a line be written now? */
static bool
has_line(struct unserved *u, uint64_t now_us)
{
	if (now_us - u->minute_us >= MINUTE_US) {
		u->minute_us = now_us;
		u->lines = 0;
	}
	return u->lines < LINES;
}

bool
unserved_note(struct unserved *u, const struct authority *at, enum fault fault, const struct addr *client, uint64_t now_us)
{
	struct entry *e;

	e = find(u, at, fault);
	e->seen_us = now_us;
	e->count++;
	note_client(e, client);
	if ((e->told_us && now_us - e->told_us < HOUR_US) || !has_line(u, now_us))
		return false;
	tell(e);
	u->lines++;
	e->told_us = now_us;
	e->count = 0;
	e->n = 0;
	return true;
}
