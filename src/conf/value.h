/* SPDX-License-Identifier: MIT */
/*
 * value: reads one word of a value. Pure; every function takes the whole span or says false.
 */
#ifndef POSTERN_CONF_VALUE_H
#define POSTERN_CONF_VALUE_H

#include "conf/conf.h"

bool value_number(struct span s, uint64_t *out); /* decimal digits only */
bool value_size(struct span s, uint64_t *out);   /* bytes, or with k, m, g (powers of 1024) */
bool value_time(struct span s, uint64_t *ms);    /* with ms, s, m or h; a bare 0 */
bool value_ports(struct span s, struct port_range *out); /* 443 or 1025-65535; port 0 is none */
bool value_rate(struct span s, struct conf_rate *out); /* "4 per 30m"; 0 or none: no limit */
/* 192.0.2.1:53, [2001:db8::1]:53, [fe80::1%eth0]:53. Without a port (then also a bare IPv6 address) only when `port` is not null: *port it is. */
bool value_endpoint(struct span s, const uint16_t *port, struct endpoint *out);

#define ITEM_WHY 96

/* Take the next item off the front of `rest`: separated by blanks and commas, "..." taken as it stands, a leading '!' negates. False at the end,
 * with why[0] 0, or at something misspelled, with `why`. The item's text points into `rest`; its place is left alone. */
bool item_next(struct span *rest, struct conf_item *out, char why[ITEM_WHY]);
/* The same where commas alone separate, since names hold blanks; blanks around a name are not of it. */
bool name_next(struct span *rest, struct conf_item *out, char why[ITEM_WHY]);

#endif
