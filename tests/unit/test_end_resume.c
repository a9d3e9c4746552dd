/* SPDX-License-Identifier: MIT */
/* Sessions that are taken up again: ours towards origins, and what our tickets allow to clients. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tls/end_parts.h"
#include "tls/origin_memory.h"
#include "tls_parts.h"

#define N(a) (sizeof(a) / sizeof *(a))

static struct tls_context *context, *server_context;
static struct leaf        *leaf;

/* What a visit is like. */
struct visit {
	const char *name;     /* null: origin.example */
	uint16_t    port;
	uint64_t    key;
	uint16_t    version;  /* of the server, at most */
	uint16_t    wanted;   /* at least */
	uint8_t     ground;   /* of its 32 bytes the first */
	bool        groundless;
	bool        no_profile;
	bool        resumed;  /* is expected */
};

static struct profile *judged;

/* One connection that carries a byte in each direction. */
static void
visit(const struct visit *v, unsigned line)
{
	struct host      host;
	uint8_t          ground[32] = {v->ground};
	struct tls_want  want = {.name = &host, .port = v->port, .key = v->key, .min_version = v->wanted};
	struct tls_offer offer = {.leaf = leaf, .http11 = true, .ground = v->groundless ? NULL : ground, .max_version = v->version};
	struct part_pair p;
	char             buf[10];

	part_host(&host, v->name ? v->name : "origin.example");
	part_join(&p);
	p.c = tls_connect(context, &p.client, &want);
	p.s = tls_answer(server_context, &p.server, (struct span){0}, &offer);
	assert_true(part_shake(&p));
	if (tls_was_resumed(p.c) != v->resumed)
		fail_msg("line %u: version %x, resumed %d", line, v->version, tls_was_resumed(p.c));
	assert_int_equal(tls_was_resumed(p.s), v->resumed);
	assert_ptr_equal(tls_end_profile(p.c), v->resumed ? judged : NULL);
	if (!v->resumed && !v->no_profile)
		tls_end_set_profile(p.c, judged);
	part_carry(&p);
	assert_int_equal(side_write(&p.server, SPAN("x"), SPAN("")), 1);
	assert_int_equal(side_read(&p.client, buf, sizeof buf), 1);
	assert_int_equal(side_write(&p.client, SPAN("x"), SPAN("")), 1);
	assert_int_equal(side_read(&p.server, buf, sizeof buf), 1);
	part(&p);
}
#define VISIT(...) visit(&(struct visit){__VA_ARGS__}, __LINE__)

static void
begin(void)
{
	struct snapshot *s = part_snapshot(0x0303, (struct span){0});

	tls_context_unref(context);
	tls_context_unref(server_context);
	profile_unref(judged);
	context = tls_context_new(s);
	server_context = tls_context_new(s);
	judged = part_profile();
	free(s);
	assert_non_null(context);
	assert_non_null(server_context);
}

static void
test_an_origin_is_met_again_under_its_very_name_port_and_key(void **state)
{
	static const uint16_t versions[] = {0x0303, 0x0304};

	(void)state;
	for (size_t i = 0; i < N(versions); i++) {
		uint16_t v = versions[i];

		begin();
		VISIT(.port = 443, .version = v);
		VISIT(.port = 444, .version = v);
		VISIT(.port = 443, .version = v, .key = 1);
		VISIT(.port = 443, .version = v, .name = "other.example");
		VISIT(.port = 443, .version = v, .resumed = true);
		VISIT(.port = 443, .version = v, .resumed = true);
		VISIT(.port = 443, .version = v, .key = 1, .resumed = true);
		VISIT(.port = 444, .version = v, .resumed = true);
		VISIT(.port = 443, .version = v, .name = "other.example", .resumed = true);
	}
}

static void
test_nothing_is_kept_of_an_origin_that_was_not_judged(void **state)
{
	(void)state;
	for (uint16_t v = 0x0303; v <= 0x0304; v++) {
		begin();
		VISIT(.version = v, .no_profile = true);
		VISIT(.version = v, .no_profile = true);
	}
}

static void
test_a_judgement_that_is_too_old_is_made_anew(void **state)
{
	(void)state;
	for (uint16_t v = 0x0303; v <= 0x0304; v++) {
		begin();
		VISIT(.version = v);
		judged->verified_us -= ORIGIN_MEMORY_US;
		VISIT(.version = v);
	}
}

static void
test_an_older_version_is_not_resumed_where_a_newer_one_is_wanted(void **state)
{
	(void)state;
	begin();
	VISIT(.version = 0x0303);
	VISIT(.wanted = 0x0304);
	VISIT(.wanted = 0x0304, .resumed = true);
}

static void
test_a_ticket_is_good_on_its_own_ground_only(void **state)
{
	(void)state;
	for (uint16_t v = 0x0303; v <= 0x0304; v++) {
		begin();
		VISIT(.version = v, .ground = 1);
		VISIT(.version = v, .ground = 2);
		VISIT(.version = v, .ground = 2, .resumed = true);
		begin();
		VISIT(.version = v, .ground = 1);
		VISIT(.version = v, .groundless = true);
	}
}

static void
test_without_a_ground_there_are_no_tickets(void **state)
{
	(void)state;
	for (uint16_t v = 0x0303; v <= 0x0304; v++) {
		begin();
		VISIT(.version = v, .groundless = true);
		VISIT(.version = v, .groundless = true);
	}
}

static void
test_keys_of_tickets_are_changed_without_losing_them_at_once(void **state)
{
	uint8_t key[4][TICKET_KEY_SIZE], now[TICKET_KEYS][TICKET_KEY_SIZE];

	(void)state;
	for (unsigned i = 0; i < 4; i++)
		memset(key[i], (int)i + 1, sizeof key[i]);
	for (uint16_t v = 0x0303; v <= 0x0304; v++) {
		begin();
		VISIT(.version = v); /* by a key of its own */
		tls_context_set_tickets(server_context, (const uint8_t(*)[TICKET_KEY_SIZE])key, 1);
		VISIT(.version = v);
		/* 2 1: opened by the old key, and replaced by one of the new key */
		memcpy(now[0], key[1], sizeof now[0]);
		memcpy(now[1], key[0], sizeof now[1]);
		tls_context_set_tickets(server_context, (const uint8_t(*)[TICKET_KEY_SIZE])now, 2);
		VISIT(.version = v, .resumed = true);
		/* 3 2: that of the first key would be no good any more */
		memcpy(now[0], key[2], sizeof now[0]);
		memcpy(now[1], key[1], sizeof now[1]);
		tls_context_set_tickets(server_context, (const uint8_t(*)[TICKET_KEY_SIZE])now, 2);
		VISIT(.version = v, .resumed = true);
		tls_context_set_tickets(server_context, (const uint8_t(*)[TICKET_KEY_SIZE]) & key[3], 1);
		VISIT(.version = v);
	}
}

static void
test_workers_open_each_others_tickets(void **state)
{
	struct snapshot *s = part_snapshot(0x0303, (struct span){0});
	uint8_t          key[1][TICKET_KEY_SIZE] = {{9}};

	(void)state;
	for (uint16_t v = 0x0303; v <= 0x0304; v++) {
		begin();
		tls_context_set_tickets(server_context, (const uint8_t(*)[TICKET_KEY_SIZE])key, 1);
		VISIT(.version = v);
		tls_context_unref(server_context);
		server_context = tls_context_new(s);
		tls_context_set_tickets(server_context, (const uint8_t(*)[TICKET_KEY_SIZE])key, 1);
		VISIT(.version = v, .resumed = true);
	}
	free(s);
}

/* A server that breaks off a resumption is asked for nothing of the kind again. */
static void
test_sessions_are_forgotten_when_a_handshake_fails(void **state)
{
	struct host         host;
	struct tls_want     want = {.name = &host};
	struct resume_place at;
	struct part_pair    p;
	struct profile     *profile;

	(void)state;
	part_host(&host, "origin.example");
	for (uint16_t v = 0x0303; v <= 0x0304; v++) {
		begin();
		VISIT(.version = v);
		part_join(&p);
		p.c = tls_connect(context, &p.client, &want);
		at = end_place(p.c);
		assert_int_equal(tls_shake(p.c), TLS_WAITS);
		close(p.server.fd);
		p.server.fd = -1;
		assert_int_equal(tls_shake(p.c), TLS_BROKE);
		assert_null(resume_take(context->resume, &at, &profile));
		part(&p);
		VISIT(.version = v);
	}
}

static SSL_SESSION *
session_of(uint16_t version)
{
	SSL_SESSION *s = SSL_SESSION_new();
	uint8_t      id[4] = {1, 2, 3, 4};

	SSL_SESSION_set_protocol_version(s, version);
	SSL_SESSION_set1_id(s, id, sizeof id);
	return s;
}

static void
test_the_store_is_bounded(void **state)
{
	struct resume      *r = resume_new();
	struct profile     *p = part_profile(), *got;
	SSL_SESSION        *s = session_of(0x0304), *s12 = session_of(0x0303), *taken;
	struct resume_place at = {.host = SPAN("a.example"), .port = 1};
	unsigned            n;

	(void)state;
	for (n = 0; n < 20; n++)
		resume_keep(r, &at, s, p);
	for (n = 0; (taken = resume_take(r, &at, &got)); n++) {
		SSL_SESSION_free(taken);
		profile_unref(got);
	}
	assert_int_equal(n, RESUME_PER_HOST);
	assert_int_equal(p->refs, 1);
	/* of 1.2 the last one is kept, and given out again and again */
	for (n = 0; n < 5; n++)
		resume_keep(r, &at, s12, p);
	assert_int_equal(p->refs, 2);
	for (n = 0; n < 5; n++) {
		taken = resume_take(r, &at, &got);
		assert_ptr_equal(taken, s12);
		SSL_SESSION_free(taken);
		profile_unref(got);
	}
	resume_drop(r, &at);
	assert_int_equal(p->refs, 1);
	/* the oldest go */
	for (n = 0; n < RESUME_MOST + 10; n++) {
		at.key = n;
		resume_keep(r, &at, s, p);
	}
	assert_int_equal(p->refs, 1 + RESUME_MOST);
	at.key = 9;
	assert_null(resume_take(r, &at, &got));
	at.key = 10;
	taken = resume_take(r, &at, &got);
	assert_non_null(taken);
	SSL_SESSION_free(taken);
	profile_unref(got);
	/* a session that is too old is dropped when it is looked at */
	at.key = 11;
	SSL_SESSION_set_time(s, (long)time(NULL) - 100000);
	assert_null(resume_take(r, &at, &got));
	SSL_SESSION_set_time(s, (long)time(NULL));
	resume_free(r);
	assert_int_equal(p->refs, 1);
	profile_unref(p);
	SSL_SESSION_free(s);
	SSL_SESSION_free(s12);
}

static int
set_up(void **state)
{
	(void)state;
	leaf = part_leaf(false, "origin.example");
	return tls_library_begin() ? 0 : -1;
}

static int
tear_down(void **state)
{
	(void)state;
	tls_context_unref(context);
	tls_context_unref(server_context);
	profile_unref(judged);
	part_leaf_free(leaf);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_an_origin_is_met_again_under_its_very_name_port_and_key),
		cmocka_unit_test(test_nothing_is_kept_of_an_origin_that_was_not_judged),
		cmocka_unit_test(test_a_judgement_that_is_too_old_is_made_anew),
		cmocka_unit_test(test_an_older_version_is_not_resumed_where_a_newer_one_is_wanted),
		cmocka_unit_test(test_a_ticket_is_good_on_its_own_ground_only),
		cmocka_unit_test(test_without_a_ground_there_are_no_tickets),
		cmocka_unit_test(test_keys_of_tickets_are_changed_without_losing_them_at_once),
		cmocka_unit_test(test_workers_open_each_others_tickets),
		cmocka_unit_test(test_sessions_are_forgotten_when_a_handshake_fails),
		cmocka_unit_test(test_the_store_is_bounded),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
