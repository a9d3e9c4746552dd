/* SPDX-License-Identifier: MIT */
/*
 * resume: sessions that origins handed out, so that the next connection costs less. For each worker and snapshot, bounded; the one kept longest goes first.
 * Always true: a session is found only under the very name, port and key that it was kept for, together with the profile that its first handshake was
 * judged with; one of TLS 1.3 is given out once (RFC 8446 C.4).
 */
#ifndef POSTERN_TLS_RESUME_H
#define POSTERN_TLS_RESUME_H

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"
#include "tls/profile.h"

#define RESUME_MOST     4096u /* sessions in all */
#define RESUME_PER_HOST 4u    /* of one place */

/* Where a session is good for. */
struct resume_place {
	struct span host; /* canonical */
	uint16_t    port;
	uint64_t    key;
};

struct resume;
struct resume *resume_new(void);
void           resume_free(struct resume *r);
/* A session, a reference of the caller's, with *profile likewise; null: none. */
SSL_SESSION *resume_take(struct resume *r, const struct resume_place *at, struct profile **profile);
/* Takes references of its own. Without memory it is not kept. */
void resume_keep(struct resume *r, const struct resume_place *at, SSL_SESSION *session, struct profile *profile);
/* It failed there: all sessions of that place are forgotten. */
void resume_drop(struct resume *r, const struct resume_place *at);

#endif
