/* SPDX-License-Identifier: MIT */
/*
 * What RFC 9113 4 to 8 demands of a server, and what a server must bear, frame by frame. A row is a script of frames and what must be among the answers.
 * Frame: TYPE FLAGS STREAM [payload]; payload: 00ff hex, *N zero octets, or name=value|name=value as a header block ("%" stands for the four pseudo-fields of a GET, "&" for those
 * of a POST). N x FRAME repeats it, its stream growing by two where that is "+". Answers: S200@1 a status, D11@1 octets of data, E@1 the end of a stream, R1@1 a reset with its
 * code, G1 a GOAWAY, A a PING's answer, X the end of the connection.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <ctype.h>
#include <errno.h>
#include <nghttp2/nghttp2.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "h2_owner.h"

struct row {
	const char *sentence;
	const char *script; /* frames, one a line */
	const char *expect; /* all of these, apart by blanks, somewhere in the answers */
	const char *never;  /* none of these; null: nothing to fear */
	int         requests; /* how many the owner saw; -1: any */
};

static const struct row rows[] = {
	/* what must work */
	{"a request is answered", "HEADERS 5 1 %", "S200@1 D11@1 E@1", "G", 1},
	{"a head in three frames is one head", "HEADERS 1 1 %\nCONTINUATION 0 1 a=b\nCONTINUATION 4 1 c=d", "S200@1", "G R", 1},
	{"padding and priority are borne", "HEADERS 2d 1 03 0000000010 % 000000", "S200@1", "G R", 1},
	{"a ping is answered", "PING 0 0 0102030405060708", "A", "G", 0},
	{"an unknown frame is passed over", "#f0 ff 0 0102\nHEADERS 5 1 %", "S200@1", "G R", 1},
	{"an unknown frame on a stream is passed over", "#f0 ff 7 0102\nHEADERS 5 1 %", "S200@1", "G R", 1},
	{"an unknown setting is passed over", "SETTINGS 0 0 00ff00000001\nHEADERS 5 1 %", "S200@1", "G R", 1},
	{"unknown flags are passed over", "PING 82 0 0102030405060708", "A", "G", 0},
	{"the reserved bit is passed over", "PING 0 80000000 0102030405060708", "A", "G", 0},
	{"a body is taken", "HEADERS 4 1 &\nDATA 1 1 616263", "S200@1", "G R", 1},
	{"padded data is taken", "HEADERS 4 1 &|content-length=3\nDATA 9 1 0261626300 00", "S200@1", "G R", 1},
	{"trailers are taken", "HEADERS 4 1 &\nDATA 0 1 616263\nHEADERS 5 1 x-sum=1", "S200@1 E@1", "G R", 1},
	{"te may say trailers", "HEADERS 5 1 %|te=trailers", "S200@1", "G R", 1},
	{"a host that equals the authority is borne", "HEADERS 5 1 %|host=a.test", "S200@1", "G R", 1},
	{"OPTIONS of all", "HEADERS 5 1 :method=OPTIONS|:scheme=https|:authority=a.test|:path=*", "S200@1", "G R", 1},
	{"a stream may be reset by its client", "HEADERS 4 1 &\nRST_STREAM 0 1 00000008\nPING 0 0 0102030405060708", "A", "G", -1},
	{"a window update of a closed stream is passed over", "HEADERS 5 1 %\nRST_STREAM 0 1 00000008\nWINDOW_UPDATE 0 1 00000001\nPING 0 0 0102030405060708", "A", "G", -1},
	{"priority of an idle stream is passed over", "PRIORITY 0 9 0000000010\nHEADERS 5 1 %", "S200@1", "G R", 1},
	{"a window that is set to nothing holds data back", "SETTINGS 0 0 000400000000\nHEADERS 5 1 %\nPING 0 0 0102030405060708", "A S200@1", "D G R", 1},
	{"one octet at a time", "SETTINGS 0 0 000400000001\nHEADERS 5 1 %\n10 x WINDOW_UPDATE 0 1 00000001", "S200@1 E@1", "G R", 1},
	{"HEAD has a head only", "HEADERS 5 1 :method=HEAD|:scheme=https|:authority=a.test|:path=/", "S200@1 E@1", "D G R", 1},
	{"a head that is too large is a session's to answer", "HEADERS 1 1 %|a=*9000\nCONTINUATION 4 1 b=*9000", "S431@1", "G", -1},
	/* frames (4, 6) */
	{"a frame that is too large ends the connection", "DATA 0 1 *16385", "G6 X", NULL, 0},
	{"SETTINGS of a wrong length", "SETTINGS 0 0 000100", "G6 X", NULL, 0},
	{"SETTINGS of a stream", "SETTINGS 0 1", "G1 X", NULL, 0},
	{"an acknowledgement with a payload", "SETTINGS 1 0 000100000001", "G6 X", NULL, 0},
	{"ENABLE_PUSH is one or nothing", "SETTINGS 0 0 000200000002", "G1 X", NULL, 0},
	{"an initial window beyond all bounds", "SETTINGS 0 0 000480000000", "G3 X", NULL, 0},
	{"a frame size below all bounds", "SETTINGS 0 0 000500000100", "G1 X", NULL, 0},
	{"a frame size beyond all bounds", "SETTINGS 0 0 000501000000", "G1 X", NULL, 0},
	{"PING of a wrong length", "PING 0 0 010203", "G6 X", NULL, 0},
	{"PING of a stream", "PING 0 1 0102030405060708", "G1 X", NULL, 0},
	{"GOAWAY of a stream", "GOAWAY 0 1 0000000000000000", "G1 X", NULL, 0},
	{"RST_STREAM of no stream", "RST_STREAM 0 0 00000001", "G1 X", NULL, 0},
	{"RST_STREAM of an idle stream", "RST_STREAM 0 1 00000001", "G1 X", NULL, 0},
	{"RST_STREAM of a wrong length", "HEADERS 4 1 &\nRST_STREAM 0 1 0001", "G6 X", NULL, -1},
	{"PRIORITY of no stream", "PRIORITY 0 0 0000000010", "G1 X", NULL, 0},
	{"WINDOW_UPDATE of nothing", "WINDOW_UPDATE 0 0 00000000", "G1 X", NULL, 0},
	{"WINDOW_UPDATE of nothing for a stream", "HEADERS 4 1 &\nWINDOW_UPDATE 0 1 00000000", "G1 X", NULL, -1},
	{"WINDOW_UPDATE of a wrong length", "WINDOW_UPDATE 0 0 000001", "G6 X", NULL, 0},
	{"a window beyond all bounds", "WINDOW_UPDATE 0 0 7fffffff", "G3 X", NULL, 0},
	{"a stream's window beyond all bounds", "HEADERS 4 1 &\nWINDOW_UPDATE 0 1 7fffffff", "R3@1", NULL, -1},
	{"WINDOW_UPDATE of an idle stream", "WINDOW_UPDATE 0 1 00000001", "G1 X", NULL, 0},
	{"DATA of no stream", "DATA 0 0 00", "G1 X", NULL, 0},
	{"DATA of an idle stream", "DATA 0 1 00", "G1 X", NULL, 0},
	{"padding longer than its frame", "HEADERS 4 1 &\nDATA 8 1 0500", "G1 X", NULL, -1},
	{"HEADERS of no stream", "HEADERS 5 0 %", "G1 X", NULL, 0},
	{"PUSH_PROMISE from a client", "PUSH_PROMISE 4 1 00000002", "G1 X", NULL, 0},
	{"a header block that is no HPACK", "HEADERS 5 1 ffffffffffff", "G9 X", NULL, 0},
	{"a table size beyond what was allowed", "HEADERS 5 1 3fe1ff3f", "G9 X", NULL, 0},
	/* header blocks in a row (4.3, 6.10) */
	{"nothing may come between", "HEADERS 1 1 %\nPING 0 0 0102030405060708", "G1 X", NULL, 0},
	{"not even of another stream", "HEADERS 1 1 %\nCONTINUATION 4 3 a=b", "G1 X", NULL, 0},
	{"CONTINUATION of nothing", "CONTINUATION 4 1 a=b", "G1 X", NULL, 0},
	{"CONTINUATION behind the end", "HEADERS 5 1 %\nCONTINUATION 4 1 a=b", "G1 X", NULL, -1},
	/* streams (5.1) */
	{"an even stream", "HEADERS 5 2 %", "G1 X", NULL, 0},
	{"a stream that goes back is not served", "HEADERS 5 5 %\nHEADERS 5 3 %\nPING 0 0 0102030405060708", "S200@5 A", "S200@3", 1},
	{"a stream of its own parent", "HEADERS 25 1 0000000110 %", "G1 X", NULL, 0},
	{"DATA behind the end", "HEADERS 5 1 %\nDATA 1 1 61", "G5 X", NULL, -1},
	{"more streams than there may be", "12 x HEADERS 4 + &\nPING 0 0 0102030405060708", "R7@ A", "G", -1},
	/* heads (8.1 - 8.3) */
	{"no method", "HEADERS 5 1 :scheme=https|:authority=a.test|:path=/", "R1@1", "G", 0},
	{"no scheme", "HEADERS 5 1 :method=GET|:authority=a.test|:path=/", "R1@1", "G", 0},
	{"no path", "HEADERS 5 1 :method=GET|:scheme=https|:authority=a.test", "R1@1", "G", 0},
	{"no authority", "HEADERS 5 1 :method=GET|:scheme=https|:path=/", "R1@1", "G", 0},
	{"an empty path", "HEADERS 5 1 :method=GET|:scheme=https|:authority=a.test|:path=", "R1@1", "G", 0},
	{"a path without its slash", "HEADERS 5 1 :method=GET|:scheme=https|:authority=a.test|:path=x", "R1@1", "G", 0},
	{"a path with a blank", "HEADERS 5 1 :method=GET|:scheme=https|:authority=a.test|:path=/a b", "R1@1", "G", 0},
	{"a whole URL as the path", "HEADERS 5 1 :method=GET|:scheme=https|:authority=a.test|:path=https://b.test/", "R1@1", "G", 0},
	{"an asterisk of GET", "HEADERS 5 1 :method=GET|:scheme=https|:authority=a.test|:path=*", "R1@1", "G", 0},
	{"two paths", "HEADERS 5 1 %|:path=/", "R1@1", "G", 0},
	{"two authorities", "HEADERS 5 1 :method=GET|:scheme=https|:authority=a.test|:authority=a.test|:path=/", "R1@1", "G", 0},
	{"another scheme", "HEADERS 5 1 :method=GET|:scheme=http|:authority=a.test|:path=/", "R1@1", "G", 0},
	{"a method with a blank", "HEADERS 5 1 :method=GET /x HTTP/1.1|:scheme=https|:authority=a.test|:path=/", "R1@1", "G", 0},
	{"CONNECT", "HEADERS 5 1 :method=CONNECT|:authority=a.test:443", "R1@1", "G", 0},
	{"CONNECT with a protocol, which nobody offered", "HEADERS 5 1 :method=CONNECT|:protocol=websocket|:scheme=https|:authority=a.test|:path=/", "R1@1", "G", 0},
	{"an unknown pseudo-field", "HEADERS 5 1 %|:new=x", "R1@1", "G", 0},
	{"a response's pseudo-field", "HEADERS 5 1 %|:status=200", "R1@1", "G", 0},
	{"a pseudo-field behind others", "HEADERS 5 1 :method=GET|:scheme=https|:path=/|a=b|:authority=a.test", "R1@1", "G", 0},
	{"a pseudo-field in a trailer", "HEADERS 4 1 &\nHEADERS 5 1 :path=/", "R1@1", "G", -1},
	{"a trailer that does not end", "HEADERS 4 1 &\nHEADERS 4 1 a=b", "R1@1", "G", -1},
	{"upper case", "HEADERS 5 1 %|X-a=b", "R1@1", "G", 0},
	{"no name", "HEADERS 5 1 %|=b", "R1@1", "G", 0},
	{"a name with a blank", "HEADERS 5 1 %|a b=c", "R1@1", "G", 0},
	{"a name with a colon", "HEADERS 5 1 %|a:b=c", "R1@1", "G", 0},
	{"a line break in a value", "HEADERS 5 1 %|a=b\rc: d", "R1@1", "G", 0},
	{"a blank before a value", "HEADERS 5 1 %|a= b", "R1@1", "G", 0},
	{"a blank behind a value", "HEADERS 5 1 %|a=b ", "R1@1", "G", 0},
	{"connection", "HEADERS 5 1 %|connection=close", "R1@1", "G", 0},
	{"keep-alive", "HEADERS 5 1 %|keep-alive=x", "R1@1", "G", 0},
	{"proxy-connection", "HEADERS 5 1 %|proxy-connection=x", "R1@1", "G", 0},
	{"transfer-encoding", "HEADERS 4 1 &|transfer-encoding=chunked", "R1@1", "G", 0},
	{"upgrade", "HEADERS 5 1 %|upgrade=x", "R1@1", "G", 0},
	{"te of another kind", "HEADERS 5 1 %|te=gzip", "R1@1", "G", 0},
	{"te of two kinds", "HEADERS 5 1 %|te=trailers, gzip", "R1@1", "G", 0},
	{"another host", "HEADERS 5 1 %|host=b.test", "R1@1", "G", 0},
	/* lengths (8.1.1) */
	{"a length that no body follows", "HEADERS 5 1 &|content-length=1", "R1@1", "G", 0},
	{"more than its length", "HEADERS 4 1 &|content-length=1\nDATA 1 1 6162", "R1@1", "G", -1},
	{"less than its length", "HEADERS 4 1 &|content-length=3\nDATA 1 1 6162", "R1@1", "G", -1},
	{"less than its length in two frames", "HEADERS 4 1 &|content-length=3\nDATA 0 1 61\nDATA 1 1 61", "R1@1", "G", -1},
	{"two lengths", "HEADERS 4 1 &|content-length=1|content-length=1", "R1@1", "G", 0},
	{"a length that is none", "HEADERS 4 1 &|content-length=+1", "R1@1", "G", 0},
	{"a list of lengths", "HEADERS 4 1 &|content-length=1, 1", "R1@1", "G", 0},
	/* what only makes work */
	{"streams that are reset as soon as they are opened", "400 x OPEN_RESET 5 + %", "G11 X", NULL, -1},
	{"streams that provoke resets", "400 x HEADERS 5 + :method=GET", "G11 X", NULL, 0},
	{"a head without an end", "HEADERS 1 1 %\n1000 x CONTINUATION 0 1 a=*100", "G X", NULL, 0},
	{"pings without an end", "2000 x PING 0 0 0102030405060708", "G11 X", NULL, 0},
	{"settings without an end", "300 x SETTINGS 0 0 000400010000", "G11 X", NULL, 0},
	{"long settings", "SETTINGS 0 0 *600", "X", NULL, 0},
	{"priorities without an end", "4000 x PRIORITY 0 1 0000000310", "G11 X", NULL, 0},
	{"crumbs of a window without an end", "20000 x WINDOW_UPDATE 0 0 00000001", "G11 X", NULL, 0},
	{"data without data", "HEADERS 4 1 &\n1000 x DATA 0 1", "G11 X", NULL, -1},
	{"data of nothing but padding", "HEADERS 4 1 &\n20000 x DATA 8 1 0200 00", "G11 X", NULL, -1},
	{"unknown frames cost their octets only", "4000 x #f0 0 0\nPING 0 0 0102030405060708", "A", "G", 0},
};

static const char *const kinds[] = {
	"DATA", "HEADERS", "PRIORITY", "RST_STREAM", "SETTINGS", "PUSH_PROMISE", "PING", "GOAWAY", "WINDOW_UPDATE", "CONTINUATION",
};

/* -------- from script to octets -------- */

struct buf {
	unsigned char *p;
	size_t         n, room;
};

static void
put(struct buf *b, const void *p, size_t n)
{
	if (b->n + n > b->room) {
		b->room = (b->n + n) * 2;
		b->p = realloc(b->p, b->room);
		assert_non_null(b->p);
	}
	if (n)
		memcpy(b->p + b->n, p, n);
	b->n += n;
}

static void
put_number(struct buf *b, uint64_t v, int octets)
{
	for (int i = octets - 1; i >= 0; i--) {
		unsigned char c = (unsigned char)(v >> (8 * i));
		put(b, &c, 1);
	}
}

/* A string of HPACK, not compressed. */
static void
put_string(struct buf *b, const char *p, size_t n)
{
	char *zeros = NULL;

	if (n > 1 && *p == '*') {
		n = strtoul(p + 1, NULL, 10);
		p = zeros = malloc(n);
		memset(zeros, 'v', n);
	}
	if (n < 127) {
		put_number(b, n, 1);
	} else {
		size_t rest = n - 127;
		put_number(b, 127, 1);
		for (; rest >= 128; rest /= 128)
			put_number(b, rest % 128 + 128, 1);
		put_number(b, rest, 1);
	}
	put(b, p, n);
	free(zeros);
}

static void
put_fields(struct buf *b, const char *p, size_t n)
{
	static const char get[] = ":method=GET|:scheme=https|:authority=a.test|:path=/", post[] = ":method=POST|:scheme=https|:authority=a.test|:path=/echo";

	while (n > 0) {
		const char *bar = memchr(p, '|', n), *eq;
		size_t      k = bar ? (size_t)(bar - p) : n;
		if (*p == '%') {
			put_fields(b, get, sizeof get - 1);
		} else if (*p == '&') {
			put_fields(b, post, sizeof post - 1);
		} else {
			eq = memchr(p + 1, '=', k - 1);
			if (!eq)
				eq = p;
			put_number(b, 0x10, 1);
			put_string(b, p, (size_t)(eq - p));
			put_string(b, eq + 1, (size_t)(p + k - eq - 1));
		}
		n -= bar ? k + 1 : k;
		p += bar ? k + 1 : k;
	}
}

/* Words of hex digits, and one of fields. */
static void
put_payload(struct buf *b, const char *p, size_t n)
{
	if (n > 0 && *p == '*') {
		size_t k = strtoul(p + 1, NULL, 10);
		while (k--)
			put_number(b, 0, 1);
		return;
	}
	if (!memchr(p, '%', n) && (memchr(p, '=', n) || memchr(p, '&', n))) {
		put_fields(b, p, n);
		return;
	}
	for (size_t i = 0; i < n;) {
		char two[3] = {p[i], i + 1 < n ? p[i + 1] : '\0', '\0'};
		if (p[i] == ' ') {
			i++;
		} else if (p[i] == '%') {
			size_t k = p[i + 1] == '|' ? n - i : 1;
			put_fields(b, p + i, k);
			i += k;
		} else {
			put_number(b, strtoul(two, NULL, 16), 1);
			i += 2;
		}
	}
}

static void
put_frame(struct buf *b, unsigned kind, unsigned flags, uint32_t stream, const char *payload, size_t n)
{
	struct buf body = {0};

	put_payload(&body, payload, n);
	put_number(b, body.n, 3);
	put_number(b, kind, 1);
	put_number(b, flags, 1);
	put_number(b, stream, 4);
	put(b, body.p, body.n);
	free(body.p);
}

static void
put_line(struct buf *b, const char *line, size_t n, uint32_t *next)
{
	char     kind[32], stream[32];
	unsigned flags, times = 1, type = 0;
	int      at = 0;
	bool     open_reset;

	if (isdigit((unsigned char)*line)) {
		assert_int_equal(sscanf(line, "%u x %n", &times, &at), 1);
		line += at;
		n -= (size_t)at;
	}
	assert_int_equal(sscanf(line, "%31s %x %31[0-9a-f+]%n", kind, &flags, stream, &at), 3);
	while ((size_t)at < n && line[at] == ' ')
		at++;
	open_reset = strcmp(kind, "OPEN_RESET") == 0;
	if (*kind == '#')
		type = (unsigned)strtoul(kind + 1, NULL, 16);
	else
		while (type < 9 && strcmp(kinds[type], kind) != 0)
			type++;
	if (open_reset)
		type = 1;
	while (times--) {
		uint32_t id = (uint32_t)strtoul(stream, NULL, 16);
		if (*stream == '+') {
			id = *next;
			*next += 2;
		}
		put_frame(b, type, flags, id, line + at, (size_t)at < n ? n - (size_t)at : 0);
		if (open_reset)
			put_frame(b, 3, 0, id, "00000008", 8);
	}
}

/* -------- what the front answers -------- */

struct client {
	int                   fd;
	struct watch          watch;
	struct buf            in;
	char                  said[70000];
	size_t                n_said;
	nghttp2_hd_inflater  *hd;
	struct buf            to_send;
	size_t                sent;
	bool                  over;
};

static void
say(struct client *c, const char *what, unsigned a, uint32_t id, bool with_id)
{
	if (c->n_said + 64 > sizeof c->said)
		return;
	c->n_said += (size_t)snprintf(c->said + c->n_said, sizeof c->said - c->n_said, " %s", what);
	if (a != UINT32_MAX)
		c->n_said += (size_t)snprintf(c->said + c->n_said, sizeof c->said - c->n_said, "%u", a);
	if (with_id)
		c->n_said += (size_t)snprintf(c->said + c->n_said, sizeof c->said - c->n_said, "@%u", id);
}

static void
read_fields(struct client *c, uint32_t id, unsigned char *p, size_t n)
{
	for (;;) {
		nghttp2_nv nv;
		int        flags = 0;
		ssize_t    k = nghttp2_hd_inflate_hd2(c->hd, &nv, &flags, p, n, 1);
		assert_true(k >= 0);
		p += k;
		n -= (size_t)k;
		if (flags & NGHTTP2_HD_INFLATE_EMIT && nv.namelen == 7 && memcmp(nv.name, ":status", 7) == 0)
			say(c, "S", (unsigned)strtoul((char *)nv.value, NULL, 10), id, true);
		if (flags & NGHTTP2_HD_INFLATE_FINAL)
			break;
	}
	nghttp2_hd_inflate_end_headers(c->hd);
}

static void
read_frames(struct client *c)
{
	size_t at = 0;

	while (c->in.n - at >= 9) {
		unsigned char *p = c->in.p + at;
		size_t         n = (size_t)p[0] << 16 | (size_t)p[1] << 8 | p[2];
		uint32_t       id = (uint32_t)p[5] << 24 | (uint32_t)p[6] << 16 | (uint32_t)p[7] << 8 | p[8];
		if (c->in.n - at < 9 + n)
			break;
		switch (p[3]) {
		case 0:
			if (n)
				say(c, "D", (unsigned)n, id, true);
			break;
		case 1:
			read_fields(c, id, p + 9, n);
			break;
		case 3:
			say(c, "R", p[12], id, true);
			break;
		case 6:
			assert_int_equal(p[4], 1);
			say(c, "A", UINT32_MAX, 0, false);
			break;
		case 7:
			say(c, "G", p[16], 0, false);
			break;
		default:
			break;
		}
		if (p[3] < 2 && p[4] & 1)
			say(c, "E", UINT32_MAX, id, true);
		at += 9 + n;
	}
	memmove(c->in.p, c->in.p + at, c->in.n - at);
	c->in.n -= at;
}

static void
on_client(void *arg, unsigned what)
{
	struct client *c = arg;
	unsigned char  buf[16384];
	ssize_t        n;

	(void)what;
	while (c->sent < c->to_send.n) {
		n = send(c->fd, c->to_send.p + c->sent, c->to_send.n - c->sent, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n <= 0)
			break;
		c->sent += (size_t)n;
	}
	for (;;) {
		n = recv(c->fd, buf, sizeof buf, MSG_DONTWAIT);
		if (n < 0 && errno == EAGAIN)
			break;
		if (n <= 0) {
			if (!c->over)
				say(c, "X", UINT32_MAX, 0, false);
			c->over = true;
			break;
		}
		put(&c->in, buf, (size_t)n);
		read_frames(c);
	}
}

static bool
has_word(const char *said, const char *word, size_t n)
{
	char text[64] = " ";

	memcpy(text + 1, word, n);
	text[n + 1] = '\0';
	return strstr(said, text) != NULL;
}

static bool
has_all(const char *said, const char *words)
{
	while (*words) {
		size_t n = strcspn(words, " ");
		if (!has_word(said, words, n))
			return false;
		words += n + (words[n] == ' ');
	}
	return true;
}

static bool
has_any(const char *said, const char *words)
{
	while (words && *words) {
		size_t n = strcspn(words, " ");
		if (has_word(said, words, n))
			return true;
		words += n + (words[n] == ' ');
	}
	return false;
}

static void
on_late(void *arg)
{
	*(bool *)arg = true;
}

/* `step`: octets that the front's side moves at once. */
static bool
play(const struct row *row, size_t step)
{
	bool            good;
	struct loop    *loop = loop_new();
	struct h2_owner o = {.step = step};
	struct client   c = {0};
	struct timer    guard;
	bool            late = false;
	uint32_t        next = 1;
	int             pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
	assert_int_equal(nghttp2_hd_inflate_new(&c.hd), 0);
	assert_true(h2_owner_start(&o, loop, pair[0], 10, 16000));
	put(&c.to_send, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 24);
	put_frame(&c.to_send, 4, 0, 0, "", 0);
	for (const char *line = row->script; *line;) {
		size_t n = strcspn(line, "\n");
		put_line(&c.to_send, line, n, &next);
		line += n + (line[n] == '\n');
	}
	c.fd = pair[1];
	assert_true(watch_init(&c.watch, loop, c.fd, WATCH_READ | WATCH_WRITE | WATCH_CLOSED, on_client, &c));
	timer_init(&guard, on_late, &late);
	timer_set(loop, &guard, 10000);
	while (!late && !has_all(c.said, row->expect))
		loop_turn(loop);
	good = !late && !has_any(c.said, row->never) && (row->requests < 0 || o.n_requests == (unsigned)row->requests);
	if (!good)
		print_error("%s (step %zu): %u requests,%.400s\n", row->sentence, step, o.n_requests, c.said);
	timer_clear(&guard);
	h2_owner_stop(&o);
	watch_clear(&c.watch);
	close(c.fd);
	nghttp2_hd_inflate_del(c.hd);
	free(c.in.p);
	free(c.to_send.p);
	loop_free(loop);
	return good;
}

static void
test_every_rule_holds(void **state)
{
	unsigned bad = 0;

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		bad += !play(&rows[i], 0);
		bad += !play(&rows[i], 3);
	}
	assert_int_equal(bad, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_rule_holds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
