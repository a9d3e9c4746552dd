/* SPDX-License-Identifier: MIT */
/*
 * fuzz_record: any bytes as a record, and when they are one, every kind of line from it; then the same bytes as a format string.
 * Holds: one line each, no control byte in it, never longer than LOG_LINE_MAX.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "audit/format.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void
check_line(const struct log_format *f, const struct record *r, const struct span text[RT_COUNT], char *buf)
{
	size_t n = log_format_line(f, r, text, buf);

	if (n == 0 || n > LOG_LINE_MAX || buf[n - 1] != '\n')
		abort();
	for (size_t i = 0; i + 1 < n; i++)
		if (((unsigned char)buf[i] < 0x20 && buf[i] != '\t') || buf[i] == 0x7f)
			abort();
}

/* A record that is right, with texts taken from the input. */
static struct record
record_of(const uint8_t *data, size_t n, struct span text[RT_COUNT])
{
	struct record r = {.end_real_us = 1700000000123456u, .minor = 1, .status = 200, .has_address = true, .fault = (uint16_t)(n % FAULT_COUNT)};
	size_t        each = n / RT_COUNT;

	for (size_t i = 0; i < RT_COUNT; i++)
		text[i] = span_of((const char *)data + i * each, each);
	record_size(&r, text);
	return r;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static struct log_format *format[7];
	static char              *buf;
	struct log_format        *custom;
	struct record             r;
	struct span               text[RT_COUNT];
	char                      why[160], *exact = malloc(n ? n : 1);
	static const char         all[] = "%ts.%03tu %tS %tl %tg %6tr %dt %>a:%>p %<a:%<p %<A %03>Hs %Ss %Sh %\"rm %'ru %#rp %rv %>rs %>rd %>rP %[un %mt %st %>st %<st "
	                                  "%{Referer}>h %'.9{User-Agent}>h %-20{Content-Type}<h %ssl::>sni %{rule}note %{fault}note %{guard}note %{action}note";

	if (!buf) {
		setenv("TZ", "UTC", 1);
		buf = malloc(LOG_LINE_MAX);
		format[0] = log_format_new(LOG_SQUID, SPAN(""), false, why);
		format[1] = log_format_new(LOG_JSON, SPAN(""), true, why);
		format[2] = log_format_new(LOG_COMBINED, SPAN(""), false, why);
		format[3] = log_format_new(LOG_CUSTOM, SPAN(all), true, why);
		format[4] = log_format_new(LOG_W3C, SPAN(""), true, why);
		format[5] = log_format_new(LOG_CEF, SPAN(""), true, why);
		format[6] = log_format_new(LOG_LEEF, SPAN(""), true, why);
	}
	if (n)
		memcpy(exact, data, n);
	if (record_read(exact, n, &r, text))
		for (int i = 0; i < 7; i++)
			check_line(format[i], &r, text, buf);
	r = record_of((const uint8_t *)exact, n, text);
	for (int i = 0; i < 7; i++)
		check_line(format[i], &r, text, buf);
	custom = log_format_new(LOG_CUSTOM, span_of(exact, n), false, why);
	if (custom)
		check_line(custom, &r, text, buf);
	log_format_free(custom);
	free(exact);
	return 0;
}
