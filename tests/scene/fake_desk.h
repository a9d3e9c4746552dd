/* SPDX-License-Identifier: MIT */
#ifndef POSTERN_TESTS_FAKE_DESK_H
#define POSTERN_TESTS_FAKE_DESK_H

#include "auth/ask.h"
#include "fake_net.h"

/* The oldest ask gets this; what it owns is taken. False: nothing is being asked. */
bool fake_desk_answer(const struct answer *a);
bool fake_desk_waits(void);
void fake_desk_clear(void);
extern bool fake_desk_is_full; /* takes no more */

#endif
