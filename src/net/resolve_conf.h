/* SPDX-License-Identifier: MIT */
/*
 * resolve_conf: what resolv.conf(5) says, read from bytes, and the names that it makes of a name.
 * Lines and options that mean nothing here are passed over in silence, as the C library does.
 */
#ifndef POSTERN_NET_RESOLVE_CONF_H
#define POSTERN_NET_RESOLVE_CONF_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/span.h"

#define RESOLV_SERVERS_MAX 8u
#define RESOLV_SEARCH_MAX  32u
#define RESOLV_NAME_MAX    253u

struct resolv_conf {
	struct endpoint servers[RESOLV_SERVERS_MAX]; /* port 53 unless the caller set them */
	unsigned        n_servers;
	struct span     search[RESOLV_SEARCH_MAX]; /* lower case, no trailing dot; point into `text` */
	unsigned        n_search;
	unsigned        ndots;     /* up to 15 */
	unsigned        timeout_s; /* 1 to 30 */
	unsigned        attempts;  /* 1 to 5 */
	bool            rotate, use_vc, no_tld_query;
	char            text[RESOLV_SEARCH_MAX * (RESOLV_NAME_MAX + 1)];
};

/* Read `bytes`. `hostname`: of this machine; gives the search list when the file has none. No server named: 127.0.0.1. */
void resolv_conf_read(struct resolv_conf *c, struct span bytes, struct span hostname);
/* The i-th name to ask for when `name` is wanted, NUL-terminated in buf. False: there are no more. A trailing dot makes `name` absolute.
 * *as_is: it is the name itself. Names too long for the DNS come out empty, to be passed over. */
bool resolv_conf_candidate(const struct resolv_conf *c, struct span name, unsigned i, char buf[RESOLV_NAME_MAX + 1], bool *as_is);

#endif
