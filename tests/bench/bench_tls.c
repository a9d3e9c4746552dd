/* SPDX-License-Identifier: MIT */
/*
 * bench_tls: what the two ends of an inspected connection cost: handshakes, bytes through them, memory while they idle.
 * "client" is the end towards an origin (tls_connect), "server" the one towards a client (tls_answer).
 */
#include <malloc.h>

#include "../unit/tls_parts.h"
#include "bench.h"

#define ENDS   1000
#define SHAKES 1000

static struct tls_context *context;
static struct host         host;
static const uint8_t       ground[32] = {1};

struct run {
	const struct leaf *leaf;
	uint16_t           version;
	bool               keeps; /* sessions */
};

static void
open_pair(struct part_pair *p, const struct run *r)
{
	struct tls_want  want = {.name = &host, .port = 443};
	struct tls_offer offer = {.leaf = r->leaf, .http11 = true, .ground = ground, .max_version = r->version};

	part_join(p);
	p->c = tls_connect(context, &p->client, &want);
	p->s = tls_answer(context, &p->server, (struct span){0}, &offer);
	if (!p->c || !p->s)
		bench_die("an end");
}

static void
drain(struct part_pair *p)
{
	char buf[100];

	side_read(&p->client, buf, sizeof buf);
	side_read(&p->server, buf, sizeof buf);
}

/* A connection as it is after its first answer. */
static void
set_up_pair(struct part_pair *p, const struct run *r)
{
	struct profile *profile;

	open_pair(p, r);
	if (!part_shake(p))
		bench_die("a handshake");
	if (r->keeps && !tls_was_resumed(p->c)) {
		profile = part_profile();
		tls_end_set_profile(p->c, profile);
		profile_unref(profile);
	}
	part_carry(p);
	drain(p);
}

static void
shakes(const char *name, const struct run *r)
{
	double           c = 0, s = 0, t;
	struct part_pair p;
	struct profile  *profile = part_profile();

	for (int i = 0; i < SHAKES; i++) {
		enum tls_step cs = TLS_WAITS, ss = TLS_WAITS;

		t = bench_now();
		open_pair(&p, r);
		s += (bench_now() - t) / 2;
		c += (bench_now() - t) / 2;
		while (cs == TLS_WAITS || ss == TLS_WAITS) {
			t = bench_now();
			cs = tls_shake(p.c);
			c += bench_now() - t;
			t = bench_now();
			ss = tls_shake(p.s);
			s += bench_now() - t;
		}
		if (cs == TLS_BROKE || ss == TLS_BROKE)
			bench_die("a handshake");
		t = bench_now();
		if (r->keeps && !tls_was_resumed(p.c))
			tls_end_set_profile(p.c, profile);
		part_carry(&p);
		drain(&p);
		part(&p);
		c += bench_now() - t;
	}
	profile_unref(profile);
	printf("%-34s client %6.0f us   server %6.0f us   %6.0f pairs/s\n", name, c / SHAKES * 1e6, s / SHAKES * 1e6, SHAKES / (c + s));
}

static size_t
held(void)
{
	return mallinfo2().uordblks;
}

static void
memory(const char *name, const struct run *r)
{
	static struct part_pair p[ENDS];
	size_t                  before, with, without;

	set_up_pair(&p[0], r);
	part(&p[0]);
	before = held();
	for (int i = 0; i < ENDS; i++)
		set_up_pair(&p[i], r);
	with = held();
	for (int i = 0; i < ENDS; i++)
		part_close(&p[i].server, p[i].s);
	without = held();
	printf("%-34s client %6zu bytes   server %6zu bytes   idle, each\n", name, (without - before) / ENDS, (with - without) / ENDS);
	for (int i = 0; i < ENDS; i++)
		part_close(&p[i].client, p[i].c);
}

/* `chunk` bytes at a time, with a head of 300 before them. */
static void
stream(const char *name, const struct run *r, size_t chunk, int rounds)
{
	static char      head[300], body[1 << 16], buf[1 << 16];
	struct part_pair p;
	double           w = 0, rd = 0, t;
	int              big = 1 << 20;
	size_t           got;
	ssize_t          n;

	set_up_pair(&p, r);
	setsockopt(p.server.fd, SOL_SOCKET, SO_SNDBUF, &big, sizeof big);
	for (int i = 0; i < rounds; i++) {
		t = bench_now();
		if (side_write(&p.server, span_of(head, sizeof head), span_of(body, chunk)) != (ssize_t)(sizeof head + chunk))
			bench_die("a write");
		w += bench_now() - t;
		t = bench_now();
		for (got = 0; got < sizeof head + chunk; got += (size_t)n)
			if ((n = side_read(&p.client, buf, sizeof buf)) < 0)
				bench_die("a read");
		rd += bench_now() - t;
	}
	part(&p);
	printf("%-34s write %7.2f us   read %7.2f us   %6.0f MB/s through both\n", name, w / rounds * 1e6, rd / rounds * 1e6,
	    (double)rounds * (double)chunk / (w + rd) / 1e6);
}

/* Two certificates above the leaf, as large as those of public authorities are. */
static void
add_chain(struct leaf *l, const struct leaf *rsa)
{
	char pad[200];

	memset(pad, 'a', sizeof pad);
	for (size_t i = 50; i < sizeof pad; i += 50)
		pad[i] = '.';
	memcpy(pad + sizeof pad - 9, ".example", 9);
	l->chain = sk_X509_new_null();
	for (int i = 0; i < 2; i++)
		sk_X509_push(l->chain, part_certificate(rsa->key, pad, EVP_sha256()));
}

int
main(void)
{
	struct snapshot *s;
	struct leaf     *ec, *rsa;

	if (!tls_library_begin())
		return 1;
	s = part_snapshot(0, (struct span){0});
	context = tls_context_new(s);
	ec = part_leaf(false, "origin.example");
	rsa = part_leaf(true, "origin.example");
	add_chain(ec, rsa);
	add_chain(rsa, rsa);
	part_host(&host, "origin.example");

	shakes("full, TLS 1.3, P-256", &(struct run){ec, 0x0304, false});
	shakes("full, TLS 1.3, RSA-2048", &(struct run){rsa, 0x0304, false});
	shakes("full, TLS 1.2, P-256", &(struct run){ec, 0x0303, false});
	shakes("full, TLS 1.2, RSA-2048", &(struct run){rsa, 0x0303, false});
	shakes("resumed, TLS 1.3", &(struct run){ec, 0x0304, true});
	tls_context_unref(context);
	context = tls_context_new(s);
	shakes("resumed, TLS 1.2", &(struct run){ec, 0x0303, true});
	tls_context_unref(context);
	context = tls_context_new(s);
	memory("memory, TLS 1.3, unjudged", &(struct run){rsa, 0x0304, false});
	memory("memory, TLS 1.2, unjudged", &(struct run){rsa, 0x0303, false});
	memory("memory, TLS 1.3", &(struct run){rsa, 0x0304, true});
	tls_context_unref(context);
	context = tls_context_new(s);
	memory("memory, TLS 1.2", &(struct run){rsa, 0x0303, true});
	stream("1 KiB at a time", &(struct run){ec, 0x0304, false}, 1024, 100000);
	stream("16 KiB at a time", &(struct run){ec, 0x0304, false}, 16384, 20000);
	stream("64 KiB at a time", &(struct run){ec, 0x0304, false}, 65536, 10000);

	part_leaf_free(ec);
	part_leaf_free(rsa);
	tls_context_unref(context);
	free(s);
	return 0;
}
