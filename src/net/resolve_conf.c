/* SPDX-License-Identifier: MIT */
#include "net/resolve_conf.h"

#include <net/if.h>
#include <stdio.h>

#include "net/resolve_text.h"

/* fe80::1%eth0 or %2: a zone as name or number. */
static bool
scope_read(struct span zone, uint32_t *scope)
{
	char     name[IF_NAMESIZE];
	unsigned v = 0;
	size_t   i;

	for (i = 0; i < zone.n && i < 9 && zone.p[i] >= '0' && zone.p[i] <= '9'; i++)
		v = v * 10 + (unsigned)(zone.p[i] - '0');
	if (i < zone.n) {
		if (zone.n >= sizeof name)
			return false;
		memcpy(name, zone.p, zone.n);
		name[zone.n] = '\0';
		v = if_nametoindex(name);
	}
	*scope = v;
	return v != 0;
}

static void
server_read(struct resolv_conf *c, struct span word)
{
	struct endpoint e = {.port = 53};
	const char     *zone = word.n ? memchr(word.p, '%', word.n) : NULL;

	if (c->n_servers == RESOLV_SERVERS_MAX)
		return;
	if (zone) {
		size_t n = (size_t)(zone - word.p);
		if (!scope_read(span_of(zone + 1, word.n - n - 1), &e.scope))
			return;
		word.n = n;
	}
	if (addr_parse(word, &e.addr))
		c->servers[c->n_servers++] = e;
}

/* True when `s` can stand behind a name: labels of 1 to 63 bytes that need no escape. */
static bool
domain_is_fit(struct span s)
{
	size_t label = 0;

	if (s.n == 0 || s.n > RESOLV_NAME_MAX)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		label = s.p[i] == '.' ? 0 : label + 1;
		if ((label == 0 && (i == 0 || s.p[i - 1] == '.')) || label > 63 || s.p[i] == '\\' || s.p[i] <= ' ' || s.p[i] == 0x7f)
			return false;
	}
	return label > 0;
}

/* The last `search` or `domain` line holds. */
static void
search_read(struct resolv_conf *c, struct span words, unsigned most)
{
	char *to = c->text;

	c->n_search = 0;
	while (c->n_search < most) {
		struct span word = text_word(&words);
		if (word.n == 0)
			return;
		if (word.p[word.n - 1] == '.')
			word.n--; /* "." alone is the root: nothing to append */
		if (!domain_is_fit(word))
			continue;
		c->search[c->n_search++] = span_of(to, word.n);
		for (size_t i = 0; i < word.n; i++)
			*to++ = ascii_lower(word.p[i]);
	}
}

/* "name:N" with N held between least and most. */
static void
number_read(struct span word, struct span name, unsigned least, unsigned most, unsigned *out)
{
	unsigned v = 0;

	if (word.n <= name.n || !span_eq(span_of(word.p, name.n), name))
		return;
	for (size_t i = name.n; i < word.n; i++) {
		if (word.p[i] < '0' || word.p[i] > '9')
			return;
		v = v * 10 + (unsigned)(word.p[i] - '0');
		if (v > most)
			v = most;
	}
	*out = v < least ? least : v;
}

static void
options_read(struct resolv_conf *c, struct span words)
{
	struct span word;

	while ((word = text_word(&words)).n) {
		number_read(word, SPAN("ndots:"), 0, 15, &c->ndots);
		number_read(word, SPAN("timeout:"), 1, 30, &c->timeout_s);
		number_read(word, SPAN("attempts:"), 1, 5, &c->attempts);
		if (span_eq(word, SPAN("rotate")))
			c->rotate = true;
		else if (span_eq(word, SPAN("use-vc")))
			c->use_vc = true;
		else if (span_eq(word, SPAN("no-tld-query")))
			c->no_tld_query = true;
	}
}

void
resolv_conf_read(struct resolv_conf *c, struct span bytes, struct span hostname)
{
	const char *dot = hostname.n ? memchr(hostname.p, '.', hostname.n) : NULL;

	*c = (struct resolv_conf){.ndots = 1, .timeout_s = 5, .attempts = 2};
	if (dot)
		search_read(c, span_of(dot + 1, hostname.n - (size_t)(dot + 1 - hostname.p)), 1);
	while (bytes.n) {
		struct span line = text_line(&bytes);
		if (line.n == 0 || line.p[0] == '#' || line.p[0] == ';' || text_is_blank(line.p[0]))
			continue; /* the keyword begins the line */
		struct span key = text_word(&line);
		if (span_eq(key, SPAN("nameserver")))
			server_read(c, text_word(&line));
		else if (span_eq(key, SPAN("search")))
			search_read(c, line, RESOLV_SEARCH_MAX);
		else if (span_eq(key, SPAN("domain")))
			search_read(c, line, 1);
		else if (span_eq(key, SPAN("options")))
			options_read(c, line);
	}
	if (c->n_servers == 0)
		c->servers[c->n_servers++] = (struct endpoint){.addr = addr_from_v4(INADDR_LOOPBACK), .port = 53};
}

bool
resolv_conf_candidate(const struct resolv_conf *c, struct span name, unsigned i, char buf[RESOLV_NAME_MAX + 1], bool *as_is)
{
	bool     absolute = name.n && name.p[name.n - 1] == '.', first;
	unsigned dots = 0, total;

	name.n -= absolute;
	for (size_t k = 0; k < name.n; k++)
		dots += name.p[k] == '.';
	/* a name with a dot is taken as it stands, whatever ndots says: what was decided by its full name must not be looked for below another */
	absolute |= dots > 0;
	first = absolute || c->ndots == 0;
	total = absolute ? 1 : c->n_search + !(c->no_tld_query && dots == 0 && !first);
	if (i >= total)
		return false;
	*as_is = i == (first ? 0 : c->n_search);
	struct span suffix = *as_is ? (struct span){0} : c->search[first ? i - 1 : i];
	if (name.n + (suffix.n ? 1 + suffix.n : 0) > RESOLV_NAME_MAX)
		buf[0] = '\0';
	else if (suffix.n)
		snprintf(buf, RESOLV_NAME_MAX + 1, "%.*s.%.*s", SPAN_ARG(name), SPAN_ARG(suffix));
	else
		snprintf(buf, RESOLV_NAME_MAX + 1, "%.*s", SPAN_ARG(name));
	return true;
}
