/* SPDX-License-Identifier: MIT */
/*
 * play: one scene being played.
 */
#ifndef POSTERN_TESTS_PLAY_H
#define POSTERN_TESTS_PLAY_H

#include "fake_net.h"
#include "ipc/shared.h"
#include "script.h"
#include "session/gateway.h"

#define CONFIGS_MAX 8
#define MISHAPS     9

struct config {
	char         name[32];
	struct bytes ini;
	int          block; /* compiled; -1: not yet */
};

struct play {
	const char    *file;
	unsigned       line;
	char           title[160];
	struct config  config[CONFIGS_MAX];
	unsigned       n_configs;
	bool           failed;
	bool           troubled; /* something that the script does not know happens: nothing is expected but that all is given back */
	char           trouble[80]; /* what */
	/* of the scene */
	struct loop   *loop;
	struct gateway gw;
	struct shared *shared;
	uint64_t       n_requests; /* begun */
	unsigned       n_drained;
	bool           together;
};

void play_fail(struct play *p, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* One line: who does what, or what is expected. */
void play_step(struct play *p, const struct step *l);
void play_expect(struct play *p, const struct step *l); /* expect.c */
/* The token of the button of the page with the warning, or of the cookie that pressing it brings, for the youngest client inside a tunnel. */
bool play_consent(const struct play *p, bool offer, struct bytes *out);
/* Trouble of kind 0 .. MISHAPS - 1. */
void play_mishap(struct play *p, unsigned kind);
void play_begin(struct play *p);
void play_end(struct play *p);

/* "10s" in ms; false: not a time. */
bool clock_read(const char *s, uint64_t *ms);
/* A fault by its word in the logs; FAULT_COUNT: none such. */
enum fault fault_find(const char *word);

/* --- trace.c: which states followed which, over all scenes --- */
extern struct play *playing;
/* Says which edges of the table in session.c no scene has passed; false when there is one. */
bool trace_is_complete(void);
const char *state_name(unsigned state);

#endif
