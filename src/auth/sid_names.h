/* SPDX-License-Identifier: MIT */
/*
 * sid_names: what groups are called, by SID, as found out lately. Bounded, forgetful, for several threads.
 */
#ifndef POSTERN_AUTH_SID_NAMES_H
#define POSTERN_AUTH_SID_NAMES_H

#include <stdbool.h>
#include <stdint.h>

#include "auth/ask.h"

#define SID_NAMES_MAX     4096u
#define SID_NAMES_TTL_US  600000000u /* names change seldom: 10 minutes */
#define SID_NAMES_NONE_US 30000000u  /* a SID without a name may be one whose domain could not be asked just now */

struct sid_names;

struct sid_names *sid_names_new(void);
void              sid_names_free(struct sid_names *s);
/* False: not known. `name` is "" for a SID that had none. */
bool sid_names_find(struct sid_names *s, const char *sid, uint64_t now_us, char name[ASK_NAME_MAX]);
/* No memory: not kept. */
void sid_names_add(struct sid_names *s, const char *sid, const char *name, uint64_t now_us);

#endif
