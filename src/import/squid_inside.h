/* SPDX-License-Identifier: MIT */
/*
 * squid_inside: what the files of the squid importer share, in the order in which it is made: lines, ACLs, choices, terms, the ini.
 */
#ifndef POSTERN_IMPORT_SQUID_INSIDE_H
#define POSTERN_IMPORT_SQUID_INSIDE_H

#include "import/arena.h"
#include "import/squid.h"

#define SQUID_FILE_MOST    ((size_t)128 << 20)
#define SQUID_LINE_MOST    65536u /* continued lines joined */
#define SQUID_LINES_MOST   500000u
#define SQUID_FILES_MOST   1024u
#define SQUID_DEPTH_MOST   16u
#define SQUID_ACLS_MOST    8192u
#define SQUID_ITEMS_MOST   4000000u /* values of all ACLs */
#define SQUID_CHOICES_MOST 16384u   /* of one list of choices */
#define SQUID_SPLIT_MOST   512u     /* of one line, by any-of, all-of and what is two conditions here */
#define SQUID_RULES_MOST   16384u
#define SQUID_NOTES_MOST   20000u
#define SQUID_PORTS_MOST   64u      /* http_port and https_port */
#define SQUID_PEERS_MOST   8u       /* a rule names no more */
#define SQUID_NEST_MOST    8u       /* any-of in any-of */
#define SQUID_WHY          300
#define SQUID_NAME         48       /* of lists, rules: cut to this */
#define WEEK_MINUTES       10080u

struct squid_where {
	uint32_t file, line;
};

/* One directive, its continued lines joined. */
struct squid_line {
	struct squid_where at;
	struct span        name, rest; /* of the arena */
	bool               quoted;     /* configuration_includes_quoted_values was on */
};

struct squid_item {
	struct span        text; /* as it stands in the ini, but for quotes */
	struct squid_where at;
};

struct squid_items {
	struct squid_item *v;
	size_t             n, room;
};

enum squid_kind {
	ACL_UNKNOWN,  /* `why` says why */
	ACL_TRUE,     /* all */
	ACL_FALSE,    /* of what never comes here */
	ACL_HOST, ACL_CLIENT, ACL_ADDRESS, ACL_PORT, ACL_METHOD, ACL_SCHEME, ACL_TIME, ACL_USER, ACL_GROUP, ACL_LISTENER, ACL_URL, ACL_HEADER, ACL_STEP,
	ACL_ANY, ACL_ALL
};

struct squid_lit {
	struct squid_acl *acl;
	bool              is_not;
	/* ACL_URL, ACL_HEADER, ACL_SCHEME with `!`: what holds of a CONNECT is another condition; this is that side. Of a URL Squid asks `host:port` then. */
	bool connect;
};

struct squid_lits {
	struct squid_lit *v;
	size_t            n, room;
};

struct squid_acl {
	struct squid_acl  *next;      /* in the table's bucket */
	struct span        name, type;
	struct squid_where at;        /* where it stands first */
	enum squid_kind    kind;
	bool               partial;   /* some items could not be said: it holds for less than in Squid */
	bool               required;  /* ACL_USER: whoever it is */
	bool               overlaps;  /* told already: of two networks one holds the other */
	bool               connect_open; /* ACL_URL, ACL_HEADER: what it says of a CONNECT cannot be said */
	bool               from_file, no_lookup; /* no_lookup: -n */
	struct span        why, source; /* the file that its items came from */
	struct squid_items items, on_connect; /* on_connect: host items of ACL_URL */
	const struct span **sorted;  /* of items, where they are many and one is looked for */
	uint64_t          *bits;      /* ACL_PORT: 65536; ACL_TIME: minutes of the week from Sunday 0:00; ACL_STEP, ACL_LISTENER: the first word */
	struct squid_lits *line;      /* ACL_ANY, ACL_ALL: one for each line */
	size_t             n_lines, lines_room;
	char               list[SQUID_NAME + 16]; /* the name of its list in the ini */
	bool               wanted, wanted_not;  /* some rule names the list; its complement */
};

/* One line of http_access, ssl_bump and their like, or a part of it: when all hold, then `value`. The first of a list that holds decides. */
struct squid_choice {
	struct squid_lits lits;
	uint32_t          value;
	const struct squid_line *from; /* null: made here */
	struct squid_acl *last; /* named last in the line; for deny_info, and who is asked again */
	bool              last_not;
};

struct squid_choices {
	struct squid_choice *v;
	size_t               n, room;
};

enum { ACCESS_DENY, ACCESS_ALLOW, ACCESS_ASK /* refuse those of whom nothing is known, after asking */ };
enum { BUMP_SPLICE, BUMP_BUMP, BUMP_TERMINATE };

struct squid_port {
	const struct squid_line *from;
	char                     name[SQUID_NAME + 16]; /* of the listener */
	struct span              address, cert, key, named; /* named: name= */
	uint16_t                 port;
	bool                     is_tls, transparent, bump, proxy_header;
};

struct squid_peer {
	const struct squid_line *from;
	char                     name[SQUID_NAME + 16];
	struct span              called, host, login;
	uint16_t                 port;
	uint32_t                 weight;
};

struct squid_rule {
	const struct squid_line *from; /* null: the default */
	char                     name[SQUID_NAME + 16];
	struct span              conditions; /* lines of the ini, spelt */
	const char              *action;
	bool                     auth_none;
	uint32_t                 parents;  /* bits of peers, 0: none; UINT32_MAX: nothing to say */
	struct span              source, redirect;
	struct span              comment;  /* in place of a rule: a line that could not be said */
};

struct squid_auth {
	bool        negotiate, ntlm, basic, winbind, basic_winbind, basic_ldap, basic_pam, any; /* any: auth_param was there */
	struct span keytab, basic_file, pam_service, ldap_url, ldap_name, realm;
	bool        groups_used;
};

/* A helper that tells groups. */
struct squid_helper {
	struct squid_helper *next;
	struct span          name;
	bool                 groups; /* else nothing that can be said */
	struct squid_items   own;    /* groups that its command line names */
	struct span          program;
};

struct squid {
	struct arena        arena;
	char              *scratch; /* of squid_values: one for all of them, when there is one */
	char               why[SQUID_WHY];
	time_t             now;
	bool               no_files, bare, quoted, told_most;
	const char        *folder; /* of the first file */
	const char       **file;
	size_t             n_files, files_room;
	struct squid_line *line;
	size_t             n_lines, lines_room;
	unsigned           depth;
	struct squid_note *note;
	size_t             n_notes, notes_room;
	struct squid_acl  *bucket[1024], **acl; /* acl: in the order of the input */
	size_t             n_acls, acls_room, n_items;
	struct squid_port  port[SQUID_PORTS_MOST];
	size_t             n_ports;
	struct squid_peer  peer[SQUID_PEERS_MOST];
	size_t             n_peers;
	struct squid_auth  auth;
	struct squid_helper *helpers;
	struct squid_rule *rule;
	size_t             n_rules, rules_room, n_accesses;
	uint64_t           http_ports[1024], connect_ports[1024];
	struct squid_items egress_deny, gateway, logs; /* values and lines of these sections, spelt */
	bool               inspects, asks; /* some rule does */
};

/* --- squid.c --- */
void squid_fail(struct squid *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void squid_note(struct squid *s, enum squid_note_kind kind, const struct squid_line *line, const char *fmt, ...) __attribute__((format(printf, 4, 5)));
void squid_note_file(struct squid *s, enum squid_note_kind kind, struct squid_where at, struct span said, const char *fmt, ...) __attribute__((format(printf, 5, 6)));
bool squid_item_add(struct squid *s, struct squid_items *to, struct span text, struct squid_where at);
/* Letters, digits, dots, hyphens and underscores of `s`, at most SQUID_NAME; never empty. */
void squid_name_make(char out[SQUID_NAME + 1], struct span s);
/* Is every byte printable ASCII, without `"`, so that it may stand between quotes in the ini? */
bool squid_is_plain(struct span s);
/* `text`, in quotes where the ini needs them. */
struct span squid_quote(struct squid *s, struct span text);

/* --- squid_read.c --- */
bool squid_read(struct squid *s, const char *path, const struct squid_line *from);
bool squid_read_bytes(struct squid *s, const char *name, struct span bytes);
/* The whole of a file, or an empty span and false with a note's text in *why. */
bool squid_file_bytes(struct squid *s, struct span path, struct span *out, const char **why, struct span *full);
bool squid_file_add(struct squid *s, const char *name, uint32_t *number);

enum squid_token { TOKEN_END, TOKEN_WORD, TOKEN_QUOTED, TOKEN_FILE /* text is its path */, TOKEN_BAD };
struct squid_words {
	struct squid    *s;
	struct span      rest;
	bool             quoted, pairs; /* pairs: a backslash keeps a blank in a word, in regular expressions */
};
void             squid_words_begin(struct squid_words *w, struct squid *s, const struct squid_line *line, bool pairs);
enum squid_token squid_word(struct squid_words *w, struct span *out);
/* The next plain or quoted word, else an empty span. */
struct span squid_word_plain(struct squid_words *w);
/* Next line of a file of values: blanks around it and comments removed, empty ones skipped. */
bool squid_value_line(struct span *rest, uint32_t *line, struct span *out);

/* --- squid_regex.c --- */
/* A POSIX extended regular expression as PCRE2 reads it; false with a reason where it cannot be said. `out` has room for 4 times n and 64 bytes. */
bool squid_regex_convert(struct span in, char *out, size_t *n, const char **why);
/* What it finds in `host:port`, where letters can only be in the host: as a regular expression on the host. REGEX_NEVER: it finds nothing there. */
enum squid_reach { REGEX_HOST, REGEX_NEVER, REGEX_OPEN };
enum squid_reach squid_regex_reach(struct span in, bool any_case);

/* --- squid_acl.c --- */
void              squid_acls_built_in(struct squid *s);
void              squid_acl_read(struct squid *s, const struct squid_line *line);
void              squid_helper_read(struct squid *s, const struct squid_line *line);
struct squid_acl *squid_acl_find(const struct squid *s, struct span name);
struct squid_acl *squid_acl_new(struct squid *s, struct span name, struct squid_where at);
/* --- squid_value.c: the values of one kind --- */
struct squid_values {
	struct squid            *s;
	struct squid_acl        *a;
	const struct squid_line *line;
	struct squid_where       at;       /* of the value */
	bool                     any_case; /* -i */
	uint32_t                 days;     /* of time, that wait for hours */
	struct span              header;   /* of req_header and its like */
	char                    *scratch;
};
/* One value. False: it could not be said, which *why says. */
bool squid_value_add(struct squid_values *v, struct span value, const char **why);
/* Where regular expressions are converted; NULL: no memory. */
char *squid_values_scratch(struct squid *s);
void squid_values_end(struct squid_values *v);

/* --- squid_choice.c --- */
/* What follows the verb in `w`, as ways to hold, each added to `out` with `value`. `permits`: leaving the line out lets less through. `asks`: a choice of
 * ACCESS_ASK stands before them where Squid would ask for a user earlier than a rule does. */
void squid_choices_add(struct squid *s, struct squid_choices *out, const struct squid_line *line, struct squid_words *w, uint32_t value, bool permits, bool asks);
bool squid_choice_put(struct squid *s, struct squid_choices *out, const struct squid_choice *c);
bool squid_choice_is_covered(const struct squid_choices *list, const struct squid_lits *lits);
/* The two lists as one, the value `join(a, b)`. */
struct squid_choices squid_choices_join(struct squid *s, const struct squid_choices *a, const struct squid_choices *b, uint32_t (*join)(uint32_t a, uint32_t b));
bool squid_lits_put(struct squid *s, struct squid_lits *to, struct squid_lit l);
struct squid_lits squid_lits_both(struct squid *s, const struct squid_lits *a, const struct squid_lits *b);

/* --- squid_bump.c: ssl_bump as a list of BUMP_ --- */
struct squid_choices squid_bump(struct squid *s);
/* --- squid_way.c: peers and outgoing addresses --- */
struct squid_choices squid_parents(struct squid *s);
struct squid_choices squid_sources(struct squid *s, struct span **table);
/* --- squid_access.c: http_access, and all the lists together, as rules --- */
void squid_access(struct squid *s);
/* --- squid_terms.c: literals as conditions of a rule --- */
enum squid_terms { TERMS_FINE, TERMS_NEVER /* they exclude each other */, TERMS_OPEN /* cannot be said: *why */ };
struct squid_spelt {
	struct span conditions;
	bool        asks;   /* needs to know who it is */
	bool        always; /* no conditions */
	bool        no_connect, connect; /* holds for plain requests alone; for CONNECT alone */
};
enum squid_terms squid_terms(struct squid *s, const struct squid_lits *lits, struct squid_spelt *out, const char **why);
/* --- squid_options.c: all other directives --- */
void squid_option_read(struct squid *s, const struct squid_line *line);
/* --- squid_auth.c, squid_ports.c --- */
void squid_auth_read(struct squid *s, const struct squid_line *line);
void squid_auth_end(struct squid *s, bool asks); /* once: notes on all of it together */
void squid_port_read(struct squid *s, const struct squid_line *line);
void squid_peer_read(struct squid *s, const struct squid_line *line);

#endif
