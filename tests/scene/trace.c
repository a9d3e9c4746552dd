/* SPDX-License-Identifier: MIT */
/*
 * trace: looks over the gateway's shoulder. The linker leads some of its calls through here (--wrap): the moves between states, the beginning of
 * requests, and allocations, of which one may be made to fail.
 */
#include <stdio.h>
#include <stdlib.h>

#include "play.h"
#include "session/session.h"

struct play *playing;

static const char *const names[SESSION_STATES] = {
	"ACCEPTED", "GREET", "HEAD", "GATE", "LOOKUP", "AUTH", "QUEUE", "DIAL", "PARENT", "FORWARD", "REPLY", "DRAIN", "PEEK", "ORIGIN_TLS",
	"LEAF", "CLIENT_TLS", "FRONT", "TUNNEL", "LINGER", "DONE"};

#define TO(state) (1u << SESSION_##state)
/* What scenes must show, and nothing else. session.c allows a little more, for what cannot happen today. */
static const unsigned wanted[SESSION_STATES] = {
	[SESSION_ACCEPTED] = TO(GREET) | TO(HEAD) | TO(DONE),
	[SESSION_GREET] = TO(HEAD) | TO(GATE) | TO(DONE),
	[SESSION_HEAD] = TO(GATE) | TO(REPLY) | TO(DONE),
	[SESSION_GATE] = TO(LOOKUP) | TO(AUTH) | TO(DIAL) | TO(FORWARD) | TO(REPLY) | TO(PEEK) | TO(LEAF) | TO(QUEUE) | TO(DONE),
	[SESSION_LOOKUP] = TO(GATE) | TO(REPLY) | TO(TUNNEL) | TO(ORIGIN_TLS) | TO(LINGER) | TO(DONE),
	[SESSION_AUTH] = TO(GATE) | TO(REPLY) | TO(DONE),
	[SESSION_QUEUE] = TO(GATE) | TO(REPLY) | TO(DONE),
	[SESSION_DIAL] = TO(GATE) | TO(PARENT) | TO(FORWARD) | TO(REPLY) | TO(PEEK) | TO(TUNNEL) | TO(ORIGIN_TLS) | TO(LEAF) | TO(DONE),
	[SESSION_PARENT] = TO(GATE) | TO(REPLY) | TO(PEEK) | TO(TUNNEL) | TO(DONE),
	[SESSION_FORWARD] = TO(HEAD) | TO(GATE) | TO(REPLY) | TO(TUNNEL) | TO(LINGER) | TO(DONE),
	[SESSION_DRAIN] = TO(HEAD) | TO(LINGER) | TO(DONE),
	[SESSION_REPLY] = TO(HEAD) | TO(DRAIN) | TO(LINGER) | TO(DONE),
	[SESSION_PEEK] = TO(LOOKUP) | TO(TUNNEL) | TO(ORIGIN_TLS) | TO(LEAF) | TO(CLIENT_TLS) | TO(GATE) | TO(LINGER) | TO(DONE),
	[SESSION_ORIGIN_TLS] = TO(LEAF) | TO(CLIENT_TLS) | TO(FORWARD) | TO(REPLY) | TO(LINGER) | TO(DONE),
	[SESSION_LEAF] = TO(PEEK) | TO(CLIENT_TLS) | TO(REPLY) | TO(LINGER) | TO(DONE),
	[SESSION_CLIENT_TLS] = TO(HEAD) | TO(FRONT) | TO(LINGER) | TO(DONE),
	[SESSION_FRONT] = TO(DONE),
	[SESSION_TUNNEL] = TO(DONE),
	[SESSION_LINGER] = TO(DONE),
};
static unsigned seen[SESSION_STATES];

/* The state that each session was seen in last: session.c's own calls do not pass here, and are caught up with. */
static struct last {
	const struct session *s;
	unsigned              state;
} last[4096];

static struct last *
last_of(const struct session *s)
{
	struct last *unused = NULL;

	for (unsigned i = 0; i < sizeof last / sizeof *last; i++) {
		if (last[i].s == s)
			return &last[i];
		if (!last[i].s && !unused)
			unused = &last[i];
	}
	if (!unused)
		abort();
	unused->s = s;
	return unused;
}

static void
note(const struct session *s, unsigned next)
{
	struct last *l = last_of(s);

	seen[l->state] |= 1u << next;
	l->state = next;
	if (next == SESSION_DONE)
		*l = (struct last){0};
}

/* What session.c did by itself meanwhile, so that it is seen too. */
static void
catch_up(const struct session *s)
{
	if (last_of(s)->state != s->state)
		note(s, s->state);
}

const char *
state_name(unsigned state)
{
	return names[state];
}

bool
trace_is_complete(void)
{
	bool complete = true;

	for (unsigned from = 0; from < SESSION_STATES; from++)
		for (unsigned to = 0; to < SESSION_STATES; to++) {
			unsigned bit = 1u << to;
			if ((wanted[from] & bit) == (seen[from] & bit))
				continue;
			fprintf(stderr, "%s -> %s: %s\n", names[from], names[to], seen[from] & bit ? "not in the list of trace.c" : "no scene passes here");
			complete = false;
		}
	return complete;
}

/* --- session.c and gateway.c --- */

/* The script has the client be inside an inspected tunnel from the start. */
static void
enter_tunnel(struct session *s)
{
	struct fake_sock *f;

	TAILQ_FOREACH (f, &fake.socks, link)
		if (f->fd == s->client.fd && !f->closed) {
			s->inside = f->inside;
			f->inside = NULL;
		}
}

void __real_session_accept(struct gateway *gw, struct slot *slot, int fd, const struct endpoint *peer, bool greets);
void __wrap_session_accept(struct gateway *gw, struct slot *slot, int fd, const struct endpoint *peer, bool greets);
void
__wrap_session_accept(struct gateway *gw, struct slot *slot, int fd, const struct endpoint *peer, bool greets)
{
	struct session *s;

	__real_session_accept(gw, slot, fd, peer, greets);
	TAILQ_FOREACH (s, &gw->sessions, link)
		if (s->client.fd == fd) {
			catch_up(s);
			enter_tunnel(s);
		}
}

void __real_session_move(struct session *s, enum session_state next);
void __wrap_session_move(struct session *s, enum session_state next);
void
__wrap_session_move(struct session *s, enum session_state next)
{
	catch_up(s);
	note(s, next);
	__real_session_move(s, next);
}

void __real_gateway_forget(struct gateway *gw, struct session *s);
void __wrap_gateway_forget(struct gateway *gw, struct session *s);
void
__wrap_gateway_forget(struct gateway *gw, struct session *s)
{
	if (s->state != SESSION_DONE)
		catch_up(s);
	note(s, SESSION_DONE);
	__real_gateway_forget(gw, s);
}

struct request *__real_request_new(struct session *s);
struct request *__wrap_request_new(struct session *s);
struct request *
__wrap_request_new(struct session *s)
{
	struct request *r = __real_request_new(s);

	if (r)
		playing->n_requests++;
	return r;
}

/* It has a line, as if it had asked for something. */
void __real_record_refusal(struct gateway *gw, uint16_t slot, const struct endpoint *peer, enum fault fault, size_t bytes_out);
void __wrap_record_refusal(struct gateway *gw, uint16_t slot, const struct endpoint *peer, enum fault fault, size_t bytes_out);
void
__wrap_record_refusal(struct gateway *gw, uint16_t slot, const struct endpoint *peer, enum fault fault, size_t bytes_out)
{
	playing->n_requests++;
	__real_record_refusal(gw, slot, peer, fault, bytes_out);
}

/* --- allocations --- */

static bool
must_fail(void)
{
	return fake.may_fail && ++fake.n_allocs == fake.alloc_at;
}

void *__real_malloc(size_t n);
void *__wrap_malloc(size_t n);
void *
__wrap_malloc(size_t n)
{
	return must_fail() ? NULL : __real_malloc(n);
}

void *__real_calloc(size_t n, size_t each);
void *__wrap_calloc(size_t n, size_t each);
void *
__wrap_calloc(size_t n, size_t each)
{
	return must_fail() ? NULL : __real_calloc(n, each);
}

void *__real_realloc(void *p, size_t n);
void *__wrap_realloc(void *p, size_t n);
void *
__wrap_realloc(void *p, size_t n)
{
	return must_fail() ? NULL : __real_realloc(p, n);
}
