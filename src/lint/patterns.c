/* SPDX-License-Identifier: MIT */
/*
 * patterns: host items of rules and lists that are valid and yet look like a mistake; that take in a whole public suffix where requests pass unseen; and
 * regexes that are plain patterns. In bypass rules the dangerous ones are errors, which policy/gather reports; they are not repeated here.
 */
#include <stdio.h>
#include <string.h>

#include "lint/parts.h"
#include "match/host_spec.h"

#define TOLD_MOST 20u /* of each kind in each list or rule; the others are counted */

struct looking {
	struct report *r;
	const struct conf_gateway *gateway;
	bool           bypass; /* a bypass rule without force holds these: policy/gather has judged them */
	bool           unseen; /* a rule tunnels what these hold for */
	struct where   last[FINDING_COUNT];
	size_t         told[FINDING_COUNT];
};

/* Is there room for one more of its kind? */
static bool
may_tell(struct looking *l, enum finding kind, struct where at)
{
	l->last[kind] = at;
	return l->told[kind]++ < TOLD_MOST;
}

#define TELL(l, kind, at, ...) \
	do { \
		if (may_tell(l, kind, at)) \
			report_find((l)->r, kind, at, __VA_ARGS__); \
	} while (0)

static void
rest_tell(struct looking *l)
{
	for (unsigned k = 0; k < FINDING_COUNT; k++)
		if (l->told[k] > TOLD_MOST)
			report_find(l->r, (enum finding)k, l->last[k], "and %zu more entries of the same list or rule like those above (%s)", l->told[k] - TOLD_MOST,
			    finding_word((enum finding)k));
}

static void
regex_look(struct looking *l, const struct conf_item *item, const struct host_spec *spec)
{
	char             plain[REGEX_PLAIN_MOST], why[HOST_SPEC_WHY];
	struct host_spec one;

	switch (regex_plain(spec->regex, plain)) {
	case REGEX_OTHER:
		return;
	case REGEX_NEARLY:
		TELL(l, FINDING_PATTERN_DOUBTFUL, item->at,
		    "`%.*s`: a dot in a regex stands for any byte; write `%s`, or \\. where a dot is meant", SPAN_ARG(item->text), plain);
		return;
	case REGEX_SAME:
		break;
	}
	/* .*x of one regex: what a bypass rule may not hold as a plain pattern, it should not hold as a regex */
	if (!strchr(plain, ' ') && host_spec_parse(span_str(plain), &one, why) && !host_spec_is_anchored(&one))
		TELL(l, FINDING_PATTERN_DOUBTFUL, item->at,
		    "`%.*s` may begin inside a label, so that it holds for names that strangers can register; put \\. after the first .*, "
		    "so that it is a plain pattern such as `*.example.com`", SPAN_ARG(item->text));
	else
		TELL(l, FINDING_REGEX_PLAIN, item->at,
		    "`%.*s` needs no regex, which is tried for each name; write `%s`, which holds for the same names", SPAN_ARG(item->text), plain);
}

static void
glob_look(struct looking *l, const struct conf_item *item, const struct host_spec *spec)
{
	size_t head = strcspn(spec->text, "*");

	if (l->bypass)
		return;
	if (spec->text[spec->n - 1] == '*' && head)
		TELL(l, FINDING_PATTERN_DOUBTFUL, item->at,
		    "`%.*s` ends in a star, so that it holds for names in any domain that begin like this, which anyone may register; end it in the domain, such as %.*s and *.%.*s",
		    SPAN_ARG(item->text), (int)head, spec->text, (int)head, spec->text);
	else if (spec->text[spec->n - 1] == '*')
		TELL(l, FINDING_PATTERN_DOUBTFUL, item->at,
		    "`%.*s` ends in a star, so that it holds for names in any domain, which anyone may register; end it in the domain, such as %s.example.com", SPAN_ARG(item->text),
		    spec->text);
	else if (!host_spec_is_anchored(spec))
		TELL(l, FINDING_PATTERN_DOUBTFUL, item->at,
		    "`%.*s` may begin inside a label, so that it holds for names such as evil%s too; write *.%s for what lies below, .%s for that and the name itself",
		    SPAN_ARG(item->text), spec->text + 1, spec->text + 1, spec->text + 1);
}

/* "microsoftcom", or what is left of "microsoft,com" */
static void
dotless_look(struct looking *l, const struct conf_item *item, const struct host_spec *spec)
{
	static const char *const words[] = {"dotcom", "intercom", "telecom"}, *const tops[] = {"com", "net", "org"};

	for (size_t i = 0; i < sizeof tops / sizeof *tops && spec->kind == SPEC_EXACT; i++)
		if (strcmp(spec->text, tops[i]) == 0)
			TELL(l, FINDING_PATTERN_DOUBTFUL, item->at, "`%.*s` is no host by itself; write a dot where a comma or a blank stands before it, if that is meant",
			    SPAN_ARG(item->text));

	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (strcmp(spec->text, words[i]) == 0)
			return;
	if (spec->n > 5 && memcmp(spec->text + spec->n - 3, "com", 3) == 0)
		TELL(l, FINDING_PATTERN_DOUBTFUL, item->at,
		    "`%.*s` has no dot, and ends like a domain; write %.*s.com if that is meant", SPAN_ARG(item->text), spec->n - 3, spec->text);
}

static bool
has_upper_scheme(struct span s)
{
	for (size_t i = 0; i < s.n && s.p[i] != ':'; i++)
		if (s.p[i] >= 'A' && s.p[i] <= 'Z')
			return true;
	return false;
}

static void
scheme_look(struct looking *l, const struct conf_item *item, const struct host_spec *spec)
{
	if (spec->scheme == SCHEME_HTTP && spec->port == 443)
		TELL(l, FINDING_PATTERN_DOUBTFUL, item->at,
		    "`%.*s` is plain HTTP on the port of https, so that no CONNECT is meant; write https:// if TLS is meant", SPAN_ARG(item->text));
	else if (spec->scheme == SCHEME_HTTPS && spec->port == 80)
		TELL(l, FINDING_PATTERN_DOUBTFUL, item->at, "`%.*s` is https on the port of plain HTTP; write http:// if that is meant", SPAN_ARG(item->text));
	else if (has_upper_scheme(item->text))
		TELL(l, FINDING_PATTERN_DOUBTFUL, item->at, "`%.*s`: schemes are written in lower case; write %s://", SPAN_ARG(item->text),
		    spec->scheme == SCHEME_HTTP ? "http" : "https");
}

/* A port that no request may go to, whatever the rules say. */
static void
port_look(struct looking *l, const struct conf_item *item, const struct host_spec *spec)
{
	bool connect = spec->scheme != SCHEME_HTTP, plain = spec->scheme != SCHEME_HTTPS;

	if ((connect && conf_ports_have(&l->gateway->connect_ports, spec->port)) || (plain && conf_ports_have(&l->gateway->http_ports, spec->port)))
		return;
	TELL(l, FINDING_NO_EFFECT, item->at, "`%.*s` never holds: `%s` does not have port %u, so that no request may go there; add it there, or remove the entry",
	    SPAN_ARG(item->text), connect ? "connect-ports" : "http-ports", spec->port);
}

static void
item_look(struct looking *l, const struct conf_item *item)
{
	struct host_spec spec;
	char             why[HOST_SPEC_WHY];

	if (!host_spec_parse(item->text, &spec, why))
		return;
	if (spec.kind == SPEC_REGEX)
		regex_look(l, item, &spec);
	if (spec.kind == SPEC_GLOB)
		glob_look(l, item, &spec);
	if ((spec.kind == SPEC_EXACT || spec.kind == SPEC_BELOW || spec.kind == SPEC_TREE) && !memchr(spec.text, '.', spec.n))
		dotless_look(l, item, &spec);
	if (spec.scheme != SCHEME_NONE)
		scheme_look(l, item, &spec);
	if (spec.port && spec.port != 80 && spec.port != 443) /* of these another scheme is meant, or they are left out on purpose */
		port_look(l, item, &spec);
	if (l->unseen && !l->bypass && !item->negated && (spec.kind == SPEC_BELOW || spec.kind == SPEC_TREE) && host_spec_is_public_suffix(&spec))
		TELL(l, FINDING_PUBLIC_SUFFIX, item->at,
		    "`%.*s` is a whole public suffix, where anyone can have a name, and a rule lets it pass without inspection; name the hosts "
		    "below it, or say force = yes in the rule", SPAN_ARG(item->text));
}

static bool
is_list(const struct conf_item *item)
{
	return !item->quoted && item->text.n > 0 && item->text.p[0] == '@';
}

/* What the rules that name a list do with it. */
static void
list_uses(const struct conf *c, const struct conf_list *list, struct looking *l)
{
	const struct conf_rule *rule;

	TAILQ_FOREACH (rule, &c->rules, link)
		for (size_t i = 0; i < rule->hosts.n && !rule->force; i++) {
			const struct conf_item *item = &rule->hosts.v[i];
			if (item->negated || !is_list(item) || !span_eq(span_of(item->text.p + 1, item->text.n - 1), list->name))
				continue;
			l->bypass |= rule->action == ACTION_BYPASS;
			l->unseen |= rule->action == ACTION_TUNNEL;
		}
}

void
lint_patterns(const struct conf *c, struct report *r)
{
	const struct conf_rule *rule;
	const struct conf_list *list;

	TAILQ_FOREACH (rule, &c->rules, link) {
		struct looking l = {.r = r, .gateway = &c->gateway, .bypass = rule->action == ACTION_BYPASS && !rule->force, .unseen = rule->action == ACTION_TUNNEL && !rule->force};
		for (size_t i = 0; i < rule->hosts.n; i++)
			if (!is_list(&rule->hosts.v[i]))
				item_look(&l, &rule->hosts.v[i]);
		rest_tell(&l);
	}
	TAILQ_FOREACH (list, &c->lists, link) {
		struct looking l = {.r = r, .gateway = &c->gateway};
		list_uses(c, list, &l);
		for (size_t i = 0; i < list->hosts.n; i++)
			item_look(&l, &list->hosts.v[i]);
		rest_tell(&l);
	}
}
