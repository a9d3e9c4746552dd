/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "session/page.h"

#define EVIL "<script>alert('1')</script>\"&\x01"
#define SAFE "&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;&quot;&amp;?"

/* Every field holds what no page may show as it is. */
static size_t
render(bool is_warning, char *out, size_t room)
{
	struct span field[PAGE_FIELDS];

	for (unsigned i = 0; i < PAGE_FIELDS; i++)
		field[i] = SPAN(EVIL);
	return is_warning ? page_render_warning(field, out, room) : page_render(NULL, 403, field, out, room);
}

static unsigned
count(const char *text, const char *what)
{
	unsigned n = 0;

	for (const char *at = text; (at = strstr(at, what)); at++)
		n++;
	return n;
}

static void
test_no_page_shows_what_comes_from_outside_as_it_is(void **state)
{
	char page[32768];

	(void)state;
	for (int is_warning = 0; is_warning < 2; is_warning++) {
		size_t n = render(is_warning, page, sizeof page - 1);
		assert_true(n < sizeof page - 1);
		page[n] = '\0';
		assert_null(strstr(page, "<script"));
		assert_null(strstr(page, "{{"));
		assert_true(count(page, SAFE) >= 11);
		assert_int_equal(count(page, "<form method=\"post\" action=\"" SAFE "\">"), is_warning);
		assert_int_equal(count(page, "<button"), is_warning);
	}
}

static void
test_a_page_is_cut_at_the_room_that_there_is(void **state)
{
	char whole[32768];

	(void)state;
	for (int is_warning = 0; is_warning < 2; is_warning++) {
		size_t n = render(is_warning, whole, sizeof whole);
		for (size_t room = 0; room <= n; room += room < n && room + 37 > n ? n - room : 37) {
			char *page = malloc(room ? room : 1);
			assert_int_equal(render(is_warning, page, room), room);
			assert_memory_equal(page, whole, room);
			free(page);
			if (room == n)
				break;
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_page_shows_what_comes_from_outside_as_it_is),
		cmocka_unit_test(test_a_page_is_cut_at_the_room_that_there_is),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
