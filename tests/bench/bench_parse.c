/* SPDX-License-Identifier: MIT */
/*
 * bench_parse: CPU of the parsers, one core: what typical input costs, how the cost grows, and the worst shapes for each KiB.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "parse/authority.h"
#include "parse/body.h"
#include "parse/cidr.h"
#include "parse/head.h"
#include "parse/hello.h"
#include "parse/hostname.h"

#define RUNS 7

static double
cpu_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* One parse of `in`; the answer only keeps the compiler from dropping it. */
typedef int work_fn(struct span in);

static int
request(struct span in)
{
	struct head h;
	size_t      used = 0;
	enum fault  fault;
	return head_parse_request(in, 0, &h, &used, &fault) == PARSE_OK ? (int)used : -1;
}

static int
request_walked(struct span in)
{
	struct head  h;
	struct field f;
	size_t       used = 0, at = 0;
	enum fault   fault;
	int          n = 0;

	if (head_parse_request(in, 0, &h, &used, &fault) != PARSE_OK)
		return -1;
	while (head_field_next(&h, &at, &f))
		n += !head_field_is_hop(&h, &f);
	return n;
}

static int
response(struct span in)
{
	struct head h;
	size_t      used = 0;
	enum fault  fault;
	return head_parse_response(in, 0, &h, &used, &fault) == PARSE_OK ? (int)used : -1;
}

static int
request_by_bytes(struct span in)
{
	struct head       h;
	size_t            used = 0;
	enum fault        fault;
	enum parse_result r = PARSE_MORE;

	for (size_t n = 1; n <= in.n && r == PARSE_MORE; n++)
		r = head_parse_request(span_of(in.p, n), n - 1, &h, &used, &fault);
	return r == PARSE_OK;
}

static int
chunked(struct span in)
{
	struct body       b;
	enum parse_result r = PARSE_MORE;
	size_t            used = 0;

	body_init(&b, BODY_CHUNKED, 0);
	for (size_t at = 0; at < in.n && r == PARSE_MORE; at += used) {
		struct span data;
		r = body_take(&b, span_of(in.p + at, in.n - at), &used, &data);
	}
	return (int)b.total;
}

static int
host(struct span in)
{
	struct host h;
	return host_parse(in, &h);
}

static int
connect_target(struct span in)
{
	struct authority a;
	return authority_parse_connect(in, &a);
}

static int
absolute(struct span in)
{
	struct url u;
	return url_parse(in, &u);
}

static int
hello(struct span in)
{
	struct hello   h;
	enum hello_why why;
	return hello_parse(in, &h, &why) == PARSE_OK;
}

static int
prefix(struct span in)
{
	struct cidr c;
	return cidr_parse(in, &c) == CIDR_FINE;
}

/* Least time of one call over several runs of at least a few milliseconds each. */
static double
cost(work_fn *work, struct span in, int *answer)
{
	double least = 1e18;
	long   times = 1;

	for (int run = 0; run < RUNS; run++) {
		double began = cpu_ns(), took;
		for (long i = 0; i < times; i++) {
			*answer = work(in);
			__asm__ volatile("" ::: "memory");
		}
		took = cpu_ns() - began;
		if (took < 3e6 && times < 10000000) {
			times *= 4;
			run = -1;
			continue;
		}
		if (took / (double)times < least)
			least = took / (double)times;
	}
	return least;
}

static double
report(const char *what, work_fn *work, struct span in)
{
	int    answer = 0;
	double ns = cost(work, in, &answer);

	printf("%-44s %8zu bytes %12.0f ns %10.2f ns/KiB  (answer %d)\n", what, in.n, ns, ns * 1024 / (double)in.n, answer);
	return ns;
}

/* `begin`, n times `line`, `end`. */
static struct span
repeated(const char *begin, const char *line, size_t n, const char *end)
{
	size_t first = strlen(begin), each = strlen(line), last = strlen(end);
	char  *p = malloc(first + each * n + last), *to = p;

	if (!p)
		abort();
	memcpy(to, begin, first);
	to += first;
	for (size_t i = 0; i < n; i++, to += each)
		memcpy(to, line, each);
	memcpy(to, end, last);
	return span_of(p, first + each * n + last);
}

static const char connect_head[] =
	"CONNECT v10.events.data.microsoft.com:443 HTTP/1.1\r\n"
	"Host: v10.events.data.microsoft.com:443\r\n"
	"User-Agent: Mozilla/5.0 (Windows NT 10.0; Win64; x64)\r\n"
	"Proxy-Connection: Keep-Alive\r\n"
	"Pragma: no-cache\r\n\r\n";
static const char get_head[] =
	"GET http://www.example.com/images/branding/logo/1x/logo_color_272x92dp.png?v=1234567890 HTTP/1.1\r\n"
	"Host: www.example.com\r\n"
	"Proxy-Connection: keep-alive\r\n"
	"User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36\r\n"
	"Accept: image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8\r\n"
	"Referer: http://www.example.com/index.html\r\n"
	"Accept-Encoding: gzip, deflate\r\n"
	"Accept-Language: en-US,en;q=0.9,de;q=0.8\r\n"
	"Cookie: session=0123456789abcdef0123456789abcdef; theme=dark\r\n\r\n";
static const char ok_head[] =
	"HTTP/1.1 200 OK\r\nDate: Mon, 01 Jan 2024 00:00:00 GMT\r\nServer: nginx\r\nContent-Type: application/octet-stream\r\n"
	"Content-Length: 1024\r\nConnection: keep-alive\r\nETag: \"65920080-400\"\r\nAccept-Ranges: bytes\r\n\r\n";

static void
typical(void)
{
	char   hi[2048];
	size_t n = 0;

	report("CONNECT head", request, SPAN(connect_head));
	report("browser's GET head", request, SPAN(get_head));
	report("browser's GET head, fields walked", request_walked, SPAN(get_head));
	report("response head", response, SPAN(ok_head));
	report("host name, canonical", host, SPAN("v10.events.data.microsoft.com"));
	report("host name, upper case", host, SPAN("V10.EVENTS.DATA.MICROSOFT.COM."));
	report("host name, IDNA", host, SPAN("b\xc3\xbc" "cher.example"));
	report("host:port", connect_target, SPAN("v10.events.data.microsoft.com:443"));
	report("absolute URL", absolute, SPAN("http://www.example.com/images/branding/logo/1x/logo_color_272x92dp.png?v=1234567890"));
	report("IPv4 prefix", prefix, SPAN("192.168.128.0/17"));
	report("IPv6 prefix", prefix, SPAN("2001:db8:1234::/48"));

	/* a hello of 517 bytes: name, a big key share */
	memcpy(hi, "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11);
	memset(hi + 11, 7, 32);
	memcpy(hi + 43, "\0\0\2\x13\1\1\0\1\xd3", 9);
	memcpy(hi + 52, "\0\0\0\x22\0\x20\0\0\x1d" "v10.events.data.microsoft.com", 38);
	memcpy(hi + 90, "\0\x2b\0\3\2\3\4\0\x33\1\xa6", 11);
	n = 101 + 0x1a6;
	memset(hi + 101, 9, n - 101);
	/* what is left of 517 - 5 */
	hi[3] = (char)((n - 5) >> 8), hi[4] = (char)(n - 5);
	hi[7] = (char)((n - 9) >> 8), hi[8] = (char)(n - 9);
	hi[50] = (char)((n - 52) >> 8), hi[51] = (char)(n - 52);
	report("ClientHello", hello, span_of(hi, n));
}

static void
growth(void)
{
	static const char begin[] = "GET / HTTP/1.1\r\nHost: a.example\r\n";
	struct span       few = repeated(begin, "X-Some-Field: with some value 0123456789\r\n", 1000, "\r\n");
	struct span       many = repeated(begin, "X-Some-Field: with some value 0123456789\r\n", 10000, "\r\n");
	double            one = report("1,000 fields", request, few), ten = report("10,000 fields", request, many);

	printf("%-44s %.2f times\n", "10,000 fields against 1,000", ten / one);
	one = report("1,000 fields in single bytes", request_by_bytes, few);
	ten = report("10,000 fields in single bytes", request_by_bytes, many);
	printf("%-44s %.2f times\n", "10,000 fields against 1,000", ten / one);
	free((void *)(uintptr_t)few.p);
	free((void *)(uintptr_t)many.p);
}

static void
hostile(void)
{
	static const struct {
		const char *what;
		work_fn    *work;
		const char *begin, *line;
		size_t      n;
		const char *end;
	} rows[] = {
		{"tiny fields", request, "GET / HTTP/1.1\r\nHost: a\r\n", "a:\r\n", 16000, "\r\n"},
		{"colons", request, "GET / HTTP/1.1\r\nHost: a\r\na", ":", 64000, "\r\n\r\n"},
		{"one long name", request, "GET / HTTP/1.1\r\nHost: a\r\n", "aaaaaaaa", 8000, ": a\r\n\r\n"},
		{"tabs", request, "GET / HTTP/1.1\r\nHost: a\r\na:b", "\t", 64000, "\r\n\r\n"},
		{"tabs and letters", request, "GET / HTTP/1.1\r\nHost: a\r\na:b", "\tb", 32000, "\r\n\r\n"},
		{"empty Connection elements", request, "GET / HTTP/1.1\r\nHost: a\r\nConnection:", ",", 64000, "\r\n\r\n"},
		{"too many Connection elements", request, "GET / HTTP/1.1\r\nHost: a\r\nConnection:", "a,", 32000, "\r\n\r\n"},
		{"sixteen Connection elements, walked", request_walked, "GET / HTTP/1.1\r\nHost: a\r\nConnection: aaaaaaa0,aaaaaaa1,aaaaaaa2,aaaaaaa3,aaaaaaa4,aaaaaaa5,"
		 "aaaaaaa6,aaaaaaa7,aaaaaaa8,aaaaaaa9,aaaaaaaa,aaaaaaab,aaaaaaac,aaaaaaad,aaaaaaae,aaaaaaaf\r\n", "aaaaaaag:\r\n", 6000, "\r\n"},
		{"TE elements with open quotes", request, "GET / HTTP/1.1\r\nHost: a\r\nTE:", "\"\\", 32000, "\r\n\r\n"},
		{"transfer codings", request, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:", "a,", 32000, "chunked\r\n\r\n"},
		{"Expect elements", request, "POST / HTTP/1.1\r\nHost: a\r\nExpect:", "a,", 32000, "\r\n\r\n"},
		{"near misses of a known name", request, "GET / HTTP/1.1\r\nHost: a\r\n", "proxy-authentication-infx:\r\n", 2000, "\r\n"},
		{"zeros of a Content-Length", request, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ", "0", 64000, "\r\n\r\n"},
		{"chunks of one byte", chunked, "", "1\r\na\r\n", 10000, "0\r\n\r\n"},
		{"chunk extensions", chunked, "", "1;a;b;c;d;e;f;g=\"\\\"\\\"\\\"\\\"\\\"\"\r\na\r\n", 1600, "0\r\n\r\n"},
		{"trailers", chunked, "0\r\n", "if:\r\n", 3200, "\r\n"},
		{"near misses of a barred trailer", chunked, "0\r\n", "transfer-encodinf:\r\n", 800, "\r\n"},
		{"UTF-8 host, 1,024 bytes", host, "", "\xc3\xbc", 512, ""},
		{"UTF-8 host of many labels", host, "", "\xc3\xbc.", 340, ""},
		{"combining marks", host, "a", "\xcc\xa3\xcc\x88", 255, ""},
		{"Hangul to compose", host, "", "\xe1\x84\x80\xe1\x85\xa1\xe1\x86\xa8", 113, ""},
		{"characters that map to many", host, "", "\xef\xb7\xba", 341, ""},
		{"A-labels", host, "", "xn--tda.", 31, ""},
		{"one long A-label", host, "xn--", "a", 59, ""},
		{"one A-label of repeats", host, "xn--zca", "a", 56, ""},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct span in = repeated(rows[i].begin, rows[i].line, rows[i].n, rows[i].end);
		report(rows[i].what, rows[i].work, in);
		free((void *)(uintptr_t)in.p);
	}
}

int
main(void)
{
	typical();
	growth();
	hostile();
	return 0;
}
