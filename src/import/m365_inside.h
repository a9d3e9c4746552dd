/* SPDX-License-Identifier: MIT */
/* m365_inside: what the two files of m365 share. */
#ifndef POSTERN_IMPORT_M365_INSIDE_H
#define POSTERN_IMPORT_M365_INSIDE_H

#include <jansson.h>

struct m365 {
	json_t *json; /* owned: an array of objects, whose fields have been judged */
};

#endif
