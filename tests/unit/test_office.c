/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "auth/office.h"
#include "auth/wire.h"
#include "base/clock.h"
#include "block.h"

/* A back end that does what the user's name says: ok, bad, token, down; block: only when the test lets it. */
static struct {
	pthread_mutex_t lock;
	pthread_cond_t  let;
	bool            open, reachable; /* block returns; a ping succeeds */
	unsigned        asked, inside, most, opened, closed, pinged;
	char            order[64][16];
} room = {.lock = PTHREAD_MUTEX_INITIALIZER, .let = PTHREAD_COND_INITIALIZER};

struct back {
	int n;
};

static struct back *
back_open(const struct snapshot *snap, int fd, char why[BACK_WHY_MAX])
{
	(void)snap;
	if (fd == -2) {
		snprintf(why, BACK_WHY_MAX, "no such thing");
		return NULL;
	}
	room.opened++;
	return calloc(1, sizeof(struct back));
}

static void
back_close(struct back *b)
{
	room.closed++;
	free(b);
}

static void
back_check(struct back *b, unsigned thread, const struct ask *ask, struct answer *out)
{
	struct span user = ask->part[0];

	(void)b;
	(void)thread;
	pthread_mutex_lock(&room.lock);
	snprintf(room.order[room.asked++ % 64], 16, "%.*s", SPAN_ARG(user));
	room.inside++;
	room.most = room.inside > room.most ? room.inside : room.most;
	while (user.n >= 5 && memcmp(user.p, "block", 5) == 0 && !room.open)
		pthread_cond_wait(&room.let, &room.lock);
	room.inside--;
	pthread_mutex_unlock(&room.lock);
	if (memcmp(user.p, "bad", 3) == 0) {
		out->result = ASK_REFUSED;
		answer_detail(out, "wrong password");
	} else if (memcmp(user.p, "token", 3) == 0) {
		out->result = ASK_BAD_TOKEN;
	} else if (memcmp(user.p, "down", 3) == 0) {
		out->result = ASK_UNAVAILABLE;
		answer_detail(out, "nobody there");
	} else {
		out->result = ASK_OK;
		answer_name(out->account, user);
	}
}

static bool
back_ping(struct back *b, unsigned thread, char why[BACK_WHY_MAX])
{
	bool ok;

	(void)b;
	assert_int_equal(thread, 0);
	pthread_mutex_lock(&room.lock);
	ok = room.reachable;
	room.pinged++;
	pthread_mutex_unlock(&room.lock);
	snprintf(why, BACK_WHY_MAX, "still nobody");
	return ok;
}

static bool
back_names(struct back *b, struct ntlm_names *out)
{
	(void)b;
	pthread_mutex_lock(&room.lock);
	room.inside++;
	while (!room.open)
		pthread_cond_wait(&room.let, &room.lock);
	room.inside--;
	pthread_mutex_unlock(&room.lock);
	snprintf(out->domain, sizeof out->domain, "CORP");
	return room.reachable;
}

static const struct back_ops one = {.word = "one", .threads = 1, .counts = true, .open = back_open, .close = back_close, .check = back_check},
	two = {.word = "two", .threads = 2, .counts = true, .open = back_open, .close = back_close, .check = back_check},
	inline_ops = {.word = "inline", .open = back_open, .close = back_close, .check = back_check},
	pinged = {.word = "pinged", .threads = 2, .open = back_open, .close = back_close, .check = back_check, .ping = back_ping},
	eight = {.word = "eight", .threads = 8, .counts = true, .open = back_open, .close = back_close, .check = back_check},
	named = {.word = "named", .threads = 2, .open = back_open, .close = back_close, .check = back_check, .names = back_names};

#define ASKS 64

struct world {
	struct loop        *loop;
	struct office      *office;
	struct shared_auth *shared;
	struct settings     settings;
	struct snapshot     snap;
	struct timer        guard;
	bool                late;
	unsigned            n; /* answers */
	unsigned            n_names; /* times that names were told, or that there are none */
	char                domain[16];
	struct {
		unsigned        n;
		enum ask_result result;
		uint32_t        retry_after_s;
		char            detail[ASK_DETAIL_MAX];
		uint64_t        at_us;
	} got[ASKS];
};

static void
on_guard(void *arg)
{
	((struct world *)arg)->late = true;
}

static void
on_answer(void *arg, uint32_t from, uint64_t id, const struct answer *a)
{
	struct world *w = arg;

	assert_int_equal(from, 7);
	assert_true(id < ASKS);
	w->got[id].n++;
	w->got[id].result = a->result;
	w->got[id].retry_after_s = a->retry_after_s;
	w->got[id].at_us = clock_mono_us();
	memcpy(w->got[id].detail, a->detail, sizeof a->detail);
	w->n++;
}

static void
on_names(void *arg, const struct ntlm_names *names)
{
	struct world *w = arg;

	w->n_names++;
	snprintf(w->domain, sizeof w->domain, "%s", names ? names->domain : "");
}

static struct world *
world_new(const struct back_ops *ops, uint32_t timeout_ms)
{
	struct world        *w = calloc(1, sizeof *w);
	struct office_config c = {.ops = ops, .kind = BACK_LDAP, .answer = on_answer, .names = on_names, .arg = w};

	assert_non_null(w);
	c.shared = w->shared = calloc(1, sizeof *w->shared);
	assert_non_null(w->shared);
	w->settings.auth = (struct auth_settings){.timeout_ms = timeout_ms, .queue = 16, .max_failures = {4, 1800000}, .max_failures_user = {8, 1800000}};
	w->snap.set = &w->settings;
	w->loop = loop_new();
	timer_init(&w->guard, on_guard, w);
	timer_set(w->loop, &w->guard, 30000);
	room.open = false;
	room.reachable = false;
	room.asked = room.most = room.opened = room.closed = room.pinged = 0;
	w->office = office_new(w->loop, &c);
	assert_non_null(w->office);
	return w;
}

static void
world_open(struct world *w)
{
	char why[BACK_WHY_MAX];

	assert_true(office_open(w->office, &w->snap, -1, why));
}

static void
let_go(void)
{
	pthread_mutex_lock(&room.lock);
	room.open = true;
	pthread_cond_broadcast(&room.let);
	pthread_mutex_unlock(&room.lock);
}

static void
world_free(struct world *w)
{
	let_go();
	office_free(w->office);
	assert_int_equal(room.opened, room.closed);
	timer_clear(&w->guard);
	loop_free(w->loop);
	free(w->shared);
	free(w);
}

static void
ask_as(struct world *w, uint64_t id, const char *user, const char *password, uint32_t client, uint32_t timeout_ms)
{
	static char buf[WIRE_MAX];
	struct ask  a = {.op = ASK_BASIC, .timeout_ms = timeout_ms, .client = addr_from_v4(client), .part = {span_str(user), span_str(password)}};
	size_t      n = wire_put_ask(buf, sizeof buf, id, &a);

	assert_true(n > 0 && office_ask(w->office, 7, buf, n));
}

static void
ask(struct world *w, uint64_t id, const char *user, uint32_t timeout_ms)
{
	char password[16];

	snprintf(password, sizeof password, "p%u", (unsigned)id);
	ask_as(w, id, user, password, 1, timeout_ms);
}

static void
until(struct world *w, unsigned n)
{
	while (w->n < n && !w->late)
		loop_turn(w->loop);
	assert_int_equal(w->n, n);
}

/* Threads enter without the loop's help. */
static void
until_inside(unsigned n)
{
	unsigned now = 0;

	for (unsigned i = 0; i < 20000 && now != n; i++) {
		pthread_mutex_lock(&room.lock);
		now = room.inside;
		pthread_mutex_unlock(&room.lock);
		if (now != n)
			usleep(1000);
	}
	assert_int_equal(now, n);
}

static void
test_answers_come_from_threads_and_without(void **state)
{
	const struct back_ops *ops[] = {&two, &inline_ops};

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		struct world *w = world_new(ops[i], 5000);
		world_open(w);
		ask(w, 0, "ok", 5000);
		ask(w, 1, "bad", 5000);
		ask(w, 2, "token", 5000);
		ask(w, 3, "down", 5000);
		until(w, 4);
		assert_true(w->got[0].result == ASK_OK && w->got[1].result == ASK_REFUSED && w->got[2].result == ASK_BAD_TOKEN && w->got[3].result == ASK_UNAVAILABLE);
		struct auth_stats *s = &w->shared->stats[BACK_LDAP];
		assert_true(s->asked == 4 && s->ok == 1 && s->refused == 1 && s->bad == 1 && s->unavailable == 1 && s->limited == 0);
		assert_false(office_ask(w->office, 7, "rubbish", 7));
		world_free(w);
	}
}

static void
test_before_it_is_open_asks_wait_and_when_it_cannot_be_they_are_told(void **state)
{
	struct world *w = world_new(&two, 5000);
	char          why[BACK_WHY_MAX];

	(void)state;
	ask(w, 0, "ok", 5000);
	assert_int_equal(w->n, 0);
	world_open(w);
	until(w, 1);
	assert_int_equal(w->got[0].result, ASK_OK);
	assert_false(office_open(w->office, &w->snap, -2, why)); /* the one before stays */
	assert_string_equal(why, "no such thing");
	ask(w, 1, "ok", 5000);
	until(w, 2);
	assert_int_equal(w->got[1].result, ASK_OK);
	world_free(w);
	w = world_new(&two, 5000);
	ask(w, 0, "ok", 5000);
	assert_false(office_open(w->office, &w->snap, -2, why));
	ask(w, 1, "ok", 5000);
	until(w, 2);
	assert_true(w->got[0].result == ASK_UNAVAILABLE && w->got[1].result == ASK_UNAVAILABLE);
	assert_string_equal(w->got[1].detail, "no such thing");
	world_free(w);
}

/* Each at its deadline, though the threads are stuck; what waited behind them is never asked. */
static void
test_a_stuck_back_end_is_answered_for_at_the_deadline(void **state)
{
	struct world *w = world_new(&two, 400);
	uint64_t      began = clock_mono_us();

	(void)state;
	world_open(w);
	ask(w, 0, "block0", 5000); /* never longer than `timeout` */
	ask(w, 1, "block1", 200);
	ask(w, 2, "ok2", 300);
	until(w, 3);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(w->got[i].result, ASK_UNAVAILABLE);
	assert_true(w->got[1].at_us - began >= 190000 && w->got[2].at_us - began >= 290000 && w->got[0].at_us - began >= 390000);
	assert_true(w->got[0].at_us - began < 3000000);
	assert_int_equal(room.asked, 2);
	assert_true(office_is_busy(w->office) && office_is_idle(w->office));
	/* all threads are stuck: at once */
	while (clock_mono_us() - began < 450000)
		loop_turn(w->loop);
	ask(w, 3, "ok3", 5000);
	assert_int_equal(w->n, 4);
	assert_int_equal(w->got[3].result, ASK_UNAVAILABLE);
	assert_int_equal(w->shared->stats[BACK_LDAP].is_down, 1);
	/* they come back: late, but good news */
	let_go();
	while (office_is_busy(w->office) && !w->late)
		loop_turn(w->loop);
	assert_int_equal(w->shared->stats[BACK_LDAP].is_down, 0);
	ask(w, 4, "ok4", 5000);
	until(w, 5);
	assert_int_equal(w->got[4].result, ASK_OK);
	for (unsigned i = 0; i < 5; i++)
		assert_int_equal(w->got[i].n, 1);
	world_free(w);
}

static void
test_the_queue_has_an_end(void **state)
{
	struct world *w = world_new(&two, 5000);
	char          user[16];

	(void)state;
	world_open(w);
	for (unsigned i = 0; i < 2 + 16; i++) {
		snprintf(user, sizeof user, "block%u", i);
		ask(w, i, user, 5000);
	}
	assert_int_equal(w->n, 0);
	ask(w, 18, "ok", 5000);
	assert_int_equal(w->n, 1);
	assert_int_equal(w->got[18].result, ASK_UNAVAILABLE);
	assert_int_equal(w->shared->stats[BACK_LDAP].dropped, 1);
	until_inside(2);
	let_go();
	until(w, 19);
	assert_int_equal(room.most, 2);
	world_free(w);
}

/* One client fills the queue; another one comes in all the same, and its turn comes before the rest of the first one's. */
static void
test_clients_are_asked_about_in_turns(void **state)
{
	static const char *const order[] = {"block0", "ok17", "block1", "ok18", "block2", "block3"};
	struct world            *w = world_new(&one, 5000);
	char                     user[16];

	(void)state;
	world_open(w);
	for (unsigned i = 0; i < 1 + 16; i++) {
		snprintf(user, sizeof user, "block%u", i);
		ask(w, i, user, 5000);
	}
	until_inside(1);
	for (unsigned i = 17; i < 19; i++) {
		snprintf(user, sizeof user, "ok%u", i);
		ask_as(w, i, user, "x", 2, 5000);
	}
	/* the last two of the first client had to give way */
	assert_int_equal(w->n, 2);
	assert_int_equal(w->got[16].result, ASK_UNAVAILABLE);
	assert_int_equal(w->got[15].result, ASK_UNAVAILABLE);
	let_go();
	until(w, 19);
	assert_int_equal(w->got[17].result, ASK_OK);
	assert_int_equal(w->got[18].result, ASK_OK);
	for (unsigned i = 0; i < sizeof order / sizeof *order; i++)
		assert_string_equal(room.order[i], order[i]);
	world_free(w);
}

static void
test_a_back_end_that_is_down_is_probed_and_found_again(void **state)
{
	struct world *w = world_new(&pinged, 5000);
	char          user[16];

	(void)state;
	world_open(w);
	for (unsigned i = 0; i < 5; i++) {
		snprintf(user, sizeof user, "down%u", i);
		ask(w, i, user, 5000);
		until(w, i + 1);
	}
	assert_int_equal(w->shared->stats[BACK_LDAP].is_down, 1);
	ask(w, 5, "ok", 5000);
	assert_int_equal(w->n, 6);
	assert_int_equal(w->got[5].result, ASK_UNAVAILABLE);
	assert_int_equal(room.asked, 5);
	while (room.pinged < 1 && !w->late)
		loop_turn(w->loop);
	pthread_mutex_lock(&room.lock);
	room.reachable = true;
	pthread_mutex_unlock(&room.lock);
	while (w->shared->stats[BACK_LDAP].is_down && !w->late)
		loop_turn(w->loop);
	assert_int_equal(room.pinged, 2);
	ask(w, 6, "ok", 5000);
	until(w, 7);
	assert_int_equal(w->got[6].result, ASK_OK);
	world_free(w);
}

static void
test_without_a_ping_the_next_ask_is_the_probe(void **state)
{
	struct world *w = world_new(&inline_ops, 5000);
	uint64_t      began;

	(void)state;
	world_open(w);
	for (unsigned i = 0; i < 5; i++)
		ask(w, i, "down", 5000);
	began = clock_mono_us();
	ask(w, 5, "ok", 5000);
	assert_int_equal(w->got[5].result, ASK_UNAVAILABLE);
	while (clock_mono_us() - began < 1100000)
		loop_turn(w->loop);
	ask(w, 6, "token", 5000); /* says nothing about the back end */
	assert_int_equal(w->got[6].result, ASK_BAD_TOKEN);
	assert_int_equal(w->shared->stats[BACK_LDAP].is_down, 1);
	ask(w, 7, "ok", 5000);
	assert_int_equal(w->got[7].result, ASK_OK);
	assert_int_equal(w->shared->stats[BACK_LDAP].is_down, 0);
	world_free(w);
}

/* One user, ten connections, one wrong password: the directory sees it once, whoever else waits is told; then the tarpit, then the limit. */
static void
test_a_stale_password_reaches_the_directory_once(void **state)
{
	struct world *w = world_new(&two, 5000);
	uint64_t      began;

	(void)state;
	world_open(w);
	ask_as(w, 0, "block0", "x", 1, 5000); /* so that they meet in the queue */
	ask_as(w, 1, "block1", "x", 1, 5000);
	for (unsigned i = 2; i < 12; i++)
		ask_as(w, i, "bad", "stale", 1, 5000);
	until_inside(2);
	let_go();
	until(w, 12);
	assert_int_equal(room.asked, 3);
	for (unsigned i = 2; i < 12; i++)
		assert_int_equal(w->got[i].result, ASK_REFUSED);
	began = clock_mono_us();
	for (unsigned i = 12; i < 15; i++) {
		ask(w, i, "bad", 5000);
		until(w, i + 1);
		assert_int_equal(w->got[i].result, ASK_REFUSED);
	}
	assert_true(clock_mono_us() - began >= (250 + 500 + 1000) * 1000u);
	ask(w, 15, "bad", 5000);
	assert_int_equal(w->n, 16);
	assert_int_equal(w->got[15].result, ASK_LIMITED);
	assert_true(w->got[15].retry_after_s > 1700);
	ask_as(w, 16, "ok", "p", 1, 5000); /* the same client, somebody else */
	until(w, 17);
	assert_int_equal(w->got[16].result, ASK_OK);
	assert_int_equal(room.asked, 7);
	world_free(w);
}

static void
test_one_who_has_no_time_for_the_tarpit_is_told_when_to_come_back(void **state)
{
	struct world *w = world_new(&two, 5000);

	(void)state;
	world_open(w);
	ask(w, 0, "bad", 5000);
	until(w, 1);
	ask(w, 1, "bad", 200);
	assert_int_equal(w->got[1].result, ASK_LIMITED);
	assert_int_equal(w->got[1].retry_after_s, 1);
	world_free(w);
}

/* A right password from many connections at once costs one check. */
static void
test_the_same_basic_password_is_checked_once_for_all_who_wait(void **state)
{
	struct world *w = world_new(&two, 5000);

	(void)state;
	world_open(w);
	for (unsigned i = 0; i < 10; i++)
		ask_as(w, i, "block", i < 9 ? "right" : "other", i, 5000);
	until_inside(2);
	let_go();
	until(w, 10);
	for (unsigned i = 0; i < 10; i++)
		assert_int_equal(w->got[i].result, ASK_OK);
	assert_int_equal(room.asked, 2);
	world_free(w);
}

static void
test_a_new_back_end_leaves_the_old_one_to_who_is_in_it(void **state)
{
	struct world *w = world_new(&two, 5000);

	(void)state;
	world_open(w);
	ask(w, 0, "block", 5000);
	until_inside(1);
	world_open(w);
	assert_int_equal(room.closed, 0);
	let_go();
	until(w, 1);
	loop_turn(w->loop);
	assert_int_equal(room.closed, 1);
	world_free(w);
}

/* One user alone: those who wait behind what is stuck of theirs find out that the back end is down, too. */
static void
test_who_waits_behind_what_is_stuck_finds_it_down(void **state)
{
	struct world *w = world_new(&eight, 200);

	(void)state;
	world_open(w);
	for (unsigned i = 0; i < 4; i++)
		ask(w, i, "block", 5000);
	until_inside(4);
	until(w, 4);
	ask(w, 4, "block", 5000);
	assert_int_equal(w->n, 4); /* as many are under way as may still fail */
	until(w, 5);
	assert_int_equal(w->shared->stats[BACK_LDAP].is_down, 1);
	ask(w, 5, "block", 5000);
	assert_int_equal(w->n, 6); /* at once */
	assert_int_equal(w->got[5].result, ASK_UNAVAILABLE);
	world_free(w);
}

/* A back end that hangs over the names hangs in a thread: the loop goes on, and so do those who ask. */
static void
test_names_are_found_in_a_thread(void **state)
{
	struct world *w = world_new(&named, 5000);

	(void)state;
	assert_false(office_find_names(w->office)); /* not open */
	world_open(w);
	assert_true(office_find_names(w->office));
	until_inside(1);
	assert_false(office_find_names(w->office)); /* once is enough */
	assert_true(office_is_idle(w->office) && office_is_busy(w->office));
	ask(w, 0, "ok", 5000);
	until(w, 1);
	assert_int_equal(w->n_names, 0);
	let_go();
	while (w->n_names < 1 && !w->late)
		loop_turn(w->loop);
	assert_string_equal(w->domain, "");
	room.reachable = true;
	assert_true(office_find_names(w->office));
	while (w->n_names < 2 && !w->late)
		loop_turn(w->loop);
	assert_string_equal(w->domain, "CORP");
	world_free(w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answers_come_from_threads_and_without),
		cmocka_unit_test(test_before_it_is_open_asks_wait_and_when_it_cannot_be_they_are_told),
		cmocka_unit_test(test_a_stuck_back_end_is_answered_for_at_the_deadline),
		cmocka_unit_test(test_the_queue_has_an_end),
		cmocka_unit_test(test_clients_are_asked_about_in_turns),
		cmocka_unit_test(test_a_back_end_that_is_down_is_probed_and_found_again),
		cmocka_unit_test(test_without_a_ping_the_next_ask_is_the_probe),
		cmocka_unit_test(test_a_stale_password_reaches_the_directory_once),
		cmocka_unit_test(test_one_who_has_no_time_for_the_tarpit_is_told_when_to_come_back),
		cmocka_unit_test(test_the_same_basic_password_is_checked_once_for_all_who_wait),
		cmocka_unit_test(test_a_new_back_end_leaves_the_old_one_to_who_is_in_it),
		cmocka_unit_test(test_who_waits_behind_what_is_stuck_finds_it_down),
		cmocka_unit_test(test_names_are_found_in_a_thread),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
