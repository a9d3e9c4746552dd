/* SPDX-License-Identifier: MIT */
#include "doctor/attempt.h"

#include <openssl/ssl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "doctor/talk.h"
#include "parse/authority.h"
#include "policy/egress.h"

#define NOT_COME_TO  UINT32_MAX
#define REQUEST_MOST 1600u /* a host is named at most twice */
#define CLIENTS      ": is this machine among the listener's clients?"
static void go_on(struct attempt *a);

/* --- the end, and the steps --- */

void
attempt_clear(struct attempt *a)
{
	timer_clear(&a->timer);
	watch_clear(&a->watch);
	if (a->job)
		resolve_job_cancel(a->job);
	if (a->dial)
		dial_cancel(a->dial);
	a->job = NULL;
	a->dial = NULL;
	talk_clear(a);
	cord_clear(&a->cord);
}

/* What the certificate was found guilty of stays the worst thing, whatever comes later. */
static void
finish(struct attempt *a, enum doctor_fault fault, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
static void
finish(struct attempt *a, enum doctor_fault fault, const char *fmt, ...)
{
	va_list ap;

	if (a->row.fault == DOCTOR_OK) {
		a->row.fault = (uint8_t)fault;
		if (fault != DOCTOR_OK) {
			va_start(ap, fmt);
			vsnprintf(a->row.detail, sizeof a->row.detail, fmt, ap);
			va_end(ap);
		}
	}
	a->is_over = true;
	attempt_clear(a);
	a->done(a);
}

static uint32_t
elapsed_ms(const struct attempt *a)
{
	return (uint32_t)((loop_now_us(a->run->loop) - a->since_us) / 1000);
}

static void
step_begin(struct attempt *a, enum doctor_step step)
{
	a->row.step = (uint8_t)step;
	a->since_us = loop_now_us(a->run->loop);
	timer_set(a->run->loop, &a->timer, a->run->set->timeout_ms);
}

static void
connected_to_proxy_failed(struct attempt *a, const char *what)
{
	finish(a, DOCTOR_PROXY_DOWN, "%s %s: %s", a->proxy->name ? a->proxy->name : doctor_way_word(a->row.way), a->proxy->host ? a->proxy->host : "", what);
}

static void names_settled(struct attempt *a);
static void dial_failed(struct attempt *a, enum fault fault);
static void dial_go(struct attempt *a);
static void proxy_begin(struct attempt *a);
static void tls_begin(struct attempt *a);
static void http_begin(struct attempt *a);

static void
on_timeout(void *arg)
{
	struct attempt *a = arg;

	switch (a->row.step) {
	case DOCTOR_STEP_DNS:
		if (!a->looked_up) /* else only where the CNAMEs lead to was still open */
			a->dns_fault = FAULT_DNS_TIMEOUT;
		names_settled(a);
		break;
	case DOCTOR_STEP_TCP:
		dial_failed(a, FAULT_CONNECT_TIMEOUT);
		break;
	case DOCTOR_STEP_PROXY:
		if (a->shaking_proxy)
			connected_to_proxy_failed(a, "no TLS handshake in time");
		else
			finish(a, DOCTOR_PROXY_FAILED, "no answer to CONNECT in time");
		break;
	case DOCTOR_STEP_TLS:
		finish(a, DOCTOR_TLS_FAILED, "the TLS handshake does not end in time");
		break;
	default:
		finish(a, DOCTOR_HTTP_FAILED, a->n_in ? "the HTTP answer does not end in time" : "no HTTP answer in time");
	}
}

/* --- DNS --- */

static void
dns_failed(struct attempt *a)
{
	const char *what = a->dns_fault == FAULT_DNS_NXDOMAIN     ? "the name does not exist"
			   : a->dns_fault == FAULT_DNS_NO_ADDRESS ? "the name has no address"
			   : a->dns_fault == FAULT_DNS_TIMEOUT    ? "no answer from the DNS in time"
			   : a->dns_fault == FAULT_DNS_REFUSED     ? "the DNS server refuses to answer"
			   : a->dns_fault == FAULT_DNS_UNREACHABLE ? "the DNS server cannot be reached"
								  : "the DNS server says that it failed";

	if (a->proxy)
		connected_to_proxy_failed(a, what);
	else if (a->dns_fault == FAULT_DNS_NXDOMAIN || a->dns_fault == FAULT_DNS_NO_ADDRESS)
		finish(a, DOCTOR_NO_SUCH_NAME, "%s", what);
	else
		finish(a, DOCTOR_DNS_FAILED, "%s", what);
}

/* Keep those that the gateway itself would connect to. */
static void
addresses_take(struct attempt *a, const struct addr *v, unsigned n)
{
	const struct snapshot *snap = a->run->set->snap;
	const struct egress   *e = egress_at(snap->block, snap->set->egress);

	a->row.addresses = (uint8_t)(n < UINT8_MAX ? n : UINT8_MAX);
	for (unsigned i = 0; i < n; i++) {
		if (i == 0 || !a->n_addrs) {
			a->row.has_address = true;
			a->row.address = v[i];
		}
		if (a->n_addrs < DIAL_ADDRS_MAX && (a->proxy || egress_allows(e, &v[i])))
			a->addr[a->n_addrs++] = v[i];
	}
}

static void
names_settled(struct attempt *a)
{
	char text[ADDR_TEXT_MAX];

	if (a->dns_fault != FAULT_NONE)
		dns_failed(a);
	else if (a->n_addrs)
		dial_go(a);
	else {
		addr_print(&a->row.address, text);
		finish(a, DOCTOR_PRIVATE_ADDRESS, "the name leads to %s, where the gateway may not connect to", text);
	}
}

static void
on_resolved(void *arg, enum fault fault, struct resolved *r)
{
	struct attempt *a = arg;

	a->job = NULL;
	a->looked_up = true;
	a->row.dns_ms = elapsed_ms(a);
	a->dns_fault = fault;
	if (fault == FAULT_NONE && r) {
		addresses_take(a, r->addr, r->n);
		resolved_unref(r);
	}
	if (!a->asking || fault_failure(fault) == FAILURE_DNS)
		names_settled(a);
}

/* Perhaps from inside question_ask, and long after the attempt is over. */
static void
on_chain_end(struct question *q, enum fault fault)
{
	struct attempt *a = (struct attempt *)((char *)q - offsetof(struct attempt, question));

	(void)fault;
	a->asking = false;
	if (a->is_over || a->row.step != DOCTOR_STEP_DNS)
		return;
	memcpy(a->row.cname, a->chain_end, sizeof a->row.cname);
	if (a->looked_up)
		names_settled(a);
}

static void
look_up(struct attempt *a, struct span name)
{
	enum fault       fault;
	struct resolved *known = resolver_cached(a->run->resolver, name, &fault);

	if (known) {
		on_resolved(a, FAULT_NONE, known);
		return;
	}
	a->job = resolver_start(a->run->resolver, name, on_resolved, a);
	if (!a->job) {
		finish(a, DOCTOR_DNS_FAILED, "out of memory");
		return;
	}
	if (a->proxy)
		return;
	a->asking = true;
	a->question = (struct question){.fn = on_chain_end, .name = a->target->host, .type = DNS_TYPE_A, .chain_end = a->chain_end};
	question_ask(a->run->upstream, &a->question);
}

/* --- TCP --- */

static void
on_event(void *arg, unsigned what)
{
	(void)what;
	go_on(arg);
}

static void
dial_failed(struct attempt *a, enum fault fault)
{
	enum doctor_fault f = fault == FAULT_CONNECT_REFUSED ? DOCTOR_REFUSED : fault == FAULT_CONNECT_TIMEOUT ? DOCTOR_TIMEOUT : DOCTOR_UNREACHABLE;
	char              text[ADDR_TEXT_MAX], many[60] = "";

	addr_print(&a->row.address, text);
	if (a->row.addresses > 1)
		snprintf(many, sizeof many, "none of %u of its %u addresses can be connected to; ", a->n_addrs, a->row.addresses);
	finish(a, a->proxy ? DOCTOR_PROXY_DOWN : f, "%s%s port %u: %s", many, text, a->proxy ? a->proxy->at.port : a->target->port,
	    f == DOCTOR_REFUSED ? "the connection is refused" : f == DOCTOR_TIMEOUT ? "nothing comes back" : "no way there");
}

static void
on_dialled(void *arg, enum fault fault, int fd, const struct addr *to)
{
	struct attempt *a = arg;

	a->dial = NULL;
	if (to) {
		a->row.has_address = true;
		a->row.address = *to;
	}
	if (fault != FAULT_NONE) {
		dial_failed(a, fault);
		return;
	}
	a->row.tcp_ms = elapsed_ms(a);
	a->cord.fd = fd;
	if (!watch_init(&a->watch, a->run->loop, fd, WATCH_READ | WATCH_WRITE | WATCH_CLOSED, on_event, a))
		finish(a, DOCTOR_UNREACHABLE, "out of memory");
	else if (a->proxy)
		proxy_begin(a);
	else if (a->target->scheme == SCHEME_HTTP)
		http_begin(a);
	else
		tls_begin(a);
}

static void
dial_go(struct attempt *a)
{
	step_begin(a, DOCTOR_STEP_TCP);
	a->dial = dial_start(
	    a->run->loop, a->addr, a->n_addrs, a->proxy ? a->proxy->at.port : a->target->port, NULL, a->run->set->timeout_ms, on_dialled, a);
	if (!a->dial)
		finish(a, DOCTOR_UNREACHABLE, "out of memory");
}

/* --- a proxy --- */

/* Sends a request's head, to which what the proxy wants to know of us is added. */
static void ask(struct attempt *a, bool log_on, enum doctor_fault failed, const char *fmt, ...) __attribute__((format(printf, 4, 5)));
static void
ask(struct attempt *a, bool log_on, enum doctor_fault failed, const char *fmt, ...)
{
	char    text[REQUEST_MOST], why[180];
	char   *token = log_on && a->proxy->token ? a->proxy->token(a->proxy->token_arg, why, sizeof why) : NULL;
	bool    begun;
	va_list ap;

	if (log_on && a->proxy->token && !token) {
		a->row.step = DOCTOR_STEP_PROXY;
		finish(a, DOCTOR_NO_TICKET, "%s", why);
		return;
	}
	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	begun = talk_begin(a, text, token ? token : log_on ? a->proxy->authorization : NULL);
	if (token)
		explicit_bzero(token, strlen(token));
	free(token);
	if (!begun)
		finish(a, failed, "out of memory");
	else
		go_on(a);
}

static void
connect_begin(struct attempt *a)
{
	char place[300];

	a->shaking_proxy = false;
	if (a->target->scheme == SCHEME_HTTP) {
		http_begin(a);
		return;
	}
	talk_place(a, true, place, sizeof place);
	ask(a, true, DOCTOR_PROXY_FAILED, "CONNECT %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: postern-doctor\r\n", place, place);
}

static void
proxy_begin(struct attempt *a)
{
	struct host name = {.kind = HOST_ADDR};

	step_begin(a, DOCTOR_STEP_PROXY);
	if (!a->proxy->tls) {
		connect_begin(a);
		return;
	}
	if (a->proxy->host)
		host_parse(span_str(a->proxy->host), &name);
	a->shaking_proxy = true;
	if (!cord_begin_tls(&a->cord, a->run->tls, &name))
		finish(a, DOCTOR_PROXY_FAILED, "out of memory");
	else
		go_on(a);
}

/* A status of the proxy's own. */
static void
proxy_says(struct attempt *a, const struct head *h)
{
	enum doctor_fault f = h->status == 407 ? DOCTOR_PROXY_AUTH : h->status >= 500 ? DOCTOR_PROXY_FAILED : DOCTOR_PROXY_REFUSED;
	char              reason[160];

	a->row.step = DOCTOR_STEP_PROXY;
	a->row.status = h->status;
	talk_reason(h, reason, sizeof reason);
	/* the gateway's own name servers lead there, or its hosts file */
	if (a->row.way == DOCTOR_GATEWAY && strstr(reason, "details=\"egress-denied\""))
		f = DOCTOR_PRIVATE_ADDRESS;
	finish(a, f, "%s%s", reason, f == DOCTOR_PROXY_AUTH && (a->proxy->authorization || a->proxy->token) ? "; it was shown ours" : "");
}

static void
connect_answered(struct attempt *a, const struct head *h, size_t used)
{
	a->row.proxy_ms = elapsed_ms(a);
	if (h->status / 100 != 2) {
		proxy_says(a, h);
	} else if (used < a->n_in) {
		a->row.step = DOCTOR_STEP_TLS;
		finish(a, DOCTOR_NOT_TLS, "the server speaks before it is spoken to");
	} else {
		tls_begin(a);
	}
}

static void
proxy_go(struct attempt *a)
{
	enum doctor_fault ignored;
	struct head       h;
	size_t            used;
	char              why[160];

	if (a->shaking_proxy) {
		switch (cord_shake(&a->cord, &ignored, why, sizeof why)) {
		case CORD_DONE:
			connect_begin(a);
			return;
		case CORD_WAITS:
			return;
		default:
			connected_to_proxy_failed(a, why);
			return;
		}
	}
	switch (talk_send(a)) {
	case CORD_DONE:
		break;
	case CORD_WAITS:
		return;
	default:
		finish(a, DOCTOR_PROXY_FAILED, "it closes the connection before it is asked%s", a->row.way == DOCTOR_GATEWAY ? CLIENTS : "");
		return;
	}
	switch (talk_read(a, &h, &used)) {
	case TALK_HEAD:
		connect_answered(a, &h, used);
		break;
	case TALK_MORE:
		break;
	case TALK_NOTHING:
		finish(a, DOCTOR_PROXY_FAILED, "it closes the connection without an answer to CONNECT%s", a->row.way == DOCTOR_GATEWAY ? CLIENTS : "");
		break;
	case TALK_RUBBISH:
		finish(a, DOCTOR_PROXY_FAILED, "its answer to CONNECT is no HTTP, or longer than %u bytes", TALK_ANSWER_MOST);
	}
}

/* --- TLS and HTTP --- */

static void
tls_begin(struct attempt *a)
{
	step_begin(a, DOCTOR_STEP_TLS);
	if (!cord_begin_tls(&a->cord, a->run->tls, &a->host))
		finish(a, DOCTOR_TLS_FAILED, "out of memory");
	else
		go_on(a);
}

/* Some endpoints want a certificate that devices have and we do not, and end it there: then they were reached, and what they showed is judged. */
static bool
wants_ours(struct attempt *a)
{
	SSL *ssl = a->cord.inner ? a->cord.inner : a->cord.outer;

	if (!ssl || !a->cord.asked || !SSL_get0_peer_certificate(ssl))
		return false;
	if (a->row.step == DOCTOR_STEP_TLS) {
		a->row.tls_ms = elapsed_ms(a);
		chain_judge(a->run->ground, ssl, &a->host, &a->row);
	}
	if (a->row.fault == DOCTOR_OK)
		snprintf(a->row.detail, sizeof a->row.detail, "reached; it wants a certificate of the device's, and ends the connection without one");
	finish(a, DOCTOR_OK, "%s", "");
	return true;
}

static void
tls_go(struct attempt *a)
{
	enum doctor_fault fault = DOCTOR_TLS_FAILED;
	char              why[160];

	switch (cord_shake(&a->cord, &fault, why, sizeof why)) {
	case CORD_DONE:
		a->row.tls_ms = elapsed_ms(a);
		chain_judge(a->run->ground, a->cord.inner ? a->cord.inner : a->cord.outer, &a->host, &a->row);
		http_begin(a);
		return;
	case CORD_WAITS:
		return;
	default:
		if (!wants_ours(a))
			finish(a, fault, "%s", why);
	}
}

static void
http_begin(struct attempt *a)
{
	bool plain = a->proxy && a->target->scheme == SCHEME_HTTP;
	char place[300];

	step_begin(a, DOCTOR_STEP_HTTP);
	talk_place(a, false, place, sizeof place);
	ask(a, plain, DOCTOR_HTTP_FAILED, "GET %s%s/ HTTP/1.1\r\nHost: %s\r\nUser-Agent: postern-doctor\r\nAccept: */*\r\nConnection: close\r\n", plain ? "http://" : "",
	    plain ? place : "", place);
}

static bool
was_slow(const struct attempt *a)
{
	const uint32_t *ms[] = {&a->row.dns_ms, &a->row.tcp_ms, &a->row.proxy_ms, &a->row.tls_ms, &a->row.http_ms};
	uint64_t        half = a->run->set->timeout_ms / 2;

	for (size_t i = 0; i < sizeof ms / sizeof *ms; i++)
		if (*ms[i] != NOT_COME_TO && *ms[i] > half)
			return true;
	return false;
}

/* Any answer will do: what these servers think of GET / is not what is asked here. */
static void
http_answered(struct attempt *a, const struct head *h)
{
	bool plain = a->target->scheme == SCHEME_HTTP, portal;
	char between[160];

	a->row.http_ms = elapsed_ms(a);
	a->row.status = h->status;
	if (a->proxy && plain && h->status == 407) {
		proxy_says(a, h);
		return;
	}
	talk_between(h, &a->host, plain, a->row.fault == DOCTOR_EXPIRED, between, sizeof between, &portal);
	if (portal) {
		finish(a, DOCTOR_HTTP_FAILED, "%s", between);
		return;
	}
	/* is it the proxy that says so? Doctor compares with what came directly. */
	if (a->proxy && plain && h->status >= 400)
		talk_reason(h, a->row.detail, sizeof a->row.detail);
	else
		snprintf(a->row.detail + strlen(a->row.detail), sizeof a->row.detail - strlen(a->row.detail), "%s", between);
	a->row.step = DOCTOR_STEP_DONE;
	if (a->row.fault == DOCTOR_OK && was_slow(a))
		finish(a, DOCTOR_SLOW, "a step took longer than half of the %u ms it may take", (unsigned)a->run->set->timeout_ms);
	else
		finish(a, DOCTOR_OK, "%s", "");
}

static void
http_go(struct attempt *a)
{
	struct head h;
	size_t      used;

	switch (talk_send(a)) {
	case CORD_DONE:
		break;
	case CORD_WAITS:
		return;
	default:
		if (!wants_ours(a))
			finish(a, DOCTOR_HTTP_FAILED, "it closes the connection before it is asked");
		return;
	}
	switch (talk_read(a, &h, &used)) {
	case TALK_HEAD:
		http_answered(a, &h);
		break;
	case TALK_MORE:
		break;
	case TALK_NOTHING:
		if (!wants_ours(a))
			finish(a, DOCTOR_HTTP_FAILED, "it closes the connection without an HTTP answer");
		break;
	case TALK_RUBBISH:
		finish(a, DOCTOR_HTTP_FAILED, "its answer is no HTTP, or has a header longer than %u bytes", TALK_ANSWER_MOST);
	}
}

static void
go_on(struct attempt *a)
{
	switch (a->row.step) {
	case DOCTOR_STEP_PROXY:
		proxy_go(a);
		break;
	case DOCTOR_STEP_TLS:
		tls_go(a);
		break;
	case DOCTOR_STEP_HTTP:
		http_go(a);
		break;
	default:
		break;
	}
}

/* --- the beginning --- */

/* A name, or an address without the brackets that URLs have. */
static bool
target_read(struct attempt *a)
{
	struct addr address;

	if (addr_parse(span_str(a->target->host), &address)) {
		a->host = (struct host){.kind = HOST_ADDR, .addr = address};
		a->host.n = (uint8_t)addr_print(&address, a->host.text);
		return true;
	}
	return host_parse(span_str(a->target->host), &a->host);
}

void
attempt_start(struct attempt *a, const struct run *run, const struct doctor_target *target, const struct doctor_proxy *proxy)
{
	const char *name = proxy ? proxy->host : target->host;

	a->run = run;
	a->target = target;
	a->proxy = proxy;
	a->row.dns_ms = a->row.tcp_ms = a->row.proxy_ms = a->row.tls_ms = a->row.http_ms = NOT_COME_TO;
	cord_init(&a->cord);
	timer_init(&a->timer, on_timeout, a);
	step_begin(a, DOCTOR_STEP_DNS);
	if (!target_read(a)) {
		finish(a, DOCTOR_NO_SUCH_NAME, "this is no host");
	} else if (!name || (!proxy && a->host.kind == HOST_ADDR)) {
		addresses_take(a, name ? &a->host.addr : &proxy->at.addr, 1);
		names_settled(a);
	} else {
		look_up(a, span_str(name));
	}
}
