/* SPDX-License-Identifier: MIT */
/*
 * host_spec: reads one host item of a rule or list, in all forms of postern.ini(5), "Host patterns".
 * Knows spelling only; says nothing about where an item may stand.
 */
#ifndef POSTERN_MATCH_HOST_SPEC_H
#define POSTERN_MATCH_HOST_SPEC_H

#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"
#include "parse/authority.h"
#include "parse/cidr.h"

enum host_spec_kind {
	SPEC_EXACT, /* x */
	SPEC_BELOW, /* *.x: one or more labels below x */
	SPEC_TREE,  /* .x: x and everything below */
	SPEC_ALL,   /* *: every name (no IP literal) */
	SPEC_GLOB,  /* a name with * inside */
	SPEC_REGEX, /* re:... */
	SPEC_ADDR   /* an IP literal or a CIDR: matches IP-literal targets only */
};

struct host_spec {
	enum host_spec_kind kind;
	enum url_scheme     scheme; /* SCHEME_NONE: any */
	uint16_t            port;   /* 0: any */
	struct cidr         cidr;   /* SPEC_ADDR */
	uint16_t            n;      /* of text */
	char                text[HOSTNAME_MAX + 3]; /* canonical x (EXACT, BELOW, TREE) or the glob, lower-cased; not for REGEX */
	struct span         regex;  /* SPEC_REGEX: into the caller's text, without "re:" */
};

#define HOST_SPEC_WHY 160

/* Read one item (already unquoted, without '!'). False: *why (HOST_SPEC_WHY bytes) says in one sentence what is wrong and what would be
 * right. Fast for plain ASCII names: a million in well under half a second. */
bool host_spec_parse(struct span item, struct host_spec *out, char why[HOST_SPEC_WHY]);

/* A glob that begins with '*' and then no dot may begin inside a label. True when such a glob is safe in a bypass rule all the same: a whole
 * registrable domain (libpsl) follows a later dot. True for every other kind. */
bool host_spec_is_anchored(const struct host_spec *s);
/* Is x of *.x, .x or x a public suffix, private section included (libpsl)? For globs: is what follows the last '*' no more than one? */
bool host_spec_is_public_suffix(const struct host_spec *s);

#endif
