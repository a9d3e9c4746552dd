/* SPDX-License-Identifier: MIT */
/*
 * top: the parts of `postern top`: what the gateway answers, kept as plain values with rates (top_data.c); how that lies on a screen of any size (top_screen.c);
 * keys, clock and terminal (top.c).
 * Always true: no byte from outside reaches the terminal but through canvas_text, which lets only printable characters pass.
 */
#ifndef POSTERN_CLI_TOP_H
#define POSTERN_CLI_TOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TOP_SESSIONS 200u
#define TOP_RULES    256u
#define TOP_TEXT     256u

enum top_sort { SORT_RATE, SORT_BYTES, SORT_AGE, SORT_COUNT };
enum top_filter { FILTER_CLIENT, FILTER_RULE, FILTER_HOST, FILTER_COUNT };
#define FILTER_MOST 80u

struct top_session {
	char     id[20], client[64], host[TOP_TEXT], rule[TOP_TEXT], user[TOP_TEXT], action[12], state[16];
	unsigned port;
	uint64_t age_ms, bytes_in, bytes_out;
	uint64_t rate; /* bytes a second, both ways, since the look before */
};

struct top_rule {
	char     name[TOP_TEXT], action[12];
	uint64_t hits, open;
	double   rate; /* hits a second since the look before */
};

/* One look at the gateway. */
struct top_look {
	uint64_t at_us;
	char     version[32], state[32], holds[TOP_TEXT];
	uint64_t up_ms, generation, connections, under_way, requests, bytes_in, bytes_out, guard_closed, queued;
	double   requests_rate;
	struct {
		uint64_t n;
		double   rate;
	} action[4]; /* bypass, tunnel, inspect, deny */
	struct top_session session[TOP_SESSIONS];
	unsigned           n_sessions;
	struct top_rule    rule[TOP_RULES];
	unsigned           n_rules;
};

struct top {
	const char      *path; /* of the control socket */
	struct top_look *now, *before; /* owned; before->at_us 0: there was none */
	enum top_sort    sort;
	char             filter[FILTER_COUNT][FILTER_MOST + 1]; /* "": none */
	char             selected[20]; /* id; "": the first */
	unsigned         first;        /* row of the table that is on top of the screen */
	bool             paused, help;
	bool             away; /* the gateway was not reached; shown is what it said last */
	char             said[TOP_TEXT * 2]; /* of the gateway, or of us: one line */
	enum { ASK_NOTHING, ASK_FILTER, ASK_KILL } asks;
	enum top_filter  typing;
	char             typed[FILTER_MOST + 1];
};

/* --- top_data.c --- */
bool top_init(struct top *t, const char *path);
void top_clear(struct top *t);
/* Ask again. The exit code of the first question that went wrong, then `said` says why; what is shown stays. */
int  top_refresh(struct top *t);
int  top_kill(struct top *t, const char *id);
/* The row of the selected session; the first when it has gone. */
unsigned top_selected(struct top *t);

/* --- top_screen.c --- */
enum pen { PEN_PLAIN, PEN_TITLE, PEN_HEAD, PEN_SELECTED, PEN_DIM, PEN_WARN };
struct canvas {
	unsigned rows, columns;
	void   (*line)(void *arg, unsigned row, enum pen pen, const char *text); /* text is printable in this locale, and no wider than the screen */
	void    *arg;
	/* the line at hand */
	unsigned row, used;
	size_t   n;
	char     text[8192];
};
void top_draw(struct top *t, struct canvas *c, bool once);

#endif
