/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/loop.h"

struct firing {
	struct timer  t;
	struct loop  *l;
	int           id, *order, *n;
	uint64_t      want_us, got_us;
	struct timer *kills; /* cleared when this one fires */
	bool          last;
};

static void
on_timer(void *arg)
{
	struct firing *f = arg;

	f->got_us = loop_now_us(f->l);
	f->order[(*f->n)++] = f->id;
	if (f->kills)
		timer_clear(f->kills);
	if (f->last)
		loop_stop(f->l);
}

static void
test_timers_fire_in_order_and_never_early(void **state)
{
	static const unsigned after_ms[] = {90, 0, 40, 20, 20, 130};
	struct loop          *l = loop_new();
	struct firing         f[6];
	int                   order[8], n = 0;

	(void)state;
	assert_non_null(l);
	for (int i = 0; i < 6; i++) {
		f[i] = (struct firing){.l = l, .id = i, .order = order, .n = &n, .want_us = loop_now_us(l) + after_ms[i] * 1000};
		timer_init(&f[i].t, on_timer, &f[i]);
		timer_set(l, &f[i].t, after_ms[i]);
	}
	f[5].last = true;
	loop_run(l);
	assert_int_equal(n, 6);
	assert_int_equal(order[0], 1);
	assert_int_equal(order[3], 2);
	assert_int_equal(order[4], 0);
	assert_int_equal(order[5], 5);
	for (int i = 0; i < 6; i++)
		assert_true(f[i].got_us >= f[i].want_us);
	loop_free(l);
}

static void
test_a_timer_may_clear_another_that_is_due(void **state)
{
	struct loop  *l = loop_new();
	struct firing a, b, end;
	int           order[4], n = 0;

	(void)state;
	a = (struct firing){.l = l, .id = 1, .order = order, .n = &n};
	b = (struct firing){.l = l, .id = 2, .order = order, .n = &n, .kills = &a.t};
	end = (struct firing){.l = l, .id = 3, .order = order, .n = &n, .last = true};
	a.kills = &b.t;
	timer_init(&a.t, on_timer, &a);
	timer_init(&b.t, on_timer, &b);
	timer_init(&end.t, on_timer, &end);
	timer_set(l, &a.t, 10);
	timer_set(l, &b.t, 10);
	timer_set(l, &end.t, 60);
	loop_run(l);
	assert_int_equal(n, 2);
	assert_int_equal(order[1], 3);
	loop_free(l);
}

struct seen {
	struct loop *l;
	struct watch w;
	unsigned     what;
	int          fd, calls;
};

static void
on_watch(void *arg, unsigned what)
{
	struct seen *s = arg;

	s->what |= what;
	s->calls++;
	if (what & WATCH_CLOSED)
		loop_stop(s->l);
	else if (s->calls == 1)
		watch_again(&s->w, WATCH_READ);
	else if (s->calls == 2)
		shutdown(s->fd, SHUT_WR);
}

static void
test_a_fin_is_told_apart_and_a_watch_can_be_called_again(void **state)
{
	int         p[2];
	struct seen s = {.l = loop_new()};

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, p), 0);
	s.fd = p[1];
	assert_true(watch_init(&s.w, s.l, p[0], WATCH_READ | WATCH_WRITE | WATCH_CLOSED, on_watch, &s));
	loop_run(s.l);
	assert_true(s.what & WATCH_WRITE);
	assert_true(s.what & WATCH_CLOSED);
	assert_true(s.calls >= 3);
	watch_clear(&s.w);
	watch_clear(&s.w);
	close(p[0]);
	close(p[1]);
	loop_free(s.l);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_timers_fire_in_order_and_never_early),
		cmocka_unit_test(test_a_timer_may_clear_another_that_is_due),
		cmocka_unit_test(test_a_fin_is_told_apart_and_a_watch_can_be_called_again),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
