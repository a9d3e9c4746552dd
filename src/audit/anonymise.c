/* SPDX-License-Identifier: MIT */
#include "audit/anonymise.h"

#include <nettle/hmac.h>
#include <stdlib.h>

#define TOKEN 16u /* digits */

struct anonymiser {
	uint32_t               masks;
	struct hmac_sha256_ctx hmac; /* its key is set; begins anew after each digest */
	char                   user[TOKEN], groups[RECORD_TEXT_MAX];
};

struct anonymiser *
anonymiser_new(uint32_t masks, const uint8_t key[LOG_KEY_BYTES])
{
	struct anonymiser *a = malloc(sizeof *a);

	if (!a)
		return NULL;
	a->masks = masks;
	hmac_sha256_set_key(&a->hmac, LOG_KEY_BYTES, key);
	return a;
}

void
anonymiser_free(struct anonymiser *a)
{
	if (a)
		explicit_bzero(&a->hmac, sizeof a->hmac);
	free(a);
}

static void
put_token(struct anonymiser *a, struct span name, char to[TOKEN])
{
	static const char hex[] = "0123456789abcdef";
	uint8_t           digest[TOKEN / 2];

	hmac_sha256_update(&a->hmac, name.n, (const uint8_t *)name.p);
	hmac_sha256_digest(&a->hmac, sizeof digest, digest);
	for (size_t i = 0; i < sizeof digest; i++) {
		to[2 * i] = hex[digest[i] >> 4];
		to[2 * i + 1] = hex[digest[i] & 15];
	}
}

/* Separated by commas; tokens are longer than most names, so the last of very many stay out. */
static struct span
mask_groups(struct anonymiser *a, struct span list)
{
	size_t n = 0;

	while (list.n && n + TOKEN + 1 <= sizeof a->groups) {
		const char *comma = memchr(list.p, ',', list.n);
		size_t      len = comma ? (size_t)(comma - list.p) : list.n;
		if (n)
			a->groups[n++] = ',';
		put_token(a, span_of(list.p, len), a->groups + n);
		n += TOKEN;
		len += comma != NULL;
		list = span_of(list.p + len, list.n - len);
	}
	return span_of(a->groups, n);
}

static void
mask_client(struct endpoint *e)
{
	/* RFC 3056: 2002:V4ADDR::/48 */
	unsigned keep = addr_is_v4(&e->addr) ? 15 : e->addr.b[0] == 0x20 && e->addr.b[1] == 0x02 ? 5 : 6;

	memset(e->addr.b + keep, 0, 16 - keep);
	e->port = 0;
	e->scope = 0;
}

void
anonymise(struct anonymiser *a, struct record *r, struct span text[RT_COUNT])
{
	text[RT_AUTH_DETAIL] = SPAN("");
	if (a->masks & LOG_ANONYMISE_CLIENTS)
		mask_client(&r->client);
	if (!(a->masks & LOG_ANONYMISE_USERS))
		return;
	if (text[RT_USER].n) {
		put_token(a, text[RT_USER], a->user);
		text[RT_USER] = span_of(a->user, TOKEN);
	}
	text[RT_GROUPS] = mask_groups(a, text[RT_GROUPS]);
}
