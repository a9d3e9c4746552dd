/* SPDX-License-Identifier: MIT */
#include "conf/value.h"

#include <net/if.h>

bool
value_number(struct span s, uint64_t *out)
{
	uint64_t v = 0;

	if (s.n == 0)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		unsigned d = (unsigned)(s.p[i] - '0');
		if (d > 9 || __builtin_mul_overflow(v, 10u, &v) || __builtin_add_overflow(v, d, &v))
			return false;
	}
	*out = v;
	return true;
}

struct unit {
	struct span word;
	uint64_t    factor;
};

static bool
value_with_unit(struct span s, const struct unit *units, size_t n_units, uint64_t *out)
{
	size_t   digits = 0;
	uint64_t v;

	while (digits < s.n && s.p[digits] >= '0' && s.p[digits] <= '9')
		digits++;
	if (!value_number(span_of(s.p, digits), &v))
		return false;
	s = span_of(s.p + digits, s.n - digits);
	for (size_t i = 0; i < n_units; i++)
		if (span_eq_nocase(s, units[i].word))
			return !__builtin_mul_overflow(v, units[i].factor, out);
	return false;
}

bool
value_size(struct span s, uint64_t *out)
{
	static const struct unit units[] = {{SPAN(""), 1}, {SPAN("k"), 1u << 10}, {SPAN("m"), 1u << 20}, {SPAN("g"), 1u << 30}};

	return value_with_unit(s, units, sizeof units / sizeof *units, out);
}

bool
value_time(struct span s, uint64_t *ms)
{
	static const struct unit units[] = {{SPAN("ms"), 1}, {SPAN("s"), 1000}, {SPAN("m"), 60000}, {SPAN("h"), 3600000}};

	if (span_eq(s, SPAN("0"))) {
		*ms = 0;
		return true;
	}
	return value_with_unit(s, units, sizeof units / sizeof *units, ms);
}

/* The word at the front of `s`, and the blanks after it, go. */
static struct span
word_take(struct span *s)
{
	size_t n = 0, at;

	while (n < s->n && s->p[n] != ' ' && s->p[n] != '\t')
		n++;
	for (at = n; at < s->n && (s->p[at] == ' ' || s->p[at] == '\t'); at++)
		;
	struct span word = span_of(s->p, n);
	*s = span_of(s->p + at, s->n - at);
	return word;
}

bool
value_rate(struct span s, struct conf_rate *out)
{
	struct span count = word_take(&s), per = word_take(&s), time = word_take(&s);
	uint64_t    n, ms;

	if (per.n == 0 && (span_eq(count, SPAN("0")) || span_eq(count, SPAN("none")))) {
		*out = (struct conf_rate){0};
		return true;
	}
	if (s.n || !span_eq(per, SPAN("per")) || !value_number(count, &n) || n > 1000000 || !value_time(time, &ms) || !ms)
		return false;
	*out = (struct conf_rate){(uint32_t)n, ms};
	return true;
}

static bool
value_port(struct span s, uint64_t least, uint16_t *out)
{
	uint64_t v;

	if (s.n > 5 || !value_number(s, &v) || v < least || v > UINT16_MAX)
		return false;
	*out = (uint16_t)v;
	return true;
}

bool
value_ports(struct span s, struct port_range *out)
{
	const char *dash = s.n ? memchr(s.p, '-', s.n) : NULL;
	size_t      n = dash ? (size_t)(dash - s.p) : s.n;

	if (!value_port(span_of(s.p, n), 1, &out->first))
		return false;
	out->last = out->first;
	if (dash && !value_port(span_of(dash + 1, s.n - n - 1), 1, &out->last))
		return false;
	return out->first <= out->last;
}

/* fe80::1%eth0 or fe80::1%2: a zone only where one is needed (RFC 4007 11) */
static bool
zoned_addr(struct span s, struct endpoint *out)
{
	const char *percent = memchr(s.p, '%', s.n);
	char        zone[IF_NAMESIZE];
	uint64_t    index;
	size_t      n;

	if (!percent)
		return addr_parse(s, &out->addr);
	n = s.n - (size_t)(percent - s.p) - 1;
	if (n == 0 || n >= sizeof zone || !addr_parse(span_of(s.p, s.n - n - 1), &out->addr))
		return false;
	if (out->addr.b[0] != 0xfe || (out->addr.b[1] & 0xc0) != 0x80)
		return false;
	memcpy(zone, percent + 1, n);
	zone[n] = '\0';
	if (value_number(span_of(zone, n), &index))
		out->scope = index <= UINT32_MAX ? (uint32_t)index : 0;
	else
		out->scope = if_nametoindex(zone);
	return out->scope != 0;
}

bool
value_endpoint(struct span s, const uint16_t *port, struct endpoint *out)
{
	const char *end;
	size_t      n;

	*out = (struct endpoint){.port = port ? *port : 0};
	if (s.n && s.p[0] == '[') {
		end = memchr(s.p, ']', s.n);
		if (!end || !zoned_addr(span_of(s.p + 1, (size_t)(end - s.p) - 1), out) || addr_is_v4(&out->addr))
			return false;
		n = (size_t)(end - s.p) + 1;
		if (n == s.n)
			return port != NULL;
		return s.p[n] == ':' && value_port(span_of(s.p + n + 1, s.n - n - 1), 0, &out->port);
	}
	if (port && s.n && zoned_addr(s, out))
		return true;
	end = s.n ? memrchr(s.p, ':', s.n) : NULL;
	if (!end)
		return false;
	n = (size_t)(end - s.p);
	return addr_parse(span_of(s.p, n), &out->addr) && addr_is_v4(&out->addr) && value_port(span_of(end + 1, s.n - n - 1), 0, &out->port);
}

static bool
is_separator(char c)
{
	return c == ' ' || c == '\t' || c == ',';
}

static bool
item_fail(char why[ITEM_WHY], const char *text)
{
	snprintf(why, ITEM_WHY, "%s", text);
	return false;
}

bool
item_next(struct span *rest, struct conf_item *out, char why[ITEM_WHY])
{
	const char *p = rest->p, *end = p + rest->n, *start;

	why[0] = '\0';
	while (p < end && is_separator(*p))
		p++;
	out->negated = out->quoted = false;
	if (p == end) {
		*rest = span_of(p, 0);
		return false;
	}
	if (*p == '!') {
		out->negated = true;
		p++;
	}
	if (p < end && *p == '"') {
		start = ++p;
		while (p < end && *p != '"')
			p++;
		out->quoted = true;
		out->text = span_of(start, (size_t)(p - start));
		if (p == end)
			return item_fail(why, "the quote is not closed on its line");
		if (++p < end && !is_separator(*p))
			return item_fail(why, "after a closing quote comes a blank or a comma");
	} else {
		start = p;
		while (p < end && !is_separator(*p))
			p++;
		out->text = span_of(start, (size_t)(p - start));
	}
	*rest = span_of(p, (size_t)(end - p));
	if (out->text.n == 0)
		return item_fail(why, out->quoted ? "an item is empty" : "\"!\" stands alone; the item follows it at once");
	if (out->negated && !out->quoted && out->text.p[0] == '!')
		return item_fail(why, "\"!!\" is no negation; one \"!\" negates");
	return true;
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* What stands in quotes at *p, past its opening one; moves *p behind the closing one. */
static bool
quoted_take(const char **p, const char *end, struct conf_item *out, char why[ITEM_WHY])
{
	const char *start = *p, *close = memchr(start, '"', (size_t)(end - start));

	if (!close)
		return item_fail(why, "the quote is not closed on its line");
	out->quoted = true;
	out->text = span_of(start, (size_t)(close - start));
	*p = close + 1;
	while (*p < end && is_blank(**p))
		++*p;
	return *p == end || **p == ',' || item_fail(why, "after a closing quote comes a comma");
}

bool
name_next(struct span *rest, struct conf_item *out, char why[ITEM_WHY])
{
	const char *p = rest->p, *end = p + rest->n, *start;

	why[0] = '\0';
	while (p < end && is_separator(*p))
		p++;
	out->negated = out->quoted = false;
	out->text = span_of(p, 0);
	if (p == end) {
		*rest = span_of(p, 0);
		return false;
	}
	if (*p == '!') {
		out->negated = true;
		p++;
	}
	if (p < end && *p == '"') {
		p++;
		if (!quoted_take(&p, end, out, why))
			return false;
	} else {
		start = p;
		while (p < end && *p != ',')
			p++;
		out->text = span_of(start, (size_t)(p - start));
		while (out->text.n && is_blank(out->text.p[out->text.n - 1]))
			out->text.n--;
		if (memchr(start, '"', out->text.n))
			return item_fail(why, "a quote stands inside a name; put the whole name in quotes, and a comma after it");
	}
	*rest = span_of(p, (size_t)(end - p));
	if (out->text.n == 0)
		return item_fail(why, out->quoted ? "an item is empty" : "\"!\" stands alone; the item follows it at once");
	if (out->negated && !out->quoted && (out->text.p[0] == '!' || is_blank(out->text.p[0])))
		return item_fail(why, out->text.p[0] == '!' ? "\"!!\" is no negation; one \"!\" negates" : "after \"!\" the name follows at once");
	return true;
}
