/* SPDX-License-Identifier: MIT */
#include "proc/sightings.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/clock.h"
#include "conf/option.h"
#include "proc/commands.h"
#include "session/list.h"

#define FILE_BYTES  ((off_t)64 << 20) /* of one worker's sessions: takes memory as it is written */
#define WAIT_MS     2000u
#define PIECE       (32u << 10) /* of a file, read at once */
#define TOP_MOST    200u

struct listing {
	unsigned refs;
	unsigned n;
	int      fd[SHARED_WORKERS_MAX];
};

/* One client's way through a listing. */
struct reading {
	struct listing *of;
	unsigned        file;
	off_t           at;
	size_t          rows; /* told */
	const char     *client, *host, *rule; /* filters, in the client's words; null: none */
	bool            like; /* what holds the filters' texts fits */
	bool            oldest; /* `top` are those that are there for longest */
	unsigned        top;  /* only so many, those that moved most; 0: all */
	unsigned        n_best;
	struct best {
		uint64_t weight;
		unsigned file;
		off_t    at;
	} best[TOP_MOST];
};

static void
listing_unref(struct listing *l)
{
	if (!l || --l->refs)
		return;
	for (unsigned i = 0; i < l->n; i++)
		close(l->fd[i]);
	free(l);
}

/* --- one row --- */

struct row {
	struct list_row head;
	char            text[LIST_TEXTS][LIST_TEXT_MOST + 1];
};

/* Bytes that it takes; 0: there is no row here. */
static size_t
row_read(const char *p, size_t n, struct row *row)
{
	size_t at = sizeof row->head;

	if (n < at)
		return 0;
	memcpy(&row->head, p, at);
	if (row->head.magic != LIST_MAGIC)
		return 0;
	for (unsigned i = 0; i < LIST_TEXTS; i++) {
		size_t len = row->head.len[i];
		if (len > LIST_TEXT_MOST || n - at < len)
			return 0;
		memcpy(row->text[i], p + at, len);
		row->text[i][len] = '\0';
		at += len;
	}
	return at;
}

static bool
row_wanted(const struct reading *r, const struct row *row)
{
	char client[ADDR_TEXT_MAX];

	if (r->host && !strcasestr(row->text[LIST_HOST], r->host))
		return false;
	if (r->rule && (r->like ? !strcasestr(row->text[LIST_RULE], r->rule) : strcmp(row->text[LIST_RULE], r->rule) != 0))
		return false;
	if (r->client) {
		addr_print(&row->head.client.addr, client);
		if (r->like ? !strcasestr(client, r->client) : strcmp(client, r->client) != 0)
			return false;
	}
	return true;
}

static const char *
action_word(const struct row *row)
{
	static const char *const word[] = {[ACTION_DENY] = "deny", [ACTION_BYPASS] = "bypass", [ACTION_TUNNEL] = "tunnel", [ACTION_INSPECT] = "inspect"};

	return row->head.action < sizeof word / sizeof *word ? word[row->head.action] : "-";
}

static uint64_t
age_ms(const struct row *row)
{
	uint64_t now = clock_real_us();

	return now > row->head.start_real_us ? (now - row->head.start_real_us) / 1000 : 0;
}

static void
tell_json(struct control_client *c, const struct row *row, bool first)
{
	char client[ENDPOINT_TEXT_MAX], t[LIST_TEXTS][LIST_TEXT_MOST * 6 + 4];

	endpoint_print(&row->head.client, client);
	for (unsigned i = 0; i < LIST_TEXTS; i++)
		control_escape_json(span_str(row->text[i]), t[i], sizeof t[i]);
	control_say(c, '.',
	    "%c{\"id\":\"%016llx\",\"worker\":%u,\"client\":\"%s\",\"user\":%s,\"listener\":%s,\"method\":%s,\"host\":%s,\"port\":%u,\"rule\":%s,\"action\":\"%s\","
	    "\"tunnel\":%s,\"state\":\"%s\",\"age_ms\":%llu,\"bytes_in\":%llu,\"bytes_out\":%llu}",
	    first ? ' ' : ',', (unsigned long long)row->head.id, row->head.worker, client, t[LIST_USER], t[LIST_LISTENER], t[LIST_METHOD], t[LIST_HOST],
	    row->head.port, t[LIST_RULE], action_word(row), row->head.is_tunnel ? "true" : "false", session_state_word(row->head.state),
	    (unsigned long long)age_ms(row), (unsigned long long)row->head.bytes_in, (unsigned long long)row->head.bytes_out);
}

static void
tell_text(struct control_client *c, const struct row *row)
{
	char client[ENDPOINT_TEXT_MAX], age[24], in[24], out[24], host[LIST_TEXT_MOST * 4 + 16], user[LIST_TEXT_MOST * 4 + 1], rule[LIST_TEXT_MOST * 4 + 1];
	char listener[LIST_TEXT_MOST * 4 + 1], method[LIST_TEXT_MOST * 4 + 1];

	endpoint_print(&row->head.client, client);
	control_escape(span_str(row->text[LIST_HOST]), host, sizeof host - 8);
	snprintf(host + strlen(host), 8, ":%u", row->head.port);
	control_say(c, '.', "%016llx %8s %-21s %-12s %-10s %-8s %-36s %-20s %-7s %-8s %9s %9s", (unsigned long long)row->head.id,
	    age_print(age_ms(row), age, sizeof age), client, row->text[LIST_USER][0] ? control_escape(span_str(row->text[LIST_USER]), user, sizeof user) : "-",
	    control_escape(span_str(row->text[LIST_LISTENER]), listener, sizeof listener), control_escape(span_str(row->text[LIST_METHOD]), method, sizeof method),
	    host, row->text[LIST_RULE][0] ? control_escape(span_str(row->text[LIST_RULE]), rule, sizeof rule) : "-", action_word(row),
	    session_state_word(row->head.state), size_print(row->head.bytes_in, in, sizeof in), size_print(row->head.bytes_out, out, sizeof out));
}

static void
tell_row(struct control_client *c, struct reading *r, const struct row *row)
{
	if (c->json)
		tell_json(c, row, r->rows == 0);
	else
		tell_text(c, row);
	r->rows++;
}

/* --- all rows --- */

static void
reading_end(struct control_client *c)
{
	struct reading *r = c->listing;

	if (c->json)
		control_say(c, '.', "]");
	else if (!r->rows)
		control_say(c, '.', "nothing is under way%s", r->client || r->host || r->rule ? " that fits" : "");
	sightings_gone(c);
	control_end(c, 0);
}

/* Calls `each` for every row of the next piece of a file. False: that was the last file. */
static bool
next_piece(struct reading *r, char *buf, void (*each)(struct control_client *c, struct reading *r, const struct row *row, off_t at), struct control_client *c)
{
	struct row row;
	ssize_t    n;
	size_t     used = 0, one;

	if (r->file == r->of->n)
		return false;
	n = pread(r->of->fd[r->file], buf, PIECE, r->at);
	while (n > 0 && (one = row_read(buf + used, (size_t)n - used, &row))) {
		if (row_wanted(r, &row))
			each(c, r, &row, r->at + (off_t)used);
		used += one;
	}
	r->at += (off_t)used;
	if (!used) {
		r->file++;
		r->at = 0;
	}
	return r->file < r->of->n;
}

static void
each_told(struct control_client *c, struct reading *r, const struct row *row, off_t at)
{
	(void)at;
	tell_row(c, r, row);
}

static void
each_weighed(struct control_client *c, struct reading *r, const struct row *row, off_t at)
{
	struct best one = {r->oldest ? age_ms(row) : row->head.bytes_in + row->head.bytes_out, r->file, at};
	unsigned    i;

	(void)c;
	if (r->n_best == r->top && r->best[r->n_best - 1].weight >= one.weight)
		return;
	r->n_best += r->n_best < r->top;
	for (i = r->n_best - 1; i > 0 && r->best[i - 1].weight < one.weight; i--)
		r->best[i] = r->best[i - 1];
	r->best[i] = one;
}

static void
tell_best(struct control_client *c, struct reading *r, char *buf)
{
	struct row row;

	while (next_piece(r, buf, each_weighed, c))
		;
	for (unsigned i = 0; i < r->n_best; i++) {
		ssize_t n = pread(r->of->fd[r->best[i].file], buf, sizeof row, r->best[i].at);
		if (n > 0 && row_read(buf, (size_t)n, &row))
			tell_row(c, r, &row);
	}
}

static void
more(struct control_client *c)
{
	struct reading *r = c->listing;
	char           *buf = malloc(PIECE);

	if (!buf) {
		control_say(c, 'e', "out of memory");
		control_end(c, 1);
		return;
	}
	if (r->top)
		tell_best(c, r, buf);
	if (r->top || !next_piece(r, buf, each_told, c))
		reading_end(c);
	free(buf);
}

/* --- asking the workers --- */

static void
tell_all(struct sightings *s)
{
	timer_clear(&s->deadline);
	for (struct control_client *c = NULL; (c = control_next(s->control, c));) {
		struct reading *r = c->listing;
		if (c->waits != WAIT_SESSIONS)
			continue;
		c->waits = WAIT_NOTHING;
		r->of = s->now;
		s->now->refs++;
		if (c->json)
			control_say(c, '.', "[");
		else
			control_say(c, '.', "%-16s %8s %-21s %-12s %-10s %-8s %-36s %-20s %-7s %-8s %9s %9s", "ID", "AGE", "CLIENT", "USER", "LISTENER", "METHOD",
			    "HOST", "RULE", "ACTION", "STATE", "IN", "OUT");
		c->more = more;
	}
	listing_unref(s->now);
	s->now = NULL;
}

static void
begin(struct sightings *s)
{
	s->now = calloc(1, sizeof *s->now);
	if (!s->now)
		return;
	s->now->refs = 1;
	s->number++;
	s->n_waiting = 0;
	for (uint32_t i = 0; i < s->crew->n_workers; i++) {
		int fd = memfd_create("postern-sessions", MFD_CLOEXEC | MFD_ALLOW_SEALING);
		s->waiting[i] = false;
		if (fd < 0)
			continue;
		if (ftruncate(fd, FILE_BYTES) != 0 || fcntl(fd, F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) != 0) {
			close(fd);
			continue;
		}
		s->now->fd[s->now->n++] = fd;
		if (s->crew->worker[i].state == MEMBER_SERVING && member_say(&s->crew->worker[i], MSG_SESSIONS, s->number, NULL, 0, &fd, 1)) {
			s->waiting[i] = true;
			s->n_waiting++;
		}
	}
	for (struct control_client *c = NULL; (c = control_next(s->control, c));)
		if (c->waits == WAIT_SESSIONS_TO_COME)
			c->waits = WAIT_SESSIONS;
	timer_set(s->crew->loop, &s->deadline, s->n_waiting ? WAIT_MS : 1);
}

static void
begin_for_those_who_wait(struct sightings *s)
{
	for (struct control_client *c = NULL; (c = control_next(s->control, c));)
		if (c->waits == WAIT_SESSIONS_TO_COME) {
			begin(s);
			return;
		}
}

void
sightings_listed(struct sightings *s, uint32_t worker, uint64_t number)
{
	if (!s->now || number != s->number || !s->waiting[worker])
		return;
	s->waiting[worker] = false;
	if (--s->n_waiting)
		return;
	tell_all(s);
	begin_for_those_who_wait(s);
}

/* A worker that died or hangs: what the others wrote has to do. */
static void
on_deadline(void *arg)
{
	struct sightings *s = arg;

	if (s->now)
		tell_all(s);
	begin_for_those_who_wait(s);
}

static bool
read_filters(struct control_client *c, struct reading *r)
{
	for (unsigned i = 1; i < c->n_words; i++) {
		char *w = c->word[i];
		if (strncmp(w, "client=", 7) == 0)
			r->client = w + 7;
		else if (strncmp(w, "host=", 5) == 0)
			r->host = w + 5;
		else if (strncmp(w, "rule=", 5) == 0)
			r->rule = w + 5;
		else if (strcmp(w, "like") == 0)
			r->like = true;
		else if (strcmp(w, "by=age") == 0)
			r->oldest = true;
		else if (strncmp(w, "top=", 4) == 0 && (r->top = (unsigned)strtoul(w + 4, NULL, 10)) > 0)
			r->top = r->top > TOP_MOST ? TOP_MOST : r->top;
		else
			return false;
	}
	return true;
}

void
sightings_ask(struct sightings *s, struct control_client *c)
{
	struct reading *r = calloc(1, sizeof *r);

	c->listing = r;
	if (!r || !read_filters(c, r)) {
		control_say(c, 'e', r ? "want sessions [client=ADDRESS] [host=TEXT] [rule=NAME] [like] [top=NUMBER [by=age]]" : "out of memory");
		sightings_gone(c);
		control_end(c, r ? 2 : 1);
		return;
	}
	c->waits = WAIT_SESSIONS_TO_COME;
	if (!s->now)
		begin(s);
	if (!s->now) {
		control_say(c, 'e', "out of memory");
		control_end(c, 1);
	}
}

void
sightings_gone(struct control_client *c)
{
	struct reading *r = c->listing;

	if (r)
		listing_unref(r->of);
	free(r);
	c->listing = NULL;
	c->more = NULL;
}

void
sightings_init(struct sightings *s, struct crew *crew, struct control *control)
{
	*s = (struct sightings){.crew = crew, .control = control};
	timer_init(&s->deadline, on_deadline, s);
}

void
sightings_clear(struct sightings *s)
{
	timer_clear(&s->deadline);
	listing_unref(s->now);
	s->now = NULL;
}
