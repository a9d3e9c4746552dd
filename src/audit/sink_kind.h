/* SPDX-License-Identifier: MIT */
/*
 * sink_kind: what sink.c asks of each kind of place that lines go to. Private to the sinks.
 * sink.c keeps entries in bounded memory, counts, tries again and says trouble; a kind only takes what goes now. None may wait for a peer.
 */
#ifndef POSTERN_AUDIT_SINK_KIND_H
#define POSTERN_AUDIT_SINK_KIND_H

#include "audit/line.h"
#include "audit/sink.h"

#define SINK_WHY 400

/* One try to write. */
struct sink_try {
	size_t   took;    /* bytes of those offered */
	int      error;   /* errno; EAGAIN: not now, which is no trouble until lines are lost; 0: none */
	unsigned errors;  /* failures to count */
	bool     torn;    /* the line that was begun is to be written again from its start */
	bool     is_second; /* it comes on top of another trouble, and is told beside it */
	bool     pending; /* not all that was ever taken is out of our hands, or a new file could not be opened yet: try again */
	unsigned wait_ms; /* try again after this; 0: as usual */
	char     why[SINK_WHY]; /* the error in words; empty: what errno says */
};

/*
 * Entries of a kind without `head` are lines, and it may take parts of them. Those of a kind with `head` are a uint32_t, the number of bytes that follow,
 * and these: what head wrote and the line with its newline; it takes whole entries only.
 */
struct sink_kind {
	size_t head_max;  /* most bytes that head writes */
	bool   is_paced;  /* makes its own pauses: is tried with each flush, in trouble too */
	/* What stands in front of a line of n bytes (newline included); r and text null: a line of our own. */
	void (*head)(void *arg, struct line *l, size_t n, const struct record *r, const struct span *text);
	/* n may be 0: go on with what was taken before. */
	void (*write)(void *arg, const char *p, size_t n, uint64_t now_us, struct sink_try *t);
	/* Lines are of another format from now on. Null: that does not matter. */
	void (*speak)(void *arg, enum log_format_kind format);
	/* Rotation; t->torn, t->errors. Null: nothing to open. */
	void (*reopen)(void *arg, struct sink_try *t);
	/* Returns the lines that it took and that are lost with it. */
	uint64_t (*free)(void *arg);
};

/* Takes over `arg`, also when it fails. NULL: no memory. `name`: as the operations log has it, and what sink_path says. */
struct sink *sink_make(const struct sink_kind *kind, void *arg, const char *name, enum log_format_kind format);
/* What the maker of that kind gave; null: another kind. */
void *sink_arg(const struct sink *s, const struct sink_kind *kind);

#endif
