/* SPDX-License-Identifier: MIT */
/*
 * rule: gives meaning to the items of a rule's conditions that come down to numbers: ports, schemes, methods, times.
 * Knows spelling only. Hosts and addresses are match/'s.
 */
#ifndef POSTERN_POLICY_RULE_H
#define POSTERN_POLICY_RULE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"
#include "conf/conf.h"
#include "policy/policy.h"

#define WEEK_MINUTES (7 * 24 * 60)
#define DAY_MINUTES  (24 * 60)

/* Numbers first .. last (both in), said plainly or with '!', in rule `rule`. */
struct stretch {
	uint32_t rule;
	uint32_t first, last;
	bool     negated;
};

struct stretches {
	struct stretch *v; /* owned */
	size_t          n, room;
};

void stretches_clear(struct stretches *s);
/* False: out of memory. */
bool stretches_add(struct stretches *s, struct stretch x);

/* 443 or 1025-65535; no port 0. */
bool port_item_read(struct span item, uint32_t *first, uint32_t *last);
/* http or https, case ignored. */
bool scheme_item_read(struct span item, uint32_t *scheme);
#define WHO_PART_MAX 255u /* no back end tells more */
/* CORP\alice, alice@CORP.EXAMPLE or alice into `who`; a second spelling of the same account adds its domain or realm. The texts stay where they
 * are. False: none of these, or another account, or a part that is too long. */
bool who_read(struct span text, struct who *who);
/* Does its action need to know who asks, whatever its conditions say? */
bool rule_needs_user(const struct conf_rule *r);

/*
 * Minutes of the week, from Monday 00:00 local time. Items are days (mon .. sun, mon-fri; sat-mon goes round) and ranges (08:00-18:00; the end
 * is not in; 22:00-06:00 goes over midnight; 24:00 may end a day). Since items are separated by blanks, they are read together:
 *   a run of days and the ranges that follow it are one window: mon wed 08:00-12:00 13:00-17:00;
 *   days that no range follows are whole days; a range with no day before it is daily.
 * A quoted item is read by itself ("mon-fri 08:00-18:00"), and a '!' begins a new window where the one before had none: mon-fri !12:00-13:00.
 * Problems go to `r`. False: out of memory.
 */
bool times_read(const struct conf_items *items, uint32_t rule, struct stretches *out, struct report *r);
/* "mon 09:00", as `explain --at` takes it. */
bool week_minute_read(struct span s, uint32_t *minute);

#endif
