/* SPDX-License-Identifier: MIT */
/* Microsoft's list of endpoints: whatever is read, what is written is a list of one entry a line, all of which a bypass rule takes. */
#include "fuzz.h"
#include "import/m365.h"
#include "match/host_spec.h"

static void
entry_check(const char *line, const char *end)
{
	const char      *p = line;
	struct host_spec spec;
	char             why[HOST_SPEC_WHY];

	while (p < end && (unsigned char)*p > ' ')
		p++;
	CHECK(host_spec_parse(span_of(line, (size_t)(p - line)), &spec, why));
	CHECK(spec.kind != SPEC_ALL && spec.kind != SPEC_REGEX && host_spec_is_anchored(&spec) && !host_spec_is_public_suffix(&spec));
	while (p < end && *p == ' ')
		p++;
	CHECK(p < end && *p == '#');
}

static size_t
text_check(const char *text, size_t n)
{
	const char *end = text + n, *stop;
	size_t      entries = 0;

	for (const char *p = text; p < end; p = stop + 1) {
		stop = memchr(p, '\n', (size_t)(end - p));
		CHECK(stop);
		for (const char *c = p; c < stop; c++)
			CHECK((unsigned char)*c >= 0x20 && *c != 0x7f);
		if (p == stop || *p == '#')
			continue;
		entry_check(p, stop);
		entries++;
	}
	return entries;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	const struct m365_want want = {.addresses = n % 2};
	const struct m365_head head = {"s", "1", "2026-11-01", "all"};
	struct span            in = fuzz_input(data, n);
	char                   why[M365_WHY] = "", version[32], *text = NULL;
	const char            *area[M365_AREAS];
	struct m365_list       l;
	struct m365           *m = m365_new(in, why);
	size_t                 size;
	FILE                  *f;

	m365_version(in, SPAN(""), version, why);
	if (!m) {
		CHECK(*why);
		return 0;
	}
	CHECK(m365_areas(m, area) > 0);
	if (m365_select(m, &want, &l)) {
		f = open_memstream(&text, &size);
		CHECK(f);
		m365_write(&l, &head, f);
		fclose(f);
		CHECK(text_check(text, size) == l.n_entries);
		free(text);
		m365_list_clear(&l);
	}
	m365_free(m);
	return 0;
}
