/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <openssl/evp.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "block.h"
#include "tls/leaf.h"
#include "tls/leaf_inside.h"
#include "tls/leaf_wire.h"
#include "tls/mint.h"

/* The signer's side of the socket is played here, with the real mint. */
struct world {
	struct loop      *loop;
	struct leaf_desk *desk;
	struct timer      guard;
	bool              late;
	int               far; /* -1: none */
	X509             *cert;
	EVP_PKEY         *ca_key, *key[LEAF_KEYS];
	uint64_t          key_id;
	struct mint      *mint;
	unsigned          tickets;
	uint8_t           ticket[LEAF_TICKET];
	struct host       host;
	bool               damaged; /* what is said in a hello cannot be read */
};

struct heard {
	unsigned     n;
	struct leaf *leaf;
	enum fault   fault;
};

static void
on_guard(void *arg)
{
	((struct world *)arg)->late = true;
}

static void
on_tickets(void *arg, const uint8_t (*key)[80], unsigned n)
{
	struct world *w = arg;

	w->tickets = n;
	memcpy(w->ticket, key[0], LEAF_TICKET);
}

static void
connect_far(struct world *w)
{
	int end[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, end), 0);
	if (w->far >= 0)
		close(w->far);
	w->far = end[1];
	leaf_desk_connect(w->desk, end[0]);
}

static struct span
pkcs8(EVP_PKEY *key, uint8_t *out)
{
	PKCS8_PRIV_KEY_INFO *info = EVP_PKEY2PKCS8(key);
	uint8_t             *p = out;
	int                  n = i2d_PKCS8_PRIV_KEY_INFO(info, &p);

	PKCS8_PRIV_KEY_INFO_free(info);
	assert_true(n > 0);
	return span_of((const char *)out, (size_t)n);
}

static void
say_hello(struct world *w, const uint8_t *print)
{
	static uint8_t    buf[LEAF_PACKET_MAX], key[LEAF_KEYS][4096], chain[4096];
	struct leaf_hello h = {0};
	uint8_t          *p = chain + 4;
	size_t            n = (size_t)i2d_X509(w->cert, &p);

	memcpy(h.ca_print, print, sizeof h.ca_print);
	for (unsigned i = 0; i < LEAF_KEYS; i++) {
		h.key[i].id = w->key_id;
		h.key[i].pkcs8 = pkcs8(w->key[i], key[i]);
	}
	chain[0] = chain[1] = 0;
	chain[2] = (uint8_t)(n >> 8);
	chain[3] = (uint8_t)n;
	if (w->damaged)
		chain[4] = 0;
	h.chain[LEAF_UNTRUSTED] = span_of((const char *)chain, n + 4);
	n = leaf_hello_write(&h, buf, sizeof buf);
	assert_true(n > 0 && send(w->far, buf, n, 0) == (ssize_t)n);
}

/* One ask; false: there is none. */
static bool
take(struct world *w, struct leaf_ask *ask)
{
	static uint8_t buf[LEAF_PACKET_MAX];
	ssize_t        n = recv(w->far, buf, sizeof buf, MSG_DONTWAIT);

	if (n <= 0)
		return false;
	assert_true(leaf_ask_read(span_of((const char *)buf, (size_t)n), ask));
	return true;
}

static void
give(struct world *w, const struct leaf_made *m)
{
	static uint8_t buf[LEAF_PACKET_MAX];
	size_t         n = leaf_made_write(m, buf, sizeof buf);

	assert_true(n > 0 && send(w->far, buf, n, 0) == (ssize_t)n);
}

static void
make(struct world *w, const struct leaf_ask *ask)
{
	static uint8_t   der[16384];
	const char      *why;
	size_t           n = mint_leaf(w->mint, ask, w->key[ask->key], (int64_t)(clock_real_us() / 1000000), der, sizeof der, &why);
	struct leaf_made m = {.number = ask->number, .der = {(const char *)der, n}};

	assert_true(n > 0);
	give(w, &m);
}

/* Until the desk has read all that was given so far. */
static void
settle(struct world *w)
{
	static const uint8_t key[1][LEAF_TICKET] = {{1}};
	uint8_t              buf[128];
	size_t               n = leaf_tickets_write(key, 1, buf, sizeof buf);

	w->tickets = 0;
	assert_true(send(w->far, buf, n, 0) == (ssize_t)n);
	while (w->tickets == 0 && !w->late)
		loop_turn(w->loop);
	assert_int_equal(w->tickets, 1);
}

static int
set_up(void **state)
{
	struct world             *w = calloc(1, sizeof *w);
	const struct mint_ca_want want = {.name = "Test CA", .days = 10};
	const char               *why;

	assert_non_null(w);
	w->loop = loop_new();
	w->desk = leaf_desk_new(w->loop, 4, on_tickets, w);
	assert_true(w->loop && w->desk);
	timer_init(&w->guard, on_guard, w);
	timer_set(w->loop, &w->guard, 20000);
	w->far = -1;
	w->key_id = 1;
	w->key[LEAF_P256] = EVP_EC_gen("P-256");
	w->key[LEAF_RSA] = EVP_RSA_gen(2048);
	assert_true(mint_ca_make(&want, (int64_t)(clock_real_us() / 1000000), &w->cert, &w->ca_key, &why));
	w->mint = mint_new(w->cert, w->ca_key);
	assert_true(host_parse(SPAN("www.example.com"), &w->host));
	*state = w;
	return 0;
}

static int
tear_down(void **state)
{
	struct world *w = *state;

	leaf_desk_free(w->desk);
	if (w->far >= 0)
		close(w->far);
	timer_clear(&w->guard);
	loop_free(w->loop);
	mint_free(w->mint);
	X509_free(w->cert);
	EVP_PKEY_free(w->ca_key);
	EVP_PKEY_free(w->key[0]);
	EVP_PKEY_free(w->key[1]);
	free(w);
	return 0;
}

static void
on_done(void *arg, struct leaf *leaf, enum fault fault)
{
	struct heard *h = arg;

	h->n++;
	h->leaf = leaf ? leaf_ref(leaf) : NULL;
	h->fault = fault;
}

static void
until(struct world *w, const struct heard *h, unsigned n)
{
	while (h->n < n && !w->late)
		loop_turn(w->loop);
	assert_int_equal(h->n, n);
}

static struct leaf_want
page(struct world *w)
{
	return (struct leaf_want){.host = &w->host, .ca_print = mint_print(w->mint)};
}

static void
connect_and_greet(struct world *w)
{
	struct heard h = {0};

	connect_far(w);
	say_hello(w, mint_print(w->mint));
	assert_non_null(leaf_await(w->desk, 20000, on_done, &h));
	until(w, &h, 1);
	assert_int_equal(h.fault, FAULT_NONE);
	assert_true(leaf_desk_is_up(w->desk));
}

static void
test_a_leaf_comes_once_and_stays(void **state)
{
	struct world    *w = *state;
	struct heard     h[3] = {{0}};
	struct leaf_want want = page(w);
	struct leaf_ask  ask, none;
	struct leaf     *l;

	connect_and_greet(w);
	for (unsigned i = 0; i < 3; i++)
		assert_non_null(leaf_ask(w->desk, &want, 20000, on_done, &h[i]));
	assert_true(take(w, &ask));
	assert_false(take(w, &none)); /* three who want the same ask once */
	assert_true(ask.page && ask.key == LEAF_P256 && span_eq(ask.names, span_of("dwww.example.com", 17)));
	make(w, &ask);
	until(w, &h[2], 1);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(h[i].n, 1);
		assert_int_equal(h[i].fault, FAULT_NONE);
		assert_ptr_equal(h[i].leaf, h[0].leaf);
		assert_int_equal(X509_check_host(h[i].leaf->cert, "www.example.com", 0, 0, NULL), 1);
		leaf_unref(h[i].leaf);
	}
	assert_null(h[0].leaf->chain); /* the CA that clients trust is not sent along */
	l = leaf_find(w->desk, &want);
	assert_ptr_equal(l, h[0].leaf);
	leaf_unref(l);
	h[0].n = 0;
	assert_non_null(leaf_ask(w->desk, &want, 20000, on_done, &h[0]));
	assert_int_equal(h[0].n, 0); /* from the loop only */
	until(w, &h[0], 1);
	assert_false(take(w, &none));
	leaf_unref(h[0].leaf);
}

static struct profile *
profile_make(const char *names, size_t n, uint32_t count)
{
	struct profile *p = calloc(1, sizeof *p + n);

	assert_non_null(p);
	p->refs = 1;
	p->n_names = count;
	p->size = (uint32_t)n;
	memcpy(p->names, names, n);
	snprintf(p->common_name, sizeof p->common_name, "example.com");
	return p;
}

static void
test_the_host_is_among_the_names(void **state)
{
	static const struct {
		const char *host, *names;
		size_t      n;
		enum leaf_ca ca;
		const char *asked;
		size_t      n_asked;
	} rows[] = {
		{"www.example.com", "dexample.com\0d*.example.com", 28, LEAF_TRUSTED, "dexample.com\0d*.example.com", 28},
		{"a.b.example.com", "d*.example.com", 15, LEAF_TRUSTED, "da.b.example.com\0d*.example.com", 32},
		{"a.b.example.com", "d*.example.com", 15, LEAF_UNTRUSTED, "d*.example.com", 15},
		{"www.example.com", "", 0, LEAF_UNTRUSTED, "dwww.example.com", 17},
		{"10.0.0.1", "dexample.com", 13, LEAF_TRUSTED, "a\0\0\0\0\0\0\0\0\0\0\xff\xff\x0a\0\0\1dexample.com", 30},
		{"10.0.0.1", "a\0\0\0\0\0\0\0\0\0\0\xff\xff\x0a\0\0\1", 17, LEAF_TRUSTED, "a\0\0\0\0\0\0\0\0\0\0\xff\xff\x0a\0\0\1", 17},
	};
	struct world *w = *state;

	connect_and_greet(w);
	for (size_t i = 0; i < ROWS(rows); i++) {
		struct profile  *p = profile_make(rows[i].names, rows[i].n, rows[i].n > 0);
		struct host      host;
		struct heard     h = {0};
		struct leaf_ask  ask;
		struct leaf_want want = {.profile = p, .host = &host, .ca = rows[i].ca, .ca_print = mint_print(w->mint)};
		assert_true(host_parse(span_str(rows[i].host), &host));
		assert_non_null(leaf_ask(w->desk, &want, 20000, on_done, &h));
		assert_true(take(w, &ask));
		assert_true(!ask.page && ask.ca == rows[i].ca && span_eq(ask.common_name, SPAN("example.com")));
		assert_int_equal(ask.names.n, rows[i].n_asked);
		assert_memory_equal(ask.names.p, rows[i].asked, rows[i].n_asked);
		make(w, &ask);
		until(w, &h, 1);
		assert_non_null(h.leaf);
		assert_int_equal(h.leaf->chain ? sk_X509_num(h.leaf->chain) : 0, rows[i].ca == LEAF_UNTRUSTED);
		leaf_unref(h.leaf);
		free(p);
	}
}

static void
test_other_wants_are_other_leaves(void **state)
{
	struct world    *w = *state;
	struct heard     h = {0};
	struct profile  *p = profile_make("dwww.example.com", 17, 1);
	struct leaf_want want = page(w);
	struct leaf_ask  ask;
	uint8_t          other_ca[32] = {1};

	connect_and_greet(w);
	assert_non_null(leaf_ask(w->desk, &want, 20000, on_done, &h));
	assert_true(take(w, &ask));
	make(w, &ask);
	until(w, &h, 1);
	leaf_unref(h.leaf);
	want.key = LEAF_RSA;
	assert_null(leaf_find(w->desk, &want));
	want = page(w);
	want.profile = p;
	assert_null(leaf_find(w->desk, &want));
	want = page(w);
	want.ca_print = other_ca;
	assert_null(leaf_find(w->desk, &want));
	want = page(w);
	want.ca = LEAF_UNTRUSTED;
	assert_null(leaf_find(w->desk, &want));
	free(p);
}

static void
test_a_signer_that_is_silent_refuses_or_lies_gives_a_fault(void **state)
{
	struct world    *w = *state;
	struct leaf_want want = page(w);
	struct heard     h[3] = {{0}};
	struct leaf_ask  ask;
	struct leaf_made m = {.refused = true, .der = SPAN("no")};

	connect_and_greet(w);
	assert_non_null(leaf_ask(w->desk, &want, 30, on_done, &h[0]));
	until(w, &h[0], 1);
	assert_int_equal(h[0].fault, FAULT_SIGNER_UNAVAILABLE);
	assert_true(take(w, &ask));
	make(w, &ask); /* too late: harms nobody */
	assert_non_null(leaf_ask(w->desk, &want, 20000, on_done, &h[1]));
	assert_true(take(w, &ask));
	m.number = ask.number;
	give(w, &m);
	until(w, &h[1], 1);
	assert_true(!h[1].leaf && h[1].fault == FAULT_SIGNER_UNAVAILABLE);
	assert_non_null(leaf_ask(w->desk, &want, 20000, on_done, &h[2]));
	assert_true(take(w, &ask));
	EVP_PKEY *mine = w->key[0];
	w->key[0] = w->key[1]; /* a certificate for a key that the worker does not have */
	make(w, &ask);
	w->key[0] = mine;
	until(w, &h[2], 1);
	assert_true(!h[2].leaf && h[2].fault == FAULT_SIGNER_UNAVAILABLE);
	assert_null(leaf_find(w->desk, &want));
}

static void
test_a_successor_is_asked_again(void **state)
{
	struct world    *w = *state;
	struct leaf_want want = page(w);
	struct heard     h = {0}, early = {0};
	struct leaf_ask  ask;

	/* before there is any */
	assert_non_null(leaf_ask(w->desk, &want, 20000, on_done, &h));
	assert_non_null(leaf_await(w->desk, 20000, on_done, &early));
	connect_and_greet(w);
	until(w, &early, 1);
	assert_true(take(w, &ask));
	close(w->far);
	w->far = -1;
	while (leaf_desk_is_up(w->desk) && !w->late)
		loop_turn(w->loop);
	connect_and_greet(w);
	assert_true(take(w, &ask));
	make(w, &ask);
	until(w, &h, 1);
	assert_int_equal(h.fault, FAULT_NONE);
	leaf_unref(h.leaf);
}

static void
test_a_hello_that_cannot_be_taken_is_asked_for_anew(void **state)
{
	struct world *w = *state;
	char          byte;
	ssize_t       n;

	for (unsigned greeted = 0; greeted < 2; greeted++) {
		if (greeted)
			connect_and_greet(w);
		else
			connect_far(w);
		w->damaged = true;
		say_hello(w, mint_print(w->mint));
		w->damaged = false;
		while ((n = recv(w->far, &byte, 1, MSG_DONTWAIT)) < 0 && !w->late)
			loop_turn(w->loop);
		assert_int_equal(n, 0); /* the end, at which the signer has itself paired again */
		assert_false(leaf_desk_is_up(w->desk));
	}
	connect_and_greet(w);
}

static void
test_a_signer_with_another_ca_is_asked_again_when_it_has_ours(void **state)
{
	struct world    *w = *state;
	struct leaf_want want = page(w);
	struct heard     h = {0};
	struct leaf_ask  ask, none;
	struct leaf_made m = {.refused = true, .foreign = true};
	const uint8_t    other[32] = {9};

	connect_and_greet(w);
	say_hello(w, other);
	assert_non_null(leaf_ask(w->desk, &want, 20000, on_done, &h));
	assert_true(take(w, &ask));
	m.number = ask.number;
	give(w, &m);
	settle(w);
	assert_false(take(w, &none));
	assert_int_equal(h.n, 0);
	say_hello(w, mint_print(w->mint));
	while (!take(w, &ask) && !w->late)
		loop_turn(w->loop);
	make(w, &ask);
	until(w, &h, 1);
	assert_int_equal(h.fault, FAULT_NONE);
	leaf_unref(h.leaf);
}

static void
test_new_keys_leave_leaves_usable(void **state)
{
	struct world    *w = *state;
	struct leaf_want want = page(w);
	struct heard     h = {0};
	struct leaf_ask  ask;
	struct leaf     *l;
	EVP_PKEY        *old = w->key[0];

	connect_and_greet(w);
	assert_non_null(leaf_ask(w->desk, &want, 20000, on_done, &h));
	assert_true(take(w, &ask));
	make(w, &ask);
	until(w, &h, 1);
	leaf_unref(h.leaf);
	w->key[0] = EVP_EC_gen("P-256");
	w->key_id++;
	connect_and_greet(w);
	l = leaf_find(w->desk, &want);
	assert_non_null(l);
	assert_int_equal(X509_check_private_key(l->cert, l->key), 1);
	leaf_unref(l);
	/* and what is made now goes with the new one */
	want.ca = LEAF_UNTRUSTED;
	h.n = 0;
	assert_non_null(leaf_ask(w->desk, &want, 20000, on_done, &h));
	assert_true(take(w, &ask));
	make(w, &ask);
	until(w, &h, 1);
	assert_int_equal(h.fault, FAULT_NONE);
	assert_int_equal(EVP_PKEY_eq(h.leaf->key, w->key[0]), 1);
	leaf_unref(h.leaf);
	EVP_PKEY_free(old);
}

static void
test_what_is_cancelled_is_never_called(void **state)
{
	struct world    *w = *state;
	struct leaf_want want = page(w);
	struct heard     h[3] = {{0}};
	struct leaf_ask  ask, none;
	struct leaf_job *j[3];

	connect_and_greet(w);
	j[0] = leaf_ask(w->desk, &want, 20000, on_done, &h[0]);
	j[1] = leaf_ask(w->desk, &want, 20000, on_done, &h[1]);
	assert_true(take(w, &ask));
	leaf_cancel(j[0]);
	make(w, &ask);
	until(w, &h[1], 1);
	leaf_unref(h[1].leaf);
	assert_int_equal(h[0].n, 0);
	j[2] = leaf_ask(w->desk, &want, 20000, on_done, &h[2]); /* there already */
	leaf_cancel(j[2]);
	want.key = LEAF_RSA;
	j[2] = leaf_ask(w->desk, &want, 20000, on_done, &h[2]);
	leaf_cancel(j[2]);
	assert_true(take(w, &ask));
	make(w, &ask); /* for nobody */
	settle(w);
	assert_int_equal(h[2].n, 0);
	assert_false(take(w, &none));
	/* the rest is forgotten with the desk */
	assert_non_null(leaf_ask(w->desk, &want, 20000, on_done, &h[2]));
	assert_non_null(leaf_await(w->desk, 20000, on_done, &h[2]));
}

static void
test_without_hope_nobody_waits(void **state)
{
	struct world    *w = *state;
	struct leaf_want want = page(w);
	struct heard     h[4] = {{0}};

	assert_non_null(leaf_ask(w->desk, &want, 3600000, on_done, &h[0]));
	assert_non_null(leaf_await(w->desk, 3600000, on_done, &h[1]));
	leaf_desk_connect(w->desk, -1);
	until(w, &h[0], 1);
	until(w, &h[1], 1);
	assert_non_null(leaf_ask(w->desk, &want, 3600000, on_done, &h[2]));
	assert_non_null(leaf_await(w->desk, 3600000, on_done, &h[3]));
	until(w, &h[2], 1);
	until(w, &h[3], 1);
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(h[i].fault, FAULT_SIGNER_UNAVAILABLE);
}

static void
test_the_cache_is_bounded(void **state)
{
	struct world *w = *state;

	connect_and_greet(w);
	for (unsigned i = 0; i < 6; i++) {
		struct leaf_want want = page(w);
		struct heard     h = {0};
		struct leaf_ask  ask;
		w->host.text[0] = (char)('a' + i);
		assert_non_null(leaf_ask(w->desk, &want, 20000, on_done, &h));
		assert_true(take(w, &ask));
		make(w, &ask);
		until(w, &h, 1);
		leaf_unref(h.leaf);
	}
	for (unsigned i = 0; i < 6; i++) {
		struct leaf_want want = page(w);
		struct leaf     *l;
		w->host.text[0] = (char)('a' + i);
		l = leaf_find(w->desk, &want);
		assert_true((l != NULL) == (i >= 2));
		leaf_unref(l);
	}
	leaf_desk_fit(w->desk, 0);
	struct leaf_want want = page(w);
	assert_null(leaf_find(w->desk, &want));
}

static void
test_ticket_keys_and_rubbish(void **state)
{
	struct world *w = *state;
	uint8_t       keys[2][LEAF_TICKET], buf[512];
	size_t        n;

	memset(keys, 7, sizeof keys);
	connect_and_greet(w);
	n = leaf_tickets_write((const uint8_t(*)[LEAF_TICKET])keys, 2, buf, sizeof buf);
	assert_int_equal(send(w->far, "rubbish", 7, 0), 7);
	assert_int_equal(send(w->far, buf, n - 1, 0), n - 1);
	assert_int_equal(send(w->far, buf, n, 0), n);
	while (w->tickets == 0 && !w->late)
		loop_turn(w->loop);
	assert_int_equal(w->tickets, 2);
	assert_memory_equal(w->ticket, keys[0], LEAF_TICKET);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_a_leaf_comes_once_and_stays, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_the_host_is_among_the_names, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_other_wants_are_other_leaves, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_a_signer_that_is_silent_refuses_or_lies_gives_a_fault, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_a_successor_is_asked_again, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_a_signer_with_another_ca_is_asked_again_when_it_has_ours, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_new_keys_leave_leaves_usable, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_what_is_cancelled_is_never_called, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_a_hello_that_cannot_be_taken_is_asked_for_anew, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_without_hope_nobody_waits, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_the_cache_is_bounded, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_ticket_keys_and_rubbish, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
