/* SPDX-License-Identifier: MIT */
/*
 * pac: the proxy auto-configuration file (the format that Netscape published in 1996, as browsers and WinHTTP read it) that goes with a configuration.
 * Says only what [pac] publishes: never a name that some rule denies, never a rule. What cannot be said for sure goes through the gateway, which decides.
 */
#ifndef POSTERN_POLICY_PAC_H
#define POSTERN_POLICY_PAC_H

#include <stdbool.h>
#include <stdint.h>

#include "base/flat.h"
#include "conf/conf.h"
#include "match/host_spec.h"

#define PAC_TYPE "application/x-ns-proxy-autoconfig"

/* For which URLs a host goes direct. */
#define PAC_HTTP  1u /* http, port 80 */
#define PAC_HTTPS 2u /* https, port 443 */
#define PAC_ANY   4u

struct pac_entry {
	char               *text; /* owned; canonical, as host_spec has it */
	enum host_spec_kind kind; /* EXACT, BELOW, TREE, GLOB; ADDR: text is an IPv4 network as a PAC file says it: "10.0.0.0", "255.0.0.0" */
	uint8_t             bits;
	bool                dropped; /* another rule may decide it */
	uint32_t            rule;    /* in the order of the configuration; entries of [pac] itself: 0, and never dropped */
};

struct pac_hosts {
	struct pac_entry *v; /* owned */
	size_t            n, room;
};

/* Append the file's text; {0, 0} without [pac]. What is wrong with [pac] is in `r`. */
struct flat_ref pac_compile(const struct conf *c, struct flat *f, struct report *r);

/* --- the steps, in pac_hosts.c and pac.c --- */
/* The hosts that clients may reach themselves, bypass rules' among them when [pac] says so. False: no memory. */
bool pac_hosts_gather(const struct conf *c, struct pac_hosts *out, struct report *r);
void pac_hosts_clear(struct pac_hosts *h);

#endif
