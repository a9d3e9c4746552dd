/* SPDX-License-Identifier: MIT */
#ifndef POSTERN_TESTS_FAKE_TLS_H
#define POSTERN_TESTS_FAKE_TLS_H

#include "fake_net.h"

/* A certificate and its key for `ca-cert`, `ca-key` and `trust` to be read from, behind these descriptors. */
#define FAKE_CA     201
#define FAKE_CA_KEY 202
void fake_ca_open(void);

void fake_signer_up(bool up);
/* To the oldest ask; FAULT_NONE: made. False: there is none. */
bool fake_signer_answer(enum fault fault);
/* To the oldest fetch of an issuer. */
bool fake_aia_answer(bool had);
bool fake_tls_left(void);
void fake_tls_clear(void);

#endif
