/* SPDX-License-Identifier: MIT */
#include "match/host_spec.h"

#include <libpsl.h>
#include <stdarg.h>
#include <stdio.h>

#define SHOWN 40 /* bytes of an item that a message repeats */

static bool __attribute__((format(printf, 2, 3)))
fail(char why[HOST_SPEC_WHY], const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, HOST_SPEC_WHY, fmt, ap);
	va_end(ap);
	return false;
}

struct shown {
	char text[SHOWN + 4];
};

/* What a message may repeat of an item: a line of printable bytes, cut. */
static struct shown
show(struct span s)
{
	struct shown q;
	size_t       n = s.n < SHOWN ? s.n : SHOWN;

	for (size_t i = 0; i < n; i++)
		q.text[i] = s.p[i] >= 0x20 && s.p[i] < 0x7f ? s.p[i] : '?';
	snprintf(q.text + n, sizeof q.text - n, "%s", s.n > n ? "..." : "");
	return q;
}

static struct span
span_from(struct span s, size_t at)
{
	return span_of(s.p + at, s.n - at);
}

static bool
span_find(struct span s, char c, size_t *at)
{
	const char *p = s.n ? memchr(s.p, c, s.n) : NULL;

	if (p)
		*at = (size_t)(p - s.p);
	return p;
}

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool
is_name_byte(char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '_' || c == '.';
}

/* A name that parse/hostname refused: why. */
static bool
fail_name(struct span x, char why[HOST_SPEC_WHY])
{
	size_t label = 0;

	if (x.n == 0)
		return fail(why, "no name is left of the item; write a name such as www.example.com");
	if (x.p[0] == '#')
		return fail(why, "'%s' holds a byte that no host name has, '#'; a comment after an item begins with ;", show(x).text);
	for (size_t i = 0; i < x.n; i++)
		if (!is_name_byte(x.p[i]) && (unsigned char)x.p[i] < 0x80)
			return fail(why, "'%s' holds a byte that no host name has, '%c'; letters, digits, '-', '_' and '.' are right", show(x).text,
			    x.p[i] > 0x20 && x.p[i] < 0x7f ? x.p[i] : '?');
	for (size_t i = 0; i <= x.n; i++) {
		if (i < x.n && x.p[i] != '.')
			continue;
		if (i == label)
			return fail(why, "'%s' has an empty label; one dot between two labels is right", show(x).text);
		if (i - label > 63)
			return fail(why, "'%s' has a label of %zu bytes; 63 is the most", show(x).text, i - label);
		if (x.p[label] == '-' || x.p[i - 1] == '-')
			return fail(why, "'%s' has a label that begins or ends with '-'; labels begin and end with a letter or digit", show(x).text);
		label = i + 1;
	}
	if (x.n > HOSTNAME_MAX)
		return fail(why, "'%s' has %zu bytes; a name has %d at most", show(x).text, x.n, HOSTNAME_MAX);
	for (size_t i = 0; i < x.n; i++)
		if ((unsigned char)x.p[i] >= 0x80)
			return fail(why, "'%s' is no valid internationalised name (IDNA 2008); write its xn-- form", show(x).text);
	return fail(why, "'%s' ends in a number, so it is no name, and it is no plain address; write four decimal parts, as 192.0.2.1", show(x).text);
}

static bool
set_addr(const struct addr *a, struct host_spec *out)
{
	out->kind = SPEC_ADDR;
	out->n = 0;
	out->cidr = (struct cidr){*a, 128};
	return true;
}

static void
set_text(struct span x, struct host_spec *out)
{
	memcpy(out->text, x.p, x.n);
	out->text[x.n] = '\0';
	out->n = (uint16_t)x.n;
}

/* x of x, *.x or .x, already without the trailing dot. */
static bool
parse_name(enum host_spec_kind kind, struct span x, struct host_spec *out, char why[HOST_SPEC_WHY])
{
	struct host h;

	/* an address ends in a digit, or stands in brackets */
	if (x.n && x.n <= HOSTNAME_MAX && !is_digit(x.p[x.n - 1]) && hostname_is_canonical(x)) {
		out->kind = kind;
		set_text(x, out);
		return true;
	}
	if (!host_parse(x, &h))
		return fail_name(x, why);
	if (h.kind == HOST_NAME) {
		out->kind = kind;
		set_text(host_span(&h), out);
		return true;
	}
	if (kind != SPEC_EXACT)
		return fail(why, "nothing lies below the address %s; write %s alone, or a CIDR", h.text, h.text);
	return set_addr(&h.addr, out);
}

/* A name with stars other than a leading "*.". */
static bool
parse_glob(struct span g, struct host_spec *out, char why[HOST_SPEC_WHY])
{
	size_t n = 0, label = 0;
	bool   letters = false, stars = false;

	if (g.p[0] == '.')
		return fail(why, "'%s' begins with a dot and holds '*'; write '*%s' for what lies below", show(g).text, show(g).text);
	for (size_t i = 0; i < g.n; i++) {
		char c = ascii_lower(g.p[i]);
		if ((unsigned char)c >= 0x80)
			return fail(why, "'%s' has '*' and letters beyond ASCII; write those labels in their xn-- form", show(g).text);
		if (c != '*' && !is_name_byte(c))
			return fail(why, "'%s' holds a byte that no host name has, '%c'; letters, digits, '-', '_', '.' and '*' are right", show(g).text,
			    c > 0x20 ? c : '?');
		if (c == '.' && n && out->text[n - 1] == '.')
			return fail(why, "'%s' has an empty label; one dot between two labels is right", show(g).text);
		if (c == '*' && n && out->text[n - 1] == '*')
			continue;
		if (n > HOSTNAME_MAX)
			return fail(why, "'%s' is longer than any name, which has %d bytes at most; shorten it", show(g).text, HOSTNAME_MAX);
		if (c == '.') {
			label = n + 1;
			stars = false;
		} else {
			stars |= c == '*';
			letters |= c != '*' && !is_digit(c);
		}
		out->text[n++] = c;
		if (n - label > 63 && !stars)
			return fail(why, "'%s' has a label of more than 63 bytes; 63 is the most", show(g).text);
	}
	out->text[n] = '\0';
	out->n = (uint16_t)n;
	out->kind = SPEC_GLOB;
	if (n == 1) { /* nothing but stars */
		out->kind = SPEC_ALL;
		out->text[0] = '\0';
		out->n = 0;
	} else if (!letters && strpbrk(out->text, "0123456789")) {
		return fail(why, "'%s' looks like addresses, which globs never match; write a CIDR such as 10.0.0.0/8", show(g).text);
	}
	return true;
}

/* What is left when scheme, port and path are off. */
static bool
parse_host(struct span h, struct host_spec *out, char why[HOST_SPEC_WHY])
{
	size_t star, skip = 0;
	bool   glob;

	if (h.n > 1 && h.p[h.n - 1] == '.') {
		h.n--;
		if (h.p[h.n - 1] == '*')
			return fail(why, "'%s.' ends in a star and a dot; write '*' for every name, or leave the dot out", show(h).text);
	}
	if (h.n == 1 && h.p[0] == '*') {
		out->kind = SPEC_ALL;
		out->text[0] = '\0';
		out->n = 0;
		return true;
	}
	/* *.x, and **.x, which says the same */
	while (h.n > skip + 1 && h.p[skip] == '*' && h.p[skip + 1] == '*')
		skip++;
	if (skip && h.n > skip + 1 && h.p[skip + 1] == '.')
		h = span_from(h, skip);
	glob = span_find(h.n > 2 && h.p[0] == '*' && h.p[1] == '.' ? span_from(h, 2) : h, '*', &star);
	if (glob)
		return parse_glob(h, out, why);
	if (h.n >= 2 && h.p[0] == '*' && h.p[1] == '.')
		return parse_name(SPEC_BELOW, span_from(h, 2), out, why);
	if (h.n >= 1 && h.p[0] == '.')
		return parse_name(SPEC_TREE, span_from(h, 1), out, why);
	return parse_name(SPEC_EXACT, h, out, why);
}

static bool
parse_port(struct span p, struct host_spec *out, char why[HOST_SPEC_WHY])
{
	uint32_t v = 0;

	for (size_t i = 0; i < p.n; i++) {
		if (!is_digit(p.p[i]) || p.n > 5)
			return fail(why, "'%s' is no port; write a number from 1 to 65535, or leave it out with its ':' for any port", show(p).text);
		v = v * 10 + (uint32_t)(p.p[i] - '0');
	}
	if (v == 0 || v > 65535)
		return fail(why, "port '%s' does not exist; write a number from 1 to 65535, or leave it out with its ':' for any port", show(p).text);
	out->port = (uint16_t)v;
	return true;
}

/* "[" address "]" [":" port] */
static bool
parse_brackets(struct span s, struct host_spec *out, char why[HOST_SPEC_WHY])
{
	struct addr a;
	size_t      end;

	if (!span_find(s, ']', &end))
		return fail(why, "'%s' lacks the ']'; write [2001:db8::1] or [2001:db8::1]:443", show(s).text);
	if (!addr_parse(span_of(s.p + 1, end - 1), &a) || addr_is_v4(&a))
		return fail(why, "'%s' has no IPv6 address in its brackets; write one as [2001:db8::1], or a name or IPv4 address without brackets", show(s).text);
	set_addr(&a, out);
	s = span_from(s, end + 1);
	if (s.n == 0)
		return true;
	if (s.p[0] != ':')
		return fail(why, "'%s' follows the ']'; only ':' and a port may, and a CIDR is written without brackets", show(s).text);
	return parse_port(span_from(s, 1), out, why);
}

/* host [":" port] */
static bool
parse_host_port(struct span s, bool is_url, struct host_spec *out, char why[HOST_SPEC_WHY])
{
	struct addr a;
	size_t      colon, more;

	if (s.n && s.p[0] == '[')
		return parse_brackets(s, out, why);
	if (!span_find(s, ':', &colon))
		return parse_host(s, out, why);
	if (span_find(span_from(s, colon + 1), ':', &more)) {
		if (!addr_parse(s, &a))
			return fail(why, "'%s' is no IPv6 address; write 2001:db8::1, or with a port [2001:db8::1]:443", show(s).text);
		if (is_url)
			return fail(why, "an IPv6 address in a URL stands in brackets; write [%s]", show(s).text);
		return set_addr(&a, out);
	}
	return parse_host(span_of(s.p, colon), out, why) && parse_port(span_from(s, colon + 1), out, why);
}

/* scheme "://" host [":" port] ["/"] */
static bool
parse_url(struct span s, size_t colon, struct host_spec *out, char why[HOST_SPEC_WHY])
{
	struct span scheme = span_of(s.p, colon), at = span_from(s, colon + 3), path;
	size_t      end, user;

	if (span_eq_nocase(scheme, SPAN("https")))
		out->scheme = SCHEME_HTTPS;
	else if (span_eq_nocase(scheme, SPAN("http")))
		out->scheme = SCHEME_HTTP;
	else
		return fail(why, "'%s' is no scheme that this gateway serves; write http://, https:// or the name alone", show(scheme).text);
	for (end = 0; end < at.n && !memchr("/?#", at.p[end], 3); end++)
		;
	path = span_from(at, end);
	at.n = end;
	if (at.n == 0)
		return fail(why, "'%s' names no host; write one after '://'", show(s).text);
	if (path.n && !span_eq(path, SPAN("/")))
		return fail(why, "a host item takes no path; leave '%s' out: what stands behind the host is not looked at", show(path).text);
	if (span_find(at, '@', &user))
		return fail(why, "a host item takes no user; leave '%s@' out", show(span_of(at.p, user)).text);
	if (!parse_host_port(at, true, out, why))
		return false;
	if (!out->port)
		out->port = out->scheme == SCHEME_HTTPS ? 443 : 80;
	return true;
}

/* Something with a '/' that is no URL. */
static bool
parse_cidr(struct span s, size_t slash, struct host_spec *out, char why[HOST_SPEC_WHY])
{
	char        text[ADDR_TEXT_MAX];
	struct cidr c;
	struct addr a;

	switch (cidr_parse(s, &c)) {
	case CIDR_FINE:
		out->kind = SPEC_ADDR;
		out->n = 0;
		out->cidr = c;
		return true;
	case CIDR_HOST_BITS:
		addr_print(&c.addr, text);
		return fail(why, "'%s' has bits set beyond its prefix; write %s/%u, or the address alone", show(s).text, text,
		    addr_is_v4(&c.addr) ? c.bits - 96u : c.bits);
	case CIDR_BAD:
		break;
	}
	if (s.p[0] == '[')
		return fail(why, "'%s' is a CIDR in brackets; write it without them, as 2001:db8::/32", show(s).text);
	if (addr_parse(span_of(s.p, slash), &a))
		return fail(why, "'%s' has no valid prefix length; /0 to /%d is right", show(s).text, addr_is_v4(&a) ? 32 : 128);
	return fail(why, "a host item takes no path; leave '%s' out: what stands behind the host is not looked at", show(span_from(s, slash)).text);
}

bool
host_spec_parse(struct span item, struct host_spec *out, char why[HOST_SPEC_WHY])
{
	size_t at;

	out->scheme = SCHEME_NONE;
	out->port = 0;
	out->n = 0;
	out->text[0] = '\0';
	out->regex = (struct span){NULL, 0};
	why[0] = '\0';
	if (item.n == 0)
		return fail(why, "the item is empty; write a name, an address, a pattern or re:REGEX");
	if (item.n >= 3 && memcmp(item.p, "re:", 3) == 0) {
		out->kind = SPEC_REGEX;
		out->regex = span_from(item, 3);
		return item.n > 3 || fail(why, "no regex follows re:; write one, as re:v[0-9]+\\.example\\.com");
	}
	if (item.n > 3 && span_eq_nocase(span_of(item.p, 3), SPAN("re:")) && !is_digit(item.p[3]))
		return fail(why, "'%s': a regex begins with re: in lower case", show(item).text);
	if (!span_find(item, '/', &at))
		return parse_host_port(item, false, out, why);
	if (at > 0 && item.p[at - 1] == ':' && at + 1 < item.n && item.p[at + 1] == '/')
		return parse_url(item, at - 1, out, why);
	return parse_cidr(item, at, out, why);
}

/* What of a glob stands fast for certain: the whole labels after the last '*'. NUL-terminated. */
static const char *
glob_ending(const struct host_spec *s)
{
	const char *end = s->text + s->n, *star = memrchr(s->text, '*', s->n), *dot;

	if (!star)
		return end;
	dot = memchr(star, '.', (size_t)(end - star));
	return dot ? dot + 1 : end;
}

/* The newest list that the system has. Read once; null when there is none, and then every name counts as a suffix. */
static const psl_ctx_t *
suffix_list(void)
{
	static const psl_ctx_t *list;

	if (!list)
		list = psl_latest(NULL);
	return list;
}

/* x: NUL-terminated, canonical. A top level that is not on the list (.corp) may be a company's own. */
static bool
is_on_list(const char *x)
{
	return !*x || psl_is_public_suffix2(suffix_list(), x, PSL_TYPE_ANY | PSL_TYPE_NO_STAR_RULE);
}

/* Where anyone can rent a name as well, but Debian's list of 2023 does not say so yet (publicsuffix/list#1891, #2987). */
static const char *const rented[] = {"azure-api.net", "azureedge.net", "azurefd.net", "cloudapp.azure.com", "servicebus.windows.net", "trafficmanager.net",
	"blob.core.windows.net", "dfs.core.windows.net", "file.core.windows.net", "queue.core.windows.net", "table.core.windows.net", "web.core.windows.net"};

/* Is x one of those, or (`whole`) does one lie below it? */
static bool
is_rented(const char *x, bool whole)
{
	size_t n = strlen(x);

	for (size_t i = 0; i < sizeof rented / sizeof *rented; i++) {
		size_t more = strlen(rented[i]) >= n ? strlen(rented[i]) - n : 0;
		if (strcmp(rented[i] + more, x) == 0 && (more == 0 || (whole && rented[i][more - 1] == '.')))
			return true;
	}
	return false;
}

bool
host_spec_is_anchored(const struct host_spec *s)
{
	const char *end = glob_ending(s);

	if (s->kind != SPEC_GLOB || s->text[0] != '*' || s->text[1] == '.')
		return true;
	return !is_on_list(end) && !is_rented(end, false) && psl_registrable_domain(suffix_list(), end);
}

bool
host_spec_is_public_suffix(const struct host_spec *s)
{
	switch (s->kind) {
	case SPEC_EXACT:
		return is_on_list(s->text) || is_rented(s->text, false);
	case SPEC_BELOW:
	case SPEC_TREE:
		return is_on_list(s->text) || is_rented(s->text, true);
	case SPEC_GLOB:
		return is_on_list(glob_ending(s)) || is_rented(glob_ending(s), true);
	case SPEC_ALL:
		return true;
	case SPEC_REGEX:
	case SPEC_ADDR:
		break;
	}
	return false;
}
