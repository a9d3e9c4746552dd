/* SPDX-License-Identifier: MIT */
/*
 * hostname: one canonical spelling of a host, used alike for rules, resolving, logging and connecting.
 * A name is lower-cased, IDNA A-labels (IDNA2008 by libidn2, non-transitional, UTS 46 mapping), one trailing dot stripped. An
 * IP literal in any form that a resolver or a URL library would read as an address is recognised, so that none slips through as a name.
 */
#ifndef POSTERN_PARSE_HOSTNAME_H
#define POSTERN_PARSE_HOSTNAME_H

#include <stdbool.h>

#include "base/addr.h"
#include "base/span.h"

#define HOSTNAME_MAX 253

enum host_kind { HOST_NAME, HOST_ADDR };

struct host {
	enum host_kind kind;
	struct addr    addr;      /* HOST_ADDR */
	uint8_t        n;
	char           text[HOSTNAME_MAX + 3]; /* canonical name; or address as addr_print writes it, no brackets; NUL-terminated */
};

/* Canonicalise `in` (a reg-name, a dotted IPv4, or an IPv6 literal in brackets) into `out`. False when it is not a host:
 * empty, a label of 0 or over 63 bytes, over 253 in all, a byte outside letters, digits, hyphen, underscore and dot (after IDNA), a
 * label that begins or ends with a hyphen, a zone id, percent-encoding, or a name whose last label is all digits or 0x-hexadecimal but
 * that is no plain dotted quad ("127.1", "0x7f.1", "2130706433", "010.0.0.1": a trap; WHATWG URL "ends in a number"). * What `out` holds after a refusal is of no meaning. */
bool host_parse(struct span in, struct host *out);
/* True when `in` is the canonical spelling of a name as it stands, so that no copy is needed. Looks at ASCII only: addresses and names
 * with A-labels, which libidn2 has to judge, answer false. */
bool hostname_is_canonical(struct span in);

static inline struct span
host_span(const struct host *h)
{
	return (struct span){h->text, h->n};
}

#endif
