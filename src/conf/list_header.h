/* SPDX-License-Identifier: MIT */
/*
 * list_header: what a list file says of itself in the comments before its first entry: `# source: TEXT`, `# version: TEXT`, `# fetched: DATE`.
 * Pure. Who writes lists (`postern import`) writes these three lines.
 */
#ifndef POSTERN_CONF_LIST_HEADER_H
#define POSTERN_CONF_LIST_HEADER_H

#include "conf/conf.h"

#define LIST_HEADER_LINES 100u /* looked at, at most */

/* Spans point into `bytes`. What is not said is empty. A date is YYYY-MM-DD, or that and THH:MM:SSZ; another one is text only. */
void list_header_read(struct span bytes, struct list_header *h);

#endif
