/* SPDX-License-Identifier: MIT */
#include "base/fault.h"

#include <assert.h>

static const struct fault_row rows[FAULT_COUNT] = {
#define FAULT_ROW(sym, word, status, token, tag, text) [FAULT_##sym] = {word, status, token, tag, text},
	FAULT_TABLE(FAULT_ROW)
#undef FAULT_ROW
};

/* Those that are not named are FAILURE_NONE. */
static const uint8_t failures[FAULT_COUNT] = {
	[FAULT_DNS_NXDOMAIN] = FAILURE_NAME, /* the DNS works: a host that is gone, or misspelt */
	[FAULT_DNS_NO_ADDRESS] = FAILURE_NAME,
	[FAULT_DNS_ERROR] = FAILURE_DNS,
	[FAULT_DNS_REFUSED] = FAILURE_DNS,
	[FAULT_DNS_UNREACHABLE] = FAILURE_DNS,
	[FAULT_DNS_TIMEOUT] = FAILURE_DNS,
	[FAULT_CONNECT_REFUSED] = FAILURE_CONNECT,
	[FAULT_CONNECT_UNREACHABLE] = FAILURE_CONNECT,
	[FAULT_CONNECT_TIMEOUT] = FAILURE_CONNECT,
	[FAULT_CONNECT_FAILED] = FAILURE_CONNECT,
	[FAULT_PARENT_DOWN] = FAILURE_PARENT,
	[FAULT_PARENT_REFUSED] = FAILURE_PARENT,
	[FAULT_PARENT_AUTH] = FAILURE_PARENT,
	[FAULT_PARENT_BAD] = FAILURE_PARENT,
	[FAULT_PARENT_TIMEOUT] = FAILURE_PARENT,
	[FAULT_ORIGIN_TLS_FAILED] = FAILURE_ORIGIN,
	[FAULT_ORIGIN_TLS_TIMEOUT] = FAILURE_ORIGIN,
	[FAULT_ORIGIN_CLOSED] = FAILURE_ORIGIN,
	[FAULT_ORIGIN_RESET] = FAILURE_ORIGIN,
	[FAULT_ORIGIN_TIMEOUT] = FAILURE_ORIGIN,
	[FAULT_BAD_RESPONSE] = FAILURE_ORIGIN,
	[FAULT_RESPONSE_TOO_LARGE] = FAILURE_ORIGIN,
	[FAULT_RESPONSE_INCOMPLETE] = FAILURE_ORIGIN,
	[FAULT_AUTH_UNAVAILABLE] = FAILURE_AUTH,
	[FAULT_SIGNER_UNAVAILABLE] = FAILURE_GATEWAY,
	[FAULT_UNDECIDED] = FAILURE_GATEWAY,
	[FAULT_NO_MEMORY] = FAILURE_GATEWAY,
	[FAULT_NO_SOCKET] = FAILURE_GATEWAY,
	[FAULT_INTERNAL] = FAILURE_GATEWAY,
};

const struct fault_row *
fault_row(enum fault f)
{
	assert((unsigned)f < FAULT_COUNT);
	return &rows[f];
}

enum failure
fault_failure(enum fault f)
{
	return (unsigned)f < FAULT_COUNT ? (enum failure)failures[f] : FAILURE_NONE;
}

const char *
failure_word(enum failure k)
{
	static const char *const words[FAILURE_KINDS] = {"", "name", "dns", "connect", "parent", "origin", "auth", "gateway"};

	assert((unsigned)k < FAILURE_KINDS);
	return words[k];
}
