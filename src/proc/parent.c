/* SPDX-License-Identifier: MIT */
#include "proc/parent.h"

#include <errno.h>
#include <inttypes.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/log.h"
#include "policy/snapshot.h"
#include "proc/census.h"
#include "proc/legacy.h"
#include "proc/parent_inside.h"
#include "proc/tell.h"


/* Soft limits up to the hard ones: each connection costs two descriptors. */
static void
raise_limits(void)
{
	struct rlimit rl;

	if (getrlimit(RLIMIT_NOFILE, &rl) == 0 && rl.rlim_cur < rl.rlim_max) {
		rl.rlim_cur = rl.rlim_max;
		if (setrlimit(RLIMIT_NOFILE, &rl) != 0)
			log_warn("cannot raise the limit of open files: %s", strerror(errno));
	}
}

static bool
find_user(const struct conf *c, struct start *start, struct report *r)
{
	const struct passwd *pw;

	if (geteuid() != 0)
		return true; /* started without privileges: there are none to drop */
	pw = getpwnam(c->gateway.user);
	if (!pw) {
		report_error(r, c->gateway.user_at, "user %s does not exist; create it (useradd --system %s) or name another in [gateway] user", c->gateway.user, c->gateway.user);
		return false;
	}
	start->drop_user = true;
	start->uid = pw->pw_uid;
	start->gid = pw->pw_gid;
	return true;
}

/* --- the end --- */

static void
late_to_prepare(struct parent *p)
{
	const struct member *m = crew_unprepared(&p->crew, p->generation + 1);
	char                 why[120];

	/* else the signer, which has a deadline of its own */
	snprintf(why, sizeof why, "%s (pid %d) did not prepare the new configuration in time", m ? m->name : "a process", m ? (int)m->pid : 0);
	parent_reload_abort(p, why);
}

static void
on_deadline(void *arg)
{
	struct parent *p = arg;

	if (p->state == PARENT_RELOADING) {
		late_to_prepare(p);
		return;
	}
	if (p->state == PARENT_SERVING) {
		crew_kill_late(&p->crew);
		return;
	}
	if (p->state == PARENT_LEAVING) {
		parent_leave(p);
		return;
	}
	log_warn("draining took too long: the rest is cut off");
	crew_kill(&p->crew);
}

/* --- what the crew tells --- */

/* What was configured cannot be served: as if it had been found in the file. */
static void
start_refused(struct parent *p)
{
	log_error("%s: %s", keys_where(p->ports->keys, p->crew.refused_listener), p->crew.refusal);
	p->code = 2;
	crew_kill(&p->crew);
	loop_stop(p->loop);
}

static void
on_change(void *arg)
{
	struct parent *p = arg;

	switch (p->state) {
	case PARENT_STARTING:
		if (p->crew.refusal[0]) {
			start_refused(p);
			break;
		}
		if (!crew_has_applied(&p->crew, p->generation) || crew_workers_alive(&p->crew) == 0)
			break;
		p->state = PARENT_SERVING;
		census_state(p->shared, GATEWAY_SERVING);
		log_info("ready: generation %" PRIu64 " is in use: %s; workers: %" PRIu32 "%s", p->generation, p->holds, p->workers,
		    p->options.report_only ? "; --report-only: nothing is denied by a rule" : "");
		if (p->heir.channel >= 0)
			heir_serves(&p->heir, p->loop, parent_take_over, p);
		else
			parent_take_over(p);
		break;
	case PARENT_RELOADING:
		parent_reload_step(p);
		break;
	case PARENT_DRAINING:
		if (crew_workers_alive(&p->crew))
			break;
		p->state = PARENT_FLUSHING; /* the logger goes last: it has lines to write */
		if (p->gentle) /* what was under way had a day; lines have not */
			timer_set(p->loop, &p->deadline, p->drain_ms + LATE_MS);
		crew_end_logger(&p->crew);
		if (p->crew.logger.pid)
			break;
		__attribute__((fallthrough));
	case PARENT_FLUSHING:
		if (!p->crew.logger.pid)
			loop_stop(p->loop);
		break;
	case PARENT_SERVING:
		if (crew_has_applied(&p->crew, p->generation))
			parent_go_on(p);
		break;
	case PARENT_LEAVING: /* a worker that died is replaced, as before */
		break;
	}
}

static void
on_child(void *arg)
{
	struct parent *p = arg;

	crew_reap(&p->crew);
}

static void
on_usr1(void *arg)
{
	struct parent *p = arg;

	log_info("the files of the access logs are opened anew");
	crew_reopen(&p->crew);
}

static bool
parent_rotate(void *arg)
{
	struct parent *p = arg;

	return crew_reopen(&p->crew);
}

static void
on_reopened(void *arg, uint64_t failed, struct span first)
{
	struct parent *p = arg;

	commands_rotated(&p->commands, failed, first);
}

/* What all processes share, before anything counts. */
static bool
parent_share(struct parent *p)
{
	p->shared_fd = shared_create(p->workers);
	p->shared = p->shared_fd >= 0 ? shared_open(p->shared_fd) : NULL;
	if (p->shared)
		census_begin(p->shared);
	else
		log_error("cannot start: no shared memory: %s", strerror(errno));
	return p->shared != NULL;
}

static void
on_listed(void *arg, uint32_t worker, uint64_t number)
{
	struct parent *p = arg;

	sightings_listed(&p->commands.sightings, worker, number);
}

static void
on_killed(void *arg, uint32_t worker, struct span data)
{
	struct parent *p = arg;

	if (p->commands.control)
		ends_heard(&p->commands.ends, worker, data);
}

static void
on_ended(void *arg, pid_t pid, int status)
{
	struct parent *p = arg;

	upgrade_reaped(&p->upgrade, pid, status);
}

static const struct command_doings doings = {.reload = parent_reload, .drain = parent_drain, .upgrade = parent_upgrade, .rotate = parent_rotate, .look = parent_look};

static bool
watch_signals(struct parent *p)
{
	signal(SIGPIPE, SIG_IGN);
	return signal_watch_init(&p->hup, p->loop, SIGHUP, parent_reload, p) && signal_watch_init(&p->term, p->loop, SIGTERM, parent_stop, p) &&
	    signal_watch_init(&p->interrupt, p->loop, SIGINT, parent_stop, p) && signal_watch_init(&p->usr1, p->loop, SIGUSR1, on_usr1, p) &&
	    signal_watch_init(&p->usr2, p->loop, SIGUSR2, parent_upgrade, p) &&
	    signal_watch_init(&p->child, p->loop, SIGCHLD, on_child, p);
}

static bool
first_build(struct parent *p, struct conf *c, struct report *r)
{
	bool ok;

	/* build finds the sockets of an earlier parent as those of a configuration before this one */
	if (p->heir.workers) {
		p->ports = ports_adopt(&p->heir.estate, p->workers);
		admin_adopt(&p->admin, &p->heir.estate);
	}
	ok = parent_build(p, c, r, &p->next_ports, &p->snapshot);
	ports_free(p->ports, p->next_ports);
	p->ports = p->next_ports;
	p->next_ports = NULL;
	return ok;
}

/* The first configuration, made ready: nothing runs by it yet. False: the report says why. */
static bool
first_ready(struct parent *p, struct conf *c, struct start *start, struct report *r)
{
	bool ok;

	p->workers = p->heir.workers ? p->heir.workers : parent_workers_of(c);
	p->user = strdup(c->gateway.user);
	if (!p->user)
		report_error(r, c->gateway.user_at, "out of memory");
	start->jit = c->gateway.regex_jit != TRI_NO;
	ok = p->user && find_user(c, start, r);
	ports_take_passed();
	ports_name_unused(c, r);
	ok = parent_hold_pid_file(p, c, r) && ok;
	return parent_share(p) && first_build(p, c, r) && ok;
}

/* The processes begin with it. False: said why. */
static bool
first_start(struct parent *p, const struct conf *c, const struct start *start)
{
	p->next_level = (enum log_level)c->gateway.log_level;
	log_threshold(p->next_level);
	p->generation = 1;
	if (!watch_signals(p) || !crew_init(&p->crew, p->loop, p->workers, start, p->shared, p->shared_fd) || !rounds_init(&p->rounds, &p->crew)) {
		log_error("cannot start: %s", strerror(errno));
		return false;
	}
	note_counts(c, p->holds, sizeof p->holds);
	say_listening(p->ports, NULL, "listening on", c);
	p->crew.on_change = on_change;
	p->crew.on_reopened = on_reopened;
	p->crew.on_listed = on_listed;
	p->crew.on_killed = on_killed;
	p->crew.on_ended = on_ended;
	p->crew.arg = p;
	commands_use(&p->commands);
	bureaus_plan(&p->crew.bureaus, &p->next_plan);
	p->has_next_plan = false;
	admin_init(&p->admin, &p->crew);
	rounds_take(&p->rounds);
	admin_take(&p->admin);
	census_applied(p->shared, p->generation);
	parent_take_on(p);
	legacy_take(&p->crew.ledger, p->shared, estate_take(&p->heir.estate, 0, "hits"));
	ledger_use(&p->crew.ledger, p->shared, p->generation, false);
	crew_start(&p->crew, p->snapshot, p->generation, p->ports);
	timer_set(p->loop, &p->look, LOOK_MS);
	return true;
}

/* The first configuration. False: the exit code is set. */
static bool
parent_begin(struct parent *p)
{
	struct start  start = {0};
	struct report r;
	struct conf  *c;
	bool          ok;

	log_info("version " PACKAGE_VERSION " starts, with %s", p->options.conf);
	if (getrandom(p->log_key, sizeof p->log_key, 0) != (ssize_t)sizeof p->log_key) {
		log_error("cannot get random bytes: %s", strerror(errno));
		p->code = 1;
		return false;
	}
	report_init(&r);
	c = conf_load(p->options.conf, &r);
	ok = c && first_ready(p, c, &start, &r);
	p->code = 2;
	commands_problems(&p->commands, &r, c);
	if (ok) {
		ok = first_start(p, c, &start);
		p->code = ok ? 0 : 1;
	}
	conf_free(c);
	report_clear(&r);
	return ok;
}

int
parent_run(const struct parent_options *o)
{
	struct parent *p = calloc(1, sizeof *p);
	int            code;

	if (!p || !(p->loop = loop_new())) {
		log_error("cannot start: out of memory");
		free(p);
		return 1;
	}
	p->options = *o;
	p->snapshot = p->next_snapshot = p->shared_fd = -1;
	rounds_begin(&p->rounds);
	timer_init(&p->deadline, on_deadline, p);
	timer_init(&p->look, parent_look_at_files, p);
	timer_init(&p->watchdog, parent_watchdog, p);
	p->pid.fd = -1;
	raise_limits();
	heir_init(&p->heir);
	commands_init(&p->commands, &p->crew, &doings, p, p->heir.channel >= 0);
	upgrade_init(&p->upgrade, p->loop, parent_upgraded, p);
	if (parent_begin(p)) {
		loop_run(p->loop);
		census_say_totals(p->shared);
		commands_drained(&p->commands);
	} else {
		heir_refuses(&p->heir, p->commands.problems ? p->commands.problems : "it could not start");
	}
	pid_file_close(&p->pid, p->heir.channel < 0);
	commands_clear(&p->commands);
	upgrade_clear(&p->upgrade);
	heir_clear(&p->heir);
	code = p->code;
	timer_clear(&p->deadline);
	timer_clear(&p->look);
	timer_clear(&p->watchdog);
	signal_watch_clear(&p->hup);
	signal_watch_clear(&p->term);
	signal_watch_clear(&p->interrupt);
	signal_watch_clear(&p->usr1);
	signal_watch_clear(&p->usr2);
	signal_watch_clear(&p->child);
	if (p->crew.loop)
		crew_clear(&p->crew);
	admin_clear(&p->admin);
	rounds_clear(&p->rounds);
	shared_close(p->shared);
	if (p->shared_fd >= 0)
		close(p->shared_fd);
	ports_free(p->ports, NULL);
	if (p->snapshot >= 0)
		close(p->snapshot);
	bureau_plan_clear(&p->next_plan);
	parent_forget_numbers(p);
	loop_free(p->loop);
	free(p->user);
	free(p);
	return code;
}
