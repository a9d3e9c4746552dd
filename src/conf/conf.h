/* SPDX-License-Identifier: MIT */
/*
 * conf: a configuration as read and checked, before it is compiled. Plain values; every text knows its file and line.
 * Owned whole by the struct conf: one conf_free gives all back.
 */
#ifndef POSTERN_CONF_CONF_H
#define POSTERN_CONF_CONF_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/queue.h>
#include <time.h>

#include "base/addr.h"
#include "base/span.h"
#include "conf/finding.h"
#include "parse/cidr.h"

/* Where something stands. file indexes conf.files. */
struct where {
	uint32_t file;
	uint32_t line; /* from 1; 0: the default, or a command line */
};

struct conf_text {
	struct span  text; /* NUL-terminated for convenience */
	struct where at;
};

/* One item of a list value. */
struct conf_item {
	struct span  text;   /* unquoted, without '!' */
	bool         negated;
	bool         quoted;
	struct where at;
};
struct conf_items {
	struct conf_item *v;
	size_t            n;
};

struct conf_numbers {
	uint32_t *v;
	size_t    n;
};

struct port_range {
	uint16_t first, last;
};
struct conf_ports {
	struct port_range *v;
	size_t             n;
};
struct conf_cidrs {
	struct cidr *v;
	size_t       n;
};
struct conf_endpoints {
	struct endpoint *v;
	size_t           n;
};

/* Of the operations log (base/log.h has them in this order). */
enum conf_log_level { CONF_LOG_ERROR, CONF_LOG_WARN, CONF_LOG_INFO, CONF_LOG_DEBUG };
/* Which of several parents that serve: the first, one after the other by weight, or by the client's address and weight. */
enum parent_balance { BALANCE_FIRST, BALANCE_ROUND_ROBIN, BALANCE_CLIENT };
enum parents_down { PARENTS_DOWN_REFUSE, PARENTS_DOWN_DIRECT };
enum host_mismatch { MISMATCH_REPLACE, MISMATCH_REFUSE };
enum forwarded_for { XFF_DELETE, XFF_APPEND, XFF_PASS };
enum tristate { TRI_AUTO, TRI_NO, TRI_YES };

struct conf_gateway {
	uint32_t workers; /* 0: auto */
	char    *user;
	char    *visible_name; /* default: the host's name */
	char    *contact;
	char    *pages; /* directory, or null */
	uint32_t max_connections; /* 0: auto */
	uint32_t max_connections_per_client;
	uint64_t head_timeout_ms, connect_timeout_ms, idle_timeout_ms, drain_timeout_ms, drain_delay_ms;
	uint64_t response_timeout_ms; /* head of the origin's answer */
	uint64_t keepalive_timeout_ms; /* idle persistent connections, both sides */
	uint64_t max_head;         /* bytes of a request or response head */
	uint64_t max_request_body; /* 0: no limit */
	uint64_t tunnel_buffer;    /* most bytes kept for one direction of a tunnel whose reader stalls */
	uint32_t pool_per_host, pool_total; /* idle origin connections of each worker */
	struct conf_ports connect_ports, http_ports;
	enum host_mismatch host_mismatch;
	bool               via;
	enum forwarded_for x_forwarded_for;
	struct conf_cidrs  egress_deny, egress_allow;
	bool               resolver_system;
	struct conf_endpoints resolvers;
	uint64_t           dns_timeout_ms;
	uint32_t           dns_cache; /* names */
	enum tristate      regex_jit;
	enum conf_log_level log_level;
	struct conf_endpoints admin;         /* n 0: no admin address */
	struct conf_cidrs  admin_clients;
	char              *control;          /* absolute path of the control socket; null: none */
	char              *control_group;    /* who may ask it, but not command; null: root and the gateway's user only */
	char              *pid_file;         /* absolute; null: none */
	uint64_t           upgrade_timeout_ms;
	uint64_t           hang_timeout_ms;  /* of a worker or the logger that does not answer; 0: never */
	struct conf_items  parent;           /* of rules that name none: parents, or `none` */
	enum parent_balance parent_balance;
	enum parents_down  parents_down;
	uint64_t           bandwidth_per_client; /* bytes a second, both ways together, over all workers; 0: no limit */
	uint64_t           queue_timeout_ms; /* in front of a limit; 0: refused at once */
	struct where       user_at, workers_at, admin_at, control_at, pid_file_at, control_group_at;
};

/* What a Proxy-Authenticate field may offer. */
enum auth_scheme { AUTH_SCHEME_NONE, AUTH_SCHEME_BASIC, AUTH_SCHEME_NTLM, AUTH_SCHEME_NEGOTIATE, AUTH_SCHEMES };
/* How somebody was found good, as logs say it. */
enum auth_way { AUTH_WAY_NONE, AUTH_WAY_BASIC, AUTH_WAY_NTLM, AUTH_WAY_NEGOTIATE_NTLM, AUTH_WAY_KERBEROS };

/* What can say whether somebody is who they say; one process each. */
enum back_kind {
	BACK_NTLM_FILE,  /* NT hashes in a file */
	BACK_BASIC_FILE, /* crypt(3) hashes in a file */
	BACK_KERBEROS,   /* a keytab */
	BACK_WINBIND,    /* Samba's winbindd: NTLM, Basic, and what a ticket's PAC says */
	BACK_LDAP,       /* simple bind */
	BACK_PAM,
	BACK_INITIATOR,  /* asks the other way round: logs us on to proxies behind us, by Kerberos */
	BACK_KINDS       /* none */
};

/* Mode bits that the file of this back end may not have: what it holds is as good as passwords. */
unsigned back_file_closed(enum back_kind kind);

/* "4 per 30m" */
struct conf_rate {
	uint32_t count;
	uint64_t per_ms;
};

struct conf_auth {
	bool             present; /* there is an [auth] section */
	struct where     at;
	uint8_t          scheme[AUTH_SCHEMES]; /* enum auth_scheme, in the order offered */
	uint32_t         n_schemes;
	char            *realm;
	char            *basic_file, *ntlm_file, *keytab; /* null: none */
	struct where     basic_file_at, ntlm_file_at, keytab_at, ldap_url_at;
	enum back_kind   basic;   /* whom Basic asks: file (default), winbind, ldap, pam */
	enum back_kind   domain;  /* BACK_WINBIND, or BACK_KINDS for `none` */
	bool             basic_without_tls;
	char            *pam_service;
	char            *ldap_url, *ldap_name, *ldap_ca; /* ldaps://HOST or ldap://HOST (then StartTLS); the DN or name to bind as, with %u; a PEM file */
	uint64_t         success_ttl_ms, max_age_ms, timeout_ms;
	uint32_t         queue; /* asks that wait at one back end */
	struct conf_rate max_failures, max_failures_user;
};

/* What may be wrong with an origin's certificate and still be let through; kinds beyond these (revoked, signed by our own CA) are always refused. One for
 * each FAULT_CERT_x of base/fault.h, in its order. */
enum cert_kind {
	KIND_EXPIRED, KIND_NOT_YET_VALID, KIND_WRONG_HOST, KIND_SELF_SIGNED, KIND_UNTRUSTED, KIND_INCOMPLETE, KIND_WEAK_SIGNATURE, KIND_WEAK_KEY,
	KIND_BAD_USAGE, KIND_CONSTRAINED, KIND_BAD_CHAIN, KIND_INVALID,
	CERT_KINDS
};
enum bad_origin { ORIGIN_BLOCK, ORIGIN_WARN, ORIGIN_PASS };
/* An answer for each kind. */
struct conf_bad_origin {
	bool    given;
	bool    all;                /* an item stood for all kinds; without one a rule's other kinds are as [inspection] says */
	uint32_t named;             /* bit for each kind that an item of its own stood for */
	uint8_t answer[CERT_KINDS]; /* enum bad_origin */
};
/* "expired" ... as the ini names them. */
const char *cert_kind_word(enum cert_kind kind);

/* What happens to a tunnel that cannot be inspected as it should. */
enum odd_answer { ODD_DEFAULT, ODD_REFUSE, ODD_TUNNEL, ODD_INSPECT };
enum ech_answer { ECH_FALLBACK, ECH_REFUSE, ECH_TUNNEL };

/* Mode bits that the file of the CA's key may not have. */
#define CA_KEY_CLOSED 0027u

struct conf_inspection {
	bool              present; /* there is an [inspection] section */
	struct where      at;
	char             *ca_cert, *ca_key; /* files; ca_key may be a `pkcs11:` URI */
	char             *ca_pin, *ca_module; /* of such a URI: the files of its PIN, and of the token's library; null: not given */
	struct where      ca_cert_at, ca_key_at;
	struct conf_items trust; /* `system`, and PEM files */
	struct conf_items crl;   /* PEM or DER files */
	uint16_t          min_tls; /* 0x0303, 0x0304 */
	struct conf_bad_origin bad_origin;
	bool              aia, h2;
	enum odd_answer   non_tls, missing_sni, foreign_sni, unknown_alpn;
	enum ech_answer   ech;
	uint32_t          leaf_cache;       /* leaves that a worker keeps, and the signer */
	uint64_t          leaf_validity_ms; /* at most */
	uint64_t          signer_timeout_ms;
};

#define UNIX_PATH_MOST 108 /* sun_path, with its NUL */

enum listener_mode { LISTENER_EXPLICIT, LISTENER_TRANSPARENT };

struct conf_listener {
	TAILQ_ENTRY(conf_listener) link;
	struct span           name;
	struct where          at;
	struct conf_endpoints address; /* `*:PORT` stands here as two */
	struct conf_items     paths;   /* of UNIX sockets, absolute, without `unix:` */
	uint32_t              socket_mode; /* of these */
	struct conf_cidrs     clients;
	enum listener_mode    mode;
	char                 *tls_cert, *tls_key; /* files; null: clients speak plain HTTP to the proxy */
	struct where          tls_cert_at, tls_key_at, mode_at;
	bool                  h2;         /* offered to clients that speak TLS to the proxy */
	uint32_t              slot;       /* what it counts under (ipc/slots); 0 until the parent gives it one */
	struct conf_cidrs     proxy_from; /* who may, and must, begin with a PROXY header */
};

#define PARENTS_MAX     64u
#define PARENT_NAME_MAX 72u /* with its NUL */

enum parent_auth { PARENT_AUTH_NONE, PARENT_AUTH_BASIC, PARENT_AUTH_NEGOTIATE };

/* A proxy that requests are sent through. */
struct conf_parent {
	TAILQ_ENTRY(conf_parent) link;
	struct span      name;
	struct where     at;
	char            *address; /* HOST:PORT as written; conf/parent reads it into the next two */
	char            *host;    /* a canonical name, or the text of an address */
	uint16_t         port;
	uint32_t         weight;  /* 0: only when none with a weight serves */
	enum parent_auth auth;
	char            *credentials; /* file: one line user:password */
	char            *keytab, *principal; /* to log on with */
	uint64_t         health_interval_ms; /* 0: only traffic tells */
	char            *health_target; /* HOST:PORT that a check asks it to CONNECT to; null or "": that it can be connected to is enough */
	char            *health_host;   /* the same, read; null: none */
	uint16_t         health_port;
	uint32_t         slot;          /* it counts under this number (ipc/parents); 0 until the parent process gives it one */
	uint32_t         fail_after; /* failures in a row until it counts as down */
	uint64_t         connect_timeout_ms;
	struct where     address_at, credentials_at, keytab_at, principal_at, auth_at;
};

enum pac_bypass { PAC_BYPASS_PROXY, PAC_BYPASS_DIRECT };
enum pac_fallback { PAC_FALLBACK_NONE, PAC_FALLBACK_DIRECT };

/* What /proxy.pac says. */
struct conf_pac {
	bool              present; /* there is a [pac] section */
	struct where      at;
	struct conf_items proxy;   /* HOST:PORT of the gateway as clients know it; empty: visible-name and the first explicit listener's port */
	enum pac_bypass   bypass;  /* hosts of bypass rules */
	struct conf_items direct;  /* further hosts that clients reach themselves */
	bool              plain_names; /* names without a dot go direct */
	enum pac_fallback fallback;
	uint64_t          max_age_ms;
};

/* How the endpoints of bypass rules are tested, by `postern doctor` and by the process that does so every interval. */
struct conf_doctor {
	bool              present;
	struct where      at;
	uint64_t          interval_ms; /* 0: no process of its own does it */
	struct where      interval_at, textfile_at;
	uint64_t          timeout_ms;  /* of each step of one test */
	uint32_t          parallel;    /* tests at the same time */
	struct conf_items lists;       /* names; empty: all that bypass rules name */
	struct conf_items issuers;     /* organisations that may issue the endpoints' certificates, beside those that are built in */
	char             *textfile;    /* Prometheus text of the last result; null: none */
};

/* What a list file says of itself: comments before its first entry, `# source: TEXT`, `# version: TEXT`, `# fetched: DATE`. Cut to LIST_HEADER_TEXT. */
#define LIST_HEADER_TEXT 200u
struct list_header {
	struct span source, version, fetched; /* n 0: not said */
	time_t      fetched_at;               /* 0: not said, or no date */
};

struct conf_list {
	TAILQ_ENTRY(conf_list) link;
	struct span       name;
	struct where      at;
	struct conf_items hosts;     /* host = ... lines and the entries of its files, in order */
	struct conf_items files;     /* as named */
	struct conf_numbers read;    /* the same, of conf.files */
	time_t            oldest;    /* of these: when it was fetched, as it says, else changed; 0: there are none */
	struct conf_items addresses; /* address = CIDR ... : for clients and addresses conditions */
	struct conf_items probes;    /* probe = HOST[:PORT], URL: known hosts below its wildcards, for the doctor */
	char             *source;    /* where it comes from, for people; null: what its files say */
	uint64_t          max_age_ms; /* older files are stale; 0: never */
};

/* Have its files not been renewed for longer than its max-age? */
bool conf_list_is_stale(const struct conf_list *l, time_t now);

enum action { ACTION_DENY, ACTION_BYPASS, ACTION_TUNNEL, ACTION_INSPECT };
enum guard_mode { GUARD_ENFORCE, GUARD_REPORT, GUARD_OFF };
enum auth_mode { AUTH_DEFAULT, AUTH_NONE, AUTH_REQUIRED };

struct conf_rule {
	TAILQ_ENTRY(conf_rule) link;
	struct span       name;
	struct where      at;
	bool              has_action;
	enum action       action;
	enum guard_mode   guard;
	enum auth_mode    auth;
	bool              report, force;
	struct span       reason;
	struct conf_items hosts, ports, schemes, methods, clients, listeners, addresses, users, groups, times; /* raw items; policy/rule gives them meaning */
	struct where      action_at, auth_at;
	/* of requests that can be read: plain HTTP, and inside inspected tunnels */
	struct conf_items url, headers, content_types, origin_tls, origin_strength;
	struct conf_items set_request_header, remove_request_header, set_response_header, remove_response_header;
	struct conf_text  redirect; /* n 0: none */
	struct conf_items parent;          /* parents, or `none`; empty: as [gateway] says */
	struct conf_items source;          /* addresses to connect from: at most one of each family */
	bool              original;        /* transparent: connect to the address that the client meant, not to what the name resolves to */
	uint64_t          bandwidth, bandwidth_per_client; /* bytes a second, both ways together, over all workers; 0: no limit */
	uint32_t          slot;            /* what it counts under (ipc/slots); 0 until the parent gives it one */
	uint32_t          max_connections; /* requests and tunnels under way, over all workers; 0: no limit */
	struct conf_bad_origin bad_origin; /* of this rule's inspected tunnels; not given: as [inspection] says */
	enum odd_answer   unknown_alpn;
};

enum log_format_kind { LOG_SQUID, LOG_JSON, LOG_COMBINED, LOG_CUSTOM, LOG_W3C, LOG_CEF, LOG_LEEF };

/* conf_log.lets: bits 1u << enum action, and of what no rule decided */
#define LOG_LETS_NONE 16u
#define LOG_LETS_ALL  31u
#define LOG_ANONYMISE_CLIENTS 1u
#define LOG_ANONYMISE_USERS   2u
#define LOG_KEY_BYTES 32 /* of the hash that stands for a user */

struct conf_log {
	TAILQ_ENTRY(conf_log) link;
	struct span          name;
	struct where         at;
	/* where to: one of the three */
	char                *file; /* absolute, or "-" for standard output; null: none */
	char                *syslog; /* unix:/dev/log, udp:HOST:PORT, tcp:HOST:PORT, tls:HOST:PORT; null: none */
	bool                 journald;
	enum log_format_kind format;
	struct span          custom;
	struct where         format_at, syslog_at;
	bool                 log_query;
	/* which lines */
	struct conf_items    rules;   /* names of rules; empty: all */
	struct conf_items    actions; /* words; empty: all */
	uint32_t             sample;  /* every so manieth of them; 1: all */
	struct conf_items    anonymise; /* words: clients, users */
	uint32_t             lets, masks; /* actions as LOG_LETS_..., anonymise as LOG_ANONYMISE_...; conf/log_lines fills them in */
	/* file */
	uint64_t             max_size; /* bytes, then it is renamed to FILE.1 and so on; 0: grows */
	uint32_t             keep;     /* of those */
	/* syslog */
	uint32_t             facility, severity; /* RFC 5424 6.2.1 */
	char                *syslog_name; /* APP-NAME */
	char                *syslog_ca;   /* PEM; null: the system's roots */
	char                *spool;       /* file that takes what the server does not; null: memory only */
	uint64_t             spool_size;
};

/* A file that was read. */
struct conf_file {
	char    *path;  /* as named, made relative to the including file's directory when not absolute */
	uint64_t lines;
	char    *bytes; /* list files are kept: entries point into them */
	size_t   n;
	struct list_header head; /* of a list file */
	time_t   changed;        /* likewise: its content, last */
};

struct conf {
	struct conf_gateway gateway;
	struct conf_auth    auth;
	struct conf_inspection inspection;
	struct conf_pac     pac;
	struct conf_doctor  doctor;
	TAILQ_HEAD(, conf_listener) listeners;
	TAILQ_HEAD(, conf_parent) parents;
	TAILQ_HEAD(, conf_list) lists;
	TAILQ_HEAD(, conf_rule) rules;
	TAILQ_HEAD(, conf_log) logs;
	struct conf_file  *files;
	size_t             n_files;
	struct conf_block *blocks; /* the texts; conf/store */
};

/* Problems, gathered: all of them in one go, in the order of file and line. */
struct report {
	struct report_line {
		bool         is_error; /* else a warning or a note */
		enum finding kind;
		struct where at;
		char        *text;   /* what is wrong, what would be right */
		size_t       remedy; /* where in text that begins; 0: it is not told apart */
	} *v;
	size_t n, room;
	size_t errors, warnings, notes; /* all of them, also those beyond REPORT_LINES that are only counted */
	bool   thorough; /* for `check`: what a start has no time for is looked for too */
};

#define REPORT_LINES 10000 /* kept; a file of garbage has millions */

void report_init(struct report *r);
void report_clear(struct report *r);
/* A message says what is wrong, then "; ", then what would be right, which is told apart by the last "; " of fmt (of the text where fmt has none). */
void report_error(struct report *r, struct where at, const char *fmt, ...) __attribute__((format(printf, 3, 4))); /* FINDING_INVALID */
void report_warn(struct report *r, struct where at, const char *fmt, ...) __attribute__((format(printf, 3, 4)));  /* FINDING_ADVICE */
void report_find(struct report *r, enum finding kind, struct where at, const char *fmt, ...) __attribute__((format(printf, 4, 5)));
/* "postern: FILE:LINE: text" (or "postern: FILE:LINE: warning: text") for each, sorted by file and line; outside text escaped. `c` may be null. */
void report_print(const struct report *r, const struct conf *c, FILE *to);
/* By file and line; those of one place as they were found. To be free()d; NULL: no memory. */
const struct report_line **report_sorted(const struct report *r);
/* Below 0, 0, above 0. */
int where_order(struct where a, struct where b);
/* "FILE:LINE", or "FILE" for a line of 0, "-" for no file; cut to n. Returns buf. */
const char *where_print(const struct conf *c, struct where at, char *buf, size_t n);

/* NULL: there is none of that name. */
const struct conf_list *conf_list_find(const struct conf *c, struct span name);

bool conf_ports_have(const struct conf_ports *ports, uint16_t port);

struct conf_counts {
	size_t rules, lists, entries, listeners, logs;
};
struct conf_counts conf_count(const struct conf *c);
/* "2 rules, 3 lists with 22 entries, 1 listener, 1 log"; cut to n. Returns buf. */
const char *conf_counts_print(const struct conf_counts *t, char *buf, size_t n);

/* Read FILE and all that it includes. Gives a conf (possibly partial) for report_print; it may be run by only when r->errors is 0. A partial one is
 * whole in itself, so that policy_compile can add its own errors to the same report. NULL when out of memory at any point, with an error in the report. */
struct conf *conf_load(const char *path, struct report *r);
void conf_free(struct conf *c);

#endif
