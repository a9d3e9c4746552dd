/* SPDX-License-Identifier: MIT */
/*
 * secrets: the files of credentials for proxies behind us, opened by the parent process and handed to workers with each snapshot that names them.
 * Reads none of them. Counted: a snapshot that differs only in what it carries goes on with the same ones.
 */
#ifndef POSTERN_PROC_SECRETS_H
#define POSTERN_PROC_SECRETS_H

#include "conf/conf.h"

struct secrets {
	unsigned refs;
	uint32_t n;
	int      fd[PARENTS_MAX]; /* by [parent], in the order of the configuration; -1: it has none */
};

/* NULL: what is wrong is in `r`. */
struct secrets *secrets_open(const struct conf *c, struct report *r);
struct secrets *secrets_ref(struct secrets *s);
void            secrets_unref(struct secrets *s);

#endif
