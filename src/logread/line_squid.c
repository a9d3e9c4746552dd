/* SPDX-License-Identifier: MIT */
/*
 * line_squid: Squid's native format, by Squid and by us:
 *     time.ms elapsed client result/status bytes method URL user hierarchy/peer type
 * What stands after these ten is another's (log_mime_hdrs), and not looked at. A user's blanks stand there as they are.
 */
#include "logread/line.h"

enum { AT_TIME, AT_ELAPSED, AT_CLIENT, AT_RESULT, AT_BYTES, AT_METHOD, AT_URL, AT_USER, AT_PEER, AT_TYPE, TOKENS };

#define NAME_WORDS_MAX 16u

/* "HIER_DIRECT/192.0.2.1", "TIMEOUT_FIRSTUP_PARENT/proxy", "NONE/-" */
static bool
is_peer(struct span s)
{
	size_t n = 0;

	while (n < s.n && ((s.p[n] >= 'A' && s.p[n] <= 'Z') || (s.p[n] >= '0' && s.p[n] <= '9') || s.p[n] == '_'))
		n++;
	return n > 0 && n < s.n && s.p[n] == '/';
}

static bool
token_next(const char **at, const char *end, struct span *token)
{
	const char *p = *at, *stop;

	while (p < end && *p == ' ')
		p++;
	if (p == end)
		return false;
	stop = memchr(p, ' ', (size_t)(end - p));
	*token = span_of(p, (size_t)((stop ? stop : end) - p));
	*at = p + token->n;
	return true;
}

static bool
tokens_read(struct span line, struct span token[TOKENS])
{
	const char *p = line.p, *end = line.p + line.n;
	unsigned    words = 1; /* of the user's name */

	for (unsigned i = 0; i < TOKENS; i++) {
		if (!token_next(&p, end, &token[i]))
			return false;
		while (i == AT_PEER && !is_peer(token[i])) {
			if (words++ == NAME_WORDS_MAX)
				return false;
			token[AT_USER].n = (size_t)(token[i].p + token[i].n - token[AT_USER].p);
			if (!token_next(&p, end, &token[i]))
				return false;
		}
	}
	return true;
}

/* Seconds and milliseconds: "1700000000.123". */
static bool
time_read(struct span s, uint64_t *us)
{
	const char *dot = memchr(s.p, '.', s.n);
	uint64_t    seconds, part = 0;
	size_t      n = dot ? (size_t)(dot - s.p) : s.n;

	if (n > 11 || !line_number_read(span_of(s.p, n), &seconds))
		return false;
	if (dot && (s.n - n - 1 != 3 || !line_number_read(span_of(dot + 1, 3), &part)))
		return false;
	*us = seconds * 1000000 + part * 1000;
	return true;
}

/* Upper-case words with _ between, a slash and a status: "TCP_MISS/200"; "-" and "000" are none. */
static bool
result_read(struct span s, struct log_entry *out)
{
	uint64_t status = 0;
	size_t   n = 0;

	while (n < s.n && ((s.p[n] >= 'A' && s.p[n] <= 'Z') || s.p[n] == '_'))
		n++;
	if (n == 0 || n == s.n || s.p[n] != '/')
		return false;
	out->result = span_of(s.p, n);
	s = span_of(s.p + n + 1, s.n - n - 1);
	if (!span_eq(s, SPAN("-")) && (s.n > 3 || !line_number_read(s, &status)))
		return false;
	out->status = (uint16_t)status;
	return true;
}

static int
hex_digit(char c)
{
	c = ascii_lower(c);
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* %XX to the byte that it stands for, and two backslashes, as Squid writes it, to one; in `to` when there is any. What begins nothing stands for itself. */
static struct span
user_decode(struct span s, char *to)
{
	size_t n = 0;

	if (!memchr(s.p, '%', s.n) && !memchr(s.p, '\\', s.n))
		return s;
	for (size_t i = 0; i < s.n; i++) {
		int high = -1, low = -1;
		if (s.p[i] == '%' && s.n - i > 2) {
			high = hex_digit(s.p[i + 1]);
			low = hex_digit(s.p[i + 2]);
		}
		to[n] = s.p[i];
		if (high >= 0 && low >= 0) {
			to[n] = (char)(high << 4 | low);
			i += 2;
		} else if (s.p[i] == '\\' && s.n - i > 1 && s.p[i + 1] == '\\') {
			i++;
		}
		n++;
	}
	return span_of(to, n);
}

enum line_read
line_squid(struct span line, struct log_entry *out, char *scratch, const char **why)
{
	struct span token[TOKENS], s;
	const char *slash;
	uint64_t    number;

	*why = "it is no line of an access log in the squid or json format";
	if (!tokens_read(line, token) || !time_read(token[AT_TIME], &out->end_us) || !result_read(token[AT_RESULT], out))
		return LINE_BAD;
	s = token[AT_ELAPSED];
	if (s.p[0] == '-') /* a clock that was set back */
		out->elapsed_us = 0;
	else if (!line_number_read(s, &number) || number > UINT32_MAX * 1000ull)
		return LINE_BAD;
	else
		out->elapsed_us = number * 1000;
	slash = memchr(token[AT_PEER].p, '/', token[AT_PEER].n);
	if (!slash)
		return LINE_BAD;
	out->has_client = addr_parse(token[AT_CLIENT], &out->client); /* Squid may have looked its name up: log_fqdn */
	out->method = token[AT_METHOD];
	out->url = token[AT_URL];
	if (!span_eq(token[AT_USER], SPAN("-")))
		out->user = user_decode(token[AT_USER], scratch);
	out->hierarchy = span_of(token[AT_PEER].p, (size_t)(slash - token[AT_PEER].p));
	s = span_of(slash + 1, token[AT_PEER].n - out->hierarchy.n - 1);
	out->peer = span_eq(s, SPAN("-")) ? SPAN("") : s;
	out->content_type = span_eq(token[AT_TYPE], SPAN("-")) ? SPAN("") : token[AT_TYPE];
	return LINE_ENTRY;
}
