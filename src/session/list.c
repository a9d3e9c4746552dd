/* SPDX-License-Identifier: MIT */
#include "session/list.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "session/inside.h"
#include "session/session.h"

#define SLICE       256u /* sessions of one turn: some 100 us */
#define BUFFER      (64u << 10)
#define ROW_MOST    (sizeof(struct list_row) + LIST_TEXTS * LIST_TEXT_MOST)

struct session_list {
	struct gateway *gw;
	struct session *next; /* the one to write next; null: all are written */
	int             fd;
	uint64_t        number;
	struct watch    turn;
	void          (*done)(void *arg, uint64_t number, bool whole);
	void           *arg;
	size_t          n;
	char            buf[BUFFER];
};

const char *
session_state_word(uint8_t state)
{
	static const char *const word[SESSION_STATES] = {"accepted", "greet", "head", "gate", "lookup", "auth", "queue", "dial", "parent", "forward", "reply", "drain",
		"peek", "origin-tls", "leaf", "client-tls", "front", "tunnel", "linger", "done"};

	return state < SESSION_STATES && word[state] ? word[state] : "?";
}

void
session_list_free(struct session_list *l)
{
	if (!l)
		return;
	watch_clear(&l->turn);
	close(l->fd);
	free(l);
}

void
session_list_forget(struct session_list *l, struct session *s)
{
	if (l && l->next == s)
		l->next = TAILQ_NEXT(s, link);
}

static void
row_text(struct list_row *row, char **at, enum list_text which, struct span s)
{
	row->len[which] = (uint16_t)(s.n > LIST_TEXT_MOST ? LIST_TEXT_MOST : s.n);
	if (row->len[which])
		memcpy(*at, s.p, row->len[which]);
	*at += row->len[which];
}

/* Of a tunnel: its line as it would stand in the log now. */
static void
write_memo(const struct session *s, const struct memo *m, struct list_row *row, char **at)
{
	const struct record *rec;
	struct span          text[RT_COUNT];

	memo_look(m, &rec, text);
	row->id = rec->id;
	row->start_real_us = memo_start_us(m);
	row->bytes_in = rec->bytes_in;
	row->bytes_out = rec->bytes_out;
	if (m == s->memo) {
		row->bytes_in += s->up.bytes;
		row->bytes_out += s->down.bytes;
	}
	row->port = rec->port;
	row->action = rec->has_action ? rec->action : LIST_NO_ACTION;
	row->is_tunnel = true;
	row_text(row, at, LIST_HOST, text[RT_HOST]);
	row_text(row, at, LIST_METHOD, text[RT_METHOD]);
	row_text(row, at, LIST_USER, text[RT_USER]);
	row_text(row, at, LIST_LISTENER, text[RT_LISTENER]);
	row_text(row, at, LIST_RULE, text[RT_RULE]);
}

static void
write_request(const struct session *s, const struct request *r, struct list_row *row, char **at)
{
	const struct snapshot          *snap = r->snap ? r->snap : s->gw->snap;
	uint16_t                        listener = r->snap ? r->listener : gateway_listener(s->gw, s->slot);
	const struct snapshot_listener *l = snapshot_at(snap, snap->set->listeners.off);

	row->id = r->id;
	row->start_real_us = r->start_us;
	row->bytes_in = r->bytes_in + s->up.bytes;
	row->bytes_out = r->bytes_out + s->down.bytes;
	row->port = r->has_target ? r->at.port : 0;
	row->action = r->has_verdict ? (uint8_t)r->verdict.action : LIST_NO_ACTION;
	row->is_tunnel = r->is_connect;
	row_text(row, at, LIST_HOST, r->has_target ? host_span(&r->at.host) : SPAN(""));
	row_text(row, at, LIST_METHOD, r->snap ? r->head.method : SPAN(""));
	row_text(row, at, LIST_USER, r->identity ? identity_name(r->identity) : SPAN(""));
	row_text(row, at, LIST_LISTENER, listener < snap->set->listeners.n ? snapshot_text(snap, l[listener].name) : SPAN(""));
	row_text(row, at, LIST_RULE, r->has_verdict && r->verdict.rule != RULE_NONE ? policy_rule_name(snap->policy, r->verdict.rule) : SPAN(""));
}

/* Rows of this session, at most two: an inspected tunnel, and the request inside it. */
static void
write_session(struct session_list *l, const struct session *s, uint64_t now_us, uint64_t real_us)
{
	const struct memo *memo = s->memo ? s->memo : s->connect;

	for (unsigned i = 0; i < 2; i++) {
		struct list_row row = {.magic = LIST_MAGIC, .worker = s->gw->worker, .client = s->peer, .state = s->state};
		char           *at = l->buf + l->n + sizeof row;
		if (i == 0 && memo)
			write_memo(s, memo, &row, &at);
		else if (i == 1 && s->req)
			write_request(s, s->req, &row, &at);
		else
			continue;
		row.start_real_us = real_us - (now_us - row.start_real_us);
		memcpy(l->buf + l->n, &row, sizeof row);
		l->n = (size_t)(at - l->buf);
	}
}

/* False: the file is full. */
static bool
flush(struct session_list *l)
{
	for (size_t at = 0; at < l->n;) {
		ssize_t n = write(l->fd, l->buf + at, l->n - at);
		if (n <= 0)
			return false;
		at += (size_t)n;
	}
	l->n = 0;
	return true;
}

static void
finish(struct session_list *l, bool whole)
{
	l->gw->list = NULL;
	l->done(l->arg, l->number, whole);
	session_list_free(l);
}

static void
on_turn(void *arg, unsigned what)
{
	struct session_list *l = arg;
	uint64_t             now_us = loop_now_us(l->gw->loop), real_us = clock_real_us();

	(void)what;
	for (unsigned i = 0; i < SLICE && l->next; i++) {
		struct session *s = l->next;
		l->next = TAILQ_NEXT(s, link);
		write_session(l, s, now_us, real_us);
		if (l->n + 2 * ROW_MOST > sizeof l->buf && !flush(l)) {
			finish(l, false);
			return;
		}
	}
	if (l->next)
		watch_again(&l->turn, WATCH_READ);
	else
		finish(l, flush(l));
}

void
session_list_begin(struct gateway *gw, int fd, uint64_t number, void (*done)(void *arg, uint64_t number, bool whole), void *arg)
{
	struct session_list *l = malloc(sizeof *l);

	session_list_free(gw->list);
	gw->list = NULL;
	if (!l) {
		close(fd);
		done(arg, number, false);
		return;
	}
	l->gw = gw;
	l->next = TAILQ_FIRST(&gw->sessions);
	l->fd = fd;
	l->number = number;
	l->done = done;
	l->arg = arg;
	l->n = 0;
	gw->list = l;
	watch_init_idle(&l->turn, gw->loop, on_turn, l);
	watch_again(&l->turn, WATCH_READ);
}
