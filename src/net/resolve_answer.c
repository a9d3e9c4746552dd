/* SPDX-License-Identifier: MIT */
#include "net/resolve_answer.h"

#include <string.h>

#define HEADER        12u
#define RR_FIXED      10u /* type, class, TTL, length */
#define CLASS_IN      1u
#define TYPE_CNAME    5u
#define TYPE_SOA      6u
#define TYPE_OPT      41u
#define WIRE_NAME_MAX 255u
#define JUMPS_MAX     32u
#define OWNERS_MAX    128u /* records of one type whose names are read: a message of 64 KiB has room for thousands, and a name may be long */

/* A name in wire form without compression, ASCII lower-cased. */
struct wire_name {
	unsigned n;
	uint8_t  b[WIRE_NAME_MAX];
};

struct rr {
	size_t   owner; /* where its name begins */
	unsigned type, class;
	uint32_t ttl;
	size_t   data, len;
	size_t   next; /* where the following record begins */
};

static unsigned
u16(const uint8_t *p)
{
	return (unsigned)p[0] << 8 | p[1];
}

static uint32_t
u32(const uint8_t *p)
{
	return (uint32_t)u16(p) << 16 | u16(p + 2);
}

/* RFC 2181 section 8: the top bit set means zero. */
static uint32_t
ttl_read(const uint8_t *p)
{
	uint32_t v = u32(p);

	return v > INT32_MAX ? 0 : v;
}

/* Expand the name at `at`; *end is where it ends in place. Pointers may only lead backwards, so that it ends. */
static bool
name_read(const uint8_t *p, size_t n, size_t at, struct wire_name *out, size_t *end)
{
	size_t   floor = at;
	unsigned jumps = 0;

	out->n = 0;
	*end = 0;
	for (;;) {
		if (at >= n)
			return false;
		unsigned len = p[at];
		if (len >= 0xc0) {
			if (at + 2 > n || ++jumps > JUMPS_MAX)
				return false;
			if (!*end)
				*end = at + 2;
			at = u16(p + at) & 0x3fff;
			if (at >= floor)
				return false;
			floor = at;
			continue;
		}
		if (len > 63 || at + 1 + len > n || out->n + 1 + len > WIRE_NAME_MAX)
			return false;
		out->b[out->n++] = (uint8_t)len;
		for (unsigned i = 1; i <= len; i++) {
			uint8_t c = p[at + i];
			out->b[out->n++] = c >= 'A' && c <= 'Z' ? c + 32 : c;
		}
		at += 1 + len;
		if (len == 0) {
			if (!*end)
				*end = at;
			return true;
		}
	}
}

/* Where the name at `at` ends in place. */
static bool
name_skip(const uint8_t *p, size_t n, size_t at, size_t *end)
{
	while (at < n && p[at] && p[at] <= 63)
		at += 1 + p[at];
	if (at >= n || (p[at] && p[at] < 0xc0))
		return false;
	*end = at + (p[at] ? 2 : 1);
	return *end <= n;
}

static bool
name_eq(const struct wire_name *a, const struct wire_name *b)
{
	return a->n == b->n && memcmp(a->b, b->b, a->n) == 0;
}

static bool
rr_read(const uint8_t *p, size_t n, size_t at, struct rr *r)
{
	r->owner = at;
	if (!name_skip(p, n, at, &at) || n - at < RR_FIXED)
		return false;
	r->type = u16(p + at);
	r->class = u16(p + at + 2);
	r->ttl = ttl_read(p + at + 4);
	r->len = u16(p + at + 8);
	r->data = at + RR_FIXED;
	if (n - r->data < r->len)
		return false;
	r->next = r->data + r->len;
	return true;
}

static void
ttl_least(uint32_t *ttl, uint32_t v)
{
	if (v < *ttl)
		*ttl = v;
}

/* Follow CNAMEs from *name to its last one, in whatever order the records stand. *end: where the answer section ends. */
static bool
chain_follow(const uint8_t *p, size_t n, size_t at, unsigned count, struct wire_name *name, uint32_t *ttl, size_t *end)
{
	struct wire_name owner;
	unsigned         steps = 0, owners;
	struct rr        r;
	bool             moved;

	do {
		*end = at;
		moved = false;
		owners = 0;
		for (unsigned i = 0; i < count; i++, *end = r.next) {
			size_t ignored;
			if (!rr_read(p, n, *end, &r))
				return false;
			if (r.type != TYPE_CNAME || r.class != CLASS_IN)
				continue;
			if (++owners > OWNERS_MAX || !name_read(p, n, r.owner, &owner, &ignored))
				return false;
			if (!name_eq(&owner, name))
				continue;
			if (++steps > DNS_CHAIN_MAX || !name_read(p, n, r.data, name, &ignored) || ignored > r.next)
				return false;
			ttl_least(ttl, r.ttl);
			moved = true;
		}
	} while (moved);
	return true;
}

static void
addr_add(struct dns_answer *out, const uint8_t *data, size_t len)
{
	struct addr a;

	if (len == 4)
		a = addr_from_v4(u32(data));
	else
		memcpy(a.b, data, sizeof a.b);
	for (unsigned i = 0; i < out->n; i++)
		if (addr_eq(&out->addr[i], &a))
			return;
	if (out->n < DNS_ADDRS_MAX)
		out->addr[out->n++] = a;
}

static bool
addrs_read(const uint8_t *p, size_t n, size_t at, unsigned count, unsigned type, const struct wire_name *name, struct dns_answer *out)
{
	struct wire_name owner;
	unsigned         owners = 0;
	struct rr        r;
	size_t           ignored;

	for (unsigned i = 0; i < count && out->n < DNS_ADDRS_MAX; i++, at = r.next) {
		if (!rr_read(p, n, at, &r))
			return false;
		if (r.type != type || r.class != CLASS_IN)
			continue;
		if (++owners > OWNERS_MAX || !name_read(p, n, r.owner, &owner, &ignored))
			return false;
		if (!name_eq(&owner, name))
			continue;
		if (r.len != (type == DNS_TYPE_A ? 4 : 16))
			return false;
		ttl_least(&out->ttl, r.ttl);
		addr_add(out, p + r.data, r.len);
	}
	return true;
}

/* The SOA in the authority section says how long "no" may be kept. *end: where the section ends. */
static bool
soa_read(const uint8_t *p, size_t n, size_t at, unsigned count, struct dns_answer *out, size_t *end)
{
	struct rr r;

	for (unsigned i = 0; i < count; i++, at = r.next) {
		if (!rr_read(p, n, at, &r))
			return false;
		if (r.type != TYPE_SOA || r.class != CLASS_IN || r.len < 22)
			continue;
		ttl_least(&out->negative_ttl, r.ttl);
		ttl_least(&out->negative_ttl, ttl_read(p + r.next - 4)); /* MINIMUM stands last */
	}
	*end = at;
	return true;
}

static bool
opt_is_there(const uint8_t *p, size_t n, size_t at, unsigned count)
{
	struct rr r;

	for (unsigned i = 0; i < count; i++, at = r.next) {
		if (!rr_read(p, n, at, &r))
			return false;
		if (r.type == TYPE_OPT)
			return true;
	}
	return false;
}

bool
dns_answer_read(const uint8_t *p, size_t n, unsigned type, struct dns_answer *out)
{
	struct wire_name name;
	size_t           at, end;
	unsigned         answers, authorities;

	if (n < HEADER || !(p[2] & 0x80) || u16(p + 4) != 1)
		return false;
	out->rcode = p[3] & 0x0fu;
	out->has_opt = false;
	out->ttl = out->negative_ttl = DNS_NO_TTL;
	out->n = 0;
	answers = u16(p + 6);
	authorities = u16(p + 8);
	if (!name_read(p, n, HEADER, &name, &at) || n - at < 4 || u16(p + at) != type || u16(p + at + 2) != CLASS_IN)
		return false;
	at += 4;
	if (out->rcode != DNS_RCODE_OK && out->rcode != DNS_RCODE_NAME) {
		/* a server that refuses may leave out or garble the rest */
		if (out->rcode == DNS_RCODE_FORM && answers == 0 && authorities == 0)
			out->has_opt = opt_is_there(p, n, at, u16(p + 10));
		return true;
	}
	if (!chain_follow(p, n, at, answers, &name, &out->ttl, &end))
		return false;
	if (out->rcode == DNS_RCODE_OK && !addrs_read(p, n, at, answers, type, &name, out))
		return false;
	return out->n > 0 || soa_read(p, n, end, authorities, out, &end);
}

/* `name` has at most WIRE_NAME_MAX bytes, so its text has fewer than DNS_NAME_TEXT. */
static void
name_print(const struct wire_name *name, char out[DNS_NAME_TEXT])
{
	size_t at = 0;

	for (unsigned i = 0; i < name->n && name->b[i]; i += name->b[i] + 1u) {
		if (at)
			out[at++] = '.';
		for (unsigned k = 1; k <= name->b[i]; k++) {
			uint8_t c = name->b[i + k];
			out[at++] = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ? (char)c : '?';
		}
	}
	out[at] = '\0';
}

void
dns_chain_end(const uint8_t *p, size_t n, char out[DNS_NAME_TEXT])
{
	struct wire_name asked, name;
	size_t           at, end;
	uint32_t         ttl = DNS_NO_TTL;

	out[0] = '\0';
	if (n < HEADER || !name_read(p, n, HEADER, &asked, &at) || n - at < 4)
		return;
	name = asked;
	if (chain_follow(p, n, at + 4, u16(p + 6), &name, &ttl, &end) && !name_eq(&asked, &name))
		name_print(&name, out);
}
