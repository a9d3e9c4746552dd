/* SPDX-License-Identifier: MIT */
#include "fuzz.h"
#include "parse/hello.h"

static enum parse_result
parse(struct span in, struct hello *h, enum hello_why *why)
{
	struct span       b = fuzz_block(in.p, in.n);
	enum parse_result r;

	*why = HELLO_FINE;
	r = hello_parse(b, h, why);
	fuzz_free(b);
	CHECK((r == PARSE_BAD) == (*why != HELLO_FINE));
	if (r != PARSE_OK)
		return r;
	CHECK(h->legacy_version >> 8 == 3 && h->record_version >> 8 == 3 && h->max_version != 0);
	CHECK(strlen(h->alpn) < sizeof h->alpn);
	for (const char *p = h->alpn; *p; p++)
		CHECK(*p > 0x20 && *p < 0x7f);
	if (h->has_sni) {
		struct host again;
		CHECK(h->sni.kind == HOST_NAME && host_parse(host_span(&h->sni), &again) && span_eq(host_span(&again), host_span(&h->sni)));
	}
	return r;
}

/* `message` in records of at most `each` bytes. */
static struct span
in_records(struct span message, size_t each)
{
	size_t size = message.n + 5 * (message.n / each + 1), to = 0;
	char  *p = malloc(size);

	CHECK(p != NULL);
	for (size_t at = 0; at < message.n; at += each) {
		size_t part = message.n - at < each ? message.n - at : each;
		memcpy(p + to, "\x16\x03\x01", 3);
		p[to + 3] = (char)(part >> 8);
		p[to + 4] = (char)part;
		memcpy(p + to + 5, message.p + at, part);
		to += 5 + part;
	}
	return span_of(p, to);
}

/* The first byte: 0, the rest is what came from the network; else the rest is a handshake message, to be cut into records of so many bytes. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct hello   h, other;
	enum hello_why why, why_other;

	if (n < 1)
		return 0;
	if (data[0] == 0) {
		struct span       in = fuzz_input(data + 1, n - 1);
		enum parse_result r = parse(in, &h, &why);
		size_t            half = in.n / 2;
		/* a prefix is never further than the whole */
		enum parse_result earlier = parse(span_of(in.p, half), &other, &why_other);
		CHECK(earlier == PARSE_MORE || earlier == r);
	} else {
		struct span       one = in_records(fuzz_input(data + 1, n - 1), 16384), many = in_records(fuzz_input(data + 1, n - 1), data[0]);
		enum parse_result r = parse(one, &h, &why);
		enum parse_result r_many = parse(many, &other, &why_other);
		/* bytes behind the message are refused in its record, and not looked at in a later one */
		CHECK(r == r_many || (r == PARSE_BAD && r_many == PARSE_OK));
		if (r == PARSE_OK)
			CHECK(memcmp(&h, &other, sizeof h) == 0);
		fuzz_free(one);
		fuzz_free(many);
	}
	return 0;
}
