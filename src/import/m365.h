/* SPDX-License-Identifier: MIT */
/*
 * m365: Microsoft's list of endpoints (https://endpoints.office.com/endpoints/INSTANCE, JSON) as entries of lists, and what could not become one.
 * Reads bytes and writes text; opens no files. What it writes reads the same whatever the order of the input, so that two versions differ by what changed.
 * Always true: input of the wrong shape gives nothing at all; an entry that is written can stand in a bypass rule.
 */
#ifndef POSTERN_IMPORT_M365_H
#define POSTERN_IMPORT_M365_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/span.h"

#define M365_BYTES_MAX ((size_t)16 << 20)
#define M365_DEPTH_MAX 16u
#define M365_ITEMS_MAX 100000u /* entries before doubles are put together */
#define M365_TEXT_MAX  272u
#define M365_WHY       200u
#define M365_IDS       8u
#define M365_AREAS     64u /* service areas */

enum m365_category { M365_OPTIMIZE, M365_ALLOW, M365_DEFAULT, M365_CATEGORIES };

/* Which of them; zero: all. */
struct m365_want {
	unsigned           categories; /* bits 1u << enum m365_category */
	const struct span *area;
	size_t             n_areas;
	bool               required_only, addresses; /* addresses: `ips` become entries too */
};

/* One line of a list, or one url that could not become one. */
struct m365_item {
	char        text[M365_TEXT_MAX]; /* the entry, or what stood there */
	char        why[M365_WHY];       /* "": it is an entry */
	bool        unsafe;              /* it would be an entry, but check refuses it in a bypass rule */
	bool        required;
	uint8_t     category;            /* enum m365_category, the first of its ids' */
	uint8_t     n_ids;
	bool        more_ids;
	int64_t     id[M365_IDS];        /* ascending */
	const char *area, *notes;        /* borrowed of struct m365; "": none */
};

struct m365_list {
	struct m365_item *v; /* owned; entries first, then what is none, each in its order */
	size_t            n, n_entries;
};

struct m365;

/* NULL: *why says what is wrong with it. */
struct m365 *m365_new(struct span json, char why[M365_WHY]);
void         m365_free(struct m365 *m);
/* The service areas that it names, in the order of the alphabet; they live as long as it does. */
size_t       m365_areas(const struct m365 *m, const char *out[M365_AREAS]);
/* False: no memory, or more than M365_ITEMS_MAX. */
bool         m365_select(const struct m365 *m, const struct m365_want *want, struct m365_list *out);
void         m365_list_clear(struct m365_list *l);

/* What the head of a list says of where it is from; texts without line ends. */
struct m365_head {
	const char *source, *version, *fetched, *what;
};
void m365_write(const struct m365_list *l, const struct m365_head *head, FILE *to);
/* "1, 8: Optimize, required; notes" into buf; returns it. */
const char *m365_comment(const struct m365_item *i, char *buf, size_t n);

/* The version JSON (https://endpoints.office.com/version): `latest` of the one instance, or of the one named; false: *why. */
bool m365_version(struct span json, struct span instance, char version[32], char why[M365_WHY]);

const char *m365_category_word(enum m365_category c);
/* False: no such category. */
bool m365_category_read(struct span word, enum m365_category *out);

#endif
