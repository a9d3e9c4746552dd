/* SPDX-License-Identifier: MIT */
/*
 * keys: the private keys of listeners that speak TLS, as the parent has them: descriptors, opened at start and at each reload, which it passes to the workers.
 * The parent reads none: what a file holds goes by the kernel into a sealed memory file, so that a worker that starts later has the key that fits the
 * certificate in use, whatever has become of the file since. Counted.
 */
#ifndef POSTERN_PROC_KEYS_H
#define POSTERN_PROC_KEYS_H

#include <stdbool.h>
#include <stdint.h>

#include "conf/conf.h"

struct listener_key {
	uint16_t index; /* of the listener in the configuration */
	int      fd;
	char    *at; /* owned: "FILE:LINE: tls-key", for messages */
};

struct keys {
	unsigned             refs;
	size_t               n;
	struct listener_key *v; /* owned */
};

/* NULL: what cannot be opened is in `r`. */
struct keys *keys_open(const struct conf *c, struct report *r);
struct keys *keys_ref(struct keys *k);
void         keys_unref(struct keys *k);
/* Where the key of this listener is named; "tls-key" when it has none. */
const char  *keys_where(const struct keys *k, uint16_t index);

#endif
