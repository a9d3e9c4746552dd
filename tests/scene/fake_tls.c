/* SPDX-License-Identifier: MIT */
/*
 * fake_tls: tls/ without cryptography. A handshake is a line each way, and what follows passes as it stands:
 *   to an origin    "tls NAME [h2]"; it sends "ok [h2] [tls1.2] [FAULT|needs URL|not NAME]": what verify will find; anything else breaks the handshake
 *   to a client     "leaf NAME trusted|untrusted|page p256|rsa"; it sends "ok [h2]", or "no" when it does not like the certificate
 * The signer and those who keep issuers answer when the script says so.
 */
#include "fake_tls.h"

#include <errno.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "net/sock.h"
#include "tls/aia.h"
#include "tls/end.h"
#include "tls/mint.h"
#include "tls/server.h"
#include "tls/verify.h"

struct tls_context {
	unsigned refs;
	bool     learned, missed;
};

struct leaf {
	unsigned refs;
	char     text[320];
};

struct tls_end {
	struct carrier  carrier; /* must be first */
	struct side    *side;
	struct host     name;
	struct leaf    *leaf;  /* a reference; null: towards an origin */
	bool            greeted, offers_h2, h2, broken;
	enum fault      why;
	char            said[128];
	size_t          n;
};

static struct fake_sock *
sock_at(int fd)
{
	struct fake_sock *s;

	TAILQ_FOREACH (s, &fake.socks, link)
		if (s->fd == fd && !s->closed)
			return s;
	return NULL;
}

/* --- tls/context.h --- */

struct tls_context *
tls_context_new(const struct snapshot *s)
{
	struct tls_context *c = calloc(1, sizeof *c);

	(void)s;
	if (c)
		c->refs = 1;
	return c;
}

struct tls_context *
tls_context_ref(struct tls_context *c)
{
	c->refs++;
	return c;
}

void
tls_context_unref(struct tls_context *c)
{
	if (c && --c->refs == 0)
		free(c);
}

void
tls_context_set_tickets(struct tls_context *c, const uint8_t key[][TICKET_KEY_SIZE], unsigned n)
{
	(void)c, (void)key, (void)n;
}

/* --- tls/end.h --- */

static ssize_t
end_read(struct carrier *c, void *buf, size_t n)
{
	return sock_read(((struct tls_end *)c)->side->fd, buf, n);
}

/* What is no HTTP/1.1 any more is not in the log's count. */
static ssize_t
uncounted(struct side *side, ssize_t n)
{
	struct fake_sock *s = sock_at(side->fd);

	if (s && n > 0)
		s->n_written -= (uint64_t)n;
	return n;
}

static ssize_t
end_write(struct carrier *c, struct span a, struct span b)
{
	struct tls_end *t = (struct tls_end *)c;
	ssize_t         n = sock_write2(t->side->fd, a, b);

	return t->h2 ? uncounted(t->side, n) : n;
}

static void
end_shut_write(struct carrier *c)
{
	sock_shut_write(((struct tls_end *)c)->side->fd);
}

static bool
end_failed(struct carrier *c)
{
	return sock_failed(((struct tls_end *)c)->side->fd);
}

void
tls_end_free(struct tls_end *t)
{
	if (t)
		leaf_unref(t->leaf);
	free(t);
}

static void
end_end(struct carrier *c, bool reset)
{
	(void)reset;
	tls_end_free((struct tls_end *)c);
}

static const struct carrier_ops ops = {end_read, end_write, end_shut_write, end_failed, end_end};

static struct tls_end *
end_new(struct side *side)
{
	struct tls_end *t = calloc(1, sizeof *t);

	if (!t)
		return NULL;
	t->carrier.ops = &ops;
	t->side = side;
	return t;
}

struct tls_end *
tls_connect(struct tls_context *c, struct side *side, const struct tls_want *want)
{
	struct tls_end *t = end_new(side);

	(void)c;
	if (t) {
		t->name = *want->name;
		t->offers_h2 = want->h2;
	}
	return t;
}

struct tls_end *
tls_answer(struct tls_context *c, struct side *side, struct span hello, const struct tls_offer *offer)
{
	struct tls_end *t = end_new(side);

	(void)c;
	if (!hello.n)
		fake_wrong("a client is answered before its hello");
	if (!offer->leaf)
		fake_wrong("a client is answered without a leaf");
	if (t) {
		t->leaf = leaf_ref((struct leaf *)offer->leaf);
		t->offers_h2 = offer->h2;
	}
	return t;
}

static enum tls_step
broke(struct tls_end *t, enum fault why)
{
	t->broken = true;
	t->why = why;
	return TLS_BROKE;
}

static enum tls_step
greet(struct tls_end *t)
{
	char line[384];
	int  n = t->leaf ? snprintf(line, sizeof line, "leaf %s\n", t->leaf->text)
	                 : snprintf(line, sizeof line, "tls %s%s\n", t->name.text, t->offers_h2 ? " h2" : "");

	/* whole or not at all, as a handshake's first flight always finds room; who is gone is noticed by reading */
	uncounted(t->side, sock_write(t->side->fd, span_of(line, (size_t)n)));
	t->greeted = true;
	return TLS_WAITS;
}

enum tls_step
tls_shake(struct tls_end *t)
{
	enum fault failed = t->leaf ? FAULT_CLIENT_TLS_FAILED : FAULT_ORIGIN_TLS_FAILED;

	if (t->broken)
		fake_wrong("a handshake that broke goes on");
	if (!t->greeted)
		greet(t);
	for (;;) {
		char    c;
		ssize_t n = sock_read(t->side->fd, &c, 1);
		if (n < 0 && errno == EAGAIN) {
			t->side->readable = false;
			return TLS_WAITS;
		}
		if (n <= 0 || t->n == sizeof t->said - 1)
			return broke(t, failed);
		if (c == '\n')
			break;
		t->said[t->n++] = c;
	}
	if (strcmp(t->said, "no") == 0)
		return broke(t, t->leaf ? FAULT_CLIENT_REJECTED_CERTIFICATE : FAULT_ORIGIN_WANTS_CERTIFICATE);
	if (strncmp(t->said, "ok", 2) != 0)
		return broke(t, failed);
	t->h2 = strstr(t->said, " h2") != NULL;
	if (t->h2 && !t->offers_h2)
		fake_wrong("h2 is spoken where it was not offered");
	return TLS_SHAKEN;
}

/* --- listeners of scenes speak in the clear --- */

struct tls_end *
tls_welcome(struct tls_server *server, struct side *side, struct span hello, bool h2)
{
	(void)server, (void)side, (void)hello, (void)h2;
	return NULL;
}

bool
tls_is_plain_http(const struct tls_end *t)
{
	(void)t;
	return false;
}

bool
tls_is_unbegun(const struct tls_end *t)
{
	(void)t;
	return false;
}

struct tls_server *
tls_server_ref(struct tls_server *s)
{
	return s;
}

void
tls_server_unref(struct tls_server *s)
{
	(void)s;
}

void
tls_server_set_tickets(struct tls_server *s, const uint8_t key[][TICKET_KEY_SIZE], unsigned n)
{
	(void)s, (void)key, (void)n;
}

struct span
tls_server_end_point(const struct tls_server *s)
{
	(void)s;
	return SPAN("");
}

const uint8_t *
tls_server_binding(const struct tls_server *s)
{
	static const uint8_t none[16];

	(void)s;
	return none;
}

enum fault
tls_why(const struct tls_end *t, const char **detail)
{
	*detail = "as the script says";
	return t->why;
}

enum fault
tls_late_why(const struct tls_end *t, const char **detail)
{
	(void)t;
	*detail = NULL;
	return FAULT_NONE;
}

bool
tls_is_h2(const struct tls_end *t)
{
	return t->h2;
}

uint16_t
tls_version(const struct tls_end *t)
{
	(void)t;
	return 0x0304;
}

bool
tls_was_asked(const struct tls_end *t)
{
	(void)t;
	return false;
}

size_t
tls_print(const struct tls_end *t, char *buf, size_t n)
{
	(void)t;
	return (size_t)snprintf(buf, n, "TLSv1.3/FAKE");
}

struct carrier *
tls_carrier(struct tls_end *t)
{
	return &t->carrier;
}

struct span
tls_alert(uint8_t description)
{
	static char text[16];

	return span_of(text, (size_t)snprintf(text, sizeof text, "alert %u\n", description));
}

/* --- tls/verify.h --- */

/* All that the script says to be wrong, beside `fault`. */
static uint16_t
kinds_of(const struct tls_end *t, enum fault fault)
{
	unsigned kinds = 0;
	char     word[64];

	for (unsigned kind = 0; kind < CERT_KINDS; kind++) {
		snprintf(word, sizeof word, "origin-cert-%s", cert_kind_word((enum cert_kind)kind));
		if (strcmp(fault_row(fault)->word, word) == 0 || strstr(t->said, word))
			kinds |= 1u << kind;
	}
	return (uint16_t)kinds;
}

static struct profile *
profile_of(const struct tls_end *t, const struct host *name, enum fault fault)
{
	size_t          n = strlen(name->text) + 2;
	struct profile *p = calloc(1, sizeof *p + n);

	if (!p)
		return NULL;
	p->refs = 1;
	p->verified_us = fake.now_us;
	p->fault = fault;
	p->kinds = kinds_of(t, fault);
	p->version = strstr(t->said, "tls1.2") ? 0x0303 : 0x0304;
	p->h2 = t->h2;
	snprintf(p->detail, sizeof p->detail, "%s", fault == FAULT_NONE ? "" : "as the script says");
	snprintf(p->issuer, sizeof p->issuer, "Fake");
	snprintf(p->cipher, sizeof p->cipher, "FAKE");
	memcpy(p->print, t->said, t->n < sizeof p->print ? t->n : sizeof p->print);
	p->n_names = 1;
	p->size = (uint32_t)n;
	p->names[0] = 'd';
	memcpy(p->names + 1, name->text, n - 1);
	return p;
}

enum verify_answer
verify_origin(struct tls_context *c, struct tls_end *t, const struct host *name, bool may_fetch, struct profile **out, const char **url)
{
	const char *needs = strstr(t->said, " needs "), *not = strstr(t->said, " not ");
	enum fault  fault = FAULT_NONE;

	if (needs && !c->learned) {
		if (may_fetch && !c->missed) {
			*url = needs + 7;
			return VERIFY_NEEDS;
		}
		fault = FAULT_CERT_INCOMPLETE;
	}
	if (not && strcmp(not + 5, name->text) == 0)
		fault = FAULT_CERT_WRONG_HOST;
	for (unsigned f = FAULT_CERT_EXPIRED; f <= FAULT_CERT_INVALID; f++)
		if (strstr(t->said, fault_row((enum fault)f)->word))
			fault = (enum fault)f;
	*out = profile_of(t, name, fault);
	return *out ? VERIFY_DONE : VERIFY_NO_MEMORY;
}

void
verify_learn(struct tls_context *c, const char *url, struct span der)
{
	(void)url, (void)der;
	c->learned = true;
}

void
verify_missed(struct tls_context *c, const char *url)
{
	(void)url;
	c->missed = true;
}

/* --- errands: tls/aia.h, tls/leaf.h --- */

struct job {
	TAILQ_ENTRY(job) link;
	struct happening event;
	bool             answered, had, awaits;
	char             text[320];
	enum fault       fault;
	aia_done        *fetched;
	leaf_done       *made;
	void            *arg;
};

static TAILQ_HEAD(job_list, job) fetches = TAILQ_HEAD_INITIALIZER(fetches), asks = TAILQ_HEAD_INITIALIZER(asks);
static bool is_up = true;

static struct job *
job_new(struct job_list *list, void (*tell)(void *), void *arg)
{
	struct job *j = calloc(1, sizeof *j);

	if (!j)
		return NULL;
	j->event = (struct happening){.fn = tell, .arg = j};
	j->arg = arg;
	TAILQ_INSERT_TAIL(list, j, link);
	return j;
}

static void
job_drop(struct job_list *list, struct job *j)
{
	happening_drop(&j->event);
	TAILQ_REMOVE(list, j, link);
	free(j);
}

static struct job *
oldest(struct job_list *list)
{
	struct job *j;

	TAILQ_FOREACH (j, list, link)
		if (!j->answered)
			return j;
	return NULL;
}

struct aia *
aia_new(struct loop *loop)
{
	(void)loop;
	return calloc(1, 1);
}

void
aia_free(struct aia *a)
{
	free(a);
}

static void
tell_fetched(void *arg)
{
	struct job *j = arg, was = *j;

	job_drop(&fetches, j);
	was.fetched(was.arg, was.had ? SPAN("issuer") : (struct span){NULL, 0});
}

struct aia_job *
aia_fetch(struct aia *a, struct resolver *r, struct snapshot *s, const char *url, aia_done *done, void *arg)
{
	struct job *j = job_new(&fetches, tell_fetched, arg);

	(void)a, (void)r, (void)s;
	if (!j)
		return NULL;
	j->fetched = done;
	fake_errand("fetch %s", url);
	return (struct aia_job *)j;
}

void
aia_cancel(struct aia_job *j)
{
	fake_errand("fetch cancelled");
	job_drop(&fetches, (struct job *)j);
}

bool
fake_aia_answer(bool had)
{
	struct job *j = oldest(&fetches);

	if (!j)
		return false;
	j->answered = true;
	j->had = had;
	happening_queue(&j->event);
	return true;
}

struct leaf *
leaf_ref(struct leaf *l)
{
	l->refs++;
	return l;
}

void
leaf_unref(struct leaf *l)
{
	if (l && --l->refs == 0)
		free(l);
}

struct leaf_desk {
	struct leaf *last; /* a reference: a cache of one */
};

static struct leaf_desk the_desk;

struct leaf_desk *
leaf_desk_new(struct loop *loop, uint32_t most, void (*on_tickets)(void *arg, const uint8_t (*key)[80], unsigned n), void *arg)
{
	(void)loop, (void)most, (void)on_tickets, (void)arg;
	is_up = true;
	leaf_unref(the_desk.last);
	the_desk.last = NULL;
	return &the_desk;
}

void
leaf_desk_free(struct leaf_desk *d)
{
	(void)d;
}

void
leaf_desk_fit(struct leaf_desk *d, uint32_t most)
{
	(void)d, (void)most;
}

void
leaf_desk_connect(struct leaf_desk *d, int fd)
{
	(void)d, (void)fd;
}

bool
leaf_desk_is_up(const struct leaf_desk *d)
{
	(void)d;
	return is_up;
}

static void
describe(const struct leaf_want *w, char text[320])
{
	if (w->ca == LEAF_TRUSTED && w->profile && w->profile->fault != FAULT_NONE)
		fake_wrong("a bad origin gets a trusted leaf");
	snprintf(text, 320, "%s %s %s", w->host->text, !w->profile ? "page" : w->ca == LEAF_TRUSTED ? "trusted" : "untrusted", w->key == LEAF_P256 ? "p256" : "rsa");
}

struct leaf *
leaf_find(struct leaf_desk *d, const struct leaf_want *want)
{
	char text[320];

	describe(want, text);
	return d->last && strcmp(d->last->text, text) == 0 ? leaf_ref(d->last) : NULL;
}

static void
tell_made(void *arg)
{
	struct job  *j = arg, was = *j;
	struct leaf *l = NULL;

	job_drop(&asks, j);
	if (was.fault == FAULT_NONE && !was.awaits) {
		l = fake_alloc(NULL, sizeof *l);
		*l = (struct leaf){.refs = 1};
		memcpy(l->text, was.text, sizeof l->text);
		leaf_unref(the_desk.last);
		the_desk.last = leaf_ref(l);
	}
	was.made(was.arg, l, was.fault);
	leaf_unref(l);
}

struct leaf_job *
leaf_ask(struct leaf_desk *d, const struct leaf_want *want, uint64_t timeout_ms, leaf_done *done, void *arg)
{
	struct job *j = job_new(&asks, tell_made, arg);

	(void)d, (void)timeout_ms;
	if (!j)
		return NULL;
	j->made = done;
	describe(want, j->text);
	fake_errand("leaf %s", j->text);
	return (struct leaf_job *)j;
}

struct leaf_job *
leaf_await(struct leaf_desk *d, uint64_t timeout_ms, leaf_done *done, void *arg)
{
	struct job *j = job_new(&asks, tell_made, arg);

	(void)d, (void)timeout_ms;
	if (!j)
		return NULL;
	j->made = done;
	j->awaits = true;
	fake_errand("signer");
	return (struct leaf_job *)j;
}

void
leaf_cancel(struct leaf_job *job)
{
	struct job *j = (struct job *)job;

	fake_errand(j->awaits ? "signer cancelled" : "leaf cancelled");
	job_drop(&asks, j);
}

bool
fake_signer_answer(enum fault fault)
{
	struct job *j = oldest(&asks);

	if (!j)
		return false;
	j->answered = true;
	j->fault = fault;
	happening_queue(&j->event);
	return true;
}

void
fake_signer_up(bool up)
{
	struct job *j;

	is_up = up;
	while (up && (j = oldest(&asks)) && j->awaits)
		fake_signer_answer(FAULT_NONE);
}

bool
fake_tls_left(void)
{
	return !TAILQ_EMPTY(&fetches) || !TAILQ_EMPTY(&asks);
}

void
fake_tls_clear(void)
{
	while (!TAILQ_EMPTY(&fetches))
		job_drop(&fetches, TAILQ_FIRST(&fetches));
	while (!TAILQ_EMPTY(&asks))
		job_drop(&asks, TAILQ_FIRST(&asks));
	leaf_unref(the_desk.last);
	the_desk.last = NULL;
}

/* --- what [inspection] names --- */

static void
put_file(int fd, X509 *cert, EVP_PKEY *key)
{
	int   made = memfd_create("ca", 0);
	FILE *f = fdopen(dup(made), "w");

	if (!f || (cert ? !PEM_write_X509(f, cert) : !PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL)) || fclose(f) != 0 || fchmod(made, 0600) != 0 ||
	    dup2(made, fd) < 0)
		abort();
	close(made);
}

void
fake_ca_open(void)
{
	struct mint_ca_want want = {.name = "Fake CA", .days = 3650};
	const char         *why;
	X509               *cert = NULL;
	EVP_PKEY           *key = NULL;

	if (!mint_ca_make(&want, time(NULL), &cert, &key, &why))
		abort();
	put_file(FAKE_CA, cert, NULL);
	put_file(FAKE_CA_KEY, NULL, key);
	X509_free(cert);
	EVP_PKEY_free(key);
}
