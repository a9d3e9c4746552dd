/* SPDX-License-Identifier: MIT */
/*
 * effects: what a rule does to the messages that it decided on: fields that it sets or removes, another place that it sends the client to.
 * Leaves framing, Host and the hop's own fields alone: a configuration that names them is refused.
 */
#ifndef POSTERN_SESSION_EFFECTS_H
#define POSTERN_SESSION_EFFECTS_H

#include "policy/policy.h"
#include "session/session.h"

/* Of the rule that decided. False, and *e is empty: it has none, or the request cannot be read. */
bool effects_of(const struct request *r, struct rule_effects *e);
/* Does a field of this name go: is it among the names, or set anew by the lines? */
bool effects_drop(struct span set, struct span removed, struct span name);

#endif
