/* SPDX-License-Identifier: MIT */
/*
 * explain: what its files share: a question, and what was found. explain_question reads a question, explain_answer asks the functions that live traffic asks,
 * explain_line makes the log lines, explain_print and explain_json say it; explain_batch and explain_log bring questions from elsewhere.
 */
#ifndef POSTERN_CLI_EXPLAIN_H
#define POSTERN_CLI_EXPLAIN_H

#include <stdarg.h>

#include "base/fault.h"
#include "cli/cli.h"
#include "parse/url.h"
#include "policy/snapshot.h"

#define GROUPS_MOST 256
#define HEAD_MOST   65536
#define WAITS_MOST  64 /* rules that wait for the response and are named */

/* A request as somebody describes it. Texts are borrowed from where the words came. */
struct question {
	char             error[400]; /* what is wrong with it */
	const char      *listener; /* null: any, the first */
	struct authority target;
	struct facts     facts;
	bool             connect; /* else a plain request */
	bool             is_url;  /* url is there; with `connect` it is that of the request inside */
	struct url       url;
	struct span      method;  /* of the request, or of the one inside; "": not said */
	uint32_t         known_inside; /* facts that a CONNECT does not have */
	struct who       who;
	struct span      user;    /* as said first */
	struct span      group[GROUPS_MOST];
	bool             has_client, has_user, is_nobody, has_address;
	struct addr      address; /* what the name resolves to; of a transparent client: where it was going */
	bool             has_sni, no_sni; /* what the ClientHello says, when that was said */
	struct host      sni;
	uint64_t         real_us; /* when the line would be written */
	char            *fields; /* of --header, each with CRLF; owned, HEAD_MOST */
	size_t           n_fields;
	bool             has_host; /* one of them is Host */
	char            *head_text, *url_text; /* what the facts point to; owned */
	struct head      head;
};

/* What the gateway would ask for and was not told. */
enum needs { NEEDS_NOTHING, NEEDS_ADDRESS, NEEDS_USER, NEEDS_RESPONSE };
/* Which of the things that are decided for one question this is. */
enum stage { STAGE_FIRST, STAGE_NAMED /* a CONNECT to an address, decided again by the name in its ClientHello */, STAGE_INSIDE /* a request in an inspected tunnel */ };

/* What was found. */
struct answer {
	const struct question *q;
	const struct snapshot *snap;
	enum stage             stage;
	bool                   connect; /* what is decided here is a CONNECT */
	bool                   client_tls, is_transparent;
	struct facts           facts;   /* by which it was decided in the end */
	uint64_t              *row;     /* of the user; owned */
	enum policy_answer     rules;
	struct verdict         verdict;
	enum needs             needs;
	enum fault             fault;   /* how it is refused; FAULT_NONE: let through */
	uint16_t               status;  /* what the client is told; 0: nothing, or not known */
	bool                   has_verdict;
	const struct verdict  *logged; /* that of which the log tells: of a name that could not be decided, what was decided before it; null: none */
	bool                   client_allowed, port_allowed, asked_user, asked_address;
	const struct addr     *address; /* where it leads, as far as known */
	bool                   address_allowed, is_self;
	uint8_t                guard;   /* enum guard_word */
	enum fault             hello;   /* what is odd about the ClientHello; FAULT_NONE: nothing */
	bool                   not_inspected; /* a rule wanted it, and it passes as it is for what is odd */
};

/* All that is found for one question. */
struct answers {
	struct answer v[3]; /* in the order of events; the stages that there are */
	unsigned      n;
};

/* --- explain_question --- */

/* The words that describe a request; --NAME on the command line, but for the target. */
enum question_option { ASK_CLIENT, ASK_USER, ASK_GROUP, ASK_METHOD, ASK_ADDRESS, ASK_LISTENER, ASK_AT, ASK_HEADER, ASK_TYPE, ASK_TLS, ASK_STRENGTH, ASK_SNI, ASK_TARGET,
	QUESTION_OPTIONS };
const char *question_option(enum question_option o);
void question_init(struct question *q);
/* False: q->error. `value` lives as long as q. */
bool question_set(struct question *q, enum question_option o, const char *value);
/* After all options: HOST:PORT, HOST or a URL. False: q->error. */
bool question_take_target(struct question *q, const char *text);
bool question_fail(struct question *q, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void question_clear(struct question *q);

/* --- explain_answer --- */

/* False: q->error. */
bool answers_find(struct answers *all, const struct snapshot *s, struct question *q);
void answers_clear(struct answers *all);
/* Would what was asked for be let through? An exit code. */
int  answers_code(const struct answers *all);
bool answer_is_allowed(const struct answer *a);
/* Where the tunnel stands, is its ClientHello looked at? */
bool answer_reads_hello(const struct answer *a);
/* The rules once more, for those who tell of them. */
void answer_trace(const struct answer *a, void (*each)(void *arg, const struct trace_rule *t), void *arg);
/* What a 407 would offer: bit 1 << enum auth_scheme. */
unsigned answer_schemes(const struct answer *a);
const struct rule_way *answer_way(const struct answer *a);

/* --- explain_line --- */

/* Calls `each` for each access log: its name, its format, the line without its newline, or empty when the log takes no such line. False: no memory. */
bool answer_lines(const struct answer *a, void (*each)(void *arg, struct span log, const char *format, struct span line), void *arg);
/* Is there a line at all? */
bool answer_has_line(const struct answer *a);

/* --- explain_print, explain_json --- */

#define WHERE_MAX 4200
const char *action_name(enum action a);
const char *guard_name(enum guard_mode g);
const char *scheme_name(enum auth_scheme s);

/* What a rule does to fields, by its option. */
struct effect {
	const char *option;
	struct span text;
	char        end;
};
void effects_list(const struct answer *a, struct effect out[4], struct span *redirect);
/* The next of an effect's lines or names. */
bool effect_next(struct effect *e, struct span *one);

/* What a log line said of the request. */
struct logged;

void answers_print(const struct answers *all, bool verbose, const struct logged *logged);
/* One object, without a newline. `rules`: with what each rule said. `id`: what the asker calls it; a JSON text or null. */
void answers_print_json(const struct answers *all, bool rules, const char *id, const struct logged *logged);

/* --- explain_batch --- */

/* One question a line of `path` ("-": standard input), one answer a line. An exit code. */
int explain_batch(const struct snapshot *s, const char *path, bool rules);

/* --- explain_log --- */

struct log_query {
	const char *line; /* of the command line, or "-"; null: `id` is looked for */
	const char *id;
	const char *file; /* null: the logs of the configuration */
};
/* Explains what a line tells of; `q` holds what the command line adds. An exit code. */
int explain_log(const struct snapshot *s, const struct log_query *what, struct question *q, bool json, bool verbose);
void logged_print(const struct logged *l, const struct answers *all);
void logged_print_json(const struct logged *l, const struct answers *all);

#endif
