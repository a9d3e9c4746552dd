/* SPDX-License-Identifier: MIT */
/* verify_origin over real handshakes: what the connection showed is judged, a resumed one as the one before, and a missing issuer is asked for once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "block.h"
#include "certs.h"
#include "tls/origin_memory.h"
#include "tls/verify.h"
#include "tls_parts.h"

#define HOST "www.example.com"

static struct tls_context *context, *server_context;
static X509               *root, *inter;

static int
setup(void **state)
{
	struct snapshot *s;
	struct span      der;
	char            *roots;

	(void)state;
	assert_true(tls_library_begin());
	root = cert_make(&(struct cert_want){.cn = "Root", .ca = true, .key = CERT_P256_B}, NULL, 0);
	inter = cert_make(&(struct cert_want){.cn = "Inter", .ca = true, .key = CERT_P256_C}, root, CERT_P256_B);
	der = cert_der(root);
	roots = malloc(4 + der.n);
	assert_non_null(roots);
	memcpy(roots, (const uint8_t[]){0, 0, (uint8_t)(der.n >> 8), (uint8_t)der.n}, 4);
	memcpy(roots + 4, der.p, der.n);
	s = part_snapshot(0x0303, span_of(roots, 4 + der.n));
	context = tls_context_new(s);
	server_context = tls_context_new(s);
	assert_true(context && server_context);
	free(s);
	free(roots);
	block_free(der);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	tls_context_unref(context);
	tls_context_unref(server_context);
	X509_free(root);
	X509_free(inter);
	certs_clear();
	return 0;
}

/* A server with this certificate, shaken hands with. */
struct visit {
	struct host      host;
	struct leaf      leaf;
	uint8_t          ground[32];
	struct part_pair pair;
};

static void
visit_begin(struct visit *v, const struct cert_want *want, bool send_issuer, uint16_t version, uint16_t port)
{
	struct tls_want  to = {.name = &v->host, .port = port, .h2 = true};
	struct tls_offer offer = {.leaf = &v->leaf, .h2 = true, .http11 = true, .ground = v->ground, .max_version = version};

	memset(v, 0, sizeof *v);
	part_host(&v->host, HOST);
	v->leaf.refs = 1;
	v->leaf.key = cert_key(want->key);
	v->leaf.cert = cert_make(want, inter, CERT_P256_C);
	v->leaf.chain = send_issuer ? certs_of(&inter, 1) : NULL;
	part_join(&v->pair);
	v->pair.c = tls_connect(context, &v->pair.client, &to);
	v->pair.s = tls_answer(server_context, &v->pair.server, (struct span){0}, &offer);
	assert_true(v->pair.c && v->pair.s && part_shake(&v->pair));
}

static void
visit_end(struct visit *v)
{
	char buf[10];

	/* tickets come with what is read */
	part_carry(&v->pair);
	assert_int_equal(side_write(&v->pair.server, SPAN("x"), SPAN("")), 1);
	assert_int_equal(side_read(&v->pair.client, buf, sizeof buf), 1);
	part(&v->pair);
	X509_free(v->leaf.cert);
	sk_X509_pop_free(v->leaf.chain, X509_free);
}

static void
test_a_resumed_connection_is_judged_as_the_one_before(void **state)
{
	(void)state;
	for (uint16_t version = 0x0303; version <= 0x0304; version++) {
		struct cert_want want = {.cn = HOST, .san = "DNS:" HOST};
		struct visit     v;
		struct profile  *first, *second;
		struct host      other;
		const char      *url;
		visit_begin(&v, &want, true, version, version);
		assert_int_equal(verify_origin(context, v.pair.c, &v.host, true, &first, &url), VERIFY_DONE);
		if (first->fault != FAULT_NONE)
			fail_msg("%s", first->detail);
		assert_int_equal(first->version, version);
		assert_true(first->h2);
		assert_int_equal(first->strength, 128);
		assert_string_equal(first->common_name, HOST);
		visit_end(&v);
		visit_begin(&v, &want, true, version, version);
		assert_true(tls_was_resumed(v.pair.c));
		assert_int_equal(verify_origin(context, v.pair.c, &v.host, true, &second, &url), VERIFY_DONE);
		assert_int_equal(second->fault, FAULT_NONE);
		assert_int_equal(second->verified_us, first->verified_us); /* no younger than what it rests on */
		assert_memory_equal(second->print, first->print, sizeof first->print);
		profile_unref(second);
		/* for a name that it was not judged for, nothing rests on it */
		part_host(&other, "other.example.com");
		assert_int_equal(verify_origin(context, v.pair.c, &other, true, &second, &url), VERIFY_DONE);
		assert_int_not_equal(second->fault, FAULT_NONE);
		assert_true(second->kinds >> KIND_WRONG_HOST & 1);
		profile_unref(second);
		profile_unref(first);
		visit_end(&v);
	}
}

static void
test_a_bad_one_is_found(void **state)
{
	struct visit    v;
	struct profile *p;
	const char     *url;

	(void)state;
	visit_begin(&v, &(struct cert_want){.san = "DNS:" HOST, .from = -9 * CERT_DAY, .to = -60}, true, 0, 1);
	assert_int_equal(verify_origin(context, v.pair.c, &v.host, true, &p, &url), VERIFY_DONE);
	assert_int_equal(p->fault, FAULT_CERT_EXPIRED);
	profile_unref(p);
	visit_end(&v);
}

static void
test_a_missing_issuer_is_asked_for(void **state)
{
	struct cert_want want = {.san = "DNS:" HOST, .aia = "caIssuers;URI:http://ca.test/i.cer"};
	struct span      der = cert_der(inter);
	struct visit     v;
	struct profile  *p;
	const char      *url;

	(void)state;
	visit_begin(&v, &want, false, 0, 2);
	assert_int_equal(verify_origin(context, v.pair.c, &v.host, true, &p, &url), VERIFY_NEEDS);
	assert_string_equal(url, "http://ca.test/i.cer");
	verify_missed(context, url);
	assert_int_equal(verify_origin(context, v.pair.c, &v.host, true, &p, &url), VERIFY_DONE);
	assert_int_equal(p->fault, FAULT_CERT_INCOMPLETE);
	profile_unref(p);
	visit_end(&v);
	verify_learn(context, "http://ca.test/i.cer", der);
	visit_begin(&v, &want, false, 0, 3);
	assert_int_equal(verify_origin(context, v.pair.c, &v.host, true, &p, &url), VERIFY_DONE);
	assert_int_equal(p->fault, FAULT_NONE);
	profile_unref(p);
	visit_end(&v);
	block_free(der);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_resumed_connection_is_judged_as_the_one_before),
		cmocka_unit_test(test_a_bad_one_is_found),
		cmocka_unit_test(test_a_missing_issuer_is_asked_for),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
