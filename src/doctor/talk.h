/* SPDX-License-Identifier: MIT */
/*
 * talk: the request of an attempt, and the header of its response: bytes in one bounded buffer. Judges no answer.
 */
#ifndef POSTERN_DOCTOR_TALK_H
#define POSTERN_DOCTOR_TALK_H

#include "doctor/attempt.h"
#include "parse/head.h"

#define TALK_ANSWER_MOST 16384u /* bytes of a response's header */

/* "host" or "[v6]", with its port unless that is the scheme's and may be left out. */
void talk_place(const struct attempt *a, bool always, char *out, size_t n);
/* What is to be sent: a request's head without its last, empty line; `authorization`: null, or the value of a Proxy-Authorization. False: no memory. */
bool talk_begin(struct attempt *a, const char *head, const char *authorization);
void talk_clear(struct attempt *a); /* wipes what was sent */
/* CORD_DONE: all of it is out. */
enum cord_answer talk_send(struct attempt *a);

enum talk_came { TALK_HEAD, TALK_MORE, TALK_NOTHING, TALK_RUBBISH };
/* Read on until a response's header is there. TALK_HEAD: `h` is it, what follows it begins at *used. */
enum talk_came talk_read(struct attempt *a, struct head *h, size_t *used);
/* What a proxy says of why: RFC 9209, or what it wants to know; printable ASCII. */
void talk_reason(const struct head *h, char *out, size_t n);

/* What the answer of a server tells of what stands between, for people; "": nothing. `expired`: its certificate is, or is not valid yet: is it our clock?
 * `plain`: over plain HTTP, where somebody else may have answered: a portal that wants a log-on (*portal), or that sends browsers to itself. */
void talk_between(const struct head *h, const struct host *host, bool plain, bool expired, char *out, size_t n, bool *portal);

#endif
