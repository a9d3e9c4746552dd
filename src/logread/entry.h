/* SPDX-License-Identifier: MIT */
/*
 * entry: one request as a line of an access log tells it: Postern's json and squid formats, and Squid's own native format.
 * Spans point into the line, or into the scratch of the parser, until the next line is read.
 */
#ifndef POSTERN_LOGREAD_ENTRY_H
#define POSTERN_LOGREAD_ENTRY_H

#include <stdbool.h>
#include <stdint.h>

#include "audit/format.h" /* LOG_LINE_MAX: what can be written can be read; longer lines are skipped */
#include "base/addr.h"
#include "base/span.h"

enum log_kind { LOG_KIND_UNKNOWN, LOG_KIND_SQUID, LOG_KIND_JSON };

#define LOG_GROUPS_MAX 256u /* more are not kept */

struct log_entry {
	enum log_kind kind;
	uint64_t      line;    /* number in its file, from 1 */
	uint64_t      end_us;  /* when the line was written, UNIX time; the request began elapsed_us before */
	uint64_t      elapsed_us;
	bool          has_client;
	struct addr   client;
	struct span   method;  /* "-" and "NONE" of failed requests as they stand */
	struct span   url;     /* host:port of a CONNECT, else the URL, perhaps without its query */
	bool          query_is_cut; /* the log has no queries: conditions on url may hold or not */
	struct span   user;    /* decoded; "": none. Spelling as logged: CORP\alice, alice@REALM, alice */
	struct span   group[LOG_GROUPS_MAX]; /* json only */
	size_t        n_groups;
	uint16_t      status;  /* 0: none */
	struct span   result;  /* "TCP_TUNNEL" ... */
	struct span   hierarchy, peer; /* "HIER_DIRECT", address or "" */
	struct span   content_type;
	/* json only; empty spans: not there */
	struct span   id, session, listener, action, rule, list_entry, fault, sni, user_agent, alpn, tls_detail, address, parent;
	bool          is_inner; /* a request inside an inspected tunnel: its URL begins with https:// */
	bool          is_first_leg; /* 407: the beginning of a handshake */
};

#endif
