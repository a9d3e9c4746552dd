/* SPDX-License-Identifier: MIT */
/*
 * format_json: the whole story as one JSON object a line (RFC 8259), valid UTF-8 whatever the peers sent.
 * Always true: the same keys in the same order on every line; null stands for what did not happen or is not known.
 */
#include "audit/format_kinds.h"
#include "audit/words.h"

#define KEY(l, name) line_bytes((l), ",\"" name "\":", sizeof ",\"" name "\":" - 1)

static void
put_null(struct line *l)
{
	line_bytes(l, "null", 4);
}

static void
put_text(struct line *l, struct span s)
{
	if (s.n == 0) {
		put_null(l);
		return;
	}
	line_char(l, '"');
	line_text(l, s, STYLE_JSON);
	line_char(l, '"');
}

/* Separated by commas in the record, elements of an array here. Many groups, escaped, might not leave room for the rest: then the last ones stay out. */
static void
put_list(struct line *l, struct span s)
{
	const char *start = l->at;

	if (s.n == 0) {
		put_null(l);
		return;
	}
	line_char(l, '[');
	while (s.n && l->at - start < (ptrdiff_t)LINE_TEXT_MAX) {
		const char *comma = memchr(s.p, ',', s.n);
		size_t      n = comma ? (size_t)(comma - s.p) : s.n;
		if (l->at[-1] != '[')
			line_char(l, ',');
		line_char(l, '"');
		line_text(l, span_of(s.p, n), STYLE_JSON);
		line_char(l, '"');
		n += comma != NULL;
		s = span_of(s.p + n, s.n - n);
	}
	line_char(l, ']');
}

static void
put_word(struct line *l, const char *word)
{
	if (!word) {
		put_null(l);
		return;
	}
	line_char(l, '"');
	line_str(l, word);
	line_char(l, '"');
}

static void
put_number(struct line *l, uint64_t v, uint64_t none)
{
	if (v == none)
		put_null(l);
	else
		line_number(l, v, 0, ' ');
}

static void
put_id(struct line *l, uint64_t id)
{
	line_char(l, '"');
	line_id(l, id);
	line_char(l, '"');
}

static void
put_addr(struct line *l, const struct addr *a)
{
	line_char(l, '"');
	line_addr(l, a);
	line_char(l, '"');
}

static void
put_request(struct line *l, const struct record *r, const struct span text[RT_COUNT], bool query)
{
	KEY(l, "method"), put_text(l, text[RT_METHOD]);
	KEY(l, "scheme"), put_word(l, words_scheme(r));
	KEY(l, "host"), put_text(l, text[RT_HOST]);
	KEY(l, "port"), put_number(l, r->port, 0);
	KEY(l, "url");
	if (text[RT_URL].n) {
		line_char(l, '"');
		words_url_print(l, text[RT_URL], query, STYLE_JSON);
		line_char(l, '"');
	} else
		put_null(l);
}

static void
put_verdict(struct line *l, const struct record *r, const struct span text[RT_COUNT])
{
	KEY(l, "action"), put_word(l, words_action(r));
	KEY(l, "rule"), put_text(l, text[RT_RULE]);
	KEY(l, "list_entry"), put_text(l, text[RT_LIST_ENTRY]);
	KEY(l, "reported"), put_text(l, text[RT_REPORTED]);
	KEY(l, "guard"), put_word(l, words_guard(r));
	KEY(l, "sni"), put_text(l, text[RT_SNI]);
	KEY(l, "ech"), line_str(l, r->ech ? "true" : "false");
	KEY(l, "alpn"), put_text(l, text[RT_ALPN]);
	KEY(l, "tls_client"), put_text(l, text[RT_TLS_CLIENT]);
	KEY(l, "tls_origin"), put_text(l, text[RT_TLS_ORIGIN]);
	KEY(l, "origin_issuer"), put_text(l, text[RT_ORIGIN_ISSUER]);
	KEY(l, "tls_detail"), put_text(l, text[RT_TLS_DETAIL]);
	KEY(l, "user"), put_text(l, text[RT_USER]);
	KEY(l, "groups"), put_list(l, text[RT_GROUPS]);
	KEY(l, "auth_scheme"), put_word(l, words_auth_way(r));
	KEY(l, "auth_detail"), put_text(l, text[RT_AUTH_DETAIL]);
}

static void
put_outcome(struct line *l, const struct record *r, const struct span text[RT_COUNT])
{
	KEY(l, "status"), put_number(l, r->status, 0);
	KEY(l, "result"), put_word(l, words_result(r));
	KEY(l, "fault"), put_word(l, r->fault == FAULT_NONE ? NULL : fault_row((enum fault)r->fault)->word);
	KEY(l, "address");
	if (r->has_address)
		put_addr(l, &r->address);
	else
		put_null(l);
	KEY(l, "parent"), put_text(l, text[RT_PARENT]);
	KEY(l, "bytes_in"), line_number(l, r->bytes_in, 0, ' ');
	KEY(l, "bytes_out"), line_number(l, r->bytes_out, 0, ' ');
	KEY(l, "resolve_ms"), put_number(l, r->resolve_ms, MS_NONE);
	KEY(l, "connect_ms"), put_number(l, r->connect_ms, MS_NONE);
	KEY(l, "tls_ms"), put_number(l, r->tls_ms, MS_NONE);
	KEY(l, "first_byte_ms"), put_number(l, r->first_byte_ms, MS_NONE);
	KEY(l, "auth_ms"), put_number(l, r->auth_ms, MS_NONE);
	KEY(l, "queue_ms"), put_number(l, r->queue_ms, MS_NONE);
	KEY(l, "user_agent"), put_text(l, text[RT_USER_AGENT]);
	KEY(l, "content_type"), put_text(l, text[RT_CONTENT_TYPE]);
}

void
format_json(struct line *l, const struct record *r, const struct span text[RT_COUNT], bool query)
{
	line_bytes(l, "{\"ts\":\"", 7);
	moment_print(l, r->end_real_us);
	line_char(l, '"');
	KEY(l, "duration_ms"), line_number(l, r->duration_us / 1000, 0, ' ');
	KEY(l, "id"), put_id(l, r->id);
	KEY(l, "client"), put_addr(l, &r->client.addr);
	KEY(l, "client_port"), put_number(l, r->client.port, 0);
	KEY(l, "listener"), put_text(l, text[RT_LISTENER]);
	KEY(l, "worker"), line_number(l, r->worker, 0, ' ');
	KEY(l, "session"), put_id(l, r->session);
	put_request(l, r, text, query);
	put_verdict(l, r, text);
	put_outcome(l, r, text);
	line_char(l, '}');
}

void
format_json_drops(struct line *l, uint64_t real_us, uint64_t lines)
{
	line_str(l, "{\"ts\":\"");
	moment_print(l, real_us);
	line_str(l, "\",\"event\":\"dropped\",\"lines\":");
	line_number(l, lines, 0, ' ');
	line_str(l, "}\n");
}
