/* SPDX-License-Identifier: MIT */
/*
 * format_cef: ArcSight's Common Event Format, version 0: a head of seven fields between bars, then key=value pairs with the standard dictionary's keys.
 * What is not known is left out. Version 0 has no room for IPv6 in src and dst: such addresses stand in c6a2 and c6a3.
 * Always true: no bar in the head and no equals sign in a value stands without a backslash; a value may hold blanks, as the format wants.
 */
#include "audit/format_kinds.h"
#include "audit/words.h"

/* " key=" */
#define KEY(l, name) line_bytes((l), " " name "=", sizeof " " name "=" - 1)

static void
put_addr(struct line *l, const struct addr *a, const char *v4, const char *v6)
{
	line_str(l, addr_is_v4(a) ? v4 : v6);
	line_addr(l, a);
}

static void
put_head(struct line *l, const struct record *r)
{
	line_str(l, "CEF:0|Postern|Postern|" PACKAGE_VERSION "|");
	line_text(l, span_str(words_event(r)), STYLE_CEF_HEAD);
	line_char(l, '|');
	line_text(l, span_str(words_title(r)), STYLE_CEF_HEAD);
	line_char(l, '|');
	line_number(l, words_severity(r), 0, ' ');
	line_char(l, '|');
}

static void
put_ends(struct line *l, const struct record *r, const struct span text[RT_COUNT])
{
	put_addr(l, &r->client.addr, " src=", " c6a2Label=Source IPv6 Address c6a2=");
	if (r->client.port)
		KEY(l, "spt"), line_number(l, r->client.port, 0, ' ');
	if (text[RT_USER].n)
		KEY(l, "suser"), line_text(l, text[RT_USER], STYLE_CEF);
	if (r->has_address)
		put_addr(l, &r->address, " dst=", " c6a3Label=Destination IPv6 Address c6a3=");
	if (r->port)
		KEY(l, "dpt"), line_number(l, r->port, 0, ' ');
	if (text[RT_HOST].n)
		KEY(l, "dhost"), line_text(l, text[RT_HOST], STYLE_CEF);
}

static void
put_request(struct line *l, const struct record *r, const struct span text[RT_COUNT], bool query)
{
	const char *scheme = words_scheme(r);

	if (scheme)
		KEY(l, "app"), line_str(l, scheme);
	if (text[RT_METHOD].n)
		KEY(l, "requestMethod"), line_text(l, text[RT_METHOD], STYLE_CEF);
	if (text[RT_URL].n)
		KEY(l, "request"), words_url_print(l, text[RT_URL], query, STYLE_CEF);
	if (text[RT_USER_AGENT].n)
		KEY(l, "requestClientApplication"), line_text(l, text[RT_USER_AGENT], STYLE_CEF);
	if (text[RT_REFERER].n)
		KEY(l, "requestContext"), words_url_print(l, text[RT_REFERER], query, STYLE_CEF);
}

static void
put_verdict(struct line *l, const struct record *r, const struct span text[RT_COUNT])
{
	const char *action = words_action(r);

	if (action)
		KEY(l, "act"), line_str(l, action);
	KEY(l, "outcome"), line_str(l, r->fault == FAULT_NONE ? "success" : "failure");
	if (r->fault != FAULT_NONE)
		KEY(l, "reason"), line_str(l, fault_row((enum fault)r->fault)->word);
	if (text[RT_TLS_DETAIL].n)
		KEY(l, "msg"), line_text(l, text[RT_TLS_DETAIL], STYLE_CEF);
}

/* Strings and numbers that the dictionary has no key for: each with its label. */
static void
put_custom(struct line *l, const struct record *r, const struct span text[RT_COUNT])
{
	const char *guard = words_guard(r);

	if (text[RT_RULE].n)
		KEY(l, "cs1Label=Rule cs1"), line_text(l, text[RT_RULE], STYLE_CEF);
	KEY(l, "cs2Label=Result cs2"), line_str(l, words_result(r));
	if (text[RT_LISTENER].n)
		KEY(l, "cs3Label=Listener cs3"), line_text(l, text[RT_LISTENER], STYLE_CEF);
	if (text[RT_SNI].n)
		KEY(l, "cs4Label=SNI cs4"), line_text(l, text[RT_SNI], STYLE_CEF);
	if (guard)
		KEY(l, "cs5Label=Guard cs5"), line_str(l, guard);
	KEY(l, "cs6Label=Session cs6"), line_id(l, r->session);
	if (r->status)
		KEY(l, "cn1Label=Status cn1"), line_number(l, r->status, 0, ' ');
	KEY(l, "cn2Label=Milliseconds cn2"), line_number(l, r->duration_us / 1000, 0, ' ');
}

void
format_cef(struct line *l, const struct record *r, const struct span text[RT_COUNT], bool query)
{
	put_head(l, r);
	line_bytes(l, "rt=", 3);
	line_number(l, r->end_real_us / 1000, 0, ' ');
	KEY(l, "externalId"), line_id(l, r->id);
	KEY(l, "proto"), line_str(l, "TCP");
	put_ends(l, r, text);
	put_request(l, r, text, query);
	KEY(l, "in"), line_number(l, r->bytes_in, 0, ' ');
	KEY(l, "out"), line_number(l, r->bytes_out, 0, ' ');
	put_verdict(l, r, text);
	put_custom(l, r, text);
}
