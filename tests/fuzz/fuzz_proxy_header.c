/* SPDX-License-Identifier: MIT */
#include "fuzz.h"
#include "parse/proxy_header.h"

/* Whatever the parser says of all of it, it says of no prefix that it is whole, or another thing. */
static void
check_prefix(const uint8_t *data, size_t n, size_t whole, enum parse_result of_all)
{
	struct span         in = fuzz_block(data, n);
	struct proxy_header h;
	size_t              used = 0;
	enum parse_result   r = proxy_header_parse(in, &h, &used);

	CHECK(r != PARSE_OK || (of_all == PARSE_OK && used == whole));
	CHECK(r != PARSE_BAD || of_all == PARSE_BAD);
	fuzz_free(in);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct span         in = fuzz_block(data, n);
	struct proxy_header h;
	size_t              used = 0;
	enum parse_result   r = proxy_header_parse(in, &h, &used);

	CHECK(r != PARSE_OK || (used > 0 && used <= n && used <= PROXY_HEADER_MAX));
	CHECK(r != PARSE_MORE || n < PROXY_HEADER_MAX);
	for (size_t k = 0; k < n && k < 300; k++)
		check_prefix(data, k, used, r);
	fuzz_free(in);
	return 0;
}
