/* SPDX-License-Identifier: MIT */
/* parts: the steps of lint, private to this room. Each adds its findings to `r`; one that finds no memory says so and adds no more. */
#ifndef POSTERN_LINT_PARTS_H
#define POSTERN_LINT_PARTS_H

#include "conf/conf.h"
#include "lint/moments.h"
#include "policy/snapshot.h"

#define REGEX_PLAIN_MOST 1024u

/* files: those that others may change. */
void lint_files(const struct conf *c, struct report *r);
/* patterns: host items that look like a mistake, that take in a whole public suffix, and regexes that are plain patterns. */
void lint_patterns(const struct conf *c, struct report *r);
/* lists: wildcards that the doctor cannot test. */
void lint_lists_untested(const struct conf *c, struct report *r);
/* endpoints: what becomes of Microsoft's diagnostic endpoints. */
void lint_endpoints(const struct conf *c, const struct snapshot *s, struct report *r);
/* bypass: items of bypass rules that an earlier rule catches. */
void lint_bypass(struct conf *c, const struct snapshot *s, struct report *r);

/* alone: the policy with all but bypass rules set to report; null: no memory. The caller's: `f` has its bytes. */
struct policy *lint_alone(struct conf *c, struct flat *f);
/* Bypass rules that let every host pass. */
void lint_everything(const struct conf *c, const struct policy *alone, const struct moments *m, struct report *r);

enum likeness { REGEX_OTHER, REGEX_SAME, REGEX_NEARLY };
/* Host items, separated by blanks, that together hold for the same names as the regex of re:...: SAME. NEARLY: they would if its plain dots were meant as
 * dots, and not as any byte. OTHER: there are none, or they are too long, and `out` means nothing. */
enum likeness regex_plain(struct span regex, char out[REGEX_PLAIN_MOST]);

void lint_no_memory(struct report *r);

#endif
