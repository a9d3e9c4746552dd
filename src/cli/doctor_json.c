/* SPDX-License-Identifier: MIT */
/*
 * doctor_json: what `postern doctor` found as one JSON object; contrib/schema/postern-doctor.json says what is in it.
 */
#include "cli/cli.h"
#include "cli/doctor.h"
#include "doctor/advice.h"
#include "parse/authority.h"

static void
text_field(const char *name, const char *value)
{
	printf(",\"%s\":", name);
	cli_print_json(stdout, span_str(value));
}

/* null: not come to, or there is none */
static void
text_or_null(const char *name, const char *value)
{
	if (*value)
		text_field(name, value);
	else
		printf(",\"%s\":null", name);
}

static void
ms_field(const char *name, uint32_t ms)
{
	if (ms == UINT32_MAX)
		printf(",\"%s\":null", name);
	else
		printf(",\"%s\":%u", name, ms);
}

static bool
has_leaf(const struct doctor_row *r)
{
	static const uint8_t none[sizeof r->leaf_sha256];

	return memcmp(r->leaf_sha256, none, sizeof none) != 0;
}

/* `direct`: the same target directly. */
static void
leaf_print(const struct doctor_row *r, const struct doctor_row *direct)
{
	const char *same = memcmp(r->leaf_sha256, direct->leaf_sha256, sizeof r->leaf_sha256) == 0 ? "true" : "false";

	if (!has_leaf(r)) {
		fputs(",\"certificate\":null", stdout);
		return;
	}
	fputs(",\"certificate\":{\"sha256\":\"", stdout);
	for (size_t i = 0; i < sizeof r->leaf_sha256; i++)
		printf("%02x", r->leaf_sha256[i]);
	printf("\",\"not_after\":%lld", (long long)r->not_after);
	text_field("issuer", r->issuer);
	text_field("root", r->root);
	printf(",\"as_directly\":%s}", r->way != DOCTOR_DIRECT && has_leaf(direct) ? same : "null");
}

static void
row_print(const struct checkup *c, const struct doctor_row *r, const struct doctor_row *direct)
{
	char address[ADDR_TEXT_MAX] = "";

	if (r->has_address)
		addr_print(&r->address, address);
	printf("{\"way\":\"%s\",\"fault\":\"%s\",\"bad\":%s,\"counts\":%s,\"step\":\"%s\"", doctor_way_word(r->way), doctor_fault_word(r->fault),
	    doctor_is_bad(r->fault) ? "true" : "false", doctor_counts(r, &c->target[r->target]) ? "true" : "false", doctor_step_word(r->step));
	text_or_null("parent", r->way == DOCTOR_PARENT ? c->set.parent[r->parent].name : "");
	text_field("detail", r->detail);
	text_field("advice", doctor_advice(r->fault, r->way));
	text_field("side", doctor_side_word(doctor_side_of(r->fault)));
	text_or_null("address", address);
	printf(",\"addresses\":%u", r->addresses);
	text_or_null("cname", r->cname);
	fputs(r->tls ? r->tls == 3 ? ",\"tls\":\"1.3\"" : ",\"tls\":\"1.2\"" : ",\"tls\":null", stdout);
	if (r->status)
		printf(",\"status\":%u", r->status);
	else
		fputs(",\"status\":null", stdout);
	ms_field("dns_ms", r->dns_ms);
	ms_field("tcp_ms", r->tcp_ms);
	ms_field("proxy_ms", r->proxy_ms);
	ms_field("tls_ms", r->tls_ms);
	ms_field("http_ms", r->http_ms);
	leaf_print(r, direct);
	putchar('}');
}

static void
target_print(const struct checkup *c, size_t t)
{
	const struct doctor_target *target = &c->target[t];
	const char                 *symptom = doctor_symptom(target);

	fputs("{\"host\":", stdout);
	if (target->no_probe)
		fputs("null", stdout);
	else
		cli_print_json(stdout, span_str(target->host));
	printf(",\"port\":%u,\"scheme\":\"%s\"", target->port, target->scheme == SCHEME_HTTP ? "http" : "https");
	text_field("pattern", target->pattern);
	text_or_null("list", target->list);
	text_field("where", target->where);
	printf(",\"failing\":%s", checkup_worst(c, t) ? "true" : "false");
	text_or_null("symptom", symptom ? symptom : "");
	fputs(",\"ways\":[", stdout);
	for (unsigned l = 0; l < c->lanes; l++) {
		if (!doctor_lane_is_of(l, c->set.n_parents, target))
			continue;
		fputs(l ? "," : "", stdout);
		row_print(c, &c->row[t * c->lanes + l], &c->row[t * c->lanes]);
	}
	fputs("]}", stdout);
}

static void
proxy_print(const struct doctor_proxy *p)
{
	char text[300];

	fputs("{\"name\":", stdout);
	cli_print_json(stdout, span_str(p->name ? p->name : ""));
	if (p->host)
		snprintf(text, sizeof text, "%.280s:%u", p->host, p->at.port);
	else
		endpoint_print(&p->at, text);
	text_field("address", text);
	text_or_null("not_tried", p->present ? "" : p->why ? p->why : "not configured");
	putchar('}');
}

static void
parents_print(const struct checkup *c)
{
	bool any = false;

	fputs("\"parents\":[", stdout);
	for (unsigned i = 0; i < c->set.n_parents; i++) {
		if (!checkup_uses(c, i + 1))
			continue;
		fputs(any ? "," : "", stdout);
		proxy_print(&c->set.parent[i]);
		any = true;
	}
	printf("],\"parents_left_out\":%u", c->set.parents_more);
}

void
checkup_print_json(const struct checkup *c)
{
	struct checkup_sum sum = checkup_sum(c);

	putchar('{');
	parents_print(c);
	fputs(",\"gateway\":", stdout);
	if (c->set.gateway.present)
		proxy_print(&c->set.gateway);
	else
		fputs("null", stdout);
	printf(",\"endpoints\":%zu,\"failing\":%zu,\"slow\":%zu,\"untested\":%zu,\"gateway_down\":%s,\"took_ms\":%llu,\"results\":[", c->n, sum.failing, sum.slow,
	    sum.unknown + c->more, sum.no_gateway ? "true" : "false", (unsigned long long)c->took_ms);
	for (size_t t = 0; t < c->n; t++) {
		fputs(t ? "," : "", stdout);
		target_print(c, t);
	}
	puts("]}");
}
