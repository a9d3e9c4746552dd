/* SPDX-License-Identifier: MIT */
#include "proc/census.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "auth/back.h"
#include "base/clock.h"
#include "base/log.h"
#include "proc/member.h"

void
census_begin(struct shared *s)
{
	s->census.started_real_us = clock_real_us();
	s->census.state = GATEWAY_STARTING;
	census_turns(s, clock_mono_us());
}

void
census_state(struct shared *s, enum gateway_state state)
{
	s->census.state = state;
}

void
census_applied(struct shared *s, uint64_t generation)
{
	s->census.generation = generation;
	s->census.reloaded_real_us = clock_real_us();
	s->census.reload_failed = false;
	if (generation > 1)
		s->census.reloads++;
}

void
census_refused(struct shared *s)
{
	s->census.reloads_refused++;
	s->census.reload_failed = true;
}

struct slots *
census_number(const struct shared *s, struct conf *c, uint64_t generation)
{
	struct slots *numbers = malloc(sizeof *numbers);

	if (!numbers)
		return NULL;
	*numbers = s->slots;
	slots_assign(numbers, c, generation);
	return numbers;
}

static bool
changes_hands(const struct slot_name *from, const struct slot_name *to)
{
	return from->name[0] && strcmp(from->name, to->name) != 0;
}

/* Workers may be counting there this very moment: then one of their stores comes after ours, and the newcomer begins with it. */
void
census_renumber(struct shared *s, const struct slots *numbers)
{
	for (uint32_t i = 1; i < RULE_SLOTS; i++)
		for (uint32_t w = 0; changes_hands(&s->slots.rule[i], &numbers->rule[i]) && w < s->n_workers; w++)
			memset(&s->worker[w].rule[i], 0, sizeof s->worker[w].rule[i]);
	for (uint32_t i = 1; i < LISTENER_COUNTS; i++)
		for (uint32_t w = 0; changes_hands(&s->slots.listener[i], &numbers->listener[i]) && w < s->n_workers; w++)
			memset(&s->worker[w].listener[i], 0, sizeof s->worker[w].listener[i]);
	s->slots = *numbers;
}

void
census_enlist(struct shared *s, struct member *m)
{
	struct census *all = &s->census;

	if (all->n == CENSUS_PROCESSES)
		return;
	m->census = &all->process[all->n];
	snprintf(m->census->name, sizeof m->census->name, "%s", m->name);
	all->n++;
}

void
census_started(struct member *m)
{
	if (!m->census)
		return;
	m->census->generation = 0;
	m->census->since_real_us = clock_real_us();
	m->census->starts++;
	m->census->pid = m->pid;
}

void
census_uses(struct member *m, uint64_t generation)
{
	if (m->census)
		m->census->generation = generation;
}

void
census_ended(struct member *m)
{
	if (!m->census)
		return;
	m->census->pid = 0;
	m->census->silent_s = 0;
	m->census->deaths++;
}

void
census_silent(struct member *m, uint32_t seconds)
{
	if (m->census)
		m->census->silent_s = seconds;
}

void
census_hung(struct member *m)
{
	if (m->census)
		m->census->hangs++;
}

void
census_turns(struct shared *s, uint64_t now_us)
{
	s->census.turned_mono_us = now_us;
}

void
census_say_totals(const struct shared *s)
{
	uint64_t requests = 0, tunnels = 0, inspected = 0, unread = 0, limit = 0, guard = 0, full = 0;

	for (uint32_t i = 0; i < s->n_workers; i++) {
		const struct worker_counters *c = &s->worker[i].counters;
		requests += c->requests;
		tunnels += c->tunnels;
		inspected += c->inspected;
		unread += c->refused_unread;
		limit += c->refused_limit;
		guard += c->guard_closed;
	}
	for (unsigned k = 0; k < BACK_KINDS; k++) {
		const struct auth_stats *a = &s->auth.stats[k];
		if (a->asked)
			log_info("auth %s was asked %" PRIu64 " times: good %" PRIu64 ", refused %" PRIu64 ", unreadable %" PRIu64 ", limited %" PRIu64
			         ", unanswered %" PRIu64,
			    back_word((enum back_kind)k), a->asked, a->ok, a->refused, a->bad, a->limited, a->unavailable);
	}
	if (s->signer.asked)
		log_info("the signer was asked for %" PRIu64 " leaves: made %" PRIu64 ", had %" PRIu64 " already, refused %" PRIu64, s->signer.asked, s->signer.minted,
		    s->signer.cached, s->signer.refused);
	full = s->logger.dropped + s->logger.ring_dropped;
	log_info("stopped. In all: requests %" PRIu64 ", tunnels among them %" PRIu64 ", inspected %" PRIu64 ", tunnels that the guard closed %" PRIu64
	         ", clients closed unread %" PRIu64 ", clients over their limit %" PRIu64 ", log lines lost %" PRIu64,
	    requests, tunnels, inspected, guard, unread, limit, full);
}
