/* SPDX-License-Identifier: MIT */
/* source: a file of the source tree, for tests that compare it with tables of the program. */
#ifndef POSTERN_UNIT_SOURCE_H
#define POSTERN_UNIT_SOURCE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

/* Its text, to be free()d; automake tells tests where the tree is. */
static inline char *
source_read(const char *path)
{
	const char *top = getenv("srcdir");
	char        full[4096], *text = NULL;
	size_t      n = 0;
	FILE       *f;

	snprintf(full, sizeof full, "%s/%s", top ? top : ".", path);
	f = fopen(full, "r");
	if (!f)
		fail_msg("%s cannot be read", full);
	assert_true(getdelim(&text, &n, '\0', f) > 0);
	fclose(f);
	return text;
}

#endif
