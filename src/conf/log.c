/* SPDX-License-Identifier: MIT */
/*
 * log: where [log NAME] sections go to: one place each, and what is said in vain there.
 */
#include <string.h>

#include "conf/load.h"
#include "conf/syslog_to.h"

/* Options of one kind of place. */
static const char *const of_file[] = {"max-size", "keep", NULL};
static const char *const of_syslog[] = {"syslog-ca", "spool", "spool-size", NULL};
static const char *const of_messages[] = {"syslog-facility", "syslog-severity", "syslog-name", NULL};

static void
warn_vain(struct load *l, const struct section *s, const char *const *keys, const char *where)
{
	for (; *keys; keys++)
		if (section_gives(s, *keys))
			report_find(l->r, FINDING_NO_EFFECT, section_at(s, *keys), "[log %.*s] has %s, which only %s uses", SHOW(s->name), *keys, where);
}

static void
check_server(struct load *l, const struct section *s, const struct conf_log *log)
{
	struct syslog_to to;

	if (!syslog_to_read(span_str(log->syslog), &to))
		report_error(l->r, log->syslog_at, "syslog = %s: want unix:/dev/log, udp:HOST:PORT, tcp:HOST:PORT or tls:HOST:PORT", log->syslog);
	else if (to.way != SYSLOG_TLS && log->syslog_ca)
		report_find(l->r, FINDING_NO_EFFECT, section_at(s, "syslog-ca"), "[log %.*s] has syslog-ca, which only syslog = tls:HOST:PORT uses", SHOW(s->name));
	if (!log->spool && section_gives(s, "spool-size"))
		report_find(l->r, FINDING_NO_EFFECT, section_at(s, "spool-size"), "[log %.*s] has spool-size, but no spool", SHOW(s->name));
}

void
check_log(struct load *l, const struct section *s)
{
	const struct conf_log *log = s->base;
	unsigned               places = section_gives(s, "file") + section_gives(s, "syslog") + log->journald;

	if (!places)
		report_error(l->r, s->at, "[log %.*s] goes nowhere; want file = access.log, file = - for standard output, syslog = unix:/dev/log, or journald = yes",
		             SHOW(s->name));
	else if (places > 1)
		report_error(l->r, s->at, "[log %.*s] goes to more than one place; of file, syslog and journald want one, and another [log NAME] for another", SHOW(s->name));
	if (log->syslog)
		check_server(l, s, log);
	else if (places)
		warn_vain(l, s, of_syslog, "a log with syslog");
	if (places && !log->file)
		warn_vain(l, s, of_file, "a log with file");
	if (places && !log->syslog && !log->journald)
		warn_vain(l, s, of_messages, "a log with syslog or journald");
}

void
check_spools(struct load *l)
{
	const struct conf_log *a, *b;

	TAILQ_FOREACH(a, &l->c->logs, link)
	for (b = TAILQ_NEXT(a, link); b; b = TAILQ_NEXT(b, link))
		if (a->spool && b->spool && strcmp(a->spool, b->spool) == 0)
			report_error(l->r, b->at, "[log %.*s] has the same spool as [log %.*s]; want a file of its own", SHOW(b->name), SHOW(a->name));
}
