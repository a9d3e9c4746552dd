/* SPDX-License-Identifier: MIT */
/*
 * target: reads where a request wants to go, and tells the rules.
 * In the open that is an absolute URL or a CONNECT; on a transparent listener what Host says. Inside an inspected tunnel it is where the tunnel leads, and whatever the request says of a place must
 * agree with that: target, Host, port (RFC 9110 7.4: else 421).
 */
#ifndef POSTERN_SESSION_TARGET_H
#define POSTERN_SESSION_TARGET_H

#include "session/inside.h"
#include "session/session.h"

/* Fills r->at, r->url, r->is_connect. `in`: the tunnel; null: none. `original`: where a transparent connection was going; null: it is none. */
enum fault target_read(struct request *r, const struct inside *in, const struct endpoint *original);
/* RFC 9112 3.2: Host must name the target; one that names another place is refused or, in the open, replaced, as host-mismatch says. */
enum fault target_judge_host(const struct request *r, const struct inside *in);
/* The head stands elsewhere now: so do the spans of r->url. */
void target_reread(struct request *r);

#endif
