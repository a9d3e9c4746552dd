/* SPDX-License-Identifier: MIT */
#include "proc/commands.h"

#include <fcntl.h>
#include <grp.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "proc/tell.h"

#define SAMPLE_MS     5000u
#define PROGRESS_MS   1000u
#define ROTATE_MS     5000u
#define CHANGES_LOGGED 20u   /* lines in the operations log */
#define CHANGES_TOLD   2000u /* and in an answer */

/* --- requests --- */

static void
ask_reload(struct commands *m, struct control_client *c)
{
	c->waits = WAIT_RELOAD_TO_COME;
	m->doings->reload(m->parent);
}

static void
ask_drain(struct commands *m, struct control_client *c)
{
	uint64_t ms = UINT64_MAX;

	if (c->n_words > 1) {
		char *end;
		ms = strtoull(c->word[1], &end, 10);
		if (*end || c->word[1][0] == '-' || ms > UINT64_C(86400000)) {
			control_say(c, 'e', "want drain [MILLISECONDS], at most a day");
			control_end(c, 2);
			return;
		}
	}
	c->waits = WAIT_DRAIN;
	if (m->draining)
		return; /* it hears how that goes */
	m->doings->drain(m->parent, ms);
}

static void
ask_upgrade(struct commands *m, struct control_client *c)
{
	c->waits = WAIT_UPGRADE;
	m->doings->upgrade(m->parent);
}

static void
ask_rotate(struct commands *m, struct control_client *c)
{
	c->waits = WAIT_ROTATE;
	if (m->doings->rotate(m->parent))
		timer_set(m->crew->loop, &m->rotated, ROTATE_MS);
	else
		commands_rotated(m, 0, SPAN(""));
}

static void
ask_sessions(struct commands *m, struct control_client *c)
{
	sightings_ask(&m->sightings, c);
}

static void
ask_kill(struct commands *m, struct control_client *c)
{
	ends_ask(&m->ends, c);
}

static const struct {
	const char *word;
	bool        commands; /* does something */
	void      (*answer)(struct commands *m, struct control_client *c);
} requests[] = {
	{"reload", true, ask_reload},
	{"drain", true, ask_drain},
	{"upgrade", true, ask_upgrade},
	{"rotate", true, ask_rotate},
	{"kill", true, ask_kill},
	{"status", false, answer_status},
	{"rules", false, answer_rules},
	{"lists", false, answer_lists},
	{"doctor", false, answer_doctor},
	{"sessions", false, ask_sessions},
	{"suggest", false, answer_suggest},
};

/* Where the gateway was started without privileges, its processes have its user; traffic must not command it, whatever it did to one of them. */
static bool
is_child(const struct commands *m, pid_t pid)
{
	if (pid <= 0) /* of another PID namespace, where none of ours is */
		return false;
	for (uint32_t i = 0; i < m->crew->n_workers; i++)
		if (m->crew->worker[i].pid == pid)
			return true;
	for (uint32_t i = 0; i < BUREAUS; i++)
		if (m->crew->bureaus.bureau[i].m.pid == pid)
			return true;
	return m->crew->logger.pid == pid || (m->crew->rounds && m->crew->rounds->m.pid == pid) || (m->crew->admin && m->crew->admin->m.pid == pid);
}

static void
on_request(void *arg, struct control_client *c)
{
	static struct log_limit unknown, forbidden;
	struct commands        *m = arg;

	for (size_t i = 0; i < sizeof requests / sizeof *requests; i++) {
		if (strcmp(c->word[0], requests[i].word) != 0)
			continue;
		if (requests[i].commands && (!c->may_command || is_child(m, c->pid))) {
			log_write_limited(&forbidden, LOG_LEVEL_INFO, "control: uid %u (pid %d) may ask, but not command: %s", (unsigned)c->uid, (int)c->pid, requests[i].word);
			control_say(c, 'e', "you may ask this gateway, but not command it");
			control_end(c, 1);
			return;
		}
		if (requests[i].commands && m->draining && requests[i].answer != ask_drain && requests[i].answer != ask_kill) {
			control_say(c, 'e', "the gateway was told to stop");
			control_end(c, 1);
			return;
		}
		if (requests[i].commands)
			log_info("control: uid %u (pid %d) says %s", (unsigned)c->uid, (int)c->pid, requests[i].word);
		requests[i].answer(m, c);
		return;
	}
	log_write_limited(&unknown, LOG_LEVEL_WARN, "control: uid %u (pid %d) asks for something unknown", (unsigned)c->uid, (int)c->pid);
	control_say(c, 'e', "there is no such request; want reload, drain, upgrade, rotate, kill, status, sessions, rules, lists, suggest or doctor");
	control_end(c, 2);
}

static void
on_gone(void *arg, struct control_client *c)
{
	(void)arg;
	if (c->listing_gone)
		c->listing_gone(c);
	else
		sightings_gone(c);
}

/* --- what changed --- */

struct changes {
	char  *text; /* owned: a line each */
	size_t n, room, lines;
};

static void
note_change(void *arg, const char *text)
{
	struct changes *c = arg;
	char            line[1200];
	size_t          n;

	if (c->lines++ < CHANGES_LOGGED)
		log_info("reload: %s", text);
	if (c->lines > CHANGES_TOLD)
		return;
	control_escape(span_str(text), line, sizeof line);
	n = strlen(line);
	if (c->n + n + 1 > c->room) {
		size_t room = (c->n + n + 1) * 2;
		char  *p = realloc(c->text, room);
		if (!p)
			return;
		c->text = p;
		c->room = room;
	}
	memcpy(c->text + c->n, line, n);
	c->text[c->n + n] = '\n';
	c->n += n + 1;
}

/* {"result":"...","said":"...","changes":[...],"problems":[...]}, of lines that are escaped for a terminal already. */
static void
say_json(struct control_client *c, const char *result, uint64_t generation, const char *said, const char *text, const char *problems)
{
	char   line[9000];
	bool   first = true;
	struct {
		const char *key, *text;
	} part[2] = {{"changes", text}, {"problems", problems}};

	control_say(c, '.', "{\"result\":\"%s\",\"generation\":%" PRIu64 ",\"said\":%s", result, generation, control_escape_json(span_str(said), line, sizeof line));
	for (unsigned i = 0; i < 2; i++) {
		control_say(c, '.', ",\"%s\":[", part[i].key);
		first = true;
		for (const char *p = part[i].text, *end; p && *p; p = *end ? end + 1 : end) {
			end = strchrnul(p, '\n');
			control_say(c, '.', "%s%s", first ? "" : ",", control_escape_json(span_of(p, (size_t)(end - p)), line, sizeof line));
			first = false;
		}
		control_say(c, '.', "]");
	}
	control_say(c, '.', "}");
}

static uint64_t
generation(const struct commands *m)
{
	struct command_view v = {0};

	m->doings->look(m->parent, &v);
	return v.generation;
}

static void
reply(struct commands *m, unsigned waits, bool well, const char *result, const char *text, const char *said)
{
	const char *problems = waits == WAIT_RELOAD ? m->problems : NULL;

	for (struct control_client *c = NULL; (c = control_next(m->control, c));) {
		if (c->waits != waits)
			continue;
		if (c->json) {
			say_json(c, result, generation(m), said, text, problems);
		} else {
			if (problems)
				control_lines(c, 'e', problems, strlen(problems));
			control_say(c, well ? '.' : 'e', "%s", said);
			if (text)
				control_lines(c, '.', text, strlen(text));
		}
		control_end(c, well ? 0 : 1);
	}
}

void
commands_reload_begins(struct commands *m)
{
	free(m->problems);
	m->problems = NULL;
	for (struct control_client *c = NULL; (c = control_next(m->control, c));)
		if (c->waits == WAIT_RELOAD_TO_COME)
			c->waits = WAIT_RELOAD;
}

void
commands_problems(struct commands *m, const struct report *r, const struct conf *c)
{
	size_t n;
	FILE  *f;

	report_print(r, c, stderr);
	free(m->problems);
	m->problems = NULL;
	if (!r->n)
		return;
	f = open_memstream(&m->problems, &n);
	if (!f)
		return;
	report_print(r, c, f);
	fclose(f);
}

void
commands_reloaded(struct commands *m, const char *summary)
{
	struct changes c = {0};
	struct outline *before = m->outline;
	char           said[400];
	bool           is_new = m->has_next;

	if (is_new && before && m->next_outline)
		outline_diff(before, m->next_outline, note_change, &c);
	if (c.lines > CHANGES_LOGGED)
		log_info("reload: %zu more changes", c.lines - CHANGES_LOGGED);
	commands_use(m);
	if (c.text)
		c.text[c.n ? c.n - 1 : 0] = '\0';
	snprintf(said, sizeof said, "reloaded: %s; %s", summary, c.lines == 1 ? "1 change" : c.lines ? "" : "nothing changed");
	if (c.lines > 1)
		snprintf(said + strlen(said), sizeof said - strlen(said), "%zu changes%s", c.lines, c.lines > CHANGES_TOLD ? ", the first of them:" : "");
	if (is_new)
		reply(m, WAIT_RELOAD, true, "reloaded", c.text, said);
	free(c.text);
}

void
commands_not_reloaded(struct commands *m, const char *why)
{
	char text[1400], line[1100];

	commands_forget(m);
	snprintf(text, sizeof text, "not reloaded: %s; generation %" PRIu64 " stays in use", control_escape(span_str(why), line, sizeof line), generation(m));
	reply(m, WAIT_RELOAD, false, "refused", NULL, text);
}

void
commands_upgraded(struct commands *m, bool well, const char *how)
{
	char line[1400];

	free(m->problems);
	m->problems = NULL;
	control_escape(span_str(how), line, sizeof line);
	reply(m, WAIT_UPGRADE, well, well ? "upgraded" : "refused", NULL, line);
	/* who asked for a reload meanwhile: the new program has read the configuration anew, a moment ago or now */
	if (well)
		reply(m, WAIT_RELOAD_TO_COME, true, "upgraded", NULL, line);
}

void
commands_rotated(struct commands *m, uint64_t failed, struct span first)
{
	char line[1100], text[1300];

	timer_clear(&m->rotated);
	if (failed)
		snprintf(text, sizeof text, "not rotated: %" PRIu64 " of the access logs cannot be opened anew, the first of them %s; the operations log says why", failed,
		    control_escape(first, line, sizeof line));
	else
		snprintf(text, sizeof text, "the files of the access logs are opened anew");
	reply(m, WAIT_ROTATE, failed == 0, failed ? "refused" : "rotated", NULL, text);
}

static void
on_rotate_late(void *arg)
{
	reply(arg, WAIT_ROTATE, false, "refused", NULL, "not rotated: the logger has not answered; see the operations log");
}

/* --- drain --- */

static uint64_t
connections(const struct commands *m)
{
	uint64_t n = 0;

	for (uint32_t i = 0; m->shared && i < m->shared->n_workers; i++)
		n += m->crew->worker[i].pid ? m->shared->worker[i].counters.open : 0;
	return n;
}

/* Where memory was short, the next tick tries again; who has connected meanwhile waits. */
static void
answer_begin(struct commands *m)
{
	static struct log_limit limit;

	m->control = control_new(m->crew->loop, on_request, m);
	if (!m->control) {
		log_write_limited(&limit, LOG_LEVEL_WARN, "control: out of memory: nobody is answered for now");
		return;
	}
	control_on_gone(m->control, on_gone);
	sightings_init(&m->sightings, m->crew, m->control);
	ends_init(&m->ends, m->crew, m->control);
	control_listen(m->control, m->place);
}

static void
on_tick(void *arg)
{
	struct commands    *m = arg;
	struct command_view v = {0};

	if (!m->control)
		answer_begin(m);
	timer_set(m->crew->loop, &m->tick, m->draining ? PROGRESS_MS : SAMPLE_MS);
	note_clock();
	if (!m->draining) {
		m->sample[0] = m->sample[1];
		answer_sample(m, &m->sample[1]);
		return;
	}
	m->doings->look(m->parent, &v);
	for (struct control_client *c = NULL; (c = control_next(m->control, c));)
		if (c->waits == WAIT_DRAIN)
			control_say(c, '.', c->json ? "{\"state\":\"draining\",\"connections\":%" PRIu64 ",\"seconds_left\":%" PRIu64 "}" :
			            connections(m) == 1 ? "draining: %" PRIu64 " connection left, %" PRIu64 " s left" :
			            "draining: %" PRIu64 " connections left, %" PRIu64 " s left", connections(m), (v.left_ms + 999) / 1000);
}

void
commands_draining(struct commands *m)
{
	m->draining = true;
	free(m->problems); /* those of a reload that was answered */
	m->problems = NULL;
	reply(m, WAIT_RELOAD, false, "refused", NULL, "not reloaded: the gateway was told to stop");
	reply(m, WAIT_RELOAD_TO_COME, false, "refused", NULL, "not reloaded: the gateway was told to stop");
	reply(m, WAIT_UPGRADE, false, "refused", NULL, "not upgraded: the gateway was told to stop");
	on_tick(m);
}

void
commands_drained(struct commands *m)
{
	uint64_t cut = 0;
	char     text[160];

	for (uint32_t i = 0; m->shared && i < m->shared->n_workers; i++)
		cut += m->shared->worker[i].counters.by_fault[FAULT_DRAINED];
	if (cut)
		snprintf(text, sizeof text, "stopped: %" PRIu64 " request%s cut off", cut, cut == 1 ? " or tunnel was" : "s or tunnels were");
	else
		snprintf(text, sizeof text, "stopped: nothing was cut off");
	free(m->problems);
	m->problems = NULL;
	reply(m, WAIT_DRAIN, true, "drained", NULL, text);
}

/* --- the configuration --- */

static bool
is_same_place(const struct control_place *p, const struct conf_gateway *g)
{
	const struct group *group = g->control_group ? getgrnam(g->control_group) : NULL;

	if (!p || !g->control)
		return !p && !g->control;
	if (strcmp(p->path, g->control) != 0 || p->has_group != (g->control_group != NULL))
		return false;
	return !p->has_group || (group && group->gr_gid == p->group);
}

bool
commands_prepare(struct commands *m, const struct conf *c, struct report *r, int adopted)
{
	const struct conf_gateway *g = &c->gateway;
	char                       why[200];

	commands_forget(m);
	m->next_outline = outline_new(c);
	m->next_file = c->n_files ? realpath(c->files[0].path, NULL) : NULL;
	m->has_next = true;
	m->next_place = m->place;
	if (is_same_place(m->place, g))
		return true;
	m->next_place = NULL;
	if (!g->control)
		return true;
	/* the same path with another group: the socket stays, its mode changes */
	if (m->place && strcmp(m->place->path, g->control) == 0)
		adopted = fcntl(m->place->fd, F_DUPFD_CLOEXEC, 0);
	m->next_place = adopted >= 0 ? control_place_adopt(adopted, g->control, g->control_group, why, sizeof why) :
	                               control_place_open(g->control, g->control_group, why, sizeof why);
	if (m->next_place)
		return true;
	m->has_next = false;
	report_error(r, g->control_at, "control = %s: %s", g->control, why);
	return false;
}

void
commands_forget(struct commands *m)
{
	if (m->has_next && m->next_place != m->place)
		control_place_free(m->next_place, !m->borrowed && (!m->place || !m->next_place || strcmp(m->place->path, m->next_place->path) != 0));
	m->next_place = NULL;
	outline_free(m->next_outline);
	m->next_outline = NULL;
	free(m->next_file);
	m->next_file = NULL;
	m->has_next = false;
}

void
commands_use(struct commands *m)
{
	struct control_place *old = m->place;

	if (!m->has_next)
		return;
	m->has_next = false;
	m->place = m->next_place;
	m->next_place = NULL;
	if (old != m->place) {
		if (m->place && !m->borrowed)
			control_place_use(m->place);
		control_listen(m->control, m->place);
		control_place_free(old, !m->place || !old || strcmp(old->path, m->place->path) != 0);
	}
	outline_free(m->outline);
	m->outline = m->next_outline;
	m->next_outline = NULL;
	free(m->file);
	m->file = m->next_file;
	m->next_file = NULL;
}

void
commands_init(struct commands *m, struct crew *crew, const struct command_doings *doings, void *parent, bool borrowed)
{
	*m = (struct commands){.crew = crew, .doings = doings, .parent = parent, .started_us = clock_mono_us(), .borrowed = borrowed};
	timer_init(&m->tick, on_tick, m);
	timer_init(&m->rotated, on_rotate_late, m);
}

void
commands_give_away(struct commands *m, const char *how)
{
	commands_upgraded(m, true, how);
	control_listen(m->control, NULL);
	control_place_free(m->place, false); /* else it would seem alive when its new owner is not */
	m->place = NULL;
}

void
commands_start(struct commands *m, const struct shared *shared)
{
	m->shared = shared;
	m->borrowed = false;
	if (m->place)
		control_place_use(m->place);
	sightings_init(&m->sightings, m->crew, NULL);
	on_tick(m);
}

void
commands_clear(struct commands *m)
{
	timer_clear(&m->tick);
	timer_clear(&m->rotated);
	commands_forget(m);
	if (m->sightings.crew)
		sightings_clear(&m->sightings);
	ends_clear(&m->ends);
	control_free(m->control);
	control_place_free(m->place, !m->borrowed);
	outline_free(m->outline);
	free(m->file);
	free(m->problems);
}
