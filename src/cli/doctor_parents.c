/* SPDX-License-Identifier: MIT */
/*
 * doctor_parents: how `postern doctor` logs on to parents: Basic with the credentials that workers send, Negotiate with tickets from the back end that the
 * gateway's own process asks. That back end has threads, and a domain may keep them waiting: the first ticket is fetched by a thread that may be left behind.
 */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "auth/back.h"
#include "auth/parent_secret.h"
#include "base/clock.h"
#include "cli/doctor.h"
#include "proc/keytabs.h"

/* A parent that wants Negotiate. */
struct ticketed {
	struct parents *of;
	char           *name, *host; /* owned */
	unsigned        at;          /* in the settings */
	char            why[BACK_WHY_MAX]; /* of the first try; "": there was a token */
	bool            asked;       /* under `lock`: the first try is over */
};

struct parents {
	struct snapshot_secret secret[DOCTOR_PARENTS_MAX];
	struct ticketed        by[DOCTOR_PARENTS_MAX];
	unsigned               n; /* of `by` */
	uint64_t               patience_ms; /* for the first tickets: the most that a request would wait */
	const struct back_ops *ops;
	struct back           *back;
	pthread_mutex_t        lock;
	bool                   hangs; /* under `lock`: nobody waits for the thread any more, and what it finds is not used */
	unsigned               refs;  /* under `lock`: the command's and the thread's */
};

#define UNREADABLE "its credentials cannot be read here; run this as root, or as the gateway's user"

static void
parents_unref(struct parents *p)
{
	bool last;

	pthread_mutex_lock(&p->lock);
	last = --p->refs == 0;
	pthread_mutex_unlock(&p->lock);
	if (!last)
		return;
	if (p->back)
		p->ops->close(p->back);
	for (unsigned i = 0; i < p->n; i++) {
		free(p->by[i].name);
		free(p->by[i].host);
	}
	pthread_mutex_destroy(&p->lock);
	free(p);
}

/* --- Basic --- */

static void
basic_read(const struct conf_parent *p, struct doctor_proxy *proxy, struct snapshot_secret *secret)
{
	const char *why;
	int         fd = open(p->credentials, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

	if (fd >= 0 && parent_secret_read(fd, secret, &why)) {
		proxy->authorization = secret->text;
	} else {
		proxy->present = false;
		proxy->why = UNREADABLE;
	}
	if (fd >= 0)
		close(fd);
}

/* --- Negotiate --- */

/* One token; NULL: why. */
static char *
token_make(const struct ticketed *t, char *why, size_t n)
{
	struct ask    ask = {.op = ASK_INITIATE, .timeout_ms = (uint32_t)t->of->patience_ms, .part = {span_str(t->name), span_str(t->host)}};
	struct answer a = {0};
	char         *out = NULL;

	snprintf(why, n, "out of memory");
	t->of->ops->check(t->of->back, 0, &ask, &a);
	if (a.result != ASK_OK)
		snprintf(why, n, "%s", a.detail);
	else if (a.n_token && a.n_token <= PASS_MAX)
		out = strndup(a.token, a.n_token);
	if (a.token)
		explicit_bzero(a.token, a.n_token);
	answer_clear(&a);
	return out;
}

/* What the first try brought, nobody asks again within the same run. */
static char *
on_token(void *arg, char *why, size_t n)
{
	const struct ticketed *t = arg;

	if (!t->why[0])
		return token_make(t, why, n);
	snprintf(why, n, "%s", t->why);
	return NULL;
}

static void *
first_tickets(void *arg)
{
	struct parents *p = arg;

	for (unsigned i = 0; i < p->n; i++) {
		char  why[BACK_WHY_MAX] = "";
		char *token = token_make(&p->by[i], why, sizeof why);
		pthread_mutex_lock(&p->lock);
		if (!p->hangs) {
			snprintf(p->by[i].why, sizeof p->by[i].why, "%s", token ? "" : why);
			p->by[i].asked = true;
		}
		pthread_mutex_unlock(&p->lock);
		if (token)
			explicit_bzero(token, strlen(token));
		free(token);
	}
	parents_unref(p);
	return NULL;
}

/* The command's own thread takes them, whoever else there is. */
static void
interrupts(int how)
{
	sigset_t one;

	sigemptyset(&one);
	sigaddset(&one, SIGINT);
	pthread_sigmask(how, &one, NULL);
}

static void
first_wait(struct parents *p)
{
	uint64_t        until_us = clock_mono_us() + p->patience_ms * 1000;
	struct timespec until = {.tv_sec = (time_t)(until_us / 1000000), .tv_nsec = (long)(until_us % 1000000 * 1000)};
	pthread_t       id;
	bool            began;

	p->refs++;
	began = pthread_create(&id, NULL, first_tickets, p) == 0;
	p->refs -= !began; /* there is no thread who could look */
	interrupts(SIG_UNBLOCK);
	if (began && pthread_clockjoin_np(id, NULL, CLOCK_MONOTONIC, &until) == 0)
		return;
	pthread_mutex_lock(&p->lock);
	p->hangs = began;
	for (unsigned i = 0; i < p->n; i++)
		if (!p->by[i].asked)
			snprintf(p->by[i].why, sizeof p->by[i].why, began ? "no ticket within %llu ms (connect-timeout): the domain does not answer" : "out of memory",
			    (unsigned long long)p->patience_ms);
	pthread_mutex_unlock(&p->lock);
}

static bool
back_begin(struct parents *p, const struct conf *c, const struct snapshot *snap, char why[BACK_WHY_MAX])
{
	struct keytabs k;
	int            bundle = -1;

	snprintf(why, BACK_WHY_MAX, "this program was built without Kerberos");
	p->ops = back_ops(BACK_INITIATOR);
	if (!p->ops || !p->ops->load(why))
		return false;
	if (keytabs_init(&k, c))
		bundle = keytabs_open(&k);
	keytabs_clear(&k);
	p->back = p->ops->open(snap, bundle, why);
	if (bundle >= 0)
		close(bundle);
	return p->back != NULL;
}

static bool
ticketed_add(struct parents *p, const struct conf_parent *parent, unsigned at)
{
	struct ticketed *t = &p->by[p->n];

	*t = (struct ticketed){.of = p, .name = strndup(parent->name.p, parent->name.n), .host = strdup(parent->host), .at = at};
	p->n++;
	if (parent->connect_timeout_ms > p->patience_ms)
		p->patience_ms = parent->connect_timeout_ms;
	return t->name && t->host;
}

static void
negotiate_begin(struct parents *p, const struct conf *c, const struct snapshot *snap, struct doctor_settings *set)
{
	char why[BACK_WHY_MAX];
	bool begun;

	interrupts(SIG_BLOCK); /* until the threads are there */
	begun = back_begin(p, c, snap, why);

	for (unsigned i = 0; i < p->n; i++) {
		struct doctor_proxy *proxy = &set->parent[p->by[i].at];
		proxy->present = true;
		proxy->why = NULL;
		proxy->token = on_token;
		proxy->token_arg = &p->by[i];
		snprintf(p->by[i].why, sizeof p->by[i].why, "%s", begun ? "" : why);
	}
	if (begun)
		first_wait(p);
	else
		interrupts(SIG_UNBLOCK);
}

/* --- all of them --- */

static const struct conf_parent *
conf_of(const struct conf *c, const struct doctor_proxy *proxy)
{
	const struct conf_parent *p;

	TAILQ_FOREACH (p, &c->parents, link)
		if (p->name.p == proxy->name)
			return p;
	return NULL;
}

bool
parents_log_on(struct checkup *c)
{
	struct parents *p = c->parents = calloc(1, sizeof *p);
	bool            ok = p != NULL;

	if (!p)
		return false;
	pthread_mutex_init(&p->lock, NULL);
	p->refs = 1;
	for (unsigned i = 0; ok && i < c->set.n_parents; i++) {
		struct doctor_proxy      *proxy = &c->set.parent[i];
		const struct conf_parent *parent = checkup_uses(c, i + 1) ? conf_of(c->conf, proxy) : NULL;
		if (parent && parent->auth == PARENT_AUTH_BASIC)
			basic_read(parent, proxy, &p->secret[i]);
		else if (parent && parent->auth == PARENT_AUTH_NEGOTIATE)
			ok = ticketed_add(p, parent, i);
	}
	c->lingers = p->n > 0;
	if (ok && p->n && c->form == DOCTOR_FORM_TABLE && isatty(STDERR_FILENO))
		fputs("\rasking for tickets ...", stderr);
	if (ok && p->n)
		negotiate_begin(p, c->conf, c->snap, &c->set);
	return ok;
}

void
parents_free(struct parents *p)
{
	if (!p)
		return;
	explicit_bzero(p->secret, sizeof p->secret);
	parents_unref(p);
}
