/* SPDX-License-Identifier: MIT */
#include "auth/pool.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"

TAILQ_HEAD(job_list, pool_job);

struct thread {
	pthread_t        id;
	struct pool     *pool;
	unsigned         number;
	pthread_cond_t   given;
	struct pool_job *job;   /* null: idle. Set by the loop's thread, cleared by it too */
	bool             fresh; /* not begun yet */
};

struct pool {
	struct pool_config c;
	struct thread      thread[POOL_THREADS_MAX];
	unsigned           n_threads; /* started */
	int                wake_fd;
	struct watch       wake;
	pthread_mutex_t    lock; /* fresh, finished, leaving */
	struct job_list    finished;
	bool               leaving;
};

static void *
thread_main(void *arg)
{
	struct thread *t = arg;
	struct pool   *p = t->pool;
	uint64_t       one = 1;

	pthread_mutex_lock(&p->lock);
	for (;;) {
		while (!t->fresh && !p->leaving)
			pthread_cond_wait(&t->given, &p->lock);
		if (p->leaving)
			break;
		t->fresh = false;
		struct pool_job *j = t->job;
		pthread_mutex_unlock(&p->lock);
		p->c.run(p->c.arg, j, t->number);
		j->ended_us = clock_mono_us();
		pthread_mutex_lock(&p->lock);
		TAILQ_INSERT_TAIL(&p->finished, j, link);
		if (write(p->wake_fd, &one, sizeof one) < 0 && errno != EAGAIN)
			log_error("an eventfd cannot be written: %s", strerror(errno)); /* cannot be; the next one brings both */
	}
	pthread_mutex_unlock(&p->lock);
	return NULL;
}

static void
on_finished(void *arg, unsigned what)
{
	struct pool     *p = arg;
	uint64_t         n;
	struct pool_job *j;

	(void)what;
	if (read(p->wake_fd, &n, sizeof n) < 0 && errno != EAGAIN)
		log_error("an eventfd cannot be read: %s", strerror(errno));
	for (;;) {
		pthread_mutex_lock(&p->lock);
		j = TAILQ_FIRST(&p->finished);
		if (j)
			TAILQ_REMOVE(&p->finished, j, link);
		for (unsigned i = 0; j && i < p->n_threads; i++)
			if (p->thread[i].job == j)
				p->thread[i].job = NULL;
		pthread_mutex_unlock(&p->lock);
		if (!j)
			break;
		p->c.done(p->c.arg, j);
	}
	p->c.settled(p->c.arg);
}

unsigned
pool_threads(const struct pool *p)
{
	return p->n_threads;
}

struct pool_job *
pool_job(const struct pool *p, unsigned thread)
{
	return p->thread[thread].job;
}

int
pool_idle(const struct pool *p)
{
	for (unsigned i = p->n_threads; i-- > 0;)
		if (!p->thread[i].job)
			return (int)i;
	return -1;
}

void
pool_give(struct pool *p, unsigned thread, struct pool_job *j)
{
	struct thread *t = &p->thread[thread];

	j->began_us = clock_mono_us();
	pthread_mutex_lock(&p->lock);
	t->job = j;
	t->fresh = true;
	pthread_cond_signal(&t->given);
	pthread_mutex_unlock(&p->lock);
}

static bool
start_threads(struct pool *p)
{
	unsigned n = p->c.threads < POOL_THREADS_MAX ? p->c.threads : POOL_THREADS_MAX;

	for (unsigned i = 0; i < n; i++) {
		struct thread *t = &p->thread[i];
		t->pool = p;
		t->number = i;
		if (pthread_cond_init(&t->given, NULL) != 0)
			break;
		if (pthread_create(&t->id, NULL, thread_main, t) != 0) {
			pthread_cond_destroy(&t->given);
			break;
		}
		p->n_threads++;
	}
	return n == 0 || p->n_threads > 0; /* fewer are slower, no more */
}

static void
drop_nothing(void *arg, struct pool_job *j)
{
	(void)arg;
	(void)j;
}

struct pool *
pool_new(struct loop *loop, const struct pool_config *c)
{
	struct pool *p = calloc(1, sizeof *p);

	if (!p)
		return NULL;
	p->c = *c;
	TAILQ_INIT(&p->finished);
	pthread_mutex_init(&p->lock, NULL);
	p->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (p->wake_fd < 0 || !watch_init_level(&p->wake, loop, p->wake_fd, WATCH_READ, on_finished, p) || !start_threads(p)) {
		pool_free(p, drop_nothing);
		return NULL;
	}
	return p;
}

void
pool_free(struct pool *p, void (*drop)(void *arg, struct pool_job *j))
{
	struct pool_job *j;

	if (!p)
		return;
	pthread_mutex_lock(&p->lock);
	p->leaving = true;
	for (unsigned i = 0; i < p->n_threads; i++)
		pthread_cond_signal(&p->thread[i].given);
	pthread_mutex_unlock(&p->lock);
	for (unsigned i = 0; i < p->n_threads; i++) {
		pthread_join(p->thread[i].id, NULL);
		pthread_cond_destroy(&p->thread[i].given);
		if (p->thread[i].fresh)
			TAILQ_INSERT_TAIL(&p->finished, p->thread[i].job, link); /* given, and never begun */
	}
	while ((j = TAILQ_FIRST(&p->finished))) {
		TAILQ_REMOVE(&p->finished, j, link);
		drop(p->c.arg, j);
	}
	watch_clear(&p->wake);
	if (p->wake_fd >= 0)
		close(p->wake_fd);
	pthread_mutex_destroy(&p->lock);
	free(p);
}
