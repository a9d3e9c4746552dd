/* SPDX-License-Identifier: MIT */
/*
 * effects: what a rule does to messages beside deciding: redirect, and header fields set and removed; and how its tunnels are inspected.
 * Reads and checks them for the block, and hands them out of it. Applying them is session's.
 */
#include <stdlib.h>
#include <string.h>

#include "parse/octet.h"
#include "policy/build.h"
#include "policy/open.h"

#define FIELDS_MOST 8192 /* bytes that one option of a rule may add to a head */

/* Fields by which Postern itself frames, routes and guards messages; null: any rule may touch it. */
static const char *
name_judge(struct span name)
{
	static const char *const own[] = {"content-length", "transfer-encoding", "host", "connection", "proxy-connection", "keep-alive", "te", "trailer", "upgrade",
		"expect", "via", "max-forwards", "http2-settings", "proxy-status"};

	if (!octet_is_token(name))
		return "is no header field's name";
	for (size_t i = 0; i < sizeof own / sizeof *own; i++)
		if (span_eq_nocase(name, span_str(own[i])))
			return "is a field that the gateway itself needs to pass messages on";
	if (name.n > 6 && span_eq_nocase(span_of(name.p, 6), SPAN("proxy-")))
		return "is a field between the client and the gateway";
	return NULL;
}

/* Name: value */
static bool
field_read(struct build *b, const char *key, const struct conf_item *item, struct span *name, struct span *value)
{
	const char *colon = memchr(item->text.p, ':', item->text.n), *wrong;

	*name = item->text;
	if (!colon || (!item->quoted && (size_t)(colon + 1 - item->text.p) == item->text.n)) {
		report_error(b->report, item->at, "%s = %.*s: say the whole field in quotes, such as \"X-Name: value\"", key, SPAN_ARG(item->text));
		return false;
	}
	name->n = (size_t)(colon - item->text.p);
	*value = span_of(colon + 1, item->text.n - name->n - 1);
	while (value->n && (value->p[0] == ' ' || value->p[0] == '\t'))
		*value = span_of(value->p + 1, value->n - 1);
	while (value->n && (value->p[value->n - 1] == ' ' || value->p[value->n - 1] == '\t'))
		value->n--;
	wrong = name_judge(*name);
	if (!wrong && (span_eq_nocase(*name, SPAN("authorization")) || span_eq_nocase(*name, SPAN("cookie"))))
		wrong = "holds a secret, which has no place in a configuration";
	if (wrong) {
		report_error(b->report, item->at, "%s: %.*s %s; name another field, or remove the line", key, SPAN_ARG(*name), wrong);
		return false;
	}
	for (size_t i = 0; i < value->n; i++)
		if (((unsigned char)value->p[i] < 0x20 && value->p[i] != '\t') || value->p[i] == 0x7f) {
			report_error(b->report, item->at, "%s: the value of %.*s has a control byte; remove it", key, SPAN_ARG(*name));
			return false;
		}
	return true;
}

static bool
name_read(struct build *b, const char *key, const struct conf_item *item, struct span *name)
{
	const char *wrong = name_judge(item->text);

	*name = item->text;
	if (wrong)
		report_error(b->report, item->at, "%s: `%.*s` %s; say names such as Server, separated by blanks or commas", key, SPAN_ARG(item->text), wrong);
	return !wrong;
}

/* "Name: value\r\n" for each, or "name," for each. */
static struct flat_ref
fields_gather(struct build *b, const char *key, const struct conf_items *items, bool set)
{
	char            text[FIELDS_MOST];
	size_t          n = 0;
	struct flat_ref none = {0, 0};

	for (size_t i = 0; i < items->n; i++) {
		struct span name, value = {NULL, 0};
		if (set ? !field_read(b, key, &items->v[i], &name, &value) : !name_read(b, key, &items->v[i], &name))
			continue;
		if (name.n + value.n + 4 > sizeof text - n) {
			report_error(b->report, items->v[i].at, "%s holds more than %d bytes in all; write fewer fields", key, FIELDS_MOST);
			break;
		}
		for (size_t k = 0; k < name.n; k++)
			text[n++] = set ? name.p[k] : ascii_lower(name.p[k]);
		text[n++] = set ? ':' : ',';
		if (!set)
			continue;
		text[n++] = ' ';
		memcpy(text + n, value.n ? value.p : "", value.n);
		n += value.n;
		text[n++] = '\r';
		text[n++] = '\n';
	}
	return n ? flat_add_text(b->flat, span_of(text, n)) : none;
}

/* False: it is no place to send a browser to; reported. */
static bool
redirect_check(struct build *b, const struct conf_rule *r)
{
	struct url url;

	if (r->action != ACTION_DENY || r->report) {
		report_error(b->report, r->redirect.at, "redirect is how a rule refuses; say action = deny%s in rule `%.*s`, or remove redirect",
		    r->report ? " without report" : "", SPAN_ARG(r->name));
		return false;
	}
	if (url_parse(r->redirect.text, &url) && (url.scheme == SCHEME_HTTP || url.scheme == SCHEME_HTTPS))
		return true;
	report_error(b->report, r->redirect.at, "redirect = %.*s: want a whole URL such as https://intranet.example/blocked, without user, blanks and #",
	    SPAN_ARG(r->redirect.text));
	return false;
}

/* Where a rule can have no header effects, what is said of it. */
static const char *
fields_judge(const struct conf_rule *r)
{
	if (r->report)
		return "is only reported";
	if (r->action == ACTION_BYPASS)
		return "lets everything pass untouched (action = bypass); say tunnel or inspect";
	if (r->action == ACTION_DENY)
		return "refuses, so that nothing is sent on (action = deny); say tunnel or inspect";
	return NULL;
}

void
effects_gather(struct build *b, uint32_t rule)
{
	const struct conf_rule *r = b->rule[rule];
	const struct {
		const char              *key;
		const struct conf_items *items;
		bool                     set;
	} fields[] = {{"set-request-header", &r->set_request_header, true}, {"set-response-header", &r->set_response_header, true},
		{"remove-request-header", &r->remove_request_header, false}, {"remove-response-header", &r->remove_response_header, false}};
	struct flat_ref ref[4];
	const char     *wrong = fields_judge(r);
	bool            any = false;

	for (size_t i = 0; i < 4; i++) {
		ref[i] = fields_gather(b, fields[i].key, fields[i].items, fields[i].set);
		any |= ref[i].n > 0;
		if (fields[i].items->n && wrong)
			report_error(b->report, fields[i].items->v[0].at, "%s does nothing here: rule `%.*s` %s, or remove the line", fields[i].key, SPAN_ARG(r->name), wrong);
	}
	if (r->redirect.text.n && redirect_check(b, r))
		any = true;
	if (any) {
		struct block_effects e = {flat_add_text(b->flat, r->redirect.text), ref[0], ref[1], ref[2], ref[3]};
		b->effects[rule] = flat_add(b->flat, &e, sizeof e, 8);
	}
}

void
inspections_write(struct build *b, struct policy_head *head)
{
	const struct conf_inspection *all = &b->conf->inspection;
	struct rule_inspection       *v = calloc((size_t)b->n_rules + 1, sizeof *v);

	for (uint32_t i = 0; v && i < b->n_rules; i++) {
		const struct conf_rule *r = b->rule[i];
		memcpy(v[i].bad_origin, r->bad_origin.given ? r->bad_origin.answer : all->bad_origin.answer, sizeof v[i].bad_origin);
		v[i].unknown_alpn = r->unknown_alpn != ODD_DEFAULT ? r->unknown_alpn : all->unknown_alpn != ODD_DEFAULT ? all->unknown_alpn : ODD_REFUSE;
	}
	if (v)
		head->inspections = flat_add(b->flat, v, b->n_rules * sizeof *v, 8);
	else
		build_oom(b);
	free(v);
}

static struct span
text_of(const struct policy *p, struct flat_ref t)
{
	return span_of(policy_at(p, t.off), t.n);
}

bool
policy_rule_effects(const struct policy *p, uint32_t rule, struct rule_effects *out)
{
	const struct block_effects *e;

	*out = (struct rule_effects){{"", 0}, {"", 0}, {"", 0}, {"", 0}, {"", 0}};
	if (rule >= p->head->n_rules || !p->rules[rule].effects)
		return false;
	e = policy_at(p, p->rules[rule].effects);
	*out = (struct rule_effects){text_of(p, e->redirect), text_of(p, e->set_request), text_of(p, e->set_response), text_of(p, e->remove_request),
		text_of(p, e->remove_response)};
	return true;
}

void
policy_rule_inspection(const struct policy *p, uint32_t rule, struct rule_inspection *out)
{
	const struct rule_inspection *v = policy_at(p, p->head->inspections);

	*out = (struct rule_inspection){.unknown_alpn = ODD_REFUSE};
	if (rule < p->head->n_rules)
		*out = v[rule];
}
