/* SPDX-License-Identifier: MIT */
/*
 * text: a text that grows as it is written, up to a bound; for pages, not for what runs at every request.
 * Always true: after a failure (no memory, or over the bound) nothing more is added and `failed` stays.
 */
#ifndef POSTERN_BASE_TEXT_H
#define POSTERN_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"

#define TEXT_MOST ((size_t)16 << 20)

struct text {
	char  *p; /* owned; no NUL */
	size_t n, room;
	bool   failed;
};

void text_clear(struct text *t);
void text_add(struct text *t, struct span s);
void text_str(struct text *t, const char *s);
void text_number(struct text *t, uint64_t v);
void text_printf(struct text *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static inline struct span
text_span(const struct text *t)
{
	return span_of(t->p, t->n);
}

#endif
