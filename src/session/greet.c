/* SPDX-License-Identifier: MIT */
#include "session/greet.h"

#include "session/listener_tls.h"
#include "session/session.h"

bool
greet_is_balancer(const struct gateway *gw, const struct snapshot_listener *l, const struct addr *peer)
{
	return l->proxy_from && addr_set_has(addr_set_at(gw->snap->block, l->proxy_from), peer);
}

void
greet_begin(struct session *s)
{
	session_tally(s);
	greet_done(s);
}

void
greet_on_client(struct session *s)
{
	greet_done(s);
}

void
greet_on_timeout(struct session *s)
{
	session_finish(s, FAULT_PROXY_HEADER);
}

void
greet_done(struct session *s)
{
	const struct snapshot_listener *l = gateway_listener_row(s->gw, s->slot);

	if (l && l->tls)
		listener_tls_begin(s);
	else
		session_next_request(s);
}
