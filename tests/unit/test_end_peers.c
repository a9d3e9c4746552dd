/* SPDX-License-Identifier: MIT */
/*
 * Our ends against OpenSSL's own, set up as badly as it allows, while OPENSSL_CONF names a file that would make everything lax: what is refused, and what it
 * is called.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/wait.h>

#include <cmocka.h>
#include <openssl/err.h>

#include "tls/end_parts.h"
#include "tls_parts.h"

#define N(a) (sizeof(a) / sizeof *(a))

static struct tls_context *context;
static struct leaf        *ec, *rsa;
static struct host         host;
static const uint8_t       ground[32] = {1};

/* A peer as somebody else might have it. */
struct peer {
	struct part_pair pair; /* of which one half is an end of ours */
	SSL_CTX         *ctx;
	SSL             *ssl;
};

static SSL_CTX *
lax_new(bool server)
{
	SSL_CTX *ctx = SSL_CTX_new(server ? TLS_server_method() : TLS_client_method());

	assert_non_null(ctx);
	SSL_CTX_set_security_level(ctx, 0);
	SSL_CTX_set_min_proto_version(ctx, TLS1_VERSION);
	SSL_CTX_set_cipher_list(ctx, "ALL:eNULL:aNULL@SECLEVEL=0");
	SSL_CTX_set_options(ctx, SSL_OP_LEGACY_SERVER_CONNECT | SSL_OP_IGNORE_UNEXPECTED_EOF);
	return ctx;
}

static void
attach(struct peer *p, bool server, int fd)
{
	p->ssl = SSL_new(p->ctx);
	SSL_set_fd(p->ssl, fd);
	if (server)
		SSL_set_accept_state(p->ssl);
	else {
		SSL_set_connect_state(p->ssl);
		SSL_set_tlsext_host_name(p->ssl, host.text);
	}
}

/* We connect to a lax origin with this leaf. */
static void
origin_init(struct peer *p, const struct leaf *leaf)
{
	memset(p, 0, sizeof *p);
	p->ctx = lax_new(true);
	if (leaf) {
		assert_int_equal(SSL_CTX_use_certificate(p->ctx, leaf->cert), 1);
		assert_int_equal(SSL_CTX_use_PrivateKey(p->ctx, leaf->key), 1);
	}
}

static void
client_init(struct peer *p)
{
	memset(p, 0, sizeof *p);
	p->ctx = lax_new(false);
}

static void
peer_clear(struct peer *p)
{
	part(&p->pair);
	SSL_free(p->ssl);
	SSL_CTX_free(p->ctx);
	ERR_clear_error();
}

static enum tls_step
shake_both(struct tls_end *t, SSL *ssl)
{
	enum tls_step step = TLS_WAITS;

	for (int i = 0; i < 20 && step == TLS_WAITS; i++) {
		step = tls_shake(t);
		SSL_do_handshake(ssl);
		ERR_clear_error();
	}
	if (step == TLS_SHAKEN)
		SSL_do_handshake(ssl);
	return step;
}

/* The step at which our connection to the origin ends; p->pair.c is shaken or says why. */
static enum tls_step
reach(struct peer *p)
{
	struct tls_want want = {.name = &host, .port = 443};

	part_join(&p->pair);
	attach(p, true, p->pair.server.fd);
	p->pair.c = tls_connect(context, &p->pair.client, &want);
	assert_non_null(p->pair.c);
	return shake_both(p->pair.c, p->ssl);
}

static enum tls_step
serve(struct peer *p, const struct leaf *leaf)
{
	struct tls_offer offer = {.leaf = leaf, .h2 = true, .http11 = true, .ground = ground};

	part_join(&p->pair);
	attach(p, false, p->pair.client.fd);
	p->pair.s = tls_answer(context, &p->pair.server, (struct span){0}, &offer);
	assert_non_null(p->pair.s);
	return shake_both(p->pair.s, p->ssl);
}

static void
test_the_lax_file_is_lax_where_it_is_read(void **state)
{
	int   status;
	pid_t pid;

	(void)state;
	/* this process began with tls_library_begin; a new one, which does not, is what the file makes of it */
	pid = fork();
	if (pid == 0) {
		execl("/proc/self/exe", "test_end_peers", "read-the-file", (char *)NULL);
		_exit(9);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	assert_int_equal(SSL_CTX_get_security_level(context->client), 2);
	assert_int_equal(SSL_CTX_get_security_level(context->server), 2);
	assert_int_equal(SSL_CTX_get_min_proto_version(context->server), TLS1_2_VERSION);
}

static void
test_weak_origins_are_refused(void **state)
{
	static const struct {
		const char *ciphers, *signatures, *groups;
		int         version;
		const char *detail; /* null: it is good */
	} rows[] = {
		{"ALL", NULL, NULL, TLS1_3_VERSION, NULL},
		{"ECDHE-RSA-AES128-GCM-SHA256", NULL, NULL, TLS1_2_VERSION, NULL},
		{"ECDHE-RSA-AES256-GCM-SHA384", NULL, "P-384", TLS1_2_VERSION, NULL},
		{"ECDHE-RSA-CHACHA20-POLY1305", "RSA+SHA512", "P-256", TLS1_2_VERSION, NULL},
		{"ALL", NULL, NULL, TLS1_VERSION, "protocol_version"},
		{"ALL", NULL, NULL, TLS1_1_VERSION, "protocol_version"},
		{"DHE-RSA-AES128-GCM-SHA256", NULL, NULL, TLS1_2_VERSION, "handshake_failure"},
		{"AES128-GCM-SHA256", NULL, NULL, TLS1_2_VERSION, "handshake_failure"},
		{"ECDHE-RSA-AES128-SHA", NULL, NULL, TLS1_2_VERSION, "handshake_failure"},
		{"ECDHE-RSA-AES256-SHA384", NULL, NULL, TLS1_2_VERSION, "handshake_failure"},
		{"AES128-SHA", NULL, NULL, TLS1_2_VERSION, "handshake_failure"},
		{"ECDHE-RSA-NULL-SHA", NULL, NULL, TLS1_2_VERSION, "handshake_failure"},
		{"AECDH-AES128-SHA", NULL, NULL, TLS1_2_VERSION, "handshake_failure"},
		{"ALL", NULL, "P-521", TLS1_3_VERSION, "handshake_failure"},
		{"ALL:!aNULL", "RSA+SHA1", NULL, TLS1_2_VERSION, "handshake_failure"},
	};
	struct peer p;
	const char *detail;

	(void)state;
	for (size_t i = 0; i < N(rows); i++) {
		char ciphers[200];

		origin_init(&p, rsa);
		snprintf(ciphers, sizeof ciphers, "%s:@SECLEVEL=0", rows[i].ciphers);
		assert_int_equal(SSL_CTX_set_cipher_list(p.ctx, ciphers), 1);
		SSL_CTX_set_max_proto_version(p.ctx, rows[i].version);
		SSL_CTX_set_dh_auto(p.ctx, 1);
		if (rows[i].signatures)
			assert_int_equal(SSL_CTX_set1_sigalgs_list(p.ctx, rows[i].signatures), 1);
		if (rows[i].groups)
			assert_int_equal(SSL_CTX_set1_groups_list(p.ctx, rows[i].groups), 1);
		if (reach(&p) != (rows[i].detail ? TLS_BROKE : TLS_SHAKEN))
			fail_msg("row %zu", i);
		if (rows[i].detail) {
			assert_int_equal(tls_why(p.pair.c, &detail), FAULT_ORIGIN_TLS_WEAK);
			assert_string_equal(detail, rows[i].detail);
		}
		peer_clear(&p);
	}
}

static void
test_weak_clients_are_refused(void **state)
{
	static const struct {
		const char *ciphers, *groups;
		int         version;
		bool        good;
	} rows[] = {
		{"ALL", NULL, TLS1_3_VERSION, true},
		{"ECDHE-RSA-AES128-GCM-SHA256", NULL, TLS1_2_VERSION, true},
		{"ECDHE-RSA-CHACHA20-POLY1305", "P-384", TLS1_2_VERSION, true},
		{"ALL", NULL, TLS1_VERSION, false},
		{"ALL", NULL, TLS1_1_VERSION, false},
		{"DHE-RSA-AES128-GCM-SHA256", NULL, TLS1_2_VERSION, false},
		{"AES128-GCM-SHA256", NULL, TLS1_2_VERSION, false},
		{"ECDHE-RSA-AES128-SHA256", NULL, TLS1_2_VERSION, false},
		{"ECDHE-RSA-NULL-SHA", NULL, TLS1_2_VERSION, false},
		{"ALL", "P-521", TLS1_3_VERSION, false},
	};
	struct peer p;
	const char *detail;

	(void)state;
	for (size_t i = 0; i < N(rows); i++) {
		char ciphers[200];

		client_init(&p);
		snprintf(ciphers, sizeof ciphers, "%s:@SECLEVEL=0", rows[i].ciphers);
		assert_int_equal(SSL_CTX_set_cipher_list(p.ctx, ciphers), 1);
		SSL_CTX_set_max_proto_version(p.ctx, rows[i].version);
		if (rows[i].groups)
			assert_int_equal(SSL_CTX_set1_groups_list(p.ctx, rows[i].groups), 1);
		if (serve(&p, rsa) != (rows[i].good ? TLS_SHAKEN : TLS_BROKE))
			fail_msg("row %zu", i);
		if (!rows[i].good)
			assert_int_equal(tls_why(p.pair.s, &detail), FAULT_CLIENT_TLS_FAILED);
		peer_clear(&p);
	}
}

/* ChaCha20 for those that have no fast AES and say so. */
static void
test_a_client_that_prefers_chacha_gets_it(void **state)
{
	static const char *const rows[][2] = {{"TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256", "TLSv1.3/TLS_CHACHA20_POLY1305_SHA256"},
	    {"TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256", "TLSv1.3/TLS_AES_128_GCM_SHA256"}};
	struct peer              p;
	char                     buf[100];

	(void)state;
	for (size_t i = 0; i < N(rows); i++) {
		client_init(&p);
		assert_int_equal(SSL_CTX_set_ciphersuites(p.ctx, rows[i][0]), 1);
		assert_int_equal(serve(&p, ec), TLS_SHAKEN);
		assert_true(tls_print(p.pair.s, buf, sizeof buf) > 0);
		assert_string_equal(buf, rows[i][1]);
		peer_clear(&p);
	}
}

static void
test_renegotiation_is_refused(void **state)
{
	struct peer p;
	char        buf[10];

	(void)state;
	/* asked for by an origin: it is told no, and the connection goes on */
	origin_init(&p, rsa);
	SSL_CTX_set_max_proto_version(p.ctx, TLS1_2_VERSION);
	assert_int_equal(reach(&p), TLS_SHAKEN);
	side_carry(&p.pair.client, tls_carrier(p.pair.c));
	assert_int_equal(SSL_renegotiate(p.ssl), 1);
	SSL_do_handshake(p.ssl);
	assert_int_equal(side_read(&p.pair.client, buf, sizeof buf), -1);
	assert_int_equal(errno, EAGAIN);
	assert_int_equal(SSL_write(p.ssl, "x", 1), 1);
	side_note(&p.pair.client, WATCH_READ);
	assert_int_equal(side_read(&p.pair.client, buf, sizeof buf), 1);
	assert_int_equal(SSL_num_renegotiations(tls_end_ssl(p.pair.c)), 0);
	peer_clear(&p);
	/* begun by a client */
	client_init(&p);
	SSL_CTX_set_max_proto_version(p.ctx, TLS1_2_VERSION);
	assert_int_equal(serve(&p, rsa), TLS_SHAKEN);
	side_carry(&p.pair.server, tls_carrier(p.pair.s));
	assert_int_equal(SSL_renegotiate(p.ssl), 1);
	SSL_do_handshake(p.ssl);
	assert_int_equal(side_read(&p.pair.server, buf, sizeof buf), -1);
	assert_int_equal(SSL_num_renegotiations(tls_end_ssl(p.pair.s)), 0);
	assert_true(SSL_do_handshake(p.ssl) != 1);
	peer_clear(&p);
}

static int
take_any(int ok, X509_STORE_CTX *chain)
{
	(void)ok;
	(void)chain;
	return 1;
}

static void
test_an_origin_that_wants_a_certificate_is_recognised(void **state)
{
	static const struct {
		int  version;
		bool must, late; /* late: told after our handshake is done */
		bool writes;     /* before we read: the origin has hung up already */
	} rows[] = {{TLS1_2_VERSION, false, false, false}, {TLS1_2_VERSION, true, false, false}, {TLS1_3_VERSION, false, false, false},
	    {TLS1_3_VERSION, true, true, false}, {TLS1_3_VERSION, true, true, true}};
	struct peer p;
	const char *detail;
	char        buf[10];

	(void)state;
	for (size_t i = 0; i < N(rows); i++) {
		origin_init(&p, ec);
		SSL_CTX_set_max_proto_version(p.ctx, rows[i].version);
		SSL_CTX_set_verify(p.ctx, SSL_VERIFY_PEER | (rows[i].must ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0), take_any);
		assert_int_equal(reach(&p), rows[i].must && !rows[i].late ? TLS_BROKE : TLS_SHAKEN);
		if (rows[i].must && !rows[i].late) {
			assert_int_equal(tls_why(p.pair.c, &detail), FAULT_ORIGIN_WANTS_CERTIFICATE);
			assert_string_equal(detail, "handshake_failure");
		} else if (rows[i].late) {
			side_carry(&p.pair.client, tls_carrier(p.pair.c));
			if (rows[i].writes) {
				shutdown(p.pair.server.fd, SHUT_RDWR);
				assert_int_equal(side_write(&p.pair.client, SPAN("GET"), SPAN("")), -1);
				assert_int_equal(errno, EPIPE);
			} else {
				assert_int_equal(side_read(&p.pair.client, buf, sizeof buf), -1);
				assert_int_equal(errno, ECONNRESET);
			}
			assert_int_equal(tls_late_why(p.pair.c, &detail), FAULT_ORIGIN_WANTS_CERTIFICATE);
			assert_string_equal(detail, "certificate_required");
		} else {
			side_carry(&p.pair.client, tls_carrier(p.pair.c));
			assert_int_equal(SSL_write(p.ssl, "x", 1), 1);
			assert_int_equal(side_read(&p.pair.client, buf, sizeof buf), 1);
			assert_int_equal(tls_late_why(p.pair.c, &detail), FAULT_NONE);
		}
		peer_clear(&p);
	}
}

/* As an origin does that refuses a body half-way. */
static void
test_what_was_said_before_hanging_up_can_be_read(void **state)
{
	struct peer p;
	const char *detail;
	char        buf[10];

	(void)state;
	origin_init(&p, ec);
	assert_int_equal(reach(&p), TLS_SHAKEN);
	side_carry(&p.pair.client, tls_carrier(p.pair.c));
	assert_int_equal(SSL_write(p.ssl, "413", 3), 3);
	SSL_shutdown(p.ssl);
	close(p.pair.server.fd);
	p.pair.server.fd = -1;
	assert_int_equal(side_write(&p.pair.client, SPAN("GET"), SPAN("")), -1);
	assert_int_equal(errno, EPIPE);
	assert_true(side_failed(&p.pair.client));
	side_note(&p.pair.client, WATCH_READ | WATCH_CLOSED);
	assert_int_equal(side_read(&p.pair.client, buf, sizeof buf), 3);
	assert_memory_equal(buf, "413", 3);
	assert_int_equal(side_read(&p.pair.client, buf, sizeof buf), 0);
	assert_int_equal(tls_late_why(p.pair.c, &detail), FAULT_NONE);
	peer_clear(&p);
}

static void
test_nothing_is_sent_before_it_is_asked_for(void **state)
{
	struct peer p;
	char        buf[10];

	(void)state;
	for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
		origin_init(&p, ec);
		SSL_CTX_set_max_proto_version(p.ctx, version);
		assert_int_equal(reach(&p), TLS_SHAKEN);
		assert_int_equal(SSL_read(p.ssl, buf, sizeof buf), -1); /* up to and with Finished */
		tls_end_free(p.pair.c); /* found bad: not even a goodbye */
		assert_int_equal(recv(p.pair.server.fd, buf, sizeof buf, 0), -1);
		assert_int_equal(errno, EAGAIN);
		p.pair.c = NULL;
		peer_clear(&p);
	}
}

static void
test_origins_that_break_off_are_told_apart(void **state)
{
	static const struct {
		const char *bytes; /* of its answer; then it closes */
		size_t      n;
		enum fault  fault;
		const char *detail;
	} rows[] = {
		{"", 0, FAULT_ORIGIN_TLS_FAILED, "closed without close_notify"},
		{"HTTP/1.0 400 Bad Request\r\n\r\n", 28, FAULT_ORIGIN_TLS_FAILED, "what the server sends is not TLS"},
		{"\x15\x03\x03\x00\x02\x02\x28", 7, FAULT_ORIGIN_TLS_WEAK, "handshake_failure"},
		{"\x15\x03\x01\x00\x02\x02\x46", 7, FAULT_ORIGIN_TLS_WEAK, "protocol_version"},
		{"\x15\x03\x03\x00\x02\x02\x47", 7, FAULT_ORIGIN_TLS_WEAK, "insufficient_security"},
		{"\x15\x03\x03\x00\x02\x02\x70", 7, FAULT_ORIGIN_TLS_FAILED, "unrecognized_name"},
		{"\x15\x03\x03\x00\x02\x02\x50", 7, FAULT_ORIGIN_TLS_FAILED, "internal_error"},
		{"\x15\x03\x03\x00\x02\x02\xff", 7, FAULT_ORIGIN_TLS_FAILED, "unknown alert"},
		{"\x15\x03\x03\x00\x02\x02\x74", 7, FAULT_ORIGIN_WANTS_CERTIFICATE, "certificate_required"},
		{"\x16\x03\x03\x00\x02\x02\x00", 7, FAULT_ORIGIN_TLS_FAILED, "closed without close_notify"},
	};
	struct tls_want  want = {.name = &host, .port = 443};
	struct part_pair p;
	const char      *detail;

	(void)state;
	for (size_t i = 0; i < N(rows); i++) {
		part_join(&p);
		p.c = tls_connect(context, &p.client, &want);
		assert_int_equal(tls_shake(p.c), TLS_WAITS);
		assert_int_equal(tls_shake(p.c), TLS_WAITS);
		assert_int_equal(send(p.server.fd, rows[i].bytes, rows[i].n, 0), rows[i].n);
		shutdown(p.server.fd, SHUT_WR);
		side_note(&p.client, WATCH_READ | WATCH_CLOSED);
		assert_int_equal(tls_shake(p.c), TLS_BROKE);
		assert_int_equal(tls_shake(p.c), TLS_BROKE);
		assert_int_equal(tls_why(p.c, &detail), rows[i].fault);
		assert_string_equal(detail, rows[i].detail);
		part(&p);
	}
}

static void
test_a_chain_that_is_too_long_is_named(void **state)
{
	struct peer p;
	const char *detail;
	X509       *big;

	(void)state;
	for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
		origin_init(&p, ec);
		SSL_CTX_set_max_proto_version(p.ctx, version);
		for (int i = 0; i < 300; i++) {
			big = part_certificate(ec->key, "a.rather.long.name.to.fill.the.chain.example", EVP_sha256());
			assert_int_equal(SSL_CTX_add0_chain_cert(p.ctx, big), 1);
		}
		assert_int_equal(reach(&p), TLS_BROKE);
		assert_int_equal(tls_why(p.pair.c, &detail), FAULT_ORIGIN_TLS_FAILED);
		assert_string_equal(detail, "excessive message size");
		peer_clear(&p);
	}
}

/* What a client does that does not trust us. */
enum leaves { BY_ALERT, BY_GOODBYE, BY_FIN, AFTER_A_WORD, MUCH_LATER };

static int
refuse_with(X509_STORE_CTX *chain, void *error)
{
	X509_STORE_CTX_set_error(chain, *(const int *)error);
	return 0;
}

static void
test_clients_that_reject_the_certificate_are_recognised(void **state)
{
	static const struct {
		int         version, error; /* of the check: OpenSSL has an alert for each */
		enum leaves leaves;
		enum fault  fault;
		const char *detail;
	} rows[] = {
		{TLS1_2_VERSION, 0, BY_ALERT, FAULT_CLIENT_REJECTED_CERTIFICATE, "unknown_ca"},
		{TLS1_3_VERSION, 0, BY_ALERT, FAULT_CLIENT_REJECTED_CERTIFICATE, "unknown_ca"},
		{TLS1_2_VERSION, X509_V_ERR_CERT_HAS_EXPIRED, BY_ALERT, FAULT_CLIENT_REJECTED_CERTIFICATE, "certificate_expired"},
		{TLS1_3_VERSION, X509_V_ERR_CERT_REJECTED, BY_ALERT, FAULT_CLIENT_REJECTED_CERTIFICATE, "bad_certificate"},
		{TLS1_3_VERSION, X509_V_ERR_INVALID_CALL, BY_ALERT, FAULT_CLIENT_TLS_FAILED, "internal_error"},
		{TLS1_2_VERSION, X509_V_ERR_UNSPECIFIED, BY_ALERT, FAULT_CLIENT_TLS_FAILED, "internal_error"},
		{TLS1_2_VERSION, 0, BY_GOODBYE, FAULT_CLIENT_REJECTED_CERTIFICATE, "closed right after the certificate"},
		{TLS1_3_VERSION, 0, BY_GOODBYE, FAULT_CLIENT_REJECTED_CERTIFICATE, "closed right after the certificate"},
		{TLS1_2_VERSION, 0, BY_FIN, FAULT_NONE, "closed without close_notify"},
		{TLS1_3_VERSION, 0, BY_FIN, FAULT_NONE, "closed without close_notify"},
		{TLS1_3_VERSION, 0, AFTER_A_WORD, FAULT_NONE, NULL},
		{TLS1_3_VERSION, 0, MUCH_LATER, FAULT_NONE, NULL},
	};
	struct peer   p;
	enum tls_step step;
	enum fault    fault;
	const char   *detail;
	char          buf[10];

	(void)state;
	for (size_t i = 0; i < N(rows); i++) {
		client_init(&p);
		SSL_CTX_set_max_proto_version(p.ctx, rows[i].version);
		if (rows[i].leaves == BY_ALERT)
			SSL_CTX_set_verify(p.ctx, SSL_VERIFY_PEER, NULL);
		if (rows[i].error)
			SSL_CTX_set_cert_verify_callback(p.ctx, refuse_with, (void *)(uintptr_t)&rows[i].error);
		step = serve(&p, ec);
		if (step == TLS_SHAKEN) {
			side_carry(&p.pair.server, tls_carrier(p.pair.s));
			assert_int_equal(tls_late_why(p.pair.s, &detail), FAULT_NONE);
			if (rows[i].leaves == AFTER_A_WORD)
				SSL_write(p.ssl, "GET", 3);
			if (rows[i].leaves == MUCH_LATER)
				p.pair.s->shaken_us -= 10000000;
			if (rows[i].leaves == BY_GOODBYE)
				SSL_shutdown(p.ssl);
			shutdown(p.pair.client.fd, SHUT_WR);
			side_note(&p.pair.server, WATCH_READ | WATCH_CLOSED);
			while (side_read(&p.pair.server, buf, sizeof buf) > 0)
				;
			fault = tls_late_why(p.pair.s, &detail);
		} else {
			assert_int_equal(step, TLS_BROKE);
			fault = tls_why(p.pair.s, &detail);
		}
		if (fault != rows[i].fault)
			fail_msg("row %zu: %s", i, detail);
		if (rows[i].detail)
			assert_string_equal(detail, rows[i].detail);
		peer_clear(&p);
	}
}

static void
test_a_client_that_hangs_up_in_the_handshake_rejects_the_certificate(void **state)
{
	struct tls_offer offer = {.leaf = ec, .http11 = true, .ground = ground};
	struct peer      p;
	const char      *detail;

	(void)state;
	for (int showed = 0; showed < 2; showed++) {
		client_init(&p);
		part_join(&p.pair);
		attach(&p, false, p.pair.client.fd);
		p.pair.s = tls_answer(context, &p.pair.server, (struct span){0}, &offer);
		if (showed)
			SSL_do_handshake(p.ssl); /* its ClientHello */
		assert_int_equal(tls_shake(p.pair.s), TLS_WAITS);
		shutdown(p.pair.client.fd, SHUT_WR);
		side_note(&p.pair.server, WATCH_READ | WATCH_CLOSED);
		assert_int_equal(tls_shake(p.pair.s), TLS_BROKE);
		assert_int_equal(tls_why(p.pair.s, &detail), showed ? FAULT_CLIENT_REJECTED_CERTIFICATE : FAULT_CLIENT_TLS_FAILED);
		assert_string_equal(detail, showed ? "closed right after the certificate" : "closed without close_notify");
		peer_clear(&p);
	}
}

static int
set_up(void **state)
{
	struct snapshot *s = part_snapshot(0, (struct span){0});

	(void)state;
	assert_true(tls_library_begin());
	context = tls_context_new(s);
	free(s);
	ec = part_leaf(false, "origin.example");
	rsa = part_leaf(true, "origin.example");
	part_host(&host, "origin.example");
	return context ? 0 : -1;
}

static int
tear_down(void **state)
{
	(void)state;
	tls_context_unref(context);
	part_leaf_free(ec);
	part_leaf_free(rsa);
	return 0;
}

#define LAX_FILE "test_end_peers.cnf"
static const char lax[] = "openssl_conf = all\n[all]\nssl_conf = ssl\n[ssl]\nsystem_default = lax\n[lax]\nMinProtocol = TLSv1\nCipherString = ALL:@SECLEVEL=0\n";

/* What the file does to a process that reads it. */
static int
read_the_file(void)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	bool     is_lax = ctx && SSL_CTX_get_security_level(ctx) == 0 && SSL_CTX_get_min_proto_version(ctx) == TLS1_VERSION;

	SSL_CTX_free(ctx);
	return !is_lax;
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_lax_file_is_lax_where_it_is_read),
		cmocka_unit_test(test_weak_origins_are_refused),
		cmocka_unit_test(test_weak_clients_are_refused),
		cmocka_unit_test(test_a_client_that_prefers_chacha_gets_it),
		cmocka_unit_test(test_renegotiation_is_refused),
		cmocka_unit_test(test_an_origin_that_wants_a_certificate_is_recognised),
		cmocka_unit_test(test_what_was_said_before_hanging_up_can_be_read),
		cmocka_unit_test(test_nothing_is_sent_before_it_is_asked_for),
		cmocka_unit_test(test_origins_that_break_off_are_told_apart),
		cmocka_unit_test(test_a_chain_that_is_too_long_is_named),
		cmocka_unit_test(test_clients_that_reject_the_certificate_are_recognised),
		cmocka_unit_test(test_a_client_that_hangs_up_in_the_handshake_rejects_the_certificate),
	};
	FILE *f;
	int   failed;

	(void)argv;
	if (argc > 1)
		return read_the_file();
	f = fopen(LAX_FILE, "w");
	if (!f || fputs(lax, f) < 0 || fclose(f) != 0 || setenv("OPENSSL_CONF", LAX_FILE, 1) != 0)
		return 1;
	failed = cmocka_run_group_tests(tests, set_up, tear_down);
	unlink(LAX_FILE);
	return failed;
}
