/* SPDX-License-Identifier: MIT */
/* key_uri: the files that a pkcs11: URI names. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdlib.h>

#include "conf/key_uri.h"

struct row {
	const char *uri, *pin, *module, *why; /* why null: it is fine */
	size_t      name;                     /* bytes before the `?` */
};

static const struct row rows[] = {
	{"pkcs11:token=a;object=b", NULL, NULL, NULL, 23},
	{"pkcs11:object=b;", NULL, NULL, NULL, 16},
	{"pkcs11:token=a%20b?pin-source=file:/etc/pin", "/etc/pin", NULL, NULL, 18},
	{"pkcs11:token=a?pin-source=file:///etc/pin", "/etc/pin", NULL, NULL, 14},
	{"pkcs11:token=a?pin-source=file:/a%20b%2fc%2Fd", "/a b/c/d", NULL, NULL, 14},
	{"pkcs11:token=a?module-path=/m.so&pin-source=file:/p", "/p", "/m.so", NULL, 14},
	{"pkcs11:token=a?", NULL, NULL, NULL, 14},
	{"pkcs11:", NULL, NULL, "names no key", 0},
	{"pkcs11:?module-path=/m", NULL, NULL, "names no key", 0},
	{"pkcs11:token", NULL, NULL, "NAME=VALUE", 0},
	{"pkcs11:token=a;;object=b", NULL, NULL, "NAME=VALUE", 0},
	{"pkcs11:token=a;pin-source=file:/p", NULL, NULL, "NAME=VALUE", 0},
	{"pkcs11:token=a;module-path=/p", NULL, NULL, "NAME=VALUE", 0},
	{"pkcs11:token=a;pin-value=1", NULL, NULL, "pin-value", 0},
	{"pkcs11:token=a?pin-source=/p", NULL, NULL, "pin-source names no file", 0},
	{"pkcs11:token=a?pin-source=file:", NULL, NULL, "pin-source names no file", 0},
	{"pkcs11:token=a?pin-source=file:p", NULL, NULL, "pin-source names no file", 0},
	{"pkcs11:token=a?pin-source=file:/p%", NULL, NULL, "pin-source names no file", 0},
	{"pkcs11:token=a?pin-source=file:/p%2", NULL, NULL, "pin-source names no file", 0},
	{"pkcs11:token=a?pin-source=file:/p%0z", NULL, NULL, "pin-source names no file", 0},
	{"pkcs11:token=a?pin-source=file:/p%00q", NULL, NULL, "pin-source names no file", 0},
	{"pkcs11:token=a?pin-source=|cat", NULL, NULL, "pin-source names no file", 0},
	{"pkcs11:token=a?module-path=m.so", NULL, NULL, "module-path names no file", 0},
	{"pkcs11:token=a?module-path=/m&module-path=/n", NULL, NULL, "each once", 0},
	{"pkcs11:token=a?module-path=/m&&pin-source=file:/p", NULL, NULL, "each once", 0},
	{"pkcs11:token=a?module-name=m", NULL, NULL, "nothing else", 0},
};

static void
test_a_uri_names_a_key_and_the_files_that_it_needs(void **state)
{
	struct key_uri out;
	char           why[KEY_URI_WHY];

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const struct row *r = &rows[i];
		bool              ok = key_uri_read(r->uri, &out, why);
		if (ok != !r->why || (!ok && !strstr(why, r->why)))
			fail_msg("%s: %s", r->uri, ok ? "taken" : why);
		if (!ok) {
			assert_null(out.pin_file);
			assert_null(out.module);
			continue;
		}
		assert_int_equal(key_uri_name(r->uri).n, r->name);
		assert_int_equal(!out.pin_file, !r->pin);
		assert_int_equal(!out.module, !r->module);
		if (r->pin)
			assert_string_equal(out.pin_file, r->pin);
		if (r->module)
			assert_string_equal(out.module, r->module);
		free(out.pin_file);
		free(out.module);
	}
}

static void
test_no_beginning_of_a_uri_is_read_past_its_end(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		for (size_t n = 7; n <= strlen(rows[i].uri); n++) {
			struct key_uri out;
			char           why[KEY_URI_WHY], *part = malloc(n + 1);
			assert_non_null(part);
			memcpy(part, rows[i].uri, n);
			part[n] = '\0';
			if (key_uri_read(part, &out, why)) {
				free(out.pin_file);
				free(out.module);
			}
			free(part);
		}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_uri_names_a_key_and_the_files_that_it_needs),
		cmocka_unit_test(test_no_beginning_of_a_uri_is_read_past_its_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
