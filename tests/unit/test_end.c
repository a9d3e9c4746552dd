/* SPDX-License-Identifier: MIT */
/* Two ends over a pair of sockets. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tls_parts.h"

#define NAME "origin.example"

static struct tls_context *context;
static struct leaf        *leaf;
static struct host         host;
static const uint8_t       ground[32] = {1};

/* until profile.c is there */
__attribute__((weak)) struct profile *
profile_ref(struct profile *p)
{
	p->refs++;
	return p;
}
__attribute__((weak)) void
profile_unref(struct profile *p)
{
	if (p && !--p->refs)
		free(p);
}

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
part(struct part_pair *p)
{
	if (p->client.carrier)
		side_close(&p->client);
	else
		tls_end_free(p->c);
	if (p->server.carrier)
		side_close(&p->server);
	else
		tls_end_free(p->s);
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
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
