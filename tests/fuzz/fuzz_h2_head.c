/* SPDX-License-Identifier: MIT */
#include "fuzz.h"
#include "h2/translate.h"

/* What is read as sound must be sound to the parser of HTTP/1.1, unless its target or host is not: those are judged there. */
static void
check(struct span in, bool is_response, bool is_trailer, bool ends, bool is_proxy)
{
	struct h2_head h;
	struct span    text;
	struct head    head;
	size_t         used;
	enum fault     fault = FAULT_NONE;

	h2_head_init(&h, is_response, is_trailer, 1000);
	h.is_proxy = is_proxy;
	while (in.n > 0) {
		const char *end = memchr(in.p, '\n', in.n), *eq;
		size_t      n = end ? (size_t)(end - in.p) : in.n;
		eq = n > 1 ? memchr(in.p + 1, '=', n - 1) : NULL;
		struct span name = fuzz_block(in.p, eq ? (size_t)(eq - in.p) : n);
		struct span value = fuzz_block(eq ? eq + 1 : in.p, eq ? (size_t)(in.p + n - eq - 1) : 0);
		h2_head_add(&h, name, value);
		fuzz_free(name);
		fuzz_free(value);
		n += end != NULL;
		in = span_of(in.p + n, in.n - n);
	}
	text = h2_head_text(&h, ends);
	if (text.p && !is_trailer && h.too_large)
		CHECK((is_response ? head_parse_response : head_parse_request)(text, 0, &head, &used, &fault) != PARSE_OK);
	else if (text.p && !is_trailer)
		switch ((is_response ? head_parse_response : head_parse_request)(text, 0, &head, &used, &fault)) {
		case PARSE_OK:
			CHECK(used == text.n);
			CHECK(!ends || is_response || head.body == BODY_NONE || (head.body == BODY_LENGTH && head.length == 0));
			break;
		case PARSE_MORE:
			CHECK(!"a head without an end");
			break;
		case PARSE_BAD:
			CHECK(fault == FAULT_BAD_HOST || fault == FAULT_BAD_TARGET || fault == FAULT_BAD_FIELD || fault == FAULT_BAD_FRAMING || is_response);
			break;
		}
	h2_head_clear(&h);
}

/* The first byte says what kind of head it is; the rest are lines of name=value. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	if (n > 0)
		check(fuzz_input(data + 1, n - 1), data[0] & 1, data[0] & 2, data[0] & 4, data[0] & 8);
	return 0;
}
