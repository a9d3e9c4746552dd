/* SPDX-License-Identifier: MIT */
/*
 * admin_main: the admin process: the status page, metrics and health, read from what the others count. Has no file, no key and no traffic; traffic does not need it.
 * When the parent is gone it says so for as long as the workers may drain.
 */
#include <openssl/err.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "policy/pac.h"
#include "proc/admin_http.h"
#include "proc/child.h"
#include "proc/metrics_text.h"
#include "proc/roles.h"
#include "proc/sandbox.h"
#include "proc/status.h"
#include "proc/status_assets.h"
#include "tls/context.h"
#include "tls/findings.h"

struct admin_main {
	struct child        child;
	struct admin_http  *http;
	struct snapshot    *snap;
	struct metrics_view view;
	struct doctor_board *board; /* owned; null: it could not be mapped */
	struct history      history;
	struct timer        sample;
	int                 next[ADMIN_LISTENERS]; /* sockets of the snapshot to come */
	unsigned            n_next;
	struct timer        last; /* orphaned: the end */
};

/* --- resources --- */

static unsigned
metrics(void *arg, struct text *out)
{
	struct admin_main *a = arg;

	a->view.strangers = admin_http_refused(a->http);
	metrics_write(out, &a->view);
	return 200;
}

/* Does a worker carry traffic? */
static bool
is_served(const struct census *c)
{
	static const char worker[] = "worker ";
	uint32_t          n = c->n < CENSUS_PROCESSES ? c->n : CENSUS_PROCESSES;

	for (uint32_t i = 0; i < n; i++)
		if (strncmp(c->process[i].name, worker, sizeof worker - 1) == 0 && c->process[i].pid && c->process[i].generation)
			return true;
	return false;
}

static unsigned
healthz(void *arg, struct text *out)
{
	const struct admin_main *a = arg;
	const struct census     *c = &a->child.shared->census;

	if (a->view.orphaned || c->state == GATEWAY_DRAINING) {
		text_str(out, "draining\n");
		return 503;
	}
	if (c->state == GATEWAY_STARTING || !is_served(c)) {
		text_str(out, "starting\n");
		return 503;
	}
	text_str(out, "ready\n");
	return 200;
}

/* As the listeners serve it (session/pac.c). */
static unsigned
pac(void *arg, struct text *out)
{
	const struct admin_main *a = arg;
	struct span              text = a->snap ? snapshot_text(a->snap, a->snap->set->pac) : SPAN("");

	if (!text.n)
		return 404;
	text_add(out, text);
	return 200;
}

/* The figures, as one of its writers shows them. */
static unsigned
show(const struct admin_main *a, uint32_t most_rules, void (*writer)(struct text *out, const struct status *s), struct text *out)
{
	struct status *s = malloc(sizeof *s);

	if (s) {
		status_gather(s, &a->view, &a->history, most_rules);
		if (s->failed)
			out->failed = true;
		else
			writer(out, s);
		status_clear(s);
	} else {
		out->failed = true;
	}
	free(s);
	return 200;
}

static unsigned
page(void *arg, struct text *out)
{
	return show(arg, STATUS_RULES, status_page, out);
}

static unsigned
rules_page(void *arg, struct text *out)
{
	return show(arg, UINT32_MAX, status_rules_page, out);
}

static unsigned
json(void *arg, struct text *out)
{
	return show(arg, STATUS_RULES, status_json, out);
}

static unsigned
past(void *arg, struct text *out)
{
	const struct admin_main *a = arg;

	history_json(out, &a->history);
	return 200;
}

static unsigned
asset(struct text *out, struct span s)
{
	text_add(out, s);
	return 200;
}

static unsigned
css(void *arg, struct text *out)
{
	(void)arg;
	return asset(out, status_css);
}

static unsigned
script(void *arg, struct text *out)
{
	(void)arg;
	return asset(out, status_js);
}

static unsigned
icon(void *arg, struct text *out)
{
	(void)arg;
	return asset(out, status_svg);
}

#define JSON_TYPE "application/json"

static const struct admin_resource resources[] = {
	{"/", "text/html; charset=utf-8", page, false},
	{"/rules", "text/html; charset=utf-8", rules_page, false},
	{"/status.json", JSON_TYPE, json, false},
	{"/history.json", JSON_TYPE, past, false},
	{"/status.css", "text/css; charset=utf-8", css, false},
	{"/status.js", "text/javascript; charset=utf-8", script, false},
	{"/status.svg", "image/svg+xml", icon, false},
	{"/healthz", "text/plain; charset=utf-8", healthz, false},
	{"/metrics", METRICS_TYPE, metrics, false},
	{"/proxy.pac", PAC_TYPE, pac, true},
	{"/wpad.dat", PAC_TYPE, pac, true},
};

/* --- what the parent says --- */

/* The end of the first certificate of a chain (4 bytes of length, then so many); 0: none. */
static int64_t
chain_until(struct span chain)
{
	const unsigned char *p = (const unsigned char *)chain.p;
	int64_t              until = 0;
	uint32_t             n;
	X509                *x;

	if (chain.n < 4)
		return 0;
	n = (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
	p += 4;
	if (n > chain.n - 4 || !(x = d2i_X509(NULL, &p, (long)n))) {
		ERR_clear_error();
		return 0;
	}
	if (!time_read(X509_get0_notAfter(x), &until))
		until = 0;
	X509_free(x);
	return until;
}

static void
look_at(struct metrics_view *v, const struct snapshot *s)
{
	const struct snapshot_listener *l = snapshot_at(s, s->set->listeners.off);

	v->snap = s;
	v->ca_until = chain_until(snapshot_text(s, s->set->inspection.ca));
	memset(v->listener_until, 0, sizeof v->listener_until);
	for (uint32_t i = 0; i < s->set->listeners.n && i < METRICS_LISTENERS; i++)
		v->listener_until[i] = l[i].tls ? chain_until(snapshot_text(s, l[i].chain)) : 0;
}

/* Used at once: nothing here can fail but memory, and then this process is started anew. */
static void
use(struct admin_main *a, struct message *m)
{
	struct snapshot *s = m->n_fds == 1 ? snapshot_open_names(m->fd[0]) : NULL;

	if (!s) {
		child_say(MSG_REFUSED, m->number);
		return;
	}
	look_at(&a->view, s);
	admin_http_use(a->http, s);
	admin_http_listen(a->http, a->next, a->n_next);
	a->n_next = 0;
	snapshot_unref(a->snap);
	a->snap = s;
	child_say(MSG_APPLIED, m->number);
}

static void
on_message(void *arg, struct message *m)
{
	struct admin_main *a = arg;

	switch ((enum message_type)m->type) {
	case MSG_LISTENER:
		if (m->n_fds == 1 && a->n_next < ADMIN_LISTENERS) {
			a->next[a->n_next++] = m->fd[0];
			m->n_fds = 0;
		}
		break;
	case MSG_FILE:
		if (m->n_fds == 1 && !a->board)
			a->view.board = a->board = doctor_board_open(m->fd[0], false);
		break;
	case MSG_SNAPSHOT:
		use(a, m);
		break;
	default:
		break;
	}
}

static void
on_sample(void *arg)
{
	struct admin_main *a = arg;

	history_add(&a->history, a->child.shared, clock_mono_us());
	timer_set(a->child.loop, &a->sample, HISTORY_EVERY_MS);
}

static void
on_last(void *arg)
{
	struct admin_main *a = arg;

	loop_stop(a->child.loop);
}

static void
on_orphaned(void *arg)
{
	struct admin_main *a = arg;

	a->view.orphaned = true;
	timer_set(a->child.loop, &a->last, (a->snap ? a->snap->set->drain_timeout_ms : 0) + 1000);
}

static bool
admin_begin(struct admin_main *a)
{
	struct child *c = &a->child;

	if (!child_begin(c, "admin"))
		return false;
	timer_init(&a->last, on_last, a);
	timer_init(&a->sample, on_sample, a);
	c->on_message = on_message;
	c->on_orphaned = on_orphaned;
	c->arg = a;
	a->view.shared = c->shared;
	a->http = admin_http_new(c->loop, resources, sizeof resources / sizeof *resources, a);
	if (!a->http) {
		log_error("cannot start: out of memory");
		return false;
	}
	/* to read certificates' dates */
	if (!tls_library_begin() || (c->start.drop_user && !sandbox_drop_user(c->start.uid, c->start.gid)))
		return false;
	on_sample(a);
	return sandbox_enter(ROLE_ADMIN, false) && child_listen(c);
}

int
admin_main(void)
{
	struct admin_main *a = calloc(1, sizeof *a);
	int                rc = 1;

	if (a && admin_begin(a)) {
		loop_run(a->child.loop);
		rc = 0;
	}
	if (a) {
		admin_http_free(a->http);
		snapshot_unref(a->snap);
		doctor_board_close(a->board);
		for (unsigned i = 0; i < a->n_next; i++)
			close(a->next[i]);
		if (a->child.loop) {
			timer_clear(&a->last);
			timer_clear(&a->sample);
		}
		child_end(&a->child);
	}
	free(a);
	return rc;
}
