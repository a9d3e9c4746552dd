/* SPDX-License-Identifier: MIT */
/* reload: from a file to a configuration that every process uses, or to none: all of them prepare it, and only then does it count. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "audit/check.h"
#include "base/clock.h"
#include "proc/census.h"
#include "proc/parent_inside.h"
#include "proc/tell.h"

uint32_t
parent_workers_of(const struct conf *c)
{
	long n = c->gateway.workers ? (long)c->gateway.workers : sysconf(_SC_NPROCESSORS_ONLN);

	/* `auto` on a large machine; what is configured is in range */
	return n < 1 ? 1 : n > SHARED_WORKERS_MAX ? SHARED_WORKERS_MAX : (uint32_t)n;
}

static bool
prepare_control(struct parent *p, const struct conf *c, struct report *r)
{
	const char *path = c->gateway.control;

	return commands_prepare(&p->commands, c, r, path ? estate_take(&p->heir.estate, 0, "control %s", path) : -1);
}

void
parent_forget_numbers(struct parent *p)
{
	free(p->next_numbers);
	p->next_numbers = NULL;
}

void
parent_take_on(struct parent *p)
{
	if (!p->next_numbers)
		return;
	ports_use(p->ports);
	census_renumber(p->shared, p->next_numbers);
	parent_forget_numbers(p);
	p->parent_slots = p->next_parent_slots;
	p->delay_ms = p->next_delay_ms;
	p->drain_ms = p->next_drain_ms;
	p->upgrade_ms = p->next_upgrade_ms;
	crew_be_patient(&p->crew, p->next_hang_ms);
}

bool
parent_build(struct parent *p, struct conf *c, struct report *r, struct ports **ports, int *snapshot)
{
	struct endpoint        own[LISTENER_SLOTS + ADMIN_PORTS];
	struct snapshot_inputs in = {.generation = p->generation + 1, .report_only = p->options.report_only, .workers = p->workers, .own = own, .log_key = p->log_key};

	p->next_parent_slots = p->parent_slots;
	parents_assign(&p->next_parent_slots, c, p->generation + 1);
	p->next_delay_ms = c->gateway.drain_delay_ms;
	p->next_drain_ms = c->gateway.drain_timeout_ms;
	p->next_upgrade_ms = c->gateway.upgrade_timeout_ms;
	p->next_hang_ms = c->gateway.hang_timeout_ms;
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
	parent_forget_numbers(p);
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
	parent_forget_numbers(p);
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
	parent_take_on(p);
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

void
parent_reload_abort(struct parent *p, const char *why)
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
	parent_reload_abort(p, p->crew.refusal[0] ? why : "a process could not use the new configuration");
}

static void
refused_by_signer(struct parent *p)
{
	char why[sizeof p->key_at + CHANNEL_DATA_MAX + 2];

	snprintf(why, sizeof why, "%s: %s", p->key_at, p->crew.bureaus.refusal);
	parent_reload_abort(p, why);
}

void
parent_reload_step(struct parent *p)
{
	if (crew_has_refused(&p->crew))
		refused_by_worker(p);
	else if (p->crew.bureaus.refusal[0])
		refused_by_signer(p);
	else if (crew_is_prepared(&p->crew, p->generation + 1) && bureaus_is_prepared(&p->crew.bureaus, p->generation + 1))
		reload_finish(p);
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
	if (c && parent_build(p, c, &r, &p->next_ports, &p->next_snapshot)) {
		if (strcmp(c->gateway.user, p->user) != 0)
			report_warn(&r, c->gateway.user_at, "user = %s takes effect at the next start only; it is %s now", c->gateway.user, p->user);
		if (parent_workers_of(c) != p->workers)
			report_warn(&r, c->gateway.workers_at, "workers = %" PRIu32 " takes effect at the next start only; there are %" PRIu32 " now",
			    parent_workers_of(c), p->workers);
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

void
parent_look_at_files(void *arg)
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
