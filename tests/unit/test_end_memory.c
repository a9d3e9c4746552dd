/* SPDX-License-Identifier: MIT */
/* Every allocation of a context, of two ends, their handshake, their bytes and a resumption fails once in turn: an ordinary failure each time, nothing leaked. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <openssl/crypto.h>
#include <openssl/err.h>

#include "base/log.h"
#include "tls_parts.h"

static long countdown = -1; /* allocations until the one that fails; below 0: none does */
static long live;           /* blocks of OpenSSL's */

static bool
fails(void)
{
	return countdown >= 0 && countdown-- == 0;
}

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);

void *
__wrap_malloc(size_t n)
{
	return fails() ? NULL : __real_malloc(n);
}

void *
__wrap_calloc(size_t n, size_t size)
{
	return fails() ? NULL : __real_calloc(n, size);
}

static void *
ssl_malloc(size_t n, const char *file, int line)
{
	void *p = fails() ? NULL : __real_malloc(n);

	(void)file;
	(void)line;
	live += p != NULL;
	return p;
}

static void *
ssl_realloc(void *p, size_t n, const char *file, int line)
{
	if (!p)
		return ssl_malloc(n, file, line);
	return fails() ? NULL : realloc(p, n);
}

static void
ssl_free(void *p, const char *file, int line)
{
	(void)file;
	(void)line;
	live -= p != NULL;
	free(p);
}

static struct leaf    *leaf;
static struct snapshot *snapshot;
static struct host     host;

/* True: all of it went well. */
static bool
meet(struct tls_context *c, uint16_t version)
{
	static const uint8_t ground[32];
	struct tls_want      want = {.name = &host, .port = 443, .h2 = true};
	struct tls_offer     offer = {.leaf = leaf, .h2 = true, .ground = ground, .max_version = version};
	struct part_pair     p;
	struct profile      *profile;
	const char          *detail;
	char                 buf[100];
	bool                 ok;

	part_join(&p);
	p.c = tls_connect(c, &p.client, &want);
	p.s = tls_answer(c, &p.server, (struct span){0}, &offer);
	ok = p.c && p.s && part_shake(&p);
	if (ok) {
		profile = __real_calloc(1, sizeof *profile);
		profile->refs = 1;
		profile->verified_us = clock_mono_us();
		tls_end_set_profile(p.c, profile);
		profile_unref(profile);
		part_carry(&p);
		ok = side_write(&p.server, SPAN("head"), SPAN("body")) == 8 && side_read(&p.client, buf, sizeof buf) == 8 && memcmp(buf, "headbody", 8) == 0 &&
		     side_write(&p.client, SPAN("head"), SPAN("body")) == 8 && side_read(&p.server, buf, sizeof buf) == 8;
	} else if (p.c && tls_why(p.c, &detail) != FAULT_NONE)
		assert_non_null(detail);
	part(&p);
	/* the queue of errors was emptied where the call failed */
	assert_int_equal(ERR_peek_error(), 0);
	return ok;
}

static bool
all_of_it(uint16_t version)
{
	struct tls_context *c = tls_context_new(snapshot);
	bool                ok = c && meet(c, version) && meet(c, version);

	tls_context_unref(c);
	return ok;
}

static void
test_every_allocation_may_fail(void **state)
{
	long before, n, refused = 0;

	(void)state;
	for (uint16_t version = 0x0303; version <= 0x0304; version++) {
		assert_true(all_of_it(version));
		assert_true(all_of_it(version));
		before = live;
		for (n = 0;; n += n < 400 ? 1 : 7) {
			countdown = n;
			refused += !all_of_it(version);
			if (countdown >= 0)
				break;
		}
		countdown = -1;
		assert_true(n > 500);
		assert_true(all_of_it(version));
		/* what OpenSSL remembers of algorithms may be made anew, but it does not grow with each failure */
		if (live > before + 200)
			fail_msg("%ld blocks more than before", live - before);
	}
	assert_true(refused > 200);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_allocation_may_fail),
	};
	int failed;

	if (!CRYPTO_set_mem_functions(ssl_malloc, ssl_realloc, ssl_free) || !tls_library_begin())
		return 1;
	log_threshold(LOG_LEVEL_ERROR);
	leaf = part_leaf(false, "origin.example");
	snapshot = part_snapshot(0, (struct span){0});
	part_host(&host, "origin.example");
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	part_leaf_free(leaf);
	free(snapshot);
	return failed;
}
