/* SPDX-License-Identifier: MIT */
/*
 * loop: one event loop for each process, on epoll(7); timers on a wheel of our own.
 * Straight on epoll because the path that moves bytes needs the kernel's own words: an edge-triggered read that comes up short may stop there only
 * when no FIN and no reset came with the data, and libraries fold those into plain readiness. A watch costs 48 bytes.
 * The clock is read once for each turn. What is handed to loop_bury is freed at the end of the turn, so that no callback returns into
 * freed memory.
 */
#ifndef POSTERN_NET_LOOP_H
#define POSTERN_NET_LOOP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

struct loop;

#define WATCH_READ   1u
#define WATCH_WRITE  2u
#define WATCH_CLOSED 4u /* the peer has sent its FIN, or the connection failed: read to the end */

typedef void watch_fn(void *arg, unsigned what);

/* Interest in one descriptor, embedded in its owner. */
struct watch {
	TAILQ_ENTRY(watch) link; /* among those to be called again */
	struct loop       *loop; /* null: not set */
	watch_fn          *fn;
	void              *arg;
	int                fd;
	unsigned           again; /* WATCH_ bits to be called with, beside what the kernel says */
};

typedef void timer_fn(void *arg);

/* A deadline; embedded. 0 at_tick: not armed. Fires at or up to one tick (16 ms) after its time. */
struct timer {
	LIST_ENTRY(timer) link;
	timer_fn *fn;
	void     *arg;
	uint64_t  at_tick;
};

struct loop *loop_new(void);
void loop_free(struct loop *l);
/* Runs until loop_stop. */
void loop_run(struct loop *l);
/* Wait for events once, and hand them out. */
void loop_turn(struct loop *l);
void loop_stop(struct loop *l);
uint64_t loop_now_us(struct loop *l); /* monotonic, as of this turn */

/* Watch fd edge-triggered for everything in `what`, until watch_clear. False with errno. */
bool watch_init(struct watch *w, struct loop *l, int fd, unsigned what, watch_fn *fn, void *arg);
/* The same, level-triggered (listeners, pipes between processes, c-ares' sockets). */
bool watch_init_level(struct watch *w, struct loop *l, int fd, unsigned what, watch_fn *fn, void *arg);
/* A listening socket that other processes watch too: readable, level-triggered, and for each connection not all of them are woken. */
bool watch_init_shared(struct watch *w, struct loop *l, int fd, watch_fn *fn, void *arg);
/* No descriptor: only watch_again calls it. */
void watch_init_idle(struct watch *w, struct loop *l, watch_fn *fn, void *arg);
/* Call again in a later turn as if these had happened: for an owner that stopped before it was dry. */
void watch_again(struct watch *w, unsigned what);
/* Before the descriptor is closed. After it the callback does not come. Harmless on a zeroed struct. */
void watch_clear(struct watch *w);
/* The same, when nobody else holds the descriptor and it is closed right after: the kernel then forgets it by itself, which saves a call. */
void watch_drop(struct watch *w);
bool watch_is_set(const struct watch *w);

void timer_init(struct timer *t, timer_fn *fn, void *arg);
void timer_set(struct loop *l, struct timer *t, uint64_t after_ms); /* re-arms */
void timer_clear(struct timer *t);

/* A signal, as an event of the loop (it is blocked otherwise). False with errno. */
struct signal_watch {
	struct watch watch;
	timer_fn    *fn;
	void        *arg;
};
bool signal_watch_init(struct signal_watch *w, struct loop *l, int signo, timer_fn *fn, void *arg);
void signal_watch_clear(struct signal_watch *w);

/* The first member of an object that loop_bury will free. */
struct grave {
	struct grave *next;
};
/* free() the object that begins with `g` at the end of this turn. Cannot fail. */
void loop_bury(struct loop *l, struct grave *g);
/* Called at the end of every turn in which something happened, in the order of adding; for batching. */
struct loop_hook {
	TAILQ_ENTRY(loop_hook) link;
	void (*fn)(void *arg);
	void *arg;
};
void loop_hook_add(struct loop *l, struct loop_hook *h);

#endif
