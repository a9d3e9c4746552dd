/* SPDX-License-Identifier: MIT */
#include "doctor/talk.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "base/clock.h"
#include "parse/authority.h"

void
talk_place(const struct attempt *a, bool always, char *out, size_t n)
{
	bool usual = a->target->port == (a->target->scheme == SCHEME_HTTP ? 80 : 443);
	bool six = a->host.kind == HOST_ADDR && !addr_is_v4(&a->host.addr);
	char port[8] = "";

	if (always || !usual)
		snprintf(port, sizeof port, ":%u", a->target->port);
	snprintf(out, n, "%s%s%s%s", six ? "[" : "", a->host.text, six ? "]" : "", port);
}

void
talk_clear(struct attempt *a)
{
	if (a->buf)
		explicit_bzero(a->buf, a->room); /* it may have held credentials */
	free(a->buf);
	a->buf = NULL;
}

bool
talk_begin(struct attempt *a, const char *head, const char *authorization)
{
	static const char field[] = "Proxy-Authorization: ";
	size_t            n = strlen(head) + (authorization ? sizeof field + strlen(authorization) + 2 : 0) + 3;

	if (a->buf && a->room < n)
		talk_clear(a);
	if (!a->buf) {
		a->room = n > TALK_ANSWER_MOST ? n : TALK_ANSWER_MOST;
		a->buf = malloc(a->room);
	}
	if (!a->buf)
		return false;
	a->n_out = (size_t)snprintf(a->buf, a->room, "%s%s%s%s\r\n", head, authorization ? field : "", authorization ? authorization : "", authorization ? "\r\n" : "");
	a->at_out = a->n_in = a->seen = 0;
	return true;
}

enum cord_answer
talk_send(struct attempt *a)
{
	enum cord_answer w = CORD_DONE;
	size_t           put;

	while (a->at_out < a->n_out && w == CORD_DONE) {
		w = cord_write(&a->cord, a->buf + a->at_out, a->n_out - a->at_out, &put);
		a->at_out += put;
	}
	return w;
}

enum talk_came
talk_read(struct attempt *a, struct head *h, size_t *used)
{
	for (;;) {
		enum cord_answer  w;
		enum parse_result r;
		enum fault        fault;
		size_t            got;
		if (a->n_in == TALK_ANSWER_MOST)
			return TALK_RUBBISH;
		w = cord_read(&a->cord, a->buf + a->n_in, TALK_ANSWER_MOST - a->n_in, &got);
		if (w == CORD_WAITS)
			return TALK_MORE;
		if (w != CORD_DONE)
			return TALK_NOTHING;
		a->n_in += got;
		while ((r = head_parse_response(span_of(a->buf, a->n_in), a->seen, h, used, &fault)) == PARSE_OK && h->status / 100 == 1) {
			memmove(a->buf, a->buf + *used, a->n_in - *used); /* 100 Continue and the like: the answer is yet to come */
			a->n_in -= *used;
			a->seen = 0;
		}
		if (r == PARSE_OK)
			return TALK_HEAD;
		if (r == PARSE_BAD)
			return TALK_RUBBISH;
		a->seen = a->n_in;
	}
}

void
talk_reason(const struct head *h, char *out, size_t n)
{
	struct field f;
	size_t       used = (size_t)snprintf(out, n, "%u %.*s", h->status, (int)(h->reason.n < 40 ? h->reason.n : 40), h->reason.p);

	for (size_t at = 0; used < n && head_field_next(h, &at, &f);)
		if (f.id == FIELD_PROXY_STATUS || (f.id == FIELD_PROXY_AUTHENTICATE && h->status == 407))
			used += (size_t)snprintf(out + used, n - used, "; %.*s", (int)(f.value.n < 100 ? f.value.n : 100), f.value.p);
	for (char *c = out; *c; c++)
		if (*c < 0x20 || *c > 0x7e)
			*c = '?';
}

/* --- what stands between --- */

#define CLOCK_OFF_S 3600 /* what is worth saying */

static struct span
field_find(const struct head *h, const char *name)
{
	struct field f;

	for (size_t at = 0; head_field_next(h, &at, &f);)
		if (f.name.n == strlen(name) && strncasecmp(f.name.p, name, f.name.n) == 0)
			return f.value;
	return SPAN("");
}

/* RFC 9110 5.6.7, the form that servers must send. */
static void
clock_tell(const struct head *h, char *out, size_t n)
{
	struct span date = field_find(h, "Date");
	struct tm   tm = {0};
	char        text[40];
	int64_t     off;

	if (date.n == 0 || date.n >= sizeof text)
		return;
	memcpy(text, date.p, date.n);
	text[date.n] = '\0';
	if (!strptime(text, "%a, %d %b %Y %H:%M:%S GMT", &tm))
		return;
	off = (int64_t)timegm(&tm) - (int64_t)(clock_real_us() / 1000000);
	if (off > CLOCK_OFF_S || off < -CLOCK_OFF_S)
		snprintf(out, n, "; by the server's clock ours is %lld %s %s", (long long)(llabs(off) / (llabs(off) < 172800 ? 3600 : 86400)),
		    llabs(off) < 172800 ? "h" : "days", off > 0 ? "slow" : "fast");
}

/* The host of an absolute URL; empty: there is none. */
static struct span
url_host(struct span url)
{
	const char *at = memmem(url.p, url.n, "://", 3);
	size_t      n = 0;

	if (!at)
		return SPAN("");
	at += 3;
	while (at + n < url.p + url.n && !strchr("/:?#@", at[n]))
		n++;
	return span_of(at, n);
}

void
talk_between(const struct head *h, const struct host *host, bool plain, bool expired, char *out, size_t n, bool *portal)
{
	struct span to;

	out[0] = '\0';
	*portal = plain && h->status == 511; /* RFC 6585 6 */
	if (expired) {
		clock_tell(h, out, n);
	} else if (*portal) {
		snprintf(out, n, "511: something on the way wants a log-on");
	} else if (plain && h->status / 100 == 3) {
		to = url_host(field_find(h, "Location"));
		if (to.n && !(to.n == host->n && strncasecmp(to.p, host->text, to.n) == 0))
			snprintf(out, n, "%u to %.*s: a portal, unless that is Microsoft's", h->status, (int)(to.n < 100 ? to.n : 100), to.p);
	}
	for (char *c = out; *c; c++)
		if (*c < 0x20 || *c > 0x7e)
			*c = '?';
}
