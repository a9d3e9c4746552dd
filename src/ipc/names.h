/* SPDX-License-Identifier: MIT */
/*
 * names: what this machine is called in an NTLM challenge (MS-NLMP 2.2.2.1), and how a Kerberos realm and a NetBIOS domain go together.
 * Found out by the winbind process (or made from visible-name), read by workers from shared memory without a lock.
 */
#ifndef POSTERN_IPC_NAMES_H
#define POSTERN_IPC_NAMES_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"

#define NAME_NETBIOS_MAX 16
#define NAME_DNS_MAX     256

struct ntlm_names { /* UTF-8; each ended by NUL */
	char domain[NAME_NETBIOS_MAX];   /* NetBIOS; of a machine in no domain: its own */
	char computer[NAME_NETBIOS_MAX];
	char dns_domain[NAME_DNS_MAX];   /* "": none */
	char dns_computer[NAME_DNS_MAX];
};

/* In shared memory: written by one process, read by many. */
struct shared_names {
	_Atomic uint32_t number; /* latest.h */
	_Alignas(8) struct ntlm_names names;
};
void names_publish(struct shared_names *s, const struct ntlm_names *n);
/* False: not known (yet). */
bool names_read(const struct shared_names *s, struct ntlm_names *out);

/* Of a machine in no domain, called `visible_name`. */
void names_alone(struct span visible_name, struct ntlm_names *out);

#endif
