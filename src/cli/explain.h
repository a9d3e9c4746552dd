/* SPDX-License-Identifier: MIT */
/*
 * explain: what its files share: a question, and what was found. explain asks, explain_request reads the request itself, explain_print says it.
 */
#ifndef POSTERN_CLI_EXPLAIN_H
#define POSTERN_CLI_EXPLAIN_H

#include "cli/cli.h"
#include "parse/url.h"
#include "policy/snapshot.h"

#define GROUPS_MOST 256
#define HEAD_MOST   65536
#define WAITS_MOST  64 /* rules that wait for the response and are named */

struct question {
	const char      *path;
	const char      *listener; /* null: any, the first */
	struct authority target;
	struct facts     facts;
	bool             connect; /* else a plain request */
	bool             is_url;  /* url is there; with `connect` it is that of the request inside */
	struct url       url;
	struct span      method;  /* of the request, or of the one inside */
	uint32_t         known_inside; /* facts that a CONNECT does not have */
	struct who       who;
	struct span      group[GROUPS_MOST];
	bool             has_client, json;
	bool             nobody_asked; /* inside: the CONNECT passed without a user, so that none is known */
	char            *fields; /* of --header, each with CRLF; owned, HEAD_MOST */
	size_t           n_fields;
	bool             has_host; /* one of them is Host */
	char            *head_text, *url_text; /* what the facts point to; owned */
	struct head      head;
};

/* What was found, before it is printed. */
struct answer {
	const struct question *q;
	const struct policy   *policy;
	enum policy_answer     rules;
	struct verdict         verdict;
	bool                   client_allowed, port_allowed;
	const struct addr     *address; /* literal or given; null: would be resolved */
	bool                   address_allowed;
	bool                   is_self;
	bool                   inside; /* a request in an inspected tunnel */
	const struct auth_settings *auth;
	const struct snapshot *snap;
	struct {
		uint32_t    rule;
		enum action action;
	} wait[WAITS_MOST];
	unsigned               n_waits;
	const char            *sep; /* JSON */
};

/* --- explain_request --- */

/* "Name: value". False: no such thing, or too much; said. */
bool question_add_header(struct question *q, const char *text);
/* Fill in url and head of a request that can be read. An exit code; what is wrong was said. */
int  question_read(struct question *q);
void question_clear(struct question *q);
/* The question that comes after a CONNECT which is inspected. */
void question_go_inside(struct question *q, const struct policy *p);

/* --- explain_print --- */

/* Asks the rules and prints all of it but the end of a JSON object. */
void answer_print(struct answer *a);
/* The end; `inside` is what has been printed meanwhile, or null. */
void answer_print_end(const struct answer *a, const struct answer *inside);
bool answer_is_allowed(const struct answer *a);
/* Of both, when there is a request inside. */
int  answer_code(const struct answer *a, const struct answer *inside);

#endif
