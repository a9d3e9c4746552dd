/* SPDX-License-Identifier: MIT */
#include "fuzz.h"
#include "parse/head.h"

typedef enum parse_result parse_fn(struct span, size_t, struct head *, size_t *, enum fault *);

static void
check_text(struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		CHECK(s.p[i] != '\0' && s.p[i] != '\r' && s.p[i] != '\n');
}

static void
check_spans(const struct head *h, struct span in)
{
	const struct span all[] = {h->line, h->fields, h->method, h->target, h->reason, h->host, h->user_agent, h->content_type, h->upgrade_to,
		h->max_forwards, h->proxy_authorization};

	for (size_t i = 0; i < sizeof all / sizeof *all; i++)
		CHECK(span_inside(all[i], in));
	CHECK(h->n_connection_tokens <= HEAD_CONNECTION_TOKENS);
	for (unsigned i = 0; i < h->n_connection_tokens; i++)
		CHECK(h->connection_token[i].n > 0 && span_inside(h->connection_token[i], in));
}

static void
check_fields(const struct head *h)
{
	struct field f;
	size_t       at = 0, n = 0, bytes = 0;
	uint32_t     seen = 0;

	while (head_field_next(h, &at, &f)) {
		struct span item;
		CHECK(span_inside(f.line, h->fields) && span_inside(f.name, f.line) && span_inside(f.value, f.line));
		CHECK(f.name.n > 0 && f.line.n >= f.name.n + f.value.n + 3);
		check_text(f.name);
		check_text(f.value);
		CHECK(head_field_is_hop(h, &f) || (f.id != FIELD_CONNECTION && f.id != FIELD_TRANSFER_ENCODING && f.id != FIELD_PROXY_AUTHORIZATION));
		for (size_t k = 0; field_list_next(f.value, &k, &item);)
			CHECK(item.n > 0 && span_inside(item, f.value));
		seen |= 1u << f.id;
		bytes += f.line.n;
		n++;
	}
	CHECK(n == h->n_fields && bytes == h->fields.n && seen == h->seen);
}

/* At most one reading of the body. */
static void
check_body(const struct head *h)
{
	bool coded = h->seen & 1u << FIELD_TRANSFER_ENCODING, length = h->seen & 1u << FIELD_CONTENT_LENGTH;

	CHECK(!(coded && length));
	CHECK((h->body == BODY_CHUNKED) == coded && (h->body == BODY_LENGTH) == length && h->has_length == length);
	CHECK(!coded || h->minor == 1);
}

static void
check(parse_fn *parse, struct span in)
{
	struct head       h, again;
	size_t            used = 0, used_again = 0, n = 0;
	enum fault        fault = FAULT_NONE, fault_again = FAULT_NONE;
	enum parse_result r = parse(in, 0, &h, &used, &fault), piece = PARSE_MORE;
	size_t            step = in.n ? (unsigned char)in.p[in.n - 1] % 64 + 1 : 1;

	/* in pieces it comes to the same; only what is wrong may show later, when there is no end yet */
	while (n < in.n && piece == PARSE_MORE) {
		size_t      seen = n;
		struct span part;
		n = in.n - n > step ? n + step : in.n;
		part = fuzz_block(in.p, n);
		piece = parse(part, seen, &again, &used_again, &fault_again);
		fuzz_free(part);
	}
	CHECK(piece == r || (r == PARSE_BAD && piece == PARSE_MORE));
	CHECK(piece != PARSE_BAD || fault == fault_again);
	if (r != PARSE_OK)
		return;
	CHECK(used == used_again && used <= in.n && used >= h.line.n + h.fields.n + 4);
	check_text(h.line);
	check_spans(&h, in);
	check_fields(&h);
	check_body(&h);
	/* one byte less is not enough */
	CHECK(parse(span_of(in.p, used - 1), 0, &again, &used_again, &fault) == PARSE_MORE);
	/* nor do the bytes behind matter */
	CHECK(parse(span_of(in.p, used), 0, &again, &used_again, &fault) == PARSE_OK && used_again == used);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	check(head_parse_request, fuzz_input(data, n));
	check(head_parse_response, fuzz_input(data, n));
	return 0;
}
