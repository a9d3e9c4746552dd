/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ipv6.h"
#include "base/clock.h"
#include "net/dial.h"

#define WATCHDOG_MS 20000u

struct bench {
	struct loop *loop;
	struct timer watchdog;
	int          lowest_fd; /* free when the test began */
	unsigned     calls;
	enum fault   fault;
	int          fd;
	struct addr  to;
	int          sockets[8]; /* closed at the end */
	unsigned     n_sockets;
};

static void
on_watchdog(void *arg)
{
	(void)arg;
	fail_msg("nothing came for %u ms", WATCHDOG_MS);
}

static void
bench_run(struct bench *b)
{
	timer_set(b->loop, &b->watchdog, WATCHDOG_MS);
	loop_run(b->loop);
	timer_clear(&b->watchdog);
}

static void
on_dialled(void *arg, enum fault fault, int fd, const struct addr *to)
{
	struct bench *b = arg;

	b->calls++;
	b->fault = fault;
	b->fd = fd;
	b->to = *to;
	assert_int_equal(fault == FAULT_NONE, fd >= 0);
	loop_stop(b->loop);
}

static struct addr
addr(const char *text)
{
	struct addr a;

	assert_true(addr_parse(span_str(text), &a));
	return a;
}

static int
lowest_fd(void)
{
	int fd = dup(STDERR_FILENO);

	close(fd);
	return fd;
}

static int
setup(void **state)
{
	struct bench *b = calloc(1, sizeof *b);

	assert_non_null(b);
	b->loop = loop_new();
	assert_non_null(b->loop);
	timer_init(&b->watchdog, on_watchdog, b);
	b->lowest_fd = lowest_fd();
	b->fd = -1;
	*state = b;
	return 0;
}

static int
teardown(void **state)
{
	struct bench *b = *state;

	if (b->fd >= 0)
		close(b->fd);
	for (unsigned i = 0; i < b->n_sockets; i++)
		close(b->sockets[i]);
	assert_int_equal(lowest_fd(), b->lowest_fd); /* no descriptor is left */
	loop_free(b->loop);
	free(b);
	return 0;
}

static void
own(struct bench *b, int fd)
{
	assert_true(fd >= 0 && b->n_sockets < 8);
	b->sockets[b->n_sockets++] = fd;
}

/* A socket bound to an address; *port 0: any. Without listen() it refuses. */
static int
bound(struct bench *b, const char *at, uint16_t *port)
{
	struct endpoint         e = {.addr = addr(at), .port = *port};
	struct sockaddr_storage sa;
	socklen_t               n = endpoint_to_sockaddr(&e, &sa);
	int                     fd = socket(sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

	own(b, fd);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	if (sa.ss_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
	assert_int_equal(bind(fd, (struct sockaddr *)&sa, n), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&sa, &n), 0);
	assert_true(endpoint_from_sockaddr((struct sockaddr *)&sa, &e));
	*port = e.port;
	return fd;
}

static void
listening(struct bench *b, const char *at, uint16_t *port)
{
	assert_int_equal(listen(bound(b, at, port), 16), 0);
}

/* A listener whose queue is full: the kernel drops every further SYN. */
static void
blackhole(struct bench *b, const char *at, uint16_t *port)
{
	assert_int_equal(listen(bound(b, at, port), 0), 0);
	for (int i = 0; i < 2; i++) {
		enum fault fault;
		own(b, dial_now(&(struct endpoint){.addr = addr(at), .port = *port}, NULL, &fault));
	}
}

static void
start(struct bench *b, const char *const *texts, uint16_t port, uint64_t timeout_ms)
{
	struct addr a[32];
	unsigned    n = 0;

	for (; texts[n]; n++)
		a[n] = addr(texts[n]);
	assert_non_null(dial_start(b->loop, a, n, port, NULL, timeout_ms, on_dialled, b));
	memset(a, 0xff, sizeof a); /* copied */
	assert_int_equal(b->calls, 0);
}
#define ADDRS(...) ((const char *const[]){__VA_ARGS__, NULL})

static void
assert_ready_to_use(int fd)
{
	int       value = 0;
	socklen_t n = sizeof value;

	assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &value, &n), 0);
	assert_int_equal(value, 1);
	assert_int_equal(send(fd, "x", 1, MSG_NOSIGNAL), 1);
}

static void
test_a_listening_address_is_connected_to(void **state)
{
	struct bench *b = *state;
	uint16_t      port = 0;

	listening(b, "127.0.0.1", &port);
	start(b, ADDRS("127.0.0.1"), port, 5000);
	bench_run(b);
	assert_int_equal(b->calls, 1);
	assert_int_equal(b->fault, FAULT_NONE);
	assert_ready_to_use(b->fd);
}

struct single {
	struct bench *bench;
	struct watch  watch;
	int           fd;
};

static void
on_single(void *arg, unsigned what)
{
	struct single *s = arg;

	s->bench->calls++;
	s->bench->fault = dial_outcome(s->fd, what);
	watch_clear(&s->watch);
	loop_stop(s->bench->loop);
}

static void
test_one_address_needs_no_dial_but_the_callers_own_watch(void **state)
{
	struct bench *b = *state;
	struct single s = {.bench = b};
	uint16_t      good = 0, bad = 0;

	listening(b, "127.0.0.1", &good);
	bound(b, "127.0.0.1", &bad);
	for (int refused = 0; refused < 2; refused++) {
		s.fd = dial_now(&(struct endpoint){.addr = addr("127.0.0.1"), .port = refused ? bad : good}, NULL, &b->fault);
		assert_true(s.fd >= 0);
		assert_true(watch_init(&s.watch, b->loop, s.fd, WATCH_READ | WATCH_WRITE | WATCH_CLOSED, on_single, &s));
		bench_run(b);
		assert_int_equal(b->fault, refused ? FAULT_CONNECT_REFUSED : FAULT_NONE);
		if (!refused)
			assert_ready_to_use(s.fd);
		close(s.fd);
	}
	assert_int_equal(b->calls, 2);
}

static void
test_every_reason_has_its_fault(void **state)
{
	/* TCP to a group address has no route on any machine */
	static const struct {
		const char *to[4];
		enum fault  want;
		const char *last;
	} cases[] = {
	    {{"127.0.0.1"}, FAULT_CONNECT_REFUSED, "127.0.0.1"},
	    {{"224.0.0.1"}, FAULT_CONNECT_UNREACHABLE, "224.0.0.1"},
	    {{"ff02::1"}, FAULT_CONNECT_UNREACHABLE, "ff02::1"},
	    {{"224.0.0.1", "127.0.0.1"}, FAULT_CONNECT_REFUSED, "127.0.0.1"},
	    {{"127.0.0.1", "224.0.0.1"}, FAULT_CONNECT_REFUSED, "224.0.0.1"},
	    /* no way to the first family at all: what the other says counts */
	    {{"ff02::1", "127.0.0.1"}, FAULT_CONNECT_REFUSED, "127.0.0.1"},
	    {{"127.0.0.1", "ff02::1"}, FAULT_CONNECT_REFUSED, NULL},
	};
	struct bench *b = *state;
	uint16_t      port = 0;

	bound(b, "127.0.0.1", &port);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		b->calls = 0;
		start(b, cases[i].to, port, 5000);
		bench_run(b);
		assert_int_equal(b->calls, 1);
		assert_int_equal(b->fault, cases[i].want);
		if (cases[i].last) {
			struct addr last = addr(cases[i].last);
			assert_true(addr_eq(&b->to, &last));
		}
	}
}

static void
test_no_descriptor_left_is_told_as_such(void **state)
{
	struct bench *b = *state;
	struct rlimit old, none;
	enum fault    fault;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	none = (struct rlimit){.rlim_cur = (rlim_t)lowest_fd(), .rlim_max = old.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	start(b, ADDRS("127.0.0.1", "::1"), 9, 5000);
	assert_int_equal(dial_now(&(struct endpoint){.addr = addr("127.0.0.1"), .port = 9}, NULL, &fault), -1);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
	assert_int_equal(fault, FAULT_NO_SOCKET);
	bench_run(b);
	assert_int_equal(b->fault, FAULT_NO_SOCKET);
}

static void
test_a_refusal_is_followed_by_the_next_address_at_once(void **state)
{
	struct bench *b = *state;
	uint16_t      port = 0;
	uint64_t      before;
	struct addr   want = addr("127.0.0.9");

	listening(b, "127.0.0.9", &port);
	before = clock_mono_us();
	start(b, ADDRS("127.0.0.1", "127.0.0.2", "127.0.0.3", "127.0.0.4", "127.0.0.5", "127.0.0.9"), port, 5000);
	bench_run(b);
	assert_int_equal(b->fault, FAULT_NONE);
	assert_true(addr_eq(&b->to, &want));
	/* five steps of 250 ms would be 1,250 */
	assert_true(clock_mono_us() - before < 1000000);
}

static void
test_silence_is_raced_after_a_quarter_of_a_second(void **state)
{
	struct bench *b = *state;
	uint16_t      port = 0;
	uint64_t      before;
	struct addr   want = addr("127.0.0.2");

	blackhole(b, "127.0.0.1", &port);
	listening(b, "127.0.0.2", &port);
	before = clock_mono_us();
	start(b, ADDRS("127.0.0.1", "127.0.0.2"), port, 10000);
	bench_run(b);
	assert_true(clock_mono_us() - before >= 250000);
	assert_int_equal(b->fault, FAULT_NONE);
	assert_true(addr_eq(&b->to, &want));
	assert_ready_to_use(b->fd);
}

static void
test_families_take_turns_beginning_with_the_first_address(void **state)
{
	/* all refuse; the last one tried tells the order. Eight are tried, no more. */
	static const struct {
		const char *to[16];
		const char *last;
	} cases[] = {
	    {{"127.0.0.1", "127.0.0.2", "127.0.0.3", "::1"}, "127.0.0.3"},
	    {{"::1", "127.0.0.1", "127.0.0.2", "127.0.0.3"}, "127.0.0.3"},
	    {{"127.0.0.1", "127.0.0.2", "127.0.0.3", "127.0.0.4", "127.0.0.5", "127.0.0.6", "127.0.0.7", "127.0.0.8", "127.0.0.9"}, "127.0.0.8"},
	    {{"127.0.0.1", "127.0.0.2", "127.0.0.3", "127.0.0.4", "127.0.0.5", "127.0.0.6", "127.0.0.7", "127.0.0.8", "::1"}, "127.0.0.7"},
	    {{"127.0.0.1", "::1"}, "::1"},
	};
	struct bench *b = *state;
	uint16_t      port = 0;

	if (!ipv6_is_here())
		return;
	bound(b, "127.0.0.1", &port);
	bound(b, "::1", &port);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct addr last = addr(cases[i].last);
		start(b, cases[i].to, port, 5000);
		bench_run(b);
		assert_int_equal(b->fault, FAULT_CONNECT_REFUSED);
		assert_true(addr_eq(&b->to, &last));
		b->calls = 0;
	}
}

static void
test_silence_of_all_ends_at_the_deadline(void **state)
{
	struct bench *b = *state;
	uint16_t      port = 0;
	uint64_t      before;

	blackhole(b, "127.0.0.1", &port);
	blackhole(b, "127.0.0.2", &port);
	for (uint64_t timeout_ms = 100; timeout_ms <= 400; timeout_ms += 300) {
		before = clock_mono_us();
		start(b, ADDRS("127.0.0.1", "127.0.0.2"), port, timeout_ms);
		bench_run(b);
		assert_true(clock_mono_us() - before >= timeout_ms * 1000);
		assert_int_equal(b->calls, 1);
		assert_int_equal(b->fault, FAULT_CONNECT_TIMEOUT);
		b->calls = 0;
	}
}

static void
test_a_refusal_while_another_is_silent_waits_for_the_silent_one(void **state)
{
	struct bench *b = *state;
	uint16_t      port = 0;

	blackhole(b, "127.0.0.1", &port);
	start(b, ADDRS("127.0.0.1", "127.0.0.2"), port, 500); /* 127.0.0.2 refuses, at 250 ms */
	bench_run(b);
	assert_int_equal(b->calls, 1);
	assert_int_equal(b->fault, FAULT_CONNECT_TIMEOUT);
}

static void
on_stop(void *arg)
{
	loop_stop(arg);
}

static void
test_a_cancelled_dial_is_never_called_and_leaves_nothing(void **state)
{
	struct bench *b = *state;
	struct timer  later;
	uint16_t      port = 0, good = 0;
	struct addr   a[] = {addr("127.0.0.1"), addr("127.0.0.2")}, nowhere = addr("224.0.0.1");

	blackhole(b, "127.0.0.1", &port);
	blackhole(b, "127.0.0.2", &port);
	listening(b, "127.0.0.1", &good);
	timer_init(&later, on_stop, b->loop);
	/* at once; with one attempt under way; with two */
	static const uint64_t stages_ms[] = {0, 50, 300};
	for (size_t i = 0; i < 3; i++) {
		struct dial *d = dial_start(b->loop, a, 2, port, NULL, 5000, on_dialled, b);
		assert_non_null(d);
		if (stages_ms[i]) {
			timer_set(b->loop, &later, stages_ms[i]);
			bench_run(b);
		}
		dial_cancel(d);
	}
	/* connected, but not told yet; failed, but not told yet */
	dial_cancel(dial_start(b->loop, a, 1, good, NULL, 5000, on_dialled, b));
	dial_cancel(dial_start(b->loop, &nowhere, 1, good, NULL, 5000, on_dialled, b));
	dial_cancel(NULL);
	timer_set(b->loop, &later, 300);
	bench_run(b);
	assert_int_equal(b->calls, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_a_listening_address_is_connected_to, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_one_address_needs_no_dial_but_the_callers_own_watch, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_every_reason_has_its_fault, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_no_descriptor_left_is_told_as_such, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_a_refusal_is_followed_by_the_next_address_at_once, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_silence_is_raced_after_a_quarter_of_a_second, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_families_take_turns_beginning_with_the_first_address, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_silence_of_all_ends_at_the_deadline, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_a_refusal_while_another_is_silent_waits_for_the_silent_one, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_a_cancelled_dial_is_never_called_and_leaves_nothing, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
