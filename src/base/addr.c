/* SPDX-License-Identifier: MIT */
#include "base/addr.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

bool
addr_is_v4(const struct addr *a)
{
	return memcmp(a->b, mapped, sizeof mapped) == 0;
}

bool
addr_eq(const struct addr *a, const struct addr *b)
{
	return memcmp(a->b, b->b, sizeof a->b) == 0;
}

struct addr
addr_from_v4(uint32_t v)
{
	struct addr a;
	memcpy(a.b, mapped, sizeof mapped);
	a.b[12] = (uint8_t)(v >> 24);
	a.b[13] = (uint8_t)(v >> 16);
	a.b[14] = (uint8_t)(v >> 8);
	a.b[15] = (uint8_t)v;
	return a;
}

static bool
v4_parse(struct span s, struct addr *out)
{
	uint32_t v = 0;
	size_t   i = 0;

	for (int part = 0; part < 4; part++) {
		unsigned n = 0;
		size_t   first = i;
		while (i < s.n && s.p[i] >= '0' && s.p[i] <= '9' && i - first < 4)
			n = n * 10 + (unsigned)(s.p[i++] - '0');
		if (i == first || i - first > 3 || n > 255 || (i - first > 1 && s.p[first] == '0'))
			return false;
		v = v << 8 | n;
		if (part < 3 && (i >= s.n || s.p[i++] != '.'))
			return false;
	}
	if (i != s.n)
		return false;
	*out = addr_from_v4(v);
	return true;
}

bool
addr_parse(struct span s, struct addr *out)
{
	char            text[INET6_ADDRSTRLEN];
	struct in6_addr six;

	if (v4_parse(s, out))
		return true;
	if (s.n == 0 || s.n >= sizeof text || !memchr(s.p, ':', s.n) || memchr(s.p, '\0', s.n))
		return false;
	memcpy(text, s.p, s.n);
	text[s.n] = '\0';
	if (inet_pton(AF_INET6, text, &six) != 1)
		return false;
	memcpy(out->b, &six, sizeof out->b);
	return true;
}

size_t
addr_print(const struct addr *a, char buf[ADDR_TEXT_MAX])
{
	if (addr_is_v4(a))
		return (size_t)snprintf(buf, ADDR_TEXT_MAX, "%u.%u.%u.%u", a->b[12], a->b[13], a->b[14], a->b[15]);
	inet_ntop(AF_INET6, a->b, buf, ADDR_TEXT_MAX);
	return strlen(buf);
}

size_t
endpoint_print(const struct endpoint *e, char buf[ENDPOINT_TEXT_MAX])
{
	char text[ADDR_TEXT_MAX];

	addr_print(&e->addr, text);
	if (addr_is_v4(&e->addr))
		return (size_t)snprintf(buf, ENDPOINT_TEXT_MAX, "%s:%u", text, e->port);
	if (e->scope)
		return (size_t)snprintf(buf, ENDPOINT_TEXT_MAX, "[%s%%%u]:%u", text, e->scope, e->port);
	return (size_t)snprintf(buf, ENDPOINT_TEXT_MAX, "[%s]:%u", text, e->port);
}

bool
endpoint_from_sockaddr(const struct sockaddr *sa, struct endpoint *out)
{
	if (sa->sa_family == AF_INET) {
		const struct sockaddr_in *in = (const void *)sa;
		*out = (struct endpoint){.addr = addr_from_v4(ntohl(in->sin_addr.s_addr)), .port = ntohs(in->sin_port)};
		return true;
	}
	if (sa->sa_family == AF_INET6) {
		const struct sockaddr_in6 *in6 = (const void *)sa;
		*out = (struct endpoint){.scope = in6->sin6_scope_id, .port = ntohs(in6->sin6_port)};
		memcpy(out->addr.b, &in6->sin6_addr, sizeof out->addr.b);
		return true;
	}
	return false;
}

socklen_t
endpoint_to_sockaddr(const struct endpoint *e, struct sockaddr_storage *out)
{
	memset(out, 0, sizeof *out);
	if (addr_is_v4(&e->addr)) {
		struct sockaddr_in *in = (void *)out;
		in->sin_family = AF_INET;
		in->sin_port = htons(e->port);
		memcpy(&in->sin_addr, e->addr.b + 12, 4);
		return sizeof *in;
	}
	struct sockaddr_in6 *in6 = (void *)out;
	in6->sin6_family = AF_INET6;
	in6->sin6_port = htons(e->port);
	in6->sin6_scope_id = e->scope;
	memcpy(&in6->sin6_addr, e->addr.b, 16);
	return sizeof *in6;
}

bool
addr_embedded_v4(const struct addr *a, struct addr *out)
{
	static const uint8_t nat64[12] = {0x00, 0x64, 0xff, 0x9b}, local64[6] = {0x00, 0x64, 0xff, 0x9b, 0x00, 0x01};
	static const uint8_t compatible[12] = {0};
	const uint8_t       *b = a->b;
	uint8_t              v[4];

	if (memcmp(b, nat64, 12) == 0 || (memcmp(b, compatible, 12) == 0 && (b[12] || b[13] || b[14])))
		memcpy(v, b + 12, 4);
	else if (memcmp(b, local64, 6) == 0) {
		/* RFC 6052 2.2 for a /48: two bytes, the reserved octet, two bytes; longer prefixes under it put the address last */
		if (b[8] == 0 && (b[6] || b[7] || b[9] || b[10]) && !b[11] && !b[12] && !b[13] && !b[14] && !b[15]) {
			v[0] = b[6], v[1] = b[7], v[2] = b[9], v[3] = b[10];
		} else {
			memcpy(v, b + 12, 4);
		}
	} else if (b[0] == 0x20 && b[1] == 0x02)
		memcpy(v, b + 2, 4);
	else if (b[0] == 0x20 && b[1] == 0x01 && b[2] == 0 && b[3] == 0)
		for (int i = 0; i < 4; i++)
			v[i] = (uint8_t)~b[12 + i];
	else if ((b[8] == 0x00 || b[8] == 0x02) && b[9] == 0x00 && b[10] == 0x5e && b[11] == 0xfe)
		memcpy(v, b + 12, 4); /* ISATAP: RFC 5214 6.1 */
	else
		return false;
	*out = addr_from_v4((uint32_t)v[0] << 24 | (uint32_t)v[1] << 16 | (uint32_t)v[2] << 8 | v[3]);
	return true;
}
