/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "audit/window.h"
#include "base/clock.h"

static void
check_frame(enum syslog_way way, const char *message, size_t n, const char *want, size_t n_want)
{
	struct window w = {.way = way};
	char         *exact = malloc(n ? n : 1);

	memcpy(exact, message, n);
	assert_true(window_add(&w, exact, n, 0));
	assert_int_equal(w.len, n_want);
	assert_memory_equal(w.buf, want, n_want);
	free(exact);
	window_clear(&w);
}

static void
test_each_way_has_its_framing(void **state)
{
	static char long_text[70000];

	(void)state;
	check_frame(SYSLOG_TCP, "<14>1 x\n", 8, "7 <14>1 x", 9);
	check_frame(SYSLOG_TLS, "<14>1 long x\n", 13, "12 <14>1 long x", 15);
	check_frame(SYSLOG_UDP, "<14>1 x\n", 8, "<14>1 x", 7);
	check_frame(SYSLOG_UNIX, "<14>1 x\n", 8, "<14>1 x\n", 8);
	check_frame(SYSLOG_TCP, "\n", 1, "0 ", 2);
	memset(long_text, 'x', sizeof long_text);
	check_frame(SYSLOG_UDP, long_text, WINDOW_UDP_MAX, long_text, WINDOW_UDP_MAX);
	check_frame(SYSLOG_UDP, long_text, sizeof long_text, long_text, WINDOW_UDP_MAX);
	/* no half character is left: 4 bytes, of which 1 to 3 would fit */
	for (size_t fit = 1; fit < 4; fit++) {
		memset(long_text, 'x', sizeof long_text);
		memcpy(long_text + WINDOW_UDP_MAX - fit, "\xf0\x9f\x98\x80", 4);
		check_frame(SYSLOG_UDP, long_text, sizeof long_text, long_text, WINDOW_UDP_MAX - fit);
	}
	memset(long_text, 'x', sizeof long_text);
	memcpy(long_text + WINDOW_UDP_MAX - 4, "\xf0\x9f\x98\x80", 4);
	check_frame(SYSLOG_UDP, long_text, sizeof long_text, long_text, WINDOW_UDP_MAX);
}

/* A listening socket and the wire to it. */
static int
listen_here(struct syslog_to *to)
{
	struct sockaddr_in sa = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t          n = sizeof sa;
	int                fd = socket(AF_INET, SOCK_STREAM, 0);
	char               text[64];

	assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof sa), 0);
	assert_int_equal(listen(fd, 4), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&sa, &n), 0);
	snprintf(text, sizeof text, "tcp:127.0.0.1:%u", ntohs(sa.sin_port));
	assert_true(syslog_to_read(span_str(text), to));
	return fd;
}

static struct wire *
connect_to(const struct syslog_to *to, int listener, int *peer)
{
	struct wire *wire = wire_new(to, NULL, NULL);

	assert_non_null(wire);
	for (unsigned i = 0; i < 1000 && wire_go(wire, clock_mono_us()) != WIRE_UP; i++)
		usleep(1000);
	*peer = accept(listener, NULL, NULL);
	return wire;
}

static void
add(struct window *w, unsigned number)
{
	char text[32];

	assert_true(window_add(w, text, (size_t)snprintf(text, sizeof text, "message %u\n", number), number + 1));
}

static void
expect(int fd, const char *text)
{
	char buf[4096];

	assert_int_equal(recv(fd, buf, strlen(text), MSG_WAITALL), strlen(text));
	assert_memory_equal(buf, text, strlen(text));
}

/* The peer's program ends: what it read is not sent again, what it did not read is. */
static void
end_of_peer(bool reads_all, size_t again)
{
	struct window    w = {.way = SYSLOG_TCP};
	struct syslog_to to;
	int              peer, listener = listen_here(&to);
	struct wire     *wire = connect_to(&to, listener, &peer);

	for (unsigned i = 0; i < 3; i++)
		add(&w, i);
	assert_int_equal(window_send(&w, wire, clock_mono_us()), 33);
	assert_true(window_is_sent(&w));
	assert_int_equal(window_mark(&w), 3);
	expect(peer, reads_all ? "9 message 09 message 19 message 2" : "9 message 0");
	close(peer);
	for (unsigned i = 0; i < 1000 && wire_go(wire, clock_mono_us()) == WIRE_UP; i++)
		usleep(1000);
	window_rewind(&w, wire_known_read(wire));
	assert_int_equal(w.n, again);
	assert_int_equal(window_unsaved(&w), again);
	window_clear(&w);
	wire_free(wire);
	close(listener);
}

static void
test_what_the_peer_has_read_is_not_sent_again(void **state)
{
	(void)state;
	end_of_peer(true, 0);
}

static void
test_what_the_peer_left_unread_is_sent_again(void **state)
{
	(void)state;
	end_of_peer(false, 3);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_way_has_its_framing),
		cmocka_unit_test(test_what_the_peer_has_read_is_not_sent_again),
		cmocka_unit_test(test_what_the_peer_left_unread_is_sent_again),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
