/* SPDX-License-Identifier: MIT */
/*
 * syslog_to: what `syslog` names: a server, and the way there. Pure.
 */
#ifndef POSTERN_CONF_SYSLOG_TO_H
#define POSTERN_CONF_SYSLOG_TO_H

#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"
#include "conf/conf.h"
#include "parse/hostname.h"

enum syslog_way { SYSLOG_UNIX, SYSLOG_UDP, SYSLOG_TCP, SYSLOG_TLS };

struct syslog_to {
	enum syslog_way way;
	char            path[UNIX_PATH_MOST]; /* SYSLOG_UNIX */
	struct host     host;
	uint16_t        port;
};

/* unix:/PATH, udp:HOST, tcp:HOST:PORT, tls:HOST:PORT; IPv6 in brackets; without a port 514, 514 (RFC 5426, and custom) and 6514 (RFC 5425). False: none of these. */
bool syslog_to_read(struct span in, struct syslog_to *out);

#endif
