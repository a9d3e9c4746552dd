/* SPDX-License-Identifier: MIT */
#include "session/listener_tls.h"

#include <stdlib.h>

#include "auth/ask.h"
#include "base/log.h"
#include "net/sock.h"
#include "session/inspect.h"
#include "session/session.h"

struct outer *
outer_ref(struct outer *o)
{
	if (o)
		o->refs++;
	return o;
}

void
outer_unref(struct outer *o)
{
	if (!o || --o->refs)
		return;
	tls_server_unref(o->server);
	free(o);
}

static struct outer *
outer_new(struct tls_server *server)
{
	struct outer *o = calloc(1, sizeof *o);

	if (!o)
		return NULL;
	o->refs = 1;
	o->server = tls_server_ref(server);
	return o;
}

/* Nothing was asked, so there is no line in the access log: whoever knocks at the port would fill it. Counted, and told to the administrator now and then. */
static void
fail(struct session *s, const char *why)
{
	static struct log_limit limit;
	char                    client[ADDR_TEXT_MAX];

	addr_print(&s->peer.addr, client);
	log_write_limited(&limit, LOG_LEVEL_INFO, "the TLS handshake of %s with the proxy itself failed: %s", client, why);
	s->gw->count->by_fault[FAULT_LISTENER_TLS]++;
	session_finish(s, FAULT_LISTENER_TLS);
}

/* A client that was told "HTTP" instead of "HTTPS": it hears so in the clear. */
static void
tell_plain(struct session *s)
{
	static const char text[] = "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nContent-Length: 62\r\nConnection: close\r\n\r\n"
				   "This proxy speaks TLS on this port; configure it as https://.\n";

	sock_write(s->client.fd, SPAN(text));
	fail(s, "plain HTTP came");
}

/* Before the first byte there is no need of the memory that TLS takes. False: the session ended. */
static bool
have_end(struct session *s)
{
	const struct snapshot_listener *l = gateway_listener_row(s->gw, s->slot);
	struct tls_server              *server = l && l->tls ? s->gw->server[gateway_listener(s->gw, s->slot)] : NULL;

	if (s->client_tls)
		return true;
	if (!server) { /* the listener has gone meanwhile, or speaks no TLS any more */
		session_finish(s, FAULT_NONE);
		return false;
	}
	s->outer = outer_new(server);
	s->client_tls = s->outer ? tls_welcome(server, &s->client, buf_span(&s->in), l->h2) : NULL;
	buf_release(&s->in, &s->gw->bufs);
	if (s->client_tls)
		return true;
	session_finish(s, FAULT_NO_MEMORY);
	return false;
}

static void
shaken(struct session *s)
{
	tls_print(s->client_tls, s->outer->tls, sizeof s->outer->tls);
	side_carry(&s->client, tls_carrier(s->client_tls));
	if (s->gw->draining)
		session_finish(s, FAULT_NONE);
	else if (tls_is_h2(s->client_tls))
		streams_begin(s);
	else
		session_next_request(s);
}

void
listener_tls_begin(struct session *s)
{
	session_move(s, SESSION_CLIENT_TLS);
	if (s->client.readable || buf_size(&s->in))
		listener_tls_on_client(s);
}

void
listener_tls_on_client(struct session *s)
{
	const char *why = NULL;

	/* the first event says no more than that there is a connection */
	if (!s->client_tls && !s->client.readable && !buf_size(&s->in))
		return;
	if (!have_end(s))
		return;
	switch (tls_shake(s->client_tls)) {
	case TLS_SHAKEN:
		shaken(s);
		break;
	case TLS_WAITS:
		break;
	case TLS_BROKE:
		if (tls_is_plain_http(s->client_tls))
			tell_plain(s);
		else if (tls_is_unbegun(s->client_tls)) /* a balancer that looks whether we are there */
			session_finish(s, FAULT_NONE);
		else if (tls_why(s->client_tls, &why) == FAULT_NO_MEMORY)
			session_finish(s, FAULT_NO_MEMORY);
		else
			fail(s, why ? why : "TLS error");
		break;
	}
}

void
listener_tls_on_timeout(struct session *s)
{
	fail(s, "it took too long");
}

void
listener_tls_end(struct session *s)
{
	tls_end_free(s->client_tls);
	s->client_tls = NULL;
}

void
listener_tls_bind(const struct session *s, struct ask *a)
{
	if (!s->outer || (a->op != ASK_NTLM && a->op != ASK_KERBEROS))
		return;
	a->has_binding = true;
	memcpy(a->binding, tls_server_binding(s->outer->server), sizeof a->binding);
	if (a->op == ASK_KERBEROS)
		a->part[1] = tls_server_end_point(s->outer->server);
}
