/* SPDX-License-Identifier: MIT */
/*
 * explain_request: the request itself as rules see it: its URL in the normal form, its fields read by the parser that reads live ones.
 */
#include <stdlib.h>

#include "cli/explain.h"

bool
question_add_header(struct question *q, const char *text)
{
	size_t n = strlen(text);

	if (!q->fields && !(q->fields = malloc(HEAD_MOST))) {
		cli_usage_error("out of memory");
		return false;
	}
	if (n > 2048 || n + 2 > HEAD_MOST / 2 - q->n_fields) {
		cli_usage_error("--header: that is too long");
		return false;
	}
	q->has_host |= n >= 5 && span_eq_nocase(span_of(text, 5), SPAN("host:"));
	memcpy(q->fields + q->n_fields, text, n);
	memcpy(q->fields + q->n_fields + n, "\r\n", 2);
	q->n_fields += n + 2;
	return true;
}

static bool
head_make(struct question *q)
{
	const struct host *h = &q->target.host;
	bool               v6 = h->kind == HOST_ADDR && !addr_is_v4(&h->addr);
	size_t             used;
	enum fault         fault;
	int                n;

	n = snprintf(q->head_text, HEAD_MOST, "%.*s %s HTTP/1.1\r\n", SPAN_ARG(q->method), "/");
	if (!q->has_host)
		n += snprintf(q->head_text + n, HEAD_MOST - (size_t)n, v6 ? "Host: [%s]\r\n" : "Host: %s\r\n", h->text);
	n += snprintf(q->head_text + n, HEAD_MOST - (size_t)n, "%.*s\r\n", (int)q->n_fields, q->n_fields ? q->fields : "");
	return n < HEAD_MOST && head_parse_request(span_of(q->head_text, (size_t)n), 0, &q->head, &used, &fault) == PARSE_OK && used == (size_t)n;
}

int
question_read(struct question *q)
{
	size_t room = url_normal_room(&q->url);

	if (!q->is_url)
		return CLI_FINE;
	q->url_text = malloc(room);
	q->head_text = malloc(HEAD_MOST);
	if (!q->url_text || !q->head_text)
		return cli_usage_error("out of memory");
	if (!url_normalise(&q->url, q->url_text, room, &q->facts.url) || q->method.n > 1024 || !head_make(q))
		return cli_usage_error("--header takes a field such as 'User-Agent: curl/8.0': the gateway would answer 400 to this request");
	q->facts.head = &q->head;
	q->facts.known |= FACT_REQUEST;
	if (q->connect) {
		q->known_inside = q->facts.known & (FACT_REQUEST | FACT_RESPONSE | FACT_ORIGIN);
		q->facts.known &= ~q->known_inside;
	}
	return CLI_FINE;
}

void
question_go_inside(struct question *q, const struct policy *p)
{
	struct facts   f = q->facts;
	struct verdict v;

	/* who asks is known inside only when the CONNECT was asked */
	f.known &= ~FACT_USER;
	if (policy_decide(p, &f, &v) == POLICY_VERDICT) {
		q->nobody_asked = true;
		q->facts.known &= ~FACT_USER;
	}
	q->facts.known |= q->known_inside;
	q->facts.method = q->method;
}

void
question_clear(struct question *q)
{
	free(q->fields);
	free(q->head_text);
	free(q->url_text);
}
