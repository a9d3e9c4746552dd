/* SPDX-License-Identifier: MIT */
#include "tls/profile.h"

#include <stdlib.h>

struct profile *
profile_ref(struct profile *p)
{
	p->refs++;
	return p;
}

void
profile_unref(struct profile *p)
{
	if (p && --p->refs == 0)
		free(p);
}

enum bad_origin
profile_answer(const struct profile *p, const uint8_t answer[CERT_KINDS])
{
	enum bad_origin strictest = ORIGIN_PASS;

	if (p->fault == FAULT_NONE)
		return ORIGIN_PASS;
	if (p->refuse || !p->kinds)
		return ORIGIN_BLOCK;
	for (unsigned kind = 0; kind < CERT_KINDS; kind++)
		if (p->kinds >> kind & 1 && answer[kind] < strictest)
			strictest = answer[kind];
	return strictest;
}

_Static_assert(ORIGIN_BLOCK < ORIGIN_WARN && ORIGIN_WARN < ORIGIN_PASS, "the strictest answer is the least");

bool
profile_name_next(const struct profile *p, size_t *at, struct profile_name *out)
{
	size_t left = p->size - *at;

	if (left == 0)
		return false;
	*out = (struct profile_name){.is_addr = p->names[*at] == 'a'};
	if (out->is_addr) {
		if (left < 1 + sizeof out->addr.b)
			return false;
		memcpy(out->addr.b, p->names + *at + 1, sizeof out->addr.b);
		*at += 1 + sizeof out->addr.b;
		return true;
	}
	out->dns = span_of(p->names + *at + 1, strnlen(p->names + *at + 1, left - 1));
	*at += 1 + out->dns.n + 1;
	return *at <= p->size;
}
