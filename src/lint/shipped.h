/* SPDX-License-Identifier: MIT */
/* shipped: Microsoft's diagnostic endpoints, the entries of conf/lists, as they stand there. A test compares. */
#ifndef POSTERN_LINT_SHIPPED_H
#define POSTERN_LINT_SHIPPED_H

#define SHIPPED_COUNT 22u /* fits the bits of a uint64_t */

extern const char *const shipped_endpoint[SHIPPED_COUNT];

#endif
