/* SPDX-License-Identifier: MIT */
/*
 * outline: what a configuration says, as digests: enough to tell later, in words, what another one says differently.
 * Made from a struct conf that is whole; keeps nothing of it. An entry of a list takes eight bytes.
 */
#ifndef POSTERN_CONF_OUTLINE_H
#define POSTERN_CONF_OUTLINE_H

#include "conf/conf.h"

struct outline;

/* NULL: out of memory. */
struct outline *outline_new(const struct conf *c);
void outline_free(struct outline *o);

/* Calls `line` for each difference, in the order of sections and, in them, of `after`: "rule a: hosts changed", "rule x added after y". The text lives as
 * long as the call; names in it are as the file has them. Returns how many there were. */
size_t outline_diff(struct outline *before, struct outline *after, void (*line)(void *arg, const char *text), void *arg);

/* Rules, parents and lists, in the order of the file. False: there are no more. */
struct outline_rule {
	struct span name;
	const char *where; /* "FILE:LINE" */
	enum action action;
	uint32_t    slot; /* ipc/slots */
};
bool outline_rule_at(const struct outline *o, size_t i, struct outline_rule *out);
bool outline_parent_at(const struct outline *o, size_t i, struct span *name);
struct outline_list_file {
	char    *path, *source, *version, *fetched; /* null: it does not say */
	uint64_t lines;
	time_t   since; /* fetched then, as it says, or changed last */
};
struct outline_list {
	struct span name;
	const char *where;
	const struct outline_list_file *file;
	size_t      n_files;
	time_t      oldest;     /* of these; 0: there are none */
	uint64_t    max_age_ms; /* 0: no limit */
	const char *source;     /* as the configuration says, else the first file that does; null: neither */
	const char *rules;      /* that name it, a line each; "": none */
	size_t      n_rules;
	size_t      hosts, addresses, probes;  /* entries */
	size_t      names, wildcards, regexes; /* of hosts */
};
bool outline_list_at(const struct outline *o, size_t i, struct outline_list *out);

#endif
