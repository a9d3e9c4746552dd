/* SPDX-License-Identifier: MIT */
/*
 * explain_question: a request as rules see it, from the words that describe it: its URL in the normal form, its fields read by the parser that reads live
 * ones. Whatever is wrong with the words is told in q->error, for the command line and for a line of a batch alike.
 */
#include <stdlib.h>

#include "base/clock.h"
#include "cli/explain.h"
#include "parse/octet.h"
#include "policy/rule.h"

bool
question_fail(struct question *q, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(q->error, sizeof q->error, fmt, ap);
	va_end(ap);
	return false;
}

/* --- one word --- */

static bool
set_client(struct question *q, const char *value)
{
	q->has_client = true;
	return addr_parse(span_str(value), &q->facts.client) || question_fail(q, "--client takes an IP address");
}

/* `nobody`, or "": a request without credentials. */
static bool
set_user(struct question *q, const char *value)
{
	struct span name = span_str(value);
	bool        nobody = span_eq(name, SPAN("nobody")) || name.n == 0, fine;

	fine = nobody ? !q->has_user : !q->is_nobody && who_read(name, &q->who);
	if (!nobody && !q->has_user)
		q->user = name;
	q->is_nobody |= nobody;
	q->has_user |= !nobody;
	return fine || question_fail(q, "--user takes CORP\\alice, alice@CORP.EXAMPLE or alice, or nobody alone; given again, another spelling of the same");
}

static bool
set_group(struct question *q, const char *value)
{
	if (q->who.n_groups == GROUPS_MOST || !*value)
		return question_fail(q, "--group takes a group such as 'CORP\\Proxy Users' or a SID, at most %d of them", GROUPS_MOST);
	q->group[q->who.n_groups++] = span_str(value);
	return true;
}

static bool
set_method(struct question *q, const char *value)
{
	q->method = span_str(value);
	return (octet_is_token(q->method) && q->method.n <= 1024) || question_fail(q, "--method takes a method such as GET");
}

static bool
set_address(struct question *q, const char *value)
{
	q->has_address = true;
	return addr_parse(span_str(value), &q->address) || question_fail(q, "--address takes an IP address");
}

static bool
set_listener(struct question *q, const char *value)
{
	q->listener = value;
	return true;
}

static bool
set_at(struct question *q, const char *value)
{
	return week_minute_read(span_str(value), &q->facts.week_minute) || question_fail(q, "--at takes a day and a time such as 'mon 09:00'");
}

static bool
set_header(struct question *q, const char *text)
{
	size_t n = strlen(text);

	if (!q->fields && !(q->fields = malloc(HEAD_MOST)))
		return question_fail(q, "out of memory");
	if (n > 2048 || n + 2 > HEAD_MOST / 2 - q->n_fields)
		return question_fail(q, "--header: that is too long");
	q->has_host |= n >= 5 && span_eq_nocase(span_of(text, 5), SPAN("host:"));
	memcpy(q->fields + q->n_fields, text, n);
	memcpy(q->fields + q->n_fields + n, "\r\n", 2);
	q->n_fields += n + 2;
	return true;
}

static bool
set_type(struct question *q, const char *value)
{
	q->facts.known |= FACT_RESPONSE;
	q->facts.response_type = span_str(value);
	return true;
}

static bool
set_tls(struct question *q, const char *value)
{
	q->facts.known |= FACT_ORIGIN;
	q->facts.origin_tls = strcmp(value, "1.3") == 0 ? 0x0304 : 0x0303;
	return strcmp(value, "1.2") == 0 || strcmp(value, "1.3") == 0 || question_fail(q, "--origin-tls takes 1.2 or 1.3");
}

static bool
set_strength(struct question *q, const char *value)
{
	uint32_t bits, last;

	q->facts.known |= FACT_ORIGIN;
	if (!port_item_read(span_str(value), &bits, &last) || bits != last)
		return question_fail(q, "--origin-strength takes a number of bits such as 128");
	q->facts.origin_strength = (uint16_t)bits;
	return true;
}

static bool
set_sni(struct question *q, const char *value)
{
	q->has_sni = *value != '\0';
	q->no_sni = !q->has_sni;
	if (q->has_sni && (!host_parse(span_str(value), &q->sni) || q->sni.kind != HOST_NAME))
		return question_fail(q, "--sni takes the name in the ClientHello, '' for none");
	return true;
}

static const struct {
	const char *name;
	bool      (*set)(struct question *q, const char *value);
} options[QUESTION_OPTIONS] = {
	[ASK_CLIENT] = {"client", set_client},
	[ASK_USER] = {"user", set_user},
	[ASK_GROUP] = {"group", set_group},
	[ASK_METHOD] = {"method", set_method},
	[ASK_ADDRESS] = {"address", set_address},
	[ASK_LISTENER] = {"listener", set_listener},
	[ASK_AT] = {"at", set_at},
	[ASK_HEADER] = {"header", set_header},
	[ASK_TYPE] = {"content-type", set_type},
	[ASK_TLS] = {"origin-tls", set_tls},
	[ASK_STRENGTH] = {"origin-strength", set_strength},
	[ASK_SNI] = {"sni", set_sni},
	[ASK_TARGET] = {"target", question_take_target}, /* last: it is what the others go with */
};

const char *
question_option(enum question_option o)
{
	return options[o].name;
}

bool
question_set(struct question *q, enum question_option o, const char *value)
{
	return options[o].set(q, value);
}

void
question_init(struct question *q)
{
	memset(q, 0, sizeof *q);
	q->facts.client = addr_from_v4(0x7f000001);
	q->who.group = q->group;
	q->real_us = clock_real_us();
	q->facts.week_minute = policy_week_minute(q->real_us);
}

/* --- where it goes --- */

/* HOST:PORT, HOST, a bare IPv6 address, or a URL. */
static bool
place_read(struct question *q, const char *text)
{
	struct span s = span_str(text);
	struct addr addr;
	char        bracketed[ADDR_TEXT_MAX + 2];

	q->connect = true;
	if (strstr(text, "://")) {
		q->is_url = true;
		if (!url_parse(s, &q->url))
			return false;
		q->target = q->url.at;
		q->connect = q->url.scheme == SCHEME_HTTPS;
		return true;
	}
	if (addr_parse(s, &addr) && !addr_is_v4(&addr)) {
		snprintf(bracketed, sizeof bracketed, "[%s]", text);
		s = span_str(bracketed);
	}
	return authority_parse(s, &q->target);
}

/* Do the words go with each other? */
static bool
words_agree(struct question *q)
{
	if (q->is_url && q->url.scheme == SCHEME_OTHER)
		return question_fail(q, "only http and https are spoken here; the gateway would answer 501 (fault bad-scheme)");
	if (!q->is_url && q->method.n && !span_eq(q->method, SPAN("CONNECT")))
		return question_fail(q, "--method goes with http://HOST/ or https://HOST/; HOST:PORT is a CONNECT");
	if (q->is_url && span_eq(q->method, SPAN("CONNECT")))
		return question_fail(q, "--method CONNECT goes with HOST:PORT, not with a URL");
	if (!q->is_url && (q->n_fields || q->facts.known & (FACT_RESPONSE | FACT_ORIGIN)))
		return question_fail(q, "--header, --content-type and --origin-tls go with http://HOST/ or https://HOST/; nothing is read of a CONNECT");
	if (!q->connect && q->facts.known & FACT_ORIGIN)
		return question_fail(q, "--origin-tls and --origin-strength go with https://HOST/");
	if (!q->connect && (q->has_sni || q->no_sni))
		return question_fail(q, "--sni goes with HOST:PORT or https://HOST/; there is no TLS in the open");
	if (q->who.n_groups && !q->has_user)
		return question_fail(q, "--group goes with --user: who is in it?");
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

/* Url and head of a request that can be read. */
static bool
request_make(struct question *q)
{
	size_t room = url_normal_room(&q->url);

	q->url_text = malloc(room);
	q->head_text = malloc(HEAD_MOST);
	if (!q->url_text || !q->head_text)
		return question_fail(q, "out of memory");
	if (!url_normalise(&q->url, q->url_text, room, &q->facts.url) || !head_make(q))
		return question_fail(q, "--header takes a field such as 'User-Agent: curl/8.0': the gateway would answer 400 to this request");
	q->facts.head = &q->head;
	q->facts.known |= FACT_REQUEST;
	if (q->connect) {
		q->known_inside = q->facts.known & (FACT_REQUEST | FACT_RESPONSE | FACT_ORIGIN);
		q->facts.known &= ~q->known_inside;
	}
	return true;
}

bool
question_take_target(struct question *q, const char *text)
{
	if (q->facts.host)
		return question_fail(q, "one target at a time");
	if (!place_read(q, text))
		return question_fail(q, "the target is no host that could be asked for: the gateway would answer 400 (fault bad-target); say HOST:PORT, HOST or "
		                        "http://HOST/, without a user, and an address in full");
	if (!words_agree(q))
		return false;
	if (q->target.port == 0)
		q->target.port = q->connect ? 443 : 80;
	if (q->is_url)
		q->url.at = q->target;
	q->facts.host = &q->target.host;
	q->facts.port = q->target.port;
	q->facts.scheme = q->connect ? SCHEME_HTTPS : SCHEME_HTTP;
	if (q->method.n == 0)
		q->method = q->is_url ? SPAN("GET") : SPAN("CONNECT");
	q->facts.method = q->connect ? SPAN("CONNECT") : q->method;
	return !q->is_url || request_make(q);
}

void
question_clear(struct question *q)
{
	free(q->fields);
	free(q->head_text);
	free(q->url_text);
}
