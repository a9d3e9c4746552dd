/* SPDX-License-Identifier: MIT */
#include "fuzz.h"
#include "parse/authority.h"

static bool
authority_eq(const struct authority *a, const struct authority *b)
{
	return a->port == b->port && a->host.kind == b->host.kind && span_eq(host_span(&a->host), host_span(&b->host));
}

/* What is printed from an authority reads back as the same. */
static void
check_again(const struct authority *a)
{
	char             text[300];
	struct authority again;
	bool             brackets = a->host.kind == HOST_ADDR && strchr(a->host.text, ':');
	int              n = snprintf(text, sizeof text, brackets ? "[%s]" : "%s", a->host.text);

	if (a->port)
		n += snprintf(text + n, sizeof text - (size_t)n, ":%u", a->port);
	CHECK(authority_parse(span_of(text, (size_t)n), &again) && authority_eq(a, &again));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct span      in = fuzz_input(data, n);
	struct authority a, connect;
	struct url       u;
	bool             good = authority_parse(in, &a);

	CHECK(authority_parse_connect(in, &connect) == (good && a.port != 0));
	if (good)
		check_again(&a);
	if (url_parse_origin(in, &u))
		CHECK(in.p[0] == '/' && u.path.p == in.p && u.path.p + u.path.n + (u.has_query ? 1 + u.query.n : 0) == in.p + in.n);
	if (!url_parse(in, &u))
		return 0;
	CHECK(u.scheme != SCHEME_NONE && (u.at.port != 0 || u.scheme == SCHEME_OTHER));
	CHECK(span_inside(u.path, in) && span_inside(u.query, in));
	CHECK(u.path.n == 0 || u.path.p[0] == '/');
	CHECK(u.has_query || u.query.n == 0);
	CHECK(u.path.p + u.path.n + (u.has_query ? 1 + u.query.n : 0) == in.p + in.n);
	check_again(&u.at);
	return 0;
}
