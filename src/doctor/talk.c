/* SPDX-License-Identifier: MIT */
#include "doctor/talk.h"

#include <stdlib.h>
#include <string.h>

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
