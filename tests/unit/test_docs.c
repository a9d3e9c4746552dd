/* SPDX-License-Identifier: MIT */
/* What the manuals and the sample say is what the tables say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "source.h"
#include "base/fault.h"
#include "conf/option.h"

/* Cut `text` down to what stands between `from` and `to`. */
static char *
part_of(char *text, const char *from, const char *to)
{
	char *start = strstr(text, from), *end;

	if (!start)
		fail_msg("no %s", from);
	start += strlen(from);
	end = strstr(start, to);
	if (end)
		*end = '\0';
	return start;
}

static void
test_every_fault_stands_in_the_manual_with_its_status(void **state)
{
	char    *man = source_read("man/postern.8"), *part = part_of(man, "\n.Ss Faults\n", "\n.Sh "), entry[80];
	unsigned items = 0, reserved = 0;

	(void)state;
	for (unsigned f = FAULT_NONE + 1; f < FAULT_COUNT; f++) {
		const struct fault_row *row = fault_row((enum fault)f);
		snprintf(entry, sizeof entry, row->status ? "\n.It Li %s Pq %u\n" : "\n.It Li %s\n", row->word, row->status);
		if (strstr(part, entry))
			continue;
		snprintf(entry, sizeof entry, "\n.Ql %s\n.Pq %u\n", row->word, row->status);
		if (!strstr(part, entry))
			fail_msg("postern.8 does not tell of the fault %s (%u)", row->word, row->status);
		reserved++;
	}
	for (const char *at = part; (at = strstr(at, "\n.It Li ")); at++)
		items++;
	assert_int_equal(items + reserved, FAULT_COUNT - 1);
	free(man);
}

static const char *const places[SECTION_KINDS] = {
	[SECTION_GATEWAY] = "\n.Sh THE GATEWAY\n",
	[SECTION_AUTH] = "\n.Sh AUTHENTICATION\n",
	[SECTION_INSPECTION] = "\n.Sh INSPECTION\n",
	[SECTION_LISTENER] = "\n.Sh LISTENERS\n",
	[SECTION_PAC] = "\n.Sh AUTOMATIC CONFIGURATION OF CLIENTS\n",
	[SECTION_PARENT] = "\n.Sh PARENTS\n",
	[SECTION_RULE] = "\n.Sh RULES\n",
	[SECTION_LOG] = "\n.Sh LOGS\n",
};

static void
test_every_default_stands_in_the_manual(void **state)
{
	size_t               n, seen = 0;
	const struct option *o = option_table(&n);

	(void)state;
	for (size_t i = 0; i < n; i++) {
		char *man, *entry, from[64];
		if (!o[i].def || !places[o[i].section])
			continue;
		man = source_read("man/postern.ini.5");
		snprintf(from, sizeof from, "\n.It Cm %s = ", o[i].key);
		entry = part_of(part_of(man, places[o[i].section], "\n.Sh "), from, "\n.Dl ");
		if (!strstr(entry, "default") || !strstr(entry, o[i].def))
			fail_msg("postern.ini.5 does not say that the default of %s is %s", o[i].key, o[i].def);
		seen++;
		free(man);
	}
	assert_true(seen > 25);
}

/* "Options that are commented out stand at their default, unless it says for example." */
static void
test_what_the_sample_leaves_out_stands_at_its_default(void **state)
{
	char                *sample = source_read("conf/postern.ini"), *part, *line, *save = NULL;
	enum section_kind    kind = SECTION_TOP;
	size_t               seen = 0;

	(void)state;
	for (part = sample; (line = strtok_r(part, "\n", &save)); part = NULL) {
		const struct option *o;
		char                *value = strstr(line, " = "), *comment;
		if (strncmp(line, "[gateway]", 9) == 0)
			kind = SECTION_GATEWAY;
		else if (strncmp(line, ";[auth]", 7) == 0)
			kind = SECTION_AUTH;
		else if (strncmp(line, ";[inspection]", 13) == 0)
			kind = SECTION_INSPECTION;
		else if (strncmp(line, "[listener ", 10) == 0)
			kind = SECTION_LISTENER;
		else if (strncmp(line, ";[pac]", 6) == 0)
			kind = SECTION_PAC;
		else if (strncmp(line, ";[doctor]", 9) == 0)
			kind = SECTION_DOCTOR;
		else if (strncmp(line, ";[parent ", 9) == 0)
			kind = SECTION_PARENT;
		else if (strncmp(line, "[log ", 5) == 0)
			kind = SECTION_LOG;
		else if (line[0] == '[')
			kind = SECTION_TOP;
		if (kind == SECTION_TOP || line[0] != ';' || !value || strstr(line, "for example"))
			continue;
		o = option_find(kind, span_of(line + 1, (size_t)(value - line - 1)));
		if (!o)
			continue;
		value += 3;
		comment = strstr(value, " ;");
		if (comment)
			*comment = '\0';
		for (size_t n = strlen(value); n && value[n - 1] == ' '; n--)
			value[n - 1] = '\0';
		if (!o->def || strcmp(value, o->def) != 0)
			fail_msg("conf/postern.ini has %s = %s, but the default is %s", o->key, value, o->def ? o->def : "none");
		seen++;
	}
	assert_true(seen > 25);
	free(sample);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_fault_stands_in_the_manual_with_its_status),
		cmocka_unit_test(test_every_default_stands_in_the_manual),
		cmocka_unit_test(test_what_the_sample_leaves_out_stands_at_its_default),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
