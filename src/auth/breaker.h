/* SPDX-License-Identifier: MIT */
/*
 * breaker: stops asking a back end that is down. Pure: the caller tells the time.
 * CLOSED -> OPEN after BREAKER_FAILURES in a row; OPEN -> PROBING once its pause is over; a probe that goes well closes it, one that does not opens it
 * again, with twice the pause.
 */
#ifndef POSTERN_AUTH_BREAKER_H
#define POSTERN_AUTH_BREAKER_H

#include <stdbool.h>
#include <stdint.h>

#define BREAKER_FAILURES 5u
#define BREAKER_FIRST_US 1000000u
#define BREAKER_LAST_US  30000000u

enum breaker_state { BREAKER_CLOSED, BREAKER_OPEN, BREAKER_PROBING };

/* Zeroed: closed. */
struct breaker {
	enum breaker_state state;
	unsigned           failures; /* in a row */
	uint64_t           since_us; /* it opened for the first time */
	uint64_t           pause_us, until_us; /* open: no probe before */
};

/* May the back end be asked? PROBE: for a try, which breaker_note must end. */
enum breaker_answer { BREAKER_YES, BREAKER_PROBE, BREAKER_NO };
enum breaker_answer breaker_ask(struct breaker *b, uint64_t now_us);
/* How it went. True: the state turned from closed to not, or back. What was asked before it opened and went badly changes nothing any more. */
bool breaker_note(struct breaker *b, bool good, uint64_t now_us);
/* The probe said nothing either way: the next one may go at once. */
void breaker_retry(struct breaker *b, uint64_t now_us);
/* Open at once. True: it was closed. */
bool breaker_trip(struct breaker *b, uint64_t now_us);

#endif
