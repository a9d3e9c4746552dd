/* SPDX-License-Identifier: MIT */
/*
 * ask: what becomes of a request by somebody of whom nothing is known, as devices send them: CONNECT, or plain HTTP. Asks the compiled policy.
 * Always true: TREATMENT_UNKNOWN is the answer where the policy's hangs on more than it was told.
 */
#ifndef POSTERN_LINT_ASK_H
#define POSTERN_LINT_ASK_H

#include "lint/moments.h"
#include "policy/policy.h"

/* Worse ones last. */
enum treatment {
	TREATMENT_UNKNOWN,
	TREATMENT_BYPASSED,
	TREATMENT_LET, /* a tunnel, or a plain request, unasked and unseen */
	TREATMENT_CHALLENGED,
	TREATMENT_INTERCEPTED,
	TREATMENT_DENIED,
	TREATMENT_COUNT
};

struct probe_request {
	struct host     host;
	enum url_scheme scheme;
	uint16_t        port;
	struct span     method; /* the caller's */
	struct addr     to;     /* where the name leads, should a rule ask; at first an address of the Internet */
	size_t          n_text;
	char            text[700], url[320]; /* plain HTTP: the request's head, its URL */
	struct head     head;
};

/* `host`: a canonical name or an address; `method`: CONNECT, or of plain HTTP. False: it is none. */
bool probe_request_init(struct probe_request *q, struct span host, enum url_scheme scheme, uint16_t port, struct span method);
/* `rule`: who decided, or asks; RULE_NONE: no rule held. */
enum treatment treatment_ask(const struct probe_request *q, const struct policy *p, const struct moment *m, uint32_t *rule);

const char *treatment_verb(enum treatment f); /* "deny" ... */

#endif
