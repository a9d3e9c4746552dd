/* SPDX-License-Identifier: MIT */
/*
 * control: the parent's socket for commands and questions: one line of words a connection, then the answer, a line at a time, then the end.
 * Knows who asks and bounds what they may cost; what the words mean is its owner's business (proc/commands).
 * Always true: nothing here waits; a client that sends nonsense, is slow or does not read is dropped.
 *
 * Each line of an answer begins with a letter: ". text" for the asker's standard output, "e text" for its standard error, "x N" with the exit code, last.
 */
#ifndef POSTERN_PROC_CONTROL_H
#define POSTERN_PROC_CONTROL_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/span.h"
#include "net/loop.h"

#define CONTROL_CLIENTS  8u
#define CONTROL_GUESTS   5u    /* of them, who may ask but not command: they must not keep those out who may */
#define CONTROL_REQUEST  1024u /* bytes of one, with its newline */
#define CONTROL_WORDS    16u

/* --- where it listens --- */

struct control_place {
	int    fd;   /* owned */
	char  *path; /* owned */
	bool   has_group;
	gid_t  group;
};
/* Opens a socket at `path`, in place of one that nobody answers at any more. `group`: who may connect beside the owner; null: nobody. NULL: `why` says what is wrong
 * ("another instance (pid 12) answers there"). */
struct control_place *control_place_open(const char *path, const char *group, char *why, size_t why_n);
/* One that an earlier parent had opened; owns fd whatever happens. */
struct control_place *control_place_adopt(int fd, const char *path, const char *group, char *why, size_t why_n);
/* It is in use: its file gets owner and mode. Until then only its owner may connect. */
void control_place_use(const struct control_place *p);
/* Closes; with `gone` the file goes too. */
void control_place_free(struct control_place *p, bool gone);

/* --- who asks --- */

struct control;

struct control_client {
	struct control *control;
	int             fd; /* -1: nobody */
	struct watch    watch;
	struct timer    patience;
	char            in[CONTROL_REQUEST];
	size_t          n_in;
	char           *out;   /* owned: what is still to be sent */
	size_t          n_out, sent, room;
	bool            asked; /* the request is whole */
	bool            ended; /* the answer is */
	uid_t           uid;
	pid_t           pid;
	bool            may_command;
	/* for the owner: the request, and what it waits for */
	char           *word[CONTROL_WORDS];
	unsigned        n_words;
	bool            json;  /* --json was among the words (and is not any more) */
	unsigned        waits; /* 0: for nothing */
	/* owner: more of a long answer, when all before it is sent; null: none. */
	void          (*more)(struct control_client *c);
	void           *listing;
	void          (*listing_gone)(struct control_client *c); /* frees it, when it is not one of proc/sightings; null: it is */
};

struct control *control_new(struct loop *loop, void (*on_request)(void *arg, struct control_client *c), void *arg);
/* Says goodbye to all, as far as they read without waiting. */
void control_free(struct control *c);
/* Listen there from now on; null: nowhere. The place stays the caller's and lives until another one is used. */
void control_listen(struct control *c, const struct control_place *place);
/* Called before a client's memory is used for another one. */
void control_on_gone(struct control *c, void (*gone)(void *arg, struct control_client *client));
/* The clients one after the other; NULL: no more. */
struct control_client *control_next(struct control *c, const struct control_client *after);

/* --- the answer --- */

/* One line of it; what is no text of ours must have been escaped (control_escape). */
void control_say(struct control_client *c, char kind, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* Lines of text, each framed. */
void control_lines(struct control_client *c, char kind, const char *text, size_t n);
void control_end(struct control_client *c, int code);

/* Text from outside, for a terminal: control bytes (also those of ISO 6429 beyond ASCII) as \xHH. Cut to n; returns buf. */
const char *control_escape(struct span s, char *buf, size_t n);
/* The same as a JSON string with its quotes. */
const char *control_escape_json(struct span s, char *buf, size_t n);

#endif
