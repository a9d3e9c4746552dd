/* SPDX-License-Identifier: MIT */
/*
 * Every allocation of the resolver and of c-ares fails once in turn, and every socket call too: the answer may be an error, but it comes, and nothing leaks or
 * breaks. Linked so that these calls pass here first.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <ares.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "dns_server.h"
#include "net/dial.h"
#include "net/resolve.h"

#define WATCHDOG_MS 20000u

static unsigned fail_at; /* the call that fails, from 1; 0: none */
static unsigned calls;
static bool     armed;
static unsigned no_room; /* so many packets more find no room in the socket */
static const struct dns_server *the_server;

static bool
fails_now(void)
{
	return armed && ++calls == fail_at;
}

void   *__real_malloc(size_t n);
void   *__real_calloc(size_t n, size_t size);
int     __real_socket(int family, int type, int protocol);
int     __real_connect(int fd, const struct sockaddr *sa, socklen_t n);
ssize_t __real_getrandom(void *p, size_t n, unsigned flags);
int     __real_epoll_ctl(int epoll, int op, int fd, struct epoll_event *e);
void   *__wrap_malloc(size_t n);
void   *__wrap_calloc(size_t n, size_t size);
int     __wrap_socket(int family, int type, int protocol);
int     __wrap_connect(int fd, const struct sockaddr *sa, socklen_t n);
ssize_t __wrap_getrandom(void *p, size_t n, unsigned flags);
int     __wrap_epoll_ctl(int epoll, int op, int fd, struct epoll_event *e);
ssize_t __real_sendmsg(int fd, const struct msghdr *m, int flags);
ssize_t __wrap_sendmsg(int fd, const struct msghdr *m, int flags);

void *
__wrap_malloc(size_t n)
{
	return fails_now() ? NULL : __real_malloc(n);
}

void *
__wrap_calloc(size_t n, size_t size)
{
	return fails_now() ? NULL : __real_calloc(n, size);
}

int
__wrap_socket(int family, int type, int protocol)
{
	if (fails_now()) {
		errno = EMFILE;
		return -1;
	}
	return __real_socket(family, type, protocol);
}

int
__wrap_connect(int fd, const struct sockaddr *sa, socklen_t n)
{
	if (fails_now()) {
		errno = ENETUNREACH;
		return -1;
	}
	return __real_connect(fd, sa, n);
}

ssize_t
__wrap_sendmsg(int fd, const struct msghdr *m, int flags)
{
	if (no_room || fails_now()) {
		errno = no_room ? EAGAIN : ECONNREFUSED;
		no_room -= no_room > 0;
		return -1;
	}
	return __real_sendmsg(fd, m, flags);
}

ssize_t
__wrap_getrandom(void *p, size_t n, unsigned flags)
{
	if (fails_now()) {
		errno = ENOSYS;
		return -1;
	}
	return __real_getrandom(p, n, flags);
}

/* Only new watches fail, and not those of the test's server. */
int
__wrap_epoll_ctl(int epoll, int op, int fd, struct epoll_event *e)
{
	const char *at = e ? e->data.ptr : NULL;
	bool        is_servers = the_server && at >= (const char *)the_server && at < (const char *)(the_server + 1);

	if (op == EPOLL_CTL_ADD && !is_servers && fails_now()) {
		errno = ENOMEM;
		return -1;
	}
	return __real_epoll_ctl(epoll, op, fd, e);
}

static void *
ares_malloc_here(size_t n)
{
	return __wrap_malloc(n);
}

static void *
ares_realloc_here(void *p, size_t n)
{
	return fails_now() ? NULL : realloc(p, n);
}

struct bench {
	struct loop      *loop;
	struct dns_server server;
	struct timer      watchdog;
	unsigned          waiting;
};

static void
on_watchdog(void *arg)
{
	(void)arg;
	fail_msg("call %u failed, and nothing came for %u ms", fail_at, WATCHDOG_MS);
}

static void
on_resolved(void *arg, enum fault fault, struct resolved *r)
{
	struct bench *b = arg;

	armed = false; /* what the test itself does never fails */
	assert_int_equal(fault == FAULT_NONE, r != NULL);
	resolved_unref(r);
	if (--b->waiting == 0)
		loop_stop(b->loop);
	armed = true;
}

/* One life of a resolver: a plain answer, one by TCP, none, one by the search list, a new configuration, one more. */
static void
live(struct bench *b)
{
	static const char *const names[] = {"both.test", "truncated.test", "none.test", "single"};
	struct resolver_config   c = {.servers = &b->server.at, .n_servers = 1, .resolv_conf = SPAN("search corp.test\n"), .hosts = SPAN("10.0.0.1 a b\n10.0.0.2 a\n"),
	      .timeout_ms = 200, .cache_names = 10};
	struct resolver         *r;

	armed = true;
	r = resolver_new(b->loop, &c);
	for (int round = 0; r && round < 2; round++) {
		for (size_t i = 0; i < sizeof names / sizeof *names; i++)
			b->waiting += resolver_start(r, span_str(names[i]), on_resolved, b) != NULL;
		if (b->waiting)
			loop_run(b->loop);
		resolver_reconfigure(r, &c);
	}
	armed = false;
	resolver_free(r);
}

static void
test_each_call_that_fails_once_ends_in_an_answer(void **state)
{
	static const struct dns_row rows[] = {
	    {"both.test", .a = "192.0.2.1", .aaaa = "2001:db8::1", .ttl = 60},
	    {"truncated.test", .a_how = DNS_TRUNCATED, .aaaa_how = DNS_TRUNCATED, .a = "192.0.2.1", .aaaa = "2001:db8::1", .ttl = 60},
	    {"none.test", .soa_minimum = 20},
	    {"single.corp.test", .a = "192.0.2.2", .ttl = 60},
	    {0},
	};
	struct bench *b = calloc(1, sizeof *b);

	(void)state;
	assert_non_null(b);
	the_server = &b->server;
	fail_at = 0;
	do {
		fail_at++;
		calls = 0;
		b->loop = loop_new();
		assert_non_null(b->loop);
		dns_server_open(&b->server, b->loop, rows);
		timer_init(&b->watchdog, on_watchdog, b);
		timer_set(b->loop, &b->watchdog, WATCHDOG_MS);
		live(b);
		timer_clear(&b->watchdog);
		dns_server_close(&b->server);
		loop_free(b->loop);
	} while (calls >= fail_at);
	assert_true(fail_at > 100);
	print_message("%u calls failed in turn\n", fail_at - 1);
	the_server = NULL;
	free(b);
}

static void
on_found(void *arg, enum fault fault, struct resolved *r)
{
	assert_int_equal(fault, FAULT_NONE);
	resolved_unref(r);
	loop_stop(arg);
}

static void
test_a_question_for_which_a_socket_has_no_room_is_as_good_as_lost_on_the_way(void **state)
{
	static const struct dns_row rows[] = {{"six.test", .aaaa = "2001:db8::1", .ttl = 60}, {0}};
	struct bench               *b = calloc(1, sizeof *b);
	struct resolver_config      c = {.servers = &b->server.at, .n_servers = 1, .timeout_ms = 2400, .cache_names = 10};
	struct resolver            *r;

	(void)state;
	assert_non_null(b);
	b->loop = loop_new();
	assert_non_null(b->loop);
	dns_server_open(&b->server, b->loop, rows);
	r = resolver_new(b->loop, &c);
	assert_non_null(r);
	no_room = 2; /* both questions */
	assert_non_null(resolver_start(r, SPAN("six.test"), on_found, b->loop));
	assert_int_equal(no_room, 0);
	loop_run(b->loop);
	assert_int_equal(dns_server_asked(&b->server, "AAAA six.test"), 1);
	resolver_free(r);
	dns_server_close(&b->server);
	loop_free(b->loop);
	free(b);
}

static void
on_dialled(void *arg, enum fault fault, int fd, const struct addr *to)
{
	(void)fault;
	(void)fd;
	(void)to;
	loop_stop(arg);
}

static void
test_each_call_of_a_dial_that_fails_ends_in_an_answer(void **state)
{
	struct addr a[3];

	(void)state;
	for (unsigned i = 0; i < 3; i++)
		a[i] = addr_from_v4(INADDR_LOOPBACK + i);
	fail_at = 0;
	do {
		struct loop *loop = loop_new();
		struct timer watchdog;
		assert_non_null(loop);
		timer_init(&watchdog, on_watchdog, NULL);
		timer_set(loop, &watchdog, WATCHDOG_MS);
		fail_at++;
		calls = 0;
		armed = true;
		/* port 0: nobody listens there */
		if (dial_start(loop, a, 3, 0, NULL, 1000, on_dialled, loop))
			loop_run(loop);
		armed = false;
		loop_free(loop);
	} while (calls >= fail_at);
	assert_true(fail_at > 6);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_each_call_that_fails_once_ends_in_an_answer),
	    cmocka_unit_test(test_a_question_for_which_a_socket_has_no_room_is_as_good_as_lost_on_the_way),
	    cmocka_unit_test(test_each_call_of_a_dial_that_fails_ends_in_an_answer),
	};
	if (ares_library_init_mem(ARES_LIB_INIT_ALL, ares_malloc_here, free, ares_realloc_here) != ARES_SUCCESS)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
