/* SPDX-License-Identifier: MIT */
/*
 * format_kinds: what format.c chooses from; one file for each. They write no newline.
 */
#ifndef POSTERN_AUDIT_FORMAT_KINDS_H
#define POSTERN_AUDIT_FORMAT_KINDS_H

#include "audit/line.h"
#include "audit/record.h"

void format_squid(struct line *l, const struct record *r, const struct span text[RT_COUNT], bool query);
void format_json(struct line *l, const struct record *r, const struct span text[RT_COUNT], bool query);
/* Stands where lines were lost. */
void format_json_drops(struct line *l, uint64_t real_us, uint64_t lines);
/* `when`: the time as the line shows it. */
void format_combined(struct line *l, const struct record *r, const struct span text[RT_COUNT], bool query, struct span when);

void format_w3c(struct line *l, const struct record *r, const struct span text[RT_COUNT], bool query);
/* The lines that begin with #: what the fields are; how many lines are missing here. */
void format_w3c_head(struct line *l, uint64_t real_us);
void format_w3c_drops(struct line *l, uint64_t lines);
void format_cef(struct line *l, const struct record *r, const struct span text[RT_COUNT], bool query);
void format_leef(struct line *l, const struct record *r, const struct span text[RT_COUNT], bool query);

struct custom;
struct custom *custom_new(struct span source, char why[160]);
void custom_free(struct custom *c);
void format_custom(struct line *l, const struct record *r, const struct span text[RT_COUNT], bool query, const struct custom *c);

/* strftime's result for one second, kept, since the next line most likely falls into it too. */
struct time_text {
	char     pattern[64];
	bool     is_local;
	uint64_t second; /* of what is kept */
	size_t   n;      /* 0: nothing is kept */
	char     text[128];
};
/* False: the pattern is too long. */
bool        time_text_init(struct time_text *t, struct span pattern, bool is_local);
struct span time_text_get(struct time_text *t, uint64_t real_us);
#define CLF_TIME SPAN("%d/%b/%Y:%H:%M:%S %z")

#endif
