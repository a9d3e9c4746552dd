/* SPDX-License-Identifier: MIT */
/*
 * bench_log: what an access-log line costs, in CPU of the process that pays for it.
 *     worker   record into the ring, with the check for a sleeping logger every 16 records
 *     logger   out of the ring, checked, formatted, into the sink's buffer and the kernel (a file in memory)
 *     format   one line of each kind alone
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "audit/format.h"
#include "audit/sink.h"
#include "ipc/ring.h"
#include "parse/authority.h"

#define LINES  2000000u
#define ROUNDS 5

static double
cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static struct record
sample(struct span text[RT_COUNT])
{
	struct record r = {
		.id = 0x0123456789abcdefu, .session = 42, .end_real_us = 1700000000123456u, .duration_us = 45678901, .bytes_in = 31234, .bytes_out = 7654321,
		.has_address = true, .is_connect = true, .is_tunnel = true, .has_action = true, .hier = HIER_DIRECT, .scheme = SCHEME_HTTPS,
		.action = ACTION_BYPASS, .guard = GUARD_WORD_PASSED, .minor = 1, .status = 200, .port = 443, .resolve_ms = 3, .connect_ms = 17,
		.tls_ms = MS_NONE, .first_byte_ms = 40,
	};

	for (int i = 0; i < RT_COUNT; i++)
		text[i] = SPAN("");
	r.client.addr = addr_from_v4(0x0a141e28);
	r.client.port = 51234;
	r.address = addr_from_v4(0x34a1b2c3);
	text[RT_METHOD] = SPAN("CONNECT");
	text[RT_HOST] = SPAN("v10.events.data.microsoft.com");
	text[RT_URL] = SPAN("v10.events.data.microsoft.com:443");
	text[RT_LISTENER] = SPAN("edge");
	text[RT_RULE] = SPAN("diagnostics");
	text[RT_LIST_ENTRY] = SPAN("lists/microsoft-diagnostics.list:17");
	text[RT_SNI] = SPAN("v10.events.data.microsoft.com");
	text[RT_ALPN] = SPAN("h2");
	text[RT_USER_AGENT] = SPAN("Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36");
	return r;
}

static void
bench_format(const char *name, enum log_format_kind kind, const char *custom)
{
	char               why[160], *buf = malloc(LOG_LINE_MAX);
	struct log_format *f = log_format_new(kind, span_str(custom), false, why);
	struct span        text[RT_COUNT];
	struct record      r = sample(text);
	double             best = 1e18;
	size_t             bytes = 0;

	record_size(&r, text);
	for (int round = 0; round < ROUNDS; round++) {
		double start = cpu_ns(), took;
		for (unsigned i = 0; i < LINES; i++) {
			r.end_real_us += 50; /* 20,000 lines a second */
			bytes = log_format_line(f, &r, text, buf);
		}
		took = (cpu_ns() - start) / LINES;
		best = took < best ? took : best;
	}
	printf("format %-10s %6.0f ns a line of %zu bytes\n", name, best, bytes);
	log_format_free(f);
	free(buf);
}

static void
bench_way(void)
{
	enum { BATCH = 2000 };
	char               why[160], path[64], *copy = malloc(RECORD_MAX);
	int                fd = ring_create(4 << 20, "bench"), file = memfd_create("bench", MFD_CLOEXEC);
	struct ring       *w = ring_open(fd), *r = ring_open(fd);
	struct log_format *f = log_format_new(LOG_SQUID, SPAN(""), false, why);
	struct span        text[RT_COUNT], back[RT_COUNT];
	struct record      rec = sample(text), got;
	double             in = 0, out = 0;
	struct sink       *s;

	snprintf(path, sizeof path, "/proc/self/fd/%d", file);
	s = sink_new(path, LOG_SQUID, 0);
	for (unsigned done = 0; done < LINES; done += BATCH) {
		double start = cpu_ns();
		for (unsigned i = 0; i < BATCH; i++) {
			size_t n = record_size(&rec, text);
			void  *to = ring_reserve(w, n);
			if (!to)
				abort();
			record_write(to, &rec, text);
			ring_commit(w, n);
			if (i % 16 == 15)
				ring_wants_wake(w);
		}
		in += cpu_ns() - start;
		start = cpu_ns();
		const void *p;
		size_t      n;
		while ((p = ring_peek(r, &n))) {
			memcpy(copy, p, n);
			ring_pass(r);
			if (!record_read(copy, n, &got, back))
				abort();
			sink_took(s, log_format_line(f, &got, back, sink_room(s)));
		}
		sink_flush(s, 0);
		ring_release_passed(r);
		out += cpu_ns() - start;
		if (done % (BATCH * 50) == 0 && ftruncate(file, 0) != 0)
			abort();
	}
	printf("worker            %6.0f ns a record of %zu bytes\n", in / LINES, record_size(&rec, text));
	printf("logger            %6.0f ns a record, squid format, %.0f of them drops\n", out / LINES, (double)ring_drops(r));
	sink_free(s, 0);
	log_format_free(f);
	ring_close(w);
	ring_close(r);
	close(fd);
	close(file);
	free(copy);
}

int
main(void)
{
	bench_format("squid", LOG_SQUID, "");
	bench_format("json", LOG_JSON, "");
	bench_format("combined", LOG_COMBINED, "");
	bench_format("custom", LOG_CUSTOM, "%ts.%03tu %6tr %>a %Ss/%03>Hs %<st %rm %ru %[un %Sh/%<a %mt");
	bench_format("w3c", LOG_W3C, "");
	bench_format("cef", LOG_CEF, "");
	bench_format("leef", LOG_LEEF, "");
	bench_way();
	return 0;
}
