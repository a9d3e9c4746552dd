/* SPDX-License-Identifier: MIT */
/*
 * advice: what to do about each fault, and what Windows shows when an endpoint fails. Fixed texts for people.
 */
#ifndef POSTERN_DOCTOR_ADVICE_H
#define POSTERN_DOCTOR_ADVICE_H

#include "doctor/result.h"

/* On whose side it is, in the order in which to look: whoever has trouble with names need not look at certificates yet. */
enum doctor_side {
	DOCTOR_SIDE_NONE,
	DOCTOR_SIDE_DNS,
	DOCTOR_SIDE_FIREWALL,
	DOCTOR_SIDE_PROXY,        /* the gateway or a parent refuses, or is down */
	DOCTOR_SIDE_PROXY_AUTH,
	DOCTOR_SIDE_INTERCEPTION, /* somebody opens TLS on the way */
	DOCTOR_SIDE_SERVER,       /* the endpoint itself, or the roots here */
	DOCTOR_SIDES
};

enum doctor_side doctor_side_of(enum doctor_fault f);
const char      *doctor_side_word(enum doctor_side s); /* "DNS", "firewall" ... */
const char      *doctor_advice(enum doctor_fault f, enum doctor_way w); /* one sentence: what to do; "" for what is no fault */
const char      *doctor_symptom(const struct doctor_target *t); /* what is seen on Windows; null: nothing is known of this host */

#endif
