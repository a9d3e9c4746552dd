/* SPDX-License-Identifier: MIT */
/*
 * logger_main: the process around logger: takes rings, log definitions and the order to reopen from the parent; when the parent is gone it writes what
 * the workers still leave behind, for as long as they may drain.
 */
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "net/resolve.h"
#include "policy/snapshot.h"
#include "proc/child.h"
#include "proc/logger.h"
#include "proc/roles.h"
#include "proc/sandbox.h"
#include "tls/context.h"

struct logging {
	struct child     child;
	struct logger   *logger;
	struct resolver *resolver; /* owned; of syslog servers' names */
	struct snapshot *next;
	struct timer     last; /* orphaned: the end */
	uint64_t         drain_ms;
	int              ring[SHARED_WORKERS_MAX];
	unsigned         n_rings;
};

#define SERVERS_MAX 64u /* names kept */

/* Text with its NUL; null for none. */
static const char *
string_of(const struct snapshot *s, struct flat_ref r)
{
	return r.n ? snapshot_text(s, r).p : NULL;
}

/* The logs of a snapshot, as the logger wants them; paths, formats and names point into the snapshot. One block: names stand behind the logs. */
static struct logger_log *
logs_of(const struct snapshot *s, struct resolver *resolver)
{
	const struct snapshot_log *from = snapshot_at(s, s->set->logs.off);
	size_t                     n_names = 0;
	struct logger_log         *to;
	struct span               *name;

	for (uint32_t i = 0; i < s->set->logs.n; i++)
		n_names += from[i].rules.n;
	to = calloc(1, (s->set->logs.n + 1) * sizeof *to + n_names * sizeof *name);
	if (!to)
		return NULL;
	name = (struct span *)&to[s->set->logs.n + 1];
	for (uint32_t i = 0; i < s->set->logs.n; i++) {
		const struct flat_ref *rules = snapshot_at(s, from[i].rules.off);
		to[i] = (struct logger_log){
			.path = string_of(s, from[i].file),
			.syslog = string_of(s, from[i].syslog),
			.syslog_ca = string_of(s, from[i].syslog_ca),
			.spool = string_of(s, from[i].spool),
			.host = snapshot_text(s, s->set->visible_name),
			.app_name = snapshot_text(s, from[i].app_name),
			.facility = from[i].facility,
			.severity = from[i].severity,
			.resolver = resolver,
			.spool_size = from[i].spool_size,
			.format = (enum log_format_kind)from[i].format,
			.custom = snapshot_text(s, from[i].custom),
			.log_query = from[i].log_query,
			.rules = name,
			.n_rules = from[i].rules.n,
			.lets = from[i].lets,
			.sample = from[i].sample,
			.masks = from[i].masks,
			.max_size = from[i].max_size,
			.keep = from[i].keep,
			.key = s->set->log_key,
		};
		for (uint32_t k = 0; k < from[i].rules.n; k++)
			*name++ = snapshot_text(s, rules[k]);
	}
	return to;
}

/* The names of servers are looked up as workers look theirs up. */
static bool
fit_resolver(struct logging *l, const struct snapshot *s)
{
	const struct resolver_config c = {
		.servers = snapshot_at(s, s->set->resolvers.off),
		.n_servers = s->set->resolvers.n,
		.resolv_conf = snapshot_text(s, s->set->resolv_conf),
		.hosts = snapshot_text(s, s->set->hosts),
		.timeout_ms = s->set->dns_timeout_ms,
		.cache_names = SERVERS_MAX,
	};

	if (l->resolver)
		return resolver_reconfigure(l->resolver, &c);
	l->resolver = resolver_new(l->child.loop, &c);
	return l->resolver != NULL;
}

static bool
use(struct logging *l, const struct snapshot *s)
{
	bool               ok = fit_resolver(l, s);
	struct logger_log *logs = ok ? logs_of(s, l->resolver) : NULL;

	ok = logs != NULL;
	if (ok && l->logger) {
		ok = logger_reconfigure(l->logger, logs, s->set->logs.n);
	} else if (ok) {
		struct logger_config c = {
			.rings = l->ring,
			.n_rings = l->n_rings,
			.wake_fd = l->child.wake_fd,
			.logs = logs,
			.n_logs = s->set->logs.n,
			.stats = &l->child.shared->logger,
			.shared = l->child.shared,
		};
		l->logger = logger_new(l->child.loop, &c);
		ok = l->logger != NULL;
	}
	l->drain_ms = s->set->drain_timeout_ms;
	if (ok)
		log_threshold((enum log_level)s->set->log_level);
	free(logs);
	return ok;
}

static void
apply(struct logging *l, uint64_t number)
{
	bool ok = l->next && l->next->set->generation == number && use(l, l->next);

	snapshot_unref(l->next);
	l->next = NULL;
	child_say(ok ? MSG_APPLIED : MSG_REFUSED, number);
}

static void
on_last(void *arg)
{
	struct logging *l = arg;

	loop_stop(l->child.loop);
}

static void
reopen(struct logging *l)
{
	const char *first = "";
	unsigned    failed = l->logger ? logger_reopen(l->logger, &first) : 0;

	child_tell(MSG_REOPEN, failed, first);
}

static void
on_message(void *arg, struct message *m)
{
	struct logging *l = arg;

	switch ((enum message_type)m->type) {
	case MSG_RING:
		if (m->n_fds == 1 && l->n_rings < SHARED_WORKERS_MAX) {
			l->ring[l->n_rings++] = m->fd[0];
			m->n_fds = 0;
		}
		break;
	case MSG_SNAPSHOT:
		snapshot_unref(l->next);
		l->next = m->n_fds == 1 ? snapshot_open(m->fd[0], false) : NULL;
		child_say(l->next ? MSG_PREPARED : MSG_REFUSED, m->number);
		break;
	case MSG_GO:
		apply(l, m->number);
		break;
	case MSG_FORGET:
		snapshot_unref(l->next);
		l->next = NULL;
		break;
	case MSG_REOPEN:
		reopen(l);
		break;
	case MSG_DRAIN:
		loop_stop(l->child.loop);
		break;
	default:
		break;
	}
}

static void
on_orphaned(void *arg)
{
	struct logging *l = arg;

	timer_set(l->child.loop, &l->last, l->drain_ms + 1000);
}

static bool
logging_begin(struct logging *l)
{
	struct child *c = &l->child;

	if (!child_begin(c, "logger"))
		return false;
	timer_init(&l->last, on_last, l);
	c->on_message = on_message;
	c->on_orphaned = on_orphaned;
	c->arg = l;
	if (!tls_library_begin())
		return false;
	if (c->start.drop_user && !sandbox_drop_user(c->start.uid, c->start.gid))
		return false;
	return sandbox_enter(ROLE_LOGGER, c->start.jit) && child_listen(c);
}

int
logger_main(void)
{
	struct logging *l = calloc(1, sizeof *l);
	int             rc = 1;

	if (l && logging_begin(l)) {
		loop_run(l->child.loop);
		rc = 0;
	}
	if (l) {
		logger_free(l->logger);
		resolver_free(l->resolver);
		snapshot_unref(l->next);
		for (unsigned i = 0; i < l->n_rings; i++)
			close(l->ring[i]);
		if (l->child.loop)
			timer_clear(&l->last);
		child_end(&l->child);
	}
	free(l);
	return rc;
}
