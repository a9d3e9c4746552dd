/* SPDX-License-Identifier: MIT */
/*
 * sink_syslog: see sink_syslog.h. A line goes from the sink's memory to the window, or, when the server is away or does not read, to the spool and from there
 * to the window. Always true: memory is younger than what the spool holds unread, and that is younger than the window.
 */
#include "audit/sink_syslog.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "audit/sink_kind.h"
#include "audit/window.h"
#include "audit/words.h"
#include "base/clock.h"
#include "base/log.h"

/* RFC 5424 6: longest HOSTNAME, APP-NAME */
#define HOST_MAX  255
#define APP_MAX 48
#define HEAD_MAX  400
#define STUCK_US  1000000u /* a server that takes nothing for so long does not keep up */
#define SPOOL_RETRY_US 60000000u
#define IDLE_MS   1000u

struct syslog_sink {
	struct syslog_to to;
	struct wire   *wire;   /* owned */
	bool           was_up;
	struct window  window;
	uint64_t       moved_us; /* when something went last, or nothing waited */
	struct spool  *spool;  /* owned; null: none, or it could not be opened */
	char          *path;   /* owned; the spool's; null: none */
	uint64_t       spool_size, spool_us; /* spool_us: opening is not tried before */
	int            spool_error;
	struct log_limit spool_limit;
	char          *message; /* owned; SPOOL_MESSAGE_MAX, with a spool */
	unsigned       priority;
	char           host[HOST_MAX + 1], name[APP_MAX + 1];
};

/* PRINTUSASCII without blanks, cut; "-" for nothing. */
static void
header_word(char *to, size_t most, struct span from)
{
	size_t n = 0;

	for (size_t i = 0; i < from.n && n < most; i++)
		to[n++] = from.p[i] > ' ' && from.p[i] < 127 ? from.p[i] : '_';
	if (!n)
		to[n++] = '-';
	to[n] = '\0';
}

static void
syslog_head(void *arg, struct line *l, size_t n, const struct record *r, const struct span *text)
{
	struct syslog_sink *s = arg;

	(void)n;
	(void)text;
	line_char(l, '<');
	line_number(l, s->priority, 0, ' ');
	line_str(l, ">1 ");
	moment_print(l, r ? r->end_real_us : clock_real_us());
	line_char(l, ' ');
	line_str(l, s->host);
	line_char(l, ' ');
	line_str(l, s->name);
	line_char(l, ' ');
	line_number(l, (uint64_t)getpid(), 0, ' ');
	line_str(l, " access - ");
}

static void
open_spool(struct syslog_sink *s, uint64_t now_us, struct sink_try *t)
{
	uint64_t damage;

	if (s->path && !s->spool && now_us >= s->spool_us) {
		s->spool = spool_open(s->path, s->spool_size, &s->spool_error);
		/* another process is the one before an upgrade, or a logger that was killed and is not gone yet */
		s->spool_us = now_us + (s->spool_error == EAGAIN ? STUCK_US : SPOOL_RETRY_US);
		if (!s->spool) {
			t->errors++;
			log_write_limited(&s->spool_limit, LOG_LEVEL_WARN, "access log: cannot use spool %s: %s", s->path,
			         s->spool_error == EINVAL   ? "it is not a file that a spool was kept in"
			         : s->spool_error == EAGAIN ? "another process has it"
			                                    : strerror(s->spool_error));
		}
	}
	damage = s->spool ? spool_damage_take(s->spool) : 0;
	if (damage)
		log_warn("access log: %llu bytes of spool %s are damaged; the messages there are lost", (unsigned long long)damage, s->path);
}

/* The server goes on, is gone, or came back. */
static enum wire_state
look_after_wire(struct syslog_sink *s, uint64_t now_us, struct sink_try *t)
{
	enum wire_state state = wire_go(s->wire, now_us);

	if (s->was_up && state != WIRE_UP)
		window_rewind(&s->window, wire_known_read(s->wire));
	if (!s->was_up && state == WIRE_UP)
		s->moved_us = now_us;
	s->was_up = state == WIRE_UP;
	t->errors += wire_errors_take(s->wire);
	return state;
}

/* The window is filled, from the spool as long as it has something unread. Returns what was taken of the entries at p. */
static size_t
fill_window(struct syslog_sink *s, const char *p, size_t n)
{
	size_t   took = 0, len;
	uint64_t mark;
	uint32_t size;

	while (s->spool && !window_is_full(&s->window) && spool_read(s->spool, s->message, &len, &mark))
		if (!window_add(&s->window, s->message, len, mark))
			return 0;
	if (s->spool && !spool_is_read(s->spool))
		return 0;
	while (took < n && !window_is_full(&s->window)) {
		memcpy(&size, p + took, sizeof size);
		if (!window_add(&s->window, p + took + sizeof size, size, 0))
			break;
		took += sizeof size + size;
	}
	return took;
}

/* Send as long as the server takes it. */
static void
pump(struct syslog_sink *s, const char *p, size_t n, uint64_t now_us, struct sink_try *t)
{
	size_t sent;

	do {
		t->took += fill_window(s, p + t->took, n - t->took);
		sent = window_send(&s->window, s->wire, now_us);
		if (sent || window_is_sent(&s->window))
			s->moved_us = now_us;
	} while (sent && !window_is_full(&s->window) && (t->took < n || (s->spool && !spool_is_read(s->spool))));
	if (s->spool && window_mark(&s->window))
		spool_deliver(s->spool, window_mark(&s->window));
}

/* What waits goes to the spool, behind what the window still has. Returns what was taken of the entries at p. */
static size_t
fill_spool(struct syslog_sink *s, const char *p, size_t n, int *error)
{
	*error = 0;
	if (spool_is_read(s->spool) && !window_stash(&s->window, s->spool, error))
		return 0;
	return spool_put(s->spool, p, n, error);
}

static void
explain(struct syslog_sink *s, bool is_stuck, int spool_error, struct sink_try *t)
{
	const char *why = is_stuck ? "it does not read" : *wire_why(s->wire) ? wire_why(s->wire) : "it is not connected yet";

	t->is_second = spool_error != 0;
	t->error = spool_error ? spool_error : is_stuck ? ETIMEDOUT : ENOTCONN;
	if (!s->spool)
		snprintf(t->why, sizeof t->why, "%s", why);
	else
		snprintf(t->why, sizeof t->why, "%s; %llu KiB wait in its spool%s%s", why, (unsigned long long)(spool_bytes(s->spool) >> 10),
		         spool_error ? ", which takes no more: " : "", spool_error ? strerror(spool_error) : "");
}

static void
syslog_write(void *arg, const char *p, size_t n, uint64_t now_us, struct sink_try *t)
{
	struct syslog_sink *s = arg;
	enum wire_state     state;
	bool                is_stuck;
	int                 error = 0;

	open_spool(s, now_us, t);
	state = look_after_wire(s, now_us, t);
	if (state == WIRE_UP) {
		pump(s, p, n, now_us, t);
		state = look_after_wire(s, now_us, t);
	}
	/* a batch is written at the time that it is, the rest at the turn's, which may be earlier */
	is_stuck = state == WIRE_UP && now_us > s->moved_us + STUCK_US;
	if (s->spool && (state == WIRE_DOWN || is_stuck))
		t->took += fill_spool(s, p + t->took, n - t->took, &error);
	if (s->spool)
		spool_settle(s->spool);
	t->pending = t->took < n || !window_is_sent(&s->window) || (s->spool && !spool_is_read(s->spool));
	if (t->pending && (state == WIRE_DOWN || is_stuck))
		explain(s, is_stuck, error, t);
	else if (t->took < n)
		t->error = EAGAIN;
	t->wait_ms = state == WIRE_UP ? 0 : wire_wait_ms(s->wire, now_us);
	if (is_stuck || t->wait_ms > IDLE_MS)
		t->wait_ms = IDLE_MS;
	else if (state == WIRE_UP && t->pending)
		t->wait_ms = 16;
}

static uint64_t
syslog_free(void *arg)
{
	struct syslog_sink *s = arg;
	uint64_t            lost;
	int                 error;

	if (s->spool && spool_is_read(s->spool))
		window_stash(&s->window, s->spool, &error);
	lost = window_unsaved(&s->window);
	spool_close(s->spool);
	wire_free(s->wire);
	window_clear(&s->window);
	free(s->path);
	free(s->message);
	free(s);
	return lost;
}

static const struct sink_kind syslog_kind = {
	.head_max = HEAD_MAX, .is_paced = true, .head = syslog_head, .write = syslog_write, .free = syslog_free,
};

void
sink_syslog_name(const char *to, const char *spool, char name[SINK_SYSLOG_NAME])
{
	snprintf(name, SINK_SYSLOG_NAME, "%s%s%s", to, spool ? ", spool " : "", spool ? spool : "");
}

static void
take_values(struct syslog_sink *s, const struct sink_syslog_config *c)
{
	s->priority = c->facility * 8 + c->severity;
	s->spool_size = c->spool_size;
	header_word(s->host, HOST_MAX, c->host);
	header_word(s->name, APP_MAX, c->name);
}

struct sink *
sink_syslog_new(const struct sink_syslog_config *c, enum log_format_kind format)
{
	struct syslog_sink *s = calloc(1, sizeof *s);
	char                name[SINK_SYSLOG_NAME];

	if (!s)
		return NULL;
	take_values(s, c);
	if (!syslog_to_read(span_str(c->to), &s->to))
		goto fail;
	s->window.way = s->to.way;
	s->wire = wire_new(&s->to, c->ca, c->resolver);
	s->path = c->spool ? strdup(c->spool) : NULL;
	s->message = c->spool ? malloc(SPOOL_MESSAGE_MAX) : NULL;
	if (!s->wire || (c->spool && (!s->path || !s->message)))
		goto fail;
	sink_syslog_name(c->to, c->spool, name);
	return sink_make(&syslog_kind, s, name, format);
fail:
	syslog_free(s);
	return NULL;
}

bool
sink_syslog_adopt(struct sink *sink, const struct sink_syslog_config *c)
{
	struct syslog_sink *s = sink_arg(sink, &syslog_kind);

	if (!wire_trust(s->wire, c->ca))
		return false;
	take_values(s, c);
	return true;
}
