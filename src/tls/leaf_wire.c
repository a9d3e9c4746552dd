/* SPDX-License-Identifier: MIT */
#include "tls/leaf_wire.h"

#include <string.h>

#include "parse/hostname.h"
#include "tls/profile.h"

#define COMMON_NAME_MAX 64u

/* --- bytes --- */

struct writer {
	uint8_t *p;
	size_t   room;
	bool     full;
};

static void
put(struct writer *w, const void *data, size_t n)
{
	if (w->full || n > w->room) {
		w->full = true;
		return;
	}
	if (n > 0)
		memcpy(w->p, data, n);
	w->p += n;
	w->room -= n;
}

/* Big-endian. */
static void
put_int(struct writer *w, uint64_t v, unsigned bytes)
{
	uint8_t b[8];

	for (unsigned i = 0; i < bytes; i++)
		b[i] = (uint8_t)(v >> 8 * (bytes - 1 - i));
	put(w, b, bytes);
}

static void
put_span(struct writer *w, struct span s, unsigned length_bytes)
{
	if (s.n >> 8 * length_bytes) {
		w->full = true;
		return;
	}
	put_int(w, s.n, length_bytes);
	put(w, s.p, s.n);
}

static size_t
written(const struct writer *w, const uint8_t *start)
{
	return w->full ? 0 : (size_t)(w->p - start);
}

struct reader {
	struct span left;
	bool        bad; /* once, and for all that follows */
};

static struct span
take(struct reader *r, size_t n)
{
	struct span s = {r->left.p, n};

	if (r->bad || n > r->left.n) {
		r->bad = true;
		return (struct span){NULL, 0};
	}
	r->left = span_of(r->left.p + n, r->left.n - n);
	return s;
}

static void
take_bytes(struct reader *r, void *out, size_t n)
{
	struct span s = take(r, n);

	if (!r->bad)
		memcpy(out, s.p, n);
}

static uint64_t
take_int(struct reader *r, unsigned bytes)
{
	struct span s = take(r, bytes);
	uint64_t    v = 0;

	for (size_t i = 0; i < s.n; i++)
		v = v << 8 | (uint8_t)s.p[i];
	return v;
}

static struct span
take_span(struct reader *r, unsigned length_bytes)
{
	return take(r, (size_t)take_int(r, length_bytes));
}

static bool
is_whole(const struct reader *r)
{
	return !r->bad && r->left.n == 0;
}

bool
leaf_packet_kind(struct span packet, enum leaf_packet *kind)
{
	if (packet.n == 0 || packet.n > LEAF_PACKET_MAX || (uint8_t)packet.p[0] > LEAF_FOREIGN)
		return false;
	*kind = (enum leaf_packet)packet.p[0];
	return true;
}

/* A reader behind the kind. */
static bool
begin(struct span packet, enum leaf_packet kind, struct reader *r)
{
	enum leaf_packet is;

	if (!leaf_packet_kind(packet, &is) || is != kind)
		return false;
	*r = (struct reader){.left = span_of(packet.p + 1, packet.n - 1)};
	return true;
}

/* --- lists --- */

bool
leaf_name_next(struct span names, size_t *at, struct leaf_name *out)
{
	const char *p, *end;

	if (*at >= names.n)
		return false;
	p = names.p + *at + 1;
	if (names.p[*at] == 'a') {
		if (names.n - *at < 17)
			return false;
		*out = (struct leaf_name){.addr = (const uint8_t *)p};
		*at += 17;
		return true;
	}
	end = memchr(p, '\0', names.n - *at - 1);
	if (names.p[*at] != 'd' || !end || end == p || end - p > HOSTNAME_MAX)
		return false;
	*out = (struct leaf_name){.dns = span_of(p, (size_t)(end - p))};
	*at += out->dns.n + 2;
	return true;
}

static bool
names_are_whole(struct span names)
{
	struct leaf_name name;
	size_t           at = 0, n = 0;

	while (leaf_name_next(names, &at, &name))
		n++;
	return at == names.n && n <= PROFILE_NAMES_MAX;
}

bool
leaf_chain_next(struct span chain, size_t *at, struct span *der)
{
	struct reader r;

	if (*at >= chain.n)
		return false;
	r = (struct reader){.left = {chain.p + *at, chain.n - *at}};
	*der = take_span(&r, 4);
	if (r.bad || der->n == 0)
		return false;
	*at = chain.n - r.left.n;
	return true;
}

static bool
chain_is_whole(struct span chain)
{
	struct span der;
	size_t      at = 0;

	while (leaf_chain_next(chain, &at, &der))
		;
	return at == chain.n;
}

/* --- asks and answers --- */

size_t
leaf_ask_write(const struct leaf_ask *a, uint8_t *out, size_t room)
{
	struct writer w = {.p = out, .room = room < LEAF_PACKET_MAX ? room : LEAF_PACKET_MAX};

	if (a->key >= LEAF_KEYS || a->ca >= LEAF_CAS || a->common_name.n > COMMON_NAME_MAX || !names_are_whole(a->names))
		return 0;
	put_int(&w, LEAF_ASK, 1);
	put_int(&w, a->number, 8);
	put_int(&w, a->key, 1);
	put_int(&w, a->ca, 1);
	put_int(&w, a->page, 1);
	put(&w, a->ca_print, sizeof a->ca_print);
	put(&w, a->print, sizeof a->print);
	put_int(&w, (uint64_t)a->not_before, 8);
	put_int(&w, (uint64_t)a->not_after, 8);
	put_span(&w, a->common_name, 1);
	put_span(&w, a->names, 2);
	return written(&w, out);
}

bool
leaf_ask_read(struct span packet, struct leaf_ask *out)
{
	struct reader r;
	uint64_t      page;

	*out = (struct leaf_ask){0};
	if (!begin(packet, LEAF_ASK, &r))
		return false;
	out->number = take_int(&r, 8);
	out->key = (uint8_t)take_int(&r, 1);
	out->ca = (uint8_t)take_int(&r, 1);
	page = take_int(&r, 1);
	out->page = page == 1;
	take_bytes(&r, out->ca_print, sizeof out->ca_print);
	take_bytes(&r, out->print, sizeof out->print);
	out->not_before = (int64_t)take_int(&r, 8);
	out->not_after = (int64_t)take_int(&r, 8);
	out->common_name = take_span(&r, 1);
	out->names = take_span(&r, 2);
	return is_whole(&r) && out->key < LEAF_KEYS && out->ca < LEAF_CAS && page <= 1 && out->common_name.n <= COMMON_NAME_MAX && names_are_whole(out->names);
}

size_t
leaf_made_write(const struct leaf_made *m, uint8_t *out, size_t room)
{
	struct writer w = {.p = out, .room = room < LEAF_PACKET_MAX ? room : LEAF_PACKET_MAX};

	put_int(&w, m->foreign ? LEAF_FOREIGN : m->refused ? LEAF_REFUSED : LEAF_MADE, 1);
	put_int(&w, m->number, 8);
	if (!m->foreign)
		put_span(&w, m->der, 2);
	return written(&w, out);
}

bool
leaf_made_read(struct span packet, struct leaf_made *out)
{
	enum leaf_packet kind;
	struct reader    r;

	*out = (struct leaf_made){0};
	if (!leaf_packet_kind(packet, &kind) || (kind != LEAF_MADE && kind != LEAF_REFUSED && kind != LEAF_FOREIGN) || !begin(packet, kind, &r))
		return false;
	out->refused = kind != LEAF_MADE;
	out->foreign = kind == LEAF_FOREIGN;
	out->number = take_int(&r, 8);
	if (!out->foreign)
		out->der = take_span(&r, 2);
	return is_whole(&r) && (out->refused || out->der.n > 0) && (!out->refused || out->der.n < LEAF_WHY_MAX);
}

/* --- what the signer says of itself --- */

size_t
leaf_hello_write(const struct leaf_hello *h, uint8_t *out, size_t room)
{
	struct writer w = {.p = out, .room = room < LEAF_PACKET_MAX ? room : LEAF_PACKET_MAX};

	put_int(&w, LEAF_HELLO, 1);
	put(&w, h->ca_print, sizeof h->ca_print);
	for (unsigned i = 0; i < LEAF_KEYS; i++) {
		put_int(&w, h->key[i].id, 8);
		put_span(&w, h->key[i].pkcs8, 2);
	}
	for (unsigned i = 0; i < LEAF_CAS; i++) {
		w.full |= !chain_is_whole(h->chain[i]);
		put_span(&w, h->chain[i], 2);
	}
	return written(&w, out);
}

bool
leaf_hello_read(struct span packet, struct leaf_hello *out)
{
	struct reader r;
	bool          ok = true;

	*out = (struct leaf_hello){0};
	if (!begin(packet, LEAF_HELLO, &r))
		return false;
	take_bytes(&r, out->ca_print, sizeof out->ca_print);
	for (unsigned i = 0; i < LEAF_KEYS; i++) {
		out->key[i].id = take_int(&r, 8);
		out->key[i].pkcs8 = take_span(&r, 2);
		ok &= out->key[i].pkcs8.n > 0;
	}
	for (unsigned i = 0; i < LEAF_CAS; i++) {
		out->chain[i] = take_span(&r, 2);
		ok &= chain_is_whole(out->chain[i]);
	}
	return is_whole(&r) && ok;
}

size_t
leaf_tickets_write(const uint8_t (*key)[LEAF_TICKET], unsigned n, uint8_t *out, size_t room)
{
	struct writer w = {.p = out, .room = room};

	if (n > LEAF_TICKETS_MAX)
		return 0;
	put_int(&w, LEAF_TICKETS, 1);
	put_int(&w, n, 1);
	put(&w, key, (size_t)n * LEAF_TICKET);
	return written(&w, out);
}

bool
leaf_tickets_read(struct span packet, const uint8_t (**key)[LEAF_TICKET], unsigned *n)
{
	struct reader r;
	struct span   keys;

	if (!begin(packet, LEAF_TICKETS, &r))
		return false;
	*n = (unsigned)take_int(&r, 1);
	keys = take(&r, (size_t)*n * LEAF_TICKET);
	*key = (const uint8_t(*)[LEAF_TICKET])(const void *)keys.p;
	return is_whole(&r) && *n > 0 && *n <= LEAF_TICKETS_MAX;
}
