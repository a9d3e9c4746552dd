/* SPDX-License-Identifier: MIT */
/* check: can the access logs of a configuration be written as it says? */
#ifndef POSTERN_AUDIT_CHECK_H
#define POSTERN_AUDIT_CHECK_H

#include "conf/conf.h"

/* Every [log] format that is not valid, by file and line. */
void log_formats_check(const struct conf *c, struct report *r);

#endif
