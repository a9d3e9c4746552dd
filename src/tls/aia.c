/* SPDX-License-Identifier: MIT */
#include "tls/aia.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/queue.h>

#include "net/dial.h"
#include "net/sock.h"
#include "parse/authority.h"
#include "parse/body.h"
#include "parse/head.h"

#define TIMEOUT_MS  5000u
#define PORT        80u
#define URL_MAX     512u
#define HEAD_MAX    8192u
#define DER_MAX     65536u
#define FETCHES_MAX 64u
#define JOBS_MAX    1024u

struct aia_job {
	TAILQ_ENTRY(aia_job) link;
	struct fetch *fetch;
	aia_done     *done;
	void         *arg;
};

struct fetch {
	struct grave        grave;
	LIST_ENTRY(fetch)   link;
	struct aia         *aia;
	TAILQ_HEAD(, aia_job) jobs;
	struct snapshot    *snap; /* a reference */
	struct resolve_job *resolving;
	struct dial        *dialling;
	struct watch        watch; /* of fd, or idle while only the next turn is waited for */
	struct timer        deadline;
	int                 fd; /* -1: none */
	struct addr         addr[DIAL_ADDRS_MAX];
	unsigned            n_addr;
	struct body         body;
	bool                in_body;
	uint16_t            sent, n_request;
	size_t              n; /* of `in`: first the head, then only the body's data */
	char                in[HEAD_MAX + DER_MAX];
	char                request[2 * URL_MAX + 256];
	char                url[URL_MAX + 1];
};

struct aia {
	struct loop *loop;
	LIST_HEAD(, fetch) fetches;
	unsigned n_fetches, n_jobs;
};

struct aia *
aia_new(struct loop *loop)
{
	struct aia *a = calloc(1, sizeof *a);

	if (a) {
		a->loop = loop;
		LIST_INIT(&a->fetches);
	}
	return a;
}

/* Out of the list, its errands ended; jobs stay. */
static void
fetch_stop(struct fetch *f)
{
	LIST_REMOVE(f, link);
	f->aia->n_fetches--;
	timer_clear(&f->deadline);
	watch_clear(&f->watch);
	if (f->resolving)
		resolve_job_cancel(f->resolving);
	if (f->dialling)
		dial_cancel(f->dialling);
	if (f->fd >= 0)
		sock_close(f->fd);
	f->resolving = NULL;
	f->dialling = NULL;
	f->fd = -1;
	snapshot_unref(f->snap);
	f->snap = NULL;
}

static void
job_free(struct aia_job *j)
{
	TAILQ_REMOVE(&j->fetch->jobs, j, link);
	j->fetch->aia->n_jobs--;
	free(j);
}

void
aia_free(struct aia *a)
{
	struct fetch *f;

	if (!a)
		return;
	while ((f = LIST_FIRST(&a->fetches))) {
		while (!TAILQ_EMPTY(&f->jobs))
			job_free(TAILQ_FIRST(&f->jobs));
		fetch_stop(f);
		loop_bury(a->loop, &f->grave);
	}
	free(a);
}

/* Tell all who wait. One that asks again from its callback gets a fetch of its own. */
static void
fetch_end(struct fetch *f, struct span der)
{
	struct loop    *loop = f->aia->loop;
	struct aia_job *j;

	fetch_stop(f);
	while ((j = TAILQ_FIRST(&f->jobs))) {
		aia_done *done = j->done;
		void     *arg = j->arg;
		job_free(j);
		done(arg, der);
	}
	loop_bury(loop, &f->grave);
}

static void
fetch_miss(struct fetch *f)
{
	fetch_end(f, span_of(NULL, 0));
}

static void
on_deadline(void *arg)
{
	fetch_miss(arg);
}

/* --- the answer --- */

/* Take what came behind the data so far (body bytes, framing included) into it. False: the fetch is over. */
static bool
body_came(struct fetch *f, size_t got)
{
	struct span in = span_of(f->in + f->n, got);

	while (in.n > 0) {
		struct span       data;
		size_t            used;
		enum parse_result said = body_take(&f->body, in, &used, &data);
		if (said == PARSE_BAD || data.n > DER_MAX - f->n) {
			fetch_miss(f);
			return false;
		}
		memmove(f->in + f->n, data.p, data.n);
		f->n += data.n;
		if (said == PARSE_OK) {
			fetch_end(f, span_of(f->in, f->n));
			return false;
		}
		if (used == 0)
			break;
		in = span_of(in.p + used, in.n - used);
	}
	return true;
}

/* The same for bytes that belong to the head, or come with its end. */
static bool
head_came(struct fetch *f, size_t got)
{
	struct head       head;
	size_t            used, before = f->n;
	enum fault        fault;
	enum parse_result said;

	f->n += got;
	said = head_parse_response(span_of(f->in, f->n), before, &head, &used, &fault);
	if (said == PARSE_MORE && f->n < HEAD_MAX)
		return true;
	if (said != PARSE_OK || head.status != 200 || (head.has_length && (head.length > DER_MAX || head.length == 0)) ||
	    head_response_body(&head, METHOD_GET) == BODY_NONE) {
		fetch_miss(f);
		return false;
	}
	body_init(&f->body, head_response_body(&head, METHOD_GET), head.length);
	f->in_body = true;
	got = f->n - used;
	memmove(f->in, f->in + used, got);
	f->n = 0;
	return body_came(f, got);
}

static void
answer_came(struct fetch *f)
{
	for (;;) {
		/* the room behind DER_MAX is for framing, and for telling that there is too much */
		ssize_t got = sock_read(f->fd, f->in + f->n, f->in_body ? sizeof f->in - f->n : HEAD_MAX - f->n);
		if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			return;
		if (got <= 0) {
			bool whole = got == 0 && f->in_body && f->body.kind == BODY_TO_CLOSE && f->n > 0;
			fetch_end(f, whole ? span_of(f->in, f->n) : span_of(NULL, 0));
			return;
		}
		if (!(f->in_body ? body_came(f, (size_t)got) : head_came(f, (size_t)got)))
			return;
	}
}

/* --- the way there --- */

static void
on_ready(void *arg, unsigned what)
{
	struct fetch *f = arg;

	if (what & WATCH_WRITE && f->sent < f->n_request) {
		ssize_t put = sock_write(f->fd, span_of(f->request + f->sent, (size_t)f->n_request - f->sent));
		if (put < 0 && errno != EAGAIN && errno != EWOULDBLOCK) {
			fetch_miss(f);
			return;
		}
		f->sent = (uint16_t)(f->sent + (put > 0 ? put : 0));
	}
	if (what & (WATCH_READ | WATCH_CLOSED))
		answer_came(f);
}

static void
on_dialled(void *arg, enum fault fault, int fd, const struct addr *to)
{
	struct fetch *f = arg;

	(void)to;
	f->dialling = NULL;
	f->fd = fd;
	if (fault != FAULT_NONE || !watch_init(&f->watch, f->aia->loop, fd, WATCH_READ | WATCH_WRITE | WATCH_CLOSED, on_ready, f))
		fetch_miss(f);
}

/* Each address is judged as those of a client's request are: what a certificate says must not lead to where no client may go. False: there is no way. */
static bool
fetch_dial(struct fetch *f, const struct addr *a, unsigned n)
{
	const struct egress *egress = egress_at(f->snap->block, f->snap->set->egress);

	f->n_addr = 0;
	for (unsigned i = 0; i < n && f->n_addr < DIAL_ADDRS_MAX; i++)
		if (egress_allows_errand(egress, &a[i]) && !snapshot_is_self(f->snap, &a[i], PORT))
			f->addr[f->n_addr++] = a[i];
	if (f->n_addr > 0 && egress_port_allowed(egress, false, PORT))
		f->dialling = dial_start(f->aia->loop, f->addr, f->n_addr, PORT, NULL, TIMEOUT_MS, on_dialled, f);
	return f->dialling != NULL;
}

static void
on_resolved(void *arg, enum fault fault, struct resolved *r)
{
	struct fetch *f = arg;

	f->resolving = NULL;
	if (fault != FAULT_NONE || !fetch_dial(f, r->addr, r->n))
		fetch_miss(f);
	if (fault == FAULT_NONE)
		resolved_unref(r);
}

static void
on_doomed(void *arg, unsigned what)
{
	(void)what;
	fetch_miss(arg);
}

/* What fails at once is told in the next turn. */
static void
fetch_begin(struct fetch *f, struct resolver *r, const struct host *host)
{
	enum fault       fault = FAULT_NONE;
	struct resolved *known;
	bool             ok;

	timer_init(&f->deadline, on_deadline, f);
	timer_set(f->aia->loop, &f->deadline, TIMEOUT_MS);
	if (host->kind == HOST_ADDR) {
		ok = fetch_dial(f, &host->addr, 1);
	} else if ((known = resolver_cached(r, host_span(host), &fault))) {
		ok = fetch_dial(f, known->addr, known->n);
		resolved_unref(known);
	} else {
		if (fault == FAULT_NONE)
			f->resolving = resolver_start(r, host_span(host), on_resolved, f);
		ok = f->resolving != NULL;
	}
	if (!ok) {
		watch_init_idle(&f->watch, f->aia->loop, on_doomed, f);
		watch_again(&f->watch, WATCH_CLOSED);
	}
}

/* One that is under way under the same snapshot. */
static struct fetch *
fetch_find(struct aia *a, const struct snapshot *s, const char *url)
{
	struct fetch *f;

	LIST_FOREACH (f, &a->fetches, link)
		if (f->snap == s && strcmp(f->url, url) == 0)
			return f;
	return NULL;
}

static struct fetch *
fetch_new(struct aia *a, struct resolver *r, struct snapshot *s, const char *text)
{
	struct fetch *f;
	struct url    url;
	size_t        n = strnlen(text, URL_MAX + 1);
	bool          bare;
	int           len;

	if (a->n_fetches >= FETCHES_MAX || n > URL_MAX || !url_parse(span_of(text, n), &url) || url.scheme != SCHEME_HTTP || url.at.port != PORT)
		return NULL;
	if (!(f = calloc(1, sizeof *f)))
		return NULL;
	memcpy(f->url, text, n);
	bare = url.at.host.kind == HOST_NAME || addr_is_v4(&url.at.host.addr);
	len = snprintf(f->request, sizeof f->request, "GET %s%.*s%s%.*s HTTP/1.1\r\nHost: %s%s%s\r\nAccept: application/pkix-cert, application/pkcs7-mime\r\nConnection: close\r\n\r\n",
	    url.path.n ? "" : "/", SPAN_ARG(url.path), url.has_query ? "?" : "", SPAN_ARG(url.query), bare ? "" : "[", url.at.host.text, bare ? "" : "]");
	f->n_request = (uint16_t)len; /* URL_MAX twice and this text fit */
	f->aia = a;
	f->fd = -1;
	f->snap = snapshot_ref(s);
	TAILQ_INIT(&f->jobs);
	LIST_INSERT_HEAD(&a->fetches, f, link);
	a->n_fetches++;
	fetch_begin(f, r, &url.at.host);
	return f;
}

struct aia_job *
aia_fetch(struct aia *a, struct resolver *r, struct snapshot *s, const char *url, aia_done *done, void *arg)
{
	struct aia_job *j = a->n_jobs < JOBS_MAX ? malloc(sizeof *j) : NULL;

	if (!j)
		return NULL;
	*j = (struct aia_job){.done = done, .arg = arg, .fetch = fetch_find(a, s, url)};
	if (!j->fetch && !(j->fetch = fetch_new(a, r, s, url))) {
		free(j);
		return NULL;
	}
	TAILQ_INSERT_TAIL(&j->fetch->jobs, j, link);
	a->n_jobs++;
	return j;
}

void
aia_cancel(struct aia_job *j)
{
	struct fetch *f = j->fetch;

	job_free(j);
	if (TAILQ_EMPTY(&f->jobs) && f->snap) { /* else it has ended already, and another one who waited is being told */
		fetch_stop(f);
		loop_bury(f->aia->loop, &f->grave);
	}
}
