/* SPDX-License-Identifier: MIT */
/*
 * The resolver in a process that may not open files: a program of its own, since the filter stays.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "dns_server.h"
#include "net/resolve.h"

#ifndef WITH_SANITIZERS
#define WATCHDOG_MS 20000u
#define NAMES       1500u
#define AT_ONCE     60u /* always some under way: no channel rests in time, so that new ones are made inside the sandbox; few enough for one socket's buffer */

static void
sandbox_enter(void)
{
	static const int calls[] = {
	    /* the resolver and the loop */
	    SCMP_SYS(socket), SCMP_SYS(connect), SCMP_SYS(sendmsg), SCMP_SYS(recvfrom), SCMP_SYS(close), SCMP_SYS(epoll_ctl), SCMP_SYS(epoll_wait),
	    SCMP_SYS(getrandom), SCMP_SYS(brk), SCMP_SYS(mmap), SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(madvise), SCMP_SYS(clock_gettime),
	    /* the test and its server */
	    SCMP_SYS(accept), SCMP_SYS(sendto), SCMP_SYS(setsockopt), SCMP_SYS(write), SCMP_SYS(fstat), SCMP_SYS(newfstatat), SCMP_SYS(lseek),
	    SCMP_SYS(rt_sigaction), SCMP_SYS(rt_sigprocmask), SCMP_SYS(futex), SCMP_SYS(exit_group), SCMP_SYS(getpid), SCMP_SYS(gettid), SCMP_SYS(tgkill),
	};
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ERRNO(EPERM));

	assert_non_null(ctx);
	for (size_t i = 0; i < sizeof calls / sizeof *calls; i++)
		assert_int_equal(seccomp_rule_add(ctx, SCMP_ACT_ALLOW, calls[i], 0), 0);
	assert_int_equal(seccomp_load(ctx), 0);
	seccomp_release(ctx);
	assert_int_equal(open("/dev/null", O_RDONLY), -1);
	assert_int_equal(errno, EPERM);
}

struct stream {
	struct loop     *loop;
	struct resolver *resolver;
	unsigned         next, done;
};

static void on_resolved(void *arg, enum fault fault, struct resolved *r);

static void
ask_next(struct stream *s)
{
	char name[32];

	/* each tenth comes truncated and is asked for again by TCP */
	snprintf(name, sizeof name, "n%u.%s.test", s->next, s->next % 10 ? "wild" : "tcp");
	s->next++;
	assert_non_null(resolver_start(s->resolver, span_str(name), on_resolved, s));
}

static void
on_resolved(void *arg, enum fault fault, struct resolved *r)
{
	struct stream *s = arg;

	assert_int_equal(fault, FAULT_NONE);
	assert_int_equal(r->n, 2);
	resolved_unref(r);
	if (++s->done == NAMES)
		loop_stop(s->loop);
	if (s->next < NAMES)
		ask_next(s);
}

static void
on_watchdog(void *arg)
{
	(void)arg;
	fail_msg("nothing came for %u ms", WATCHDOG_MS);
}

static void
test_no_file_is_needed_once_the_resolver_is_made(void **state)
{
	static const struct dns_row rows[] = {
	    {"*.wild.test", .a = "192.0.2.1", .aaaa = "2001:db8::1", .ttl = 60},
	    {"*.tcp.test", .a_how = DNS_TRUNCATED, .aaaa_how = DNS_TRUNCATED, .a = "192.0.2.1", .aaaa = "2001:db8::1", .ttl = 60},
	    {0},
	};
	struct stream          s = {.loop = loop_new()};
	struct dns_server     *server = malloc(sizeof *server);
	struct resolver_config c = {.servers = &server->at, .n_servers = 1, .resolv_conf = SPAN("search corp.test\n"), .timeout_ms = 10000, .cache_names = 10};
	struct timer           watchdog;

	(void)state;
	assert_non_null(server);
	dns_server_open(server, s.loop, rows);
	s.resolver = resolver_new(s.loop, &c);
	assert_non_null(s.resolver);
	timer_init(&watchdog, on_watchdog, NULL);
	sandbox_enter();
	/* a new configuration as well, while in there */
	for (int round = 0; round < 2; round++) {
		s.next = s.done = 0;
		while (s.next < AT_ONCE)
			ask_next(&s);
		timer_set(s.loop, &watchdog, WATCHDOG_MS);
		loop_run(s.loop);
		assert_true(server->n_ports > 2);
		server->n_log = 0;
		assert_true(resolver_reconfigure(s.resolver, &c));
	}
	resolver_free(s.resolver);
	dns_server_close(server);
	free(server);
	loop_free(s.loop);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_no_file_is_needed_once_the_resolver_is_made)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
#else
int
main(void)
{
	puts("skipped: sanitizers need calls that the filter refuses");
	return 77;
}
#endif
