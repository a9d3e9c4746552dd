/* SPDX-License-Identifier: MIT */
/*
 * format_squid: Squid's native format, to the byte:
 *     %ts.%03tu %6tr %>a %Ss/%03>Hs %<st %rm %ru %[un %Sh/%<a %mt
 * Always true: ten tokens, whatever the peers sent.
 */
#include "audit/format_kinds.h"
#include "audit/words.h"

void
format_squid(struct line *l, const struct record *r, const struct span text[RT_COUNT], bool query)
{
	line_number(l, r->end_real_us / 1000000, 0, ' ');
	line_char(l, '.');
	line_number(l, r->end_real_us / 1000 % 1000, 3, '0');
	line_char(l, ' ');
	line_number(l, r->duration_us / 1000, 6, ' ');
	line_char(l, ' ');
	line_addr(l, &r->client.addr);
	line_char(l, ' ');
	line_str(l, words_result(r));
	line_char(l, '/');
	line_number(l, r->status, 3, '0');
	line_char(l, ' ');
	line_number(l, r->bytes_out, 0, ' ');
	line_char(l, ' ');
	words_or_dash(l, text[RT_METHOD], STYLE_URL);
	line_char(l, ' ');
	words_target(l, r, text, query, STYLE_URL);
	line_char(l, ' ');
	words_or_dash(l, text[RT_USER], STYLE_STRICT);
	line_char(l, ' ');
	line_str(l, words_hier(r));
	line_char(l, '/');
	if (r->has_address)
		line_addr(l, &r->address);
	else
		line_char(l, '-');
	line_char(l, ' ');
	words_or_dash(l, words_media_type(text[RT_CONTENT_TYPE]), STYLE_URL);
}
