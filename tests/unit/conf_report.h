/* SPDX-License-Identifier: MIT */
/* conf_report: what is said of a configuration that lies in the directory of the test. Included by one test program each. */
#ifndef POSTERN_UNIT_CONF_REPORT_H
#define POSTERN_UNIT_CONF_REPORT_H

#include "conf_dir.h"

#include "cert_files.h"
#include "conf/conf.h"

#define N(a) (sizeof(a) / sizeof *(a))
/* What makes a file whole, whatever stands before it. */
#define GOOD "\n[listener good-end]\naddress = 127.0.0.1:0\n[rule good-end]\naction = deny\n[log good-end]\nfile = -\n"

#define INSPECTION "[inspection]\nca-cert = ca.pem\nca-key = ca.key\n"

/* What the rows about inspection name. */
static inline void
certificates_write(void)
{
	static const struct cert_want weak = {.rsa = 1024, .sha1 = true, .basic = "CA:FALSE", .from = 1, .to = 978307200};

	certs_new("ca.pem", "ca.key", (struct cert_want){0});
	certs_new("weak.pem", NULL, weak);
	certs_crl("other.crl", "Somebody", (int64_t)time(NULL) + 86400);
	dir_write("cut.pem", "-----BEGIN CERTIFICATE-----\nMIIB\n");
	dir_write("odd.pem", "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n");
	dir_write_bytes("odd.der", "0\0", 2);
}

/* What report_print writes, in a buffer to free. */
static inline char *
report_text(const struct report *r, const struct conf *c)
{
	char  *text = NULL;
	size_t n = 0;
	FILE  *f = open_memstream(&text, &n);

	assert_non_null(f);
	report_print(r, c, f);
	fclose(f);
	return text;
}

/* Every expected "LINE: words" (or "FILE:LINE: words") stands in the report, and it has no more errors than these. */
static inline void
errors_check(const char *ini, const char *const *want, size_t most)
{
	struct report r;
	struct conf  *c;
	char         *text, prefix[300];
	size_t        n = 0;

	report_init(&r);
	c = conf_load("postern.ini", &r);
	assert_non_null(c);
	text = report_text(&r, c);
	for (; n < most && want[n]; n++) {
		const char *words = strchr(want[n], ' ') + 1, *line = text, *found = NULL;
		bool        has_file = want[n][0] < '0' || want[n][0] > '9';
		snprintf(prefix, sizeof prefix, "postern: %s%.*s", has_file ? "" : "postern.ini:", (int)(words - want[n]), want[n]);
		while (!found && (line = strstr(line, prefix))) {
			size_t len = strcspn(line, "\n");
			found = memmem(line, len, words, strlen(words));
			line += len;
		}
		if (!found)
			fail_msg("no \"%s...%s\" for:\n%s\nbut:\n%s", prefix, words, ini, text);
	}
	if (r.errors != n)
		fail_msg("%zu errors instead of %zu for:\n%s\n%s", r.errors, n, ini, text);
	free(text);
	report_clear(&r);
	conf_free(c);
}

/* Load what must be right; report_clear and conf_free are up to the caller. */
static inline struct conf *
load_good(const char *ini, struct report *r)
{
	struct conf *c;
	char        *text;

	dir_write("postern.ini", ini);
	report_init(r);
	c = conf_load("postern.ini", r);
	assert_non_null(c);
	text = report_text(r, c);
	if (r->errors)
		fail_msg("%s\n%s", ini, text);
	free(text);
	return c;
}

/* It is loaded without an error, and with this warning. */
static inline void
warning_check(const char *ini, const char *words)
{
	struct report r;
	struct conf  *c;
	char          whole[1000], *text;

	snprintf(whole, sizeof whole, "%s" GOOD, ini);
	c = load_good(whole, &r);
	text = report_text(&r, c);
	if (!strstr(text, words))
		fail_msg("no \"%s\" for:\n%s\nbut:\n%s", words, ini, text);
	free(text);
	report_clear(&r);
	conf_free(c);
}

/* The report has so many errors and warnings, and each of these words, separated by "|". */
static inline void
words_check(const char *ini, const char *words, size_t errors, size_t warnings)
{
	struct report r;
	struct conf  *c;
	char         *text, *copy = strdup(words), *save = NULL;

	dir_write("postern.ini", ini);
	report_init(&r);
	c = conf_load("postern.ini", &r);
	assert_non_null(c);
	text = report_text(&r, c);
	for (char *w = strtok_r(copy, "|", &save); w; w = strtok_r(NULL, "|", &save))
		if (!strstr(text, w))
			fail_msg("no \"%s\" for:\n%s\nbut:\n%s", w, ini, text);
	if (r.errors != errors || r.warnings != warnings)
		fail_msg("%zu errors and %zu warnings instead of %zu and %zu for:\n%s\n%s", r.errors, r.warnings, errors, warnings, ini, text);
	free(copy);
	free(text);
	report_clear(&r);
	conf_free(c);
}

#endif
