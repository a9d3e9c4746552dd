/* SPDX-License-Identifier: MIT */
/*
 * format_combined: what Apache calls combined, with the whole URL in the request line as a proxy sees it:
 *     client - user [time] "method url HTTP/1.1" status bytes "referer" "user agent"
 * The time is the line's, in local time; the bytes are those sent to the client, heads included.
 */
#include "audit/format_kinds.h"
#include "audit/words.h"

#define NO_MINOR 255 /* of a record: the request's version was not read */

static void
put_quoted(struct line *l, struct span s)
{
	line_char(l, '"');
	words_or_dash(l, s, STYLE_QUOTED);
	line_char(l, '"');
}

static void
put_request_line(struct line *l, const struct record *r, const struct span text[RT_COUNT], bool query)
{
	if (text[RT_METHOD].n == 0) {
		line_char(l, '-');
		return;
	}
	line_text(l, text[RT_METHOD], STYLE_QUOTED);
	line_char(l, ' ');
	words_target(l, r, text, query, STYLE_QUOTED_WORD);
	if (r->minor != NO_MINOR) {
		line_bytes(l, " HTTP/", 6);
		words_http_version(l, r);
	}
}

void
format_combined(struct line *l, const struct record *r, const struct span text[RT_COUNT], bool query, struct span when)
{
	line_addr(l, &r->client.addr);
	line_bytes(l, " - ", 3);
	words_or_dash(l, text[RT_USER], STYLE_QUOTED_WORD);
	line_bytes(l, " [", 2);
	line_span(l, when);
	line_bytes(l, "] \"", 3);
	put_request_line(l, r, text, query);
	line_bytes(l, "\" ", 2);
	line_number(l, r->status, 3, '0');
	line_char(l, ' ');
	line_number(l, r->bytes_out, 0, ' ');
	line_bytes(l, " \"", 2);
	if (text[RT_REFERER].n)
		words_url_print(l, text[RT_REFERER], query, STYLE_QUOTED);
	else
		line_char(l, '-');
	line_bytes(l, "\" ", 2);
	put_quoted(l, text[RT_USER_AGENT]);
}
