/* SPDX-License-Identifier: MIT */
#include "audit/filter.h"

#include <stdlib.h>

struct log_filter {
	uint32_t    lets, sample;
	size_t      n;
	struct span name[]; /* in order; they point behind the array */
};

static int
name_order(const void *x, const void *y)
{
	return span_order(*(const struct span *)x, *(const struct span *)y);
}

struct log_filter *
log_filter_new(const struct span *rules, size_t n, uint32_t lets, uint32_t sample)
{
	size_t             bytes = 0;
	struct log_filter *f;
	char              *p;

	for (size_t i = 0; i < n; i++)
		bytes += rules[i].n;
	f = malloc(sizeof *f + n * sizeof *f->name + bytes);
	if (!f)
		return NULL;
	*f = (struct log_filter){.lets = lets ? lets : LOG_LETS_ALL, .sample = sample, .n = n};
	p = (char *)&f->name[n];
	for (size_t i = 0; i < n; i++) {
		if (rules[i].n)
			memcpy(p, rules[i].p, rules[i].n);
		f->name[i] = span_of(p, rules[i].n);
		p += rules[i].n;
	}
	qsort(f->name, n, sizeof *f->name, name_order);
	return f;
}

void
log_filter_free(struct log_filter *f)
{
	free(f);
}

static bool
names(const struct log_filter *f, struct span rule)
{
	return bsearch(&rule, f->name, f->n, sizeof *f->name, name_order) != NULL;
}

/* Separated by commas, as in the record. */
static bool
names_one_of(const struct log_filter *f, struct span list)
{
	while (list.n) {
		const char *comma = memchr(list.p, ',', list.n);
		size_t      n = comma ? (size_t)(comma - list.p) : list.n;
		if (names(f, span_of(list.p, n)))
			return true;
		n += comma != NULL;
		list = span_of(list.p + n, list.n - n);
	}
	return false;
}

/* Numbers that follow each other must not come out so: murmur3's last step. */
static uint64_t
mix(uint64_t v)
{
	v = (v ^ v >> 33) * 0xff51afd7ed558ccdu;
	v = (v ^ v >> 33) * 0xc4ceb9fe1a85ec53u;
	return v ^ v >> 33;
}

bool
log_filter_takes(const struct log_filter *f, const struct record *r, const struct span text[RT_COUNT])
{
	uint32_t bit = r->has_action ? 1u << r->action : LOG_LETS_NONE;

	if (!(f->lets & bit))
		return false;
	/* what is inside a tunnel names its CONNECT as its session, so that CONNECT counts by its own number */
	if (f->sample > 1 && mix(r->is_connect ? r->id : r->session) % f->sample != 0)
		return false;
	return f->n == 0 || names(f, text[RT_RULE]) || names_one_of(f, text[RT_REPORTED]);
}
