/* SPDX-License-Identifier: MIT */
#include "fuzz.h"
#include "auth/wire.h"

static char out[WIRE_MAX];

static void
check_ask(struct span in)
{
	struct ask a;
	uint64_t   id;

	if (!wire_get_ask(in.p, in.n, &id, &a))
		return;
	for (unsigned i = 0; i < ASK_PARTS; i++)
		CHECK(span_inside(a.part[i], in) && a.part[i].n <= ASK_TOKEN_MAX);
	CHECK(a.op < ASK_OPS);
	/* what is taken goes on as it came */
	CHECK(wire_put_ask(out, sizeof out, id, &a) == in.n);
	wire_set_deadline(out, wire_deadline(in.p));
	CHECK(memcmp(out, in.p, in.n) == 0);
}

static void
check_answer(struct span in)
{
	struct answer a;
	uint64_t      id;

	if (wire_get_answer(in.p, in.n, &id, &a)) {
		CHECK(a.result < ASK_RESULTS && strlen(a.account) < ASK_NAME_MAX && strlen(a.detail) < ASK_DETAIL_MAX);
		CHECK(a.groups_bytes == 0 || a.groups[a.groups_bytes - 1] == '\0');
		CHECK(wire_put_answer(out, sizeof out, id, &a) == in.n && memcmp(out, in.p, in.n) == 0);
	}
	answer_clear(&a);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct span in = fuzz_block(data, n);

	check_ask(in);
	check_answer(in);
	fuzz_free(in);
	return 0;
}
