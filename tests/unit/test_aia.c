/* SPDX-License-Identifier: MIT */
/* Fetches from a small server over loopback, as a hostile or clumsy one would answer. Only the port is another one: dial_start is wrapped. */
#include "built.h"
#include "conf_dir.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "conf/load.h"
#include "net/dial.h"
#include "policy/snapshot.h"
#include "tls/aia.h"

#define N(a) (sizeof(a) / sizeof *(a))
#define WATCHDOG_MS 20000u

static int         listener;
static uint16_t    server_port;
static atomic_uint asked;
static pthread_t   server;
static char        seen[2048]; /* the last request */

struct dial *__real_dial_start(struct loop *l, const struct addr *addrs, unsigned n, uint16_t port, const struct dial_source *from, uint64_t timeout_ms, dial_fn *done, void *arg);
struct dial *__wrap_dial_start(struct loop *l, const struct addr *addrs, unsigned n, uint16_t port, const struct dial_source *from, uint64_t timeout_ms, dial_fn *done, void *arg);

struct dial *
__wrap_dial_start(struct loop *l, const struct addr *addrs, unsigned n, uint16_t port, const struct dial_source *from, uint64_t timeout_ms, dial_fn *done, void *arg)
{
	assert_int_equal(port, 80);
	return __real_dial_start(l, addrs, n, server_port, from, timeout_ms, done, arg);
}

static void
say(int fd, const char *text, size_t n)
{
	while (n > 0) {
		ssize_t put = send(fd, text, n, MSG_NOSIGNAL);
		if (put <= 0)
			return;
		text += put;
		n -= (size_t)put;
	}
}

#define SAY(fd, text) say(fd, text, sizeof(text) - 1)

static void
say_many(int fd, size_t n)
{
	char block[1000];

	memset(block, 'x', sizeof block);
	for (; n > 0; n -= n < sizeof block ? n : sizeof block)
		say(fd, block, n < sizeof block ? n : sizeof block);
}

static void
until_closed(int fd)
{
	char rest[64];

	while (recv(fd, rest, sizeof rest, 0) > 0)
		;
}

static void
serve(int fd, const char *path, size_t n)
{
	struct span p = {path, n};

	if (span_eq(p, SPAN("/good")) || span_eq(p, SPAN("/q?a=b")) || span_eq(p, SPAN("/")))
		SAY(fd, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\nContent-Type: text/html\r\n\r\nDER!");
	else if (span_eq(p, SPAN("/old")))
		SAY(fd, "HTTP/1.0 200 OK\r\n\r\nDER!");
	else if (span_eq(p, SPAN("/chunked")))
		SAY(fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nDE\r\n2\r\nR!\r\n0\r\n\r\n");
	else if (span_eq(p, SPAN("/most"))) {
		SAY(fd, "HTTP/1.1 200 OK\r\nContent-Length: 65536\r\n\r\n");
		say_many(fd, 65536);
	} else if (span_eq(p, SPAN("/declared")))
		SAY(fd, "HTTP/1.1 200 OK\r\nContent-Length: 65537\r\n\r\n");
	else if (span_eq(p, SPAN("/endless"))) {
		SAY(fd, "HTTP/1.1 200 OK\r\n\r\n");
		say_many(fd, 4 << 20);
	} else if (span_eq(p, SPAN("/chunks"))) {
		SAY(fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffff\r\n");
		say_many(fd, 0xfffff);
	} else if (span_eq(p, SPAN("/head"))) {
		SAY(fd, "HTTP/1.1 200 OK\r\nX: ");
		say_many(fd, 100000);
	} else if (span_eq(p, SPAN("/half")))
		SAY(fd, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf");
	else if (span_eq(p, SPAN("/moved")))
		SAY(fd, "HTTP/1.1 302 Found\r\nLocation: http://ca.test/good\r\nContent-Length: 4\r\n\r\nDER!");
	else if (span_eq(p, SPAN("/gone")))
		SAY(fd, "HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\nDER!");
	else if (span_eq(p, SPAN("/empty")))
		SAY(fd, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
	else if (span_eq(p, SPAN("/none")))
		SAY(fd, "HTTP/1.1 200 OK\r\n\r\n");
	else if (span_eq(p, SPAN("/garbage")))
		SAY(fd, "\x16\x03\x01\x02\x00\x01garbage\r\n\r\n");
	else if (span_eq(p, SPAN("/hang")))
		until_closed(fd);
}

static void *
server_run(void *arg)
{
	int fd;

	(void)arg;
	while ((fd = accept(listener, NULL, NULL)) >= 0) {
		size_t  n = 0;
		ssize_t got;
		while (n < sizeof seen - 1 && (got = recv(fd, seen + n, sizeof seen - 1 - n, 0)) > 0) {
			seen[n += (size_t)got] = '\0';
			if (strstr(seen, "\r\n\r\n"))
				break;
		}
		if (n > 4 && strncmp(seen, "GET ", 4) == 0) {
			atomic_fetch_add(&asked, 1);
			serve(fd, seen + 4, strcspn(seen + 4, " "));
			shutdown(fd, SHUT_WR);
			until_closed(fd); /* no reset that would hide what was said */
		}
		close(fd);
	}
	return NULL;
}

/* --- */

struct bench {
	struct loop     *loop;
	struct timer     watchdog;
	struct resolver *resolver;
	struct snapshot *open, *shut; /* egress-allow has loopback; does not */
	struct aia      *aia;
	unsigned         calls, stop_at;
	struct aia_job  *victim; /* cancelled by the first call */
	size_t           n;
	char             got[8];
};

static void
on_watchdog(void *arg)
{
	(void)arg;
	fail_msg("nothing came for %u ms", WATCHDOG_MS);
}

static struct snapshot *
snapshot_with(const char *line)
{
	char                   ini[200];
	struct snapshot_inputs in = {.generation = 1};
	struct report          r;
	struct snapshot       *s;
	int                    fd;

	snprintf(ini, sizeof ini, "[gateway]\n%s\n[listener a]\naddress = 127.0.0.1:0\n", line);
	dir_write("postern.ini", ini);
	report_init(&r);
	fd = block_built(conf_load("postern.ini", &r), &r, &in);
	s = snapshot_open(fd, true);
	assert_non_null(s);
	close(fd);
	return s;
}

static int
setup(void **state)
{
	struct sockaddr_in     sin = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t              n = sizeof sin;
	struct bench          *b = calloc(1, sizeof *b);
	struct endpoint        nowhere = {.addr = addr_from_v4(0x7f000001), .port = 9};
	struct resolver_config rc = {.servers = &nowhere, .n_servers = 1, .hosts = SPAN("127.0.0.1 ca.test\n"), .timeout_ms = 1000, .cache_names = 16};

	assert_int_equal(dir_setup(NULL), 0);
	listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(listener, (struct sockaddr *)&sin, sizeof sin), 0);
	assert_int_equal(listen(listener, 16), 0);
	assert_int_equal(getsockname(listener, (struct sockaddr *)&sin, &n), 0);
	server_port = ntohs(sin.sin_port);
	assert_int_equal(pthread_create(&server, NULL, server_run, NULL), 0);
	b->loop = loop_new();
	b->resolver = resolver_new(b->loop, &rc);
	b->aia = aia_new(b->loop);
	assert_true(b->loop && b->resolver && b->aia);
	b->open = snapshot_with("egress-allow = 127.0.0.0/8");
	b->shut = snapshot_with("");
	timer_init(&b->watchdog, on_watchdog, b);
	*state = b;
	return 0;
}

static int
teardown(void **state)
{
	struct bench *b = *state;

	aia_free(b->aia);
	resolver_free(b->resolver);
	loop_free(b->loop);
	assert_int_equal(b->open->refs, 1);
	assert_int_equal(b->shut->refs, 1);
	snapshot_unref(b->open);
	snapshot_unref(b->shut);
	shutdown(listener, SHUT_RDWR);
	pthread_join(server, NULL);
	close(listener);
	free(b);
	return dir_teardown(NULL);
}

static void
on_done(void *arg, struct span der)
{
	struct bench *b = arg;

	b->n = der.p ? der.n : 0;
	if (der.p)
		memcpy(b->got, der.p, der.n < sizeof b->got ? der.n : sizeof b->got);
	if (b->victim)
		aia_cancel(b->victim);
	b->victim = NULL;
	if (++b->calls >= b->stop_at)
		loop_stop(b->loop);
}

static void
run(struct bench *b, unsigned calls)
{
	b->calls = 0;
	b->stop_at = calls;
	timer_set(b->loop, &b->watchdog, WATCHDOG_MS);
	loop_run(b->loop);
	timer_clear(&b->watchdog);
	assert_int_equal(b->calls, calls);
}

static struct aia_job *
ask(struct bench *b, struct snapshot *s, const char *url)
{
	return aia_fetch(b->aia, b->resolver, s, url, on_done, b);
}

static void
test_each_answer_is_taken_or_refused(void **state)
{
	static const struct {
		const char *url;
		size_t      n;
	} rows[] = {
		{"http://ca.test/good", 4}, {"http://127.0.0.1/good", 4}, {"http://ca.test:80/good", 4}, {"HTTP://CA.TEST/q?a=b", 4}, {"http://ca.test", 4},
		{"http://ca.test/old", 4}, {"http://ca.test/chunked", 4}, {"http://ca.test/most", 65536},
		{"http://ca.test/declared", 0}, {"http://ca.test/endless", 0}, {"http://ca.test/chunks", 0}, {"http://ca.test/head", 0}, {"http://ca.test/half", 0},
		{"http://ca.test/moved", 0}, {"http://ca.test/gone", 0}, {"http://ca.test/empty", 0}, {"http://ca.test/none", 0}, {"http://ca.test/garbage", 0},
		{"http://ca.test/closes", 0},
	};
	struct bench *b = *state;

	for (size_t i = 0; i < N(rows); i++) {
		unsigned before = atomic_load(&asked);
		assert_non_null(ask(b, b->open, rows[i].url));
		run(b, 1);
		if (b->n != rows[i].n || (b->n == 4 && memcmp(b->got, "DER!", 4) != 0) || atomic_load(&asked) != before + 1)
			fail_msg("%s: %zu bytes", rows[i].url, b->n);
	}
	assert_non_null(strstr(seen, "\r\nHost: ca.test\r\n"));
}

static void
test_one_that_hangs_is_given_up(void **state)
{
	struct bench *b = *state;
	uint64_t      began = clock_mono_us();

	assert_non_null(ask(b, b->open, "http://ca.test/hang"));
	run(b, 1);
	assert_int_equal(b->n, 0);
	assert_in_range(clock_mono_us() - began, 4900000, 8000000);
}

static void
test_where_no_client_may_go_nothing_is_fetched(void **state)
{
	static const char *const urls[] = {"http://ca.test/good", "http://127.0.0.1/good", "http://10.0.0.1/", "http://[::1]/", "http://[::ffff:127.0.0.1]/", "http://169.254.169.254/",
	    "http://[64:ff9b::7f00:1]/"};
	struct bench *b = *state;
	unsigned      before = atomic_load(&asked);

	for (size_t i = 0; i < N(urls); i++) {
		assert_non_null(ask(b, b->shut, urls[i]));
		run(b, 1);
		assert_int_equal(b->n, 0);
	}
	assert_int_equal(atomic_load(&asked), before);
}

static void
test_a_url_of_another_kind_is_not_begun(void **state)
{
	static const char *const urls[] = {"https://ca.test/good", "ldap://ca.test/x", "http://ca.test:8080/good", "http://ca.test:443/", "http://u@ca.test/", "http:///x", "", "http://ca.test/a b",
	    "http://ca.test/\r\nX: y", "file:///etc/passwd"};
	struct bench *b = *state;

	for (size_t i = 0; i < N(urls); i++)
		assert_null(ask(b, b->open, urls[i]));
}

static void
test_those_who_want_the_same_share_one_fetch(void **state)
{
	struct bench *b = *state;
	unsigned      before = atomic_load(&asked);

	for (unsigned i = 0; i < 5; i++)
		assert_non_null(ask(b, b->open, "http://ca.test/good"));
	run(b, 5);
	assert_int_equal(atomic_load(&asked), before + 1);
	assert_int_equal(b->n, 4);
}

static void
test_after_a_cancel_nothing_comes(void **state)
{
	struct bench   *b = *state;
	struct aia_job *j = ask(b, b->open, "http://ca.test/good");

	/* one of two */
	assert_non_null(ask(b, b->open, "http://ca.test/good"));
	aia_cancel(j);
	run(b, 1);
	/* the only one, and one that fails at once */
	aia_cancel(ask(b, b->open, "http://ca.test/good"));
	aia_cancel(ask(b, b->shut, "http://127.0.0.1/good"));
	/* from within the callback of another one */
	assert_non_null(ask(b, b->open, "http://ca.test/good"));
	b->victim = ask(b, b->open, "http://ca.test/good");
	run(b, 1);
	assert_non_null(ask(b, b->open, "http://ca.test/chunked"));
	run(b, 1);
	assert_int_equal(b->n, 4);
}

static void
test_too_many_are_refused(void **state)
{
	struct bench *b = *state;
	char          url[64];
	unsigned      n = 0;

	for (; n < 1000; n++) {
		snprintf(url, sizeof url, "http://ca.test/%u", n);
		if (!ask(b, b->open, url))
			break;
	}
	assert_int_equal(n, 64);
	aia_free(b->aia); /* all forgotten */
	b->aia = aia_new(b->loop);
	assert_non_null(b->aia);
	assert_non_null(ask(b, b->open, "http://ca.test/good"));
	run(b, 1);
	assert_int_equal(b->n, 4);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_answer_is_taken_or_refused),
		cmocka_unit_test(test_one_that_hangs_is_given_up),
		cmocka_unit_test(test_where_no_client_may_go_nothing_is_fetched),
		cmocka_unit_test(test_a_url_of_another_kind_is_not_begun),
		cmocka_unit_test(test_those_who_want_the_same_share_one_fetch),
		cmocka_unit_test(test_after_a_cancel_nothing_comes),
		cmocka_unit_test(test_too_many_are_refused),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
