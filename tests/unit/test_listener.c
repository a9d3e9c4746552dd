/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ipv6.h"
#include "net/listener.h"

static int
option_get(int fd, int level, int name)
{
	int       value = -1;
	socklen_t n = sizeof value;

	assert_int_equal(getsockopt(fd, level, name, &value, &n), 0);
	return value;
}

static struct endpoint
endpoint(const char *text)
{
	struct endpoint e = {0};

	assert_true(addr_parse(span_str(text), &e.addr));
	return e;
}

static void
test_accepted_sockets_inherit_what_the_listener_was_given(void **state)
{
	static const struct {
		int level, name, want;
	} options[] = {
	    {IPPROTO_TCP, TCP_NODELAY, 1}, {SOL_SOCKET, SO_KEEPALIVE, 1}, {IPPROTO_TCP, TCP_KEEPIDLE, KEEPALIVE_IDLE_S},
	    {IPPROTO_TCP, TCP_KEEPINTVL, KEEPALIVE_INTERVAL_S}, {IPPROTO_TCP, TCP_KEEPCNT, KEEPALIVE_PROBES},
	};
	static const char *const at[] = {"127.0.0.1", "::1"};

	(void)state;
	for (size_t i = 0; i < (ipv6_is_here() ? 2 : 1); i++) {
		struct endpoint         e = endpoint(at[i]), where;
		struct sockaddr_storage sa;
		int                     listener = listener_open(&e, false, NULL, 0), client, fd;
		assert_true(listener >= 0);
		assert_true(fcntl(listener, F_GETFL) & O_NONBLOCK);
		assert_true(fcntl(listener, F_GETFD) & FD_CLOEXEC);
		assert_true(listener_where(listener, &where));
		assert_true(addr_eq(&where.addr, &e.addr));
		assert_int_not_equal(where.port, 0);
		socklen_t n = endpoint_to_sockaddr(&where, &sa);
		client = socket(sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
		assert_int_equal(connect(client, (struct sockaddr *)&sa, n), 0);
		fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		assert_true(fd >= 0);
		for (size_t k = 0; k < sizeof options / sizeof *options; k++)
			assert_int_equal(option_get(fd, options[k].level, options[k].name), options[k].want);
		/* a dialled socket gets the same by one call */
		assert_int_equal(option_get(client, SOL_SOCKET, SO_KEEPALIVE), 0);
		assert_true(keepalive_set(client));
		for (size_t k = 1; k < sizeof options / sizeof *options; k++)
			assert_int_equal(option_get(client, options[k].level, options[k].name), options[k].want);
		close(fd);
		close(client);
		close(listener);
	}
}

static void
test_only_those_that_share_may_have_the_same_address(void **state)
{
	struct endpoint e = endpoint("127.0.0.1");
	char            why[128] = "";
	int             first = listener_open(&e, true, why, sizeof why), second, third;

	(void)state;
	assert_true(first >= 0);
	assert_true(listener_where(first, &e));
	second = listener_open(&e, true, why, sizeof why);
	assert_true(second >= 0);
	assert_string_equal(why, "");
	third = listener_open(&e, false, why, sizeof why);
	assert_int_equal(third, -1);
	assert_int_equal(errno, EADDRINUSE);
	assert_non_null(strstr(why, "bind 127.0.0.1:"));
	assert_non_null(strstr(why, ": Address already in use"));
	close(first);
	close(second);
}

static void
test_all_of_ipv6_leaves_ipv4_to_its_own_listener(void **state)
{
	struct endpoint six = endpoint("::"), four = endpoint("0.0.0.0");
	int             a, b;

	(void)state;
	if (!ipv6_is_here())
		return;
	a = listener_open(&six, false, NULL, 0);
	assert_true(a >= 0);
	assert_true(listener_where(a, &six));
	four.port = six.port;
	b = listener_open(&four, false, NULL, 0);
	assert_true(b >= 0 || errno == EADDRINUSE); /* somebody else may have that IPv4 port */
	assert_int_equal(option_get(a, IPPROTO_IPV6, IPV6_V6ONLY), 1);
	if (b >= 0)
		close(b);
	close(a);
}

static void
test_an_address_that_is_not_ours_is_refused_with_the_reason(void **state)
{
	struct endpoint e = endpoint("192.0.2.1");
	char            why[128] = "";

	(void)state;
	assert_int_equal(listener_open(&e, false, why, sizeof why), -1);
	assert_int_equal(errno, EADDRNOTAVAIL);
	assert_string_equal(why, "bind 192.0.2.1:0: Cannot assign requested address");
	assert_false(listener_where(-1, &e));
	assert_false(keepalive_set(-1));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_accepted_sockets_inherit_what_the_listener_was_given),
	    cmocka_unit_test(test_only_those_that_share_may_have_the_same_address),
	    cmocka_unit_test(test_all_of_ipv6_leaves_ipv4_to_its_own_listener),
	    cmocka_unit_test(test_an_address_that_is_not_ours_is_refused_with_the_reason),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
