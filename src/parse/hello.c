/* SPDX-License-Identifier: MIT */
#include "parse/hello.h"

#define RECORD_HEAD      5
#define RECORD_HANDSHAKE 22
#define RECORD_MAX       16384 /* RFC 8446 5.1 */
#define CLIENT_HELLO     1
#define RANDOM_BYTES     32
#define SESSION_ID_MAX   32
#define NAME_MAX_BYTES   (HOSTNAME_MAX + 1) /* with a trailing dot */
#define N_TYPES          65536
#define TLS13            0x0304
#define P256             0x0017 /* RFC 8422 5.1.1 */
#define ECDSA_P256       0x0403 /* RFC 8446 4.2.3 */

enum extension {
	EXT_SERVER_NAME = 0,
	EXT_GROUPS = 10,
	EXT_SIGNATURES = 13,
	EXT_ALPN = 16,
	EXT_SUPPORTED_VERSIONS = 43,
	EXT_ECH = 0xfe0d
};

/* Reads the handshake bytes out of the records around them. The first trouble stays: later reads give zeros. */
struct reader {
	const uint8_t    *p, *end;
	size_t            record; /* bytes left in the record at hand */
	bool              began;  /* one record head was good: this is TLS */
	bool              suite, group, signature; /* of ECDSA, P-256 and both were offered */
	enum parse_result result;
	enum hello_why    why;
};

static void
fail(struct reader *r, enum hello_why why)
{
	if (r->result == PARSE_OK) {
		r->result = PARSE_BAD;
		r->why = why;
	}
}

/* Something that is no TLS record lies at r->p. An SSLv2 record head has its top bit set; its hello is type 1 and names version 2 or 3. */
static enum hello_why
stranger(const struct reader *r)
{
	size_t n = (size_t)(r->end - r->p);

	if (r->began)
		return HELLO_BAD;
	if (n >= 4 && r->p[0] & 0x80 && r->p[2] == CLIENT_HELLO && (r->p[3] == 0 || r->p[3] == 3))
		return HELLO_SSLV2;
	return HELLO_NOT_TLS;
}

/* Step into the next record; each byte of its head is judged as soon as it is there. */
static void
record_enter(struct reader *r)
{
	size_t   n = (size_t)(r->end - r->p);
	unsigned high, low;

	if (n >= 1 && r->p[0] != RECORD_HANDSHAKE) {
		fail(r, stranger(r));
		return;
	}
	if (n >= 2 && r->p[1] != 3) {
		fail(r, stranger(r));
		return;
	}
	high = n >= 4 ? r->p[3] : 0;
	low = n >= 5 ? r->p[4] : 0;
	if (high << 8 > RECORD_MAX || (n >= 5 && ((high << 8 | low) > RECORD_MAX || (high | low) == 0))) {
		fail(r, HELLO_BAD);
		return;
	}
	if (n < RECORD_HEAD) {
		r->result = PARSE_MORE;
		return;
	}
	r->record = high << 8 | low;
	r->began = true;
	r->p += RECORD_HEAD;
}

/* The next n bytes, out of *left, into `to` (null: step over them). */
static void
take(struct reader *r, size_t *left, uint8_t *to, size_t n)
{
	if (n > *left)
		fail(r, HELLO_BAD);
	while (n > 0 && r->result == PARSE_OK) {
		size_t part = n;
		if (r->record == 0) {
			record_enter(r);
			continue;
		}
		if (part > r->record)
			part = r->record;
		if (part > (size_t)(r->end - r->p))
			part = (size_t)(r->end - r->p);
		if (part == 0) {
			r->result = PARSE_MORE;
			return;
		}
		if (to) {
			memcpy(to, r->p, part);
			to += part;
		}
		r->p += part;
		r->record -= part;
		*left -= part;
		n -= part;
	}
}

static unsigned
take_int(struct reader *r, size_t *left, unsigned bytes)
{
	uint8_t  b[3] = {0};
	unsigned v = 0;

	take(r, left, b, bytes);
	for (unsigned i = 0; i < bytes; i++)
		v = v << 8 | b[i];
	return r->result == PARSE_OK ? v : 0;
}

/* A vector's length of `bytes` bytes, from least to most; the vector itself is taken out of *left too. */
static size_t
take_length(struct reader *r, size_t *left, unsigned bytes, size_t least, size_t most)
{
	size_t n = take_int(r, left, bytes);

	if (r->result != PARSE_OK)
		return 0;
	if (n < least || n > most || n > *left) {
		fail(r, HELLO_BAD);
		return 0;
	}
	*left -= n;
	return n;
}

static void
skip_vector(struct reader *r, size_t *left, unsigned bytes, size_t least, size_t most)
{
	size_t n = take_length(r, left, bytes, least, most);

	take(r, &n, NULL, n);
}

/* RFC 6066 3. One name of type host_name, as everybody sends it: given more, two servers could each choose their own. */
static void
read_server_name(struct reader *r, struct hello *h, size_t *left)
{
	uint8_t text[NAME_MAX_BYTES];
	size_t  list = take_length(r, left, 2, 1, UINT16_MAX), n, unread;

	if (take_int(r, &list, 1) != 0)
		fail(r, HELLO_BAD);
	unread = n = take_length(r, &list, 2, 1, sizeof text);
	if (list != 0)
		fail(r, HELLO_BAD);
	take(r, &unread, text, n);
	for (size_t i = 0; r->result == PARSE_OK && i < n; i++)
		if (text[i] & 0x80) /* A-labels go here; a server may compare the bytes as they are */
			fail(r, HELLO_BAD);
	if (r->result != PARSE_OK)
		return;
	if (!host_parse(span_of((const char *)text, n), &h->sni) || h->sni.kind != HOST_NAME)
		fail(r, HELLO_BAD);
	h->has_sni = true;
}

/* RFC 7301 3.1 */
static void
read_alpn(struct reader *r, struct hello *h, size_t *left)
{
	size_t list = take_length(r, left, 2, 2, UINT16_MAX), at = 0;

	while (list > 0 && r->result == PARSE_OK) {
		uint8_t text[UINT8_MAX];
		size_t  n = take_length(r, &list, 1, 1, sizeof text), unread = n;
		size_t  room = sizeof h->alpn - 1 - at, comma = at > 0;
		bool    printable = true;

		take(r, &unread, text, n);
		if (r->result != PARSE_OK)
			continue;
		h->has_alpn = true;
		h->alpn_h2 |= span_eq(span_of((const char *)text, n), SPAN("h2"));
		h->alpn_http11 |= span_eq(span_of((const char *)text, n), SPAN("http/1.1"));
		if (room <= comma)
			continue;
		for (size_t i = 0; i < n; i++)
			printable &= text[i] > 0x20 && text[i] < 0x7f && text[i] != ',';
		if (!printable) /* GREASE, mostly */
			continue;
		if (n > room - comma)
			n = room - comma;
		if (comma)
			h->alpn[at++] = ',';
		memcpy(h->alpn + at, text, n);
		at += n;
	}
	h->alpn[at] = '\0';
}

/* RFC 8701: 0x0a0a, 0x1a1a ... 0xfafa */
static bool
is_grease(unsigned v)
{
	return (v & 0x0f0f) == 0x0a0a && v >> 8 == (v & 0xff);
}

/* RFC 8446 4.2.1 */
static void
read_versions(struct reader *r, struct hello *h, size_t *left)
{
	size_t list = take_length(r, left, 1, 2, 254);

	if (list % 2)
		fail(r, HELLO_BAD);
	h->max_version = 0;
	while (list > 0 && r->result == PARSE_OK) {
		unsigned v = take_int(r, &list, 2);
		if (!is_grease(v) && v > h->max_version)
			h->max_version = (uint16_t)v;
	}
	if (h->max_version == 0)
		h->max_version = h->legacy_version;
}

/* A vector of numbers of two bytes that fills the extension. Is `wanted` among them? One that is no such vector is the server's to refuse: what it holds
 * matters to nobody who only reads the name. */
static bool
read_has(struct reader *r, size_t *left, unsigned wanted)
{
	bool has = false;

	if (*left >= 2)
		take_int(r, left, 2);
	while (*left >= 2 && r->result == PARSE_OK)
		has |= take_int(r, left, 2) == wanted;
	take(r, left, NULL, *left);
	return has;
}

/* RFC 8422 6, RFC 5289, RFC 7905: ECDHE_ECDSA with what TLS 1.2 is spoken with today. */
static bool
is_ecdsa_suite(unsigned v)
{
	return v == 0xc02b || v == 0xc02c || v == 0xcca9;
}

static void
read_suites(struct reader *r, size_t *left)
{
	size_t list = take_length(r, left, 2, 2, UINT16_MAX);

	if (list % 2)
		fail(r, HELLO_BAD);
	while (list > 0 && r->result == PARSE_OK)
		r->suite |= is_ecdsa_suite(take_int(r, &list, 2));
}

static void
read_extensions(struct reader *r, struct hello *h, size_t left)
{
	uint64_t had[N_TYPES / 64] = {0};

	while (left > 0 && r->result == PARSE_OK) {
		unsigned type = take_int(r, &left, 2);
		size_t   n = take_length(r, &left, 2, 0, UINT16_MAX);
		uint64_t bit = UINT64_C(1) << type % 64;

		if (r->result != PARSE_OK)
			return;
		if (had[type / 64] & bit) /* RFC 8446 4.2 */
			fail(r, HELLO_BAD);
		had[type / 64] |= bit;
		switch (type) {
		case EXT_SERVER_NAME:
			read_server_name(r, h, &n);
			break;
		case EXT_GROUPS:
			r->group = read_has(r, &n, P256);
			break;
		case EXT_SIGNATURES:
			r->signature = read_has(r, &n, ECDSA_P256);
			break;
		case EXT_ALPN:
			read_alpn(r, h, &n);
			break;
		case EXT_SUPPORTED_VERSIONS:
			read_versions(r, h, &n);
			break;
		default:
			h->has_ech |= type == EXT_ECH;
			take(r, &n, NULL, n);
			break;
		}
		if (n > 0)
			fail(r, HELLO_BAD);
	}
}

static void
read_hello(struct reader *r, struct hello *h)
{
	size_t one = 4, left;

	if (take_int(r, &one, 1) != CLIENT_HELLO)
		fail(r, HELLO_BAD);
	left = take_int(r, &one, 3);
	if (left > HELLO_MAX - 4)
		fail(r, HELLO_TOO_LARGE);

	h->legacy_version = (uint16_t)take_int(r, &left, 2);
	if (h->legacy_version >> 8 != 3)
		fail(r, HELLO_BAD);
	h->max_version = h->legacy_version;
	take(r, &left, NULL, RANDOM_BYTES);
	skip_vector(r, &left, 1, 0, SESSION_ID_MAX);
	read_suites(r, &left);
	skip_vector(r, &left, 1, 1, UINT8_MAX); /* compression */
	/* clients from before RFC 3546 have no extensions */
	if (left > 0) {
		size_t n = take_length(r, &left, 2, 0, UINT16_MAX);
		if (left > 0)
			fail(r, HELLO_BAD);
		read_extensions(r, h, n);
	}
	/* in TLS 1.3 the signature algorithm names the curve; before, the groups do, and the suite the kind of key */
	h->ecdsa_12 = r->signature && r->suite && r->group;
	h->ecdsa = h->ecdsa_12 || (r->signature && h->max_version >= TLS13);
	if (r->record > 0) /* more in the same record: no client does so, and it is not ours to guess at */
		fail(r, HELLO_BAD);
}

enum parse_result
hello_parse(struct span in, struct hello *out, enum hello_why *why)
{
	struct reader r = {.p = (const uint8_t *)in.p, .end = (const uint8_t *)in.p + in.n};
	struct hello  h = {0};

	read_hello(&r, &h);
	if (in.n >= 3)
		h.record_version = (uint16_t)((uint8_t)in.p[1] << 8 | (uint8_t)in.p[2]);
	if (r.result == PARSE_OK)
		*out = h;
	if (r.result == PARSE_BAD)
		*why = r.why;
	return r.result;
}
