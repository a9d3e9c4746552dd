/* SPDX-License-Identifier: MIT */
/* hand_over: the parent's end, by a drain or an upgrade, and what it takes over from one before it. */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "proc/census.h"
#include "proc/legacy.h"
#include "proc/parent_inside.h"
#include "proc/tell.h"

#define UPGRADED_MS    86400000u /* after an upgrade: for what is under way here; nothing waits for it */

/* Take no more, let what is under way end, and go. */
static void
leave(struct parent *p, uint64_t within_ms, bool gentle)
{
	p->state = PARENT_DRAINING;
	p->gentle = gentle;
	p->cut_at_us = clock_mono_us() + within_ms * 1000;
	census_state(p->shared, GATEWAY_DRAINING);
	timer_set(p->loop, &p->deadline, within_ms + LATE_MS);
	crew_drain_workers(&p->crew, within_ms, gentle);
	/* new clients are refused at once, not left in a queue that nobody reads; after an upgrade another process has these sockets too */
	ports_free(p->ports, NULL);
	p->ports = NULL;
	crew_reap(&p->crew);
}

void
parent_stop(void *arg)
{
	struct parent *p = arg;

	if (p->state >= PARENT_LEAVING && !p->gentle) {
		log_warn("told to stop again: the rest is cut off");
		p->state = PARENT_DRAINING;
		crew_kill(&p->crew);
		return;
	}
	if (p->state == PARENT_RELOADING)
		parent_reload_drop(p);
	upgrade_settle(&p->upgrade);
	upgrade_abandon(&p->upgrade);
	if (!p->gentle)
		notify("STOPPING=1");
	log_info("told to stop: draining; what is under way gets %" PRIu64 ".%03" PRIu64 " s", p->drain_ms / 1000, p->drain_ms % 1000);
	if (p->delay_ms && p->state < PARENT_LEAVING) {
		log_info("new connections are taken for %" PRIu64 ".%03" PRIu64 " s more", p->delay_ms / 1000, p->delay_ms % 1000);
		p->state = PARENT_LEAVING;
		p->cut_at_us = clock_mono_us() + (p->delay_ms + p->drain_ms) * 1000;
		census_state(p->shared, GATEWAY_DRAINING);
		timer_set(p->loop, &p->deadline, p->delay_ms);
	} else {
		leave(p, p->drain_ms, false);
	}
	commands_draining(&p->commands);
}

void
parent_leave(struct parent *p)
{
	log_info("no more connections are taken");
	leave(p, p->drain_ms, false);
}

/* --- upgrade --- */

/* The program that was started in our place serves, or is gone. */
void
parent_upgraded(void *arg, bool serves, const char *how)
{
	struct parent *p = arg;
	char           text[1300];

	if (!serves) {
		log_error("upgrade failed: %s; this program goes on", how);
		pid_file_write(&p->pid); /* it may have been about to take over */
		snprintf(text, sizeof text, "not upgraded: %s; the old one goes on", how);
		commands_upgraded(&p->commands, false, text);
		parent_go_on(p);
		return;
	}
	log_info("upgraded: %s; here, what is under way may end", how);
	notify("MAINPID=%d\nREADY=1\nSTATUS=serving", (int)p->upgrade.pid);
	timer_clear(&p->watchdog); /* that one's loop is to be watched now */
	snprintf(text, sizeof text, "upgraded: %s; what was under way ends in the old one", how);
	commands_give_away(&p->commands, text);
	pid_file_close(&p->pid, false);
	ports_leave_files(p->ports);
	admin_give_away(&p->admin);
	if (p->again)
		kill(p->upgrade.pid, SIGHUP);
	leave(p, UPGRADED_MS, true);
}

/* `hits`: -1, or memory that the next program may have. */
static bool
bequeath(const struct parent *p, int hits, struct estate *e)
{
	const struct control_place *place = p->commands.place;

	return (hits < 0 || estate_add(e, 0, hits, "hits")) && ports_bequeath(p->ports, e) && admin_bequeath(&p->admin, e) && estate_add(e, p->workers, -1, "workers") && (!place || estate_add(e, 0, place->fd, "control %s", place->path)) &&
	    (p->pid.fd < 0 || estate_add(e, 0, p->pid.fd, "pid %s", p->pid.path));
}

void
parent_upgrade(void *arg)
{
	struct parent *p = arg;
	char *const    argv[] = {p->upgrade.program, (char *)(uintptr_t) "run", (char *)(uintptr_t) "-c", (char *)(uintptr_t)p->options.conf,
		p->options.report_only ? (char *)(uintptr_t) "--report-only" : NULL, NULL};
	struct estate  e = {0};
	int            hits;

	if (p->state == PARENT_SERVING && upgrade_is_under_way(&p->upgrade)) {
		log_info("told to upgrade, which is under way already");
		return;
	}
	if (!parent_is_settled(p)) {
		p->upgrade_next = p->state < PARENT_DRAINING;
		if (p->state == PARENT_SERVING)
			timer_set(p->loop, &p->deadline, RELOAD_WAIT_MS);
		return;
	}
	p->upgrade_next = false;
	timer_clear(&p->deadline);
	log_info("told to upgrade: %s is started", p->upgrade.program);
	crew_add_up(&p->crew);
	hits = legacy_write(&p->crew.ledger, p->shared);
	if (!bequeath(p, hits, &e))
		parent_upgraded(p, false, "out of memory");
	else if (!upgrade_begin(&p->upgrade, &e, argv, p->upgrade_ms))
		parent_upgraded(p, false, p->upgrade.why);
	estate_clear(&e);
	if (hits >= 0)
		close(hits);
}

void
parent_watchdog(void *arg)
{
	struct parent *p = arg;
	uint64_t       every_ms = notify_interval_ms();

	if (!every_ms)
		return;
	notify("WATCHDOG=1");
	timer_set(p->loop, &p->watchdog, every_ms);
}

/* Nobody was there before us, or is any more: what only one can have is ours. */
void
parent_take_over(void *arg)
{
	struct parent *p = arg;

	if (!pid_file_write(&p->pid))
		log_warn("pid-file %s cannot be written: %s", p->pid.path, strerror(errno));
	heir_clear(&p->heir);
	ports_own_files(p->ports);
	ports_use(p->ports);
	commands_start(&p->commands, p->shared);
	notify("READY=1\nSTATUS=serving");
	parent_watchdog(p);
	parent_go_on(p);
}

/* --- what is asked of us at the control socket --- */

void
parent_drain(void *parent, uint64_t within_ms)
{
	struct parent *p = parent;

	if (within_ms != UINT64_MAX)
		p->drain_ms = within_ms;
	parent_stop(p);
}

void
parent_look(void *parent, struct command_view *v)
{
	static const char *const word[] = {[PARENT_STARTING] = "starting", [PARENT_SERVING] = "serving", [PARENT_RELOADING] = "reloading", [PARENT_LEAVING] = "draining",
		[PARENT_DRAINING] = "draining", [PARENT_FLUSHING] = "draining"};
	const struct parent     *p = parent;
	uint64_t                 now = clock_mono_us();

	*v = (struct command_view){.state = upgrade_is_under_way(&p->upgrade) && p->state == PARENT_SERVING ? "upgrading" : word[p->state],
		.generation = p->generation, .holds = p->holds};
	if (p->state >= PARENT_LEAVING && p->cut_at_us > now)
		v->left_ms = (p->cut_at_us - now) / 1000;
}

bool
parent_hold_pid_file(struct parent *p, const struct conf *c, struct report *r)
{
	const char *path = c->gateway.pid_file;
	int         fd = path ? estate_take(&p->heir.estate, 0, "pid %s", path) : -1;
	char        why[120];

	if (!path || r->errors || (fd >= 0 ? pid_file_adopt(&p->pid, fd, path) : pid_file_open(&p->pid, path, why, sizeof why)))
		return true;
	report_error(r, c->gateway.pid_file_at, "pid-file = %s: %s", path, fd >= 0 ? "out of memory" : why);
	return false;
}
