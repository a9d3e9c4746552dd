/* SPDX-License-Identifier: MIT */
/*
 * health: looks now and then whether the parents of the snapshot in use serve: connects, and where the configuration names a target asks for a CONNECT to it.
 * All workers tick; whoever comes first when a look is due has it (ipc/parents). What is found stands in shared memory; requests wait for none of it.
 */
#ifndef POSTERN_SESSION_HEALTH_H
#define POSTERN_SESSION_HEALTH_H

#include <stdbool.h>

struct gateway;
struct health;

struct health *health_new(struct gateway *gw); /* NULL: no memory */
void           health_free(struct health *h);  /* looks under way are broken off; takes NULL */
/* The gateway has another snapshot. */
void health_begin(struct health *h);

#endif
