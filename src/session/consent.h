/* SPDX-License-Identifier: MIT */
/*
 * consent: somebody goes on to a server whose certificate is bad, after having been told so, where `on-bad-origin = warn` leaves it to people.
 * A page with one button is the offer; pressing it sends the request anew with a token that only we could have made, and the answer sets a cookie.
 * Offer and cookie name client address, host, port, certificate and what is wrong with it, and hold for ten minutes; neither is good as the other.
 * Always true: the cookie goes no further than to us; without one that holds nothing is sent to the server.
 */
#ifndef POSTERN_SESSION_CONSENT_H
#define POSTERN_SESSION_CONSENT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/fault.h"
#include "base/span.h"
#include "parse/authority.h"
#include "tls/profile.h"

#define CONSENT_TEXT    (16u + 64u) /* when it ends, and the MAC, in hexadecimal */
#define CONSENT_COOKIE  "__Host-postern-consent"
#define CONSENT_FIELD   "postern-consent" /* in the query of the button's request */
#define CONSENT_SECONDS 600u

struct session;

enum consent_kind { CONSENT_OFFER, CONSENT_GIVEN };

/* What somebody consents to. */
struct consent {
	enum consent_kind       kind;
	const struct addr      *client;
	const struct authority *at;
	enum fault              fault; /* the gravest */
	uint16_t                kinds; /* all that is wrong: bits of enum cert_kind */
	const uint8_t          *print; /* PROFILE_PRINT bytes: of the certificate */
};

void consent_make(const uint8_t key[32], const struct consent *c, uint64_t now_s, char out[CONSENT_TEXT]);
bool consent_holds(const uint8_t key[32], const struct consent *c, uint64_t now_s, struct span text);
/* One step through the value of a Cookie field, our own cookie left out: what goes on to the server. *at starts at 0. */
bool consent_cookie_next(struct span value, size_t *at, struct span *pair);

/* The session's request goes to a server with a bad certificate: may it? False: answered. */
bool consent_pass(struct session *s);

#endif
