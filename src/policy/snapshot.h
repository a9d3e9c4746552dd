/* SPDX-License-Identifier: MIT */
/*
 * snapshot: all that workers and the logger need of one configuration, in one flat read-only block.
 * The parent builds it, or says every problem; the others map it. Requests hold a reference to the one that they began with.
 */
#ifndef POSTERN_POLICY_SNAPSHOT_H
#define POSTERN_POLICY_SNAPSHOT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/flat.h"
#include "conf/conf.h"
#include "match/addr_set.h"
#include "policy/egress.h"
#include "policy/policy.h"

struct snapshot_listener {
	struct flat_ref name;
	uint32_t        clients; /* addr_set of who may connect */
	uint32_t        proxy_from; /* addr_set of who must begin with a PROXY header; 0: nobody */
	uint32_t        slot;    /* it counts under this number (ipc/slots) */
	uint8_t         mode;    /* enum listener_mode */
	bool            greets;  /* something comes before the first request: a PROXY header, TLS, or finding out where a transparent client goes */
	bool            tls, h2; /* clients speak TLS to the proxy; HTTP/2 is offered to them */
	struct flat_ref chain;   /* tls: its certificate first, then those that lead to a root; DER, as inspection_settings.ca has them */
};

/* A proxy that requests are sent through. Its credentials are not here: every process maps this. */
struct snapshot_parent {
	struct flat_ref name;
	struct flat_ref host;          /* a canonical name, or the text of an address */
	struct flat_ref principal;     /* auth negotiate: whose ticket; empty: the first of its keytab */
	struct flat_ref health_host;   /* what a check asks it to CONNECT to; empty: that it can be connected to is enough */
	uint16_t        port, health_port;
	uint32_t        weight;        /* 0: only when none with a weight serves */
	uint32_t        auth;          /* enum parent_auth */
	uint32_t        slot;          /* of its state (ipc/parents) */
	uint32_t        fail_after;
	uint64_t        health_interval_ms, connect_timeout_ms;
};

/* What a process that talks to parents is told beside the block, by parent: the value of a Proxy-Authorization field; wiped with the snapshot. */
#define PARENT_SECRET_MAX 512u
struct snapshot_secret {
	uint32_t n; /* 0: none */
	char     text[PARENT_SECRET_MAX];
};

/* A list, for those who show it. */
#define SNAPSHOT_LISTS 1000u /* told of, at most */
struct snapshot_list {
	struct flat_ref name;
	uint64_t        entries;
	int64_t         oldest;    /* of its files: when it was fetched, or changed last; 0: it has none */
	uint64_t        max_age_s; /* 0: no limit */
};

/* Texts that name files or places stand with their NUL; null when there is none. */
struct snapshot_log {
	struct flat_ref name, file, custom;
	struct flat_ref syslog, syslog_ca, spool;
	struct flat_ref app_name; /* for syslog and journald */
	uint32_t        facility, severity;
	uint64_t        spool_size;
	bool            journald;
	uint32_t        format; /* enum log_format_kind */
	bool            log_query;
	struct flat_ref rules; /* struct flat_ref: names; n 0: of all rules, and of none */
	uint32_t        lets;  /* LOG_LETS_... */
	uint32_t        sample, masks; /* LOG_ANONYMISE_... */
	uint32_t        keep;
	uint64_t        max_size;
};

/* A page of the user's own: for a status, or (status 0) for all others. */
struct snapshot_page {
	uint32_t        status;
	struct flat_ref html;
};

/* What [auth] says. */
struct auth_settings {
	uint8_t          scheme[AUTH_SCHEMES]; /* enum auth_scheme, in the order offered */
	uint32_t         n_schemes;            /* 0: nobody can be asked */
	uint32_t         kinds;                /* bit 1 << enum back_kind: which processes run */
	uint32_t         ntlm, basic;          /* enum back_kind that each scheme asks; BACK_KINDS: none */
	bool             basic_without_tls;
	bool             wants_groups;         /* some rule names groups */
	uint32_t         ground;               /* of whom is asked what: another one, and what was found good by the one before is void */
	uint64_t         success_ttl_ms, max_age_ms, timeout_ms;
	uint32_t         queue;
	struct conf_rate max_failures, max_failures_user; /* count 0: no limit */
	struct flat_ref  realm;
	struct flat_ref  pam_service, ldap_url, ldap_name;
	struct flat_ref  ldap_ca; /* PEM; empty: the system's */
};

/* What [inspection] says. */
struct inspection_settings {
	bool            present;
	bool            aia, h2;
	uint16_t        min_tls;
	uint8_t         non_tls, missing_sni, foreign_sni; /* enum odd_answer, settled */
	uint8_t         ech; /* enum ech_answer */
	uint32_t        leaf_cache;
	uint64_t        leaf_validity_ms, signer_timeout_ms;
	uint8_t         ca_print[32];    /* SHA-256 of the CA certificate, DER */
	struct flat_ref ca;              /* DER, the CA's own certificate first; each: 4 bytes of length, big-endian, then so many bytes */
	struct flat_ref roots;           /* likewise: what `trust` names */
	struct flat_ref crls;            /* likewise */
	struct flat_ref token;           /* the pkcs11: URI of the CA's key, without its files; empty: the key is a file */
	struct flat_ref module;          /* path of that token's library; empty: the usual one */
};

/* A file that the block carries and the parent watches. */
enum carried_kind { CARRIED_RESOLV_CONF, CARRIED_HOSTS, CARRIED_TRUST, CARRIED_CRL, CARRIED_KINDS };
struct snapshot_file {
	uint64_t        mark; /* of the file's state before it was read (snapshot_changed) */
	struct flat_ref path; /* with its NUL */
	struct flat_ref bytes;
	uint32_t        kind;
};

/* The head of the block. Arrays and texts are named by flat_ref. */
struct settings {
	uint64_t magic;
	uint64_t generation;
	uint64_t size;
	uint64_t fixed; /* what lies before this offset stays when files are read anew */

	uint64_t head_timeout_ms, connect_timeout_ms, idle_timeout_ms, drain_timeout_ms, response_timeout_ms, keepalive_timeout_ms, dns_timeout_ms;
	uint64_t max_head, max_request_body, tunnel_buffer;
	uint32_t max_connections, max_connections_per_client, pool_per_host, pool_total, conduits, dns_cache;
	uint64_t bandwidth_per_client, queue_timeout_ms;
	uint32_t host_mismatch, x_forwarded_for, log_level, parent_balance, parents_down; /* enums of conf.h */
	bool     via, jit, report_only;
	bool     log_entry; /* some log wants the list entry that matched */
	bool     records; /* some log wants what ends, or the status page and `suggest`, which tell of what came most often and of who could not use it */
	bool     log_referer; /* some log wants the Referer */

	struct auth_settings auth;
	struct inspection_settings inspection;

	struct flat_ref visible_name, contact;
	struct flat_ref pac;          /* the text of /proxy.pac; empty: it is not served */
	struct flat_ref pac_tag;      /* its ETag, quoted */
	uint64_t        pac_max_age_s;
	uint64_t        doctor_interval_ms; /* 0: nobody tests the endpoints */
	struct flat_ref proxy_status; /* visible_name as RFC 9209 spells it: a token or a quoted string */
	struct flat_ref listeners;    /* struct snapshot_listener */
	struct flat_ref parents;      /* struct snapshot_parent, in the order of the configuration */
	struct flat_ref lists;        /* struct snapshot_list, the first SNAPSHOT_LISTS of the configuration */
	struct flat_ref logs;         /* struct snapshot_log */
	struct flat_ref pages;        /* struct snapshot_page */
	struct flat_ref own;          /* struct endpoint: where this gateway itself listens; an unspecified address means every local one */
	struct flat_ref local;        /* struct addr: this machine's addresses */
	struct flat_ref resolvers;    /* struct endpoint */
	struct flat_ref files;        /* struct snapshot_file, by kind, in the order of the configuration */
	struct flat_ref resolv_conf, hosts; /* text */

	uint8_t  log_key[LOG_KEY_BYTES]; /* of names that logs do not tell */

	uint32_t policy;       /* offsets */
	uint32_t egress;
	uint32_t admin_clients; /* addr_set of who may ask the admin process */
};

struct snapshot {
	unsigned               refs;
	const void            *block; /* mapped; owned */
	size_t                 size;
	const struct settings *set; /* its head */
	struct policy         *policy;
	struct snapshot_secret *secrets; /* owned: by parent; null: none were given */
	int                    file;         /* owned, with let_go (snapshot_keep_file) */
	void                 (*let_go)(int file); /* null: none is kept */
	void                  *counts;       /* owned, with free_counts; null: nothing is counted by its numbers */
	void                 (*free_counts)(void *counts);
};

/* What the parent adds to the configuration. */
struct snapshot_inputs {
	uint64_t               generation;
	bool                   report_only;
	uint32_t               workers; /* resolved from `auto` */
	const struct endpoint *own; /* listeners, and the admin addresses */
	size_t                 n_own;
	const uint8_t         *log_key; /* LOG_KEY_BYTES, the same as long as the gateway runs; null: nothing is logged with it */
};

/* Build and seal the block; -1: every problem is in `r`. Reads hosts, resolv.conf, page files, certificates and CRLs. */
int snapshot_build(const struct conf *c, const struct snapshot_inputs *in, struct report *r);

/* Has a file that the block carries (hosts, resolv.conf, what `trust` and `crl` name) changed since it was read? Then `name` is the first that has. The
 * answer is another number for each state of the files, 0 for the one that the block carries. */
uint64_t snapshot_changed(int fd, char *name, size_t n);
/* The same configuration with these files read anew: a new block of generation `generation`; -1 with errno. What `trust` or `crl` names and cannot be used
 * now stays as it was: a warning in `r`. */
int snapshot_refresh(int fd, uint64_t generation, struct report *r);

/* Map a block; the logger needs no policy. NULL: damaged, or out of memory. */
struct snapshot *snapshot_open(int fd, bool with_policy);
/* The same, with policy, for those who cannot wait until all regexes are compiled: then to be called until it is warm, each time for up to n of them.
 * False: out of memory. */
struct snapshot *snapshot_open_cold(int fd);
bool             snapshot_warm(struct snapshot *s, uint32_t n);
bool             snapshot_is_warm(const struct snapshot *s);
/* Whoever lets go of a block's file last waits until the system has its memory back, which for a large one takes milliseconds. So `file` (owned from now on)
 * is kept, and given to let_go, to own, when the block is not mapped any more. */
void             snapshot_keep_file(struct snapshot *s, int file, void (*let_go)(int file));
/* The same for those who show it and decide nothing: the policy knows its rules only (policy_open_names). */
struct snapshot *snapshot_open_names(int fd);
/* The same for those who read what was counted by entry (policy_open_entries). */
struct snapshot *snapshot_open_entries(int fd);
/* Where this process counts by its numbers: freed with it. */
void             snapshot_count_with(struct snapshot *s, void *counts, void (*free_counts)(void *counts));
struct snapshot *snapshot_ref(struct snapshot *s);
void             snapshot_unref(struct snapshot *s);

static inline bool
snapshot_list_is_stale(const struct snapshot_list *l, int64_t now_s)
{
	return l->max_age_s && l->oldest > 0 && now_s > l->oldest && (uint64_t)(now_s - l->oldest) > l->max_age_s;
}

static inline const void *
snapshot_at(const struct snapshot *s, uint32_t off)
{
	return (const char *)s->block + off;
}
static inline struct span
snapshot_text(const struct snapshot *s, struct flat_ref r)
{
	return (struct span){(const char *)s->block + r.off, r.n};
}

/* Its parents' secrets (snapshot_parent.n of them, copied). False: no memory. */
bool snapshot_keep_secrets(struct snapshot *s, const struct snapshot_secret *secret, uint32_t n);
/* The value of a Proxy-Authorization field for a parent; empty: none. */
struct span snapshot_secret_of(const struct snapshot *s, uint32_t parent);

/* Is there a parent that we log on to by Negotiate? */
bool snapshot_negotiates(const struct snapshot *s);

/* Is it one of the addresses that this machine had when the snapshot was built? */
bool snapshot_is_local(const struct snapshot *s, const struct addr *a);
/* Would a connection to this place come back to ourselves? */
bool snapshot_is_self(const struct snapshot *s, const struct addr *a, uint16_t port);

#endif
