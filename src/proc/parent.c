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

#include "audit/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "policy/snapshot.h"
#include "proc/census.h"
#include "proc/parent_inside.h"
#include "proc/tell.h"

#define LOOK_MS        5000u

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

static uint32_t
workers_of(const struct conf *c)
{
	long n = c->gateway.workers ? (long)c->gateway.workers : sysconf(_SC_NPROCESSORS_ONLN);

	/* `auto` on a large machine; what is configured is in range */
	return n < 1 ? 1 : n > SHARED_WORKERS_MAX ? SHARED_WORKERS_MAX : (uint32_t)n;
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

static bool
prepare_control(struct parent *p, const struct conf *c, struct report *r)
{
	const char *path = c->gateway.control;

	return commands_prepare(&p->commands, c, r, path ? estate_take(&p->heir.estate, 0, "control %s", path) : -1);
}

static void
forget_numbers(struct parent *p)
{
	free(p->next_numbers);
	p->next_numbers = NULL;
}

/* What the configuration that was built counts under, and its plain values, are in use. A refresh of files has none: all of that stays. */
static void
take_on(struct parent *p)
{
	if (!p->next_numbers)
		return;
	ports_use(p->ports);
	census_renumber(p->shared, p->next_numbers);
	forget_numbers(p);
	p->parent_slots = p->next_parent_slots;
	p->delay_ms = p->next_delay_ms;
	p->drain_ms = p->next_drain_ms;
	p->upgrade_ms = p->next_upgrade_ms;
}

/* Load, open what is new, compile. False: everything wrong is in `r`; nothing changed. */
static bool
build(struct parent *p, struct conf *c, struct report *r, struct ports **ports, int *snapshot)
{
	struct endpoint        own[LISTENER_SLOTS + ADMIN_PORTS];
	struct snapshot_inputs in = {.generation = p->generation + 1, .report_only = p->options.report_only, .workers = p->workers, .own = own, .log_key = p->log_key};

	p->next_parent_slots = p->parent_slots;
	parents_assign(&p->next_parent_slots, c, p->generation + 1);
	p->next_delay_ms = c->gateway.drain_delay_ms;
	p->next_drain_ms = c->gateway.drain_timeout_ms;
	p->next_upgrade_ms = c->gateway.upgrade_timeout_ms;
	/* every problem in one go, so on after the first; but no socket for a file that is wrong */
	log_formats_check(c, r);
	*ports = r->errors ? NULL : ports_open(c, p->ports, p->workers, r);
	if (*ports && admin_prepare(&p->admin, c, r))
		in.n_own = ports_own(*ports, own);
	in.n_own += admin_own(&p->admin, own + in.n_own);
	p->next_numbers = census_number(p->shared, c, in.generation);
	if (!p->next_numbers)
		report_error(r, (struct where){0}, "out of memory");
	*snapshot = p->next_numbers ? snapshot_build(c, &in, r) : -1;
	if (*snapshot >= 0 && *ports && prepare_control(p, c, r)) {
		p->has_next_plan = bureau_plan_init(&p->next_plan, c, *snapshot);
		if (p->has_next_plan && rounds_prepare(&p->rounds, c, r))
			return true;
		if (p->has_next_plan)
			bureau_plan_clear(&p->next_plan);
		else
			report_error(r, (struct where){0}, "out of memory");
		p->has_next_plan = false;
	}
	if (*snapshot >= 0)
		close(*snapshot);
	*snapshot = -1;
	forget_numbers(p);
	commands_forget(&p->commands);
	admin_forget(&p->admin);
	ports_free(*ports, p->ports);
	*ports = NULL;
	return false;
}

/* --- reload --- */

static void
note_key(struct parent *p, const struct conf *c)
{
	const struct where *at = &c->inspection.ca_key_at;

	snprintf(p->key_at, sizeof p->key_at, "%s:%" PRIu32 ": ca-key", at->file < c->n_files ? c->files[at->file].path : "", at->line);
}

void
parent_reload_drop(struct parent *p)
{
	ports_free(p->next_ports, p->ports);
	p->next_ports = NULL;
	if (p->next_snapshot >= 0)
		close(p->next_snapshot);
	p->next_snapshot = -1;
	bureau_plan_clear(&p->next_plan);
	p->has_next_plan = false;
	forget_numbers(p);
	rounds_forget(&p->rounds);
	admin_forget(&p->admin);
	p->will_hold[0] = '\0';
	commands_forget(&p->commands);
	timer_clear(&p->deadline);
	p->state = PARENT_SERVING;
	notify("READY=1");
}

void
parent_go_on(struct parent *p)
{
	if (p->again)
		parent_reload(p);
	else if (p->upgrade_next)
		parent_upgrade(p);
}

static void
reload_finish(struct parent *p)
{
	struct ports *old = p->ports;
	char          summary[240];
	bool          reloaded; /* not only files read anew */

	p->generation++;
	census_applied(p->shared, p->generation);
	p->ports = p->next_ports;
	p->next_ports = NULL;
	reloaded = p->next_numbers != NULL;
	take_on(p);
	ledger_use(&p->crew.ledger, p->shared, p->generation, reloaded);
	if (p->has_next_plan)
		bureaus_plan(&p->crew.bureaus, &p->next_plan);
	p->has_next_plan = false;
	admin_take(&p->admin);
	rounds_take(&p->rounds);
	crew_go(&p->crew, p->next_snapshot, p->generation, p->ports);
	close(p->snapshot);
	p->snapshot = p->next_snapshot;
	p->next_snapshot = -1;
	say_listening(p->ports, old, "listening on", NULL);
	say_listening(old, p->ports, "no longer listening on", NULL);
	ports_free(old, p->ports);
	timer_clear(&p->deadline);
	p->state = PARENT_SERVING;
	if (p->will_hold[0] && strcmp(p->holds, p->will_hold) != 0)
		log_info("reloaded: generation %" PRIu64 " is in use: %s; before: %s", p->generation, p->will_hold, p->holds);
	else
		log_info("reloaded: generation %" PRIu64 " is in use: %s", p->generation, p->holds);
	snprintf(summary, sizeof summary, "generation %" PRIu64 " is in use: %s", p->generation, p->will_hold);
	commands_reloaded(&p->commands, summary);
	log_threshold(p->next_level);
	if (p->will_hold[0])
		memcpy(p->holds, p->will_hold, sizeof p->holds);
	p->will_hold[0] = '\0';
	notify("READY=1");
	parent_go_on(p);
}

static void
reload_abort(struct parent *p, const char *why)
{
	log_error("reload failed: %s; generation %" PRIu64 " stays in use", why, p->generation);
	census_refused(p->shared);
	crew_forget(&p->crew);
	parent_reload_drop(p);
	commands_not_reloaded(&p->commands, why);
	parent_go_on(p);
}

/* A listener's key or certificate: the only thing that a worker can say more of than want of memory. */
static void
refused_by_worker(struct parent *p)
{
	char why[sizeof p->crew.refusal + 600];

	snprintf(why, sizeof why, "%s: %s", keys_where(p->next_ports->keys, p->crew.refused_listener), p->crew.refusal);
	reload_abort(p, p->crew.refusal[0] ? why : "a process could not use the new configuration");
}

static void
refused_by_signer(struct parent *p)
{
	char why[sizeof p->key_at + CHANNEL_DATA_MAX + 2];

	snprintf(why, sizeof why, "%s: %s", p->key_at, p->crew.bureaus.refusal);
	reload_abort(p, why);
}

static void
reload_begin(struct parent *p)
{
	p->state = PARENT_RELOADING;
	timer_set(p->loop, &p->deadline, RELOAD_WAIT_MS);
	crew_prepare(&p->crew, p->next_snapshot, p->generation + 1, p->next_ports);
	if (p->has_next_plan)
		bureaus_prepare(&p->crew.bureaus, &p->next_plan, p->next_snapshot, p->generation + 1);
}

/* A process that is starting would have to be told of two configurations at once; and what is being handed over must not change. */
bool
parent_is_settled(const struct parent *p)
{
	return p->state == PARENT_SERVING && !upgrade_is_under_way(&p->upgrade) && crew_has_applied(&p->crew, p->generation);
}

void
parent_reload(void *arg)
{
	struct parent *p = arg;
	char           why[300];
	struct report  r;
	struct conf   *c;

	if (!parent_is_settled(p)) {
		p->again = p->state < PARENT_DRAINING;
		if (p->state == PARENT_SERVING)
			timer_set(p->loop, &p->deadline, RELOAD_WAIT_MS);
		return;
	}
	p->again = false;
	commands_reload_begins(&p->commands);
	timer_clear(&p->deadline);
	notify("RELOADING=1\nMONOTONIC_USEC=%" PRIu64, clock_mono_us());
	report_init(&r);
	c = conf_load(p->options.conf, &r);
	if (c && build(p, c, &r, &p->next_ports, &p->next_snapshot)) {
		if (strcmp(c->gateway.user, p->user) != 0)
			report_warn(&r, c->gateway.user_at, "user = %s takes effect at the next start only; it is %s now", c->gateway.user, p->user);
		if (workers_of(c) != p->workers)
			report_warn(&r, c->gateway.workers_at, "workers = %" PRIu32 " takes effect at the next start only; there are %" PRIu32 " now",
			    workers_of(c), p->workers);
		if (!p->pid.path != !c->gateway.pid_file || (p->pid.path && strcmp(p->pid.path, c->gateway.pid_file) != 0))
			report_warn(&r, c->gateway.pid_file_at, "pid-file takes effect at the next start or upgrade only");
		commands_problems(&p->commands, &r, c);
		note_counts(c, p->will_hold, sizeof p->will_hold);
		note_key(p, c);
		p->next_level = (enum log_level)c->gateway.log_level;
		reload_begin(p);
	} else {
		census_refused(p->shared);
		commands_problems(&p->commands, &r, c);
		snprintf(why, sizeof why, "%zu error%s in %s", r.errors, r.errors == 1 ? "" : "s", p->options.conf);
		commands_not_reloaded(&p->commands, why);
		log_error("reload refused: %zu error%s in %s; generation %" PRIu64 " stays in use", r.errors, r.errors == 1 ? "" : "s", p->options.conf, p->generation);
		notify("READY=1");
	}
	conf_free(c);
	report_clear(&r);
}

/* --- the files that a snapshot carries --- */

static int
refresh(struct parent *p)
{
	struct report r;
	int           fd;

	report_init(&r);
	fd = snapshot_refresh(p->snapshot, p->generation + 1, &r);
	for (size_t i = 0; i < r.n; i++)
		log_warn("%s", r.v[i].text);
	report_clear(&r);
	return fd;
}

/* The configuration stays; only what is known of this machine's names, of roots and of what is revoked is new. */
static void
on_look(void *arg)
{
	struct parent *p = arg;
	char           name[1024];
	uint64_t       changed;

	timer_set(p->loop, &p->look, LOOK_MS);
	bureaus_look(&p->crew.bureaus);
	crew_add_up(&p->crew);
	if (!parent_is_settled(p))
		return; /* asked again soon */
	changed = snapshot_changed(p->snapshot, name, sizeof name);
	if (!changed || changed == p->tried)
		return;
	p->tried = changed;
	p->next_ports = ports_again(p->ports);
	p->next_snapshot = p->next_ports ? refresh(p) : -1;
	if (p->next_snapshot < 0) {
		log_warn("%s changed, but could not be taken on: %s", name, strerror(errno));
		parent_reload_drop(p);
		return;
	}
	log_info("%s changed", name);
	p->next_level = log_most;
	reload_begin(p);
}

/* --- the end --- */

static void
late_to_prepare(struct parent *p)
{
	const struct member *m = crew_unprepared(&p->crew, p->generation + 1);
	char                 why[120];

	/* else the signer, which has a deadline of its own */
	snprintf(why, sizeof why, "%s (pid %d) did not prepare the new configuration in time", m ? m->name : "a process", m ? (int)m->pid : 0);
	reload_abort(p, why);
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
		if (crew_has_refused(&p->crew))
			refused_by_worker(p);
		else if (p->crew.bureaus.refusal[0])
			refused_by_signer(p);
		else if (crew_is_prepared(&p->crew, p->generation + 1) && bureaus_is_prepared(&p->crew.bureaus, p->generation + 1))
			reload_finish(p);
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
	ok = build(p, c, r, &p->next_ports, &p->snapshot);
	ports_free(p->ports, p->next_ports);
	p->ports = p->next_ports;
	p->next_ports = NULL;
	return ok;
}

/* The first configuration. False: the exit code is set. */
static bool
parent_begin(struct parent *p)
{
	struct start  start = {0};
	struct report r;
	struct conf  *c;
	bool          ok = false;

	log_info("version " PACKAGE_VERSION " starts, with %s", p->options.conf);
	if (getrandom(p->log_key, sizeof p->log_key, 0) != (ssize_t)sizeof p->log_key) {
		log_error("cannot get random bytes: %s", strerror(errno));
		p->code = 1;
		return false;
	}
	report_init(&r);
	c = conf_load(p->options.conf, &r);
	p->code = 2;
	if (c) {
		p->workers = p->heir.workers ? p->heir.workers : workers_of(c);
		p->user = strdup(c->gateway.user);
		if (!p->user)
			report_error(&r, c->gateway.user_at, "out of memory");
		start.jit = c->gateway.regex_jit != TRI_NO;
		ok = p->user && find_user(c, &start, &r);
		ports_take_passed();
		ports_name_unused(c, &r);
		ok = parent_hold_pid_file(p, c, &r) && ok;
		ok = parent_share(p) && first_build(p, c, &r) && ok;
	}
	commands_problems(&p->commands, &r, c);
	if (ok) {
		p->next_level = (enum log_level)c->gateway.log_level;
		log_threshold(p->next_level);
		p->generation = 1;
		p->code = 1;
		ok = watch_signals(p) && crew_init(&p->crew, p->loop, p->workers, &start, p->shared, p->shared_fd) && rounds_init(&p->rounds, &p->crew);
		if (ok) {
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
			take_on(p);
			ledger_use(&p->crew.ledger, p->shared, p->generation, false);
			crew_start(&p->crew, p->snapshot, p->generation, p->ports);
			timer_set(p->loop, &p->look, LOOK_MS);
			p->code = 0;
		} else {
			log_error("cannot start: %s", strerror(errno));
		}
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
	timer_init(&p->look, on_look, p);
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
	forget_numbers(p);
	loop_free(p->loop);
	free(p->user);
	free(p);
	return code;
}
