/* SPDX-License-Identifier: MIT */
/*
 * pac: writes the file. JavaScript of 1996: the engine of WinHTTP knows no more.
 */
#include "policy/pac.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "parse/authority.h"

#define PROXIES_MOST 16u

/* FindProxyForURL without its tables: whole(host), below(host), by bits. */
static const char program[] =
    "var has = Object.prototype.hasOwnProperty;\n"
    "function find(table, name, bits) {\n"
    "  return has.call(table, name) && (table[name] & bits) != 0;\n"
    "}\n"
    "function isDirect(host, bits) {\n"
    "  var i, at, literal = /^\\d+\\.\\d+\\.\\d+\\.\\d+$/.test(host);\n"
    "  if (literal) {\n"
    "    for (i = 0; i < networks.length; i++)\n"
    "      if (isInNet(host, networks[i][0], networks[i][1])) return true;\n"
    "    return false;\n"
    "  }\n"
    "  if (find(names, host, bits)) return true;\n"
    "  for (at = host.indexOf(\".\"); at >= 0; at = host.indexOf(\".\", at + 1))\n"
    "    if (find(domains, host.substring(at + 1), bits)) return true;\n"
    "  for (i = 0; i < globs.length; i++)\n"
    "    if ((globs[i][1] & bits) != 0 && globs[i][0].test(host)) return true;\n"
    "  return false;\n"
    "}\n"
    "function FindProxyForURL(url, host) {\n"
    "  var parts = /^([a-z][a-z0-9+.-]*):\\/\\/[^\\/?#]*?(?::(\\d+))?(?:[\\/?#]|$)/i.exec(url), scheme, port, bits = 4;\n"
    "  host = host.toLowerCase();\n"
    "  if (host.charAt(host.length - 1) == \".\") host = host.substring(0, host.length - 1);\n"
    "  if (plain && host.indexOf(\".\") < 0 && host.indexOf(\":\") < 0) return \"DIRECT\";\n"
    "  if (parts) {\n"
    "    scheme = parts[1].toLowerCase();\n"
    "    port = parts[2];\n"
    "    if ((scheme == \"http\" || scheme == \"ws\") && (!port || port == \"80\")) bits |= 1;\n"
    "    if ((scheme == \"https\" || scheme == \"wss\") && (!port || port == \"443\")) bits |= 2;\n"
    "  }\n"
    "  return isDirect(host, bits) ? \"DIRECT\" : proxies;\n"
    "}\n";

static int
by_text(const void *x, const void *y)
{
	const struct pac_entry *const *a = x, *const *b = y;

	return strcmp((*a)->text, (*b)->text);
}

/* Canonical names hold nothing that JavaScript would take for more than a text. False: no memory. */
static bool
write_table(FILE *to, const char *name, const struct pac_hosts *h, bool below)
{
	const struct pac_entry **v = calloc(h->n + 1, sizeof(struct pac_entry *));
	size_t                   n = 0;

	if (!v)
		return false;
	for (size_t i = 0; i < h->n; i++) {
		const struct pac_entry *e = &h->v[i];
		bool                    fits = below ? e->kind == SPEC_BELOW || e->kind == SPEC_TREE : e->kind == SPEC_EXACT || e->kind == SPEC_TREE;
		if (!e->dropped && fits)
			v[n++] = e;
	}
	qsort(v, n, sizeof *v, by_text);
	fprintf(to, "var %s = {", name);
	for (size_t i = 0, next; i < n; i = next) {
		unsigned bits = 0;
		for (next = i; next < n && strcmp(v[next]->text, v[i]->text) == 0; next++)
			bits |= v[next]->bits;
		fprintf(to, "%s\n  \"%s\": %u", i ? "," : "", v[i]->text, bits);
	}
	fputs("\n};\n", to);
	free(v);
	return true;
}

static void
write_globs(FILE *to, const struct pac_hosts *h)
{
	const char *comma = "";

	fputs("var globs = [", to);
	for (size_t i = 0; i < h->n; i++) {
		if (h->v[i].dropped || h->v[i].kind != SPEC_GLOB)
			continue;
		fprintf(to, "%s\n  [/^", comma);
		for (const char *p = h->v[i].text; *p; p++)
			fprintf(to, *p == '*' ? ".%c" : *p == '.' ? "\\%c" : "%c", *p);
		fprintf(to, "$/, %u]", h->v[i].bits);
		comma = ",";
	}
	fputs("\n];\n", to);
}

static void
write_networks(FILE *to, const struct pac_hosts *h)
{
	const char *comma = "";

	fputs("var networks = [", to);
	for (size_t i = 0; i < h->n; i++)
		if (h->v[i].kind == SPEC_ADDR) {
			fprintf(to, "%s\n  [%s]", comma, h->v[i].text);
			comma = ",";
		}
	fputs("\n];\n", to);
}

/* --- proxies --- */

/* The first place where clients that know of a proxy find one. */
static const struct conf_listener *
first_explicit(const struct conf *c)
{
	const struct conf_listener *l;

	TAILQ_FOREACH (l, &c->listeners, link)
		if (l->mode == LISTENER_EXPLICIT && l->address.n && !l->proxy_from.n)
			return l;
	return NULL;
}

static bool
write_proxy(FILE *to, const struct conf_item *item, const char *between)
{
	struct span      text = item->text;
	bool             tls = text.n > 8 && memcmp(text.p, "https://", 8) == 0, literal6;
	struct authority at;

	if (tls)
		text = span_of(text.p + 8, text.n - 8);
	if (!authority_parse(text, &at) || !at.port)
		return false;
	literal6 = at.host.kind == HOST_ADDR && !addr_is_v4(&at.host.addr);
	fprintf(to, "%s%s %s%s%s:%u", between, tls ? "HTTPS" : "PROXY", literal6 ? "[" : "", at.host.text, literal6 ? "]" : "", at.port);
	return true;
}

static void
write_proxies(FILE *to, const struct conf *c, struct report *r)
{
	const struct conf_pac      *p = &c->pac;
	const struct conf_listener *l = first_explicit(c);

	fputs("var proxies = \"", to);
	for (size_t i = 0; i < p->proxy.n && i < PROXIES_MOST; i++)
		if (!write_proxy(to, &p->proxy.v[i], i ? "; " : ""))
			report_error(r, p->proxy.v[i].at, "proxy = %.*s: want HOST:PORT of this gateway as clients know it, or https://HOST:PORT where they speak TLS to it",
			    SPAN_ARG(p->proxy.v[i].text));
	if (p->proxy.n > PROXIES_MOST)
		report_error(r, p->proxy.v[PROXIES_MOST].at, "proxy names more than %u; keep the nearest ones", PROXIES_MOST);
	if (!p->proxy.n && l)
		fprintf(to, "%s %s:%u", l->tls_cert ? "HTTPS" : "PROXY", c->gateway.visible_name, l->address.v[0].port);
	else if (!p->proxy.n)
		report_error(r, p->at, "[pac] needs proxy = HOST:PORT: there is no listener that clients reach by themselves");
	fprintf(to, "%s\";\n", p->fallback == PAC_FALLBACK_DIRECT ? "; DIRECT" : "");
}

struct flat_ref
pac_compile(const struct conf *c, struct flat *f, struct report *r)
{
	struct flat_ref  ref = {0, 0};
	struct pac_hosts hosts;
	char            *text = NULL;
	size_t           n = 0;
	FILE            *to;
	bool             ok;

	if (!c->pac.present)
		return ref;
	ok = pac_hosts_gather(c, &hosts, r);
	to = ok ? open_memstream(&text, &n) : NULL;
	if (to) {
		fputs("// Where this network's proxy is, and which hosts need none.\n", to);
		write_proxies(to, c, r);
		fprintf(to, "var plain = %s;\n", c->pac.plain_names ? "true" : "false");
		ok = write_table(to, "names", &hosts, false) && write_table(to, "domains", &hosts, true);
		write_globs(to, &hosts);
		write_networks(to, &hosts);
		fputs(program, to);
		ok = fclose(to) == 0 && ok;
	}
	if (!to || !ok)
		report_error(r, c->pac.at, "out of memory while proxy.pac is made");
	else
		ref = flat_add_text(f, span_of(text, n));
	free(text);
	pac_hosts_clear(&hosts);
	return ref;
}
