/* SPDX-License-Identifier: MIT */
#include "auth/handshake.h"

#include <stdlib.h>

#include "auth/ntlm.h"

static char *
add(char *at, struct span s)
{
	if (s.n)
		memcpy(at, s.p, s.n);
	return at + s.n;
}

struct handshake *
handshake_new(const struct handshake_parts *p)
{
	struct handshake *h;

	if (p->negotiate.n > NTLM_NEGOTIATE_MAX || p->challenge.n > NTLM_CHALLENGE_MAX || p->mech_list.n > HANDSHAKE_MECH_LIST_MAX)
		return NULL;
	h = malloc(sizeof *h + p->negotiate.n + p->challenge.n + p->mech_list.n);
	if (!h)
		return NULL;
	*h = (struct handshake){
		.handle = p->handle,
		.begun_us = p->begun_us,
		.n_negotiate = (uint16_t)p->negotiate.n,
		.n_challenge = (uint16_t)p->challenge.n,
		.n_mech_list = (uint16_t)p->mech_list.n,
		.scheme = (uint8_t)p->scheme,
		.wrapped = p->wrapped,
	};
	add(add(add(h->bytes, p->negotiate), p->challenge), p->mech_list);
	return h;
}

void
handshake_free(struct handshake *h)
{
	free(h);
}
