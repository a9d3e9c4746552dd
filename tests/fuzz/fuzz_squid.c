/* SPDX-License-Identifier: MIT */
/*
 * A squid.conf. What comes out is an ini of which every line can be read, whatever goes in: no section, key or item that the input made up.
 */
#include "conf/line.h"
#include "fuzz.h"
#include "import/squid.h"

static bool
is_key(const char *word, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!((word[i] >= 'a' && word[i] <= 'z') || word[i] == '-'))
			return false;
	return n > 0;
}

static void
check_ini(struct span ini)
{
	while (ini.n > 0) {
		const char *end = memchr(ini.p, '\n', ini.n);
		size_t      n = end ? (size_t)(end - ini.p) : ini.n;
		struct line l;
		CHECK(end != NULL);
		for (size_t i = 0; i < n; i++)
			CHECK(ini.p[i] >= 0x20 && ini.p[i] < 0x7f);
		line_read(span_of(ini.p, n), false, &l);
		CHECK(l.kind != LINE_BAD && !(l.indented && l.is_head));
		CHECK(l.kind != LINE_KEY || is_key(l.text, strcspn(l.text, " =")));
		ini = span_of(ini.p + n + 1, ini.n - n - 1);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct squid *s = squid_new();
	char         *text = NULL;
	size_t        size = 0;
	FILE         *f;

	CHECK(s != NULL);
	if (n < 65536 && squid_load_bytes(s, "squid.conf", fuzz_input(data, n), 0)) {
		f = open_memstream(&text, &size);
		CHECK(f != NULL);
		squid_write_ini(s, f, "lists");
		CHECK(fclose(f) == 0);
		check_ini(span_of(text, size));
		free(text);
		for (size_t i = 0; i < squid_notes(s); i++)
			CHECK(squid_note_at(s, i)->text.n > 0 && squid_note_word(squid_note_at(s, i)->kind));
	} else if (n < 65536) {
		CHECK(squid_why(s)[0] != '\0');
	}
	squid_free(s);
	return 0;
}
