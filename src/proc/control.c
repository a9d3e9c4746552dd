/* SPDX-License-Identifier: MIT */
#include "proc/control.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "audit/line.h"
#include "base/log.h"

#define PATIENCE_MS 5000u      /* for a request, and for a client that does not read */
#define ANSWER_MOST (4u << 20) /* bytes that wait for it */
#define RESUME_MS   1000u
#define ACCEPTS     16u        /* of one turn */

struct control {
	struct loop                *loop;
	struct watch                watch;
	struct timer                resume; /* accepting again */
	const struct control_place *place; /* borrowed */
	void                      (*on_request)(void *arg, struct control_client *c);
	void                      (*gone)(void *arg, struct control_client *c);
	void                       *arg;
	struct control_client       client[CONTROL_CLIENTS];
	struct log_limit            nonsense, refused, busy;
};

static void on_client(void *arg, unsigned what);
static void on_patience(void *arg);
static void on_resume(void *arg);
static void pump(struct control_client *c);

struct control *
control_new(struct loop *loop, void (*on_request)(void *arg, struct control_client *c), void *arg)
{
	struct control *c = calloc(1, sizeof *c);

	if (!c)
		return NULL;
	c->loop = loop;
	c->on_request = on_request;
	c->arg = arg;
	timer_init(&c->resume, on_resume, c);
	for (unsigned i = 0; i < CONTROL_CLIENTS; i++) {
		c->client[i] = (struct control_client){.control = c, .fd = -1};
		timer_init(&c->client[i].patience, on_patience, &c->client[i]);
	}
	return c;
}

void
control_on_gone(struct control *c, void (*gone)(void *arg, struct control_client *client))
{
	c->gone = gone;
}

struct control_client *
control_next(struct control *c, const struct control_client *after)
{
	if (!c)
		return NULL;
	for (size_t i = after ? (size_t)(after - c->client) + 1 : 0; i < CONTROL_CLIENTS; i++)
		if (c->client[i].fd >= 0 && c->client[i].asked)
			return &c->client[i];
	return NULL;
}

static void
drop(struct control_client *c)
{
	if (c->fd < 0)
		return;
	if (c->control->gone)
		c->control->gone(c->control->arg, c);
	timer_clear(&c->patience);
	watch_clear(&c->watch);
	close(c->fd);
	free(c->out);
	*c = (struct control_client){.control = c->control, .fd = -1};
	timer_init(&c->patience, on_patience, c);
}

void
control_free(struct control *c)
{
	if (!c)
		return;
	for (unsigned i = 0; i < CONTROL_CLIENTS; i++)
		drop(&c->client[i]);
	watch_clear(&c->watch);
	timer_clear(&c->resume);
	free(c);
}

/* --- the answer --- */

static void
append(struct control_client *c, const char *p, size_t n)
{
	if (c->fd < 0 || c->ended)
		return;
	if (c->n_out + n > c->room) {
		size_t room = (c->n_out + n) * 2;
		char  *out = room > ANSWER_MOST ? NULL : realloc(c->out, room);
		if (!out) {
			c->more = NULL;
			c->n_out = c->sent = 0; /* half an answer is none: the asker sees no exit code */
			c->ended = true;
			return;
		}
		c->out = out;
		c->room = room;
	}
	memcpy(c->out + c->n_out, p, n);
	c->n_out += n;
}

void
control_lines(struct control_client *c, char kind, const char *text, size_t n)
{
	const char frame[2] = {kind, ' '};

	while (n) {
		const char *end = memchr(text, '\n', n);
		size_t      length = end ? (size_t)(end - text) : n;
		append(c, frame, 2);
		append(c, text, length);
		append(c, "\n", 1);
		text += length + (end != NULL);
		n -= length + (end != NULL);
	}
	if (c->fd >= 0)
		watch_again(&c->watch, WATCH_WRITE);
}

void
control_say(struct control_client *c, char kind, const char *fmt, ...)
{
	char    text[4096];
	va_list ap;
	int     n;

	va_start(ap, fmt);
	n = vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	control_lines(c, kind, text, n < 0 ? 0 : (size_t)n < sizeof text ? (size_t)n : sizeof text - 1);
}

void
control_end(struct control_client *c, int code)
{
	control_say(c, 'x', "%d", code);
	c->ended = true;
	c->waits = 0;
	c->more = NULL;
	pump(c); /* what fits goes now: the gateway may end before the next turn */
}

static void
pump(struct control_client *c)
{
	if (c->fd < 0)
		return;
	while (c->sent < c->n_out || c->more) {
		ssize_t n;
		if (c->sent == c->n_out) {
			c->sent = c->n_out = 0;
			c->more(c);
			if (c->fd < 0)
				return;
			continue;
		}
		n = send(c->fd, c->out + c->sent, c->n_out - c->sent, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && errno == EAGAIN) {
			timer_set(c->control->loop, &c->patience, PATIENCE_MS);
			return;
		}
		if (n <= 0) {
			drop(c);
			return;
		}
		c->sent += (size_t)n;
	}
	c->sent = c->n_out = 0;
	timer_clear(&c->patience);
	if (c->ended)
		drop(c);
}

/* --- the request --- */

static void
refuse(struct control_client *c, const char *why)
{
	log_write_limited(&c->control->nonsense, LOG_LEVEL_WARN, "control: a request of uid %u (pid %d) is refused: %s", (unsigned)c->uid, (int)c->pid, why);
	c->asked = true;
	control_say(c, 'e', "%s", why);
	control_end(c, 2);
}

/* Words of printable ASCII and above, separated by blanks. */
static void
split(struct control_client *c, char *text)
{
	char *save = NULL;

	for (char *w = strtok_r(text, " ", &save); w; w = strtok_r(NULL, " ", &save)) {
		if (strcmp(w, "--json") == 0) {
			c->json = true;
		} else if (c->n_words == CONTROL_WORDS) {
			refuse(c, "too many words");
			return;
		} else {
			c->word[c->n_words++] = w;
		}
	}
	if (!c->n_words) {
		refuse(c, "an empty request");
		return;
	}
	c->asked = true;
	timer_clear(&c->patience);
	c->control->on_request(c->control->arg, c);
	if (c->fd >= 0)
		watch_again(&c->watch, WATCH_WRITE);
}

static void
take(struct control_client *c)
{
	char *end = memchr(c->in, '\n', c->n_in);

	if (!end) {
		if (c->n_in == sizeof c->in)
			refuse(c, "a request longer than 1024 bytes");
		return;
	}
	if (end + 1 != c->in + c->n_in) {
		refuse(c, "more than one line");
		return;
	}
	*end = '\0';
	for (const char *p = c->in; p < end; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f) {
			refuse(c, "bytes that are no text");
			return;
		}
	split(c, c->in);
}

/* False: there is nobody any more. After a half-close the answer is still read; only a whole close ends it. */
static bool
is_there(struct control_client *c)
{
	struct pollfd p = {.fd = c->fd, .events = 0};

	return c->asked && poll(&p, 1, 0) >= 0 && !(p.revents & (POLLHUP | POLLERR));
}

static void
on_client(void *arg, unsigned what)
{
	struct control_client *c = arg;
	char                   rest[256];

	while (what & (WATCH_READ | WATCH_CLOSED)) {
		ssize_t n = c->asked ? recv(c->fd, rest, sizeof rest, MSG_DONTWAIT) : recv(c->fd, c->in + c->n_in, sizeof c->in - c->n_in, MSG_DONTWAIT);
		if (n < 0 && errno == EAGAIN)
			break;
		if (n <= 0) {
			if (!is_there(c)) {
				drop(c);
				return;
			}
			break;
		}
		if (c->asked) {
			drop(c); /* one request a connection */
			return;
		}
		c->n_in += (size_t)n;
		take(c);
		if (c->fd < 0)
			return;
	}
	if (c->asked)
		pump(c);
}

static void
on_patience(void *arg)
{
	struct control_client *c = arg;

	if (!c->asked)
		log_write_limited(&c->control->nonsense, LOG_LEVEL_WARN, "control: uid %u (pid %d) connected and did not ask within 5 s", (unsigned)c->uid, (int)c->pid);
	drop(c);
}

/* --- listening --- */

static struct control_client *
spare(struct control *c, bool may_command)
{
	struct control_client *free_one = NULL;
	unsigned               guests = 0;

	for (unsigned i = 0; i < CONTROL_CLIENTS; i++) {
		if (c->client[i].fd < 0)
			free_one = &c->client[i];
		else
			guests += !c->client[i].may_command;
	}
	return may_command || guests < CONTROL_GUESTS ? free_one : NULL;
}

static void
send_off(int fd, const char *text)
{
	if (send(fd, text, strlen(text), MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		log_debug("control: a client went before it was told why");
	close(fd);
}

static void
begin(struct control *s, int fd)
{
	struct control_client *c;
	struct ucred           cred;
	socklen_t              n = sizeof cred;
	bool                   may_command;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &n) != 0) {
		close(fd);
		return;
	}
	may_command = cred.uid == 0 || cred.uid == geteuid();
	c = spare(s, may_command);
	if (!c) {
		log_write_limited(&s->busy, LOG_LEVEL_WARN, "control: too many others are being answered: uid %u (pid %d) has to come again", (unsigned)cred.uid, (int)cred.pid);
		send_off(fd, "e the gateway answers too many others at the moment; try again\nx 1\n");
		return;
	}
	if (!may_command && !s->place->has_group) {
		log_write_limited(&s->refused, LOG_LEVEL_WARN, "control: uid %u (pid %d) may not ask", (unsigned)cred.uid, (int)cred.pid);
		send_off(fd, "e you may not ask this gateway\nx 1\n");
		return;
	}
	c->fd = fd;
	c->uid = cred.uid;
	c->pid = cred.pid;
	c->may_command = may_command;
	if (!watch_init(&c->watch, s->loop, fd, WATCH_READ | WATCH_WRITE | WATCH_CLOSED, on_client, c)) {
		close(fd);
		c->fd = -1;
		return;
	}
	timer_set(s->loop, &c->patience, PATIENCE_MS);
}

static void
on_accept(void *arg, unsigned what)
{
	struct control *s = arg;

	(void)what;
	for (unsigned i = 0; i < ACCEPTS; i++) {
		int fd = accept4(s->place->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
		if (fd < 0) {
			/* out of descriptors: not now, then; the loop must not spin */
			if (errno != EAGAIN && errno != ECONNABORTED && errno != EINTR) {
				watch_clear(&s->watch);
				timer_set(s->loop, &s->resume, RESUME_MS);
			}
			return;
		}
		begin(s, fd);
	}
}

static void
on_resume(void *arg)
{
	struct control *s = arg;

	control_listen(s, s->place);
}

void
control_listen(struct control *c, const struct control_place *place)
{
	if (!c)
		return;
	watch_clear(&c->watch);
	timer_clear(&c->resume);
	c->place = place;
	if (place && !watch_init_level(&c->watch, c->loop, place->fd, WATCH_READ, on_accept, c))
		log_warn("control: cannot listen at %s: %s", place->path, strerror(errno));
}

/* --- texts --- */

const char *
control_escape(struct span s, char *buf, size_t n)
{
	size_t at = 0;

	for (size_t i = 0; i < s.n && at + 5 < n; i++) {
		unsigned char c = (unsigned char)s.p[i];
		/* U+0080 to U+009F are control characters too: terminals obey them */
		bool high = c == 0xc2 && i + 1 < s.n && (unsigned char)s.p[i + 1] < 0xa0;
		bool low = c >= 0x80 && c < 0xa0 && (i == 0 || (unsigned char)s.p[i - 1] < 0xc3);
		if (c < 0x20 || c == 0x7f || high || low)
			at += (size_t)snprintf(buf + at, n - at, "\\x%02x", c);
		else
			buf[at++] = (char)c;
	}
	buf[at] = '\0';
	return buf;
}

const char *
control_escape_json(struct span s, char *buf, size_t n)
{
	struct line l = {buf, buf + n - 2};

	line_char(&l, '"');
	line_text(&l, s, STYLE_JSON);
	l.end++;
	line_char(&l, '"');
	*l.at = '\0';
	return buf;
}
