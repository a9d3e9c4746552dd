/* SPDX-License-Identifier: MIT */
/*
 * squid_value: one value of an ACL, spelt as an item of ours.
 * Always true: an item is spelt from what was understood, has no byte that ends an item or a line, and fits a line of the ini.
 */
#include <stdlib.h>

#include "import/squid_inside.h"
#include "match/host_spec.h"
#include "parse/cidr.h"

#define ITEM_MOST 180u /* with an indent it fits a line of the ini */

static bool
item_put(struct squid_values *v, struct squid_items *to, struct span text)
{
	/* Squid's built-in ACLs are often defined once more */
	for (size_t i = 0; i < to->n && i < 32; i++)
		if (span_eq(to->v[i].text, text))
			return true;
	return squid_item_add(v->s, to, text, v->at);
}

/* --- names --- */

/* Squid compares byte by byte, and strips a dot at the end only from what is asked for: values that never matched there. What was meant is a guess. */
static bool
is_no_host(struct squid_values *v, struct span value)
{
	struct host_spec spec;
	char             why[HOST_SPEC_WHY];

	if (value.n > 2 && value.p[0] == '*' && value.p[1] == '.')
		squid_note_file(v->s, SQUID_DIFFERS, v->at, value, "Squid knows no *: this value never matched there and is left out; .%.*s was meant?", (int)value.n - 2, value.p + 2);
	else if (value.n > 1 && value.p[value.n - 1] == '.')
		squid_note_file(v->s, SQUID_DIFFERS, v->at, value, "no host of Squid's ends with a dot: this value never matched there and is left out; without it?");
	else if (memchr(value.p, '/', value.n))
		squid_note_file(v->s, SQUID_DIFFERS, v->at, value, "no host has a slash: this value never matched there and is left out; say its host, or networks by dst");
	else if (memchr(value.p, '*', value.n))
		squid_note_file(v->s, SQUID_DIFFERS, v->at, value, "Squid knows no *: this value never matched there and is left out; dstdom_regex was meant?");
	else if (host_spec_parse(value, &spec, why) && spec.port)
		squid_note_file(v->s, SQUID_DIFFERS, v->at, value, "no host has a port: this value never matched there and is left out; an acl of port was meant too?");
	else
		return false;
	return true;
}

static bool
add_domain(struct squid_values *v, struct span value, const char **why)
{
	struct host_spec spec;
	static char      reason[HOST_SPEC_WHY];

	if (is_no_host(v, value))
		return true;
	if (span_eq(value, SPAN("none"))) {
		*why = "addresses are not looked up here, so `none` says nothing";
		return false;
	}
	for (size_t i = 0; i < value.n; i++)
		if ((unsigned char)value.p[i] < 0x21 || (unsigned char)value.p[i] > 0x7e || memchr("*/\"@!;,#", value.p[i], 8)) {
			*why = "this is no name of a host";
			return false;
		}
	if (!host_spec_parse(value, &spec, reason) || spec.port || spec.scheme != SCHEME_NONE) {
		*why = "this is no name of a host";
		return false;
	}
	switch (spec.kind) {
	case SPEC_EXACT:
		return item_put(v, &v->a->items, arena_printf(&v->s->arena, "%.*s", (int)spec.n, spec.text));
	case SPEC_TREE:
		return item_put(v, &v->a->items, arena_printf(&v->s->arena, ".%.*s", (int)spec.n, spec.text));
	case SPEC_ADDR: {
		char text[ADDR_TEXT_MAX];
		addr_print(&spec.cidr.addr, text);
		return item_put(v, &v->a->items, arena_printf(&v->s->arena, "%s", text));
	}
	default:
		*why = "this is no name of a host";
		return false;
	}
}

static bool
has_letters(struct span s)
{
	for (size_t i = 0; i < s.n; i++) {
		char c = ascii_lower(s.p[i]);
		if (c == '\\')
			i++;
		else if (c >= 'a' && c <= 'z')
			return true;
	}
	return false;
}

/* Names are in lower case in Squid as here, but ours are compared whatever the case: capitals, which Squid can find nowhere in a name, must stay what they are. */
static bool
has_capitals(struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] == '\\')
			i++;
		else if (s.p[i] >= 'A' && s.p[i] <= 'Z')
			return true;
	return memmem(s.p, s.n, "[:upper:]", 9) != NULL;
}

static bool
add_host_regex(struct squid_values *v, struct squid_items *to, struct span value, const char **why)
{
	static const char *const literals[] = {"^[0-9]+\\.[0-9]+\\.[0-9]+\\.[0-9]+$", "^[0-9]*\\.[0-9]*\\.[0-9]*\\.[0-9]*$", "^[0-9\\.]+$", "^[0-9.]+$",
		"^[0-9]+.[0-9]+.[0-9]+.[0-9]+$", "^[0-9]{1,3}\\.[0-9]{1,3}\\.[0-9]{1,3}\\.[0-9]{1,3}$"};
	size_t      n;
	struct span text;
	bool        capitals;

	if (!has_letters(value)) {
		for (size_t i = 0; i < sizeof literals / sizeof *literals; i++)
			if (span_eq(value, span_str(literals[i])))
				return item_put(v, to, SPAN("0.0.0.0/0"));
		if (!span_eq(value, SPAN(".")) && !span_eq(value, SPAN(".*"))) {
			*why = "without letters it may be about addresses, which a regular expression never matches here; say the networks";
			return false;
		}
		return item_put(v, to, SPAN("*")) && item_put(v, to, SPAN("0.0.0.0/0")) && item_put(v, to, SPAN("::/0"));
	}
	if (!squid_regex_convert(value, v->scratch, &n, why))
		return false;
	capitals = !v->any_case && has_capitals(value);
	if (capitals)
		squid_note_file(v->s, SQUID_DIFFERS, v->at, value, "Squid has names in lower case: these capitals match nothing, there and here; -i was meant?");
	text = arena_printf(&v->s->arena, "re:%s.*(?%s:%.*s).*", v->any_case ? "(?i)" : "", capitals ? "-i" : "", (int)n, v->scratch);
	if (n > ITEM_MOST - 20 || text.n > ITEM_MOST) {
		*why = "it is longer than a line of the ini";
		return false;
	}
	if (memchr(text.p, ' ', text.n)) /* no host has a blank */
		return true;
	return item_put(v, to, text);
}

/* --- addresses --- */

/* Bits of a.b.c.d as a mask; -1: it is none. */
static int
mask_bits(struct span s)
{
	struct addr a;
	int         bits = 0;

	if (!addr_parse(s, &a) || !addr_is_v4(&a))
		return -1;
	while (bits < 32 && (a.b[12 + bits / 8] & (0x80 >> bits % 8)))
		bits++;
	for (int i = bits; i < 32; i++)
		if (a.b[12 + i / 8] & (0x80 >> i % 8))
			return -1;
	return bits;
}

static bool
network_holds(const struct cidr *c, const struct addr *a)
{
	struct addr first, last;

	cidr_range(c, &first, &last);
	return memcmp(a->b, first.b, sizeof a->b) >= 0 && memcmp(a->b, last.b, sizeof a->b) <= 0;
}

/* Squid ignores a network that holds one before it, and with it all the rest of it. Of long lists, which machines write, only the first part is looked at. */
static void
overlap_note(struct squid_values *v, struct span item)
{
	struct cidr mine, other;

	if (v->a->overlaps || cidr_parse(item, &mine) == CIDR_BAD)
		return;
	for (size_t i = 0; i < v->a->items.n && i < 64; i++)
		if (cidr_parse(v->a->items.v[i].text, &other) != CIDR_BAD && mine.bits < other.bits && network_holds(&mine, &other.addr)) {
			squid_note_file(v->s, SQUID_DIFFERS, v->at, item, "Squid ignores this network, since one within it (%.*s) comes before; here it counts", SPAN_ARG(v->a->items.v[i].text));
			v->a->overlaps = true;
			return;
		}
}

static bool
put_network(struct squid_values *v, const struct addr *a, unsigned bits)
{
	char        text[ADDR_TEXT_MAX];
	bool        four = addr_is_v4(a);
	struct span item;

	addr_print(a, text);
	if (bits == 128)
		item = arena_printf(&v->s->arena, "%s", text);
	else
		item = arena_printf(&v->s->arena, "%s/%u", text, four ? bits - 96 : bits);
	overlap_note(v, item);
	return item_put(v, &v->a->items, item);
}

/* As few networks as there need be. */
static bool
put_range(struct squid_values *v, struct addr from, const struct addr *to)
{
	for (unsigned most = 0; most < 300 && memcmp(from.b, to->b, 16) <= 0; most++) {
		unsigned bits = 128;
		while (bits > (addr_is_v4(&from) ? 96u : 0u)) {
			/* one bit shorter: does it begin here, and end within? */
			struct addr last = from;
			unsigned    at = bits - 1;
			if (from.b[at / 8] & (0x80 >> at % 8))
				break;
			for (unsigned i = at; i < 128; i++)
				last.b[i / 8] |= (uint8_t)(0x80 >> i % 8);
			if (memcmp(last.b, to->b, 16) > 0)
				break;
			bits--;
		}
		if (!put_network(v, &from, bits))
			return false;
		/* on to the address behind it */
		for (unsigned i = bits; i < 128; i++)
			from.b[i / 8] |= (uint8_t)(0x80 >> i % 8);
		int i = 15;
		while (i >= 0 && ++from.b[i] == 0)
			i--;
		if (i < 0)
			return true;
	}
	return true;
}

static bool
add_network(struct squid_values *v, struct span value, const char **why)
{
	const char *slash = memchr(value.p, '/', value.n), *dash = memchr(value.p, '-', value.n);
	struct addr from, to;
	struct cidr c;
	int         bits;

	*why = "this is no address; names are not looked up when the configuration is read";
	if (span_eq(value, SPAN("all")))
		return item_put(v, &v->a->items, SPAN("0.0.0.0/0")) && item_put(v, &v->a->items, SPAN("::/0"));
	if (span_eq(value, SPAN("ipv4")))
		return item_put(v, &v->a->items, SPAN("0.0.0.0/0"));
	if (dash) {
		struct span a = span_of(value.p, (size_t)(dash - value.p)), b = span_of(dash + 1, value.n - a.n - 1);
		if (slash) {
			struct span mask = span_of(slash + 1, value.n - (size_t)(slash + 1 - value.p));
			b.n -= mask.n + 1;
			if (!span_eq(mask, SPAN("32")) && !span_eq(mask, SPAN("128")) && !span_eq(mask, SPAN("255.255.255.255"))) {
				*why = "a range with a mask; write the range out";
				return false;
			}
		}
		if (!addr_parse(a, &from) || !addr_parse(b, &to) || addr_is_v4(&from) != addr_is_v4(&to) || memcmp(from.b, to.b, 16) > 0)
			return false;
		return put_range(v, from, &to);
	}
	if (slash) {
		bits = mask_bits(span_of(slash + 1, value.n - (size_t)(slash + 1 - value.p)));
		if (bits >= 0 && addr_parse(span_of(value.p, (size_t)(slash - value.p)), &from) && addr_is_v4(&from)) {
			for (int i = bits; i < 32; i++)
				from.b[12 + i / 8] &= (uint8_t)~(0x80 >> i % 8);
			return put_network(v, &from, (unsigned)bits + 96);
		}
	}
	if (cidr_parse(value, &c) == CIDR_BAD)
		return false;
	if (c.bits < 96 && addr_eq(&c.addr, &(struct addr){{0}})) {
		*why = "so short an IPv6 network is not told from all addresses; say all, or the networks that are meant";
		return false;
	}
	return put_network(v, &c.addr, c.bits);
}

/* --- ports, methods, times --- */

static bool
add_port(struct squid_values *v, struct span value, const char **why)
{
	char          text[16], *end;
	unsigned long from, to;

	*why = "this is no port";
	if (value.n >= sizeof text)
		return false;
	memcpy(text, value.p, value.n);
	text[value.n] = '\0';
	if (text[0] < '0' || text[0] > '9')
		return false;
	from = to = strtoul(text, &end, 10);
	if (*end == '-' && end[1] >= '0' && end[1] <= '9')
		to = strtoul(end + 1, &end, 10);
	if (*end || from > to || to > 65535)
		return false;
	for (unsigned long p = from; p <= to; p++)
		v->a->bits[p / 64] |= UINT64_C(1) << p % 64;
	return true;
}

static bool
add_method(struct squid_values *v, struct span value, const char **why)
{
	for (size_t i = 0; i < value.n; i++)
		if (!((value.p[i] >= 'A' && value.p[i] <= 'Z') || value.p[i] == '-' || value.p[i] == '_') || value.n > 32) {
			*why = "this is no method in capitals";
			return false;
		}
	return item_put(v, &v->a->items, value);
}

static bool
add_scheme(struct squid_values *v, struct span value)
{
	if (span_eq_nocase(value, SPAN("HTTP")))
		v->a->bits[0] |= 1;
	else if (span_eq_nocase(value, SPAN("HTTPS")))
		v->a->bits[0] |= 2;
	return true; /* requests of all others are answered 501 */
}

static void
add_minutes(struct squid_values *v, unsigned days, unsigned from, unsigned to)
{
	for (unsigned d = 0; d < 7; d++)
		for (unsigned m = from; (days & 1u << d) && m <= to && m < 1440; m++)
			v->a->bits[(d * 1440 + m) / 64] |= UINT64_C(1) << (d * 1440 + m) % 64;
}

/* Days wait for the hours behind them; hours without are those of every day. The last minute counts whole. */
static bool
add_time(struct squid_values *v, struct span value, const char **why)
{
	static const char letters[] = "SMTWHFA";
	char              text[16];
	unsigned          h1, m1, h2, m2;
	int               used = 0;

	if (value.p[0] < '0' || value.p[0] > '9') {
		for (size_t i = 0; i < value.n; i++) {
			const char *at = memchr(letters, value.p[i], 7);
			if (at)
				v->days |= 1u << (at - letters);
			else if (value.p[i] == 'D')
				v->days |= 0x3e;
			else if (value.p[i] != '-') {
				*why = "a letter is no day";
				return false;
			}
		}
		return true;
	}
	*why = "this is no time of the day, such as 08:00-17:00";
	if (value.n >= sizeof text)
		return false;
	memcpy(text, value.p, value.n);
	text[value.n] = '\0';
	if (sscanf(text, "%2u:%2u-%2u:%2u%n", &h1, &m1, &h2, &m2, &used) != 4 || (size_t)used != value.n)
		return false;
	if (h1 > 23 || m1 > 59 || m2 > 59 || h2 > 24 || (h2 == 24 && m2 > 0) || h1 * 60 + m1 > h2 * 60 + m2)
		return false;
	add_minutes(v, v->days ? v->days : 0x7f, h1 * 60 + m1, h2 * 60 + m2);
	v->days = 0;
	return true;
}

static bool
add_step(struct squid_values *v, struct span value, const char **why)
{
	static const char *const steps[] = {"SslBump1", "SslBump2", "SslBump3"};

	for (unsigned i = 0; i < 3; i++)
		if (span_eq_nocase(value, span_str(steps[i]))) {
			v->a->bits[0] |= 1u << i;
			return true;
		}
	*why = "this is no step of ssl_bump";
	return false;
}

/* --- people --- */

static bool
add_name(struct squid_values *v, struct span value, const char **why)
{
	bool bare = value.n > 0;

	if (v->a->kind == ACL_USER && span_eq(value, SPAN("REQUIRED"))) {
		v->a->required = true;
		return true;
	}
	if (!squid_is_plain(value) || value.n > ITEM_MOST - 4) {
		*why = "a name of a user or group has no quotes and no control bytes";
		return false;
	}
	for (size_t i = 0; i < value.n; i++) {
		char c = ascii_lower(value.p[i]);
		bare = bare && ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || memchr("._-\\@$", c, 6));
	}
	/* in quotes it is a plain name, whatever it looks like */
	if (!bare || value.p[0] == '@' || span_eq_nocase(value, SPAN("computers")) || span_eq_nocase(value, SPAN("nobody")))
		value = arena_printf(&v->s->arena, "\"%.*s\"", SPAN_ARG(value));
	return item_put(v, &v->a->items, value);
}

/* --- what is read of requests --- */

static bool
put_regex(struct squid_values *v, const char *before, const char *behind, struct span regex)
{
	struct span text;
	bool        wrap = regex.n > 0 && (!memchr("^(\\[.", regex.p[0], 5) && !((regex.p[0] >= '0' && regex.p[0] <= '9') ||
                            (ascii_lower(regex.p[0]) >= 'a' && ascii_lower(regex.p[0]) <= 'z')));

	text = arena_printf(&v->s->arena, "%s%s%s%.*s%s%s", v->any_case ? "(?i)" : "", before, wrap ? "(?:" : "", SPAN_ARG(regex), wrap ? ")" : "", behind);
	if (v->a->kind == ACL_HEADER)
		text = arena_printf(&v->s->arena, "\"%.*s: %.*s\"", SPAN_ARG(v->header), SPAN_ARG(text));
	else
		text = squid_quote(v->s, text);
	return text.n <= ITEM_MOST + 2 && item_put(v, &v->a->items, text);
}

static bool
add_url(struct squid_values *v, struct span value, const char **why)
{
	size_t            n;
	enum squid_reach  reach = squid_regex_reach(value, v->any_case);
	bool              path = span_eq(v->a->type, SPAN("urlpath_regex"));
	const char       *before = "", *behind = "";
	struct span       regex;

	if (!squid_regex_convert(value, v->scratch, &n, why))
		return false;
	*why = "it is longer than a line of the ini";
	if (n > ITEM_MOST - 40)
		return false;
	regex = span_of(v->scratch, n);
	if (path) {
		const char *hat = memchr(regex.p, '^', n);
		if (hat == regex.p && !memchr(regex.p + 1, '^', n - 1) && !memchr(regex.p, '|', n)) {
			before = "^[a-z]+://[^/]+";
			regex = span_of(regex.p + 1, n - 1);
		} else if (!hat) {
			before = "^[a-z]+://[^/]+(?=/).*(?:";
			behind = ")";
		} else {
			*why = "a ^ inside of it cannot be tied to the path; write a rule with url = REGEX";
			return false;
		}
	} else if (reach == REGEX_OPEN) {
		v->a->connect_open = true;
	} else if (reach == REGEX_HOST && !add_host_regex(v, &v->a->on_connect, value, why)) {
		return false;
	}
	return put_regex(v, before, behind, regex);
}

static bool
add_header(struct squid_values *v, struct span value, const char **why)
{
	size_t n;

	v->a->connect_open = true;
	for (size_t i = 0; i < v->header.n; i++)
		if (!(ascii_lower(v->header.p[i]) >= 'a' && ascii_lower(v->header.p[i]) <= 'z') && v->header.p[i] != '-' && !(v->header.p[i] >= '0' && v->header.p[i] <= '9')) {
			*why = "this is no name of a header field";
			return false;
		}
	if (!v->header.n || v->header.n > 40 || span_eq_nocase(v->header, SPAN("Cookie")) || span_eq_nocase(v->header, SPAN("Authorization")) ||
	    span_eq_nocase(v->header, SPAN("Proxy-Authorization"))) {
		*why = "secrets of requests are no condition here";
		return false;
	}
	if (!squid_regex_convert(value, v->scratch, &n, why))
		return false;
	*why = "it is longer than a line of the ini";
	return n <= ITEM_MOST - 60 && put_regex(v, "", "", span_of(v->scratch, n));
}

/* --- all of them --- */

char *
squid_values_scratch(struct squid *s)
{
	if (!s->scratch)
		s->scratch = arena_take(&s->arena, 4 * SQUID_LINE_MOST + 64);
	return s->scratch;
}

bool
squid_value_add(struct squid_values *v, struct span value, const char **why)
{
	struct squid_acl *a = v->a;

	*why = "out of memory";
	if (value.n == 0)
		return true;
	if (!a->bits && (a->kind == ACL_PORT || a->kind == ACL_TIME || a->kind == ACL_SCHEME || a->kind == ACL_STEP || a->kind == ACL_LISTENER)) {
		a->bits = arena_take(&v->s->arena, 1024 * sizeof *a->bits);
		if (!a->bits)
			return false;
	}
	switch (a->kind) {
	case ACL_HOST:
		return memmem(a->type.p, a->type.n, "regex", 5) ? add_host_regex(v, &a->items, value, why) : add_domain(v, value, why);
	case ACL_CLIENT:
	case ACL_ADDRESS:
		return add_network(v, value, why);
	case ACL_PORT:
		return add_port(v, value, why);
	case ACL_METHOD:
		return add_method(v, value, why);
	case ACL_SCHEME:
		return add_scheme(v, value);
	case ACL_TIME:
		return add_time(v, value, why);
	case ACL_STEP:
		return add_step(v, value, why);
	case ACL_USER:
	case ACL_GROUP:
		return add_name(v, value, why);
	case ACL_LISTENER: /* which that are is known when all ports have been read */
		return item_put(v, &a->items, value);
	case ACL_URL:
		return add_url(v, value, why);
	case ACL_HEADER:
		return add_header(v, value, why);
	default:
		*why = a->why.n ? a->why.p : "it cannot be said";
		return false;
	}
}

void
squid_values_end(struct squid_values *v)
{
	if (v->a->kind == ACL_TIME && v->days && v->a->bits)
		add_minutes(v, v->days, 0, 1439);
}
