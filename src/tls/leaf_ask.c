/* SPDX-License-Identifier: MIT */
#include "tls/leaf_ask.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <string.h>

#define NUMBER_AT 1u /* where leaf_ask_write puts it: 8 bytes */

/* One name of a profile, written as it lies there. */
static size_t
host_name(const struct host *h, char *out)
{
	if (h->kind == HOST_ADDR) {
		out[0] = 'a';
		memcpy(out + 1, h->addr.b, sizeof h->addr.b);
		return 1 + sizeof h->addr.b;
	}
	out[0] = 'd';
	memcpy(out + 1, h->text, h->n);
	out[1 + h->n] = '\0';
	return 2 + (size_t)h->n;
}

/* Does this name of a certificate stand for the host? A star stands for one label (RFC 6125 6.4.3). */
static bool
name_covers(const struct leaf_name *name, const struct host *h)
{
	const char *dot;

	if (!name->dns.n)
		return h->kind == HOST_ADDR && memcmp(name->addr, h->addr.b, sizeof h->addr.b) == 0;
	if (h->kind == HOST_ADDR)
		return false;
	if (span_eq(name->dns, host_span(h)))
		return true;
	dot = memchr(h->text, '.', h->n);
	return dot && name->dns.n > 2 && name->dns.p[0] == '*' &&
	       span_eq(span_of(name->dns.p + 1, name->dns.n - 1), span_of(dot, h->n - (size_t)(dot - h->text)));
}

/* The profile's names, and the host's where none of them stands for it: in front, since there may be too many. Bytes. */
static size_t
names_write(const struct leaf_want *want, char *out, size_t room)
{
	struct span      all = want->profile ? span_of(want->profile->names, want->profile->size) : (struct span){NULL, 0};
	struct leaf_name name;
	size_t           at = 0, from = 0, n = 0, used = 0;
	bool             covered = want->profile && want->profile->n_names > 0 && want->ca == LEAF_UNTRUSTED; /* as wrong as the origin's */

	while (!covered && leaf_name_next(all, &at, &name))
		covered = name_covers(&name, want->host);
	if (!covered) {
		used = host_name(want->host, out);
		n = 1;
	}
	for (at = 0; n < PROFILE_NAMES_MAX && leaf_name_next(all, &at, &name) && used + at - from <= room; n++, from = at) {
		memcpy(out + used, all.p + from, at - from);
		used += at - from;
	}
	return used;
}

size_t
leaf_ask_pack(const struct leaf_want *want, uint8_t *out, size_t room)
{
	const struct profile *p = want->profile;
	char                  names[(HOSTNAME_MAX + 2) * PROFILE_NAMES_MAX];
	struct leaf_ask       a = {.key = (uint8_t)want->key, .ca = (uint8_t)want->ca, .page = !p};

	memcpy(a.ca_print, want->ca_print, sizeof a.ca_print);
	a.names = span_of(names, names_write(want, names, sizeof names));
	if (p) {
		memcpy(a.print, p->print, sizeof a.print);
		a.not_before = p->not_before;
		a.not_after = p->not_after;
		a.common_name = span_str(p->common_name);
	}
	return leaf_ask_write(&a, out, room);
}

void
leaf_ask_number(uint8_t *packet, uint64_t number)
{
	for (unsigned i = 0; i < 8; i++)
		packet[NUMBER_AT + i] = (uint8_t)(number >> 8 * (7 - i));
}

bool
leaf_ask_digest(struct span packet, uint8_t out[32])
{
	EVP_MD_CTX *c = EVP_MD_CTX_new();
	unsigned    n = 32;
	bool        ok = c && packet.n > NUMBER_AT + 8 && EVP_DigestInit_ex(c, EVP_sha256(), NULL) &&
	          EVP_DigestUpdate(c, packet.p + NUMBER_AT + 8, packet.n - NUMBER_AT - 8) && EVP_DigestFinal_ex(c, out, &n);

	EVP_MD_CTX_free(c);
	if (!ok)
		ERR_clear_error();
	return ok;
}
