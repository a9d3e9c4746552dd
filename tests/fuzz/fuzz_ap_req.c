/* SPDX-License-Identifier: MIT */
#include "auth/ap_req.h"
#include "fuzz.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct span   in = fuzz_input(data, n);
	struct ap_req r;

	if (!ap_req_read(in, &r))
		return 0;
	CHECK(r.message.p > in.p && r.message.n > 0 && r.message.p + r.message.n <= in.p + in.n);
	CHECK(strlen(r.server) < sizeof r.server);
	for (const char *p = r.server; *p; p++)
		CHECK(*p >= 0x20 && *p < 0x7f);
	return 0;
}
