/* SPDX-License-Identifier: MIT */
/*
 * name_check: which DNS names a certificate of ours may hold.
 */
#ifndef POSTERN_TLS_NAME_CHECK_H
#define POSTERN_TLS_NAME_CHECK_H

#include <stdbool.h>

#include "base/span.h"

/* A name in its canonical spelling, at most 253 bytes: labels of 1 to 63 letters, digits, hyphens (not outside) and underscores; not what reads as an
 * address; at most one `*`, as the whole leftmost label, with two labels after it (RFC 6125 6.4.3, and what browsers take). */
bool name_may_be_signed(struct span name);

#endif
