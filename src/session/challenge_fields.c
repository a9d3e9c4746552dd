/* SPDX-License-Identifier: MIT */
/*
 * challenge_fields: what an answer of ours says about logging on: which schemes are open, the token of a handshake that goes on, when to come back.
 */
#include "auth/challenge.h"

#include <stdio.h>

#include "session/logon.h"
#include "session/session.h"

#define BIT(scheme) (1u << AUTH_SCHEME_##scheme)

/* RFC 4559 6: a proxy that binds a log-on to the connection says so */
static const char bound[] = "Proxy-Support: Session-Based-Authentication\r\n";

static size_t
add(char *out, size_t room, size_t at, const char *text)
{
	size_t n = strlen(text);

	if (n > room - at)
		return at;
	memcpy(out + at, text, n);
	return at + n;
}

/* NTLM and Negotiate log on to a connection, and over HTTP/2 there is none that is one user's request after another (RFC 4559 6). Those inside an inspected tunnel are not
 * asked. */
unsigned
authenticate_schemes(const struct session *s)
{
	const struct request *r = s->req;
	unsigned              schemes = challenge_schemes(r->snap, !request_is_relayed(r) && !s->is_stream, s->outer != NULL);

	return s->is_stream ? schemes & BIT(BASIC) : schemes;
}

/* Every scheme that is open to this client, but for those that just led nowhere, unless nothing else is left. */
static size_t
offer(const struct session *s, char *out, size_t room)
{
	const struct request *r = s->req;
	unsigned offered = authenticate_schemes(s);
	unsigned left = offered & ~(r->logon ? r->logon->withheld : 0);
	size_t   n;

	if (!left)
		left = offered;
	n = challenge_write(r->snap, left, out, room);
	return left & (BIT(NTLM) | BIT(NEGOTIATE)) ? add(out, room, n, bound) : n;
}

size_t
authenticate_info(const struct request *r, char *out, size_t room)
{
	const struct logon *l = r->logon;

	return l && r->identity && l->n_token ? challenge_write_info(span_of(l->token, l->n_token), out, room) : 0;
}

size_t
authenticate_fields(const struct session *s, enum fault fault, char *out, size_t room)
{
	const struct request *r = s->req;
	const struct logon   *l = r->logon;
	char                  text[48];
	size_t                n;

	switch (fault) {
	case FAULT_AUTH_REQUIRED:
	case FAULT_AUTH_FAILED:
	case FAULT_AUTH_BAD_TOKEN:
	case FAULT_AUTH_EXPIRED:
		return offer(s, out, room);
	case FAULT_AUTH_CONTINUES:
		n = challenge_write_token((enum auth_scheme)l->scheme, span_of(l->token, l->n_token), out, room);
		return add(out, room, n, bound);
	case FAULT_AUTH_LIMITED:
		snprintf(text, sizeof text, "Retry-After: %u\r\n", l->retry_after_s ? l->retry_after_s : 1);
		return add(out, room, 0, text);
	default:
		return authenticate_info(r, out, room);
	}
}
