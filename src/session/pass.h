/* SPDX-License-Identifier: MIT */
/*
 * pass: what we show to the parent that a request goes through: the password of its file, or a token for it alone, of the auth process that has the tickets.
 * A token is good for one CONNECT or request, since parents remember those that they have seen; so it is fetched for each, and wiped when it was used.
 * Always true: nothing of it reaches a log or a client; a request whose way leads through no such parent waits for none.
 */
#ifndef POSTERN_SESSION_PASS_H
#define POSTERN_SESSION_PASS_H

#include "auth/desk.h"
#include "session/session.h"

struct compose;

/* Must a token be fetched before the request's parent is asked for something? */
bool pass_is_wanted(const struct session *s);
/* Fetch it: reach_with_pass or reach_parent_failed goes on. */
void pass_fetch(struct session *s);
void pass_on_timeout(struct session *s);
/* The errand is not needed any more. */
void pass_cancel(struct request *r);
/* Nor is the token. */
void pass_drop(struct request *r);
/* The Proxy-Authorization field, with its CRLF; nothing where there is nothing to show. */
void pass_put(struct compose *to, const struct session *s);
/* The parent did not accept what it was shown: told in the operations log, and a ticket may have to be fetched anew. */
void pass_refused(const struct session *s);

/* The same errand for others than sessions: health. NULL: it cannot be asked. */
struct desk_job *pass_ask(struct gateway *gw, const struct snapshot *snap, uint32_t parent, desk_done done, void *arg);
/* Is it a token as a field's value can hold it? Its process may have been taken over. */
bool pass_is_clean(const struct answer *a);

#endif
