/* SPDX-License-Identifier: MIT */
#include "lint/ask.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

/* Rules that look at addresses are asked with ones of the Internet, where the endpoints are. */
#define SOME_ADDRESS "13.69.109.130"

bool
probe_request_init(struct probe_request *q, struct span host, enum url_scheme scheme, uint16_t port, struct span method)
{
	enum fault fault;
	size_t     used;
	int        n;

	*q = (struct probe_request){.scheme = scheme, .port = port, .method = method};
	if (!host_parse(host, &q->host) || !addr_parse(SPAN(SOME_ADDRESS), &q->to))
		return false;
	if (q->host.kind == HOST_ADDR)
		q->to = q->host.addr;
	if (scheme != SCHEME_HTTP)
		return true;
	n = port == 80 ? snprintf(q->url, sizeof q->url, "http://%s/", q->host.text) : snprintf(q->url, sizeof q->url, "http://%s:%u/", q->host.text, port);
	if (n < 0 || (size_t)n >= sizeof q->url)
		return false;
	n = snprintf(q->text, sizeof q->text, "%.*s %s HTTP/1.1\r\nHost: %.*s\r\n\r\n", SPAN_ARG(method), q->url, (int)strcspn(q->url + 7, "/"), q->url + 7);
	q->n_text = (size_t)n;
	return n > 0 && q->n_text < sizeof q->text && head_parse_request(span_of(q->text, q->n_text), 0, &q->head, &used, &fault) == PARSE_OK;
}

static void
on_rule(void *arg, const struct trace_rule *t)
{
	uint32_t *asks = arg;

	if (t->needs_user)
		*asks = t->rule;
}

static enum treatment
action_treatment(const struct probe_request *q, enum action action)
{
	switch (action) {
	case ACTION_BYPASS:
		return TREATMENT_BYPASSED;
	case ACTION_TUNNEL:
		return TREATMENT_LET;
	case ACTION_INSPECT:
		return q->scheme == SCHEME_HTTP ? TREATMENT_LET : TREATMENT_INTERCEPTED; /* plain HTTP is readable as it is */
	case ACTION_DENY:
		break;
	}
	return TREATMENT_DENIED;
}

enum treatment
treatment_ask(const struct probe_request *q, const struct policy *p, const struct moment *m, uint32_t *rule)
{
	struct facts f = {
		.host = &q->host,
		.port = q->port,
		.scheme = q->scheme,
		.method = q->method,
		.client = m->client,
		.listener = m->listener,
		.week_minute = m->week_minute,
		.bare = true,
	};
	struct verdict     v;
	enum policy_answer answer;

	*rule = RULE_NONE;
	if (q->scheme == SCHEME_HTTP) {
		f.url = span_str(q->url);
		f.head = &q->head;
		f.known |= FACT_REQUEST;
	}
	answer = policy_decide(p, &f, &v);
	if (answer == POLICY_NEED_ADDRESS) {
		f.address = q->to;
		f.known |= FACT_ADDRESS;
		answer = policy_decide(p, &f, &v);
	}
	if (answer == POLICY_NEED_USER) {
		policy_trace(p, &f, &v, on_rule, rule);
		return *rule == RULE_NONE ? TREATMENT_UNKNOWN : TREATMENT_CHALLENGED;
	}
	if (answer != POLICY_VERDICT)
		return TREATMENT_UNKNOWN;
	*rule = v.rule;
	return action_treatment(q, v.action);
}

const char *
treatment_verb(enum treatment f)
{
	static const char *const verb[TREATMENT_COUNT] = {
		[TREATMENT_UNKNOWN] = "decide",
		[TREATMENT_BYPASSED] = "bypass",
		[TREATMENT_LET] = "let through",
		[TREATMENT_CHALLENGED] = "challenge",
		[TREATMENT_INTERCEPTED] = "intercept",
		[TREATMENT_DENIED] = "deny",
	};

	assert((unsigned)f < TREATMENT_COUNT);
	return verb[f];
}
