/* SPDX-License-Identifier: MIT */
/*
 * chain: judges what a server showed in its handshake as a Windows device would: nothing is fetched that it forgot to send, and who issued it matters.
 * The judgement of chain, name and time is tls/judge's; what is added here is the question who stands between.
 */
#ifndef POSTERN_DOCTOR_CHAIN_H
#define POSTERN_DOCTOR_CHAIN_H

#include <openssl/types.h>

#include "doctor/doctor.h"

struct chain_ground;

/* Roots of the system, Microsoft's, and the inspection CA of `s`. NULL: why. */
struct chain_ground *chain_ground_new(const struct doctor_settings *s, char why[200]);
void                 chain_ground_free(struct chain_ground *g);

/* Fill in tls, leaf, issuer and root, and the fault and detail that come of them: DOCTOR_OK when all is as expected. */
void chain_judge(struct chain_ground *g, const SSL *ssl, const struct host *name, struct doctor_row *row);

extern const char doctor_microsoft_root[]; /* PEM */

#endif
