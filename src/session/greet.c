/* SPDX-License-Identifier: MIT */
/*
 * Always true: a PROXY header is read from balancers only, and from them it must come; nothing is decided or counted for a client before its address is
 * known. A byte that came behind the header, or that told where a transparent client goes, is not lost.
 */
#include "session/greet.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "net/sock.h"
#include "parse/hello.h"
#include "parse/proxy_header.h"
#include "session/inspect.h"
#include "session/listener_tls.h"
#include "session/session.h"

#define SNIFF_MAX     (HELLO_MAX * 2) /* with record headers */
#define SNIFF_SMALL   4096u           /* up to here each arrival is looked at, beyond only after a rest: the cost must stay linear */
#define SNIFF_REST_MS 16u
#define METHOD_MOST   24u

/* What the connection is waited for. */
enum greet_step { GREET_NOTHING, GREET_HEADER, GREET_SNIFF };

bool
greet_is_balancer(const struct gateway *gw, const struct snapshot_listener *l, const struct addr *peer)
{
	return l->proxy_from && addr_set_has(addr_set_at(gw->snap->block, l->proxy_from), peer);
}

/* The end, with a line in the access log. */
static void
end_recorded(struct session *s, enum fault fault)
{
	session_finish(s, s->req || request_new(s) ? fault : FAULT_NO_MEMORY);
}

static struct span
listener_name(const struct session *s)
{
	const struct snapshot_listener *l = gateway_listener_row(s->gw, s->slot);

	return l ? snapshot_text(s->gw->snap, l->name) : SPAN("-");
}

/* One read. False: nothing more for now, or ended. */
static bool
greet_fill(struct session *s, size_t most)
{
	ssize_t r;

	if (!s->client.readable)
		return false;
	if (!buf_make_room(&s->in, &s->gw->bufs, most)) {
		session_finish(s, FAULT_NO_MEMORY);
		return false;
	}
	r = side_read(&s->client, s->in.p + s->in.n, s->in.room - s->in.n);
	if (r > 0) {
		s->in.n += (uint32_t)r;
		return true;
	}
	s->eof = r == 0 || errno != EAGAIN;
	if (buf_size(&s->in) == 0)
		buf_release(&s->in, &s->gw->bufs);
	return false;
}

/* --- where a transparent connection was going --- */

/* A port that one of our listeners has: what comes to it by itself was sent by nobody's redirection. */
static bool
is_own_port(const struct snapshot *snap, uint16_t port)
{
	const struct endpoint *own = snapshot_at(snap, snap->set->own.off);

	for (uint32_t i = 0; i < snap->set->own.n; i++)
		if (own[i].port == port)
			return true;
	return false;
}

/* Not to be gone on with: it would lead back here, or nobody can tell where it leads. */
static enum fault
judge_original(const struct session *s, const struct endpoint *local, const struct endpoint *original)
{
	const struct snapshot *snap = s->gw->snap;

	if (original->port == 0)
		return FAULT_NO_ORIGINAL;
	if (local && local->port == original->port && addr_eq(&local->addr, &original->addr) && is_own_port(snap, original->port))
		return FAULT_NO_ORIGINAL;
	return snapshot_is_self(snap, &original->addr, original->port) ? FAULT_SELF_TARGET : FAULT_NONE;
}

/* `told`: what the balancer says; null: the system knows. False: the session ended. */
static bool
find_original(struct session *s, const struct endpoint *told)
{
	static struct log_limit limit;
	struct endpoint         local = {0}, *original = malloc(sizeof *original);
	char                    text[ADDR_TEXT_MAX];
	enum fault              fault;

	if (!original) {
		session_finish(s, FAULT_NO_MEMORY);
		return false;
	}
	free(s->original);
	s->original = original;
	if (told)
		*original = *told;
	else if (!sock_original(s->client.fd, &local, original))
		*original = (struct endpoint){0};
	fault = judge_original(s, told ? NULL : &local, original);
	if (fault == FAULT_NONE)
		return true;
	addr_print(&s->peer.addr, text);
	log_write_limited(&limit, LOG_LEVEL_INFO,
	    "listener %.*s is transparent, and a connection from %s was meant for the gateway itself, or nothing redirected it: closed", SPAN_ARG(listener_name(s)), text);
	end_recorded(s, fault);
	return false;
}

/* --- what a transparent client speaks --- */

enum sniffed { SNIFFED_MORE, SNIFFED_TLS, SNIFFED_HTTP, SNIFFED_OTHER };

/* Is this the beginning of an HTTP request: a method, a blank, and a target? */
static enum sniffed
sniff_http(struct span in)
{
	size_t      n = 0;
	struct span target;

	while (n < in.n && n <= METHOD_MOST && ((in.p[n] >= 'A' && in.p[n] <= 'Z') || (n && (in.p[n] == '-' || in.p[n] == '_'))))
		n++;
	if (n == in.n && n <= METHOD_MOST)
		return SNIFFED_MORE;
	if (n == 0 || n > METHOD_MOST || in.p[n] != ' ')
		return SNIFFED_OTHER;
	target = span_of(in.p + n + 1, in.n - n - 1);
	if (target.n == 0)
		return SNIFFED_MORE;
	if (target.p[0] == '/' || target.p[0] == '*' || span_eq(span_of(in.p, n), SPAN("CONNECT")))
		return SNIFFED_HTTP;
	if (target.n > 4)
		target.n = 4;
	if (!span_eq_nocase(target, span_of("http", target.n)))
		return SNIFFED_OTHER;
	return target.n == 4 ? SNIFFED_HTTP : SNIFFED_MORE;
}

static enum sniffed
sniff_bytes(struct span in, struct hello *h)
{
	enum hello_why why;

	if (in.n == 0)
		return SNIFFED_MORE;
	if (in.p[0] != 0x16)
		return sniff_http(in);
	switch (hello_parse(in, h, &why)) {
	case PARSE_OK:
		return SNIFFED_TLS;
	case PARSE_MORE:
		return in.n < SNIFF_MAX ? SNIFFED_MORE : SNIFFED_OTHER;
	default:
		return SNIFFED_OTHER;
	}
}

/* The CONNECT that a client which knows of the proxy would have sent: to the name in the ClientHello, else to the address. `h` null: no ClientHello. */
static void
connect_for(struct session *s, const struct hello *h)
{
	struct request *r = request_new(s);
	char            host[ADDR_TEXT_MAX + 2], text[2 * (HOSTNAME_MAX + 8) + 64];
	size_t          n, used;
	enum fault      fault;

	if (!r) {
		session_finish(s, FAULT_NO_MEMORY);
		return;
	}
	r->sniffed = true;
	if (h)
		peek_note_hello(r, h);
	if (!h || !h->has_sni) {
		bool bracket = !addr_is_v4(&s->original->addr);
		host[0] = '[';
		n = addr_print(&s->original->addr, host + bracket) + bracket;
		memcpy(host + n, "]", bracket + 1u);
		if (!bracket)
			host[n] = '\0';
	}
	const char *name = h && h->has_sni ? h->sni.text : host;
	n = (size_t)snprintf(text, sizeof text, "CONNECT %s:%u HTTP/1.1\r\nHost: %s:%u\r\n\r\n", name, s->original->port, name, s->original->port);
	if (!buf_put(&r->text, &s->gw->bufs, span_of(text, n)))
		session_finish(s, FAULT_NO_MEMORY);
	else if (head_parse_request(buf_span(&r->text), 0, &r->head, &used, &fault) != PARSE_OK)
		session_finish(s, FAULT_INTERNAL);
	else
		gate_enter(s);
}

/* Settled by the bytes that are there? */
static bool
sniff_look(struct session *s)
{
	struct hello h;

	switch (sniff_bytes(buf_span(&s->in), &h)) {
	case SNIFFED_MORE:
		return false;
	case SNIFFED_TLS:
		connect_for(s, &h);
		return true;
	case SNIFFED_HTTP:
		session_next_request(s);
		return true;
	case SNIFFED_OTHER:
		connect_for(s, NULL);
		return true;
	}
	return false;
}

static uint64_t
left_ms(const struct session *s)
{
	uint64_t waited_ms = (loop_now_us(s->gw->loop) - s->active_us) / 1000, most_ms = s->gw->snap->set->head_timeout_ms;

	return waited_ms < most_ms ? most_ms - waited_ms : 0;
}

static void
sniff(struct session *s)
{
	size_t before = 0;

	for (;;) {
		size_t n = buf_size(&s->in);
		if (n && (n <= SNIFF_SMALL || before == 0 || n >= SNIFF_MAX) && sniff_look(s))
			return;
		before = n;
		if (!greet_fill(s, SNIFF_MAX + 1))
			break;
	}
	if (s->state != SESSION_GREET)
		return;
	if (s->eof)
		session_finish(s, FAULT_NONE); /* nothing was asked: nothing to log */
	else if (before > SNIFF_SMALL)
		session_deadline(s, SNIFF_REST_MS);
}

static void
sniff_begin(struct session *s)
{
	s->greet = GREET_SNIFF;
	if (s->state != SESSION_GREET)
		session_move(s, SESSION_GREET);
	sniff(s);
}

/* A client that says nothing may be waiting for the server's word. Not on the Web's ports: there it is a connection kept in store. */
static void
sniff_on_timeout(struct session *s)
{
	uint64_t left = left_ms(s);

	if (buf_size(&s->in) && sniff_look(s))
		return;
	if (left)
		session_deadline(s, left);
	else if (buf_size(&s->in))
		end_recorded(s, FAULT_HEAD_TIMEOUT);
	else if (s->original->port != 80 && s->original->port != 443)
		connect_for(s, NULL);
	else
		session_finish(s, FAULT_NONE);
}

/* --- the header of a balancer --- */

static void
refuse_header(struct session *s, const char *what)
{
	static struct log_limit limit;
	char                    text[ADDR_TEXT_MAX];

	addr_print(&s->peer.addr, text);
	log_write_limited(&limit, LOG_LEVEL_WARN,
	    "a connection from %s to listener %.*s %s; proxy-protocol-from says that one begins with a PROXY header: closed", text, SPAN_ARG(listener_name(s)), what);
	end_recorded(s, FAULT_PROXY_HEADER);
}

static bool
begins_with(struct span in, struct span what)
{
	return in.n >= what.n && memcmp(in.p, what.p, what.n) == 0;
}

void
greet_tell_of_stranger(const struct session *s)
{
	static struct log_limit limit;
	char                    text[ADDR_TEXT_MAX];
	struct span             in = buf_span(&s->in);

	/* version 2 begins with an empty line, which may have been skipped */
	if (!begins_with(in, SPAN("PROXY ")) && !begins_with(in, SPAN("\r\n\r\n\0\r\nQUIT\n")) && !begins_with(in, SPAN("\0\r\nQUIT\n")))
		return;
	addr_print(&s->peer.addr, text);
	log_write_limited(&limit, LOG_LEVEL_INFO,
	    "a connection from %s to listener %.*s begins with a PROXY header, and proxy-protocol-from does not name that address: refused", text,
	    SPAN_ARG(listener_name(s)));
}

/* The client is known: may it come? False: it ended. */
static bool
admit(struct session *s)
{
	enum fault fault;

	if (gateway_admits(s->gw, s->slot, &s->peer.addr, &fault)) {
		session_tally(s);
		return true;
	}
	gateway_turn_away(s->gw, s->slot, s->client.fd, &s->peer, fault);
	session_finish(s, FAULT_NONE);
	return false;
}

/* The client is known and may come. On to what the listener wants next; what is read already stands in s->in. */
static void
go_on(struct session *s)
{
	const struct snapshot_listener *l = gateway_listener_row(s->gw, s->slot);

	if (s->original)
		sniff_begin(s);
	else if (l && l->tls)
		listener_tls_begin(s);
	else
		session_next_request(s);
}

static void
header_take(struct session *s, const struct proxy_header *h, size_t used)
{
	const struct snapshot_listener *l;

	s->greet = GREET_NOTHING;
	buf_use(&s->in, used);
	if (h->has_client)
		s->peer = h->from;
	if (!admit(s))
		return;
	l = gateway_listener_row(s->gw, s->slot);
	if (l->mode != LISTENER_TRANSPARENT || find_original(s, h->has_client ? &h->to : NULL))
		go_on(s);
}

static void
header_read(struct session *s)
{
	struct proxy_header h;
	size_t              used;

	for (;;) {
		switch (proxy_header_parse(buf_span(&s->in), &h, &used)) {
		case PARSE_OK:
			header_take(s, &h, used);
			return;
		case PARSE_BAD:
			refuse_header(s, "begins with something else");
			return;
		case PARSE_MORE:
			break;
		}
		if (greet_fill(s, PROXY_HEADER_MAX))
			continue;
		if (s->state != SESSION_GREET || !s->eof)
			return;
		if (buf_size(&s->in))
			refuse_header(s, "ended within it");
		else
			session_finish(s, FAULT_NONE); /* a balancer that looks whether we are there */
		return;
	}
}

/* --- the way through --- */

void
greet_begin(struct session *s)
{
	const struct snapshot_listener *l = gateway_listener_row(s->gw, s->slot);

	if (greet_is_balancer(s->gw, l, &s->peer.addr)) {
		s->greet = GREET_HEADER;
		session_move(s, SESSION_GREET);
		return;
	}
	session_tally(s);
	if (l->mode != LISTENER_TRANSPARENT || find_original(s, NULL))
		go_on(s);
}

void
greet_on_client(struct session *s)
{
	if (s->greet == GREET_HEADER)
		header_read(s);
	else
		sniff(s);
}

void
greet_on_timeout(struct session *s)
{
	if (s->greet == GREET_HEADER)
		refuse_header(s, buf_size(&s->in) ? "did not come to the end of it in time" : "said nothing");
	else
		sniff_on_timeout(s);
}
