/* SPDX-License-Identifier: MIT */
/*
 * page: the pages that people see when the gateway refuses or fails: the built-in one or the user's own.
 * Own pages hold {{status}} {{phrase}} {{sentence}} {{detail}} {{rule}} {{reason}} {{target}} {{id}} {{contact}} {{gateway}}; every value is escaped.
 */
#ifndef POSTERN_SESSION_PAGE_H
#define POSTERN_SESSION_PAGE_H

#include "base/span.h"
#include "policy/snapshot.h"

enum page_field { PAGE_STATUS, PAGE_PHRASE, PAGE_SENTENCE, PAGE_DETAIL, PAGE_RULE, PAGE_REASON, PAGE_TARGET, PAGE_ID, PAGE_CONTACT, PAGE_GATEWAY,
	PAGE_ACTION, /* of the warning only */ PAGE_FIELDS };

/* Write the page for `status` into out; returns its length, cut at `room`. Without a snapshot the built-in page is used. */
size_t page_render(const struct snapshot *snap, unsigned status, const struct span field[PAGE_FIELDS], char *out, size_t room);
/* The page with a button that posts to PAGE_ACTION; always the built-in one, so that the button is there. */
size_t page_render_warning(const struct span field[PAGE_FIELDS], char *out, size_t room);
/* RFC 9110 15. */
const char *status_phrase(unsigned status);

#endif
