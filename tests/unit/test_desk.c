/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "auth/back.h"
#include "auth/desk.h"
#include "auth/wire.h"
#include "base/clock.h"
#include "block.h"

/* Two kinds: one that may be asked again, one that may not. */
static const struct back_ops repeats = {.word = "repeats", .may_repeat = true}, once = {.word = "once"};

const struct back_ops *
back_ops(enum back_kind kind)
{
	return kind == BACK_NTLM_FILE ? &repeats : kind == BACK_KERBEROS ? &once : NULL;
}

struct heard {
	unsigned        n;
	enum ask_result result;
	char            account[ASK_NAME_MAX], detail[ASK_DETAIL_MAX];
};

struct world {
	struct loop *loop;
	struct desk *desk;
	struct timer guard;
	bool         late;
	int          far; /* the process's end */
};

static void
on_guard(void *arg)
{
	((struct world *)arg)->late = true;
}

static int
world_connect(struct world *w, enum back_kind kind)
{
	int end[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, end), 0);
	desk_connect(w->desk, kind, end[0]);
	return end[1];
}

static int
set_up(void **state)
{
	struct world *w = calloc(1, sizeof *w);

	assert_non_null(w);
	w->loop = loop_new();
	w->desk = desk_new(w->loop);
	assert_true(w->loop && w->desk);
	timer_init(&w->guard, on_guard, w);
	timer_set(w->loop, &w->guard, 20000);
	w->far = world_connect(w, BACK_NTLM_FILE);
	*state = w;
	return 0;
}

static int
tear_down(void **state)
{
	struct world *w = *state;

	desk_free(w->desk);
	if (w->far >= 0)
		close(w->far);
	timer_clear(&w->guard);
	loop_free(w->loop);
	free(w);
	return 0;
}

static void
on_done(void *arg, const struct answer *a)
{
	struct heard *h = arg;

	h->n++;
	h->result = a->result;
	memcpy(h->account, a->account, sizeof h->account);
	memcpy(h->detail, a->detail, sizeof h->detail);
}

static struct desk_job *
ask(struct world *w, enum back_kind kind, const char *user, uint32_t timeout_ms, struct heard *h)
{
	struct ask a = {.op = ASK_BASIC, .timeout_ms = timeout_ms, .part = {span_str(user), SPAN("secret")}};

	return desk_ask(w->desk, kind, &a, on_done, h);
}

/* The process's side: takes one ask; returns its id, and whom it names. 0: none is there. */
static uint64_t
take(int far, char user[64])
{
	static char buf[WIRE_MAX];
	struct ask  a;
	uint64_t    id = 0;
	ssize_t     n = recv(far, buf, sizeof buf, MSG_DONTWAIT);

	if (n <= 0)
		return 0;
	assert_true(wire_get_ask(buf, (size_t)n, &id, &a));
	snprintf(user, 64, "%.*s", SPAN_ARG(a.part[0]));
	return id;
}

static void
give(int far, uint64_t id, const char *account)
{
	static char   buf[WIRE_MAX];
	struct answer a = {.result = ASK_OK};
	size_t        n;

	snprintf(a.account, sizeof a.account, "%s", account);
	n = wire_put_answer(buf, sizeof buf, id, &a);
	assert_true(n > 0 && send(far, buf, n, 0) == (ssize_t)n);
}

static void
until(struct world *w, const struct heard *h, unsigned n)
{
	while (h->n < n && !w->late)
		loop_turn(w->loop);
	assert_int_equal(h->n, n);
}

static void
test_each_answer_finds_its_asker(void **state)
{
	struct world *w = *state;
	struct heard  h[3] = {{0}};
	char          user[64];
	uint64_t      id[3];

	for (unsigned i = 0; i < 3; i++) {
		assert_non_null(ask(w, BACK_NTLM_FILE, i == 0 ? "a" : i == 1 ? "b" : "c", 5000, &h[i]));
		assert_int_equal(h[i].n, 0);
	}
	for (unsigned i = 0; i < 3; i++) {
		id[i] = take(w->far, user);
		assert_true(id[i] != 0 && user[0] == (char)('a' + i));
	}
	give(w->far, id[2], "carol");
	give(w->far, id[0], "alice");
	give(w->far, id[2], "carol"); /* again: nobody asked */
	give(w->far, id[1], "bob");
	until(w, &h[1], 1);
	assert_true(h[0].n == 1 && h[2].n == 1);
	assert_string_equal(h[0].account, "alice");
	assert_string_equal(h[1].account, "bob");
	assert_string_equal(h[2].account, "carol");
}

static void
test_what_is_cancelled_is_never_called(void **state)
{
	struct world    *w = *state;
	struct heard     h[2] = {{0}};
	char             user[64];
	struct desk_job *j = ask(w, BACK_NTLM_FILE, "a", 50, &h[0]);
	uint64_t         id = take(w->far, user);

	desk_cancel(j);
	give(w->far, id, "alice");
	assert_non_null(ask(w, BACK_NTLM_FILE, "b", 200, &h[1])); /* takes the place of the one that went */
	until(w, &h[1], 1);
	assert_int_equal(h[0].n, 0);
	assert_int_equal(h[1].result, ASK_UNAVAILABLE);
	desk_cancel(NULL);
}

static void
test_silence_ends_at_the_deadline(void **state)
{
	struct world *w = *state;
	struct heard  h = {0};
	uint64_t      began = clock_mono_us();

	assert_non_null(ask(w, BACK_NTLM_FILE, "a", 100, &h));
	until(w, &h, 1);
	assert_int_equal(h.result, ASK_UNAVAILABLE);
	assert_true(clock_mono_us() - began >= 100000);
	assert_non_null(strstr(h.detail, "in time"));
}

/* Nobody reads: the socket fills, nothing blocks, and the jobs end by their own deadlines, at the limit too. */
static void
test_a_frozen_process_stops_nobody(void **state)
{
	struct world *w = *state;
	struct heard  h = {0}, bit = {0};
	unsigned      n = 0;
	uint64_t      began = clock_mono_us();

	while (n <= DESK_JOBS_MAX && ask(w, BACK_NTLM_FILE, "a", 300, &h))
		n++;
	assert_int_equal(n, DESK_JOBS_MAX);
	assert_null(ask(w, BACK_KERBEROS, "a", 300, &bit));
	assert_true(clock_mono_us() - began < 5000000);
	until(w, &h, DESK_JOBS_MAX);
	assert_int_equal(h.result, ASK_UNAVAILABLE);
}

static void
until_over(struct world *w, struct heard *h, enum back_kind kind, const char *detail)
{
	*h = (struct heard){0};
	assert_non_null(ask(w, kind, "a", 15000, h));
	assert_int_equal(h->n, 0); /* from the loop only */
	until(w, h, 1);
	assert_int_equal(h->result, ASK_UNAVAILABLE);
	assert_non_null(strstr(h->detail, detail));
}

/* Three have waited in vain: the others need not, until the process says something. */
static void
test_who_comes_after_three_who_waited_in_vain_waits_no_more(void **state)
{
	struct world *w = *state;
	struct heard  h[4] = {{0}}, now;
	char          user[64];
	uint64_t      id, began;

	for (unsigned i = 0; i < 3; i++) {
		assert_non_null(ask(w, BACK_NTLM_FILE, "a", 100, &h[i]));
		until(w, &h[i], 1);
	}
	assert_non_null(ask(w, BACK_NTLM_FILE, "try", 15000, &h[3])); /* one tries */
	began = clock_mono_us();
	until_over(w, &now, BACK_NTLM_FILE, "does not answer");
	until_over(w, &now, BACK_NTLM_FILE, "does not answer");
	assert_true(clock_mono_us() - began < 10000000);
	assert_int_equal(h[3].n, 0);
	while ((id = take(w->far, user)) && strcmp(user, "try") != 0)
		;
	assert_true(id != 0 && !take(w->far, user)); /* those who were spared are not asked */
	give(w->far, id, "alice");
	until(w, &h[3], 1);
	assert_int_equal(h[3].result, ASK_OK);
	h[3] = (struct heard){0};
	assert_non_null(ask(w, BACK_NTLM_FILE, "b", 15000, &h[3]));
	id = take(w->far, user);
	assert_true(id != 0);
	give(w->far, id, "bob");
	until(w, &h[3], 1);
	assert_int_equal(h[3].result, ASK_OK);
}

/* Nor when there is no process at all; another one begins with a clean slate. */
static void
test_who_is_spared_is_spared_until_another_process_is_there(void **state)
{
	struct world *w = *state;
	struct heard  h[4] = {{0}}, now;
	char          user[64];
	uint64_t      id;

	for (unsigned i = 0; i < 3; i++) {
		assert_non_null(ask(w, BACK_KERBEROS, "a", 100, &h[i]));
		until(w, &h[i], 1);
	}
	assert_non_null(ask(w, BACK_KERBEROS, "try", 15000, &h[3]));
	until_over(w, &now, BACK_KERBEROS, "not there");
	int far = world_connect(w, BACK_KERBEROS);
	id = take(far, user);
	assert_true(id != 0 && strcmp(user, "try") == 0);
	assert_non_null(ask(w, BACK_KERBEROS, "b", 15000, &h[0]));
	give(far, id, "alice");
	id = take(far, user);
	assert_true(id != 0 && strcmp(user, "b") == 0);
	give(far, id, "bob");
	until(w, &h[3], 1);
	until(w, &h[0], 2);
	assert_int_equal(h[0].result, ASK_OK);
	close(far);
}

/* One slow log-on among others that are answered says nothing. */
static void
test_who_is_slow_while_others_are_answered_spares_nobody(void **state)
{
	struct world *w = *state;
	struct heard  slow = {0}, quick = {0}, after = {0};
	char          user[64];
	uint64_t      id;

	for (unsigned i = 0; i < 4; i++) {
		assert_non_null(ask(w, BACK_NTLM_FILE, "slow", 100, &slow));
		assert_true(take(w->far, user));
		assert_non_null(ask(w, BACK_NTLM_FILE, "quick", 15000, &quick));
		id = take(w->far, user);
		assert_true(id != 0);
		give(w->far, id, "alice");
		until(w, &quick, i + 1);
		until(w, &slow, i + 1);
	}
	for (unsigned i = 0; i < 3; i++) { /* more than one that may try */
		assert_non_null(ask(w, BACK_NTLM_FILE, "after", 15000, &after));
		id = take(w->far, user);
		assert_true(id != 0);
		give(w->far, id, "bob");
		until(w, &after, i + 1);
	}
	assert_int_equal(after.result, ASK_OK);
}

/* More than the socket takes at once; the process reads on, and each gets its answer. */
static void
test_what_did_not_fit_is_sent_when_there_is_room(void **state)
{
	struct world *w = *state;
	struct heard  h = {0};
	char          user[64];
	uint64_t      id;

	for (unsigned i = 0; i < 3000; i++)
		assert_non_null(ask(w, BACK_NTLM_FILE, "a", 15000, &h));
	while (h.n < 3000 && !w->late) {
		for (unsigned i = 0; i < 100 && (id = take(w->far, user)); i++)
			give(w->far, id, "alice");
		loop_turn(w->loop);
	}
	assert_int_equal(h.n, 3000);
	assert_int_equal(h.result, ASK_OK);
}

static void
test_the_largest_ask_goes_through_a_socket_as_it_comes(void **state)
{
	static char   big[ASK_TOKEN_MAX];
	struct world *w = *state;
	struct heard  h = {0};
	struct ask    a = {.op = ASK_NTLM, .timeout_ms = 5000, .part = {{big, ASK_TOKEN_MAX}, {big, 2048}, {big, ASK_TOKEN_MAX}, {big, 16384}, {big, 16}}};
	char          user[64];
	uint64_t      id;

	for (unsigned i = 0; i < 3; i++)
		assert_non_null(desk_ask(w->desk, BACK_NTLM_FILE, &a, on_done, &h));
	while (h.n < 3 && !w->late) {
		if ((id = take(w->far, user)))
			give(w->far, id, "alice");
		loop_turn(w->loop);
	}
	assert_int_equal(h.n, 3);
	assert_int_equal(h.result, ASK_OK);
}

static void
test_a_process_that_dies_is_asked_again_by_its_successor(void **state)
{
	struct world *w = *state;
	struct heard  h[2] = {{0}}, k = {0};
	char          user[64];
	int           far = world_connect(w, BACK_KERBEROS);

	assert_non_null(ask(w, BACK_NTLM_FILE, "a", 15000, &h[0]));
	assert_non_null(ask(w, BACK_KERBEROS, "k", 15000, &k));
	assert_true(take(w->far, user) && take(far, user));
	close(w->far);
	close(far);
	until(w, &k, 1); /* the replay cache would refuse it: answered at once */
	assert_int_equal(k.result, ASK_UNAVAILABLE);
	assert_non_null(ask(w, BACK_NTLM_FILE, "b", 15000, &h[1])); /* waits */
	w->far = world_connect(w, BACK_NTLM_FILE);
	uint64_t id = take(w->far, user);
	assert_true(id != 0 && user[0] == 'a'); /* in the order in which they came */
	give(w->far, id, "alice");
	id = take(w->far, user);
	assert_true(id != 0 && user[0] == 'b');
	give(w->far, id, "bob");
	until(w, &h[1], 1);
	assert_true(h[0].n == 1 && h[0].result == ASK_OK && h[1].result == ASK_OK);
}

/* Those who were in it when it died say nothing of the next one: who comes meanwhile waits for that. */
static void
test_a_process_that_dies_spares_nobody_its_successor(void **state)
{
	struct world *w = *state;
	struct heard  h = {0}, after = {0};
	char          user[64];
	uint64_t      id;
	int           far = world_connect(w, BACK_KERBEROS);

	for (unsigned i = 0; i < 3; i++)
		assert_non_null(ask(w, BACK_KERBEROS, "a", 15000, &h));
	close(far);
	until(w, &h, 3);
	assert_int_equal(h.result, ASK_UNAVAILABLE);
	for (unsigned i = 0; i < 2; i++) /* more than one that may try */
		assert_non_null(ask(w, BACK_KERBEROS, "b", 15000, &after));
	far = world_connect(w, BACK_KERBEROS);
	for (unsigned i = 0; i < 2; i++) {
		id = take(far, user);
		assert_int_not_equal(id, 0);
		give(far, id, "bob");
	}
	until(w, &after, 2);
	assert_int_equal(after.result, ASK_OK);
	close(far);
}

static void
test_without_a_process_one_waits_and_without_hope_one_does_not(void **state)
{
	struct world *w = *state;
	struct heard  h[3] = {{0}};
	uint64_t      began = clock_mono_us();

	assert_non_null(ask(w, BACK_WINBIND, "a", 100, &h[0]));
	until(w, &h[0], 1);
	assert_true(clock_mono_us() - began >= 100000 && h[0].result == ASK_UNAVAILABLE);
	assert_non_null(strstr(h[0].detail, "not there"));
	assert_non_null(ask(w, BACK_WINBIND, "a", 15000, &h[1]));
	desk_connect(w->desk, BACK_WINBIND, -1);
	assert_int_equal(h[1].n, 0); /* from the loop only */
	until(w, &h[1], 1);
	assert_non_null(ask(w, BACK_WINBIND, "a", 15000, &h[2]));
	assert_int_equal(h[2].n, 0);
	until(w, &h[2], 1);
	assert_true(clock_mono_us() - began < 10000000);
}

static void
test_damaged_answers_are_dropped(void **state)
{
	struct world *w = *state;
	struct heard  h = {0};
	char          user[64];
	uint64_t      id;

	assert_non_null(ask(w, BACK_NTLM_FILE, "a", 5000, &h));
	id = take(w->far, user);
	assert_int_equal(send(w->far, "rubbish", 7, 0), 7);
	give(w->far, id ^ (1u << 20), "mallory");
	give(w->far, id, "alice");
	until(w, &h, 1);
	assert_string_equal(h.account, "alice");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_each_answer_finds_its_asker, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_what_is_cancelled_is_never_called, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_silence_ends_at_the_deadline, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_a_frozen_process_stops_nobody, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_who_comes_after_three_who_waited_in_vain_waits_no_more, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_who_is_spared_is_spared_until_another_process_is_there, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_who_is_slow_while_others_are_answered_spares_nobody, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_what_did_not_fit_is_sent_when_there_is_room, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_the_largest_ask_goes_through_a_socket_as_it_comes, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_a_process_that_dies_is_asked_again_by_its_successor, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_a_process_that_dies_spares_nobody_its_successor, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_without_a_process_one_waits_and_without_hope_one_does_not, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_damaged_answers_are_dropped, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
