/* SPDX-License-Identifier: MIT */
/*
 * set: stores one value or item where its row of the option table says, or reports what would be right.
 */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conf/load.h"
#include "conf/value.h"
#include "match/addr_set.h"

static void *
field(const struct option *o, void *base)
{
	return (char *)base + o->off;
}

static void
bad_value(struct load *l, const struct option *o, struct span value, struct where at)
{
	char wants[OPTION_WANTS];
	bool hash = value.n && memchr(value.p, '#', value.n);

	report_error(l->r, at, "%s = %.*s: want %s%s", o->key, SHOW(value), option_wants(o, wants), hash ? "; a comment after a value begins with ;" : "");
}

/* --- items of lists --- */

static void
cidr_text(const struct cidr *c, char *buf, size_t n)
{
	char text[ADDR_TEXT_MAX];

	addr_print(&c->addr, text);
	snprintf(buf, n, "%s/%d", text, addr_is_v4(&c->addr) ? c->bits - 96 : c->bits);
}

/* One network or the networks of a group; `group` gets a single network too. False: reported. */
static bool
read_networks(struct load *l, const struct option *o, const struct conf_item *item, struct cidr *one, const struct cidr **list, size_t *n)
{
	char meant[ADDR_TEXT_MAX + 8];

	if (addr_group(item->text, list, n))
		return true;
	*list = one;
	*n = 1;
	switch (cidr_parse(item->text, one)) {
	case CIDR_FINE:
		return true;
	case CIDR_HOST_BITS:
		cidr_text(one, meant, sizeof meant);
		report_error(l->r, item->at, "%s = %.*s: bits are set beyond the prefix; if the network is meant, write %s", o->key, SHOW(item->text), meant);
		return false;
	case CIDR_BAD:
		break;
	}
	bad_value(l, o, item->text, item->at);
	return false;
}

static void
set_cidrs(struct load *l, const struct option *o, struct conf_cidrs *to, const struct conf_item *item)
{
	const struct cidr *list;
	struct cidr        one;
	size_t             n;

	if (!read_networks(l, o, item, &one, &list, &n))
		return;
	for (size_t i = 0; i < n; i++)
		if (!ARRAY_ADD(to, list[i])) {
			load_no_memory(l);
			return;
		}
}

static void
set_ports(struct load *l, const struct option *o, struct conf_ports *to, const struct conf_item *item)
{
	struct port_range range;

	if (!value_ports(item->text, &range))
		bad_value(l, o, item->text, item->at);
	else if (!ARRAY_ADD(to, range))
		load_no_memory(l);
}

static void
set_endpoint(struct load *l, const struct option *o, struct conf_endpoints *to, const struct conf_item *item, const uint16_t *port)
{
	struct endpoint e;

	if (!value_endpoint(item->text, port, &e))
		bad_value(l, o, item->text, item->at);
	else if (!ARRAY_ADD(to, e))
		load_no_memory(l);
}

static bool
keep_item(struct load *l, struct conf_items *to, struct conf_item *item)
{
	item->text.p = conf_keep(l->c, item->text);
	if (item->text.p && ARRAY_ADD(to, *item))
		return true;
	load_no_memory(l);
	return false;
}

/* ADDRESS:PORT, *:PORT for both families, unix:PATH */
static void
set_place(struct load *l, const struct option *o, struct conf_listener *to, struct conf_item *item)
{
	uint64_t port;

	if (item->text.n > 5 && memcmp(item->text.p, "unix:", 5) == 0) {
		item->text = span_of(item->text.p + 5, item->text.n - 5);
		if (item->text.p[0] != '/' || item->text.n >= UNIX_PATH_MOST)
			report_error(l->r, item->at, "%s = unix:%.*s: want an absolute path of less than %d bytes, such as unix:/run/postern/proxy.sock", o->key, SHOW(item->text),
			    UNIX_PATH_MOST);
		else
			keep_item(l, &to->paths, item);
	} else if (item->text.n > 2 && memcmp(item->text.p, "*:", 2) == 0 && value_number(span_of(item->text.p + 2, item->text.n - 2), &port) && port <= UINT16_MAX) {
		struct endpoint v4 = {.addr = addr_from_v4(0), .port = (uint16_t)port}, v6 = {.port = (uint16_t)port};
		if (!ARRAY_ADD(&to->address, v4) || !ARRAY_ADD(&to->address, v6))
			load_no_memory(l);
	} else {
		set_endpoint(l, o, &to->address, item, NULL);
	}
}

static void
set_resolver(struct load *l, const struct option *o, struct conf_gateway *g, const struct conf_item *item)
{
	static const uint16_t dns = 53;

	if (span_eq(item->text, SPAN("system"))) {
		g->resolver_system = true;
	} else {
		set_endpoint(l, o, &g->resolvers, item, &dns);
		if (g->resolvers.n && g->resolvers.v[g->resolvers.n - 1].port == 0)
			bad_value(l, o, item->text, item->at);
	}
	if (g->resolver_system && g->resolvers.n)
		report_error(l->r, item->at, "resolver = system stands alone; name either system or addresses");
}

/* "none" stands alone in an option that may be empty. True: the item is dealt with. */
static bool
set_none(struct load *l, const struct option *o, const struct conf_item *item, size_t n_before)
{
	size_t               n;
	const struct option *table = option_table(&n);
	bool                *none = &l->none[o - table];
	bool                 is_none = span_eq(item->text, SPAN("none"));

	if ((is_none && n_before) || (!is_none && *none))
		report_error(l->r, item->at, "%s = none stands alone; remove it, or the other items", o->key);
	*none |= is_none;
	return is_none;
}

static void
set_scheme(struct load *l, const struct option *o, struct conf_auth *a, const struct conf_item *item)
{
	for (const struct option_word *w = o->words; w->word; w++) {
		if (!span_eq(item->text, span_str(w->word)))
			continue;
		for (uint32_t i = 0; i < a->n_schemes; i++)
			if (a->scheme[i] == w->value) {
				report_error(l->r, item->at, "%s names %s twice; once is enough", o->key, w->word);
				return;
			}
		a->scheme[a->n_schemes++] = (uint8_t)w->value;
		return;
	}
	bad_value(l, o, item->text, item->at);
}

/* A file, relative to the ini that names it; or a word, which stays. */
static void
set_path(struct load *l, const struct option *o, struct conf_items *to, struct conf_item *item)
{
	bool is_word = false;
	char *path;

	for (const struct option_word *w = o->words; w && w->word; w++)
		is_word |= !item->quoted && span_eq(item->text, span_str(w->word));
	for (size_t i = 0; is_word && i < to->n; i++)
		if (!to->v[i].quoted && span_eq(to->v[i].text, item->text)) {
			report_error(l->r, item->at, "%s names %.*s twice; once is enough", o->key, SHOW(item->text));
			return;
		}
	item->quoted = !is_word; /* what is quoted is a file from here on, whatever its name */
	if (is_word) {
		keep_item(l, to, item);
		return;
	}
	path = conf_path(l->c, l->c->files[item->at.file].path, item->text);
	item->text = span_str(path);
	if (!path || !ARRAY_ADD(to, *item))
		load_no_memory(l);
}

const char *
cert_kind_word(enum cert_kind kind)
{
	static const char *const words[CERT_KINDS] = {
		[KIND_EXPIRED] = "expired", [KIND_NOT_YET_VALID] = "not-yet-valid", [KIND_WRONG_HOST] = "wrong-host", [KIND_SELF_SIGNED] = "self-signed",
		[KIND_UNTRUSTED] = "untrusted", [KIND_INCOMPLETE] = "incomplete", [KIND_WEAK_SIGNATURE] = "weak-signature", [KIND_WEAK_KEY] = "weak-key",
		[KIND_BAD_USAGE] = "bad-usage", [KIND_CONSTRAINED] = "constrained", [KIND_BAD_CHAIN] = "bad-chain", [KIND_INVALID] = "invalid",
	};

	return kind < CERT_KINDS ? words[kind] : "-";
}

static enum cert_kind
cert_kind_read(struct span s)
{
	enum cert_kind k = 0;

	while (k < CERT_KINDS && !span_eq(s, span_str(cert_kind_word(k))))
		k++;
	return k;
}

/* "revoked" and "own-ca": nothing lets these through. */
static const char *
always_blocked(struct span kind)
{
	if (span_eq(kind, SPAN("revoked")))
		return "its authority has taken it back";
	if (span_eq(kind, SPAN("own-ca")))
		return "it poses as one of ours";
	return NULL;
}

/* pass, or expired:pass. An item of one kind goes before one of all, in whatever order they come. */
static void
set_bad_origin(struct load *l, const struct option *o, struct conf_bad_origin *to, const struct conf_item *item)
{
	const char               *colon = memchr(item->text.p, ':', item->text.n), *never;
	struct span               kind = span_of(item->text.p, colon ? (size_t)(colon - item->text.p) : 0);
	struct span               word = colon ? span_of(colon + 1, item->text.n - kind.n - 1) : item->text;
	enum cert_kind            k = cert_kind_read(kind);
	const struct option_word *w = o->words;

	to->given = true;
	while (w->word && !span_eq(word, span_str(w->word)))
		w++;
	never = always_blocked(kind);
	if (!w->word || (colon && k == CERT_KINDS && !never)) {
		if (w->word)
			report_error(l->r, item->at,
			    "%s = %.*s: there is no such kind; want expired, not-yet-valid, wrong-host, self-signed, untrusted, incomplete, weak-signature, weak-key, bad-usage, "
			    "constrained, bad-chain or invalid", o->key, SHOW(item->text));
		else
			bad_value(l, o, item->text, item->at);
	} else if (never && w->value != ORIGIN_BLOCK) {
		report_error(l->r, item->at, "%s = %.*s: such a certificate is never let through, since %s; want %.*s:block, or leave it out", o->key, SHOW(item->text),
		    never, SPAN_ARG(kind));
	} else if (!never && (colon ? (to->named & 1u << k) != 0 : to->all)) {
		report_error(l->r, item->at, "%s = %.*s: %s has an answer already; remove one", o->key, SHOW(item->text), colon ? "this kind" : "what is said of all kinds");
	} else if (colon && !never) {
		to->named |= 1u << k;
		to->answer[k] = (uint8_t)w->value;
	} else if (!never) {
		to->all = true;
		for (k = 0; k < CERT_KINDS; k++)
			if (!(to->named & 1u << k))
				to->answer[k] = (uint8_t)w->value;
	}
}

void
set_item(struct load *l, const struct option *o, void *base, struct conf_item *item)
{
	struct conf_cidrs *to = base && o->off != OPTION_NOWHERE ? field(o, base) : NULL; /* all arrays begin with v, n */
	struct cidr        one;
	const struct cidr *list;
	size_t             n;

	if (item->negated && !(o->flags & OPTION_NEGATES)) {
		report_error(l->r, item->at, "%s takes no \"!\"; name what is meant", o->key);
		return;
	}
	if (o->flags & OPTION_NONE_OK) {
		n = o->type == OPTION_PORTS ? ((struct conf_ports *)field(o, base))->n : to->n;
		if (set_none(l, o, item, n))
			return;
	}
	switch (o->type) {
	case OPTION_INCLUDE:
		include_glob(l, item);
		break;
	case OPTION_SCHEMES:
		set_scheme(l, o, base, item);
		break;
	case OPTION_PATHS:
		set_path(l, o, field(o, base), item);
		break;
	case OPTION_BAD_ORIGIN:
		set_bad_origin(l, o, field(o, base), item);
		break;
	case OPTION_PORTS:
		set_ports(l, o, field(o, base), item);
		break;
	case OPTION_CIDRS:
		set_cidrs(l, o, to, item);
		break;
	case OPTION_ENDPOINTS:
		set_endpoint(l, o, field(o, base), item, NULL);
		if (o->at_off)
			*(struct where *)((char *)base + o->at_off) = item->at;
		break;
	case OPTION_PLACES:
		set_place(l, o, base, item);
		break;
	case OPTION_RESOLVERS:
		set_resolver(l, o, base, item);
		break;
	case OPTION_NETWORKS:
		if (read_networks(l, o, item, &one, &list, &n))
			keep_item(l, field(o, base), item);
		break;
	case OPTION_FILES:
		if (keep_item(l, field(o, base), item))
			list_read(l, base, item);
		break;
	default:
		keep_item(l, field(o, base), item);
		break;
	}
}

void
set_begin(const struct option *o, void *base)
{
	if (o->type == OPTION_RESOLVERS) {
		((struct conf_gateway *)base)->resolver_system = false;
		((struct conf_gateway *)base)->resolvers.n = 0;
	} else if (o->type == OPTION_PORTS) {
		((struct conf_ports *)field(o, base))->n = 0;
	} else if (o->type == OPTION_CIDRS) {
		((struct conf_cidrs *)field(o, base))->n = 0;
	} else if (o->type == OPTION_PATHS) {
		((struct conf_items *)field(o, base))->n = 0;
	} else if (o->type == OPTION_BAD_ORIGIN) {
		*(struct conf_bad_origin *)field(o, base) = (struct conf_bad_origin){0};
	}
}

/* --- single values --- */

static void
set_number(struct load *l, const struct option *o, void *to, struct span value, struct where at)
{
	uint64_t v = 0;
	bool     ok;

	if (o->zero && span_eq(value, span_str(o->zero))) {
		*(uint32_t *)to = 0;
		return;
	}
	ok = o->type == OPTION_NUMBER ? value_number(value, &v) : o->type == OPTION_SIZE ? value_size(value, &v) : value_time(value, &v);
	if (!ok || v < o->min || v > o->max)
		bad_value(l, o, value, at);
	else if (o->type == OPTION_NUMBER)
		*(uint32_t *)to = (uint32_t)v;
	else
		*(uint64_t *)to = v;
}

/* False: none of the words; nothing reported. */
static bool
set_word(const struct option *o, void *to, struct span value)
{
	for (const struct option_word *w = o->words; w->word; w++)
		if (span_eq(value, span_str(w->word))) {
			if (to)
				memcpy(to, &w->value, sizeof w->value);
			return true;
		}
	return false;
}

static void
set_format(struct load *l, const struct option *o, struct conf_log *log, struct span value, struct where at)
{
	if (set_word(o, &log->format, value))
		return;
	if (!memchr(value.p, '%', value.n)) {
		bad_value(l, o, value, at);
		return;
	}
	log->format = LOG_CUSTOM;
	log->custom = span_of(conf_keep(l->c, value), value.n);
	if (!log->custom.p)
		load_no_memory(l);
}

static void
set_text(struct load *l, char **to, struct span value)
{
	*to = conf_keep(l->c, value);
	if (!*to)
		load_no_memory(l);
}

/* A host, with or without port, or a pseudonym (RFC 9110 7.6.3). */
static bool
is_token(struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!isalnum((unsigned char)s.p[i]) && !strchr("-._:[]", s.p[i]))
			return false;
	return s.n <= 255;
}

/* What counts has eight bits for it (ipc/failures), and needs some room for those who fail at the same moment. */
#define RATE_MOST 250u

static void
set_rate(struct load *l, const struct option *o, struct conf_rate *to, struct span value, struct where at)
{
	struct conf_rate rate;

	if (!value_rate(value, &rate) || (rate.count && (rate.per_ms < o->min || rate.per_ms > o->max)))
		bad_value(l, o, value, at);
	else if (rate.count > RATE_MOST)
		report_error(l->r, at, "%s = %.*s: no more than %u can be counted; want a smaller number, or none", o->key, SPAN_ARG(value), RATE_MOST);
	else
		*to = rate;
}

/* Octal, as chmod(1) takes it. */
static void
set_mode(struct load *l, const struct option *o, uint32_t *to, struct span value, struct where at)
{
	uint32_t mode = 0;
	bool     ok = value.n >= 3 && value.n <= 4;

	for (size_t i = 0; ok && i < value.n; i++) {
		ok = value.p[i] >= '0' && value.p[i] <= '7';
		mode = mode * 8 + (uint32_t)(value.p[i] - '0');
	}
	if (!ok || mode > o->max)
		bad_value(l, o, value, at);
	else
		*to = mode;
}

static void
set_dir(struct load *l, const struct option *o, char **to, struct span value, struct where at)
{
	char       *path = conf_path(l->c, l->c->files[at.file].path, value);
	struct stat st;

	if (!path)
		load_no_memory(l);
	else if (l->no_files)
		*to = path;
	else if (stat(path, &st) != 0)
		report_error(l->r, at, "%s = %.*s: %s: %s", o->key, SHOW(value), path, strerror(errno));
	else if (!S_ISDIR(st.st_mode))
		report_error(l->r, at, "%s = %.*s: %s is not a directory", o->key, SHOW(value), path);
	else
		*to = path;
}

void
set_value(struct load *l, const struct option *o, void *base, struct span value, struct where at)
{
	void *to = o->off == OPTION_NOWHERE ? NULL : field(o, base);
	int   word = 0;

	if (o->at_off)
		*(struct where *)((char *)base + o->at_off) = at;
	switch (o->type) {
	case OPTION_NUMBER:
	case OPTION_SIZE:
	case OPTION_TIME:
		set_number(l, o, to, value, at);
		break;
	case OPTION_BOOL:
		if (span_eq(value, SPAN("yes")) || span_eq(value, SPAN("on")))
			*(bool *)to = true;
		else if (span_eq(value, SPAN("no")) || span_eq(value, SPAN("off")))
			*(bool *)to = false;
		else
			bad_value(l, o, value, at);
		break;
	case OPTION_WORD:
		if (!set_word(o, to, value))
			bad_value(l, o, value, at);
		break;
	case OPTION_TOKEN:
		if (is_token(value))
			set_text(l, to, value);
		else
			bad_value(l, o, value, at);
		break;
	case OPTION_REASON:
		*(struct span *)to = span_of(conf_keep(l->c, value), value.n);
		if (!((struct span *)to)->p)
			load_no_memory(l);
		break;
	case OPTION_DIR:
		set_dir(l, o, to, value, at);
		break;
	case OPTION_LOGFILE:
		if (span_eq(value, SPAN("-")))
			set_text(l, to, value);
		else if (!(*(char **)to = conf_path(l->c, LOG_DIR "/", value)))
			load_no_memory(l);
		break;
	case OPTION_FORMAT:
		set_format(l, o, base, value, at);
		break;
	case OPTION_RATE:
		set_rate(l, o, to, value, at);
		break;
	case OPTION_MODE:
		set_mode(l, o, to, value, at);
		break;
	case OPTION_VERSION:
		if (set_word(o, &word, value))
			*(uint16_t *)to = (uint16_t)word;
		else
			bad_value(l, o, value, at);
		break;
	case OPTION_PATH:
		if ((o->flags & OPTION_PKCS11) && value.n > 7 && memcmp(value.p, "pkcs11:", 7) == 0)
			set_text(l, to, value);
		else if (!(*(char **)to = conf_path(l->c, l->c->files[at.file].path, value)))
			load_no_memory(l);
		break;
	default:
		set_text(l, to, value);
		break;
	}
}

void
set_defaults(struct load *l, enum section_kind kind, void *base)
{
	size_t               n;
	const struct option *table = option_table(&n);
	char                 host[256] = "";

	for (size_t i = 0; i < n; i++) {
		struct span      rest = span_str(table[i].def);
		struct conf_item item = {.at = {0, 0}};
		char             why[ITEM_WHY];
		if (table[i].section != kind || !table[i].def)
			continue;
		if (!option_is_list(&table[i]))
			set_value(l, &table[i], base, rest, item.at);
		while (option_is_list(&table[i]) && item_next(&rest, &item, why))
			set_item(l, &table[i], base, &item);
	}
	if (kind == SECTION_GATEWAY) {
		if (gethostname(host, sizeof host - 1) != 0 || !host[0] || !is_token(span_str(host)))
			strcpy(host, "postern");
		set_text(l, &l->c->gateway.visible_name, span_str(host));
	}
}
