/* SPDX-License-Identifier: MIT */
/* m365_items: entries of lists, made of endpoints: for each url and each TCP port one, doubles put together, in an order that does not depend on the file's. */
#include <stdlib.h>
#include <string.h>

#include "import/m365.h"
#include "import/m365_inside.h"
#include "match/host_spec.h"

/* What is found at one endpoint. */
struct source {
	const json_t      *o;
	int64_t            id;
	enum m365_category category;
	bool               required;
	const char        *area, *notes;
};

struct gather {
	struct m365_item *v; /* owned */
	size_t            n, room;
	bool              failed;
};

/* Line separators, and what turns the order of the text around it: U+200E, 200F, 2028-202E, 2066-2069. */
static bool
is_turn(const unsigned char *p)
{
	if (p[0] != 0xe2)
		return false;
	return (p[1] == 0x80 && (p[2] == 0x8e || p[2] == 0x8f || (p[2] >= 0xa8 && p[2] <= 0xae))) || (p[1] == 0x81 && p[2] >= 0xa6 && p[2] <= 0xa9);
}

/* Text from outside on one line, for lists that go to a terminal too: control bytes, those of ISO 6429 beyond ASCII among them, become blanks. */
static void
plain(char *s)
{
	for (unsigned char *p = (unsigned char *)s; *p; p++) {
		if (*p < 0x20 || *p == 0x7f)
			*p = ' ';
		else if (*p == 0xc2 && p[1] >= 0x80 && p[1] < 0xa0)
			p[0] = p[1] = ' ';
		else if (is_turn(p))
			p[0] = p[1] = p[2] = ' ';
	}
}

static struct m365_item *
add(struct gather *g, const struct source *s, const char *text)
{
	static struct m365_item lost;
	struct m365_item       *i;

	if (g->n == g->room) {
		size_t            room = g->room ? 2 * g->room : 256;
		struct m365_item *v = room > 2 * M365_ITEMS_MAX ? NULL : realloc(g->v, room * sizeof *v);
		if (!v) {
			g->failed = true;
			return &lost;
		}
		g->v = v;
		g->room = room;
	}
	i = &g->v[g->n++];
	*i = (struct m365_item){.required = s->required, .category = (uint8_t)s->category, .n_ids = 1, .id = {s->id}, .area = s->area, .notes = s->notes};
	snprintf(i->text, sizeof i->text, "%s", text);
	return i;
}

static void
refuse(struct gather *g, const struct source *s, const char *text, const char *why)
{
	struct m365_item *i = add(g, s, text);

	snprintf(i->why, sizeof i->why, "%s", why);
	plain(i->why);
	plain(i->text);
}

/* An entry, if it can be one. */
static void
offer(struct gather *g, const struct source *s, const char *text)
{
	struct host_spec  spec;
	char              why[HOST_SPEC_WHY];
	struct m365_item *i;

	if (!host_spec_parse(span_str(text), &spec, why)) {
		refuse(g, s, text, why);
		return;
	}
	i = add(g, s, text);
	i->unsafe = spec.kind == SPEC_ALL || (spec.kind == SPEC_ADDR && spec.cidr.bits <= (addr_is_v4(&spec.cidr.addr) ? 96u : 0u)) || host_spec_is_public_suffix(&spec) || !host_spec_is_anchored(&spec);
	if (i->unsafe && spec.kind == SPEC_ADDR)
		snprintf(i->why, sizeof i->why, "it is every address: a bypass rule should not have it");
	else if (i->unsafe)
		snprintf(i->why, sizeof i->why, "%s", spec.kind != SPEC_ALL && !host_spec_is_anchored(&spec) ? "it may begin inside a name, and no whole domain follows: a bypass rule may not have it" :
		    "anyone may have a name there (a public suffix): a bypass rule may not have it");
}

/* --- urls and ports --- */

/* A name or pattern as an entry begins; false: it is none. */
static bool
url_print(const char *url, char *out, size_t n)
{
	size_t k = strlen(url);

	/* some were published with a scheme or a path behind */
	if (k > 8 && strncmp(url, "https://", 8) == 0)
		url += 8;
	else if (k > 7 && strncmp(url, "http://", 7) == 0)
		url += 7;
	k = strlen(url);
	if (k && url[k - 1] == '/')
		k--;
	if (k == 0 || k > HOSTNAME_MAX)
		return false;
	for (size_t i = 0; i < k && i < n; i++) {
		if ((unsigned char)url[i] <= 0x20 || url[i] == 0x7f || strchr("/:\"!@,;#", url[i]))
			return false;
		out[i] = ascii_lower(url[i]);
	}
	out[k] = '\0';
	return true;
}

/* The next of "80,443"; false: no more. `port` 0: it is no port. */
static bool
port_next(const char **at, char text[24], unsigned *port)
{
	const char *p = *at + strspn(*at, ", \t");
	size_t      n = strcspn(p, ",");
	char       *end;

	if (!*p)
		return false;
	snprintf(text, 24, "%.*s", (int)(n < 23 ? n : 23), p);
	*port = (unsigned)strtoul(text, &end, 10);
	if (*end && strspn(end, " ") != strlen(end))
		*port = 0;
	if (text[0] < '0' || text[0] > '9' || *port > 65535)
		*port = 0;
	*at = p + n;
	return true;
}

static void
url_add(struct gather *g, const struct source *s, const char *url)
{
	const char *ports = json_string_value(json_object_get(s->o, "tcpPorts")), *udp = json_string_value(json_object_get(s->o, "udpPorts"));
	char        name[HOSTNAME_MAX + 1], text[M365_TEXT_MAX], word[24], why[M365_WHY];
	unsigned    port;

	if (!url_print(url, name, sizeof name - 1)) {
		refuse(g, s, url, "it is no name of a host, nor a pattern of one");
		return;
	}
	if (!ports || !ports[strspn(ports, ", \t")]) {
		refuse(g, s, name, udp && udp[strspn(udp, ", \t")] ? "it is reached by UDP only, which no HTTP proxy carries" : "no port is named for it");
		return;
	}
	while (!g->failed && port_next(&ports, word, &port)) {
		if (port == 443 || port == 80)
			snprintf(text, sizeof text, port == 443 ? "https://%s" : "http://%s", name);
		else
			snprintf(text, sizeof text, "%s:%u", name, port);
		if (port) {
			offer(g, s, text);
			continue;
		}
		snprintf(why, sizeof why, "its TCP port %s is no single one; an entry has one port", word);
		refuse(g, s, name, why);
	}
}

static void
endpoint_add(struct gather *g, const struct source *s, bool addresses)
{
	const json_t *one;
	size_t        i;

	json_array_foreach (json_object_get(s->o, "urls"), i, one)
		if (!g->failed)
			url_add(g, s, json_string_value(one));
	if (!addresses)
		return;
	json_array_foreach (json_object_get(s->o, "ips"), i, one)
		offer(g, s, json_string_value(one));
}

/* --- order --- */

/* By text; of doubles the first id first. */
static int
by_text(const void *a, const void *b)
{
	const struct m365_item *x = a, *y = b;
	int                     d = strcmp(x->text, y->text);

	if (!d)
		d = strcmp(x->why, y->why);
	return d ? d : x->id[0] < y->id[0] ? -1 : x->id[0] > y->id[0];
}

/* Entries first; then by the first id. */
static int
by_id(const void *a, const void *b)
{
	const struct m365_item *x = a, *y = b;

	if (!x->why[0] != !y->why[0])
		return x->why[0] ? 1 : -1;
	if (x->id[0] != y->id[0])
		return x->id[0] < y->id[0] ? -1 : 1;
	return by_text(a, b);
}

static void
take_in(struct m365_item *to, const struct m365_item *from)
{
	to->required |= from->required;
	if (from->category < to->category)
		to->category = from->category;
	if (to->id[to->n_ids - 1] == from->id[0])
		return;
	if (to->n_ids < M365_IDS)
		to->id[to->n_ids++] = from->id[0];
	else
		to->more_ids = true;
}

static void
put_together(struct gather *g)
{
	size_t n = 0;

	if (!g->n)
		return;
	qsort(g->v, g->n, sizeof *g->v, by_text);
	for (size_t i = 0; i < g->n; i++)
		if (n && strcmp(g->v[n - 1].text, g->v[i].text) == 0 && strcmp(g->v[n - 1].why, g->v[i].why) == 0)
			take_in(&g->v[n - 1], &g->v[i]);
		else
			g->v[n++] = g->v[i];
	g->n = n;
	qsort(g->v, g->n, sizeof *g->v, by_id);
}

/* --- which --- */

static bool
is_wanted(const struct m365_want *w, const struct source *s)
{
	if (w->categories && !(w->categories & 1u << s->category))
		return false;
	if (w->required_only && !s->required)
		return false;
	for (size_t i = 0; i < w->n_areas; i++)
		if (span_eq_nocase(w->area[i], span_str(s->area)))
			return true;
	return w->n_areas == 0;
}

bool
m365_select(const struct m365 *m, const struct m365_want *want, struct m365_list *out)
{
	struct gather g = {0};
	const json_t *o;
	size_t        i;

	*out = (struct m365_list){0};
	json_array_foreach (m->json, i, o) {
		const char   *notes = json_string_value(json_object_get(o, "notes"));
		struct source s = {.o = o, .id = json_integer_value(json_object_get(o, "id")), .required = json_is_true(json_object_get(o, "required")),
			.area = json_string_value(json_object_get(o, "serviceArea")), .notes = notes ? notes : ""};
		if (m365_category_read(span_str(json_string_value(json_object_get(o, "category"))), &s.category) && is_wanted(want, &s))
			endpoint_add(&g, &s, want->addresses);
		if (g.failed || g.n > M365_ITEMS_MAX) {
			free(g.v);
			return false;
		}
	}
	put_together(&g);
	out->v = g.v;
	out->n = g.n;
	while (out->n_entries < g.n && !g.v[out->n_entries].why[0])
		out->n_entries++;
	return true;
}

void
m365_list_clear(struct m365_list *l)
{
	free(l->v);
	*l = (struct m365_list){0};
}

/* --- the list's text --- */

const char *
m365_comment(const struct m365_item *i, char *buf, size_t n)
{
	size_t at = 0;

	for (unsigned k = 0; k < i->n_ids && at < n; k++)
		at += (size_t)snprintf(buf + at, n - at, "%s%lld", k ? ", " : "", (long long)i->id[k]);
	if (at < n)
		snprintf(buf + at, n - at, "%s: %s, %s%s%s", i->more_ids ? ", ..." : "", m365_category_word((enum m365_category)i->category), i->required ? "required" : "optional",
		    *i->notes ? "; " : "", i->notes);
	plain(buf);
	return buf;
}

void
m365_write(const struct m365_list *l, const struct m365_head *head, FILE *to)
{
	char comment[400];

	fprintf(to, "# source: %s\n# version: %s\n# fetched: %s\n#\n# Microsoft 365, %s. Made by postern import m365: change nothing here, it would be lost with the next version.\n",
	    head->source, head->version, head->fetched, head->what);
	fprintf(to, "# Behind each entry: its ids, category, whether it is required, Microsoft's notes.\n\n");
	for (size_t i = 0; i < l->n_entries; i++)
		fprintf(to, "%-55s # %s\n", l->v[i].text, m365_comment(&l->v[i], comment, sizeof comment));
	if (l->n_entries < l->n)
		fprintf(to, "\n# What could not become an entry:\n");
	for (size_t i = l->n_entries; i < l->n; i++)
		fprintf(to, "# %s (%s) %s\n", l->v[i].text, l->v[i].why, m365_comment(&l->v[i], comment, sizeof comment));
}
