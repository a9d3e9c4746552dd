/* SPDX-License-Identifier: MIT */
/* The plain patterns that a regex is said to equal are host items that can be read. */
#include "fuzz.h"
#include "lint/parts.h"
#include "match/host_spec.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	char             plain[REGEX_PLAIN_MOST], why[HOST_SPEC_WHY], *save, *one;
	struct host_spec spec;

	if (regex_plain(fuzz_input(data, n), plain) == REGEX_OTHER)
		return 0;
	CHECK(memchr(plain, '\0', sizeof plain) != NULL);
	for (one = strtok_r(plain, " ", &save); one; one = strtok_r(NULL, " ", &save)) {
		CHECK(host_spec_parse(span_str(one), &spec, why));
		CHECK(spec.kind != SPEC_REGEX && spec.kind != SPEC_ADDR && spec.scheme == SCHEME_NONE && spec.port == 0);
	}
	return 0;
}
