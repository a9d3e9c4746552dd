/* SPDX-License-Identifier: MIT */
#include "auth/breaker.h"

enum breaker_answer
breaker_ask(struct breaker *b, uint64_t now_us)
{
	if (b->state == BREAKER_CLOSED)
		return BREAKER_YES;
	if (b->state == BREAKER_PROBING || now_us < b->until_us)
		return BREAKER_NO;
	b->state = BREAKER_PROBING;
	return BREAKER_PROBE;
}

bool
breaker_trip(struct breaker *b, uint64_t now_us)
{
	bool was_closed = b->state == BREAKER_CLOSED;

	if (b->state == BREAKER_OPEN)
		return false;
	if (was_closed) {
		b->since_us = now_us;
		b->pause_us = BREAKER_FIRST_US;
	} else {
		b->pause_us = b->pause_us * 2 < BREAKER_LAST_US ? b->pause_us * 2 : BREAKER_LAST_US;
	}
	b->state = BREAKER_OPEN;
	b->until_us = now_us + b->pause_us;
	return was_closed;
}

bool
breaker_note(struct breaker *b, bool good, uint64_t now_us)
{
	bool was_closed = b->state == BREAKER_CLOSED;

	if (good) {
		*b = (struct breaker){.since_us = b->since_us};
		return !was_closed;
	}
	b->failures++;
	if (was_closed && b->failures < BREAKER_FAILURES)
		return false;
	return breaker_trip(b, now_us);
}

void
breaker_retry(struct breaker *b, uint64_t now_us)
{
	if (b->state != BREAKER_PROBING)
		return;
	b->state = BREAKER_OPEN;
	b->until_us = now_us;
}
