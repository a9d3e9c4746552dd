/* SPDX-License-Identifier: MIT */
/* Each allocation that reading a configuration makes fails once in turn, and from each one on all that follow. Linked with --wrap. */
#include "conf_dir.h"

#include "cert_files.h"
#include "conf/conf.h"

static size_t fail_at;   /* the allocation that fails; 0: none */
static bool   fail_rest; /* and all after it */
static size_t asked;

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
int   __real_vasprintf(char **out, const char *fmt, va_list ap) __attribute__((format(printf, 2, 0)));
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);
int   __wrap_vasprintf(char **out, const char *fmt, va_list ap) __attribute__((format(printf, 2, 0)));

static bool
fails(void)
{
	asked++;
	return fail_at && (asked == fail_at || (fail_rest && asked > fail_at));
}

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

int
__wrap_vasprintf(char **out, const char *fmt, va_list ap)
{
	return fails() ? -1 : __real_vasprintf(out, fmt, ap);
}

/* The number of allocations it took. */
static size_t
load_once(size_t *errors)
{
	struct report r;
	struct conf  *c;
	FILE         *null = fopen("/dev/null", "w");

	assert_non_null(null);
	report_init(&r);
	asked = 0;
	c = conf_load("postern.ini", &r);
	report_print(&r, c, null);
	*errors = r.errors;
	conf_free(c);
	report_clear(&r);
	fclose(null);
	return asked;
}

static void
test_each_allocation_may_fail(void **state)
{
	size_t total, errors;

	(void)state;
	dir_write("l.list", "a\nb\nc\nd\ne\nf\n");
	certs_new("ca.pem", "ca.key", (struct cert_want){0});
	certs_crl("one.crl", "One", (int64_t)time(NULL) + 86400);
	dir_write("more.ini", "[rule m]\naction = bypass\nhosts = @l\nreason = x\n[log own]\nfile = x\nformat = %ts\n");
	dir_write("postern.ini", "include = more.i*\n[gateway]\ncontact = x\negress-deny = private\nhttp-ports = 1 2 3 4 5 6\nresolver = 192.0.2.1\n"
	                         "[listener a]\naddress = 127.0.0.1:0 127.0.0.1:1\n[list l]\nhost = x\nfile = l.list\naddress = 10.0.0.0/8\n"
	                         "[inspection]\nca-cert = ca.pem\nca-key = ca.key\ntrust = system ca.pem\ncrl = one.crl\non-bad-origin = block expired:warn\n"
	                         "[rule i]\naction = inspect\nauth = none\n");
	fail_at = 0;
	total = load_once(&errors);
	assert_true(total > 20);
	assert_int_equal(errors, 0);
	for (int rest = 0; rest < 2; rest++)
		for (size_t i = 1; i <= total; i++) {
			fail_at = i;
			fail_rest = rest;
			load_once(&errors);
			assert_true(errors > 0);
		}
	fail_at = 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_each_allocation_may_fail, dir_setup, dir_teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
