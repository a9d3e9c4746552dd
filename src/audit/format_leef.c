/* SPDX-License-Identifier: MIT */
/*
 * format_leef: IBM's Log Event Extended Format, version 2.0: a head between bars that names the delimiter, then key=value pairs, separated by tabs. Keys are
 * those of the predefined attributes, where there is one. What is not known is left out.
 * Always true: a tab stands only between two pairs; the head holds words of ours alone.
 */
#include "audit/format_kinds.h"
#include "audit/words.h"

#define KEY(l, name) line_bytes((l), "\t" name "=", sizeof "\t" name "=" - 1)

#define TEXT(l, name, s) \
	do { \
		if ((s).n) \
			KEY(l, name), line_text((l), (s), STYLE_RAW); \
	} while (0)
#define NUMBER(l, name, v) (KEY(l, name), line_number((l), (v), 0, ' '))

static void
put_head(struct line *l, const struct record *r)
{
	line_str(l, "LEEF:2.0|Postern|Postern|" PACKAGE_VERSION "|");
	line_str(l, words_event(r));
	line_bytes(l, "|x09|", 5);
}

static void
put_ends(struct line *l, const struct record *r, const struct span text[RT_COUNT])
{
	KEY(l, "src"), line_addr(l, &r->client.addr);
	if (r->client.port)
		NUMBER(l, "srcPort", r->client.port);
	TEXT(l, "usrName", text[RT_USER]);
	if (r->has_address)
		KEY(l, "dst"), line_addr(l, &r->address);
	if (r->port)
		NUMBER(l, "dstPort", r->port);
	NUMBER(l, "srcBytes", r->bytes_in);
	NUMBER(l, "dstBytes", r->bytes_out);
	TEXT(l, "host", text[RT_HOST]);
}

static void
put_request(struct line *l, const struct record *r, const struct span text[RT_COUNT], bool query)
{
	const char *scheme = words_scheme(r);

	if (scheme)
		KEY(l, "scheme"), line_str(l, scheme);
	TEXT(l, "method", text[RT_METHOD]);
	if (text[RT_URL].n)
		KEY(l, "url"), words_url_print(l, text[RT_URL], query, STYLE_RAW);
	TEXT(l, "userAgent", text[RT_USER_AGENT]);
	if (text[RT_REFERER].n)
		KEY(l, "referrer"), words_url_print(l, text[RT_REFERER], query, STYLE_RAW);
	TEXT(l, "contentType", words_media_type(text[RT_CONTENT_TYPE]));
}

static void
put_verdict(struct line *l, const struct record *r, const struct span text[RT_COUNT])
{
	const char *action = words_action(r), *guard = words_guard(r);

	if (action)
		KEY(l, "action"), line_str(l, action);
	TEXT(l, "policy", text[RT_RULE]);
	if (r->status)
		NUMBER(l, "status", r->status);
	KEY(l, "result"), line_str(l, words_result(r));
	if (r->fault != FAULT_NONE)
		KEY(l, "fault"), line_str(l, fault_row((enum fault)r->fault)->word);
	if (guard)
		KEY(l, "guard"), line_str(l, guard);
	TEXT(l, "sni", text[RT_SNI]);
	TEXT(l, "tlsDetail", text[RT_TLS_DETAIL]);
	TEXT(l, "listener", text[RT_LISTENER]);
}

void
format_leef(struct line *l, const struct record *r, const struct span text[RT_COUNT], bool query)
{
	put_head(l, r);
	line_bytes(l, "devTime=", 8);
	line_number(l, r->end_real_us / 1000, 0, ' ');
	KEY(l, "cat"), line_str(l, r->fault == FAULT_NONE ? "Allowed" : r->has_action && r->action == ACTION_DENY ? "Denied" : "Failed");
	NUMBER(l, "sev", words_severity(r));
	KEY(l, "proto"), line_str(l, "TCP");
	put_ends(l, r, text);
	put_request(l, r, text, query);
	put_verdict(l, r, text);
	NUMBER(l, "durationMs", r->duration_us / 1000);
	KEY(l, "id"), line_id(l, r->id);
	KEY(l, "session"), line_id(l, r->session);
}
