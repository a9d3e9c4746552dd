/* SPDX-License-Identifier: MIT */
/*
 * signer: the process that holds the CA's key, and answers "a leaf for these names" (tls/leaf_wire) to the workers, and nothing else. Says as well when the
 * keys of leaves and of session tickets (signer_keys) are renewed.
 * A CA that cannot be used does not end the process: it says so, gives no hello, and workers wait as long as they please.
 */
#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "proc/child.h"
#include "proc/roles.h"
#include "proc/sandbox.h"
#include "proc/signer_ca.h"
#include "proc/signer_keys.h"
#include "proc/signer_peers.h"
#include "tls/leaf.h"
#include "tls/leaf_ask.h"
#include "tls/lru.h"
#include "tls/profile.h"
#include "tls/token.h"

#define KEYS_MS        86400000u /* so long leaves are made for one key */
#define WARN_DAYS      30
#define TICKETS_MS     3600000u
#define BEFORE_MS      600000u /* so long the CA before the last reload answers those who still ask for it */
#define LEAVE_MS       5000u   /* one that is needed no more answers what is on its way */
#define TOKEN_MS       2000u /* so long one whose token is away stays to be told of another PIN; doubled for each that ended so before it */
#define TOKEN_DOUBLES  4u
#define CHAIN_ROOM     16384u
#define UNTRUSTED_NAME "Postern untrusted origin CA"
#define UNTRUSTED_DAYS 3650u

/* A certificate that was made; it goes with a key in use. */
struct made {
	int64_t until;
	size_t  n;
	uint8_t der[];
};

/* What was prepared, or is in use. */
struct use {
	struct snapshot *snap;
	struct mint     *mint; /* null: its CA cannot be used */
	int              file; /* of its key; -1: none */
};

struct signer {
	struct child         child;
	struct signer_stats *stats;
	struct use           now, next;
	struct mint         *before; /* of the CA before; null: none */
	struct mint         *untrusted;
	uint8_t              untrusted_chain[2048];
	size_t               n_untrusted_chain;
	struct signer_keys   keys;
	struct lru          *cache; /* struct made, by digest of the ask */
	struct timer         keys_due, tickets_due, forget, leave, token;
	struct log_limit     odd;
	struct signer_peers *peers;
};

static int64_t
now_s(void)
{
	return (int64_t)(clock_real_us() / 1000000);
}

/* --- what it tells workers of itself --- */

static size_t
hello_write(void *arg, uint8_t *out, size_t room)
{
	struct signer    *s = arg;
	uint8_t           key[LEAF_KEYS][SIGNER_KEY_ROOM], chain[CHAIN_ROOM];
	struct leaf_hello h = {0};
	size_t            n;

	if (!s->now.mint)
		return 0;
	memcpy(h.ca_print, mint_print(s->now.mint), sizeof h.ca_print);
	signer_keys_tell(&s->keys, &h, key);
	h.chain[LEAF_TRUSTED] = span_of((const char *)chain, signer_chain(s->now.snap, chain, sizeof chain));
	h.chain[LEAF_UNTRUSTED] = span_of((const char *)s->untrusted_chain, s->n_untrusted_chain);
	n = leaf_hello_write(&h, out, room);
	OPENSSL_cleanse(key, sizeof key);
	ERR_clear_error();
	return n;
}

static size_t
tickets_write(void *arg, uint8_t *out, size_t room)
{
	struct signer *s = arg;

	return leaf_tickets_write((const uint8_t(*)[LEAF_TICKET])s->keys.ticket, s->keys.n_tickets, out, room);
}

/* --- leaves --- */

/* Null: it has another CA. */
static struct mint *
mint_for(struct signer *s, const struct leaf_ask *a)
{
	if (a->ca == LEAF_UNTRUSTED)
		return s->untrusted;
	if (s->now.mint && memcmp(a->ca_print, mint_print(s->now.mint), sizeof a->ca_print) == 0)
		return s->now.mint;
	return s->before && memcmp(a->ca_print, mint_print(s->before), sizeof a->ca_print) == 0 ? s->before : NULL;
}

static const struct made *
cache_find(struct signer *s, const uint8_t digest[32])
{
	struct made *m = lru_find(s->cache, digest);

	if (m && m->until <= now_s()) {
		lru_remove(s->cache, digest);
		m = NULL;
	}
	return m;
}

static void
cache_put(struct signer *s, const struct mint *mint, const struct leaf_ask *a, const uint8_t digest[32], struct span der)
{
	struct made *m = malloc(sizeof *m + der.n);
	int64_t      from, until;

	if (!m || !mint_dates(mint, a, now_s(), &from, &until)) {
		free(m);
		return;
	}
	m->until = leaf_use_until(from, until);
	m->n = der.n;
	memcpy(m->der, der.p, der.n);
	lru_put(s->cache, digest, m);
}

/* A library keeps what it has once seen of its slots: a token that comes back is found by a process that begins anew. */
static void
on_token(void *arg)
{
	struct signer *s = arg;

	log_info("the token is looked for afresh");
	loop_stop(s->child.loop);
}

/* It is away, or does not work. Not so where the PIN is wrong: tokens lock. */
static void
token_look(struct signer *s)
{
	uint32_t deaths = s->child.start.deaths;

	if (s->now.snap && signer_in_token(s->now.snap) && !signer_pin_is_bad() && !s->token.at_tick)
		timer_set(s->child.loop, &s->token, s->now.mint ? 0 : TOKEN_MS << (deaths < TOKEN_DOUBLES ? deaths : TOKEN_DOUBLES));
}

static void
answer(void *arg, struct signer_peer *p, struct span packet)
{
	struct signer     *s = arg;
	struct leaf_ask    a;
	struct leaf_made   m = {0};
	uint8_t            digest[32], der[LEAF_PACKET_MAX - 64];
	const struct made *had = NULL;
	const char        *why = "out of memory";
	struct mint       *mint;
	bool               known = false;
	size_t             n;

	if (!leaf_ask_read(packet, &a)) {
		log_write_limited(&s->odd, LOG_LEVEL_WARN, "worker %u sends damaged packets", signer_peer_number(p));
		return;
	}
	s->stats->asked++;
	m.number = a.number;
	mint = mint_for(s, &a);
	if (!mint) {
		m.foreign = m.refused = true;
	} else if ((known = leaf_ask_digest(packet, digest)) && (had = cache_find(s, digest))) {
		s->stats->cached++;
		m.der = span_of((const char *)had->der, had->n);
	} else if ((n = mint_leaf(mint, &a, s->keys.leaf[a.key], now_s(), der, sizeof der, &why)) > 0) {
		s->stats->minted++;
		m.der = span_of((const char *)der, n);
		if (known)
			cache_put(s, mint, &a, digest, m.der);
	} else {
		s->stats->refused++;
		m.refused = true;
		m.der = span_str(why);
		log_write_limited(&s->odd, LOG_LEVEL_WARN, "no certificate was made: %s", why);
		if (mint != s->untrusted && strcmp(why, MINT_UNSIGNED) == 0)
			token_look(s);
	}
	signer_peer_answer(p, &m);
}

/* --- what it renews --- */

/* A gateway may run for years without the reload at which this is checked. */
static void
warn_of_end(const struct signer *s)
{
	int64_t days = s->now.mint ? (mint_ends(s->now.mint) - now_s()) / 86400 : WARN_DAYS;

	if (days < WARN_DAYS)
		log_warn("the CA's certificate expires in %lld days; make a new one, and have clients trust both before then", (long long)(days > 0 ? days : 0));
}

static void
on_keys(void *arg)
{
	struct signer *s = arg;

	timer_set(s->child.loop, &s->keys_due, KEYS_MS);
	warn_of_end(s);
	if (signer_keys_renew(&s->keys)) {
		lru_clear(s->cache);
		signer_peers_owe(s->peers, true, false);
	} else {
		log_warn("the keys of leaves cannot be renewed; those before stay in use");
	}
}

static void
on_tickets(void *arg)
{
	struct signer *s = arg;

	timer_set(s->child.loop, &s->tickets_due, TICKETS_MS);
	if (signer_keys_add_ticket(&s->keys))
		signer_peers_owe(s->peers, false, true);
}

static bool
untrusted_make(struct signer *s)
{
	const struct mint_ca_want want = {.name = UNTRUSTED_NAME, .days = UNTRUSTED_DAYS};
	X509                     *cert;
	EVP_PKEY                 *key;
	const char               *why;

	if (!mint_ca_make(&want, now_s(), &cert, &key, &why))
		return false;
	s->untrusted = mint_new(cert, key);
	s->n_untrusted_chain = signer_chain_of(cert, s->untrusted_chain, sizeof s->untrusted_chain);
	X509_free(cert);
	EVP_PKEY_free(key);
	return s->untrusted && s->n_untrusted_chain > 0;
}

/* --- snapshots and the CA --- */

static void
use_clear(struct use *u)
{
	snapshot_unref(u->snap);
	mint_free(u->mint);
	if (u->file >= 0)
		close(u->file);
	*u = (struct use){.file = -1};
}

static bool
same_ca(const struct mint *m, const struct snapshot *s)
{
	return m && memcmp(mint_print(m), s->set->inspection.ca_print, PROFILE_PRINT) == 0;
}

/* The file is another one now: that of what is about to be used, or of what is in use. */
static void
renew_key(struct signer *s, int file)
{
	struct use  *u = s->next.snap ? &s->next : &s->now;
	char         why[SIGNER_WHY];
	struct mint *m;

	if (!u->snap || !u->snap->set->inspection.present) {
		close(file);
		return;
	}
	m = signer_mint(u->snap, file, now_s(), why);
	if (!m) {
		log_warn("ca-key: %s; %s", why, u->mint ? "what was read of it before stays in use" : "no tunnel can be inspected until it can be used");
		close(file);
		if (!s->now.mint)
			token_look(s);
		return;
	}
	log_info("the CA's key was read");
	if (u->file >= 0)
		close(u->file);
	u->file = file;
	mint_free(u->mint);
	u->mint = m;
	if (u == &s->now)
		signer_peers_owe(s->peers, true, false);
}

static void
take_file(struct signer *s, struct message *m)
{
	int fd = m->n_fds == 1 ? m->fd[0] : -1;

	m->n_fds = 0;
	if (m->number == 0) {
		if (fd >= 0)
			renew_key(s, fd);
		return;
	}
	/* belongs to the snapshot that comes with the next message */
	use_clear(&s->next);
	s->next.file = fd;
}

static void
take_snapshot(struct signer *s, struct message *m)
{
	struct use *u = &s->next;
	char        why[SIGNER_WHY] = "out of memory";
	bool        may_refuse = m->n > 0;

	timer_clear(&s->leave); /* needed after all */
	snapshot_unref(u->snap);
	mint_free(u->mint);
	u->mint = NULL;
	u->snap = m->n_fds == 1 ? snapshot_open(m->fd[0], false) : NULL;
	if (!u->snap) {
		child_refuse(m->number, why);
		return;
	}
	if (u->snap->set->inspection.present)
		u->mint = signer_mint(u->snap, u->file, now_s(), why);
	if (!u->mint && may_refuse) {
		use_clear(u);
		child_refuse(m->number, why);
		return;
	}
	if (!u->mint && u->snap->set->inspection.present)
		log_error("ca-key: %s; %s", why, same_ca(s->now.mint, u->snap) ? "what was read before stays in use" : "no tunnel can be inspected until it can be used");
	child_say(MSG_PREPARED, m->number);
}

static void
apply(struct signer *s, uint64_t number)
{
	struct use old = s->now;
	bool       changed;

	if (!s->next.snap || s->next.snap->set->generation != number) {
		child_say(MSG_REFUSED, number);
		return;
	}
	s->now = s->next;
	s->next = (struct use){.file = -1};
	log_threshold((enum log_level)s->now.snap->set->log_level);
	if (!s->now.mint && same_ca(old.mint, s->now.snap)) {
		s->now.mint = old.mint;
		old.mint = NULL;
	}
	changed = s->now.mint && !(old.mint && memcmp(mint_print(old.mint), mint_print(s->now.mint), PROFILE_PRINT) == 0);
	if (changed && old.mint) {
		log_info("a new CA is in use: leaves are made by it from now on");
		mint_free(s->before);
		s->before = old.mint;
		old.mint = NULL;
		timer_set(s->child.loop, &s->forget, BEFORE_MS);
	}
	if (old.snap && old.snap->set->inspection.leaf_validity_ms != s->now.snap->set->inspection.leaf_validity_ms)
		lru_clear(s->cache);
	use_clear(&old);
	mint_fit(s->untrusted, (int64_t)(s->now.snap->set->inspection.leaf_validity_ms / 1000));
	(void)lru_fit(s->cache, s->now.snap->set->inspection.leaf_cache); /* else as many as before */
	if (changed)
		signer_peers_owe(s->peers, true, false);
	timer_clear(&s->token);
	if (!s->now.mint)
		token_look(s);
	child_say(MSG_APPLIED, number);
}

static void
on_forget(void *arg)
{
	struct signer *s = arg;

	mint_free(s->before);
	s->before = NULL;
}

static void
on_leave(void *arg)
{
	struct signer *s = arg;

	loop_stop(s->child.loop);
}

static void
on_message(void *arg, struct message *m)
{
	struct signer *s = arg;

	switch ((enum message_type)m->type) {
	case MSG_PEER:
		signer_peers_take(s->peers, m);
		break;
	case MSG_FILE:
		take_file(s, m);
		break;
	case MSG_SNAPSHOT:
		take_snapshot(s, m);
		break;
	case MSG_GO:
		apply(s, m->number);
		break;
	case MSG_FORGET:
		use_clear(&s->next);
		break;
	case MSG_DRAIN:
		timer_set(s->child.loop, &s->leave, LEAVE_MS);
		break;
	default:
		break;
	}
}

/* Workers drain by themselves, and may still ask. */
static void
on_orphaned(void *arg)
{
	struct signer *s = arg;

	timer_set(s->child.loop, &s->leave, s->now.snap ? s->now.snap->set->drain_timeout_ms : 0);
}

/* --- beginning and end --- */

/* The key is not to reach the disk: neither by a core (sandbox_enter forbids it as well) nor by swapping, where this may be locked. */
static void
lock_memory(void)
{
	const struct rlimit none = {0, 0}, all = {RLIM_INFINITY, RLIM_INFINITY};

	setrlimit(RLIMIT_CORE, &none);
	/* under a limit the locks would make later allocations fail */
	if (setrlimit(RLIMIT_MEMLOCK, &all) != 0 || mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) != 0)
		log_info("memory cannot be locked here (%s): the CA's key may be swapped out", strerror(errno));
}

/* What a token's library opens is for the groups of its user, and known to nobody beforehand. */
static bool
give_up_privileges(const struct start *s)
{
	gid_t group[GROUPS_MAX];

	if (s->drop_user && !sandbox_drop_user_but(s->uid, s->gid, group, s->open ? sandbox_groups(s->uid, group) : 0))
		return false;
	if (s->open)
		log_info("the CA's key is in a token: this process runs without a system call filter, which its library might not bear");
	return sandbox_enter(s->open ? ROLE_SIGNER_OPEN : ROLE_SIGNER, s->open);
}

static bool
signer_begin(struct signer *s)
{
	static const struct signer_peer_ops asked = {.hello = hello_write, .tickets = tickets_write, .ask = answer};
	struct child                       *c = &s->child;

	if (!child_begin(c, "signer"))
		return false;
	s->stats = &c->shared->signer;
	timer_init(&s->keys_due, on_keys, s);
	timer_init(&s->tickets_due, on_tickets, s);
	timer_init(&s->forget, on_forget, s);
	timer_init(&s->leave, on_leave, s);
	timer_init(&s->token, on_token, s);
	c->on_message = on_message;
	c->on_orphaned = on_orphaned;
	c->arg = s;
	lock_memory();
	if (OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG | OPENSSL_INIT_NO_ATEXIT, NULL) != 1) {
		log_error("cannot start: OpenSSL could not be made ready");
		return false;
	}
	if (!give_up_privileges(&c->start))
		return false;
	s->cache = lru_new(0, free);
	s->peers = signer_peers_new(c->loop, &asked, s);
	if (!s->cache || !s->peers || !signer_keys_renew(&s->keys) || !signer_keys_add_ticket(&s->keys) || !untrusted_make(s)) {
		log_error("cannot start: the keys of leaves cannot be made");
		return false;
	}
	timer_set(c->loop, &s->keys_due, KEYS_MS);
	timer_set(c->loop, &s->tickets_due, TICKETS_MS);
	return child_listen(c);
}

static void
signer_end(struct signer *s)
{
	signer_peers_free(s->peers);
	if (s->child.loop) {
		timer_clear(&s->keys_due);
		timer_clear(&s->tickets_due);
		timer_clear(&s->forget);
		timer_clear(&s->leave);
		timer_clear(&s->token);
	}
	use_clear(&s->now);
	use_clear(&s->next);
	mint_free(s->before);
	mint_free(s->untrusted);
	token_close();
	signer_keys_clear(&s->keys);
	lru_free(s->cache);
	child_end(&s->child);
	OPENSSL_cleanse(s, sizeof *s);
	free(s);
}

int
signer_main(void)
{
	struct signer *s = calloc(1, sizeof *s);
	int            rc = 1;

	if (!s)
		return rc;
	s->now.file = s->next.file = -1;
	if (signer_begin(s)) {
		loop_run(s->child.loop);
		rc = 0;
	}
	signer_end(s);
	return rc;
}
