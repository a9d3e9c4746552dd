/* SPDX-License-Identifier: MIT */
#include "fuzz.h"
#include "parse/body.h"

struct answer {
	enum parse_result result;
	size_t            used, n;
	char             *data; /* owned; n bytes */
};

static struct answer
read_in_pieces(struct span in, size_t step, enum body_kind kind, uint64_t length)
{
	struct answer a = {.result = PARSE_MORE, .data = malloc(in.n + 1)};
	struct body   b;

	CHECK(a.data != NULL);
	body_init(&b, kind, length);
	for (size_t at = 0; at < in.n && a.result == PARSE_MORE; at += step) {
		struct span piece = fuzz_block(in.p + at, in.n - at < step ? in.n - at : step), left = piece, run;
		while (left.n > 0 && a.result == PARSE_MORE) {
			size_t used = 0;
			a.result = body_take(&b, left, &used, &run);
			CHECK(used <= left.n && (used > 0 || a.result != PARSE_MORE));
			CHECK(run.n <= used && span_inside(run, span_of(left.p, used)));
			if (run.n > 0)
				memcpy(a.data + a.n, run.p, run.n);
			a.n += run.n;
			a.used += used;
			left = span_of(left.p + used, left.n - used);
		}
		fuzz_free(piece);
	}
	CHECK(b.total == a.n);
	return a;
}

static void
check(struct span in, size_t step, enum body_kind kind, uint64_t length)
{
	struct answer all = read_in_pieces(in, in.n, kind, length), parts = read_in_pieces(in, step, kind, length);

	CHECK(all.result == parts.result && all.used == parts.used && all.n == parts.n);
	CHECK(memcmp(all.data, parts.data, all.n) == 0);
	CHECK(all.result != PARSE_BAD || kind == BODY_CHUNKED);
	free(all.data);
	free(parts.data);
}

/* The first byte says how long the pieces are. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct span in;
	size_t      step;

	if (n < 2)
		return 0;
	in = fuzz_input(data + 1, n - 1);
	step = data[0] % 32 + 1;
	check(in, step, BODY_CHUNKED, 0);
	check(in, step, BODY_LENGTH, data[1]);
	check(in, step, BODY_TO_CLOSE, 0);
	return 0;
}
