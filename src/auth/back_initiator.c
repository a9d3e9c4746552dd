/* SPDX-License-Identifier: MIT */
/*
 * back_initiator: logs us on to parents that want Negotiate: one token for each ask, made with a ticket of the parent's own account.
 * Keys come in a bundle, by parent; tickets and their use are pass_ticket's.
 * Always true: no ask waits for the renewal of a ticket that still holds, a thread of its own sees to that; what a parent's account lacks is no other
 * parent's trouble; a token is for the host that the configuration gives for the parent, whatever is asked.
 */
#include <errno.h>
#include <nettle/base64.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "auth/back_ops.h"
#include "auth/bundle.h"
#include "auth/pass_ticket.h"
#include "base/clock.h"
#include "base/log.h"

#define AGAIN_US       5000000u  /* what went wrong is not tried again before */
#define RENEW_AGAIN_US 30000000u /* the same while the ticket before still holds */
#define AFRESH_US      10000000u /* a ticket that a parent refused is not replaced sooner */
#define DEAF_US        2000000u  /* nor is a token for a parent that the KDC does not know */
#define SLACK_US       5000000u  /* before its end a ticket is of no use: the token has to travel */
#define TOKEN_MOST     (PASS_MAX / 4 * 3 - 64)

/* One parent. */
struct door {
	char               *name, *host, *principal;
	struct keyring     *keys;   /* null: why says */
	char                why[BACK_WHY_MAX];
	pthread_mutex_t     fetching; /* whoever holds it asks the KDC; taken before `lock`, never after */
	pthread_mutex_t     lock;     /* of what follows */
	struct pass_ticket *ticket;   /* a reference; null: none yet */
	struct pass_trouble trouble;  /* of the last try */
	uint64_t            again_us; /* not before: it went wrong; 0: it did not */
	uint64_t            deaf_us;  /* a ticket was there and gave no token: `deaf` says why until then */
	struct pass_trouble deaf;
	struct log_limit    limit;
};

struct back {
	_Atomic unsigned refs; /* the process's and the keeper's */
	struct door     *door;
	size_t           n;
	pthread_mutex_t  lock;
	pthread_cond_t   wake;
	bool             closing;
};

/* --- tickets --- */

static bool
holds(const struct pass_ticket *t, uint64_t now_us)
{
	return t && now_us + SLACK_US < pass_ticket_end(t);
}

/* Under `fetching`. What there is by now, with a reference: new, or, when the KDC gives none, the one before for as long as it holds. */
static struct pass_ticket *
door_fetch(struct door *d, struct pass_trouble *out)
{
	struct pass_ticket *t = pass_ticket_get(d->keys, d->principal, out), *was;
	uint64_t            now_us = clock_mono_us();

	pthread_mutex_lock(&d->lock);
	was = d->ticket;
	if (t) {
		d->ticket = pass_ticket_ref(t);
		d->again_us = 0;
		log_debug("parent %s: a ticket of %s for %llu s", d->name, d->principal, (unsigned long long)((pass_ticket_end(t) - pass_ticket_since(t)) / 1000000));
	} else {
		d->trouble = *out;
		d->again_us = now_us + (holds(was, now_us) ? RENEW_AGAIN_US : AGAIN_US);
		log_write_limited(&d->limit, LOG_LEVEL_WARN, "parent %s: %s", d->name, out->text);
		t = holds(was, now_us) ? pass_ticket_ref(was) : NULL;
		was = NULL;
	}
	pthread_mutex_unlock(&d->lock);
	pass_ticket_unref(was);
	return t;
}

/* As it is now. */
static struct pass_ticket *
door_look(struct door *d, uint64_t now_us, struct pass_trouble *out, bool *failed)
{
	struct pass_ticket *t;

	pthread_mutex_lock(&d->lock);
	t = d->ticket ? pass_ticket_ref(d->ticket) : NULL;
	*failed = now_us < d->again_us;
	if (*failed)
		*out = d->trouble;
	pthread_mutex_unlock(&d->lock);
	return t;
}

/* Not older than `since_us`, unless there is no newer one. NULL: none; `out` says why. */
static struct pass_ticket *
door_ticket(struct door *d, uint64_t since_us, struct pass_trouble *out)
{
	uint64_t            now_us = clock_mono_us();
	bool                failed, knew;
	struct pass_ticket *t = door_look(d, now_us, out, &failed);

	if (holds(t, now_us) && (failed || pass_ticket_since(t) >= since_us))
		return t;
	pass_ticket_unref(t);
	if (failed)
		return NULL;
	pthread_mutex_lock(&d->fetching);
	now_us = clock_mono_us();
	t = door_look(d, now_us, out, &knew); /* somebody else may have seen to it */
	if (!knew && !(holds(t, now_us) && pass_ticket_since(t) >= since_us)) {
		pass_ticket_unref(t);
		t = door_fetch(d, out);
	} else if (!holds(t, now_us)) {
		pass_ticket_unref(t);
		t = NULL;
	}
	pthread_mutex_unlock(&d->fetching);
	return t;
}

/* --- the keeper --- */

static void
back_unref(struct back *b)
{
	if (--b->refs > 0)
		return;
	for (size_t i = 0; i < b->n; i++) {
		struct door *d = &b->door[i];
		pass_ticket_unref(d->ticket);
		keyring_unref(d->keys);
		free(d->name);
		free(d->host);
		free(d->principal);
		pthread_mutex_destroy(&d->fetching);
		pthread_mutex_destroy(&d->lock);
	}
	free(b->door);
	pthread_cond_destroy(&b->wake);
	pthread_mutex_destroy(&b->lock);
	free(b);
}

/* When it wants a new ticket. */
static uint64_t
door_due(struct door *d)
{
	uint64_t at = 0;

	if (!d->keys)
		return UINT64_MAX;
	pthread_mutex_lock(&d->lock);
	if (d->ticket)
		at = pass_ticket_half(d->ticket);
	if (at < d->again_us)
		at = d->again_us;
	pthread_mutex_unlock(&d->lock);
	return at;
}

static void
door_renew(struct door *d)
{
	struct pass_trouble why;

	pthread_mutex_lock(&d->fetching);
	if (door_due(d) <= clock_mono_us())
		pass_ticket_unref(door_fetch(d, &why));
	pthread_mutex_unlock(&d->fetching);
}

static bool
is_closing(struct back *b)
{
	bool closing;

	pthread_mutex_lock(&b->lock);
	closing = b->closing;
	pthread_mutex_unlock(&b->lock);
	return closing;
}

static void
sleep_until(struct back *b, uint64_t us)
{
	struct timespec at = {.tv_sec = (time_t)(us / 1000000), .tv_nsec = (long)(us % 1000000 * 1000)};

	pthread_mutex_lock(&b->lock);
	while (!b->closing && clock_mono_us() < us)
		if (pthread_cond_timedwait(&b->wake, &b->lock, &at) != 0)
			break;
	pthread_mutex_unlock(&b->lock);
}

static void *
keep(void *arg)
{
	struct back *b = arg;

	while (!is_closing(b)) {
		uint64_t next_us = clock_mono_us() + 3600000000u;
		for (size_t i = 0; i < b->n && !is_closing(b); i++) {
			if (door_due(&b->door[i]) <= clock_mono_us())
				door_renew(&b->door[i]);
			if (door_due(&b->door[i]) < next_us)
				next_us = door_due(&b->door[i]);
		}
		/* a ticket of a few seconds must not make this a busy loop */
		sleep_until(b, next_us > clock_mono_us() + 1000000u ? next_us : clock_mono_us() + 1000000u);
	}
	back_unref(b);
	return NULL;
}

static bool
keeper_start(struct back *b)
{
	pthread_t id;

	b->refs++;
	if (pthread_create(&id, NULL, keep, b) != 0) {
		b->refs--;
		return false;
	}
	pthread_detach(id);
	return true;
}

/* --- opening --- */

static char *
text_of(const struct snapshot *snap, struct flat_ref ref)
{
	return strndup(snapshot_text(snap, ref).p ? snapshot_text(snap, ref).p : "", snapshot_text(snap, ref).n);
}

/* Whose ticket: who is named, or the first that the keytab has a strong key of. */
static bool
principal_find(struct door *d)
{
	for (size_t i = 0; i < d->keys->n_keys; i++) {
		const char *have = d->keys->key[i].principal, *at = strrchr(have, '@');
		bool        named = strcmp(have, d->principal) == 0 ||
		    (at && !strchr(d->principal, '@') && strlen(d->principal) == (size_t)(at - have) && strncmp(have, d->principal, (size_t)(at - have)) == 0);
		if (!d->keys->key[i].strong || (*d->principal && !named))
			continue;
		free(d->principal);
		return (d->principal = strdup(have)) != NULL;
	}
	return false;
}

/* What it lacks is said when somebody asks, and in the operations log now. */
static void
door_keys(struct door *d, int bundle)
{
	char have[160];
	int  part = bundle < 0 ? -1 : bundle_find(bundle, span_str(d->name));

	if (part < 0)
		snprintf(d->why, sizeof d->why, "its keytab could not be read");
	else if (!(d->keys = keyring_new(part, false, d->why)))
		;
	else if (!principal_find(d)) {
		keyring_principals(d->keys, have, sizeof have);
		snprintf(d->why, sizeof d->why, "its keytab has no strong key of %s, but of %s", d->principal ? d->principal : "", have);
		keyring_unref(d->keys);
		d->keys = NULL;
	}
	if (part >= 0)
		close(part);
	if (d->keys)
		log_info("parent %s: we log on as %s", d->name, d->principal);
	else
		log_warn("parent %s: %s", d->name, d->why);
}

static bool
doors_open(struct back *b, const struct snapshot *snap, int bundle)
{
	const struct snapshot_parent *v = snapshot_at(snap, snap->set->parents.off);

	b->door = calloc(snap->set->parents.n + 1, sizeof *b->door);
	for (uint32_t i = 0; b->door && i < snap->set->parents.n; i++) {
		struct door *d = &b->door[b->n];
		if (v[i].auth != PARENT_AUTH_NEGOTIATE)
			continue;
		b->n++;
		pthread_mutex_init(&d->fetching, NULL);
		pthread_mutex_init(&d->lock, NULL);
		d->name = text_of(snap, v[i].name);
		d->host = text_of(snap, v[i].host);
		d->principal = text_of(snap, v[i].principal);
		if (!d->name || !d->host || !d->principal)
			return false;
		door_keys(d, bundle);
	}
	return b->door != NULL;
}

static struct back *
initiator_open(const struct snapshot *snap, int fd, char why[BACK_WHY_MAX])
{
	struct back       *b = calloc(1, sizeof *b);
	pthread_condattr_t attr;

	snprintf(why, BACK_WHY_MAX, "no memory");
	if (!b)
		return NULL;
	b->refs = 1;
	pthread_mutex_init(&b->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&b->wake, &attr);
	pthread_condattr_destroy(&attr);
	if (doors_open(b, snap, fd) && keeper_start(b))
		return b;
	back_unref(b);
	return NULL;
}

static void
initiator_close(struct back *b)
{
	pthread_mutex_lock(&b->lock);
	b->closing = true;
	pthread_cond_signal(&b->wake);
	pthread_mutex_unlock(&b->lock);
	back_unref(b);
}

static bool
initiator_load(char why[BACK_WHY_MAX])
{
	/* as the acceptor's: other mechanisms stay out of this process. No cache and no keytab but ours is ever meant. */
	if (setenv("GSS_MECH_CONFIG", "/dev/null", 1) == 0 && setenv("KRB5CCNAME", "MEMORY:none", 1) == 0 && unsetenv("KRB5_CLIENT_KTNAME") == 0)
		return true;
	snprintf(why, BACK_WHY_MAX, "no memory");
	return false;
}

/* --- asks --- */

static struct door *
door_find(struct back *b, const struct ask *ask)
{
	for (size_t i = 0; i < b->n; i++)
		if (span_eq(span_str(b->door[i].name), ask->part[0]) && span_eq(span_str(b->door[i].host), ask->part[1]))
			return &b->door[i];
	return NULL;
}

/* With the ticket that there is; one that does not do is replaced once. */
static bool
token_try(struct door *d, bool afresh, gss_buffer_t token, struct pass_trouble *why)
{
	uint64_t            now_us = clock_mono_us(), since_us = afresh && now_us > AFRESH_US ? now_us - AFRESH_US : 0;
	struct pass_ticket *t = door_ticket(d, since_us, why);
	bool                made = t && pass_ticket_use(t, d->host, token, why);

	if (t && !made && !why->away && now_us > AFRESH_US && pass_ticket_since(t) < now_us - AFRESH_US) {
		pass_ticket_unref(t);
		t = door_ticket(d, now_us - AFRESH_US, why);
		made = t && pass_ticket_use(t, d->host, token, why);
	}
	pass_ticket_unref(t);
	return made;
}

static bool
token_make(struct door *d, bool afresh, gss_buffer_t token, struct pass_trouble *why)
{
	bool deaf, made;

	pthread_mutex_lock(&d->lock);
	deaf = clock_mono_us() < d->deaf_us;
	if (deaf)
		*why = d->deaf;
	pthread_mutex_unlock(&d->lock);
	if (deaf)
		return false;
	made = token_try(d, afresh, token, why);
	pthread_mutex_lock(&d->lock);
	d->deaf_us = made ? 0 : clock_mono_us() + DEAF_US;
	d->deaf = *why;
	pthread_mutex_unlock(&d->lock);
	return made;
}

/* The value of the field, as text. */
static bool
token_put(gss_buffer_t token, struct answer *out)
{
	static const char scheme[] = "Negotiate ";
	size_t            n = sizeof scheme - 1 + BASE64_ENCODE_RAW_LENGTH(token->length);
	char             *text = token->length <= TOKEN_MOST ? malloc(n) : NULL;
	bool              ok;

	if (!text)
		return false;
	memcpy(text, scheme, sizeof scheme - 1);
	base64_encode_raw(text + sizeof scheme - 1, token->length, token->value);
	ok = answer_token(out, span_of(text, n));
	explicit_bzero(text, n);
	free(text);
	return ok;
}

static void
initiator_check(struct back *b, unsigned thread, const struct ask *ask, struct answer *out)
{
	struct door        *d = ask->op == ASK_INITIATE ? door_find(b, ask) : NULL;
	struct pass_trouble why = {0};
	gss_buffer_desc     token = GSS_C_EMPTY_BUFFER;
	OM_uint32           minor;

	(void)thread;
	out->result = ASK_REFUSED;
	if (!d) {
		answer_detail(out, "the configuration has changed");
	} else if (!d->keys) {
		answer_detail(out, "%s", d->why);
	} else if (!token_make(d, ask->handle != 0, &token, &why)) {
		out->result = why.away ? ASK_UNAVAILABLE : ASK_REFUSED;
		answer_detail(out, "%s", why.text);
	} else if (!token_put(&token, out)) {
		answer_detail(out, "no memory, or the token is longer than %u bytes", TOKEN_MOST);
	} else {
		out->result = ASK_OK;
	}
	gss_release_buffer(&minor, &token);
}

const struct back_ops back_initiator_ops = {
    .word = "initiator",
    .threads = 4,
    .may_repeat = true,
    .lingers = true,
    .counts = false,
    .load = initiator_load,
    .open = initiator_open,
    .close = initiator_close,
    .check = initiator_check,
};
