/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "h2/rear.h"
#include "h2_peer.h"
#include "parse/body.h"

#define ASKERS 100

struct scene;

/* What a session does with its origin, in short. */
struct asker {
	struct scene *scene;
	struct side   side;
	char         *out, *in; /* owned */
	size_t        at_out, n_out, n_in, room;
	bool          over, unserved;
	int           error; /* of the last read; 0: a proper end */
};

struct scene {
	struct loop *loop;
	struct side  side;
	struct rear *rear;
	struct peer  peer;
	struct asker askers[ASKERS];
	unsigned     n, n_over;
	size_t       step;
	struct timer guard;
	bool         late, ended;
};

static void
on_late(void *arg)
{
	*(bool *)arg = true;
}

static void
on_rear_end(void *arg)
{
	struct scene *s = arg;

	s->ended = true;
	rear_free(s->rear);
	s->rear = NULL;
	side_close(&s->side);
}

static void
on_side(void *arg, unsigned what)
{
	struct scene *s = arg;

	side_note(&s->side, what);
	if (s->rear)
		rear_on_event(s->rear);
}

static struct scene *
scene_new(size_t step, uint32_t streams, uint32_t window)
{
	struct scene *s = calloc(1, sizeof *s);
	int           pair[2];

	assert_non_null(s);
	s->loop = loop_new();
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
	s->side.fd = pair[0];
	s->side.readable = s->side.writable = true;
	s->step = s->peer.step = step;
	assert_true(watch_init(&s->side.watch, s->loop, pair[0], WATCH_READ | WATCH_WRITE | WATCH_CLOSED, on_side, s));
	s->rear = rear_new(s->loop, &s->side, 16000, on_rear_end, s);
	assert_non_null(s->rear);
	assert_true(peer_start(&s->peer, s->loop, pair[1], true, streams, window));
	timer_init(&s->guard, on_late, &s->late);
	timer_set(s->loop, &s->guard, 20000);
	return s;
}

#define UNTIL(s, what) \
	do { \
		while (!(what) && !(s)->late) \
			loop_turn((s)->loop); \
		if ((s)->late) \
			fail_msg("late: %s; %u over, %u closed", #what, (s)->n_over, (s)->peer.n_closed); \
	} while (0)

static void
asker_end(struct asker *a, bool reset)
{
	if (a->over)
		return;
	a->over = true;
	a->scene->n_over++;
	(reset ? side_reset : side_close)(&a->side);
}

static void
scene_free(struct scene *s)
{
	timer_clear(&s->guard);
	for (unsigned i = 0; i < s->n; i++) {
		asker_end(&s->askers[i], true);
		free(s->askers[i].in);
		free(s->askers[i].out);
	}
	rear_free(s->rear);
	side_close(&s->side);
	peer_stop(&s->peer);
	loop_free(s->loop);
	free(s);
}

static void
on_asker(void *arg, unsigned what)
{
	struct asker *a = arg;
	ssize_t       n;
	size_t        step = a->scene->step ? a->scene->step : SIZE_MAX;

	side_note(&a->side, what);
	while (a->at_out < a->n_out) {
		n = (ssize_t)(a->n_out - a->at_out < step ? a->n_out - a->at_out : step);
		n = side_write(&a->side, span_of(a->out + a->at_out, (size_t)n), span_of(NULL, 0));
		if (n < 0 && errno == EAGAIN)
			break;
		if (n < 0) {
			a->at_out = a->n_out;
			break;
		}
		a->at_out += (size_t)n;
	}
	for (;;) {
		if (a->n_in == a->room) {
			a->room = a->room * 2 + 4096;
			a->in = realloc(a->in, a->room + 1);
			assert_non_null(a->in);
		}
		n = side_read(&a->side, a->in + a->n_in, a->room - a->n_in < step ? a->room - a->n_in : step);
		if (n < 0 && errno == EAGAIN)
			return;
		if (n <= 0) {
			a->error = n < 0 ? errno : 0;
			a->in[a->n_in] = '\0';
			a->unserved = rear_is_unserved(a->side.carrier);
			asker_end(a, n < 0);
			return;
		}
		a->n_in += (size_t)n;
	}
}

/* `n` bytes of body; SIZE_MAX: none. By chunks, or else by length. */
static struct asker *
ask(struct scene *s, const char *path, size_t n, bool chunks)
{
	struct asker   *a = &s->askers[s->n];
	struct carrier *c = rear_stream(s->rear);
	size_t          room = (n == SIZE_MAX ? 0 : n * 2) + 1000;

	if (!c)
		return NULL;
	s->n++;
	a->scene = s;
	a->side.fd = -1;
	a->out = malloc(room);
	assert_non_null(a->out);
	a->n_out = (size_t)sprintf(a->out, "%s %s HTTP/1.1\r\nHost: o.test\r\nX-Upper: Y\r\n", n == SIZE_MAX ? "GET" : "POST", path);
	if (n != SIZE_MAX && chunks)
		a->n_out += (size_t)sprintf(a->out + a->n_out, "Transfer-Encoding: chunked\r\nConnection: TE\r\nTE: trailers\r\n");
	else if (n != SIZE_MAX)
		a->n_out += (size_t)sprintf(a->out + a->n_out, "Content-Length: %zu\r\n", n);
	a->n_out += (size_t)sprintf(a->out + a->n_out, "\r\n");
	for (size_t at = 0, k; n != SIZE_MAX && at < n; at += k) {
		k = chunks && n - at > 100 ? 100 : n - at;
		if (chunks)
			a->n_out += (size_t)sprintf(a->out + a->n_out, "%zx\r\n", k);
		for (size_t i = 0; i < k; i++)
			a->out[a->n_out++] = peer_byte(at + i);
		if (chunks)
			a->n_out += (size_t)sprintf(a->out + a->n_out, "\r\n");
	}
	if (n != SIZE_MAX && chunks)
		a->n_out += (size_t)sprintf(a->out + a->n_out, "0\r\nX-End: yes\r\n\r\n");
	watch_init_idle(&a->side.watch, s->loop, on_asker, a);
	side_carry(&a->side, c);
	watch_again(&a->side.watch, WATCH_WRITE);
	return a;
}

/* The body without its chunks, which must be whole and of the right bytes. */
static size_t
body_of(const struct asker *a, bool *trailer)
{
	struct head h;
	struct body b;
	struct span in = span_of(a->in, a->n_in), data;
	size_t      used, n = 0;
	enum fault  fault;

	do {
		assert_int_equal(head_parse_response(in, 0, &h, &used, &fault), PARSE_OK);
		in = span_of(in.p + used, in.n - used);
	} while (h.status < 200);
	assert_int_equal(h.status, 200);
	body_init(&b, h.body, h.length);
	for (enum parse_result p = PARSE_MORE; p != PARSE_OK;) {
		p = body_take(&b, in, &used, &data);
		assert_int_not_equal(p, PARSE_BAD);
		assert_true(p == PARSE_OK || used > 0);
		for (size_t i = 0; i < data.n; i++)
			assert_int_equal(data.p[i], peer_byte(n + i));
		n += data.n;
		in = span_of(in.p + used, in.n - used);
	}
	assert_int_equal(in.n, 0);
	*trailer = strstr(a->in + a->n_in - (a->n_in < 20 ? a->n_in : 20), "x-end: yes\r\n\r\n") != NULL;
	return n;
}

static void
test_a_hundred_streams_are_answered(void **state)
{
	static const struct {
		size_t   step;
		uint32_t window;
		size_t   n;
	} rows[] = {{0, 65535, 200000}, {0, 1000, 20000}, {7, 65535, 700}, {1, 3, 100}, {0, 65535, 0}};
	bool trailer;

	(void)state;
	for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
		struct scene *s = scene_new(rows[r].step, 100, rows[r].window);
		UNTIL(s, s->peer.n_settings == 2);
		for (unsigned i = 0; i < 100; i++)
			assert_non_null(ask(s, "/echo", rows[r].n, i % 2));
		assert_false(rear_has_room(s->rear));
		assert_null(rear_stream(s->rear));
		UNTIL(s, s->n_over == 100);
		for (unsigned i = 0; i < 100; i++) {
			assert_int_equal(s->askers[i].error, 0);
			assert_int_equal(body_of(&s->askers[i], &trailer), rows[r].n);
			assert_true(trailer);
			assert_false(s->peer.streams[i].wrong);
			assert_int_equal(s->peer.streams[i].got_trailer, i % 2);
		}
		assert_int_equal(rear_streams(s->rear), 0);
		assert_true(rear_has_room(s->rear));
		scene_free(s);
	}
}

static void
test_ways_to_be_answered(void **state)
{
	static const struct {
		const char *path;
		size_t      n;
		int         error;
		const char *begins;
		bool        unserved;
	} rows[] = {
		{"/bytes/5", SIZE_MAX, 0, "HTTP/1.1 200 \r\ntransfer-encoding: chunked\r\n\r\n5\r\nabcde\r\n0\r\n\r\n", false},
		{"/hint", SIZE_MAX, 0, "HTTP/1.1 103 \r\n\r\nHTTP/1.1 200 \r\n", false},
		{"/early", 1000000, 0, "HTTP/1.1 413 \r\ncontent-length: 0\r\n\r\n", false},
		{"/refuse", SIZE_MAX, ECONNRESET, "", true},
		{"/reset", SIZE_MAX, ECONNRESET, "", false},
	};

	(void)state;
	for (size_t step = 0; step < 8; step += 7)
		for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
			struct scene *s = scene_new(step, 100, 65535);
			struct asker *a = ask(s, rows[r].path, rows[r].n, false);
			UNTIL(s, a->over);
			assert_int_equal(a->error, rows[r].error);
			assert_int_equal(strncmp(a->in, rows[r].begins, strlen(rows[r].begins)), 0);
			assert_int_equal(a->unserved, rows[r].unserved);
			assert_false(s->ended);
			scene_free(s);
		}
}

static void
test_an_origin_that_leaves_is_noticed_by_every_session(void **state)
{
	struct scene *s = scene_new(0, 100, 65535);

	(void)state;
	for (unsigned i = 0; i < 10; i++)
		ask(s, "/silent", SIZE_MAX, false);
	UNTIL(s, s->peer.n_streams == 10);
	peer_stop(&s->peer);
	UNTIL(s, s->n_over == 10 && s->ended);
	for (unsigned i = 0; i < 10; i++)
		assert_int_equal(s->askers[i].error, ECONNRESET);
	scene_free(s);
}

static void
test_goaway_leaves_what_is_open_and_takes_no_more(void **state)
{
	struct scene *s = scene_new(0, 100, 65535);
	struct asker *a = ask(s, "/silent", SIZE_MAX, false);
	nghttp2_nv    ok = {(uint8_t *)(uintptr_t) ":status", (uint8_t *)(uintptr_t) "200", 7, 3, 0};

	(void)state;
	UNTIL(s, s->peer.n_streams == 1);
	nghttp2_submit_goaway(s->peer.h2, 0, s->peer.streams[0].id, NGHTTP2_NO_ERROR, NULL, 0);
	peer_serve(&s->peer);
	UNTIL(s, !rear_has_room(s->rear));
	assert_false(a->over);
	assert_null(rear_stream(s->rear));
	nghttp2_submit_response(s->peer.h2, s->peer.streams[0].id, &ok, 1, NULL);
	peer_serve(&s->peer);
	UNTIL(s, a->over && s->ended);
	assert_int_equal(a->error, 0);
	scene_free(s);
}

static void
test_a_session_that_leaves_cancels_its_stream(void **state)
{
	struct scene *s = scene_new(0, 100, 65535);
	struct asker *a = ask(s, "/silent", SIZE_MAX, false);

	(void)state;
	UNTIL(s, s->peer.n_streams == 1);
	asker_end(a, false);
	UNTIL(s, s->peer.n_closed == 1);
	assert_int_equal(s->peer.streams[0].code, NGHTTP2_CANCEL);
	assert_int_equal(rear_streams(s->rear), 0);
	scene_free(s);
}

static void
test_a_rear_that_is_freed_leaves_its_streams_to_their_sessions(void **state)
{
	struct scene *s = scene_new(0, 100, 65535);

	(void)state;
	for (unsigned i = 0; i < 10; i++)
		ask(s, "/silent", SIZE_MAX, false);
	UNTIL(s, s->peer.n_streams == 10);
	rear_free(s->rear);
	s->rear = NULL;
	UNTIL(s, s->n_over == 10);
	scene_free(s);
}

static void
test_the_origins_limit_is_kept(void **state)
{
	struct scene *s = scene_new(0, 2, 65535);

	(void)state;
	UNTIL(s, s->peer.n_settings == 2);
	assert_non_null(ask(s, "/silent", SIZE_MAX, false));
	assert_non_null(ask(s, "/silent", SIZE_MAX, false));
	assert_null(ask(s, "/silent", SIZE_MAX, false));
	scene_free(s);
}

static void
test_an_origin_that_pings_without_end_is_left(void **state)
{
	struct scene *s = scene_new(0, 100, 65535);
	struct asker *a = ask(s, "/silent", SIZE_MAX, false);

	(void)state;
	UNTIL(s, s->peer.n_streams == 1);
	for (int i = 0; i < 2000; i++)
		nghttp2_submit_ping(s->peer.h2, 0, NULL);
	watch_again(&s->peer.watch, WATCH_WRITE);
	UNTIL(s, s->ended && a->over);
	assert_int_equal(a->error, ECONNRESET);
	scene_free(s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_hundred_streams_are_answered),
		cmocka_unit_test(test_ways_to_be_answered),
		cmocka_unit_test(test_an_origin_that_leaves_is_noticed_by_every_session),
		cmocka_unit_test(test_goaway_leaves_what_is_open_and_takes_no_more),
		cmocka_unit_test(test_a_session_that_leaves_cancels_its_stream),
		cmocka_unit_test(test_a_rear_that_is_freed_leaves_its_streams_to_their_sessions),
		cmocka_unit_test(test_the_origins_limit_is_kept),
		cmocka_unit_test(test_an_origin_that_pings_without_end_is_left),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
