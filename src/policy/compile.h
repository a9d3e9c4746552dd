/* SPDX-License-Identifier: MIT */
/*
 * compile: turns the rules and lists of a struct conf into the flat form that policy_open reads.
 */
#ifndef POSTERN_POLICY_COMPILE_H
#define POSTERN_POLICY_COMPILE_H

#include "base/flat.h"
#include "conf/conf.h"

/* Append the compiled policy to `f` and return its offset; 0 when something is wrong: every problem is in `r`, by file and line. Warnings (entries
 * covered by others and duplicates, dead rules) go there too; for each list at most 20 of one kind, then one that counts the rest. */
uint32_t policy_compile(const struct conf *c, struct flat *f, struct report *r);

#endif
