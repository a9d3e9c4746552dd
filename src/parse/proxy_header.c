/* SPDX-License-Identifier: MIT */
#include "parse/proxy_header.h"

#include <string.h>

#define LINE_MAX_1   107u /* with CRLF (2.1) */
#define FIXED_2      16u  /* what version 2 begins with (2.2) */
#define TLV_HEAD     3u
#define TLV_CRC32C   0x03u
#define CRC32C_BYTES 4u
#define LOCAL        0u
#define PROXY        1u

static const char signature[] = "\r\n\r\n\0\r\nQUIT\n";
static const char word[] = "PROXY ";

/* Does `in` begin with these bytes, as far as it goes? */
static bool
begins(struct span in, const char *with, size_t n)
{
	return memcmp(in.p, with, in.n < n ? in.n : n) == 0;
}

/* --- version 1 --- */

/* The text up to the next blank, which is skipped; what follows the last one has none. */
static struct span
next_word(struct span *rest)
{
	const char *blank = memchr(rest->p, ' ', rest->n);
	struct span w = span_of(rest->p, blank ? (size_t)(blank - rest->p) : rest->n);

	*rest = span_of(w.p + w.n, rest->n - w.n);
	if (blank)
		*rest = span_of(blank + 1, rest->n - 1);
	return w;
}

/* 0 to 65535, without zeros in front. */
static bool
port_read(struct span s, uint16_t *port)
{
	uint32_t v = 0;

	if (s.n == 0 || s.n > 5 || (s.n > 1 && s.p[0] == '0'))
		return false;
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
		v = v * 10 + (uint32_t)(s.p[i] - '0');
	}
	*port = (uint16_t)v;
	return v <= UINT16_MAX;
}

static bool
addr_read(struct span s, bool v6, struct addr *out)
{
	return (memchr(s.p, ':', s.n) != NULL) == v6 && addr_parse(s, out);
}

/* "TCP4 from to port port" or "UNKNOWN" and anything; without "PROXY " and CRLF. */
static bool
line_read(struct span line, struct proxy_header *h)
{
	struct span kind = next_word(&line);
	bool        v6 = span_eq(kind, SPAN("TCP6"));

	*h = (struct proxy_header){0};
	if (span_eq(kind, SPAN("UNKNOWN")))
		return true;
	if (!v6 && !span_eq(kind, SPAN("TCP4")))
		return false;
	h->has_client = true;
	return addr_read(next_word(&line), v6, &h->from.addr) && addr_read(next_word(&line), v6, &h->to.addr) && port_read(next_word(&line), &h->from.port) &&
	       port_read(line, &h->to.port);
}

static enum parse_result
parse_line(struct span in, struct proxy_header *out, size_t *used)
{
	size_t              most = in.n < LINE_MAX_1 ? in.n : LINE_MAX_1;
	const char         *end = memchr(in.p, '\r', most);
	size_t              n = end ? (size_t)(end - in.p) : 0;
	struct proxy_header h;

	if (!end)
		return in.n < LINE_MAX_1 && !memchr(in.p, '\n', most) && !memchr(in.p, '\0', most) ? PARSE_MORE : PARSE_BAD;
	if (n + 1 == LINE_MAX_1)
		return PARSE_BAD;
	if (n + 1 == in.n)
		return PARSE_MORE;
	if (end[1] != '\n' || !line_read(span_of(in.p + sizeof word - 1, n - (sizeof word - 1)), &h))
		return PARSE_BAD;
	*out = h;
	*used = n + 2;
	return PARSE_OK;
}

/* --- version 2 --- */

static unsigned
byte_at(struct span s, size_t i)
{
	return (unsigned char)s.p[i];
}

static unsigned
short_at(struct span s, size_t i)
{
	return byte_at(s, i) << 8 | byte_at(s, i + 1);
}

/* CRC32C (RFC 9260 A) of the header with the four bytes from `hole` on taken for zero. Headers are short and there is one for each connection. */
static uint32_t
crc32c(struct span s, size_t hole)
{
	uint32_t crc = UINT32_MAX;

	for (size_t i = 0; i < s.n; i++) {
		crc ^= i >= hole && i < hole + CRC32C_BYTES ? 0 : byte_at(s, i);
		for (unsigned bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78u : 0);
	}
	return ~crc;
}

/* What was added behind the addresses, from `at` on. */
static bool
additions_are_good(struct span header, size_t at)
{
	while (at < header.n) {
		size_t n;
		if (header.n - at < TLV_HEAD || (n = short_at(header, at + 1)) > header.n - at - TLV_HEAD)
			return false;
		if (byte_at(header, at) == TLV_CRC32C) {
			size_t   sum = at + TLV_HEAD;
			if (n != CRC32C_BYTES || crc32c(header, sum) != ((uint32_t)short_at(header, sum) << 16 | short_at(header, sum + 2)))
				return false;
		}
		at += TLV_HEAD + n;
	}
	return true;
}

/* `n` bytes of address at `at`. */
static struct endpoint
endpoint_at(struct span s, size_t at, size_t n, size_t port_at)
{
	struct endpoint e = {.port = (uint16_t)short_at(s, port_at)};

	if (n == sizeof e.addr.b)
		memcpy(e.addr.b, s.p + at, n);
	else
		e.addr = addr_from_v4((uint32_t)short_at(s, at) << 16 | short_at(s, at + 2));
	return e;
}

/* A whole header. */
static bool
header_read(struct span s, struct proxy_header *h)
{
	static const size_t addresses[] = {0, 2 * 4 + 2 * 2, 2 * 16 + 2 * 2, 2 * 108}; /* bytes, by family */
	unsigned            family = byte_at(s, 13) >> 4, transport = byte_at(s, 13) & 15;

	*h = (struct proxy_header){0};
	if ((byte_at(s, 12) & 15) == LOCAL)
		return true;
	if (family && s.n - FIXED_2 < addresses[family])
		return false;
	if (family && !additions_are_good(s, FIXED_2 + addresses[family]))
		return false;
	/* the document lets those who do not serve a kind treat it as unspecified: there is no TCP client with an IP address behind it */
	if (transport != 1 || family == 0 || family == 3)
		return true;
	size_t n = family == 1 ? 4 : 16, ports = FIXED_2 + 2 * n;
	h->has_client = true;
	h->from = endpoint_at(s, FIXED_2, n, ports);
	h->to = endpoint_at(s, FIXED_2 + n, n, ports + 2);
	return true;
}

static enum parse_result
parse_binary(struct span in, struct proxy_header *out, size_t *used)
{
	struct proxy_header h;
	size_t              n;

	if (in.n > 12 && (byte_at(in, 12) >> 4 != 2 || (byte_at(in, 12) & 15) > PROXY))
		return PARSE_BAD;
	/* of the balancer's own connection the kind is ignored */
	if (in.n > 13 && (byte_at(in, 12) & 15) == PROXY && (byte_at(in, 13) >> 4 > 3 || (byte_at(in, 13) & 15) > 2))
		return PARSE_BAD;
	if (in.n < FIXED_2)
		return PARSE_MORE;
	n = FIXED_2 + short_at(in, 14);
	if (n > PROXY_HEADER_MAX)
		return PARSE_BAD;
	if (in.n < n)
		return PARSE_MORE;
	if (!header_read(span_of(in.p, n), &h))
		return PARSE_BAD;
	*out = h;
	*used = n;
	return PARSE_OK;
}

enum parse_result
proxy_header_parse(struct span in, struct proxy_header *out, size_t *used)
{
	if (in.n == 0)
		return PARSE_MORE;
	if (in.p[0] == signature[0]) {
		if (!begins(in, signature, sizeof signature - 1))
			return PARSE_BAD;
		return parse_binary(in, out, used);
	}
	if (!begins(in, word, sizeof word - 1))
		return PARSE_BAD;
	return in.n < sizeof word - 1 ? PARSE_MORE : parse_line(in, out, used);
}
