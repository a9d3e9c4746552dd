/* SPDX-License-Identifier: MIT */
#include "fuzz.h"
#include "parse/cidr.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct cidr     c, again;
	struct addr     first, last;
	enum cidr_fault fault = cidr_parse(fuzz_input(data, n), &c);
	char            text[ADDR_TEXT_MAX + 8];
	size_t          at;

	if (fault == CIDR_BAD)
		return 0;
	CHECK(c.bits <= 128);
	cidr_range(&c, &first, &last);
	CHECK(addr_eq(&first, &c.addr) && memcmp(first.b, last.b, sizeof first.b) <= 0);
	CHECK(!addr_is_v4(&c.addr) || (c.bits >= 96 && addr_is_v4(&last)));
	/* what is printed reads back as the same, now without host bits */
	at = addr_print(&c.addr, text);
	at += (size_t)snprintf(text + at, sizeof text - at, "/%u", addr_is_v4(&c.addr) ? c.bits - 96u : c.bits);
	CHECK(cidr_parse(span_of(text, at), &again) == CIDR_FINE && addr_eq(&again.addr, &c.addr) && again.bits == c.bits);
	return 0;
}
