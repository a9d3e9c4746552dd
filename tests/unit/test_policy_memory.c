/* SPDX-License-Identifier: MIT */
/* Every allocation that compiling and opening a policy makes fails once in turn: a plain refusal each time, nothing half-built, nothing leaked. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "policy/compile.h"
#include "policy/egress.h"
#include "policy/policy.h"

static long countdown = -1; /* calls until the one that fails; below 0: none does */

static bool
fails(void)
{
	if (countdown < 0)
		return false;
	errno = ENOMEM;
	return countdown-- == 0;
}

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
void *__real_reallocarray(void *p, size_t n, size_t size);
void *__real_mmap(void *at, size_t n, int prot, int flags, int fd, off_t off);
void *__real_mremap(void *p, size_t old, size_t n, int flags, ...);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);
void *__wrap_reallocarray(void *p, size_t n, size_t size);
void *__wrap_mmap(void *at, size_t n, int prot, int flags, int fd, off_t off);
void *__wrap_mremap(void *p, size_t old, size_t n, int flags, ...);

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

void *
__wrap_realloc(void *p, size_t n)
{
	return fails() ? NULL : __real_realloc(p, n);
}

void *
__wrap_reallocarray(void *p, size_t n, size_t size)
{
	return fails() ? NULL : __real_reallocarray(p, n, size);
}

void *
__wrap_mmap(void *at, size_t n, int prot, int flags, int fd, off_t off)
{
	return fails() ? MAP_FAILED : __real_mmap(at, n, prot, flags, fd, off);
}

void *
__wrap_mremap(void *p, size_t old, size_t n, int flags, ...)
{
	return fails() ? MAP_FAILED : __real_mremap(p, old, n, flags);
}

static const char ini[] = "[listener edge]\naddress = 127.0.0.1:3128\n"
			  "[list l]\nhost = a.example.com *.a.example.com https://b.example.com re:x.* *vortex*.example.com\naddress = 10.0.0.0/8\n"
			  "[rule one]\nhosts = @l c.example.com:8443 !d.example.com\nports = 443 !80\nclients = @l private\naction = deny\nreason = no\n"
			  "[rule two]\nhosts = @l 192.0.2.1\nmethods = GET\nlisteners = edge\ntimes = mon-fri 08:00-18:00\naddresses = 10.0.0.0/8\naction = bypass\n"
			  "[rule three]\nhosts = c.example.com:8443\nschemes = https\naction = bypass\n"
			  "[auth]\ndomain = winbind\n"
			  "[rule four]\nusers = CORP\\alice, bob, computers, CORP\\a*, !nobody\ngroups = CORP\\Proxy Users, *s, S-1-5-32-545\naction = tunnel\n"
			  "[rule five]\nschemes = http\nurl = ^http://a/ !x$\nheaders = X-A \"X-B: [0-9]\"\ncontent-types = image/* text/html\norigin-tls = 1.2\norigin-strength = <128\n"
			  "auth = none\naction = tunnel\nset-request-header = \"X-C: d\"\nremove-response-header = Server\n"
			  "[rule six]\nurl = ^http://b/\naction = deny\nredirect = http://c/\n";

static struct conf *
conf_from_text(struct report *r)
{
	char         path[] = "test_policy_memory.XXXXXX";
	int          fd = mkstemp(path);
	struct conf *c;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, ini, sizeof ini - 1), sizeof ini - 1);
	close(fd);
	c = conf_load(path, r);
	unlink(path);
	return c;
}

/* True when everything went well. */
static bool
attempt(const struct conf *c, long fail_at)
{
	struct report  r;
	struct flat    f;
	struct policy *p = NULL;
	uint32_t       off, egress = 0;

	report_init(&r);
	flat_init(&f);
	countdown = fail_at;
	off = policy_compile(c, &f, &r);
	if (off)
		egress = egress_compile(c, &f);
	if (egress)
		p = policy_open(f.base, f.used, off, true);
	countdown = -1;
	assert_int_equal(off == 0, r.errors != 0);
	if (p) {
		struct host    host;
		struct facts   facts = {.host = &host, .port = 8443, .scheme = SCHEME_HTTPS, .method = SPAN("CONNECT"), .client = addr_from_v4(0x0a000001)};
		struct verdict v;
		assert_true(host_parse(SPAN("c.example.com"), &host));
		assert_int_equal(policy_decide(p, &facts, &v), POLICY_VERDICT);
		assert_int_equal(v.rule, 2);
	}
	policy_close(p);
	flat_clear(&f);
	report_clear(&r);
	return p;
}

static void
test_each_allocation_may_fail_and_nothing_is_half_built(void **state)
{
	struct report r;
	struct conf  *c;
	long          n = 0;

	(void)state;
	report_init(&r);
	c = conf_from_text(&r);
	assert_non_null(c);
	assert_int_equal(r.errors, 0);
	assert_true(attempt(c, -1));
	/* an advice (covered entries) may go missing without harm, so several successes in a row mean the end */
	for (int fine = 0; fine < 50; n++)
		fine = attempt(c, n) ? fine + 1 : 0;
	assert_true(n > 150);
	conf_free(c);
	report_clear(&r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_allocation_may_fail_and_nothing_is_half_built),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
