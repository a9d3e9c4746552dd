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

#include "base/addr.h"
#include "base/span.h"
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
	uint64_t head_timeout_ms, connect_timeout_ms, idle_timeout_ms, drain_timeout_ms;
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
	struct where       user_at, workers_at;
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

struct conf_listener {
	TAILQ_ENTRY(conf_listener) link;
	struct span           name;
	struct where          at;
	struct conf_endpoints address;
	struct conf_cidrs     clients;
};

struct conf_list {
	TAILQ_ENTRY(conf_list) link;
	struct span       name;
	struct where      at;
	struct conf_items hosts;     /* host = ... lines and the entries of its files, in order */
	struct conf_items files;     /* as named */
	struct conf_items addresses; /* address = CIDR ... : for clients and addresses conditions */
};

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
	struct conf_bad_origin bad_origin; /* of this rule's inspected tunnels; not given: as [inspection] says */
	enum odd_answer   unknown_alpn;
};

enum log_format_kind { LOG_SQUID, LOG_JSON, LOG_COMBINED, LOG_CUSTOM };

struct conf_log {
	TAILQ_ENTRY(conf_log) link;
	struct span          name;
	struct where         at;
	char                *file; /* absolute, or "-" for standard output */
	enum log_format_kind format;
	struct span          custom;
	struct where         format_at;
	bool                 log_query;
};

/* A file that was read. */
struct conf_file {
	char    *path;  /* as named, made relative to the including file's directory when not absolute */
	uint64_t lines;
	char    *bytes; /* list files are kept: entries point into them */
	size_t   n;
};

struct conf {
	struct conf_gateway gateway;
	struct conf_auth    auth;
	struct conf_inspection inspection;
	TAILQ_HEAD(, conf_listener) listeners;
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
		bool         is_error; /* else a warning */
		struct where at;
		char        *text; /* what is wrong, what would be right */
	} *v;
	size_t n, room;
	size_t errors, warnings; /* all of them, also those beyond REPORT_LINES that are only counted */
};

#define REPORT_LINES 10000 /* kept; a file of garbage has millions */

void report_init(struct report *r);
void report_clear(struct report *r);
void report_error(struct report *r, struct where at, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
void report_warn(struct report *r, struct where at, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* "postern: FILE:LINE: text" (or "postern: FILE:LINE: warning: text") for each, sorted by file and line; outside text escaped. `c` may be null. */
void report_print(const struct report *r, const struct conf *c, FILE *to);
/* "FILE:LINE", or "FILE" for a line of 0, "-" for no file; cut to n. Returns buf. */
const char *where_print(const struct conf *c, struct where at, char *buf, size_t n);

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
