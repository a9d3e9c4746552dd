/* SPDX-License-Identifier: MIT */
#include "proc/admin_http.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <time.h>

#include "base/clock.h"
#include "base/fault.h"
#include "net/listener.h"
#include "net/sock.h"
#include "parse/authority.h"
#include "parse/head.h"

#define HEAD_MOST    8192u
#define HEAD_MS      10000u /* for a whole head */
#define REST_MS      60000u /* between two requests */
#define WRITE_MS     30000u /* for a whole answer */
#define LINGER_MS    2000u  /* after the last answer, so that a reset does not overtake it */
#define LINGER_MOST  (4u << 20)
#define PAUSE_MS     100u
#define ACCEPTS      32u /* of one listener in one turn */
#define STEPS        32u /* of one connection in one turn */

enum conn_state { CONN_READING, CONN_WRITING, CONN_LINGERING };

struct conn {
	struct grave       grave;
	TAILQ_ENTRY(conn)  link; /* the one that was answered longest ago first */
	struct admin_http *h;
	struct watch       watch;
	struct timer       deadline;
	struct addr        local; /* where it came to */
	int                fd;
	enum conn_state    state;
	bool               close; /* after this answer */
	struct text        out;
	size_t             sent, drained;
	size_t             n, seen; /* of `in`; of these, without the end of a head */
	char               in[HEAD_MOST];
};

struct admin_http {
	struct loop                 *loop;
	const struct admin_resource *table;
	size_t                       n_table;
	void                        *arg;
	const struct snapshot       *snap;
	struct admin_listener {
		struct admin_http *h;
		struct watch       watch;
		int                fd;
	} listener[ADMIN_LISTENERS];
	unsigned             n_listeners;
	struct timer         resume;
	TAILQ_HEAD(, conn)   conns;
	unsigned             n_conns;
	uint64_t             refused;
};

static const char security_fields[] =
    "Cache-Control: no-store\r\n"
    "X-Content-Type-Options: nosniff\r\n"
    "Referrer-Policy: no-referrer\r\n"
    "Cross-Origin-Resource-Policy: same-origin\r\n"
    "Content-Security-Policy: default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'\r\n";

static void
conn_end(struct conn *c)
{
	TAILQ_REMOVE(&c->h->conns, c, link);
	c->h->n_conns--;
	timer_clear(&c->deadline);
	watch_clear(&c->watch);
	sock_close(c->fd);
	text_clear(&c->out);
	loop_bury(c->h->loop, &c->grave);
}

static void
on_deadline(void *arg)
{
	conn_end(arg);
}

/* --- answers --- */

static const char *
phrase(unsigned status)
{
	static const struct {
		unsigned    status;
		const char *phrase;
	} rows[] = {{200, "OK"}, {400, "Bad Request"}, {404, "Not Found"}, {405, "Method Not Allowed"}, {413, "Content Too Large"}, {414, "URI Too Long"},
		{421, "Misdirected Request"}, {431, "Request Header Fields Too Large"}, {500, "Internal Server Error"}, {501, "Not Implemented"},
		{503, "Service Unavailable"}, {505, "HTTP Version Not Supported"}};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		if (rows[i].status == status)
			return rows[i].phrase;
	return "Unknown";
}

/* Takes `body`. */
static void
answer(struct conn *c, unsigned status, const char *type, struct text *body, bool head_only)
{
	time_t    now = (time_t)(clock_real_us() / 1000000);
	struct tm tm;
	char      date[40] = "";

	if (gmtime_r(&now, &tm))
		strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", &tm);
	if (body->failed) {
		text_clear(body);
		text_str(body, "The gateway is out of memory.\n");
		status = 503;
		type = "text/plain; charset=utf-8";
	}
	text_printf(&c->out, "HTTP/1.1 %u %s\r\nDate: %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n", status, phrase(status), date, type, body->n);
	text_str(&c->out, security_fields);
	if (status == 405)
		text_str(&c->out, "Allow: GET, HEAD\r\n");
	text_str(&c->out, c->close ? "Connection: close\r\n\r\n" : "\r\n");
	if (!head_only)
		text_add(&c->out, text_span(body));
	text_clear(body);
	if (c->out.failed) {
		conn_end(c);
		return;
	}
	c->state = CONN_WRITING;
	c->sent = 0;
	timer_set(c->h->loop, &c->deadline, WRITE_MS);
}

static void
refuse(struct conn *c, unsigned status, const char *sentence, bool head_only)
{
	struct text body = {0};

	text_str(&body, sentence);
	text_str(&body, "\n");
	answer(c, status, "text/plain; charset=utf-8", &body, head_only);
}

/* --- requests --- */

/* A page of another site that had its name lead here would ask under that name: only names that nobody else can have, and addresses of ours, will do. */
static bool
host_is_ours(const struct conn *c, const struct host *host)
{
	const struct snapshot *s = c->h->snap;
	const struct addr     *local = snapshot_at(s, s->set->local.off);
	struct host            visible;

	if (host->kind == HOST_NAME)
		return span_eq(host_span(host), SPAN("localhost")) || span_eq(host_span(host), SPAN("localhost.localdomain")) ||
		    span_eq(host_span(host), SPAN("ip6-localhost")) ||
		    (host_parse(snapshot_text(s, s->set->visible_name), &visible) && span_eq(host_span(host), host_span(&visible)));
	if (addr_eq(&host->addr, &c->local))
		return true;
	for (uint32_t i = 0; i < s->set->local.n; i++)
		if (addr_eq(&host->addr, &local[i]))
			return true;
	return false;
}

/* Which path a request means (RFC 9112 3.2), and whether under a name that is ours. False: no such URL. */
static bool
read_target(const struct conn *c, const struct head *head, struct span *path, bool *ours)
{
	struct url       url;
	struct authority at;

	if (head->target.n && head->target.p[0] == '/') {
		if (!url_parse_origin(head->target, &url))
			return false;
		*path = url.path;
		/* HTTP/1.0 may come without; browsers do not speak it */
		*ours = (!head->host.n && head->minor == 0) || (authority_parse(head->host, &at) && host_is_ours(c, &at.host));
		return true;
	}
	if (!url_parse(head->target, &url) || url.scheme != SCHEME_HTTP)
		return false;
	*path = url.path.n ? url.path : SPAN("/");
	*ours = host_is_ours(c, &url.at.host);
	return true;
}

static void
serve(struct conn *c, const struct head *head)
{
	const struct admin_http *h = c->h;
	bool                     head_only = head->method_id == METHOD_HEAD;
	struct text              body = {0};
	const struct admin_resource *found = NULL;
	struct span              path;
	bool                     ours;
	unsigned                 status;

	c->close = !head->keep_alive || head->body != BODY_NONE;
	if (head->method_id != METHOD_GET && !head_only) {
		c->close = true;
		refuse(c, 405, "Only GET and HEAD are served here.", false);
		return;
	}
	if (!read_target(c, head, &path, &ours)) {
		c->close = true;
		refuse(c, 400, fault_row(FAULT_BAD_TARGET)->sentence, head_only);
		return;
	}
	for (size_t i = 0; i < h->n_table; i++)
		if (span_eq(path, span_str(h->table[i].path)))
			found = &h->table[i];
	if (!ours && !(found && found->open)) {
		c->close = true;
		refuse(c, 421, "This server does not go by that name; ask by its address, localhost or visible-name.", head_only);
		return;
	}
	status = found ? found->write(h->arg, &body) : 404;
	if (status == 404) {
		text_clear(&body);
		refuse(c, 404, "There is no such page here.", head_only);
		return;
	}
	answer(c, status, found->type, &body, head_only);
}

/* The next request, if it is all there. False: more bytes are needed. */
static bool
take_request(struct conn *c)
{
	struct head       head;
	size_t            used = 0;
	enum fault        fault = FAULT_NONE;
	enum parse_result r = c->n ? head_parse_request(span_of(c->in, c->n), c->seen, &head, &used, &fault) : PARSE_MORE;

	if (r == PARSE_MORE) {
		c->seen = c->n;
		if (c->n < sizeof c->in)
			return false;
		fault = FAULT_HEAD_TOO_LARGE;
	}
	if (r != PARSE_OK) {
		c->close = true;
		refuse(c, fault_row(fault)->status, fault_row(fault)->sentence, false);
		return true;
	}
	TAILQ_REMOVE(&c->h->conns, c, link);
	TAILQ_INSERT_TAIL(&c->h->conns, c, link);
	serve(c, &head);
	/* only now: the head's spans point there */
	memmove(c->in, c->in + used, c->n - used);
	c->n -= used;
	c->seen = 0;
	return true;
}

/* --- bytes --- */

/* All of these: true when there is more to do now, false to wait; the connection may be gone then. */

static bool
step_read(struct conn *c)
{
	ssize_t n;

	if (take_request(c))
		return c->state != CONN_READING;
	n = sock_read(c->fd, c->in + c->n, sizeof c->in - c->n);
	if (n > 0) {
		if (c->n == 0)
			timer_set(c->h->loop, &c->deadline, HEAD_MS);
		c->n += (size_t)n;
		return true;
	}
	if (n == 0 || (errno != EAGAIN && errno != EWOULDBLOCK))
		conn_end(c);
	return false;
}

static bool
step_write(struct conn *c)
{
	ssize_t n = sock_write(c->fd, span_of(c->out.p + c->sent, c->out.n - c->sent));

	if (n < 0) {
		if (errno != EAGAIN && errno != EWOULDBLOCK)
			conn_end(c);
		return false;
	}
	c->sent += (size_t)n;
	if (c->sent < c->out.n)
		return true;
	text_clear(&c->out);
	if (c->close) {
		sock_shut_write(c->fd);
		c->state = CONN_LINGERING;
		timer_set(c->h->loop, &c->deadline, LINGER_MS);
	} else {
		c->state = CONN_READING;
		timer_set(c->h->loop, &c->deadline, c->n ? HEAD_MS : REST_MS);
	}
	return true;
}

static bool
step_linger(struct conn *c)
{
	ssize_t n = sock_read(c->fd, c->in, sizeof c->in);

	if (n > 0 && (c->drained += (size_t)n) < LINGER_MOST)
		return true;
	if (n >= 0 || (errno != EAGAIN && errno != EWOULDBLOCK))
		conn_end(c);
	return false;
}

static void
on_conn(void *arg, unsigned what)
{
	struct conn *c = arg;
	bool         more = true;

	(void)what;
	for (unsigned i = 0; more && i < STEPS; i++)
		more = c->state == CONN_READING ? step_read(c) : c->state == CONN_WRITING ? step_write(c) : step_linger(c);
	if (more)
		watch_again(&c->watch, WATCH_READ);
}

/* --- listeners --- */

static void
conn_begin(struct admin_http *h, int fd, const struct endpoint *peer)
{
	struct endpoint local = {0};
	struct conn    *c;

	if (!h->snap || !addr_set_has(addr_set_at(h->snap->block, h->snap->set->admin_clients), &peer->addr)) {
		h->refused++;
		sock_close(fd);
		return;
	}
	if (h->n_conns == ADMIN_CONNECTIONS)
		conn_end(TAILQ_FIRST(&h->conns));
	c = calloc(1, sizeof *c);
	if (!c || !listener_where(fd, &local) || !watch_init(&c->watch, h->loop, fd, WATCH_READ | WATCH_WRITE | WATCH_CLOSED, on_conn, c)) {
		free(c);
		sock_close(fd);
		return;
	}
	c->h = h;
	c->fd = fd;
	c->local = local.addr;
	timer_init(&c->deadline, on_deadline, c);
	timer_set(h->loop, &c->deadline, HEAD_MS);
	TAILQ_INSERT_TAIL(&h->conns, c, link);
	h->n_conns++;
}

static void
pause_all(struct admin_http *h)
{
	for (unsigned i = 0; i < h->n_listeners; i++)
		watch_clear(&h->listener[i].watch);
	timer_set(h->loop, &h->resume, PAUSE_MS);
}

static void
on_accept(void *arg, unsigned what)
{
	struct admin_listener *l = arg;

	(void)what;
	for (unsigned i = 0; i < ACCEPTS; i++) {
		struct endpoint peer;
		int             fd = sock_accept(l->fd, &peer);

		if (fd < 0) {
			if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
				pause_all(l->h);
			return;
		}
		conn_begin(l->h, fd, &peer);
	}
}

static void
on_resume(void *arg)
{
	struct admin_http *h = arg;

	for (unsigned i = 0; i < h->n_listeners; i++)
		if (!watch_init_level(&h->listener[i].watch, h->loop, h->listener[i].fd, WATCH_READ, on_accept, &h->listener[i])) {
			pause_all(h);
			return;
		}
}

void
admin_http_listen(struct admin_http *h, const int *fd, unsigned n)
{
	for (unsigned i = 0; i < h->n_listeners; i++) {
		watch_clear(&h->listener[i].watch);
		sock_close(h->listener[i].fd);
	}
	h->n_listeners = n;
	for (unsigned i = 0; i < n; i++) {
		h->listener[i].h = h;
		h->listener[i].fd = fd[i];
	}
	timer_clear(&h->resume);
	on_resume(h);
}

void
admin_http_use(struct admin_http *h, const struct snapshot *s)
{
	h->snap = s;
}

uint64_t
admin_http_refused(const struct admin_http *h)
{
	return h->refused;
}

struct admin_http *
admin_http_new(struct loop *loop, const struct admin_resource *table, size_t n, void *arg)
{
	struct admin_http *h = calloc(1, sizeof *h);

	if (!h)
		return NULL;
	h->loop = loop;
	h->table = table;
	h->n_table = n;
	h->arg = arg;
	TAILQ_INIT(&h->conns);
	timer_init(&h->resume, on_resume, h);
	return h;
}

void
admin_http_free(struct admin_http *h)
{
	struct conn *c;

	if (!h)
		return;
	while ((c = TAILQ_FIRST(&h->conns)))
		conn_end(c);
	admin_http_listen(h, NULL, 0);
	timer_clear(&h->resume);
	free(h);
}
