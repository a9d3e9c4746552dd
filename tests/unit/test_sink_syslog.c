/* SPDX-License-Identifier: MIT */
/* When a syslog server counts as one that does not read. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "audit/sink_syslog.h"

#define SECOND 1000000u

static void
put(struct sink *s)
{
	char *p = sink_room(s);

	assert_non_null(p);
	memset(p, 'x', 1000);
	p[999] = '\n';
	sink_took(s, 1000);
}

/* The logger takes a batch at the time that it is, and the rest at that of its turn, which may be earlier: no time has passed then, not nearly all. */
static void
test_a_server_has_its_second_whatever_the_order_of_times(void **state)
{
	char                      dir[] = "/tmp/postern-syslog-XXXXXX", to[64], spool[64];
	struct sockaddr_un        sa = {.sun_family = AF_UNIX};
	struct sink_syslog_config c = {.to = to, .host = SPAN("gw"), .name = SPAN("postern"), .spool = spool, .spool_size = 8u << 20};
	struct sink              *s;
	uint64_t                  now = 100 * (uint64_t)SECOND;
	int                       fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(sa.sun_path, sizeof sa.sun_path, "%s/log", dir);
	snprintf(to, sizeof to, "unix:%s/log", dir);
	snprintf(spool, sizeof spool, "%s/spool", dir);
	assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof sa), 0);
	s = sink_syslog_new(&c, LOG_JSON);
	assert_non_null(s);
	for (unsigned i = 0; i < 100; i++)
		put(s);
	assert_false(sink_flush(s, now));
	assert_false(sink_flush(s, now - 1000));
	assert_int_equal(sink_retry_ms(s), 16);
	/* then it has had its second */
	assert_false(sink_flush(s, now + 2 * SECOND));
	assert_int_equal(sink_retry_ms(s), 1000);
	sink_free(s, now + 2 * SECOND);
	close(fd);
	unlink(sa.sun_path);
	unlink(spool);
	rmdir(dir);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_server_has_its_second_whatever_the_order_of_times),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
