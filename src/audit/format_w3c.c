/* SPDX-License-Identifier: MIT */
/*
 * format_w3c: the Extended Log File Format (W3C working draft WD-logfile-960323), with the fields that proxies write and a few of our own (x-postern-).
 * Times are UTC and those of the line; time-taken is in milliseconds, as proxies and IIS write it, not in seconds as the draft has it.
 * Always true: as many tokens as FIELDS names, separated by single blanks; none of them holds a blank or a quote, so no reader needs to know of quoting.
 */
#include "audit/format_kinds.h"
#include "audit/words.h"

#define FIELDS \
	"date time time-taken c-ip c-port cs-username cs-method cs-uri-scheme cs-host cs-uri-port cs-uri-stem cs-uri-query cs-version sc-status s-action " \
	"sc-bytes cs-bytes s-hierarchy r-ip rs(Content-Type) cs(User-Agent) cs(Referer) x-postern-id x-postern-session x-postern-listener x-postern-action " \
	"x-postern-rule x-postern-reported x-postern-guard x-postern-fault x-postern-sni x-postern-parent"
#define NO_MINOR 255

static void
put_text(struct line *l, struct span s, enum line_style style)
{
	line_char(l, ' ');
	words_or_dash(l, s, style);
}

static void
put_word(struct line *l, const char *word)
{
	line_char(l, ' ');
	line_str(l, word ? word : "-");
}

static void
put_number(struct line *l, uint64_t v, uint64_t none)
{
	line_char(l, ' ');
	if (v == none)
		line_char(l, '-');
	else
		line_number(l, v, 0, ' ');
}

/* It may be nothing but user information, of which nothing is left. */
static void
put_referer(struct line *l, struct span url, bool query)
{
	char *from;

	line_char(l, ' ');
	from = l->at;
	words_url_print(l, url, query, STYLE_URL);
	if (l->at == from)
		line_char(l, '-');
}

static void
put_request(struct line *l, const struct record *r, const struct span text[RT_COUNT], bool query)
{
	struct span path = words_path(text[RT_URL], query), rest = SPAN("");

	for (size_t i = 0; i < path.n; i++)
		if (path.p[i] == '?' || path.p[i] == '#') {
			if (path.p[i] == '?')
				rest = span_of(path.p + i + 1, path.n - i - 1);
			path.n = i;
			break;
		}
	put_text(l, text[RT_METHOD], STYLE_URL);
	put_word(l, words_scheme(r));
	put_text(l, text[RT_HOST], STYLE_URL);
	put_number(l, r->port, 0);
	put_text(l, path, STYLE_URL);
	put_text(l, rest, STYLE_URL);
	if (r->minor == NO_MINOR) {
		put_word(l, NULL);
	} else {
		line_bytes(l, " HTTP/", 6);
		words_http_version(l, r);
	}
}

static void
put_ours(struct line *l, const struct record *r, const struct span text[RT_COUNT])
{
	line_char(l, ' ');
	line_id(l, r->id);
	line_char(l, ' ');
	line_id(l, r->session);
	put_text(l, text[RT_LISTENER], STYLE_W3C);
	put_word(l, words_action(r));
	put_text(l, text[RT_RULE], STYLE_W3C);
	put_text(l, text[RT_REPORTED], STYLE_W3C);
	put_word(l, words_guard(r));
	put_word(l, r->fault == FAULT_NONE ? NULL : fault_row((enum fault)r->fault)->word);
	put_text(l, text[RT_SNI], STYLE_W3C);
	put_text(l, text[RT_PARENT], STYLE_W3C);
}

void
format_w3c(struct line *l, const struct record *r, const struct span text[RT_COUNT], bool query)
{
	struct moment m = moment_utc(r->end_real_us);

	moment_print_date(l, &m);
	line_char(l, ' ');
	moment_print_time(l, &m);
	put_number(l, r->duration_us / 1000, UINT64_MAX);
	line_char(l, ' ');
	line_addr(l, &r->client.addr);
	put_number(l, r->client.port, 0);
	put_text(l, text[RT_USER], STYLE_W3C);
	put_request(l, r, text, query);
	put_number(l, r->status, 0);
	put_word(l, words_result(r));
	put_number(l, r->bytes_out, UINT64_MAX);
	put_number(l, r->bytes_in, UINT64_MAX);
	put_word(l, words_hier(r));
	line_char(l, ' ');
	if (r->has_address)
		line_addr(l, &r->address);
	else
		line_char(l, '-');
	put_text(l, words_media_type(text[RT_CONTENT_TYPE]), STYLE_W3C);
	put_text(l, text[RT_USER_AGENT], STYLE_W3C);
	put_referer(l, text[RT_REFERER], query);
	put_ours(l, r, text);
}

void
format_w3c_head(struct line *l, uint64_t real_us)
{
	struct moment m = moment_utc(real_us);

	line_str(l, "#Version: 1.0\n#Software: Postern " PACKAGE_VERSION "\n#Date: ");
	moment_print_date(l, &m);
	line_char(l, ' ');
	moment_print_time(l, &m);
	line_str(l, "\n#Fields: " FIELDS "\n");
}

void
format_w3c_drops(struct line *l, uint64_t lines)
{
	line_str(l, "#Remark: ");
	line_number(l, lines, 0, ' ');
	line_str(l, " lines were dropped here\n");
}
