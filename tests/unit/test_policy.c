/* SPDX-License-Identifier: MIT */
/*
 * The compiled policy against an oracle: small random rule sets and random facts, each judged by the slow and obvious reading of struct conf
 * below, which shares no code with match/ or policy/.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "random.h"
#include "policy/compile.h"
#include "policy/egress.h"
#include "policy/policy.h"
#include "policy/rule.h"

#define N_RULES 12
#define N_ITEMS 4
#define N_LISTS 3
#define POOL    1024

/* One item: its text first, so that the text leads back to what was meant. */
struct meant {
	char text[96];
	enum { M_EXACT, M_BELOW, M_TREE, M_ALL, M_GLOB, M_REGEX, M_ADDR, M_LIST, M_RANGE, M_WORD, M_TIME } kind;
	char     base[48];
	int      scheme, port;      /* hosts */
	uint8_t  net[4];            /* M_ADDR, with bits */
	int      bits;
	int      list;
	uint32_t first, last;       /* M_RANGE; M_TIME: minutes of a day */
	uint8_t  days;
	int      regex;
};

static struct meant meant[POOL];
static unsigned     n_meant;

static struct meant *
meant_new(void)
{
	assert_true(n_meant < POOL);
	memset(&meant[n_meant], 0, sizeof *meant);
	return &meant[n_meant++];
}

static const struct meant *
meant_of(const struct conf_item *i)
{
	return (const void *)i->text.p;
}

/* --- the oracle --- */

static bool
glob_matches(const char *g, const char *s)
{
	if (*g == '\0')
		return *s == '\0';
	if (*g == '*')
		return glob_matches(g + 1, s) || (*s && glob_matches(g, s + 1));
	return *g == *s && glob_matches(g + 1, s + 1);
}

static bool
ends_below(const char *s, const char *base)
{
	size_t n = strlen(s), m = strlen(base);
	return n > m + 1 && strcmp(s + n - m, base) == 0 && s[n - m - 1] == '.';
}

static const char *const regexes[] = {"re:a.*", "re:.*b", "re:(a|c)\\.[a-z]+", "re:.*\\.b\\..*"};

static bool
regex_matches(int which, const char *s)
{
	size_t n = strlen(s);

	switch (which) {
	case 0:
		return s[0] == 'a';
	case 1:
		return s[n - 1] == 'b';
	case 2:
		return (s[0] == 'a' || s[0] == 'c') && s[1] == '.' && s[2] && !strchr(s + 2, '.');
	default:
		return strstr(s, ".b.") != NULL;
	}
}

static bool
in_net(const struct meant *m, const struct addr *a)
{
	uint32_t net = (uint32_t)m->net[0] << 24 | (uint32_t)m->net[1] << 16 | (uint32_t)m->net[2] << 8 | m->net[3];
	uint32_t ip = (uint32_t)a->b[12] << 24 | (uint32_t)a->b[13] << 16 | (uint32_t)a->b[14] << 8 | a->b[15];

	return addr_is_v4(a) && (m->bits == 0 || (net ^ ip) >> (32 - m->bits) == 0);
}

static bool
host_item_matches(const struct meant *m, const struct facts *f)
{
	const char *s = f->host->text;

	if ((m->scheme && m->scheme != (int)f->scheme) || (m->port && m->port != f->port))
		return false;
	if (f->host->kind == HOST_ADDR)
		return m->kind == M_ADDR && in_net(m, &f->host->addr);
	switch (m->kind) {
	case M_EXACT:
		return strcmp(s, m->base) == 0;
	case M_BELOW:
		return ends_below(s, m->base);
	case M_TREE:
		return strcmp(s, m->base) == 0 || ends_below(s, m->base);
	case M_ALL:
		return true;
	case M_GLOB:
		return glob_matches(m->base, s);
	case M_REGEX:
		return regex_matches(m->regex, s);
	default:
		return false;
	}
}

static const struct conf_list *
list_number(const struct conf *c, int n)
{
	const struct conf_list *l = TAILQ_FIRST(&c->lists);

	while (n-- > 0)
		l = TAILQ_NEXT(l, link);
	return l;
}

static bool
text_matches(const char *glob, bool is_glob, struct span a, const char *mark, struct span b)
{
	char text[128], low[128];
	int  n = snprintf(text, sizeof text, "%.*s%s%.*s", SPAN_ARG(a), mark, SPAN_ARG(b));

	for (int i = 0; i <= n; i++)
		text[i] = (char)tolower(text[i]);
	n = snprintf(low, sizeof low, "%s", glob);
	for (int i = 0; i <= n; i++)
		low[i] = (char)tolower(low[i]);
	return is_glob ? glob_matches(low, text) : strcmp(low, text) == 0;
}

static bool
user_matches(const struct conf_item *item, const struct who *w)
{
	const char *t = item->text.p;
	bool        glob = !item->quoted && strchr(t, '*');

	if (!item->quoted && strcmp(t, "nobody") == 0)
		return false;
	if (!item->quoted && strcmp(t, "Computers") == 0)
		return w->account.p[w->account.n - 1] == '$';
	if (strchr(t, '\\'))
		return w->domain.n && text_matches(t, glob, w->domain, "\\", w->account);
	if (strchr(t, '@'))
		return w->realm.n && text_matches(t, glob, w->account, "@", w->realm);
	return (glob || (!w->domain.n && !w->realm.n)) && text_matches(t, glob, w->account, "", SPAN(""));
}

static bool
group_matches(const struct conf_item *item, const struct who *w)
{
	const char *t = item->text.p;
	bool        glob = !item->quoted && strchr(t, '*');

	for (size_t i = 0; i < w->n_groups; i++) {
		const char *slash = strchr(w->group[i].p, '\\');
		bool        whole = strchr(t, '\\') || !slash;
		if (strchr(t, '\\') && glob && !slash)
			continue;
		if (text_matches(t, glob, whole ? w->group[i] : span_str(slash + 1), "", SPAN("")))
			return true;
	}
	return false;
}

/* --- what is read of requests --- */

static const char *const url_items[] = {"^https?://", "/x", "^https://", "b/?$"};

static bool
url_matches(int which, const char *s)
{
	size_t n = strlen(s);

	switch (which) {
	case 0:
		return true;
	case 1:
		return strstr(s, "/x") != NULL;
	case 2:
		return strncmp(s, "https", 5) == 0;
	default:
		return s[n - 1] == 'b' || (s[n - 1] == '/' && s[n - 2] == 'b');
	}
}

/* Heads, and for each of these items whether it holds there. */
static const char *const header_items[] = {"X-A", "x-b: one", "X-A: ^t", "x-a: o$"};
static const struct {
	const char *text, *type; /* type: the request's own */
	bool        holds[4];
} heads[] = {
	{"", "", {false, false, false, false}},
	{"x-a: one\r\nX-B:  two\r\n", "", {true, false, false, false}},
	{"X-A: two\r\nX-A: three\r\nContent-Type: text/html; q=1\r\n", "text/html", {true, false, true, true}},
	{"x-b: two\r\nX-b: two one two\r\nContent-Type: IMAGE/png\r\n", "image/png", {false, true, false, false}},
};
#define N_HEADS (sizeof heads / sizeof *heads)

static const char *const type_items[] = {"text/html", "image/*", "TEXT/*", "image/gif"};
static const char *const responses[] = {"", "text/html", "text/plain; charset=x", "image/gif", "image"};

/* Small letters, and so much of the type as the item names. */
static bool
type_matches(const char *item, const char *type)
{
	size_t n = strcspn(item, "*");

	return *type && strncasecmp(item, type, n) == 0 && (item[n] == '*' || type[n] == '\0' || type[n] == ';');
}

static const char *const strengths[] = {"<128", "128", ">=256", ">=128"};

static bool
strength_matches(int which, unsigned bits)
{
	return which == 0 ? bits < 128 : which == 1 ? bits == 128 : which == 2 ? bits >= 256 : bits >= 128;
}

static unsigned
head_number(const struct facts *f)
{
	unsigned i = 0;

	while (i < N_HEADS && !(f->head->fields.n == strlen(heads[i].text) && memcmp(f->head->fields.p, heads[i].text, f->head->fields.n) == 0))
		i++;
	assert_true(i < N_HEADS);
	return i;
}

/* content-types while there is no response. */
enum late { LATE_NO, LATE_FAILS, LATE_OPEN };

static enum late
types_are_late(const struct conf_items *items, const struct facts *f)
{
	const char *type = f->known & FACT_REQUEST ? heads[head_number(f)].type : "";
	bool        held = false, vetoed = false;

	if (items->n == 0 || !(f->known & FACT_REQUEST) || f->known & FACT_RESPONSE)
		return LATE_NO;
	for (size_t i = 0; i < items->n; i++) {
		bool matches = type_matches(items->v[i].text.p, type);
		if (matches && items->v[i].negated)
			return LATE_FAILS;
		held |= matches;
		vetoed |= items->v[i].negated;
	}
	return held && !vetoed ? LATE_NO : LATE_OPEN;
}

static bool items_hold(const struct conf *c, const struct conf_items *items, enum condition cond, const struct facts *f);

static bool
item_matches(const struct conf *c, const struct conf_item *item, enum condition cond, const struct facts *f)
{
	const struct meant *m = meant_of(item);
	uint32_t            len;

	if (m->kind == M_LIST) {
		const struct conf_list  *l = list_number(c, m->list);
		const struct conf_items *in = cond == COND_HOSTS ? &l->hosts : &l->addresses;
		return in->n > 0 && items_hold(c, in, cond, f);
	}
	switch (cond) {
	case COND_HOSTS:
		return host_item_matches(m, f);
	case COND_PORTS:
		return m->first <= f->port && f->port <= m->last;
	case COND_SCHEMES:
		return m->scheme == (int)f->scheme;
	case COND_METHODS:
		return span_eq(f->method, span_str(m->text));
	case COND_CLIENTS:
		return in_net(m, &f->client);
	case COND_LISTENERS:
		return f->listener == m->first;
	case COND_ADDRESSES:
		return in_net(m, f->host->kind == HOST_ADDR ? &f->host->addr : &f->address);
	case COND_USERS:
		return user_matches(item, f->who);
	case COND_GROUPS:
		return group_matches(item, f->who);
	case COND_URL:
		return url_matches(m->regex, f->url.p);
	case COND_HEADERS:
		return heads[head_number(f)].holds[m->regex];
	case COND_CONTENT_TYPES:
		return type_matches(m->text, heads[head_number(f)].type) || (f->known & FACT_RESPONSE && type_matches(m->text, f->response_type.p));
	case COND_ORIGIN_TLS:
		return f->origin_tls == (m->regex ? 0x0304 : 0x0303);
	case COND_ORIGIN_STRENGTH:
		return strength_matches(m->regex, f->origin_strength);
	default:
		len = m->last > m->first ? m->last - m->first : m->last + DAY_MINUTES - m->first;
		for (uint32_t d = 0; d < 7; d++)
			if (m->days >> d & 1 && (f->week_minute + WEEK_MINUTES - (d * DAY_MINUTES + m->first)) % WEEK_MINUTES < len)
				return true;
		return false;
	}
}

static bool
items_hold(const struct conf *c, const struct conf_items *items, enum condition cond, const struct facts *f)
{
	bool asked = false, held = false;

	for (size_t i = 0; i < items->n; i++) {
		bool matches = item_matches(c, &items->v[i], cond, f);
		if (items->v[i].negated && matches)
			return false;
		asked |= !items->v[i].negated;
		held |= matches;
	}
	return held || !asked;
}

static const struct conf_items *
rule_items(const struct conf_rule *r, enum condition cond)
{
	const struct conf_items *const v[COND_COUNT] = {&r->hosts, &r->ports, &r->schemes, &r->methods, &r->clients, &r->listeners, &r->addresses, &r->times,
		&r->users, &r->groups, &r->url, &r->headers, &r->content_types, &r->origin_tls, &r->origin_strength};
	return v[cond];
}

static bool
has_item(const struct conf_items *items, bool negated, const char *text)
{
	for (size_t i = 0; i < items->n; i++)
		if (items->v[i].negated == negated && (!text || (!items->v[i].quoted && strcmp(items->v[i].text.p, text) == 0)))
			return true;
	return false;
}

static bool
holds_for_nobody(const struct conf_rule *r)
{
	return has_item(&r->users, false, "nobody") && !has_item(&r->users, true, "nobody") && !has_item(&r->groups, false, NULL);
}

static bool
oracle_asks(const struct conf_rule *r)
{
	return r->auth == AUTH_REQUIRED || (r->auth == AUTH_DEFAULT && r->action == ACTION_TUNNEL);
}

static enum policy_answer
oracle_decide(const struct conf *c, const struct facts *f, struct verdict *v)
{
	const struct conf_rule *r;
	uint32_t                rule = 0;
	bool                    waits = false, may_pass = false;

	*v = (struct verdict){.rule = RULE_NONE, .action = ACTION_DENY, .auth = AUTH_NONE};
	TAILQ_FOREACH (r, &c->rules, link) {
		bool      held = true, unknown = false, stranger = false;
		enum late late = types_are_late(&r->content_types, f);
		for (unsigned cond = 0; cond < COND_COUNT; cond++) {
			const struct conf_items *items = rule_items(r, cond);
			if (cond == COND_ADDRESSES && items->n > 0 && f->host->kind != HOST_ADDR && !(f->known & FACT_ADDRESS))
				unknown = true;
			else if ((cond == COND_USERS || cond == COND_GROUPS) && items->n > 0 && !(f->known & FACT_USER))
				stranger = !f->bare || !holds_for_nobody(r);
			else if (cond >= COND_URL && items->n > 0 && !(f->known & (cond >= COND_ORIGIN_TLS ? FACT_ORIGIN : FACT_REQUEST)))
				held = false;
			else if (cond == COND_CONTENT_TYPES && late != LATE_NO)
				held &= late == LATE_OPEN;
			else if (!items_hold(c, items, cond, f))
				held = false;
		}
		if (held && r->report && !unknown && !stranger && late == LATE_NO && v->n_reported < VERDICT_REPORTS)
			v->reported[v->n_reported++] = rule;
		if (held && !r->report) {
			if (unknown)
				return POLICY_NEED_ADDRESS;
			if (stranger || (oracle_asks(r) && !(f->known & FACT_USER)))
				return POLICY_NEED_USER;
			if (late == LATE_OPEN) {
				waits = true;
				may_pass |= r->action != ACTION_DENY;
				rule++;
				continue;
			}
			v->rule = rule;
			v->action = r->action;
			v->auth = oracle_asks(r) ? AUTH_REQUIRED : AUTH_NONE;
			break;
		}
		rule++;
	}
	return waits && (may_pass || v->action != ACTION_DENY) ? POLICY_NEED_RESPONSE : POLICY_VERDICT;
}

/* --- random configurations --- */

static const char *const names[] = {"a", "b", "c", "a.b", "b.a", "c.b", "a.b.c", "b.b.c", "c.a.b", "a.a", "bb.c", "ab", "aab.b.c", "c.a.b.c"};
#define N_NAMES (sizeof names / sizeof *names)

static void
host_mean(struct meant *m)
{
	static const char *const globs[] = {"a*.c", "*b*.c", "a*b", "b.*.c"};
	char                     pattern[56], port[16] = "";
	static const char *const prefix[] = {"", "http://", "https://"};

	m->kind = (int[]){M_EXACT, M_EXACT, M_BELOW, M_BELOW, M_TREE, M_TREE, M_ALL, M_GLOB, M_REGEX, M_ADDR}[random_below(10)];
	snprintf(m->base, sizeof m->base, "%s", m->kind == M_GLOB ? globs[random_below(4)] : names[random_below(N_NAMES)]);
	if (m->kind == M_REGEX) {
		m->regex = (int)random_below(4);
		snprintf(m->text, sizeof m->text, "%s", regexes[m->regex]);
		return;
	}
	if (m->kind == M_ADDR) {
		m->net[0] = 10;
		m->net[3] = (uint8_t)random_below(3);
		m->bits = m->net[3] ? 32 : 8;
		snprintf(m->text, sizeof m->text, m->bits == 8 ? "10.0.0.0/8" : "10.0.0.%u", m->net[3]);
		return;
	}
	snprintf(pattern, sizeof pattern, "%s%s", m->kind == M_BELOW ? "*." : m->kind == M_TREE ? "." : "", m->kind == M_ALL ? "*" : m->base);
	if (m->kind == M_EXACT || m->kind == M_BELOW) {
		m->scheme = random_below(3) ? 0 : (int)random_below(3);
		m->port = m->scheme == SCHEME_HTTP ? 80 : m->scheme == SCHEME_HTTPS ? 443 : 0;
		if (random_below(6) == 0) {
			m->port = (int[]){80, 443, 8443}[random_below(3)];
			snprintf(port, sizeof port, ":%d", m->port);
		}
	}
	snprintf(m->text, sizeof m->text, "%s%s%s", prefix[m->scheme], pattern, port);
}

static void
addr_mean(struct meant *m)
{
	m->kind = M_ADDR;
	m->net[0] = random_below(2) ? 10 : 192;
	m->bits = (int[]){8, 16, 32}[random_below(3)];
	m->net[1] = m->bits > 8 ? (uint8_t)random_below(2) : 0;
	m->net[3] = m->bits > 16 ? (uint8_t)random_below(4) : 0;
	snprintf(m->text, sizeof m->text, "%u.%u.%u.%u/%d", m->net[0], m->net[1], m->net[2], m->net[3], m->bits);
}

static void
time_mean(struct meant *m)
{
	static const char *const day[] = {"mon", "tue", "wed", "thu", "fri", "sat", "sun"};
	uint32_t                 first = random_below(7), last = random_below(7);
	char                     days[16] = "";

	m->kind = M_TIME;
	m->days = 0x7f;
	if (random_below(4)) {
		snprintf(days, sizeof days, "%s-%s ", day[first], day[last]);
		m->days = (uint8_t)(1u << first);
		for (uint32_t d = first; d != last;) {
			d = (d + 1) % 7;
			m->days |= (uint8_t)(1u << d);
		}
	}
	m->first = random_below(24) * 60;
	m->last = random_below(24) * 60 + 30;
	snprintf(m->text, sizeof m->text, "%s%02u:00-%02u:30", days, m->first / 60, m->last / 60);
}

static const char *const user_items[] = {"corp\\alice", "CORP\\WS01$", "Alice@Corp.Example", "alice", "ALICE", "CORP\\*", "*$", "*", "Computers", "nobody",
	"al*@corp.*", "OTHER\\bob", "a*", "o*\\*b"};
#define N_USER_ITEMS (sizeof user_items / sizeof *user_items)
static const char *const group_items[] = {"CORP\\Users", "users", "S-1-5-21-1", "s-1-5-21-2", "corp\\*", "admins", "OTHER\\admins", "*s"};
#define N_GROUP_ITEMS (sizeof group_items / sizeof *group_items)

static const struct span some_groups[] = {SPAN("S-1-5-21-1"), SPAN("Corp\\users"), SPAN("Admins"), SPAN("S-1-5-21-2"), SPAN("other\\Admins"), SPAN("OTHER\\Users")};
static const struct who  people[] = {
	 {.account = SPAN("Alice"), .domain = SPAN("CORP"), .realm = SPAN("CORP.EXAMPLE")},
	 {.account = SPAN("alice"), .realm = SPAN("CORP.EXAMPLE")},
	 {.account = SPAN("alice")},
	 {.account = SPAN("ws01$"), .domain = SPAN("Corp")},
	 {.account = SPAN("computers")},
	 {.account = SPAN("nobody")},
	 {.account = SPAN("*")},
	 {.account = SPAN("BOB"), .domain = SPAN("Other"), .realm = SPAN("corp.other")},
};

static void
item_make(struct conf_item *item, enum condition cond, bool in_list)
{
	static const char *const methods[] = {"GET", "POST", "CONNECT", "get"};
	static const char *const schemes[] = {"", "http", "https"};
	struct meant            *m = meant_new();

	item->negated = random_below(4) == 0;
	if (!in_list && (cond == COND_HOSTS || cond == COND_CLIENTS || cond == COND_ADDRESSES) && random_below(4) == 0) {
		m->kind = M_LIST;
		m->list = (int)random_below(N_LISTS);
		snprintf(m->text, sizeof m->text, "@list%d", m->list);
	} else if (cond == COND_HOSTS) {
		host_mean(m);
	} else if (cond == COND_CLIENTS || cond == COND_ADDRESSES) {
		addr_mean(m);
	} else if (cond == COND_PORTS) {
		m->kind = M_RANGE;
		m->first = (uint32_t[]){80, 443, 1025}[random_below(3)];
		m->last = random_below(2) ? m->first : 65535;
		snprintf(m->text, sizeof m->text, m->first == m->last ? "%u" : "%u-%u", m->first, m->last);
	} else if (cond == COND_SCHEMES) {
		m->scheme = 1 + (int)random_below(2);
		snprintf(m->text, sizeof m->text, "%s", schemes[m->scheme]);
	} else if (cond == COND_METHODS) {
		snprintf(m->text, sizeof m->text, "%s", methods[random_below(4)]);
	} else if (cond == COND_LISTENERS) {
		m->first = random_below(2);
		snprintf(m->text, sizeof m->text, "listener%u", m->first);
	} else if (cond == COND_USERS) {
		snprintf(m->text, sizeof m->text, "%s", user_items[random_below(N_USER_ITEMS)]);
		item->quoted = random_below(8) == 0;
	} else if (cond == COND_GROUPS) {
		snprintf(m->text, sizeof m->text, "%s", group_items[random_below(N_GROUP_ITEMS)]);
	} else if (cond >= COND_URL) {
		static const char *const versions[] = {"1.2", "1.3"}, *const *const texts[] = {url_items, header_items, type_items, versions, strengths};
		m->regex = (int)random_below(cond == COND_ORIGIN_TLS ? 2 : 4);
		snprintf(m->text, sizeof m->text, "%s", texts[cond - COND_URL][m->regex]);
	} else {
		time_mean(m);
		item->quoted = true;
	}
	item->text = span_str(m->text);
	item->at = (struct where){0, 1 + random_below(100)};
}

static void
items_make(struct conf_items *items, enum condition cond, bool in_list, uint32_t least)
{
	items->n = least + random_below(N_ITEMS - least + 1);
	items->v = test_calloc(N_ITEMS, sizeof *items->v);
	for (size_t i = 0; i < items->n; i++)
		item_make(&items->v[i], cond, in_list);
}

static struct conf_file one_file = {.path = (char[]){"x.ini"}, .lines = 100};

static struct conf *
conf_make(uint32_t n_rules)
{
	static char  name[32][24];
	struct conf *c = test_calloc(1, sizeof *c);

	n_meant = 0;
	TAILQ_INIT(&c->listeners);
	TAILQ_INIT(&c->lists);
	TAILQ_INIT(&c->rules);
	TAILQ_INIT(&c->logs);
	c->files = &one_file;
	c->n_files = 1;
	for (int i = 0; i < 2; i++) {
		struct conf_listener *l = test_calloc(1, sizeof *l);
		snprintf(name[i], sizeof name[i], "listener%d", i);
		l->name = span_str(name[i]);
		TAILQ_INSERT_TAIL(&c->listeners, l, link);
	}
	for (int i = 0; i < N_LISTS; i++) {
		struct conf_list *l = test_calloc(1, sizeof *l);
		snprintf(name[2 + i], sizeof name[2 + i], "list%d", i);
		l->name = span_str(name[2 + i]);
		items_make(&l->hosts, COND_HOSTS, true, 1);
		items_make(&l->addresses, COND_ADDRESSES, true, 1);
		TAILQ_INSERT_TAIL(&c->lists, l, link);
	}
	for (uint32_t i = 0; i < n_rules; i++) {
		struct conf_rule *r = test_calloc(1, sizeof *r);
		r->name = SPAN("r");
		r->has_action = true;
		r->action = (enum action[]){ACTION_BYPASS, ACTION_DENY, ACTION_TUNNEL}[random_below(3)];
		r->auth = random_below(2) ? AUTH_NONE : (enum auth_mode)random_below(3);
		r->force = true;
		r->report = random_below(5) == 0;
		r->at = (struct where){0, i + 1};
		for (unsigned cond = 0; cond < COND_COUNT; cond++)
			if (cond == COND_HOSTS ? random_below(4) : random_below(6) == 0)
				items_make((struct conf_items *)(uintptr_t)rule_items(r, cond), cond, false, 1);
		if (has_item(&r->users, false, "nobody"))
			r->auth = AUTH_NONE;
		TAILQ_INSERT_TAIL(&c->rules, r, link);
	}
	return c;
}

static void
conf_unmake(struct conf *c)
{
	struct conf_rule     *r;
	struct conf_list     *l;
	struct conf_listener *s;

	while ((r = TAILQ_FIRST(&c->rules))) {
		TAILQ_REMOVE(&c->rules, r, link);
		for (unsigned cond = 0; cond < COND_COUNT; cond++)
			if (rule_items(r, cond)->v)
				test_free(rule_items(r, cond)->v);
		test_free(r);
	}
	while ((l = TAILQ_FIRST(&c->lists))) {
		TAILQ_REMOVE(&c->lists, l, link);
		test_free(l->hosts.v);
		test_free(l->addresses.v);
		test_free(l);
	}
	while ((s = TAILQ_FIRST(&c->listeners))) {
		TAILQ_REMOVE(&c->listeners, s, link);
		test_free(s);
	}
	test_free(c);
}

static struct addr
address_make(void)
{
	return addr_from_v4((random_below(2) ? 10u : 192u) << 24 | random_below(2) << 16 | random_below(4));
}

static void
request_make(struct facts *f)
{
	static const char *const paths[] = {"/", "/x", "/a/b", "/b/?x=b"};
	static char              url[64], text[256];
	static struct head       head;
	size_t                   used;
	enum fault               fault;
	unsigned                 which = random_below(N_HEADS);
	int                      n = snprintf(url, sizeof url, "%s://a%s", f->scheme == SCHEME_HTTP ? "http" : "https", paths[random_below(4)]);

	f->known |= FACT_REQUEST;
	f->url = span_of(url, (size_t)n);
	n = snprintf(text, sizeof text, "GET / HTTP/1.0\r\n%s\r\n", heads[which].text);
	assert_int_equal(head_parse_request(span_of(text, (size_t)n), 0, &head, &used, &fault), PARSE_OK);
	f->head = &head;
	if (random_below(2)) {
		f->known |= FACT_RESPONSE;
		f->response_type = span_str(responses[random_below(5)]);
	}
}

static void
facts_make(struct facts *f, struct host *h)
{
	static const char *const methods[] = {"GET", "POST", "CONNECT", "get", "FOO"};

	memset(h, 0, sizeof *h);
	if (random_below(5) == 0) {
		h->kind = HOST_ADDR;
		h->addr = random_below(2) ? addr_from_v4(0x0a000000 + random_below(3)) : address_make();
		h->n = (uint8_t)addr_print(&h->addr, h->text);
	} else {
		h->kind = HOST_NAME;
		h->n = (uint8_t)snprintf(h->text, sizeof h->text, random_below(3) ? "%s" : "%s.%s", names[random_below(N_NAMES)], names[random_below(N_NAMES)]);
		if (!memchr(h->text, '.', h->n) && random_below(2))
			h->n = (uint8_t)snprintf(h->text, sizeof h->text, "%s", names[random_below(N_NAMES)]);
	}
	*f = (struct facts){
		.host = h,
		.port = (uint16_t[]){80, 443, 8443, 22}[random_below(4)],
		.scheme = random_below(2) ? SCHEME_HTTP : SCHEME_HTTPS,
		.method = span_str(methods[random_below(5)]),
		.client = address_make(),
		.listener = (uint16_t)random_below(3),
		.week_minute = random_below(WEEK_MINUTES),
		.known = random_below(2) ? FACT_ADDRESS : 0,
		.address = address_make(),
	};
	if (random_below(3))
		request_make(f);
	if (random_below(2)) {
		f->known |= FACT_ORIGIN;
		f->origin_tls = (uint16_t)(0x0303 + random_below(2));
		f->origin_strength = (uint16_t[]){112, 128, 256, 192}[random_below(4)];
	}
	if (random_below(2)) {
		static struct who who;
		who = people[random_below(sizeof people / sizeof *people)];
		who.group = some_groups + random_below(6);
		who.n_groups = random_below((uint32_t)(some_groups + 6 - who.group) + 1);
		f->known |= FACT_USER;
		f->who = &who;
	} else {
		f->bare = random_below(2);
	}
}

static void
on_rule(void *arg, const struct trace_rule *t)
{
	struct verdict *v = arg;

	if (t->reported && v->n_reported < VERDICT_REPORTS)
		v->reported[v->n_reported++] = t->rule;
	if (t->decided)
		v->rule = t->rule;
}

static void
compare(const struct conf *c, const struct policy *p, const struct facts *given)
{
	struct verdict          want, got, traced, told = {.rule = RULE_NONE};
	enum policy_answer      answer = oracle_decide(c, given, &want);
	const struct conf_rule *r;
	uint32_t                rule = 0;
	uint64_t                row[2];
	struct facts            asked = *given, *f = &asked;

	assert_true(policy_row_words(p) <= 2);
	if (f->known & FACT_USER) {
		policy_user_row(p, f->who, row);
		f->user_row = row;
		/* without `who` an explanation knows less, but decides alike */
		if (f->week_minute % 2)
			f->who = NULL;
	}
	assert_int_equal(policy_decide(p, f, &got), answer);
	assert_int_equal(policy_trace(p, f, &traced, on_rule, &told), answer);
	assert_int_equal(got.n_reported, want.n_reported);
	assert_memory_equal(got.reported, want.reported, want.n_reported * sizeof *want.reported);
	assert_int_equal(told.n_reported, want.n_reported);
	if (answer == POLICY_VERDICT || answer == POLICY_NEED_RESPONSE) {
		assert_int_equal(got.rule, want.rule);
		assert_int_equal(got.action, want.action);
		assert_int_equal(got.auth, want.auth);
		assert_int_equal(traced.rule, want.rule);
		assert_int_equal(told.rule, want.rule);
	}
	TAILQ_FOREACH (r, &c->rules, link) {
		assert_int_equal(policy_rule_has_hosts(p, rule), r->hosts.n > 0);
		assert_int_equal(policy_rule_host_holds(p, rule, f->host, f->scheme, f->port), items_hold(c, &r->hosts, COND_HOSTS, f));
		rule++;
	}
}

static void
test_random_policies_decide_as_the_obvious_reading_of_the_rules(void **state)
{
	(void)state;
	for (int round = 0; round < 1500; round++) {
		struct report  r;
		struct flat    f;
		struct conf   *c = conf_make(1 + random_below(N_RULES));
		struct policy *p;
		uint32_t       off;

		report_init(&r);
		flat_init(&f);
		off = policy_compile(c, &f, &r);
		if (!off)
			report_print(&r, c, stderr);
		assert_int_not_equal(off, 0);
		p = policy_open(f.base, f.used, off, false);
		assert_non_null(p);
		for (int i = 0; i < 200; i++) {
			struct facts facts;
			struct host  host;
			facts_make(&facts, &host);
			compare(c, p, &facts);
		}
		policy_close(p);
		conf_unmake(c);
		flat_clear(&f);
		report_clear(&r);
	}
}

/* What can be asked: a CONNECT is https, and nothing else is where no rule inspects. */
static void
facts_settle(struct facts *f, const struct conf *c)
{
	const struct conf_rule *r;
	bool                    inspects = false;

	TAILQ_FOREACH (r, &c->rules, link)
		inspects |= r->action == ACTION_INSPECT && !r->report;
	if (f->scheme == SCHEME_HTTP && span_eq(f->method, SPAN("CONNECT")))
		f->method = SPAN("GET");
	else if (f->scheme == SCHEME_HTTPS && !inspects)
		f->method = SPAN("CONNECT");
}

/* A rule that lint calls dead must not decide, whatever is asked. */
static void
test_a_rule_that_is_called_dead_never_decides(void **state)
{
	unsigned dead = 0;

	(void)state;
	for (int round = 0; round < 1500; round++) {
		struct report r;
		struct flat   f;
		struct conf  *c = conf_make(6);

		report_init(&r);
		r.thorough = round & 1;
		flat_init(&f);
		assert_int_not_equal(policy_compile(c, &f, &r), 0);
		for (size_t i = 0; i < r.n; i++) {
			if (!strstr(r.v[i].text, "never decides") && !strstr(r.v[i].text, "can never hold"))
				continue;
			dead++;
			for (int k = 0; k < 300; k++) {
				struct facts   facts;
				struct host    host;
				struct verdict v;
				facts_make(&facts, &host);
				facts_settle(&facts, c);
				facts.listener &= 1; /* there are two */
				/* what is never seen where no rule inspects */
				facts.known &= ~FACT_ORIGIN;
				if (facts.scheme == SCHEME_HTTPS || span_eq(facts.method, SPAN("CONNECT")))
					facts.known &= ~(FACT_REQUEST | FACT_RESPONSE);
				if (oracle_decide(c, &facts, &v) == POLICY_VERDICT && v.rule + 1 == r.v[i].at.line)
					fail_msg("rule %u decided, but: %s", v.rule + 1, r.v[i].text);
			}
		}
		conf_unmake(c);
		flat_clear(&f);
		report_clear(&r);
	}
	assert_true(dead > 100);
}

static void
test_times_read_as_the_manual_says(void **state)
{
	static const struct {
		const char *items[4]; /* '"' before: quoted; '!' before: negated */
		const char *holds, *fails;
	} rows[] = {
		{{"mon"}, "mon 00:00,mon 23:59", "tue 00:00,sun 23:59"},
		{{"mon-fri"}, "mon 00:00,fri 23:59", "sat 00:00,sun 12:00"},
		{{"sat-mon"}, "sat 00:00,sun 12:00,mon 23:59", "tue 00:00,fri 23:59"},
		{{"MON-Fri"}, "wed 12:00", "sat 12:00"},
		{{"08:00-18:00"}, "mon 08:00,sun 17:59", "mon 07:59,sun 18:00"},
		{{"8:00-18:00"}, "mon 08:00", "mon 07:59"},
		{{"22:00-06:00"}, "mon 22:00,tue 05:59,mon 00:00,sun 23:00", "mon 06:00,mon 21:59"},
		{{"sun", "22:00-06:00"}, "sun 22:00,mon 05:59", "mon 06:00,sun 05:00,mon 22:00"},
		{{"mon-fri", "08:00-18:00"}, "mon 08:00,fri 17:59", "sat 09:00,mon 07:59"},
		{{"mon-fri", "08:00-12:00", "13:00-17:00"}, "mon 08:00,mon 13:00", "mon 12:30,sat 13:00"},
		{{"mon", "wed", "08:00-12:00"}, "mon 08:00,wed 11:59", "mon 12:00,tue 09:00"},
		{{"mon", "08:00-12:00", "sat"}, "mon 08:00,sat 23:59", "mon 13:00"},
		{{"\"mon-fri 08:00-18:00", "22:00-23:00"}, "mon 08:00,sun 22:30,mon 22:30", "sun 08:00"},
		{{"sat", "\"22:00-23:00"}, "sat 12:00,mon 22:30", "mon 12:00"},
		{{"!sat"}, "mon 12:00,sun 00:00", "sat 12:00"},
		{{"mon-fri", "!12:00-13:00"}, "mon 11:59,fri 13:00", "mon 12:00,sat 11:00"},
		{{"!sat", "!08:00-12:00"}, "sat 07:59,sun 09:00", "sat 08:00"},
		{{"00:00-24:00"}, "mon 00:00,sun 23:59", NULL},
		{{"fri", "18:00-24:00"}, "fri 18:00,fri 23:59", "sat 00:00"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct conf_item  v[4] = {0};
		struct conf_items items = {v, 0};
		struct stretches  s = {0};
		struct report     r;

		for (; items.n < 4 && rows[i].items[items.n]; items.n++) {
			const char *t = rows[i].items[items.n];
			v[items.n] = (struct conf_item){.quoted = *t == '"', .negated = *t == '!'};
			v[items.n].text = span_str(t + (*t == '"' || *t == '!'));
		}
		report_init(&r);
		assert_true(times_read(&items, 0, &s, &r));
		assert_int_equal(r.errors, 0);
		for (int side = 0; side < 2; side++)
			for (const char *at = side ? rows[i].fails : rows[i].holds; at && *at; at += strcspn(at, ",") + (at[strcspn(at, ",")] == ',')) {
				uint32_t minute;
				bool     asked = false, held = false, denied = false;
				assert_true(week_minute_read(span_of(at, strcspn(at, ",")), &minute));
				for (size_t k = 0; k < s.n; k++) {
					bool in = s.v[k].first <= minute && minute <= s.v[k].last;
					asked |= !s.v[k].negated;
					held |= in && !s.v[k].negated;
					denied |= in && s.v[k].negated;
				}
				if (((held || !asked) && !denied) != !side)
					fail_msg("row %zu (%s ...) is wrong at %s", i, rows[i].items[0], at);
			}
		stretches_clear(&s);
		report_clear(&r);
	}
}

static void
test_times_that_make_no_sense_are_refused(void **state)
{
	static const char *const rows[] = {"monday", "mon-", "-fri", "25:00-26:00", "08:00", "08:00-", "08:00-08:00", "08:60-09:00", "24:00-08:00", "08:00-24:01",
		"8-18", "mon-fri-sun", "08:0-09:00", "noon"};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct conf_item  v = {.text = span_str(rows[i])};
		struct conf_items items = {&v, 1};
		struct stretches  s = {0};
		struct report     r;

		report_init(&r);
		assert_true(times_read(&items, 0, &s, &r));
		if (r.errors != 1)
			fail_msg("`%s` was taken", rows[i]);
		stretches_clear(&s);
		report_clear(&r);
	}
}

static void
test_ports_are_numbers_and_ranges(void **state)
{
	static const struct {
		const char *in;
		uint32_t    first, last; /* 0: refused */
	} rows[] = {
		{"443", 443, 443}, {"1025-65535", 1025, 65535}, {"1-1", 1, 1}, {"65535", 65535, 65535}, {"0", 0, 0}, {"65536", 0, 0}, {"0-80", 0, 0},
		{"80-79", 0, 0}, {"80-", 0, 0}, {"-80", 0, 0}, {"http", 0, 0}, {"", 0, 0}, {"+80", 0, 0}, {"80 ", 0, 0}, {"000443", 0, 0}, {"80-90-100", 0, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		uint32_t first, last;
		bool     ok = port_item_read(span_str(rows[i].in), &first, &last);
		if (ok != (rows[i].first != 0) || (ok && (first != rows[i].first || last != rows[i].last)))
			fail_msg("`%s`", rows[i].in);
	}
}

static struct cidr
cidr_of(const char *s)
{
	struct cidr c;

	assert_int_equal(cidr_parse(span_str(s), &c), CIDR_FINE);
	return c;
}

static void
test_no_wrapping_reaches_a_denied_address(void **state)
{
	static const struct {
		const char *address;
		bool        allowed, errand;
	} rows[] = {
		{"8.8.8.8", true, true}, {"10.0.0.1", false, false}, {"10.1.2.3", true, true}, {"::ffff:10.0.0.1", false, false}, {"64:ff9b::10.0.0.1", false, false},
		{"64:ff9b::8.8.8.8", true, true}, {"64:ff9b::10.1.2.3", true, true}, {"2002:a00:1::1", false, false}, {"2002:808:808::1", true, true},
		{"2001:db8::1", false, false}, {"2606:4700::1", true, true}, {"fe80::5efe:a00:1", false, false}, {"::10.0.0.1", false, false},
		/* private, and not denied to clients */
		{"192.168.1.1", true, false}, {"127.0.0.1", true, false}, {"64:ff9b::192.168.1.1", true, false}, {"fd00::1", true, false}, {"::1", true, false},
	};
	struct cidr         deny[] = {cidr_of("10.0.0.0/8"), cidr_of("2001:db8::/32")}, allow[] = {cidr_of("10.1.0.0/16")};
	struct port_range   connect[] = {{443, 443}, {8000, 8002}}, http[] = {{80, 80}, {65535, 65535}};
	struct conf         c = {.gateway = {.egress_deny = {deny, 2}, .egress_allow = {allow, 1}, .connect_ports = {connect, 2}, .http_ports = {http, 2}}};
	struct flat         f;
	const struct egress *e;
	uint32_t            off;

	(void)state;
	flat_init(&f);
	flat_add(&f, "x", 1, 1);
	off = egress_compile(&c, &f);
	assert_int_not_equal(off, 0);
	e = egress_at(f.base, off);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct addr a;
		assert_true(addr_parse(span_str(rows[i].address), &a));
		if (egress_allows(e, &a) != rows[i].allowed || egress_allows_errand(e, &a) != rows[i].errand)
			fail_msg("%s", rows[i].address);
	}
	for (uint32_t port = 0; port < 65536; port++) {
		assert_int_equal(egress_port_allowed(e, true, (uint16_t)port), port == 443 || (port >= 8000 && port <= 8002));
		assert_int_equal(egress_port_allowed(e, false, (uint16_t)port), port == 80 || port == 65535);
	}
	flat_clear(&f);
}

static void
test_week_minutes_count_from_monday(void **state)
{
	static const struct {
		uint64_t    s; /* UTC */
		const char *at;
	} rows[] = {{0, "thu 00:00"}, {4 * 86400, "mon 00:00"}, {4 * 86400 - 1, "sun 23:59"}, {1700000000, "tue 22:13"}};

	(void)state;
	setenv("TZ", "UTC", 1);
	tzset();
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		uint32_t want;
		assert_true(week_minute_read(span_str(rows[i].at), &want));
		assert_int_equal(policy_week_minute(rows[i].s * 1000000), want);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random_policies_decide_as_the_obvious_reading_of_the_rules),
		cmocka_unit_test(test_a_rule_that_is_called_dead_never_decides),
		cmocka_unit_test(test_times_read_as_the_manual_says),
		cmocka_unit_test(test_times_that_make_no_sense_are_refused),
		cmocka_unit_test(test_ports_are_numbers_and_ranges),
		cmocka_unit_test(test_no_wrapping_reaches_a_denied_address),
		cmocka_unit_test(test_week_minutes_count_from_monday),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
