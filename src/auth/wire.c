/* SPDX-License-Identifier: MIT */
#include "auth/wire.h"

#include <stdlib.h>
#include <string.h>

#define ASK_MAGIC    0x304b5341u /* "ASK0" */
#define ANSWER_MAGIC 0x30534e41u /* "ANS0" */

/* Both sides are the same binary on the same machine: fields as they lie in memory, no padding between them. */
struct ask_head {
	uint32_t magic, op;
	uint64_t id, handle;
	uint64_t deadline_us;
	uint32_t timeout_ms;
	uint8_t  wants_groups, wants_pac, has_binding, zero;
	uint8_t  binding[16];
	uint8_t  client[16];
	uint32_t n[ASK_PARTS];
	uint32_t zeros;
};

enum answer_text { TEXT_ACCOUNT, TEXT_DOMAIN, TEXT_REALM, TEXT_DETAIL, ANSWER_TEXTS };
enum answer_block { BLOCK_TOKEN, BLOCK_PAC, BLOCK_GROUPS, ANSWER_BLOCKS };

struct answer_head {
	uint32_t magic, result;
	uint64_t id, handle;
	uint32_t retry_after_s, took_us;
	uint32_t text[ANSWER_TEXTS];
	uint32_t block[ANSWER_BLOCKS];
	uint32_t zeros;
};

_Static_assert(sizeof(struct ask_head) == 96 && sizeof(struct answer_head) == 64, "there must be no padding: it would carry old memory");

size_t
wire_put_ask(void *to, size_t room, uint64_t id, const struct ask *a)
{
	struct ask_head h = {
		.magic = ASK_MAGIC,
		.op = (uint32_t)a->op,
		.id = id,
		.handle = a->handle,
		.timeout_ms = a->timeout_ms,
		.wants_groups = a->wants_groups,
		.wants_pac = a->wants_pac,
		.has_binding = a->has_binding,
	};
	size_t n = sizeof h;
	char  *p = to;

	memcpy(h.binding, a->binding, sizeof h.binding);
	memcpy(h.client, a->client.b, sizeof h.client);
	for (unsigned i = 0; i < ASK_PARTS; i++) {
		if (a->part[i].n > ASK_TOKEN_MAX)
			return 0;
		h.n[i] = (uint32_t)a->part[i].n;
		n += a->part[i].n;
	}
	if (n > room || n > WIRE_MAX)
		return 0;
	memcpy(p, &h, sizeof h);
	p += sizeof h;
	for (unsigned i = 0; i < ASK_PARTS; i++) {
		if (a->part[i].n)
			memcpy(p, a->part[i].p, a->part[i].n);
		p += a->part[i].n;
	}
	return n;
}

bool
wire_get_ask(const void *from, size_t n, uint64_t *id, struct ask *out)
{
	struct ask_head h;
	const char     *p = from;
	size_t          left;

	if (n < sizeof h || n > WIRE_MAX)
		return false;
	memcpy(&h, p, sizeof h);
	if (h.magic != ASK_MAGIC || h.op >= ASK_OPS || h.wants_groups > 1 || h.wants_pac > 1 || h.has_binding > 1 || h.zero || h.zeros)
		return false;
	*out = (struct ask){
		.op = (enum ask_op)h.op,
		.wants_groups = h.wants_groups,
		.wants_pac = h.wants_pac,
		.has_binding = h.has_binding,
		.handle = h.handle,
		.timeout_ms = h.timeout_ms,
	};
	*id = h.id;
	memcpy(out->binding, h.binding, sizeof out->binding);
	memcpy(out->client.b, h.client, sizeof out->client.b);
	p += sizeof h;
	left = n - sizeof h;
	for (unsigned i = 0; i < ASK_PARTS; i++) {
		if (h.n[i] > left || h.n[i] > ASK_TOKEN_MAX)
			return false;
		out->part[i] = span_of(p, h.n[i]);
		p += h.n[i];
		left -= h.n[i];
	}
	return left == 0;
}

void
wire_set_deadline(void *ask, uint64_t deadline_us)
{
	memcpy((char *)ask + offsetof(struct ask_head, deadline_us), &deadline_us, sizeof deadline_us);
}

uint64_t
wire_deadline(const void *ask)
{
	uint64_t deadline_us;

	memcpy(&deadline_us, (const char *)ask + offsetof(struct ask_head, deadline_us), sizeof deadline_us);
	return deadline_us;
}

static void
put(char **p, const void *from, uint32_t n)
{
	if (n)
		memcpy(*p, from, n);
	*p += n;
}

size_t
wire_put_answer(void *to, size_t room, uint64_t id, const struct answer *a)
{
	const char        *text[ANSWER_TEXTS] = {a->account, a->domain, a->realm, a->detail};
	const char        *block[ANSWER_BLOCKS] = {a->token, a->pac, a->groups};
	struct answer_head h = {
		.magic = ANSWER_MAGIC,
		.result = (uint32_t)a->result,
		.id = id,
		.handle = a->handle,
		.retry_after_s = a->retry_after_s,
		.took_us = a->took_us,
		.block = {a->n_token, a->n_pac, a->groups_bytes},
	};
	size_t n = sizeof h;
	char  *p = to;

	for (unsigned i = 0; i < ANSWER_TEXTS; i++)
		n += h.text[i] = (uint32_t)strlen(text[i]);
	for (unsigned i = 0; i < ANSWER_BLOCKS; i++)
		n += h.block[i];
	if (n > room || n > WIRE_MAX)
		return 0;
	put(&p, &h, sizeof h);
	for (unsigned i = 0; i < ANSWER_TEXTS; i++)
		put(&p, text[i], h.text[i]);
	for (unsigned i = 0; i < ANSWER_BLOCKS; i++)
		put(&p, block[i], h.block[i]);
	return n;
}

static bool
take_text(const char **p, size_t *left, uint32_t n, char *out, size_t room)
{
	if (n > *left || n >= room || (n && memchr(*p, '\0', n)))
		return false;
	memcpy(out, *p, n);
	out[n] = '\0';
	*p += n;
	*left -= n;
	return true;
}

static bool
take_block(const char **p, size_t *left, uint32_t n, char **out, uint32_t *n_out)
{
	if (n > *left)
		return false;
	if (n == 0)
		return true;
	*out = malloc(n);
	if (!*out)
		return false;
	memcpy(*out, *p, n);
	*n_out = n;
	*p += n;
	*left -= n;
	return true;
}

bool
wire_get_answer(const void *from, size_t n, uint64_t *id, struct answer *out)
{
	struct answer_head h;
	const char        *p = from;
	size_t             left;

	*out = (struct answer){.result = ASK_UNAVAILABLE};
	if (n < sizeof h || n > WIRE_MAX)
		return false;
	memcpy(&h, p, sizeof h);
	if (h.magic != ANSWER_MAGIC || h.result >= ASK_RESULTS || h.zeros)
		return false;
	p += sizeof h;
	left = n - sizeof h;
	*id = h.id;
	out->handle = h.handle;
	out->retry_after_s = h.retry_after_s;
	out->took_us = h.took_us;
	if (!take_text(&p, &left, h.text[TEXT_ACCOUNT], out->account, sizeof out->account) ||
	    !take_text(&p, &left, h.text[TEXT_DOMAIN], out->domain, sizeof out->domain) ||
	    !take_text(&p, &left, h.text[TEXT_REALM], out->realm, sizeof out->realm) ||
	    !take_text(&p, &left, h.text[TEXT_DETAIL], out->detail, sizeof out->detail) ||
	    !take_block(&p, &left, h.block[BLOCK_TOKEN], &out->token, &out->n_token) ||
	    !take_block(&p, &left, h.block[BLOCK_PAC], &out->pac, &out->n_pac) ||
	    !take_block(&p, &left, h.block[BLOCK_GROUPS], &out->groups, &out->groups_bytes))
		return false;
	if (left || (out->groups_bytes && out->groups[out->groups_bytes - 1] != '\0'))
		return false;
	out->result = (enum ask_result)h.result;
	return true;
}
