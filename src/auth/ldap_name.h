/* SPDX-License-Identifier: MIT */
/* ldap_name: the name that somebody binds as, made from a template (ldap-name) and what the client calls them. Pure. */
#ifndef POSTERN_AUTH_LDAP_NAME_H
#define POSTERN_AUTH_LDAP_NAME_H

#include <stdbool.h>

#include "base/span.h"

/* Every %u replaced, escaped as RFC 4514 2.4 has it where the template looks like a DN, and a NUL. False: does not fit, or a name that directories would
 * take for another one: blanks at its ends or two in a row, control bytes; `*why` says which. */
bool ldap_name_make(struct span template, struct span user, char *out, size_t room, const char **why);

#endif
