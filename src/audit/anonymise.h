/* SPDX-License-Identifier: MIT */
/*
 * anonymise: takes out of a record who it was. Client addresses lose their last part (IPv4 keeps 24 bits, IPv6 48, 6to4 as many as leave 24 of the IPv4
 * address in it) and their port. Users and groups become sixteen hexadecimal digits of HMAC-SHA256 under a key that nobody keeps: the same name is the
 * same digits as long as the key is. What may tell a name or an address in passing (why a log-on failed) goes.
 * Always true: what formats see afterwards holds none of it in any field; a name that was empty stays so.
 */
#ifndef POSTERN_AUDIT_ANONYMISE_H
#define POSTERN_AUDIT_ANONYMISE_H

#include "audit/record.h"

struct anonymiser;

/* `masks`: LOG_ANONYMISE_... NULL: out of memory. */
struct anonymiser *anonymiser_new(uint32_t masks, const uint8_t key[LOG_KEY_BYTES]);
void anonymiser_free(struct anonymiser *a);
/* Changes `r` and `text`; the new texts live in `a` until the next call. */
void anonymise(struct anonymiser *a, struct record *r, struct span text[RT_COUNT]);

#endif
