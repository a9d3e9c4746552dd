/* SPDX-License-Identifier: MIT */
#include "session/consent.h"

#include <nettle/hmac.h>
#include <nettle/memops.h>
#include <stdio.h>

#include "base/clock.h"
#include "session/compose.h"
#include "session/inside.h"
#include "session/session.h"

#define URL_MOST 4096u /* of path and query; longer ones get the page without the button */

/* --- tokens --- */

static void
update(struct hmac_sha256_ctx *h, const void *p, size_t n)
{
	hmac_sha256_update(h, n, p);
}

/* Every part has a fixed length or ends in a NUL that it cannot hold, so no two meanings have the same bytes. */
static void
digest_of(const uint8_t key[32], const struct consent *c, uint64_t until_s, uint8_t out[SHA256_DIGEST_SIZE])
{
	struct hmac_sha256_ctx h;
	uint8_t                kind = c->kind;
	const char            *word = fault_row(c->fault)->word;

	hmac_sha256_set_key(&h, 32, key);
	update(&h, &kind, 1);
	update(&h, &until_s, sizeof until_s);
	update(&h, c->client->b, sizeof c->client->b);
	update(&h, &c->at->port, sizeof c->at->port);
	update(&h, c->at->host.text, strlen(c->at->host.text) + 1);
	update(&h, word, strlen(word) + 1);
	update(&h, &c->kinds, sizeof c->kinds);
	update(&h, c->print, PROFILE_PRINT);
	hmac_sha256_digest(&h, SHA256_DIGEST_SIZE, out);
	explicit_bzero(&h, sizeof h);
}

static void
put_hex(char *out, const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		out[2 * i] = "0123456789abcdef"[p[i] >> 4];
		out[2 * i + 1] = "0123456789abcdef"[p[i] & 15];
	}
}

void
consent_make(const uint8_t key[32], const struct consent *c, uint64_t now_s, char out[CONSENT_TEXT])
{
	uint64_t until = now_s + CONSENT_SECONDS;
	uint8_t  digest[SHA256_DIGEST_SIZE], big[8];

	for (unsigned i = 0; i < 8; i++)
		big[i] = (uint8_t)(until >> (56 - 8 * i));
	put_hex(out, big, sizeof big);
	digest_of(key, c, until, digest);
	put_hex(out + 16, digest, sizeof digest);
}

bool
consent_holds(const uint8_t key[32], const struct consent *c, uint64_t now_s, struct span text)
{
	uint64_t until = 0;
	uint8_t  digest[SHA256_DIGEST_SIZE];
	char     right[2 * SHA256_DIGEST_SIZE];

	if (text.n != CONSENT_TEXT)
		return false;
	for (unsigned i = 0; i < 16; i++) {
		const char *digits = "0123456789abcdef", *at = memchr(digits, text.p[i], 16);
		if (!at)
			return false;
		until = until << 4 | (uint64_t)(at - digits);
	}
	if (until <= now_s || until > now_s + CONSENT_SECONDS)
		return false;
	digest_of(key, c, until, digest);
	put_hex(right, digest, sizeof digest);
	return memeql_sec(right, text.p + 16, sizeof right);
}

/* --- cookies --- */

static bool
pair_next(struct span value, size_t *at, struct span *pair)
{
	while (*at < value.n) {
		const char *start = value.p + *at, *end = memchr(start, ';', value.n - *at);
		size_t      n = end ? (size_t)(end - start) : value.n - *at;

		*at += n + (end != NULL);
		while (n && (*start == ' ' || *start == '\t'))
			start++, n--;
		while (n && (start[n - 1] == ' ' || start[n - 1] == '\t'))
			n--;
		*pair = span_of(start, n);
		if (n)
			return true;
	}
	return false;
}

static bool
is_ours(struct span pair)
{
	const size_t n = sizeof CONSENT_COOKIE - 1;

	return pair.n > n && pair.p[n] == '=' && memcmp(pair.p, CONSENT_COOKIE, n) == 0;
}

bool
consent_cookie_next(struct span value, size_t *at, struct span *pair)
{
	while (pair_next(value, at, pair))
		if (!is_ours(*pair))
			return true;
	return false;
}

/* --- the request at hand --- */

static struct consent
consent_of(const struct session *s, enum consent_kind kind)
{
	return (struct consent){.kind = kind, .client = &s->peer.addr, .at = &s->inside->at, .fault = s->inside->profile->fault,
	    .kinds = s->inside->profile->kinds, .print = s->inside->profile->print};
}

static bool
has_given(const struct session *s, uint64_t now_s)
{
	struct consent c = consent_of(s, CONSENT_GIVEN);
	struct field   f;
	struct span    pair;
	const size_t   n = sizeof CONSENT_COOKIE;

	for (size_t at = 0; head_field_next(&s->req->head, &at, &f);) {
		if (!span_eq_nocase(f.name, SPAN("cookie")))
			continue;
		for (size_t in = 0; pair_next(f.value, &in, &pair);)
			if (is_ours(pair) && consent_holds(s->gw->shared->consent_key, &c, now_s, span_of(pair.p + n, pair.n - n)))
				return true;
	}
	return false;
}

/* Its value; null: it is not there. */
static struct span
field_value(const struct head *h, struct span name)
{
	struct field f;

	for (size_t at = 0; head_field_next(h, &at, &f);)
		if (span_eq_nocase(f.name, name))
			return f.value;
	return (struct span){NULL, 0};
}

/* Would a person see the answer as a page? */
static bool
is_navigation(const struct head *h)
{
	struct span mode = field_value(h, SPAN("sec-fetch-mode")), accept = field_value(h, SPAN("accept"));

	if (h->method_id != METHOD_GET)
		return false;
	return mode.p ? span_eq(mode, SPAN("navigate")) : accept.n && memmem(accept.p, accept.n, "text/html", 9) != NULL;
}

/* Was the button of our page pressed? Then the query without what the button added goes to *query. */
static bool
is_pressed(const struct session *s, uint64_t now_s, struct span *query)
{
	const struct request *r = s->req;
	struct consent        c = consent_of(s, CONSENT_OFFER);
	struct span           site = field_value(&r->head, SPAN("sec-fetch-site")), q = r->url.query;
	const size_t          n = sizeof CONSENT_FIELD "=" - 1 + CONSENT_TEXT; /* the field is the last one */

	if (r->head.method_id != METHOD_POST || (r->head.body != BODY_NONE && r->head.length > 0) || r->head.body == BODY_CHUNKED || q.n < n ||
	    (site.p && !span_eq(site, SPAN("same-origin"))))
		return false;
	*query = span_of(q.p, q.n - n);
	if (memcmp(q.p + query->n, CONSENT_FIELD "=", sizeof CONSENT_FIELD) != 0 || (query->n && query->p[--query->n] != '&'))
		return false;
	return consent_holds(s->gw->shared->consent_key, &c, now_s, span_of(q.p + q.n - CONSENT_TEXT, CONSENT_TEXT));
}

/* The request's own URL, absolute, so that no path can be read as another host; up to the query. */
static void
put_url(struct compose *o, const struct request *r)
{
	put(o, SPAN("https://"));
	put_authority(o, &r->at, 443);
	put(o, r->url.path.n ? r->url.path : SPAN("/"));
}

static void
go_on(struct session *s, uint64_t now_s, struct span query)
{
	struct consent c = consent_of(s, CONSENT_GIVEN);
	char           url[URL_MOST + 512], cookie[CONSENT_TEXT + 128], token[CONSENT_TEXT];
	struct compose o = {.p = url, .room = sizeof url};
	int            n;

	put_url(&o, s->req);
	if (query.n) {
		put(&o, SPAN("?"));
		put(&o, query);
	}
	consent_make(s->gw->shared->consent_key, &c, now_s, token);
	n = snprintf(cookie, sizeof cookie, "Set-Cookie: " CONSENT_COOKIE "=%.*s; Path=/; Max-Age=%u; Secure; HttpOnly; SameSite=Lax\r\n", (int)CONSENT_TEXT, token,
	    CONSENT_SECONDS);
	if (o.full)
		reply_fault(s, s->inside->profile->fault); /* such an address was not offered */
	else
		reply_elsewhere(s, FAULT_CONSENTED, fault_row(FAULT_CONSENTED)->status, compose_span(&o), span_of(cookie, (size_t)n));
}

static void
offer(struct session *s, uint64_t now_s)
{
	struct request *r = s->req;
	struct consent  c = consent_of(s, CONSENT_OFFER);
	char            url[URL_MOST + 512], token[CONSENT_TEXT];
	struct compose  o = {.p = url, .room = sizeof url};

	put_url(&o, r);
	put(&o, SPAN("?"));
	if (r->url.query.n) {
		put(&o, r->url.query);
		put(&o, SPAN("&"));
	}
	put(&o, SPAN(CONSENT_FIELD "="));
	consent_make(s->gw->shared->consent_key, &c, now_s, token);
	put(&o, span_of(token, sizeof token));
	if (o.full)
		reply_fault(s, c.fault);
	else
		reply_warning(s, c.fault, compose_span(&o));
}

bool
consent_pass(struct session *s)
{
	uint64_t    now_s = clock_real_us() / 1000000;
	struct span query;

	if (has_given(s, now_s))
		return true;
	if (is_pressed(s, now_s, &query))
		go_on(s, now_s, query);
	else if (is_navigation(&s->req->head))
		offer(s, now_s);
	else
		reply_fault(s, s->inside->profile->fault);
	return false;
}
