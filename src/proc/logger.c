/* SPDX-License-Identifier: MIT */
/*
 * logger: see logger.h. A turn: take records, oldest first, format each for every log, write, give the rings their room back; then poll again soon when
 * there was something, else sleep with the flag set in every ring.
 */
#include "proc/logger.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "audit/anonymise.h"
#include "audit/filter.h"
#include "audit/format.h"
#include "audit/record.h"
#include "audit/sink.h"
#include "audit/sink_journal.h"
#include "audit/sink_syslog.h"
#include "base/clock.h"
#include "base/log.h"
#include "ipc/evidence.h"
#include "ipc/ring.h"
#include "parse/authority.h"

#define POLL_MS      80u /* and up to one tick: lines appear within 100 ms */
#define HURRY_MS     16u /* when a ring was more than a quarter full */
#define BATCH        1024u /* records between two writes */
#define BATCHES_MAX  32u /* in one turn, so that control messages are heard */
#define TURN_US      500000u /* the same where the disk is slow: no other batch is begun */
#define TOPS_US      1000000u /* between two lists of who comes most often */

/* One worker's ring. */
struct lane {
	struct ring *ring; /* owned */
	const char  *shown; /* the oldest record, not yet taken; null: none */
	size_t       n;
	uint64_t     when;  /* its end_real_us, as the worker says */
};

/* One access log. */
struct out {
	struct log_format *format; /* owned */
	struct log_filter *filter; /* owned */
	struct anonymiser *anonymiser; /* owned; null: everybody is named */
	struct sink       *sink;   /* owned */
};

struct logger {
	struct loop  *loop;
	struct watch  wake;
	struct timer  poll;
	int           wake_fd;
	struct lane  *lanes; /* owned */
	unsigned      n_lanes;
	struct out   *outs; /* owned */
	unsigned      n_outs;
	struct logger_stats *stats;
	struct shared *shared;
	struct top    *hosts, *clients; /* owned; null: nobody asks */
	struct evidence *evidence; /* likewise */
	uint64_t      tops_us; /* when they were published last */
	bool          tops_new; /* there was something since */
	uint64_t      bad; /* records that made no sense, since the last count */
	struct log_limit bad_limit, full_limit;
	char          record[]; /* RECORD_MAX: a copy of the one being read, which its writer cannot change */
};

static void
count(_Atomic uint64_t *c, uint64_t n)
{
	if (n)
		atomic_fetch_add_explicit(c, n, memory_order_relaxed);
}

/* The lane whose next record ended first; null when all are empty. */
static struct lane *
oldest(struct logger *l)
{
	struct lane *best = NULL;

	for (unsigned i = 0; i < l->n_lanes; i++) {
		struct lane *a = &l->lanes[i];
		if (!a->shown) {
			a->shown = ring_peek(a->ring, &a->n);
			if (!a->shown)
				continue;
			a->when = 0;
			if (a->n >= sizeof(struct record))
				memcpy(&a->when, a->shown + offsetof(struct record, end_real_us), sizeof a->when);
		}
		if (!best || a->when < best->when)
			best = a;
	}
	return best;
}

static void
put(struct out *o, const struct record *r, const struct span text[RT_COUNT])
{
	struct record masked;
	struct span   masked_text[RT_COUNT];
	char         *line = sink_room(o->sink);

	if (!line)
		return;
	if (o->anonymiser) {
		masked = *r;
		memcpy(masked_text, text, sizeof masked_text);
		anonymise(o->anonymiser, &masked, masked_text);
		r = &masked;
		text = masked_text;
	}
	sink_says(o->sink, r, text); /* the hidden ones: what tells more than the line must not tell more of them */
	sink_took(o->sink, log_format_line(o->format, r, text, line));
}

/* --- who comes most often --- */

static void
tops_add(struct logger *l, const struct record *r, const struct span text[RT_COUNT])
{
	bool     denied = r->has_action && r->action == ACTION_DENY;
	uint64_t now = loop_now_us(l->loop), bytes = r->bytes_in + r->bytes_out;
	char     client[ADDR_TEXT_MAX];

	top_add(l->hosts, text[RT_HOST], denied, bytes, now);
	top_add(l->clients, span_of(client, addr_print(&r->client.addr, client)), denied, bytes, now);
	l->tops_new = true;
}

static void
tops_publish(struct logger *l)
{
	struct top_list list;

	top_make(l->hosts, loop_now_us(l->loop), &list);
	top_publish(&l->shared->hosts, &list);
	top_make(l->clients, loop_now_us(l->loop), &list);
	top_publish(&l->shared->clients, &list);
	l->tops_us = loop_now_us(l->loop);
	l->tops_new = false;
}

/* --- who cannot use what --- */

static void
evidence_add(struct logger *l, const struct record *r, const struct span text[RT_COUNT])
{
	const struct evidence_event ev = {
		.host = text[RT_HOST],
		.agent = text[RT_USER_AGENT],
		.detail = text[RT_TLS_DETAIL],
		.client = r->client.addr,
		.when_us = r->end_real_us,
		.port = r->port,
		.status = r->status,
		.fault = (enum fault)r->fault,
		.https = r->scheme == SCHEME_HTTPS,
		.is_connect = r->is_connect,
		.is_decided = r->has_action,
	};

	evidence_note(l->evidence, &ev);
}

/* --- records --- */

static void
take(struct logger *l, struct lane *a)
{
	struct record r;
	struct span   text[RT_COUNT];
	bool          ok = a->n <= RECORD_MAX;

	if (ok)
		memcpy(l->record, a->shown, a->n);
	a->shown = NULL;
	ring_pass(a->ring);
	if (!ok || !record_read(l->record, a->n, &r, text)) {
		l->bad++;
		return;
	}
	if (l->shared) {
		tops_add(l, &r, text);
		evidence_add(l, &r, text);
	}
	for (unsigned i = 0; i < l->n_outs; i++)
		if (log_filter_takes(l->outs[i].filter, &r, text))
			put(&l->outs[i], &r, text);
}

/* Up to BATCH records; returns how many. */
static unsigned
batch(struct logger *l)
{
	uint64_t     now = loop_now_us(l->loop);
	struct lane *a;
	unsigned     n = 0;

	while (n < BATCH && (a = oldest(l))) {
		take(l, a);
		n++;
	}
	for (unsigned i = 0; i < l->n_outs; i++)
		sink_flush(l->outs[i].sink, now);
	for (unsigned i = 0; i < l->n_lanes; i++)
		ring_release_passed(l->lanes[i].ring);
	return n;
}

/* What was lost before it came here, and what the sinks counted. */
static void
settle(struct logger *l)
{
	uint64_t full = 0;

	for (unsigned i = 0; i < l->n_lanes; i++)
		full += ring_drops_take(l->lanes[i].ring);
	if (full)
		log_write_limited(&l->full_limit, LOG_LEVEL_WARN, "%llu access log lines were lost: the logger did not keep up with a worker",
		                  (unsigned long long)full);
	if (l->bad)
		log_write_limited(&l->bad_limit, LOG_LEVEL_WARN, "%llu access log records of a worker made no sense", (unsigned long long)l->bad);
	full += l->bad;
	l->bad = 0;
	for (unsigned i = 0; i < l->n_outs; i++) {
		struct sink_counts c = sink_counts_take(l->outs[i].sink);
		if (full)
			sink_lost(l->outs[i].sink, full);
		if (!l->stats)
			continue;
		count(&l->stats->lines, c.lines);
		count(&l->stats->bytes, c.bytes);
		count(&l->stats->dropped, c.dropped);
		count(&l->stats->errors, c.errors);
	}
	if (l->stats)
		count(&l->stats->ring_dropped, full);
	for (unsigned i = 0; l->stats && i < l->n_lanes; i++)
		l->stats->ring_taken[i] = ring_taken(l->lanes[i].ring);
}

static bool
is_pressed(const struct logger *l)
{
	for (unsigned i = 0; i < l->n_lanes; i++)
		if (ring_fill(l->lanes[i].ring) > ring_size(l->lanes[i].ring) / 4)
			return true;
	return false;
}

/* True: every worker will wake us; false: one of them wrote meanwhile. */
static bool
sleep_all(struct logger *l)
{
	for (unsigned i = 0; i < l->n_lanes; i++)
		if (ring_sleep(l->lanes[i].ring))
			return false;
	return true;
}

/* What is in the rings, but no longer than workers that never stop writing allow. *more: something is left. Returns how many records. */
static unsigned
drain(struct logger *l, bool *more)
{
	uint64_t until_us = clock_mono_us() + TURN_US;
	unsigned taken = 0, n;

	do {
		n = batch(l);
		taken += n;
	} while (n == BATCH && taken < BATCH * BATCHES_MAX && clock_mono_us() < until_us);
	settle(l);
	*more = n == BATCH;
	return taken;
}

static void
turn(struct logger *l)
{
	bool     pressed = is_pressed(l), all_written = true, more;
	unsigned taken = drain(l, &more);
	uint64_t after_ms = 0;

	if (l->tops_new && (!taken || loop_now_us(l->loop) - l->tops_us >= TOPS_US))
		tops_publish(l);
	for (unsigned i = 0; i < l->n_outs; i++)
		if (!sink_flush(l->outs[i].sink, loop_now_us(l->loop))) {
			uint64_t retry_ms = sink_retry_ms(l->outs[i].sink);
			after_ms = all_written || retry_ms < after_ms ? retry_ms : after_ms;
			all_written = false;
		}
	if (more)
		timer_set(l->loop, &l->poll, 0);
	else if (taken || !sleep_all(l))
		timer_set(l->loop, &l->poll, pressed ? HURRY_MS : POLL_MS);
	else if (!all_written)
		timer_set(l->loop, &l->poll, after_ms);
	else
		timer_clear(&l->poll);
}

static void
on_wake(void *arg, unsigned what)
{
	struct logger *l = arg;
	uint64_t       n;

	(void)what;
	/* how often does not matter; a spurious call is one turn too many */
	if (read(l->wake_fd, &n, sizeof n) < 0)
		n = 0;
	turn(l);
}

static void
on_poll(void *arg)
{
	turn(arg);
}

/* But for its sink. */
static void
out_clear(struct out *o)
{
	log_format_free(o->format);
	log_filter_free(o->filter);
	anonymiser_free(o->anonymiser);
}

static bool
out_init(struct out *o, const struct logger_log *log, char why[160])
{
	o->format = log_format_new(log->format, log->custom, log->log_query, why);
	o->filter = log_filter_new(log->rules, log->n_rules, log->lets, log->sample);
	if (log->masks)
		o->anonymiser = anonymiser_new(log->masks, log->key);
	return o->format && o->filter && (!log->masks || o->anonymiser);
}

static void
outs_free(struct logger *l, struct out *outs, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		uint64_t lost = sink_free(outs[i].sink, loop_now_us(l->loop));
		out_clear(&outs[i]);
		if (l->stats)
			count(&l->stats->dropped, lost);
	}
	free(outs);
}

/* The formats of new logs, without their sinks. NULL: said why. */
static struct out *
outs_new(const struct logger_log *logs, unsigned n)
{
	struct out *outs = calloc(n ? n : 1, sizeof *outs);
	char        why[160] = "";

	for (unsigned i = 0; outs && i < n; i++) {
		if (out_init(&outs[i], &logs[i], why))
			continue;
		log_error("access log %s: %s", logs[i].path ? logs[i].path : logs[i].syslog ? logs[i].syslog : SINK_JOURNAL_NAME, *why ? why : "out of memory");
		do
			out_clear(&outs[i]);
		while (i-- > 0);
		free(outs);
		return NULL;
	}
	return outs;
}

/* --- places --- */

static struct sink_syslog_config
syslog_of(const struct logger_log *log)
{
	return (struct sink_syslog_config){
		.to = log->syslog,
		.ca = log->syslog_ca,
		.host = log->host,
		.name = log->app_name,
		.facility = log->facility,
		.severity = log->severity,
		.spool = log->spool,
		.spool_size = log->spool_size,
		.resolver = log->resolver,
	};
}

static struct sink_journal_config
journal_of(const struct logger_log *log)
{
	return (struct sink_journal_config){.name = log->app_name, .facility = log->facility, .severity = log->severity};
}

/* What tells places apart: sink_path of its sink. */
static const char *
place_name(const struct logger_log *log, char name[SINK_SYSLOG_NAME])
{
	if (log->path)
		return log->path;
	if (!log->syslog)
		return SINK_JOURNAL_NAME;
	sink_syslog_name(log->syslog, log->spool, name);
	return name;
}

static struct sink *
place_open(const struct logger *l, const struct logger_log *log)
{
	struct sink_syslog_config  syslog = syslog_of(log);
	struct sink_journal_config journal = journal_of(log);

	if (log->path)
		return sink_new(log->path, log->format, loop_now_us(l->loop));
	return log->syslog ? sink_syslog_new(&syslog, log->format) : sink_journal_new(&journal, log->format);
}

/* An old sink goes on for a new log. False: no memory, nothing changed. */
static bool
place_adopt(struct sink *s, const struct logger_log *log)
{
	struct sink_syslog_config  syslog = syslog_of(log);
	struct sink_journal_config journal = journal_of(log);

	if (log->syslog && !log->path && !sink_syslog_adopt(s, &syslog))
		return false;
	if (!log->path && !log->syslog)
		sink_journal_adopt(s, &journal);
	return true;
}

/* An old log that goes to this place and whose sink nobody has taken over. */
static struct out *
out_find(struct out *outs, unsigned n, const char *name)
{
	for (unsigned i = 0; i < n; i++)
		if (outs[i].sink && strcmp(sink_path(outs[i].sink), name) == 0)
			return &outs[i];
	return NULL;
}

static bool
is_named_before(const struct logger_log *logs, unsigned i)
{
	char a[SINK_SYSLOG_NAME], b[SINK_SYSLOG_NAME];

	for (unsigned j = 0; j < i; j++)
		if (strcmp(place_name(&logs[j], a), place_name(&logs[i], b)) == 0)
			return true;
	return false;
}

bool
logger_reconfigure(struct logger *l, const struct logger_log *logs, unsigned n)
{
	struct out *outs = outs_new(logs, n), *old;
	unsigned    made = 0;
	char        name[SINK_SYSLOG_NAME];
	bool        more;

	if (!outs)
		return false;
	drain(l, &more);
	/* first all that can fail, then what cannot: taking over the sinks that stay */
	for (; made < n; made++) {
		old = is_named_before(logs, made) ? NULL : out_find(l->outs, l->n_outs, place_name(&logs[made], name));
		if (old && place_adopt(old->sink, &logs[made]))
			continue;
		outs[made].sink = old ? NULL : place_open(l, &logs[made]);
		if (!outs[made].sink)
			goto fail;
	}
	for (unsigned i = 0; i < n; i++) {
		if (outs[i].sink)
			continue;
		old = out_find(l->outs, l->n_outs, place_name(&logs[i], name));
		outs[i].sink = old->sink;
		old->sink = NULL;
		sink_speak(outs[i].sink, logs[i].format);
	}
	for (unsigned i = 0; i < n; i++)
		sink_limit(outs[i].sink, logs[i].max_size, logs[i].keep);
	outs_free(l, l->outs, l->n_outs);
	l->outs = outs;
	l->n_outs = n;
	timer_set(l->loop, &l->poll, 0);
	return true;
fail:
	outs_free(l, outs, n);
	return false;
}

bool
logger_add_ring(struct logger *l, int fd)
{
	struct lane *lanes = realloc(l->lanes, (l->n_lanes + 1) * sizeof *lanes);
	struct ring *ring;

	if (!lanes)
		return false;
	l->lanes = lanes;
	ring = ring_open(fd);
	if (!ring)
		return false;
	l->lanes[l->n_lanes++] = (struct lane){.ring = ring};
	timer_set(l->loop, &l->poll, 0);
	return true;
}

unsigned
logger_reopen(struct logger *l, const char **first)
{
	unsigned failed = 0;
	bool     more;

	drain(l, &more);
	for (unsigned i = 0; i < l->n_outs; i++)
		if (!sink_reopen(l->outs[i].sink) && failed++ == 0)
			*first = sink_path(l->outs[i].sink);
	timer_set(l->loop, &l->poll, 0);
	return failed;
}

struct logger *
logger_new(struct loop *loop, const struct logger_config *c)
{
	struct logger *l = calloc(1, sizeof *l + RECORD_MAX);

	if (!l)
		return NULL;
	l->loop = loop;
	l->wake_fd = c->wake_fd;
	l->stats = c->stats;
	timer_init(&l->poll, on_poll, l);
	if (c->shared) {
		l->shared = c->shared;
		l->hosts = top_new(c->shared->tally_key);
		l->clients = top_new(c->shared->tally_key);
		l->evidence = evidence_new(c->shared->tally_key, &c->shared->evidence);
		if (!l->hosts || !l->clients || !l->evidence)
			goto fail;
	}
	if (!logger_reconfigure(l, c->logs, c->n_logs))
		goto fail;
	for (unsigned i = 0; i < c->n_rings; i++)
		if (!logger_add_ring(l, c->rings[i]))
			goto fail;
	if (!watch_init_level(&l->wake, loop, l->wake_fd, WATCH_READ, on_wake, l))
		goto fail;
	timer_set(loop, &l->poll, 0);
	return l;
fail:
	logger_free(l);
	return NULL;
}

void
logger_free(struct logger *l)
{
	bool more;

	if (!l)
		return;
	watch_clear(&l->wake);
	timer_clear(&l->poll);
	do
		drain(l, &more);
	while (more);
	outs_free(l, l->outs, l->n_outs);
	for (unsigned i = 0; i < l->n_lanes; i++)
		ring_close(l->lanes[i].ring);
	free(l->lanes);
	top_free(l->hosts);
	top_free(l->clients);
	evidence_free(l->evidence);
	free(l);
}
