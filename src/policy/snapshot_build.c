/* SPDX-License-Identifier: MIT */
/* snapshot_build: a checked configuration to one flat block: settings, texts, pages, the files that workers need, and the compiled rules. */
#include "policy/snapshot_inside.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "conf/certificate.h"
#include "conf/key_uri.h"
#include "policy/carried.h"
#include "policy/compile.h"
#include "policy/outward.h"
#include "policy/pac.h"
#include "policy/shown.h"

#define FILE_MOST        ((size_t)4 << 20) /* of ldap-ca */
#define PAGE_MOST        ((size_t)64 << 10)
#define DESCRIPTORS_KEPT 128 /* not shared out: rings, listeners, DNS */
#define CONDUITS_MOST    512 /* pipes of bulk tunnels */

/* The whole of a small file; false with errno. A missing one is an error of the caller's choice. */
static bool
read_file(const char *path, size_t most, char **out, size_t *n)
{
	int     fd = open(path, O_RDONLY | O_CLOEXEC);
	char   *p = NULL;
	size_t  have = 0;
	ssize_t r = 0;
	bool    ok = false;

	if (fd < 0)
		return false;
	p = malloc(most);
	if (!p)
		goto out;
	while (have < most && (r = read(fd, p + have, most - have)) > 0)
		have += (size_t)r;
	ok = r >= 0;
out:
	close(fd);
	if (!ok) {
		free(p);
		return false;
	}
	*out = p;
	*n = have;
	return true;
}

static struct flat_ref
add_array(struct flat *f, const void *v, size_t n, size_t each)
{
	return (struct flat_ref){flat_add(f, v, n * each, 8), (uint32_t)n};
}

/* RFC 9209 2: a token when the name can be one, else a quoted string (RFC 8941 3.3). */
static struct flat_ref
add_status_name(struct flat *f, struct span name)
{
	char text[600];
	size_t n = 0;
	bool token = name.n > 0 && (isalpha((unsigned char)name.p[0]) || name.p[0] == '*');

	for (size_t i = 0; i < name.n && token; i++)
		token = isalnum((unsigned char)name.p[i]) || strchr("!#$%&'*+-.^_`|~:/", name.p[i]);
	if (token)
		return flat_add_text(f, name);
	text[n++] = '"';
	for (size_t i = 0; i < name.n && n + 3 < sizeof text; i++) {
		if (name.p[i] < 0x20 || name.p[i] == 0x7f)
			continue;
		if (name.p[i] == '"' || name.p[i] == '\\')
			text[n++] = '\\';
		text[n++] = name.p[i];
	}
	text[n++] = '"';
	return flat_add_text(f, span_of(text, n));
}

static struct flat_ref
add_local(struct flat *f)
{
	struct ifaddrs *list = NULL;
	struct addr     a[256];
	size_t          n = 0;

	if (getifaddrs(&list) == 0) {
		for (struct ifaddrs *i = list; i && n < sizeof a / sizeof *a; i = i->ifa_next) {
			struct endpoint e;
			if (i->ifa_addr && endpoint_from_sockaddr(i->ifa_addr, &e))
				a[n++] = e.addr;
		}
		freeifaddrs(list);
	}
	return add_array(f, a, n, sizeof *a);
}

/* An addr_set; 0: no memory. */
static uint32_t
add_networks(struct flat *f, const struct conf_cidrs *list)
{
	struct addr_set_builder *b = addr_set_builder_new();
	bool                     ok = b != NULL;
	uint32_t                 set;

	for (size_t i = 0; ok && i < list->n; i++)
		ok = addr_set_builder_add(b, &list->v[i], 0, 0);
	set = ok ? addr_set_builder_finish(b, f) : 0;
	addr_set_builder_free(b);
	return set;
}

/* The certificate that a listener shows, and what leads from it to a root. */
static struct flat_ref
add_chain(struct flat *f, const struct conf_listener *l, struct report *r)
{
	struct der_list list = {0};
	struct flat_ref ref = {0};
	char            why[DER_WHY];

	if (der_list_read(&list, DER_CERTIFICATE, l->tls_cert, why))
		ref = flat_add_text(f, span_of(list.v, list.n));
	else if (r->errors == 0) /* else conf has said so */
		report_error(r, l->tls_cert_at, "tls-cert: %s %s", l->tls_cert, why);
	der_list_clear(&list);
	return ref;
}

static bool
add_listeners(struct flat *f, const struct conf *c, struct flat_ref *out, struct report *r)
{
	size_t   n = 0;
	uint32_t off;

	struct conf_listener *l;
	TAILQ_FOREACH(l, &c->listeners, link)
	n++;
	off = flat_add(f, NULL, n * sizeof(struct snapshot_listener), 8);
	*out = (struct flat_ref){off, (uint32_t)n};
	n = 0;
	TAILQ_FOREACH(l, &c->listeners, link)
	{
		struct snapshot_listener to;

		memset(&to, 0, sizeof to); /* padding too */
		to.name = flat_add_text(f, l->name);
		to.clients = add_networks(f, &l->clients);
		to.proxy_from = l->proxy_from.n ? add_networks(f, &l->proxy_from) : 0;
		to.slot = l->slot;
		to.mode = (uint8_t)l->mode;
		to.tls = l->tls_cert && l->tls_key;
		to.h2 = l->h2;
		if (to.tls)
			to.chain = add_chain(f, l, r);
		to.greets = to.proxy_from || to.tls || to.mode != LISTENER_EXPLICIT;
		if (!to.clients || (l->proxy_from.n && !to.proxy_from) || f->failed)
			return false;
		((struct snapshot_listener *)flat_at(f, off))[n++] = to;
	}
	return !f->failed;
}

/* With its NUL; nothing for null. */
static struct flat_ref
add_string(struct flat *f, const char *s)
{
	return s ? flat_add_text(f, span_of(s, strlen(s) + 1)) : (struct flat_ref){0, 0};
}

/* Names, each a text. */
static struct flat_ref
add_names(struct flat *f, const struct conf_items *items)
{
	uint32_t off = flat_add(f, NULL, items->n * sizeof(struct flat_ref), 8);

	for (size_t i = 0; i < items->n; i++) {
		struct flat_ref name = flat_add_text(f, items->v[i].text);
		if (f->failed)
			break;
		((struct flat_ref *)flat_at(f, off))[i] = name;
	}
	return (struct flat_ref){off, (uint32_t)items->n};
}

static bool
add_logs(struct flat *f, const struct conf *c, struct settings *set)
{
	size_t           n = 0;
	uint32_t         off;
	struct conf_log *l;

	TAILQ_FOREACH(l, &c->logs, link)
	n++;
	off = flat_add(f, NULL, n * sizeof(struct snapshot_log), 8);
	set->logs = (struct flat_ref){off, (uint32_t)n};
	set->records = n > 0 || c->gateway.admin.n > 0 || c->gateway.control;
	n = 0;
	TAILQ_FOREACH(l, &c->logs, link)
	{
		struct snapshot_log log;
		memset(&log, 0, sizeof log); /* padding too: every byte is handed to the children */
		log.name = flat_add_text(f, l->name);
		log.file = add_string(f, l->file);
		log.syslog = add_string(f, l->syslog);
		log.syslog_ca = add_string(f, l->syslog_ca);
		log.spool = add_string(f, l->spool && *l->spool ? l->spool : NULL);
		log.app_name = flat_add_text(f, span_str(l->syslog_name ? l->syslog_name : ""));
		log.facility = l->facility;
		log.severity = l->severity;
		log.spool_size = l->spool_size;
		log.journald = l->journald;
		log.custom = flat_add_text(f, l->custom);
		log.format = l->format;
		log.log_query = l->log_query;
		log.rules = add_names(f, &l->rules);
		log.lets = l->lets;
		log.sample = l->sample;
		log.masks = l->masks;
		log.keep = l->keep;
		log.max_size = l->max_size;
		set->log_entry |= l->format == LOG_JSON || l->format == LOG_CUSTOM;
		set->log_referer |= l->format != LOG_SQUID && l->format != LOG_JSON;
		if (f->failed)
			return false;
		((struct snapshot_log *)flat_at(f, off))[n++] = log;
	}
	return true;
}

/* DIR/403.html and so on, DIR/default.html. */
static bool
add_pages(struct flat *f, const struct conf *c, struct settings *set, struct report *r)
{
	struct snapshot_page page[64];
	size_t               n = 0;
	DIR                 *d;
	struct dirent       *e;

	if (!c->gateway.pages)
		return true;
	d = opendir(c->gateway.pages);
	if (!d) {
		report_error(r, (struct where){0, 0}, "pages: cannot read the directory %s: %s", c->gateway.pages, strerror(errno));
		return false;
	}
	while ((e = readdir(d)) && n < sizeof page / sizeof *page) {
		char          path[4096], *end, *text;
		size_t        len;
		unsigned long status = strtoul(e->d_name, &end, 10);
		bool          is_default = strcmp(e->d_name, "default.html") == 0;

		if (!is_default && (status < 400 || status > 599 || strcmp(end, ".html") != 0))
			continue;
		snprintf(path, sizeof path, "%s/%s", c->gateway.pages, e->d_name);
		if (!read_file(path, PAGE_MOST, &text, &len)) {
			report_error(r, (struct where){0, 0}, "pages: cannot read %s: %s", path, strerror(errno));
			continue;
		}
		if (len == PAGE_MOST)
			report_error(r, (struct where){0, 0}, "pages: %s is larger than %zu bytes", path, PAGE_MOST - 1);
		page[n++] = (struct snapshot_page){is_default ? 0 : (uint32_t)status, flat_add_text(f, span_of(text, len))};
		free(text);
	}
	closedir(d);
	set->pages = add_array(f, page, n, sizeof *page);
	return r->errors == 0;
}

/* Share out the descriptors that a worker may have: each client connection takes two, its own and the origin's; what idles in the pool and the
 * pipes of bulk tunnels must leave these alone. */
static void
share_descriptors(struct settings *set, const struct conf_gateway *g, struct report *r)
{
	struct rlimit rl;
	uint64_t      all = 1000000, most;

	/* the hard limit: the parent raises the soft one to it */
	if (getrlimit(RLIMIT_NOFILE, &rl) == 0 && rl.rlim_max != RLIM_INFINITY)
		all = rl.rlim_max > DESCRIPTORS_KEPT + 64 ? rl.rlim_max - DESCRIPTORS_KEPT : 64;
	set->pool_total = (uint32_t)(g->pool_total < all / 32 ? g->pool_total : all / 32);
	set->conduits = (uint32_t)(all / 64 < CONDUITS_MOST ? all / 64 : CONDUITS_MOST);
	most = (all - set->pool_total - 2 * set->conduits) / 2;
	if (g->max_connections > most)
		report_warn(r, (struct where){0, 0}, "max-connections = %u is more than the open-file limit leaves room for: %llu are taken; raise LimitNOFILE", g->max_connections,
		    (unsigned long long)most);
	set->max_connections = (uint32_t)(g->max_connections && g->max_connections < most ? g->max_connections : most);
}

static void
fill_values(struct settings *set, const struct conf_gateway *g, const struct snapshot_inputs *in, struct report *r)
{
	set->magic = SNAPSHOT_MAGIC;
	set->generation = in->generation;
	if (in->log_key)
		memcpy(set->log_key, in->log_key, sizeof set->log_key);
	set->report_only = in->report_only;
	set->head_timeout_ms = g->head_timeout_ms;
	set->connect_timeout_ms = g->connect_timeout_ms;
	set->idle_timeout_ms = g->idle_timeout_ms;
	set->drain_timeout_ms = g->drain_timeout_ms;
	set->response_timeout_ms = g->response_timeout_ms;
	set->keepalive_timeout_ms = g->keepalive_timeout_ms;
	set->dns_timeout_ms = g->dns_timeout_ms;
	set->max_head = g->max_head;
	set->max_request_body = g->max_request_body;
	set->tunnel_buffer = g->tunnel_buffer;
	set->max_connections_per_client = g->max_connections_per_client;
	set->pool_per_host = g->pool_per_host;
	set->dns_cache = g->dns_cache;
	share_descriptors(set, g, r);
	set->host_mismatch = g->host_mismatch;
	set->x_forwarded_for = g->x_forwarded_for;
	set->log_level = g->log_level;
	set->parent_balance = g->parent_balance;
	set->parents_down = g->parents_down;
	set->bandwidth_per_client = g->bandwidth_per_client;
	set->queue_timeout_ms = g->queue_timeout_ms;
	set->via = g->via;
	set->jit = g->regex_jit != TRI_NO;
}

/* The bytes of ldap-ca; conf has seen that the file is there. */
static struct flat_ref
add_ldap_ca(struct flat *f, const struct conf_auth *a, struct report *r)
{
	struct flat_ref ref = {0, 0};
	size_t          n;
	char           *p;

	if (!a->ldap_ca)
		return ref;
	if (!read_file(a->ldap_ca, FILE_MOST, &p, &n)) {
		if (r->errors == 0) /* else conf has said so */
			report_error(r, a->at, "ldap-ca: %s cannot be read: %s", a->ldap_ca, strerror(errno));
		return ref;
	}
	if (n == FILE_MOST)
		report_error(r, a->at, "ldap-ca: %s is larger than %zu bytes", a->ldap_ca, FILE_MOST - 1);
	ref = flat_add_text(f, span_of(p, n));
	free(p);
	return ref;
}

/* Which back ends the schemes ask, and which of them run at all. */
static void
fill_backs(struct auth_settings *to, const struct conf_auth *a)
{
	bool ntlm = false, basic = false, negotiate = false;

	for (uint32_t i = 0; i < a->n_schemes; i++) {
		ntlm |= a->scheme[i] == AUTH_SCHEME_NTLM || a->scheme[i] == AUTH_SCHEME_NEGOTIATE;
		negotiate |= a->scheme[i] == AUTH_SCHEME_NEGOTIATE;
		basic |= a->scheme[i] == AUTH_SCHEME_BASIC;
	}
	to->ntlm = !ntlm ? BACK_KINDS : a->ntlm_file ? BACK_NTLM_FILE : a->domain;
	to->basic = basic ? a->basic : BACK_KINDS;
	if (to->ntlm != BACK_KINDS)
		to->kinds |= 1u << to->ntlm;
	if (to->basic != BACK_KINDS)
		to->kinds |= 1u << to->basic;
	if (negotiate && a->keytab)
		to->kinds |= 1u << BACK_KERBEROS;
	/* groups of a ticket, and the names for challenges, come from there also when it checks no password */
	if (a->domain != BACK_KINDS)
		to->kinds |= 1u << a->domain;
}

static uint32_t
hash_on(uint32_t h, const void *p, size_t n)
{
	const unsigned char *b = p;

	for (size_t i = 0; i < n; i++)
		h = (h ^ b[i]) * 0x01000193u;
	return (h ^ 0xff) * 0x01000193u; /* the end of one text is not the beginning of the next */
}

/* Not of files, whose changes are told to workers in another way; not of the keytab, since Kerberos is asked for each request. */
static uint32_t
ground_of(struct flat *f, const struct auth_settings *a)
{
	const struct flat_ref text[] = {a->pam_service, a->ldap_url, a->ldap_name, a->ldap_ca};
	const uint32_t        plain[] = {a->ntlm, a->basic, a->wants_groups};
	uint32_t              h = hash_on(0x811c9dc5u, plain, sizeof plain);

	for (size_t i = 0; i < sizeof text / sizeof *text; i++)
		h = hash_on(h, f->failed ? "" : flat_at(f, text[i].off), f->failed ? 0 : text[i].n);
	return h;
}

static void
fill_auth(struct flat *f, struct auth_settings *to, const struct conf *c, struct report *r)
{
	const struct conf_auth *a = &c->auth;
	const struct conf_rule *rule;

	to->ntlm = to->basic = BACK_KINDS;
	if (!a->present)
		return;
	memcpy(to->scheme, a->scheme, sizeof to->scheme);
	to->n_schemes = a->n_schemes;
	fill_backs(to, a);
	to->basic_without_tls = a->basic_without_tls;
	TAILQ_FOREACH (rule, &c->rules, link)
		to->wants_groups |= rule->groups.n > 0;
	to->success_ttl_ms = a->success_ttl_ms;
	to->max_age_ms = a->max_age_ms;
	to->timeout_ms = a->timeout_ms;
	to->queue = a->queue;
	to->max_failures.count = a->max_failures.count;
	to->max_failures.per_ms = a->max_failures.per_ms;
	to->max_failures_user.count = a->max_failures_user.count;
	to->max_failures_user.per_ms = a->max_failures_user.per_ms;
	to->realm = flat_add_text(f, span_str(a->realm));
	to->pam_service = flat_add_text(f, span_str(a->pam_service));
	to->ldap_url = flat_add_text(f, span_str(a->ldap_url));
	to->ldap_name = flat_add_text(f, span_str(a->ldap_name));
	to->ldap_ca = add_ldap_ca(f, a, r);
	to->ground = ground_of(f, to);
}

static void
fill_inspection(struct flat *f, struct inspection_settings *to, const struct conf *c, const struct snapshot_inputs *in, struct report *r)
{
	const struct conf_inspection *i = &c->inspection;

	/* under --report-only what would be inspected is tunnelled: neither a signer nor roots are needed */
	to->present = i->present && !in->report_only;
	if (!to->present)
		return;
	to->aia = i->aia;
	to->h2 = i->h2;
	to->min_tls = i->min_tls;
	to->non_tls = (uint8_t)i->non_tls;
	to->missing_sni = (uint8_t)i->missing_sni;
	to->foreign_sni = (uint8_t)i->foreign_sni;
	to->ech = (uint8_t)i->ech;
	to->leaf_cache = i->leaf_cache;
	to->leaf_validity_ms = i->leaf_validity_ms;
	to->signer_timeout_ms = i->signer_timeout_ms;
	if (key_uri_is(i->ca_key))
		to->token = flat_add_text(f, key_uri_name(i->ca_key));
	if (i->ca_module)
		to->module = flat_add_text(f, span_str(i->ca_module));
	carried_ca(f, i, to, r);
}

/* A strong ETag (RFC 9110 8.8.3) of a text in the block. */
static struct flat_ref
add_tag(struct flat *f, struct flat_ref text)
{
	char tag[24];

	if (!text.n || f->failed)
		return (struct flat_ref){0, 0};
	snprintf(tag, sizeof tag, "\"%016llx\"", (unsigned long long)XXH3_64bits(flat_at(f, text.off), text.n));
	return flat_add_text(f, span_str(tag));
}

static bool
fill_block(struct flat *f, const struct conf *c, const struct snapshot_inputs *in, struct report *r)
{
	const struct conf_gateway *g = &c->gateway;
	struct settings            set;
	char                       host[256] = "postern";
	uint32_t                   head = flat_add(f, NULL, sizeof set, 8);

	memset(&set, 0, sizeof set); /* padding too */
	if (!head)
		return false;
	fill_values(&set, g, in, r);
	if (gethostname(host, sizeof host - 1) != 0)
		snprintf(host, sizeof host, "postern");
	struct span name = span_str(g->visible_name && *g->visible_name ? g->visible_name : host);
	set.visible_name = flat_add_text(f, name);
	set.proxy_status = add_status_name(f, name);
	set.contact = flat_add_text(f, span_str(g->contact));
	set.own = add_array(f, in->own, in->n_own, sizeof *in->own);
	set.local = add_local(f);
	set.resolvers = add_array(f, g->resolvers.v, g->resolver_system ? 0 : g->resolvers.n, sizeof *g->resolvers.v);
	if (!add_listeners(f, c, &set.listeners, r) || !add_logs(f, c, &set) || !add_pages(f, c, &set, r))
		return false;
	set.parents = outward_parents(f, c);
	set.lists = shown_lists(f, c);
	fill_auth(f, &set.auth, c, r);
	fill_inspection(f, &set.inspection, c, in, r);
	set.pac = pac_compile(c, f, r);
	set.pac_tag = add_tag(f, set.pac);
	set.pac_max_age_s = c->pac.max_age_ms / 1000;
	set.doctor_interval_ms = c->doctor.interval_ms;
	set.egress = egress_compile(c, f);
	set.admin_clients = add_networks(f, &g->admin_clients);
	set.policy = policy_compile(c, f, r);
	outward_check_sources(f, c, &set, r);
	/* last: a refresh cuts the block off before it */
	if (!set.egress || !set.admin_clients || !set.policy || !carried_add(f, c, &set, r))
		return false;
	set.size = f->used;
	memcpy(flat_at(f, head), &set, sizeof set);
	return true;
}

int
snapshot_build(const struct conf *c, const struct snapshot_inputs *in, struct report *r)
{
	struct flat f;
	int         fd = -1;

	flat_init(&f);
	if (fill_block(&f, c, in, r) && r->errors == 0)
		fd = flat_seal(&f, "postern-snapshot");
	if (fd < 0 && r->errors == 0)
		report_error(r, (struct where){0, 0}, "out of memory while the configuration was compiled");
	flat_clear(&f);
	return fd;
}

uint64_t
snapshot_changed(int fd, char *name, size_t n)
{
	size_t      size = 0;
	const char *p = flat_map(fd, &size);
	uint64_t    changed;

	if (!p)
		return 0;
	changed = carried_changed(p, (const void *)(p + HEAD_AT), name, n);
	flat_unmap(p, size);
	return changed;
}

int
snapshot_refresh(int old, uint64_t generation, struct report *r)
{
	const struct settings *was;
	struct settings        new;
	struct flat            f;
	size_t                 n = 0;
	const char            *p = flat_map(old, &n);
	int                    fd = -1;

	if (!p)
		return -1;
	flat_init(&f);
	was = (const void *)(p + HEAD_AT);
	memcpy(&new, was, sizeof new);
	new.generation = generation;
	/* offsets stay as they are; the files come behind the rest, in the place of what they were */
	if (flat_add(&f, p + HEAD_AT, was->fixed - HEAD_AT, HEAD_AT) == HEAD_AT && carried_again(&f, p, was, &new, r)) {
		new.size = f.used;
		memcpy(flat_at(&f, HEAD_AT), &new, sizeof new);
		fd = flat_seal(&f, "postern-snapshot");
	} else {
		errno = ENOMEM;
	}
	flat_clear(&f);
	flat_unmap(p, n);
	return fd;
}
