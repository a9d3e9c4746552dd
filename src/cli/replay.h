/* SPDX-License-Identifier: MIT */
/*
 * replay: what its files share. replay_judge asks a configuration what it would do with a logged request; replay_logged reads what the log says was done;
 * replay_tally counts what differs; replay_print says it; replay has the options and goes through the logs.
 */
#ifndef POSTERN_CLI_REPLAY_H
#define POSTERN_CLI_REPLAY_H

#include "cli/built.h"
#include "logread/reader.h"
#include "parse/url.h"

/* What becomes of a request. LET: let through, the log does not say how. UNSEEN: a request in a tunnel that is not inspected. UNTOLD: hangs on what the log
 * does not tell. */
enum fate { FATE_BYPASS, FATE_TUNNEL, FATE_INSPECT, FATE_LET, FATE_DENY, FATE_CHALLENGE, FATE_REDIRECT, FATE_UNSEEN, FATE_UNTOLD, FATE_COUNT };

/* What a log does not tell. */
enum untold {
	UNTOLD_GROUPS,    /* of a user; Squid's format has none */
	UNTOLD_ADDRESS,   /* what the name leads to */
	UNTOLD_TYPE,      /* of the response */
	UNTOLD_HEADERS,
	UNTOLD_QUERY,     /* cut off from the URL */
	UNTOLD_ORIGIN,    /* the TLS of the server */
	UNTOLD_CLIENT,    /* its address was masked or looked up */
	UNTOLD_LISTENER,  /* where it came in */
	UNTOLD_CREDENTIALS, /* whether the request brought some */
	UNTOLD_END,       /* the log says how it ended, not what was decided */
	UNTOLD_TARGET,    /* the target cannot be read as it stands there */
	UNTOLD_COUNT
};

#define RULE_TEXT_MAX 96u

struct outcome {
	enum fate   fate;
	enum untold untold;   /* FATE_UNTOLD */
	struct span rule;     /* who decided; "": none, or not known */
	const char *fault;    /* "port-denied" ...: how it is refused where no rule did; null: none */
};

/* A configuration that is asked. */
struct judge {
	struct built         built;
	const struct policy *policy;
	const struct conf_rule **rule; /* owned; by number */
	uint32_t             n_rules;
	uint32_t             uses;    /* conditions that some rule has: bit 1 << enum condition */
	bool                 nobody;  /* some rule's users say `nobody` */
	uint64_t            *groups, *sids; /* owned; rules that ask for groups, and for groups by SID, which logs seldom have: a bit each */
	uint64_t            *row, *high;    /* owned; of the user. high: as if all that is not known of the groups held; row: as if it did not */
	bool                 told;          /* they are the same */
	size_t               words;
};

/* A logged request as facts. Points into the entry, and into itself. */
struct asked {
	struct facts     facts;
	struct authority at;
	struct url       url;
	bool             connect, inner;
	bool             has_client, has_user, groups_known, query_is_cut, first_leg, has_address, has_type;
	int              bare; /* 1: it brought no credentials; 0: it did; -1: who knows */
	struct span      listener; /* "": not known */
	struct span      type;
	struct addr      address;
	struct who       who;
	char            *text; /* ASKED_ROOM bytes for the URL's normal form; owned */
};
#define ASKED_ROOM (LOG_LINE_MAX + 1024u)

/* What an entry is to a comparison. */
enum asked_kind { ASKED_REQUEST, ASKED_NOTHING /* no request was made, or it could not be read by the gateway */, ASKED_UNREADABLE /* UNTOLD_TARGET */ };

/* --- replay_judge --- */

/* False: said on stderr. */
bool judge_open(struct judge *s, const char *path);
void judge_close(struct judge *s);
/* Whose requests? Sets up the rows of the user of `a`; before judge_ask. */
void judge_know(struct judge *s, const struct asked *a);
void judge_ask(const struct judge *s, struct asked *a, struct outcome *out);
/* Is it one of the diagnostic endpoints whose lists come with Postern? */
bool asked_is_shipped(const struct asked *a);
/* Is the place named by a bypass rule with hosts? */
bool judge_bypasses(const struct judge *s, const struct asked *a);

/* --- replay_logged --- */

/* a->text is there. */
enum asked_kind asked_read(struct asked *a, const struct log_entry *e);
/* What the log says. False: nothing was decided; it ended before the rules were asked, or for another reason. */
bool logged_outcome(const struct log_entry *e, const struct asked *a, struct outcome *out);
/* Do these two come to the same? */
bool outcome_same(const struct outcome *from, const struct outcome *to);

/* --- replay_tally --- */

#define TALLY_WAYS_MAX  1024u  /* ways to go differently that are kept apart */
#define TALLY_HOSTS_MAX 65536u /* hosts of them, all together */

/* An example of a request. Texts are cut. */
struct tally_example {
	char     url[200], user[80], client[ADDR_TEXT_MAX];
	uint64_t line, at_us;
	uint16_t file;
};

struct tally_host {
	uint64_t  count;
	uint32_t  way;
	uint16_t  port;
	char     *host; /* owned */
	struct tally_example *example; /* owned */
};

struct tally_way {
	uint64_t    count, hosts, without_host; /* hosts: that are kept; without_host: requests whose host is not */
	enum fate   from, to;
	const char *from_fault, *to_fault;
	bool        first_leg, hurts;
	char        from_rule[RULE_TEXT_MAX], to_rule[RULE_TEXT_MAX];
};

struct tally {
	uint64_t requests; /* that were compared: changed, same, unseen and untold */
	uint64_t changed, same, other_rule; /* other_rule: of the same */
	uint64_t legs, legs_changed, legs_fate[FATE_COUNT]; /* apart from these: first legs */
	uint64_t unseen; /* inside tunnels that are decided differently: the CONNECT tells */
	uint64_t untold, untold_why[UNTOLD_COUNT];
	uint64_t nothing, no_decision, bad, lost, lines;
	uint64_t hurt; /* diagnostic ones among the changed that would be asked, inspected or refused */
	uint64_t beyond; /* changed requests of ways beyond TALLY_WAYS_MAX */
	uint64_t first_us, last_us; /* when the first and the last of the requests began */
	uint64_t bad_line; /* the first one */
	uint16_t bad_file;
	const char *bad_why;
	struct tally_way  *way; /* owned */
	struct tally_host *host; /* owned */
	uint32_t n_ways, n_hosts;
	uint32_t *way_slot, *host_slot; /* owned: hash tables of numbers + 1 */
};

bool tally_init(struct tally *t);
void tally_clear(struct tally *t);
/* One that goes differently; `hurts`: a diagnostic one, for the worse. False: no memory. */
bool tally_change(struct tally *t, const struct log_entry *e, const struct asked *a, uint16_t file, const struct outcome *from, const struct outcome *to, bool hurts);
/* Ways: those that hurt first, first legs last, then by count; hosts: by way, then by count. */
bool tally_sort(struct tally *t); /* false: no memory */

/* --- replay_print --- */

struct replay_shown {
	const char  *candidate, *against; /* null: the logs */
	char *const *file;
	uint32_t     n_files, limit;
};
void replay_print(const struct tally *t, const struct replay_shown *what);
void replay_print_json(const struct tally *t, const struct replay_shown *what);

#endif
