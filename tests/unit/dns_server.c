/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "dns_server.h"

#define TYPE_CNAME 5
#define TYPE_SOA   6
#define PACKET_MAX 65535

struct packet {
	size_t  n;
	uint8_t b[PACKET_MAX];
};

static void
put8(struct packet *p, unsigned v)
{
	p->b[p->n++] = (uint8_t)v;
}

static void
put16(struct packet *p, unsigned v)
{
	put8(p, v >> 8);
	put8(p, v & 255);
}

static void
put32(struct packet *p, uint32_t v)
{
	put16(p, v >> 16);
	put16(p, v & 65535);
}

static void
put_name(struct packet *p, const char *name)
{
	while (*name) {
		size_t n = strcspn(name, ".");
		put8(p, (unsigned)n);
		memcpy(p->b + p->n, name, n);
		p->n += n;
		name += n + (name[n] == '.');
	}
	put8(p, 0);
}

static void
put_rr(struct packet *p, const char *owner, unsigned type, uint32_t ttl, const void *data, size_t n)
{
	if (owner)
		put_name(p, owner);
	else
		put16(p, 0xc00c); /* the question's name */
	put16(p, type);
	put16(p, 1);
	put32(p, ttl);
	put16(p, (unsigned)n);
	memcpy(p->b + p->n, data, n);
	p->n += n;
}

static unsigned
put_addrs(struct packet *p, const char *owner, const char *text, unsigned type, uint32_t ttl)
{
	unsigned count = 0;

	while (text && *text) {
		size_t      n = strcspn(text, " ");
		struct addr a;
		assert_true(addr_parse(span_of(text, n), &a));
		if (type == DNS_TYPE_A)
			put_rr(p, owner, type, ttl, a.b + 12, 4);
		else
			put_rr(p, owner, type, ttl, a.b, 16);
		count++;
		text += n + (text[n] == ' ');
	}
	return count;
}

static void
put_cname(struct packet *p, const char *owner, const char *target, uint32_t ttl)
{
	struct packet name = {0};

	put_name(&name, target);
	put_rr(p, owner, TYPE_CNAME, ttl, name.b, name.n);
}

static void
put_soa(struct packet *p, uint32_t minimum)
{
	struct packet soa = {0};

	put_name(&soa, "ns");
	put_name(&soa, "admin");
	for (int i = 0; i < 4; i++)
		put32(&soa, 7200);
	put32(&soa, minimum);
	put_rr(p, "", TYPE_SOA, 3600, soa.b, soa.n);
}

/* The header and question of `q`, as an answer. */
static void
begin(struct packet *p, const uint8_t *q, size_t question_end, unsigned rcode, unsigned answers, unsigned authorities)
{
	p->n = 0;
	put8(p, q[0]);
	put8(p, q[1]);
	put8(p, 0x81);
	put8(p, 0x80 | rcode);
	put16(p, 1);
	put16(p, answers);
	put16(p, authorities);
	put16(p, 0);
	memcpy(p->b + 12, q + 12, question_end - 12);
	p->n = question_end;
}

static void
chain_build(struct packet *p, const struct dns_row *r, unsigned type, const char *addrs)
{
	char last[32];

	snprintf(last, sizeof last, "c%u.test", r->count);
	if (r->backwards)
		put_addrs(p, last, addrs, type, r->ttl);
	for (unsigned k = 0; k < r->count; k++) {
		unsigned i = r->backwards ? r->count - 1 - k : k;
		char     owner[32], target[32];
		snprintf(owner, sizeof owner, "c%u.test", i);
		snprintf(target, sizeof target, "C%u.TEST", i + 1);
		put_cname(p, i ? owner : NULL, target, r->ttl + 10 - (i == r->count / 2 ? 5 : 0));
	}
	if (!r->backwards)
		put_addrs(p, last, addrs, type, r->ttl + 20);
}

/* Build the answer; false: say nothing. */
static bool
answer(struct packet *p, const struct dns_row *r, unsigned type, bool tcp, const uint8_t *q, size_t qn, size_t question_end)
{
	enum dns_how how = type == DNS_TYPE_A ? r->a_how : r->aaaa_how;
	const char  *addrs = type == DNS_TYPE_A ? r->a : r->aaaa;
	unsigned     n = 0;

	switch (how) {
	case DNS_SILENT:
		return false;
	case DNS_RCODE:
		begin(p, q, question_end, r->rcode, 0, r->soa_minimum != 0);
		break;
	case DNS_RUBBISH:
		begin(p, q, question_end, 0, 3, 0);
		put_rr(p, NULL, type, 60, "\300\377", 2);
		put8(p, 0xc0);
		return true;
	case DNS_CHAIN:
		begin(p, q, question_end, 0, r->count + 1, 0);
		chain_build(p, r, type, addrs);
		return true;
	case DNS_LOOP:
		begin(p, q, question_end, 0, 2, 0);
		put_cname(p, NULL, "other.test", 60);
		put_cname(p, "other.test", r->name, 60);
		return true;
	case DNS_FOREIGN:
		begin(p, q, question_end, 0, 1, 0);
		put_addrs(p, "elsewhere.test", addrs, type, 60);
		return true;
	case DNS_NO_EDNS:
		if (qn > question_end) {
			begin(p, q, question_end, r->rcode ? r->rcode : DNS_RCODE_FORM, 0, 0);
			return true;
		}
		/* fall through */
	default:
		begin(p, q, question_end, 0, 0, 0);
		if ((how == DNS_TRUNCATED || how == DNS_MANY || how == DNS_HANGING) && !tcp) {
			p->b[2] |= 2;
			return true;
		}
		if (how == DNS_PARTIAL)
			p->b[2] |= 2;
		if (how == DNS_MANY || how == DNS_LARGE)
			for (; n < r->count; n++)
				put_rr(p, NULL, type, r->ttl, (uint8_t[16]){192, 0, n >> 8, n & 255}, type == DNS_TYPE_A ? 4 : 16);
		else
			n = put_addrs(p, NULL, addrs, type, r->ttl);
		p->b[6] = n >> 8;
		p->b[7] = n & 255;
		if (n == 0 && r->soa_minimum)
			p->b[9] = 1;
	}
	if (p->b[9])
		put_soa(p, r->soa_minimum);
	return true;
}

static void
note(struct dns_server *s, const char *name, unsigned type, bool tcp, const uint8_t *q, uint16_t port)
{
	unsigned i = 0;

	assert_true(s->n_log < DNS_LOG_MAX);
	s->id[s->n_log] = (uint16_t)(q[0] << 8 | q[1]);
	snprintf(s->log[s->n_log++], sizeof s->log[0], "%s%s %.70s", type == DNS_TYPE_A ? "A" : type == DNS_TYPE_AAAA ? "AAAA" : "?", tcp ? "/tcp" : "", name);
	while (i < s->n_ports && s->port[i] != port)
		i++;
	if (i == s->n_ports)
		s->port[s->n_ports++] = port;
}

static const struct dns_row *
row_find(const struct dns_row *r, const char *name)
{
	static const struct dns_row none = {.a_how = DNS_RCODE, .aaaa_how = DNS_RCODE, .rcode = DNS_RCODE_NAME, .soa_minimum = 30};

	/* "*.x" stands for all below x */
	for (; r->name; r++) {
		size_t n = strlen(name), k = strlen(r->name);
		if (strcasecmp(r->name, name) == 0 || (r->name[0] == '*' && n >= k && strcasecmp(name + n - (k - 1), r->name + 1) == 0))
			return r;
	}
	return &none;
}

/* Reads the question of q; gives the answer. */
static bool
serve(struct dns_server *s, const uint8_t *q, size_t n, bool tcp, uint16_t port, struct packet *p, const struct dns_row **row, unsigned *type)
{
	char   name[256] = "";
	size_t at = 12, k = 0;

	assert_true(n > 16);
	while (q[at]) {
		if (k)
			name[k++] = '.';
		memcpy(name + k, q + at + 1, q[at]);
		k += q[at];
		at += 1 + q[at];
	}
	name[k] = '\0';
	*type = (unsigned)(q[at + 1] << 8 | q[at + 2]);
	at += 5;
	note(s, name, *type, tcp, q, port);
	s->edns[s->n_log - 1] = n > at;
	*row = row_find(s->rows, name);
	return answer(p, *row, *type, tcp, q, n, at);
}

static void
on_udp(void *arg, unsigned what)
{
	static struct packet  p;
	struct dns_server    *s = arg;
	const struct dns_row *row;
	struct sockaddr_in    from;
	socklen_t             from_n = sizeof from;
	uint8_t               q[1500];
	unsigned              type;
	ssize_t               n = recvfrom(s->udp, q, sizeof q, 0, (struct sockaddr *)&from, &from_n);

	(void)what;
	if (n < 0 || s->deaf || !serve(s, q, (size_t)n, false, ntohs(from.sin_port), &p, &row, &type))
		return;
	enum dns_how how = type == DNS_TYPE_A ? row->a_how : row->aaaa_how;
	if (how == DNS_HELD && !s->released) {
		struct dns_held *h = &s->held[s->n_held++];
		assert_true(s->n_held <= 16 && p.n <= sizeof h->packet);
		h->from = from;
		h->n = p.n;
		memcpy(h->packet, p.b, p.n);
		return;
	}
	for (int i = 0; how == DNS_FLOOD && i < 200; i++)
		sendto(s->udp, "rubbish", 7, 0, (struct sockaddr *)&from, from_n);
	if (how == DNS_STRANGERS) {
		p.b[0] ^= 1;
		sendto(s->udp, p.b, p.n, 0, (struct sockaddr *)&from, from_n);
		p.b[0] ^= 1;
		p.b[13] ^= 1;
		sendto(s->udp, p.b, p.n, 0, (struct sockaddr *)&from, from_n);
		p.b[13] ^= 1;
		sendto(s->udp, "rubbish", 7, 0, (struct sockaddr *)&from, from_n);
		sendto(s->udp, "", 0, 0, (struct sockaddr *)&from, from_n);
	}
	sendto(s->udp, p.b, p.n, 0, (struct sockaddr *)&from, from_n);
}

static void
on_conn(void *arg, unsigned what)
{
	static struct packet  p;
	struct dns_conn      *c = arg;
	const struct dns_row *row;
	unsigned              type;
	ssize_t               n = recv(c->fd, c->in + c->n, sizeof c->in - c->n, MSG_DONTWAIT);

	(void)what;
	if (n <= 0)
		goto shut;
	c->n += (size_t)n;
	while (c->n >= 2 && c->n >= 2 + (size_t)(c->in[0] << 8 | c->in[1])) {
		size_t used = 2 + (size_t)(c->in[0] << 8 | c->in[1]);
		if (!serve(c->server, c->in + 2, used - 2, true, 0, &p, &row, &type))
			goto shut;
		enum dns_how how = type == DNS_TYPE_A ? row->a_how : row->aaaa_how;
		if (how == DNS_PARTIAL)
			goto shut;
		if (how == DNS_HANGING)
			return;
		uint8_t len[2] = {(uint8_t)(p.n >> 8), (uint8_t)p.n};
		assert_int_equal(send(c->fd, len, 2, MSG_NOSIGNAL | MSG_MORE), 2);
		assert_int_equal(send(c->fd, p.b, p.n, MSG_NOSIGNAL), p.n);
		memmove(c->in, c->in + used, c->n - used);
		c->n -= used;
	}
	return;
shut:
	watch_clear(&c->watch);
	close(c->fd);
	c->fd = -1;
}

static void
on_tcp(void *arg, unsigned what)
{
	struct dns_server *s = arg;
	int                fd = accept(s->tcp, NULL, NULL), room = 200000;
	struct dns_conn   *c = s->conn;

	(void)what;
	if (fd < 0)
		return;
	while (c->fd >= 0)
		assert_true(++c < s->conn + DNS_CONNS);
	*c = (struct dns_conn){.server = s, .fd = fd};
	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof room); /* the longest answer at one go: the reader is on this very thread */
	assert_true(watch_init_level(&c->watch, s->loop, fd, WATCH_READ, on_conn, c));
}

void
dns_server_open(struct dns_server *s, struct loop *l, const struct dns_row *rows)
{
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t          n = sizeof in;

	memset(s, 0, sizeof *s);
	s->loop = l;
	s->rows = rows;
	for (unsigned i = 0; i < DNS_CONNS; i++)
		s->conn[i].fd = -1;
	/* one port for both: the kernel chooses for TCP, and may have given that number to somebody else's UDP */
	for (int tries = 0;; tries++) {
		in.sin_port = 0;
		s->tcp = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		s->udp = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		assert_int_equal(bind(s->tcp, (struct sockaddr *)&in, n), 0);
		assert_int_equal(getsockname(s->tcp, (struct sockaddr *)&in, &n), 0);
		if (bind(s->udp, (struct sockaddr *)&in, n) == 0)
			break;
		close(s->tcp);
		close(s->udp);
		assert_true(tries < 20);
	}
	assert_int_equal(listen(s->tcp, 64), 0);
	assert_true(endpoint_from_sockaddr((struct sockaddr *)&in, &s->at));
	assert_true(watch_init_level(&s->udp_watch, l, s->udp, WATCH_READ, on_udp, s));
	assert_true(watch_init_level(&s->tcp_watch, l, s->tcp, WATCH_READ, on_tcp, s));
}

void
dns_server_close(struct dns_server *s)
{
	watch_clear(&s->udp_watch);
	watch_clear(&s->tcp_watch);
	for (unsigned i = 0; i < DNS_CONNS; i++)
		if (s->conn[i].fd >= 0) {
			watch_clear(&s->conn[i].watch);
			close(s->conn[i].fd);
		}
	close(s->udp);
	close(s->tcp);
}

void
dns_server_leave(struct dns_server *s)
{
	watch_clear(&s->udp_watch);
	close(s->udp);
	s->udp = -1;
}

void
dns_server_return(struct dns_server *s)
{
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons(s->at.port)};

	s->udp = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	assert_int_equal(bind(s->udp, (struct sockaddr *)&in, sizeof in), 0);
	assert_true(watch_init_level(&s->udp_watch, s->loop, s->udp, WATCH_READ, on_udp, s));
}

void
dns_server_release(struct dns_server *s)
{
	s->released = true;
	for (unsigned i = 0; i < s->n_held; i++)
		sendto(s->udp, s->held[i].packet, s->held[i].n, 0, (struct sockaddr *)&s->held[i].from, sizeof s->held[i].from);
	s->n_held = 0;
}

unsigned
dns_server_asked(const struct dns_server *s, const char *what)
{
	unsigned n = 0;

	for (unsigned i = 0; i < s->n_log; i++)
		n += strcasecmp(s->log[i], what) == 0;
	return n;
}
