/* SPDX-License-Identifier: MIT */
/*
 * words: what several formats say about a record in the same words.
 */
#ifndef POSTERN_AUDIT_WORDS_H
#define POSTERN_AUDIT_WORDS_H

#include "audit/line.h"
#include "audit/record.h"

/* Squid's result tag, without the status: TCP_TUNNEL, TCP_MISS_ABORTED, NONE_NONE ... A request whose method was never read is NONE_NONE. */
const char *words_result(const struct record *r);
/* HIER_DIRECT ... */
const char *words_hier(const struct record *r);
/* NULL: none. */
const char *words_scheme(const struct record *r);
const char *words_action(const struct record *r);
const char *words_guard(const struct record *r);
/* Squid's name for what happens to the TLS of a CONNECT, or did to that around this request; NULL: there was none. */
const char *words_bump_mode(const struct record *r);
/* Of "TLSv1.3/CIPHER": what stands before the slash, and after. */
struct span words_tls_version(struct span tls);
struct span words_tls_cipher(struct span tls);
/* "1.1", "2.0"; not for a request that came to nothing. */
void words_http_version(struct line *l, const struct record *r);
/* How the user was, or was to be, found good: "Basic", "Negotiate/Kerberos" ... */
const char *words_auth_way(const struct record *r);
/* A URL (or host:port) as it may be logged: never user information, and unless `query` nothing after '?' (which stays, as in Squid). */
void words_url_print(struct line *l, struct span url, bool query, enum line_style style);
/* Squid's %ru: the URL; error:FAULT when there was no request to take one from; "-". */
void words_target(struct line *l, const struct record *r, const struct span text[RT_COUNT], bool query, enum line_style style);
/* All that follows the authority of a URL, cut off after '?' unless `query`; empty for host:port. */
struct span words_path(struct span url, bool query);
/* Content type without its parameters. */
struct span words_media_type(struct span content_type);
/* For readers that look for incidents: one word for what happened (the fault, else the action, else "request"), and how bad it was, 1 to 10. */
const char *words_event(const struct record *r);
unsigned    words_severity(const struct record *r);
/* A few words for people: the fault's sentence, or what was done. */
const char *words_title(const struct record *r);
/* text, or "-" when it is empty */
void words_or_dash(struct line *l, struct span text, enum line_style style);

/* A point in time, UTC or local, as a calendar has it. */
struct moment {
	unsigned year, month, day, hour, minute, second, ms; /* month and day from 1 */
};
/* Years after 9999 are 9999. */
struct moment moment_utc(uint64_t real_us);
/* 2026-01-31 and 23:59:59, UTC. */
void moment_print_date(struct line *l, const struct moment *m);
void moment_print_time(struct line *l, const struct moment *m);
/* RFC 3339, UTC, milliseconds: 2026-01-31T23:59:59.999Z */
void moment_print(struct line *l, uint64_t real_us);

#endif
