/* SPDX-License-Identifier: MIT */
/*
 * aia: fetches an issuer's certificate by plain HTTP (RFC 5280 4.2.2.1). Bounded: 64 KiB, five seconds, no redirect, only port 80, never from an address that
 * egress denies (which by default are the private ones; what egress-allow lets through is let through here too) and never from ourselves. Those who want the
 * same URL at the same time share one fetch. Remembers nothing: verify keeps what came, and that nothing came.
 */
#ifndef POSTERN_TLS_AIA_H
#define POSTERN_TLS_AIA_H

#include "net/loop.h"
#include "net/resolve.h"
#include "policy/snapshot.h"

struct aia;
struct aia_job;

struct aia *aia_new(struct loop *loop);
void        aia_free(struct aia *a); /* jobs under way are forgotten */
/* der.p is null when it could not be had. From the loop, never from within aia_fetch. NULL: no memory, too many under way, or a URL that is never fetched (https, another port). The snapshot is only used during the call and until done. */
typedef void aia_done(void *arg, struct span der);
struct aia_job *aia_fetch(struct aia *a, struct resolver *r, struct snapshot *s, const char *url, aia_done *done, void *arg);
void            aia_cancel(struct aia_job *j);

#endif
