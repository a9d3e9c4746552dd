/* SPDX-License-Identifier: MIT */
/* Two ends over a pair of sockets: what they agree on, and how bytes go through them. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/ioctl.h>

#include <cmocka.h>

#include "tls_parts.h"

#define NAME "origin.example"

static struct tls_context *context;
static struct leaf        *leaf;
static struct host         host;
static const uint8_t       ground[32] = {1};

static bool
meet_as(struct part_pair *p, const struct tls_want *want, const struct tls_offer *offer)
{
	part_join(p);
	p->c = tls_connect(context, &p->client, want);
	p->s = tls_answer(context, &p->server, (struct span){0}, offer);
	assert_non_null(p->c);
	assert_non_null(p->s);
	return part_shake(p);
}

static void
meet(struct part_pair *p)
{
	struct tls_want  want = {.name = &host, .port = 443};
	struct tls_offer offer = {.leaf = leaf, .http11 = true, .ground = ground};

	assert_true(meet_as(p, &want, &offer));
	part_carry(p);
}

static void
test_bytes_go_both_ways_and_end_properly(void **state)
{
	struct part_pair p;
	char             buf[100];

	(void)state;
	meet(&p);
	assert_int_equal(side_write(&p.client, SPAN("hello "), SPAN("world")), 11);
	assert_int_equal(side_read(&p.server, buf, sizeof buf), 11);
	assert_memory_equal(buf, "hello world", 11);
	assert_int_equal(side_read(&p.server, buf, sizeof buf), -1);
	assert_int_equal(errno, EAGAIN);
	side_shut_write(&p.client);
	assert_int_equal(side_read(&p.server, buf, sizeof buf), 0);
	assert_int_equal(side_write(&p.server, SPAN("bye"), SPAN("")), 3);
	assert_int_equal(side_read(&p.client, buf, sizeof buf), 3);
	part(&p);
}

/* Records that are for TLS alone, as many as a peer likes, sent at once. */
static void
test_a_read_does_not_go_on_for_as_long_as_keys_are_renewed(void **state)
{
	enum { RENEWALS = 6000 };
	struct part_pair p;
	SSL             *ssl;
	BIO             *bio = BIO_new(BIO_s_mem());
	char            *records, buf[100];
	long             n;
	int              before, after, calls = 0;

	(void)state;
	meet(&p);
	ssl = tls_end_ssl(p.c);
	BIO_up_ref(SSL_get_wbio(ssl));
	BIO *own = SSL_get_wbio(ssl);
	SSL_set0_wbio(ssl, bio);
	for (int i = 0; i < RENEWALS; i++) {
		assert_int_equal(SSL_key_update(ssl, SSL_KEY_UPDATE_NOT_REQUESTED), 1);
		assert_int_equal(SSL_do_handshake(ssl), 1);
	}
	n = BIO_get_mem_data(bio, &records);
	assert_int_equal(send(p.client.fd, records, (size_t)n, 0), n);
	SSL_set0_wbio(ssl, own);
	assert_int_equal(side_write(&p.client, SPAN("hello"), SPAN("")), 5);
	do {
		assert_int_equal(ioctl(p.server.fd, FIONREAD, &before), 0);
		after = (int)side_read(&p.server, buf, sizeof buf);
		if (after >= 0)
			break;
		assert_int_equal(errno, EAGAIN);
		assert_int_equal(ioctl(p.server.fd, FIONREAD, &after), 0);
		assert_in_range(before - after, 1, 40000);
	} while (++calls < RENEWALS);
	assert_int_equal(after, 5);
	assert_in_range(calls, n / 40000, n / 1000);
	part(&p);
}

static void
test_versions_are_those_that_both_want(void **state)
{
	static const struct {
		uint16_t    min, max;
		const char *version; /* null: they do not meet */
	} rows[] = {
		{0, 0, "TLSv1.3/TLS_AES_128_GCM_SHA256"},
		{0, 0x0304, "TLSv1.3/TLS_AES_128_GCM_SHA256"},
		{0, 0x0303, "TLSv1.2/TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"},
		{0x0303, 0x0303, "TLSv1.2/TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"},
		{0x0302, 0x0303, "TLSv1.2/TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"}, /* never below the context's */
		{0x0304, 0, "TLSv1.3/TLS_AES_128_GCM_SHA256"},
		{0x0304, 0x0303, NULL},
	};
	struct part_pair p;
	const char      *detail;
	char             buf[100];

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct tls_want  want = {.name = &host, .port = 443, .min_version = rows[i].min};
		struct tls_offer offer = {.leaf = leaf, .http11 = true, .ground = ground, .max_version = rows[i].max};

		if (rows[i].version) {
			assert_true(meet_as(&p, &want, &offer));
			assert_int_equal(tls_print(p.c, buf, sizeof buf), strlen(rows[i].version));
			assert_string_equal(buf, rows[i].version);
			assert_int_equal(tls_print(p.s, buf, 10), 0);
		} else {
			assert_false(meet_as(&p, &want, &offer));
			assert_int_equal(tls_why(p.c, &detail), FAULT_ORIGIN_TLS_WEAK);
			assert_string_equal(detail, "protocol_version");
			assert_int_equal(tls_why(p.s, &detail), FAULT_CLIENT_TLS_FAILED);
			assert_string_equal(detail, "unsupported protocol");
		}
		part(&p);
	}
}

static void
test_the_protocol_is_one_that_both_offer(void **state)
{
	static const struct {
		bool c_h2, s_h2, s_h11, meet, is_h2;
	} rows[] = {
		{true, true, true, true, true},
		{true, true, false, true, true},
		{true, false, true, true, false},
		{true, false, false, true, false}, /* answered without one */
		{false, true, true, true, false},
		{false, true, false, false, false},
		{false, false, false, true, false},
	};
	struct part_pair     p;
	const unsigned char *name;
	const char          *detail;
	unsigned             n;

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct tls_want  want = {.name = &host, .port = 443, .h2 = rows[i].c_h2};
		struct tls_offer offer = {.leaf = leaf, .h2 = rows[i].s_h2, .http11 = rows[i].s_h11, .ground = ground};

		assert_int_equal(meet_as(&p, &want, &offer), rows[i].meet);
		if (rows[i].meet) {
			assert_int_equal(tls_is_h2(p.c), rows[i].is_h2);
			assert_int_equal(tls_is_h2(p.s), rows[i].is_h2);
			SSL_get0_alpn_selected(tls_end_ssl(p.c), &name, &n);
			assert_int_equal(n, rows[i].is_h2 ? 2 : rows[i].s_h11 ? 8 : 0);
		} else {
			tls_why(p.c, &detail);
			assert_string_equal(detail, "no_application_protocol");
		}
		part(&p);
	}
}

static void
test_a_name_is_told_and_an_address_is_not(void **state)
{
	static const char *const rows[][2] = {{"origin.example", "origin.example"}, {"origin.example.", "origin.example"}, {"192.0.2.1", NULL}, {"[2001:db8::1]", NULL}};
	struct tls_offer         offer = {.leaf = leaf, .http11 = true, .ground = ground};
	struct part_pair         p;
	struct host              h;
	const char              *told;

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct tls_want want = {.name = &h, .port = 443};

		part_host(&h, rows[i][0]);
		assert_true(meet_as(&p, &want, &offer));
		told = SSL_get_servername(tls_end_ssl(p.s), TLSEXT_NAMETYPE_host_name);
		assert_int_equal(told != NULL, rows[i][1] != NULL);
		if (told)
			assert_string_equal(told, rows[i][1]);
		part(&p);
	}
}

static void
test_a_hello_that_was_read_before_is_answered(void **state)
{
	struct tls_want  want = {.name = &host, .port = 443};
	struct tls_offer offer = {.leaf = leaf, .http11 = true, .ground = ground};
	struct part_pair p;
	char             hello[4096], *exact;
	ssize_t          n, all = 1;

	(void)state;
	for (ssize_t cut = 1; cut <= all; cut += cut < 8 ? 1 : 37) {
		part_join(&p);
		p.c = tls_connect(context, &p.client, &want);
		assert_int_equal(tls_shake(p.c), TLS_WAITS);
		all = recv(p.server.fd, hello, sizeof hello, MSG_PEEK);
		n = recv(p.server.fd, hello, (size_t)cut, 0);
		assert_int_equal(n, cut);
		exact = malloc((size_t)n);
		memcpy(exact, hello, (size_t)n);
		p.s = tls_answer(context, &p.server, span_of(exact, (size_t)n), &offer);
		memset(exact, 0, (size_t)n); /* it was copied */
		free(exact);
		assert_true(part_shake(&p));
		part(&p);
	}
	assert_true(all > 100);
}

/* What goes in at one end comes out at the other, however little the sockets take at once. */
static void
test_every_byte_arrives_through_small_sockets(void **state)
{
	static const int sizes[] = {2304, 8192, 40000};
	enum { ALL = 700000 };
	struct part_pair p;
	uint64_t         seed = 42;
	char            *out = malloc(ALL), *in = malloc(ALL);
	size_t           sent, got;
	unsigned         full;

	(void)state;
	for (size_t i = 0; i < ALL; i++)
		out[i] = (char)(i * 2654435761u >> 24);
	for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
		meet(&p);
		setsockopt(p.client.fd, SOL_SOCKET, SO_SNDBUF, &sizes[s], sizeof sizes[s]);
		for (sent = got = full = 0; got < ALL;) {
			size_t  n, a;
			ssize_t w, r;

			seed = seed * 6364136223846793005u + 1442695040888963407u;
			n = 1 + (seed >> 33) % 100000;
			/* what is left of a record that got stuck has to be offered again as a whole */
			n = n < 20000 && full ? 20000 : n;
			if (n > ALL - sent)
				n = ALL - sent;
			a = n ? (seed >> 20) % n : 0;
			w = n ? side_write(&p.client, span_of(out + sent, a), span_of(out + sent + a, n - a)) : 0;
			if (w < 0)
				assert_int_equal(errno, EAGAIN);
			if (w < (ssize_t)n) {
				assert_false(p.client.writable);
				full++;
			}
			sent += w > 0 ? (size_t)w : 0;
			p.client.writable = p.server.readable = true;
			r = side_read(&p.server, in + got, 1 + (seed >> 40) % 50000 > ALL - got ? ALL - got : 1 + (seed >> 40) % 50000);
			if (r < 0) {
				assert_int_equal(errno, EAGAIN);
				assert_false(p.server.readable);
			}
			got += r > 0 ? (size_t)r : 0;
		}
		assert_true(full > 0);
		assert_memory_equal(in, out, ALL);
		part(&p);
	}
	free(out);
	free(in);
}

static unsigned
records_in(int fd)
{
	static unsigned char buf[100000];
	ssize_t              n = recv(fd, buf, sizeof buf, MSG_PEEK);
	unsigned             records = 0;

	for (ssize_t i = 0; i + 5 <= n; i += 5 + (buf[i + 3] << 8 | buf[i + 4]))
		records++;
	return records;
}

static void
test_head_and_body_are_one_record(void **state)
{
	static const struct {
		size_t   a, b;
		unsigned records;
	} rows[] = {{0, 0, 0}, {1, 0, 1}, {0, 1, 1}, {300, 1024, 1}, {300, 16084, 1}, {300, 16085, 2}, {16384, 1, 2}, {16385, 16000, 2}, {20000, 30000, 4}};
	static char      bytes[50000];
	struct part_pair p;
	char             buf[60000];
	ssize_t          n, got;

	(void)state;
	for (size_t i = 0; i < sizeof bytes; i++)
		bytes[i] = (char)(i * 7 + i / 256);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		meet(&p);
		while (side_read(&p.client, buf, sizeof buf) > 0) /* tickets */
			;
		assert_int_equal(side_write(&p.server, span_of(bytes, rows[i].a), span_of(bytes + rows[i].a, rows[i].b)), rows[i].a + rows[i].b);
		assert_int_equal(records_in(p.client.fd), rows[i].records);
		for (got = 0; (n = side_read(&p.client, buf + got, sizeof buf - (size_t)got)) > 0;)
			got += n;
		assert_int_equal(errno, EAGAIN);
		assert_int_equal(got, rows[i].a + rows[i].b);
		assert_memory_equal(buf, bytes, (size_t)got);
		part(&p);
	}
}

/* readable goes off when the socket is dry and OpenSSL holds nothing, and not before: no event would come for what lies there. */
static void
test_a_side_is_readable_as_long_as_bytes_are_held(void **state)
{
	struct part_pair p;
	char             buf[200];

	(void)state;
	meet(&p);
	assert_int_equal(side_read(&p.server, buf, sizeof buf), -1);
	assert_false(p.server.readable);
	side_write(&p.client, SPAN("0123456789"), SPAN(""));
	side_write(&p.client, SPAN("abc"), SPAN(""));
	side_note(&p.server, WATCH_READ);
	assert_int_equal(side_read(&p.server, buf, 4), 4);
	assert_true(p.server.readable);
	assert_int_equal(side_read(&p.server, buf, 6), 6);
	assert_true(p.server.readable); /* the second record lies in the buffer */
	assert_int_equal(side_read(&p.server, buf, 100), 3);
	assert_int_equal(side_read(&p.server, buf, 100), -1);
	assert_false(p.server.readable);
	/* one read that empties the socket says so without a second one */
	side_write(&p.client, SPAN("xyz"), SPAN(""));
	side_note(&p.server, WATCH_READ);
	assert_int_equal(side_read(&p.server, buf, 100), 3);
	assert_false(p.server.readable);
	/* both records by one call */
	side_write(&p.client, SPAN("0123456789"), SPAN(""));
	side_write(&p.client, SPAN("abc"), SPAN(""));
	side_note(&p.server, WATCH_READ);
	assert_int_equal(side_read(&p.server, buf, 100), 13);
	assert_memory_equal(buf, "0123456789abc", 13);
	/* a FIN on its way is read to the end */
	side_write(&p.client, SPAN("x"), SPAN(""));
	side_close(&p.client);
	side_note(&p.server, WATCH_READ | WATCH_CLOSED);
	assert_int_equal(side_read(&p.server, buf, 100), 1);
	assert_true(p.server.readable);
	assert_int_equal(side_read(&p.server, buf, 100), 0);
	part(&p);
}

static void
test_an_end_without_close_notify_is_a_reset(void **state)
{
	struct part_pair p;
	char             buf[100];

	(void)state;
	meet(&p);
	side_write(&p.client, SPAN("half of it"), SPAN(""));
	shutdown(p.client.fd, SHUT_WR);
	assert_int_equal(side_read(&p.server, buf, sizeof buf), 10);
	assert_false(side_failed(&p.server));
	for (int i = 0; i < 2; i++) {
		assert_int_equal(side_read(&p.server, buf, sizeof buf), -1);
		assert_int_equal(errno, ECONNRESET);
	}
	assert_true(side_failed(&p.server));
	assert_int_equal(side_write(&p.server, SPAN("x"), SPAN("")), -1);
	assert_int_equal(errno, EPIPE);
	part(&p);
}

static void
test_a_reset_says_no_goodbye(void **state)
{
	struct part_pair p;
	char             buf[100];

	(void)state;
	for (int reset = 0; reset < 2; reset++) {
		meet(&p);
		while (side_read(&p.client, buf, sizeof buf) > 0)
			;
		(reset ? side_reset : side_close)(&p.server);
		assert_int_equal(side_read(&p.client, buf, sizeof buf), reset ? -1 : 0);
		if (reset)
			assert_int_equal(errno, ECONNRESET);
		part(&p);
	}
}

/* A record that never went out whole is followed by no close_notify: the peer sees that something is missing. */
static void
test_what_is_stuck_is_not_taken_for_complete(void **state)
{
	static char      bytes[400000];
	int              small = 2304;
	struct part_pair p;
	char             buf[4096];
	ssize_t          n;

	(void)state;
	meet(&p);
	setsockopt(p.client.fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
	while (side_write(&p.client, span_of(bytes, sizeof bytes), SPAN("")) > 0)
		;
	assert_int_equal(errno, EAGAIN);
	side_close(&p.client);
	side_note(&p.server, WATCH_READ | WATCH_CLOSED);
	while ((n = side_read(&p.server, buf, sizeof buf)) > 0)
		;
	assert_int_equal(n, -1);
	assert_int_equal(errno, ECONNRESET);
	part(&p);
}

static void
test_an_alert_is_one_record(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 256; i++) {
		struct span a = tls_alert((uint8_t)i);

		assert_int_equal(a.n, 7);
		assert_memory_equal(a.p, "\x15\x03\x03\x00\x02\x02", 6);
		assert_int_equal((uint8_t)a.p[6], i);
	}
}

static int
set_up(void **state)
{
	struct snapshot *s = part_snapshot(0x0303, (struct span){0});

	(void)state;
	assert_true(tls_library_begin());
	context = tls_context_new(s);
	free(s);
	leaf = part_leaf(false, NAME);
	part_host(&host, NAME);
	return context ? 0 : -1;
}

static int
tear_down(void **state)
{
	(void)state;
	tls_context_unref(context);
	part_leaf_free(leaf);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bytes_go_both_ways_and_end_properly),
		cmocka_unit_test(test_a_read_does_not_go_on_for_as_long_as_keys_are_renewed),
		cmocka_unit_test(test_versions_are_those_that_both_want),
		cmocka_unit_test(test_the_protocol_is_one_that_both_offer),
		cmocka_unit_test(test_a_name_is_told_and_an_address_is_not),
		cmocka_unit_test(test_a_hello_that_was_read_before_is_answered),
		cmocka_unit_test(test_every_byte_arrives_through_small_sockets),
		cmocka_unit_test(test_head_and_body_are_one_record),
		cmocka_unit_test(test_a_side_is_readable_as_long_as_bytes_are_held),
		cmocka_unit_test(test_an_end_without_close_notify_is_a_reset),
		cmocka_unit_test(test_a_reset_says_no_goodbye),
		cmocka_unit_test(test_what_is_stuck_is_not_taken_for_complete),
		cmocka_unit_test(test_an_alert_is_one_record),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
