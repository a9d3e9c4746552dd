/* SPDX-License-Identifier: MIT */
#include "audit/words.h"

#include "parse/authority.h"

const char *
words_result(const struct record *r)
{
	enum { PLAIN, ABORTED, TIMEDOUT, ENDS };
	static const char *const word[][ENDS] = {
		{"TCP_MISS", "TCP_MISS_ABORTED", "TCP_MISS_TIMEDOUT"},
		{"TCP_TUNNEL", "TCP_TUNNEL_ABORTED", "TCP_TUNNEL_TIMEDOUT"},
		{"NONE_NONE", "NONE_NONE_ABORTED", "NONE_NONE_TIMEDOUT"},
	};
	enum fault_tag tag = fault_row((enum fault)r->fault)->tag;

	if (tag == TAG_DENIED)
		return "TCP_DENIED";
	if (tag == TAG_NOREQUEST)
		return "NONE_NONE";
	if (tag == TAG_REDIRECT)
		return "TCP_REDIRECT";
	return word[r->len[RT_METHOD] == 0 ? 2 : r->is_connect || r->is_tunnel][tag == TAG_ABORTED ? ABORTED : tag == TAG_TIMEDOUT ? TIMEDOUT : PLAIN];
}

const char *
words_hier(const struct record *r)
{
	static const char *const word[] = {"HIER_NONE", "HIER_DIRECT", "FIRSTUP_PARENT", "ROUNDROBIN_PARENT", "SOURCEHASH_PARENT", "ORIGINAL_DST"};

	return word[r->hier];
}

const char *
words_scheme(const struct record *r)
{
	return r->scheme == SCHEME_HTTP ? "http" : r->scheme == SCHEME_HTTPS ? "https" : NULL;
}

const char *
words_action(const struct record *r)
{
	static const char *const word[] = {"deny", "bypass", "tunnel", "inspect"};

	return r->has_action ? word[r->action] : NULL;
}

const char *
words_guard(const struct record *r)
{
	static const char *const word[] = {NULL, "passed", "reported", "closed"};

	return word[r->guard];
}

const char *
words_bump_mode(const struct record *r)
{
	if (!r->has_action || (!r->is_connect && !r->is_inner))
		return NULL;
	if (r->is_inner || r->action == ACTION_INSPECT)
		return "bump";
	return r->action == ACTION_DENY ? "terminate" : "splice";
}

struct span
words_tls_version(struct span tls)
{
	const char *slash = tls.n ? memchr(tls.p, '/', tls.n) : NULL;

	return span_of(tls.p, slash ? (size_t)(slash - tls.p) : tls.n);
}

struct span
words_tls_cipher(struct span tls)
{
	size_t n = words_tls_version(tls).n;

	return n < tls.n ? span_of(tls.p + n + 1, tls.n - n - 1) : SPAN("");
}

void
words_http_version(struct line *l, const struct record *r)
{
	if (r->minor == RECORD_HTTP2) {
		line_bytes(l, "2.0", 3);
		return;
	}
	line_bytes(l, "1.", 2);
	line_number(l, r->minor, 0, ' ');
}

const char *
words_auth_way(const struct record *r)
{
	static const char *const word[] = {NULL, "Basic", "NTLM", "Negotiate/NTLM", "Negotiate/Kerberos"};

	return word[r->auth_way];
}

/* What may be logged of a URL, to be written one after the other. */
struct logged_url {
	struct span head, tail;
};

static struct logged_url
url_split(struct span url, bool query)
{
	struct logged_url out = {{url.p, 0}, url};
	size_t            start = 0, end, at;

	/* "scheme://" before the authority; a CONNECT target is an authority alone */
	for (size_t i = 0; i + 2 < url.n; i++) {
		if (url.p[i] == ':' && url.p[i + 1] == '/' && url.p[i + 2] == '/') {
			start = i + 3;
			break;
		}
		if (url.p[i] == '/' || url.p[i] == '?' || url.p[i] == '#')
			break;
	}
	for (end = start; end < url.n && url.p[end] != '/' && url.p[end] != '?' && url.p[end] != '#'; end++)
		;
	for (at = end; at > start && url.p[at - 1] != '@'; at--)
		;
	if (at > start) {
		out.head = span_of(url.p, start);
		out.tail = span_of(url.p + at, url.n - at);
	}
	if (!query)
		for (size_t i = end - (url.n - out.tail.n); i < out.tail.n; i++)
			if (out.tail.p[i] == '?' || out.tail.p[i] == '#') {
				out.tail.n = i + (out.tail.p[i] == '?');
				break;
			}
	return out;
}

void
words_url_print(struct line *l, struct span url, bool query, enum line_style style)
{
	struct logged_url u = url_split(url, query);

	line_text(l, u.head, style);
	line_text(l, u.tail, style);
}

void
words_target(struct line *l, const struct record *r, const struct span text[RT_COUNT], bool query, enum line_style style)
{
	if (text[RT_URL].n)
		words_url_print(l, text[RT_URL], query, style);
	else if (r->fault != FAULT_NONE) {
		line_bytes(l, "error:", 6);
		line_str(l, fault_row((enum fault)r->fault)->word);
	} else
		line_char(l, '-');
}

struct span
words_media_type(struct span s)
{
	size_t n = 0;

	while (n < s.n && s.p[n] != ';' && s.p[n] != ' ' && s.p[n] != '\t')
		n++;
	return span_of(s.p, n);
}

const char *
words_event(const struct record *r)
{
	const char *action = words_action(r);

	return r->fault != FAULT_NONE ? fault_row((enum fault)r->fault)->word : action ? action : "request";
}

const char *
words_title(const struct record *r)
{
	const char *sentence = fault_row((enum fault)r->fault)->sentence;

	if (r->fault != FAULT_NONE)
		return *sentence ? sentence : "The connection ended early.";
	return r->is_connect || r->is_tunnel ? "A tunnel was let through." : "A request was let through.";
}

unsigned
words_severity(const struct record *r)
{
	if (r->fault == FAULT_NONE)
		return 1;
	if (r->guard == GUARD_WORD_CLOSED)
		return 7; /* something else than what was let through unasked */
	return fault_row((enum fault)r->fault)->tag == TAG_DENIED ? 5 : 3;
}

struct span
words_path(struct span url, bool query)
{
	struct span rest = url_split(url, query).tail;
	const char *p = rest.n > 2 ? memmem(rest.p, rest.n, "://", 3) : NULL;

	if (p) {
		p += 3;
		rest = span_of(p, (size_t)(rest.p + rest.n - p));
	}
	p = rest.n ? memchr(rest.p, '/', rest.n) : NULL;
	return p ? span_of(p, (size_t)(rest.p + rest.n - p)) : SPAN("");
}

void
words_or_dash(struct line *l, struct span text, enum line_style style)
{
	if (text.n)
		line_text(l, text, style);
	else
		line_char(l, '-');
}

struct moment
moment_utc(uint64_t real_us)
{
	const uint64_t last = 253402300799u; /* 9999-12-31T23:59:59Z */
	uint64_t       s = real_us / 1000000;
	struct moment  m = {.ms = (unsigned)(real_us / 1000 % 1000)};
	unsigned       in_day, era_day, era_year, year_day, shifted;

	if (s > last)
		s = last;
	in_day = (unsigned)(s % 86400);
	m.hour = in_day / 3600;
	m.minute = in_day / 60 % 60;
	m.second = in_day % 60;
	/* Days are counted from 1 March of year 0, so that the leap day is a year's last; 400 years are 146,097 days. */
	uint64_t day = s / 86400 + 719468;
	era_day = (unsigned)(day % 146097);
	era_year = (era_day - era_day / 1460 + era_day / 36524 - era_day / 146096) / 365;
	year_day = era_day - (365 * era_year + era_year / 4 - era_year / 100);
	shifted = (5 * year_day + 2) / 153; /* months from March */
	m.day = year_day - (153 * shifted + 2) / 5 + 1;
	m.month = shifted < 10 ? shifted + 3 : shifted - 9;
	m.year = (unsigned)(day / 146097) * 400 + era_year + (m.month <= 2);
	return m;
}

void
moment_print_date(struct line *l, const struct moment *m)
{
	line_number(l, m->year, 4, '0');
	line_char(l, '-');
	line_number(l, m->month, 2, '0');
	line_char(l, '-');
	line_number(l, m->day, 2, '0');
}

void
moment_print_time(struct line *l, const struct moment *m)
{
	line_number(l, m->hour, 2, '0');
	line_char(l, ':');
	line_number(l, m->minute, 2, '0');
	line_char(l, ':');
	line_number(l, m->second, 2, '0');
}

void
moment_print(struct line *l, uint64_t real_us)
{
	struct moment m = moment_utc(real_us);

	moment_print_date(l, &m);
	line_char(l, 'T');
	moment_print_time(l, &m);
	line_char(l, '.');
	line_number(l, m.ms, 3, '0');
	line_char(l, 'Z');
}
