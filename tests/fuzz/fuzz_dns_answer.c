/* SPDX-License-Identifier: MIT */
/*
 * Any bytes as a DNS response: what comes out is within bounds and consistent. The first byte chooses the type.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "net/resolve_answer.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct dns_answer a;
	char              end[DNS_NAME_TEXT];

	if (n > 0)
		dns_chain_end(p + 1, n - 1, end);
	if (n > 0 && strlen(end) >= sizeof end)
		abort();
	if (n == 0 || !dns_answer_read(p + 1, n - 1, p[0] & 1 ? DNS_TYPE_A : DNS_TYPE_AAAA, &a))
		return 0;
	if (a.n > DNS_ADDRS_MAX || (a.n && (a.ttl == DNS_NO_TTL || a.rcode != DNS_RCODE_OK)))
		abort();
	for (unsigned i = 0; i < a.n; i++)
		if (p[0] & 1 && !addr_is_v4(&a.addr[i]))
			abort();
	return 0;
}
