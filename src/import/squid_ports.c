/* SPDX-License-Identifier: MIT */
/*
 * squid_ports: http_port and https_port as listeners, cache_peer as parents.
 */
#include <stdlib.h>

#include "base/addr.h"
#include "import/squid_inside.h"
#include "parse/hostname.h"

/* 0: it is none. */
static unsigned
port_of(struct span s)
{
	char          text[8], *end;
	unsigned long v;

	if (!s.n || s.n >= sizeof text)
		return 0;
	memcpy(text, s.p, s.n);
	text[s.n] = '\0';
	v = strtoul(text, &end, 10);
	return *end || text[0] < '0' || text[0] > '9' || v > 65535 ? 0 : (unsigned)v;
}

/* 3128, 192.0.2.1:3128, [2001:db8::1]:3128; names are looked up by nobody here. */
static bool
address_read(struct squid *s, struct span in, struct squid_port *out)
{
	const char *colon = memrchr(in.p, ':', in.n);
	struct span host = span_of(in.p, colon ? (size_t)(colon - in.p) : 0);
	struct addr a;
	char        text[ADDR_TEXT_MAX];

	out->port = (uint16_t)port_of(colon ? span_of(colon + 1, in.n - host.n - 1) : in);
	if (!out->port)
		return false;
	if (host.n > 2 && host.p[0] == '[' && host.p[host.n - 1] == ']')
		host = span_of(host.p + 1, host.n - 2);
	if (host.n == 0 || span_eq(host, SPAN("*"))) {
		out->address = arena_printf(&s->arena, "*:%u", out->port);
		return true;
	}
	if (!addr_parse(host, &a))
		return false;
	addr_print(&a, text);
	out->address = arena_printf(&s->arena, addr_is_v4(&a) ? "%s:%u" : "[%s]:%u", text, out->port);
	return true;
}

static struct span
after(struct span word, struct span key)
{
	return word.n > key.n && memcmp(word.p, key.p, key.n) == 0 ? span_of(word.p + key.n, word.n - key.n) : (struct span){0};
}

/* A path that may stand in the ini as it is. */
static struct span
path_of(struct squid *s, const struct squid_line *line, struct span in)
{
	if (squid_is_plain(in) && in.n < 160 && !memchr(in.p, ';', in.n) && !memchr(in.p, ' ', in.n))
		return in;
	squid_note(s, SQUID_TODO, line, "left out: the path of a file has no blanks, quotes or semicolons");
	return (struct span){0};
}

static void
port_word(struct squid *s, struct squid_port *p, struct span word)
{
	struct span v;

	if (span_eq(word, SPAN("intercept")) || span_eq(word, SPAN("transparent")) || span_eq(word, SPAN("tproxy")))
		p->transparent = true;
	else if (span_eq(word, SPAN("ssl-bump")) || span_eq(word, SPAN("sslBump")))
		p->bump = true;
	else if (span_eq(word, SPAN("require-proxy-header")))
		p->proxy_header = true;
	else if ((v = after(word, SPAN("name="))).n)
		p->named = v;
	else if ((v = after(word, SPAN("tls-cert="))).n || (v = after(word, SPAN("cert="))).n)
		p->cert = path_of(s, p->from, v);
	else if ((v = after(word, SPAN("tls-key="))).n || (v = after(word, SPAN("key="))).n)
		p->key = path_of(s, p->from, v);
	else if (span_eq(word, SPAN("accel")) || span_eq(word, SPAN("vhost")))
		squid_note(s, SQUID_DIFFERS, p->from, "there is no reverse proxy here; this listener is one for clients that know of it");
}

void
squid_port_read(struct squid *s, const struct squid_line *line)
{
	struct squid_port  p = {.from = line, .is_tls = span_eq(line->name, SPAN("https_port"))};
	struct squid_words w;
	struct span        word;
	char               made[SQUID_NAME + 1];

	squid_words_begin(&w, s, line, false);
	word = squid_word_plain(&w);
	if (s->n_ports == SQUID_PORTS_MOST) {
		squid_fail(s, "more than %u ports", SQUID_PORTS_MOST);
		return;
	}
	if (!address_read(s, word, &p)) {
		squid_note(s, SQUID_TODO, line, "left out: say an address and a port; names are not looked up");
		return;
	}
	p.named = word;
	while ((word = squid_word_plain(&w)).n > 0)
		port_word(s, &p, word);
	snprintf(made, sizeof made, "port-%u", p.port);
	if (!memchr(p.named.p, ':', p.named.n) && port_of(p.named) == 0)
		squid_name_make(made, p.named);
	snprintf(p.name, sizeof p.name, "%.48s", made);
	for (size_t i = 0; i < s->n_ports; i++)
		if (strcmp(s->port[i].name, p.name) == 0)
			snprintf(p.name, sizeof p.name, "%.48s-%zu", made, s->n_ports + 1);
	if (p.proxy_header)
		squid_note(s, SQUID_TODO, line, "name the balancers in proxy-protocol-from of [listener %s]; until then their header is a bad request", p.name);
	if (p.is_tls && !p.transparent && !p.cert.n)
		squid_note(s, SQUID_TODO, line, "say tls-cert and tls-key in [listener %s]", p.name);
	s->port[s->n_ports++] = p;
}

static void
peer_word(struct squid *s, struct squid_peer *p, struct span word)
{
	struct span v;

	if ((v = after(word, SPAN("name="))).n) {
		p->called = v;
	} else if ((v = after(word, SPAN("weight="))).n) {
		p->weight = port_of(v);
	} else if ((v = after(word, SPAN("login="))).n) {
		p->login = v;
	} else if (span_eq(word, SPAN("ssl")) || span_eq(word, SPAN("tls"))) {
		squid_note(s, SQUID_DIFFERS, p->from, "parents are spoken to in the clear");
	} else if (span_eq(word, SPAN("originserver"))) {
		squid_note(s, SQUID_DIFFERS, p->from, "there is no reverse proxy here, and this is no proxy");
	}
}

/* How to log on there; the password itself is not brought over. */
static void
login_note(struct squid *s, const struct squid_peer *p)
{
	struct span v = p->login;

	if (v.n == 0)
		return;
	if (span_eq(v, SPAN("NEGOTIATE")) || after(v, SPAN("NEGOTIATE:")).n > 0)
		squid_note(s, SQUID_TODO, p->from, "say auth = negotiate and keytab = FILE in [parent %s]", p->name);
	else if (span_eq(v, SPAN("PASS")) || span_eq(v, SPAN("PASSTHRU")) || span_eq(v, SPAN("PROXYPASS")) || v.p[0] == '*')
		squid_note(s, SQUID_DIFFERS, p->from, "what a client says of itself is never passed on to a parent");
	else
		squid_note(s, SQUID_TODO, p->from, "say auth = basic and credentials = FILE in [parent %s], the file with this user:password, mode 0600", p->name);
}

void
squid_peer_read(struct squid *s, const struct squid_line *line)
{
	struct squid_peer  p = {.from = line, .weight = 1};
	struct squid_words w;
	struct span        host, kind, word;
	struct host        h;
	char               made[SQUID_NAME + 1];

	squid_words_begin(&w, s, line, false);
	host = squid_word_plain(&w);
	kind = squid_word_plain(&w);
	p.port = (uint16_t)port_of(squid_word_plain(&w));
	squid_word_plain(&w); /* ICP */
	if (!span_eq(kind, SPAN("parent"))) {
		squid_note(s, SQUID_UNNEEDED, line, "left out: no parent; there is no cache to share");
		return;
	}
	if (!host_parse(host, &h) || !p.port || s->n_peers == SQUID_PEERS_MOST) {
		squid_note(s, SQUID_DIFFERS, line, s->n_peers == SQUID_PEERS_MOST ? "left out: a rule names at most eight parents" : "left out: no host and port");
		return;
	}
	p.called = host;
	p.host = arena_printf(&s->arena, h.kind == HOST_ADDR && !addr_is_v4(&h.addr) ? "[%s]" : "%s", h.text);
	while ((word = squid_word_plain(&w)).n > 0)
		peer_word(s, &p, word);
	squid_name_make(made, p.called);
	snprintf(p.name, sizeof p.name, "%.40s", made);
	for (size_t i = 0; i < s->n_peers; i++)
		if (strcmp(s->peer[i].name, p.name) == 0)
			snprintf(p.name, sizeof p.name, "%.40s-%zu", made, s->n_peers + 1);
	login_note(s, &p);
	s->peer[s->n_peers++] = p;
}
