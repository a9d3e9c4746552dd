/* SPDX-License-Identifier: MIT */
#include "fuzz.h"
#include "parse/hostname.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct span in = fuzz_input(data, n);
	struct host h, again;
	bool        canonical = hostname_is_canonical(in);

	if (!host_parse(in, &h)) {
		CHECK(!canonical);
		return 0;
	}
	CHECK(h.n > 0 && h.n == strlen(h.text));
	if (canonical)
		CHECK(h.kind == HOST_NAME && span_eq(in, host_span(&h)));
	if (h.kind == HOST_ADDR) {
		struct addr a;
		CHECK(addr_parse(host_span(&h), &a) && addr_eq(&a, &h.addr));
		return 0;
	}
	CHECK(h.n <= HOSTNAME_MAX && h.text[h.n - 1] != '.' && h.text[0] != '.');
	for (size_t i = 0; i < h.n; i++)
		CHECK(strchr("abcdefghijklmnopqrstuvwxyz0123456789-_.", h.text[i]) != NULL);
	/* the canonical spelling of a canonical spelling is itself */
	CHECK(host_parse(host_span(&h), &again) && again.kind == HOST_NAME && span_eq(host_span(&again), host_span(&h)));
	CHECK(hostname_is_canonical(host_span(&h)) || strstr(h.text, "xn--"));
	return 0;
}
