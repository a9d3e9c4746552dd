/* SPDX-License-Identifier: MIT */
/*
 * check: what a section needs to be whole, and what the sections need together.
 * Leaves the meaning of rules (host patterns, @lists, times) to policy/compile, and format strings to audit/format.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "conf/load.h"

struct where
section_at(const struct section *s, const char *key)
{
	size_t               n;
	const struct option *table = option_table(&n), *o = option_find(s->kind, span_str(key));

	return s->seen[o - table];
}

bool
section_gives(const struct section *s, const char *key)
{
	return section_at(s, key).line != 0;
}

/* What was reported here is put right in the struct, so that policy_compile does not report it again. */
static void
check_rule(struct load *l, const struct section *s)
{
	struct conf_rule *rule = s->base;
	bool              has_action = section_gives(s, "action");

	rule->has_action = true;
	if (!has_action) {
		rule->action_at = s->at;
		report_error(l->r, s->at, "[rule %.*s] has no action; want action = bypass, tunnel, inspect or deny", SHOW(s->name));
	}
	if (has_action && rule->action != ACTION_BYPASS && section_gives(s, "guard"))
		report_find(l->r, FINDING_NO_EFFECT, s->at, "[rule %.*s] has a guard, but only bypass rules are guarded", SHOW(s->name));
}

void
check_section(struct load *l, const struct section *s)
{
	check_rates(l, s);
	switch (s->kind) {
	case SECTION_LISTENER:
		if (!section_gives(s, "address"))
			report_error(l->r, s->at, "[listener %.*s] has no address; want address = ADDRESS:PORT such as 127.0.0.1:3128", SHOW(s->name));
		break;
	case SECTION_PARENT:
		check_parent(l, s->base);
		break;
	case SECTION_LIST:
		if (!section_gives(s, "file") && !section_gives(s, "host") && !section_gives(s, "address"))
			report_error(l->r, s->at, "[list %.*s] is empty; want file, host or address", SHOW(s->name));
		break;
	case SECTION_RULE:
		check_rule(l, s);
		break;
	case SECTION_LOG:
		check_log(l, s);
		break;
	default:
		break;
	}
}

bool
check_file(struct load *l, struct where at, const char *key, const char *path, unsigned closed, const char *why)
{
	struct stat st;
	size_t      before = l->r->errors;
	int         fd;

	if (!path || l->no_files)
		return true;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		report_error(l->r, at, "%s: %s cannot be read: %s", key, path, strerror(errno));
	else if (fstat(fd, &st) != 0)
		report_error(l->r, at, "%s: %s: %s", key, path, strerror(errno));
	else if (!S_ISREG(st.st_mode))
		report_error(l->r, at, "%s: %s is not a regular file", key, path);
	else if (st.st_mode & closed)
		report_find(l->r, FINDING_FILE_OPEN, at, "%s: %s has mode %04o, %s", key, path, (unsigned)(st.st_mode & 07777), why);
	if (fd >= 0)
		close(fd);
	return l->r->errors == before;
}

/* --- what may be there only once --- */

struct once {
	struct span     text;
	struct endpoint address; /* where text is empty */
	struct where    at;
};

struct onces {
	struct once *v;
	size_t       n;
};

static int
once_compare(const struct once *a, const struct once *b)
{
	int d = span_order(a->text, b->text);

	if (!d)
		d = memcmp(&a->address.addr, &b->address.addr, sizeof a->address.addr);
	if (!d && a->address.port != b->address.port)
		d = a->address.port < b->address.port ? -1 : 1;
	if (!d && a->address.scope != b->address.scope)
		d = a->address.scope < b->address.scope ? -1 : 1;
	return d;
}

static int
once_order(const void *x, const void *y)
{
	const struct once *a = x, *b = y;
	int                d = once_compare(a, b);

	return d ? d : where_order(a->at, b->at);
}

/* Sorted, so that a file of a million sections costs no square of it. `word`: the section that the text names; "": it is a path. */
static void
check_once(struct load *l, struct onces *all, const char *word)
{
	char first[256], text[ENDPOINT_TEXT_MAX];

	if (all->n)
		qsort(all->v, all->n, sizeof *all->v, once_order);
	for (size_t i = 1, head = 0; i < all->n; i++) {
		const struct once *o = &all->v[i];
		if (once_compare(&all->v[head], o) != 0) {
			head = i;
			continue;
		}
		where_print(l->c, all->v[head].at, first, sizeof first);
		if (o->text.n && !*word) {
			report_error(l->r, o->at, "address unix:%.*s is given twice; the first is at %s", SHOW(o->text), first);
		} else if (o->text.n) {
			report_error(l->r, o->at, "[%s %.*s] is given twice; the first is at %s: use another name", word, SHOW(o->text), first);
		} else {
			endpoint_print(&o->address, text);
			report_error(l->r, o->at, "address %s is given twice; the first is in the listener at %s", text, first);
		}
	}
	free(all->v);
	*all = (struct onces){0};
}

static void
once_add(struct load *l, struct onces *all, struct once one)
{
	if (!ARRAY_ADD(all, one))
		load_no_memory(l);
}

#define CHECK_NAMES(l, type, head, word) \
	do { \
		struct onces all_ = {0}; \
		struct type *e_; \
		TAILQ_FOREACH(e_, head, link) \
			if (e_->name.n) \
				once_add(l, &all_, (struct once){.text = e_->name, .at = e_->at}); \
		check_once(l, &all_, word); \
	} while (0)

/* A UNIX socket has no original destination, and whoever speaks TLS to the proxy knows of it. */
static void
check_listener(struct load *l, const struct conf_listener *e)
{
	if (e->mode != LISTENER_TRANSPARENT)
		return;
	if (e->paths.n)
		report_error(l->r, e->paths.v[0].at, "address = unix:%.*s in a transparent listener: nothing can be redirected to a UNIX socket; give it a listener of its own with mode = explicit",
		    SHOW(e->paths.v[0].text));
}

static void
check_addresses(struct load *l)
{
	struct onces          all = {0}, paths = {0};
	struct conf_listener *e;

	TAILQ_FOREACH(e, &l->c->listeners, link) {
		check_listener(l, e);
		for (size_t i = 0; i < e->address.n; i++)
			if (e->address.v[i].port) /* 0: the kernel finds a free one */
				once_add(l, &all, (struct once){.address = e->address.v[i], .at = e->at});
		for (size_t i = 0; i < e->paths.n; i++)
			once_add(l, &paths, (struct once){.text = e->paths.v[i].text, .at = e->paths.v[i].at});
	}
	check_once(l, &all, "listener");
	check_once(l, &paths, "");
}

static void
check_control(struct load *l)
{
	const struct conf_gateway *g = &l->c->gateway;

	if (g->control && strlen(g->control) >= UNIX_PATH_MOST)
		report_error(l->r, g->control_at, "control: the path has %zu bytes; a socket's may have %u", strlen(g->control), UNIX_PATH_MOST - 1);
	if (g->control_group && !g->control)
		report_find(l->r, FINDING_NO_EFFECT, g->control_group_at, "control-group without control: want control = /run/postern/control.sock too");
	if (g->control && g->pid_file && strcmp(g->control, g->pid_file) == 0)
		report_error(l->r, g->pid_file_at, "pid-file and control name the same file; want two");
}

/* --- lists --- */

/* A list whose files nobody has renewed for longer than its max-age. */
static void
check_age(struct load *l, const struct conf_list *s, time_t now)
{
	const char *name = "";
	time_t      since = 0;
	uint64_t    days;

	if (s->max_age_ms && !s->files.n)
		report_find(l->r, FINDING_NO_EFFECT, s->at, "[list %.*s] has max-age, but no file that could be too old; remove it", SHOW(s->name));
	if (!conf_list_is_stale(s, now))
		return;
	for (size_t i = 0; i < s->read.n; i++) {
		const struct conf_file *f = &l->c->files[s->read.v[i]];
		since = f->head.fetched_at ? f->head.fetched_at : f->changed;
		if (since == s->oldest)
			name = f->path;
	}
	days = (uint64_t)(now - s->oldest) / 86400;
	report_find(l->r, FINDING_LIST_STALE, s->at, "[list %.*s] is stale: %s is %" PRIu64 " day%s old, older than max-age allows; get it anew from its source, `touch` it where it is right as it stands, or raise max-age",
	    SHOW(s->name), name, days, days == 1 ? "" : "s");
}

static void
check_lists(struct load *l)
{
	const struct conf_list *s;
	time_t                  now = time(NULL);

	TAILQ_FOREACH(s, &l->c->lists, link)
		check_age(l, s, now);
}

void
check_whole(struct load *l)
{
	const struct where whole = {0, 0};
	const struct conf *c = l->c;

	if (TAILQ_EMPTY(&c->listeners))
		report_error(l->r, whole, "there is no [listener NAME]; add one with address = 127.0.0.1:3128");
	if (TAILQ_EMPTY(&c->rules))
		report_warn(l->r, whole, "there is no [rule NAME], so every request is denied");
	if (TAILQ_EMPTY(&c->logs))
		report_warn(l->r, whole, "there is no [log NAME], so no access log is written");
	CHECK_NAMES(l, conf_listener, &l->c->listeners, "listener");
	CHECK_NAMES(l, conf_parent, &l->c->parents, "parent");
	CHECK_NAMES(l, conf_list, &l->c->lists, "list");
	CHECK_NAMES(l, conf_rule, &l->c->rules, "rule");
	CHECK_NAMES(l, conf_log, &l->c->logs, "log");
	check_addresses(l);
	check_parents(l);
	check_control(l);
	check_listener_tls(l);
	check_auth(l);
	check_inspection(l);
	check_spools(l);
	check_log_lines(l);
	check_lists(l);
	check_doctor(l);
	check_rounds(l);
}
