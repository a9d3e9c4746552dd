/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "h2/link.h"
#include "h2_owner.h"
#include "h2_peer.h"

struct scene {
	struct loop    *loop;
	struct h2_owner owner;
	struct peer     peer;
	struct timer    guard;
	bool            late;
};

static void
on_late(void *arg)
{
	*(bool *)arg = true;
}

static struct scene *
scene_new(size_t step, uint32_t window)
{
	struct scene *s = calloc(1, sizeof *s);
	int           pair[2];

	assert_non_null(s);
	s->loop = loop_new();
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
	s->owner.step = s->peer.step = step;
	assert_true(h2_owner_start(&s->owner, s->loop, pair[0], 100, 16000));
	assert_true(peer_start(&s->peer, s->loop, pair[1], false, 100, window));
	timer_init(&s->guard, on_late, &s->late);
	timer_set(s->loop, &s->guard, 20000);
	return s;
}

static void
scene_free(struct scene *s)
{
	h2_owner_stop(&s->owner);
	peer_stop(&s->peer);
	timer_set(s->loop, &s->guard, 0);
	loop_turn(s->loop); /* what was buried goes at the end of a turn */
	timer_clear(&s->guard);
	loop_free(s->loop);
	free(s);
}

#define UNTIL(s, what) \
	do { \
		while (!(what) && !(s)->late) \
			loop_turn((s)->loop); \
		if ((s)->late) fail_msg("late: %s; %u requests, %u whole, %u reset, %u closed", #what, (s)->owner.n_requests, (s)->owner.n_whole, (s)->owner.n_reset, (s)->peer.n_closed); \
	} while (0)

static void
test_a_hundred_streams_echo_under_flow_control(void **state)
{
	static const struct {
		size_t   step;
		uint32_t window;
		size_t   n;
	} rows[] = {{0, 65535, 300000}, {0, 1000, 20000}, {7, 65535, 700}, {1, 3, 100}, {0, 65535, 0}, {4096, 16384, 131073}};

	(void)state;
	for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
		struct scene *s = scene_new(rows[r].step, rows[r].window);
		for (int i = 0; i < 100; i++)
			peer_ask(&s->peer, "POST", "/echo", rows[r].n, i % 2);
		UNTIL(s, s->peer.n_closed == 100 || s->peer.over);
		for (int i = 0; i < 100; i++) {
			struct peer_stream *p = &s->peer.streams[i];
			assert_int_equal(p->code, 0);
			assert_int_equal(p->status, 200);
			assert_int_equal(p->got, rows[r].n);
			assert_false(p->wrong);
			assert_true(p->got_trailer);
		}
		UNTIL(s, s->owner.n_whole == 100);
		assert_int_equal(front_streams(s->owner.front), 0);
		assert_int_equal(s->owner.n_reset, 0);
		scene_free(s);
	}
}

static void
test_a_slow_reader_slows_the_client(void **state)
{
	struct scene       *s = scene_new(0, 65535);
	struct peer_stream *p;
	size_t              before;

	(void)state;
	s->owner.slow = true;
	for (int i = 0; i < 20; i++)
		peer_ask(&s->peer, "POST", "/slow", 500000, false);
	/* no stream passes its window, nor all of them together theirs */
	do {
		before = 0;
		for (int i = 0; i < 20; i++)
			before += s->peer.streams[i].sent;
		loop_turn(s->loop);
	} while (before < LINK_WINDOW && !s->late);
	assert_false(s->late);
	nghttp2_submit_ping(s->peer.h2, 0, NULL);
	watch_again(&s->peer.watch, WATCH_WRITE);
	UNTIL(s, s->peer.n_acks == 1);
	before = 0;
	for (int i = 0; i < 20; i++) {
		assert_true(s->peer.streams[i].sent <= LINK_STREAM_WINDOW + GUEST_BUF); /* a guest reads once, with its head */
		before += s->peer.streams[i].sent;
	}
	assert_true(before <= LINK_WINDOW + 20 * GUEST_BUF);
	h2_owner_go(&s->owner);
	UNTIL(s, s->peer.n_closed == 20);
	for (int i = 0; i < 20; i++) {
		p = &s->peer.streams[i];
		assert_int_equal(p->got, 500000);
		assert_false(p->wrong);
	}
	scene_free(s);
}

static void
test_a_slow_client_slows_the_writer(void **state)
{
	struct scene *s = scene_new(0, 1000);
	size_t        most = 0;

	(void)state;
	s->peer.paused = true;
	peer_ask(&s->peer, "GET", "/bytes/10000000", SIZE_MAX, false);
	peer_serve(&s->peer);
	while (LIST_EMPTY(&s->owner.guests) || LIST_FIRST(&s->owner.guests)->side.writable)
		loop_turn(s->loop);
	most = 10000000 - LIST_FIRST(&s->owner.guests)->left;
	/* what waits, what the client's windows took, and what the guest itself holds */
	assert_true(most <= STREAM_OUT_MAX + 65535 + GUEST_BUF);
	scene_free(s);
}

static void
test_what_a_session_reads(void **state)
{
	struct scene *s = scene_new(0, 65535);

	(void)state;
	peer_ask(&s->peer, "POST", "/echo", 5, true);
	UNTIL(s, s->peer.n_closed == 1);
	assert_string_equal(s->owner.last_head,
	    "POST /echo HTTP/1.1\r\nhost: a.test\r\nconnection: TE\r\nte: trailers\r\ntransfer-encoding: chunked\r\n\r\n");
	assert_string_equal(s->owner.last_body, "5\r\nabcde\r\n0\r\nx-end: yes\r\n\r\n");
	peer_ask(&s->peer, "GET", "/", SIZE_MAX, false);
	UNTIL(s, s->peer.n_closed == 2);
	assert_string_equal(s->owner.last_head, "GET / HTTP/1.1\r\nhost: a.test\r\nconnection: TE\r\nte: trailers\r\n\r\n");
	scene_free(s);
}

static void
test_ways_to_answer(void **state)
{
	static const struct {
		const char *path;
		size_t      n;
		unsigned    status, interim;
		size_t      got;
		uint32_t    code;
	} rows[] = {
		{"/hint", SIZE_MAX, 200, 103, 11, 0},
		{"/close/100000", SIZE_MAX, 200, 0, 100000, 0},
		{"/bytes/0", SIZE_MAX, 200, 0, 0, 0},
		{"/bytes/1000000", SIZE_MAX, 200, 0, 1000000, 0},
		{"/early", 10000000, 200, 0, 11, NGHTTP2_NO_ERROR},
		{"/reset", SIZE_MAX, 200, 0, 3, NGHTTP2_INTERNAL_ERROR},
		{"/cut", SIZE_MAX, 200, 0, 3, NGHTTP2_INTERNAL_ERROR},
	};

	(void)state;
	for (size_t step = 0; step < 8; step += 7)
		for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
			struct scene       *s = scene_new(step, 65535);
			struct peer_stream *p = peer_ask(&s->peer, "POST", rows[r].path, rows[r].n, false);
			UNTIL(s, p->closed);
			assert_int_equal(p->status, rows[r].status);
			assert_int_equal(p->interim, rows[r].interim);
			assert_int_equal(p->got, rows[r].got);
			assert_int_equal(p->code, rows[r].code);
			assert_false(s->owner.ended);
			scene_free(s);
		}
}

static void
test_a_client_that_leaves_is_noticed_by_every_session(void **state)
{
	struct scene *s = scene_new(0, 65535);

	(void)state;
	for (int i = 0; i < 10; i++)
		peer_ask(&s->peer, "POST", "/echo", 10, false)->hold_back = true;
	UNTIL(s, s->owner.n_requests == 10);
	peer_stop(&s->peer);
	UNTIL(s, s->owner.n_reset == 10 && s->owner.ended);
	assert_int_equal(s->owner.fault, FAULT_CLIENT_ABORTED);
	scene_free(s);
}

static void
test_a_stream_that_is_reset_is_noticed_by_its_session(void **state)
{
	struct scene       *s = scene_new(0, 65535);
	struct peer_stream *p = peer_ask(&s->peer, "POST", "/echo", 10, false), *q = peer_ask(&s->peer, "POST", "/echo", 10, false);

	(void)state;
	p->hold_back = q->hold_back = true;
	UNTIL(s, s->owner.n_requests == 2);
	nghttp2_submit_rst_stream(s->peer.h2, 0, p->id, NGHTTP2_CANCEL);
	watch_again(&s->peer.watch, WATCH_WRITE);
	UNTIL(s, s->owner.n_reset == 1);
	assert_int_equal(front_streams(s->owner.front), 1);
	q->hold_back = false;
	nghttp2_session_resume_data(s->peer.h2, q->id);
	watch_again(&s->peer.watch, WATCH_WRITE);
	UNTIL(s, q->closed);
	assert_int_equal(q->code, 0);
	scene_free(s);
}

static void
test_a_front_that_is_freed_leaves_its_streams_to_their_sessions(void **state)
{
	struct scene *s = scene_new(0, 65535);

	(void)state;
	for (int i = 0; i < 10; i++)
		peer_ask(&s->peer, "POST", "/echo", 10, false)->hold_back = true;
	UNTIL(s, s->owner.n_requests == 10);
	front_free(s->owner.front);
	s->owner.front = NULL;
	UNTIL(s, s->owner.n_reset == 10);
	scene_free(s);
}

static void
test_a_drained_front_serves_what_is_open_and_ends(void **state)
{
	struct scene       *s = scene_new(0, 65535);
	struct peer_stream *p = peer_ask(&s->peer, "POST", "/echo", 10, false);

	(void)state;
	p->hold_back = true;
	UNTIL(s, s->owner.n_requests == 1);
	front_drain(s->owner.front);
	UNTIL(s, s->peer.goaway);
	assert_int_equal(s->peer.goaway, NGHTTP2_NO_ERROR + 1);
	assert_false(s->owner.ended);
	p->hold_back = false;
	nghttp2_session_resume_data(s->peer.h2, p->id);
	watch_again(&s->peer.watch, WATCH_WRITE);
	UNTIL(s, s->owner.ended && p->closed);
	assert_int_equal(p->got, 10);
	assert_int_equal(p->code, 0);
	assert_int_equal(s->owner.fault, FAULT_NONE);
	scene_free(s);
}

static void
test_a_front_without_streams_drains_at_once(void **state)
{
	struct scene *s = scene_new(0, 65535);

	(void)state;
	UNTIL(s, s->peer.n_settings == 2);
	front_drain(s->owner.front);
	UNTIL(s, s->owner.ended);
	assert_int_equal(s->owner.fault, FAULT_NONE);
	scene_free(s);
}

static void
test_a_client_that_leaves_between_requests_leaves_in_good_order(void **state)
{
	struct scene       *s = scene_new(0, 65535);
	struct peer_stream *p = peer_ask(&s->peer, "GET", "/", SIZE_MAX, false);

	(void)state;
	UNTIL(s, p->closed && s->owner.n_whole == 1);
	peer_stop(&s->peer);
	UNTIL(s, s->owner.ended);
	assert_int_equal(s->owner.fault, FAULT_NONE);
	scene_free(s);
}

static void
test_a_stream_that_nobody_takes_is_refused(void **state)
{
	struct scene       *s = scene_new(0, 65535);
	struct peer_stream *p;

	(void)state;
	s->owner.refuse = true;
	p = peer_ask(&s->peer, "GET", "/", SIZE_MAX, false);
	UNTIL(s, p->closed);
	assert_int_equal(p->code, NGHTTP2_REFUSED_STREAM);
	assert_int_equal(front_streams(s->owner.front), 0);
	scene_free(s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_hundred_streams_echo_under_flow_control),
		cmocka_unit_test(test_a_slow_reader_slows_the_client),
		cmocka_unit_test(test_a_slow_client_slows_the_writer),
		cmocka_unit_test(test_what_a_session_reads),
		cmocka_unit_test(test_ways_to_answer),
		cmocka_unit_test(test_a_client_that_leaves_is_noticed_by_every_session),
		cmocka_unit_test(test_a_stream_that_is_reset_is_noticed_by_its_session),
		cmocka_unit_test(test_a_front_that_is_freed_leaves_its_streams_to_their_sessions),
		cmocka_unit_test(test_a_drained_front_serves_what_is_open_and_ends),
		cmocka_unit_test(test_a_front_without_streams_drains_at_once),
		cmocka_unit_test(test_a_client_that_leaves_between_requests_leaves_in_good_order),
		cmocka_unit_test(test_a_stream_that_nobody_takes_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
