/* SPDX-License-Identifier: MIT */
#include "fuzz.h"
#include "parse/url.h"

/* The text in a block of exactly its size; null when there is none. */
static struct span
normal_of(const struct url *u)
{
	size_t      room = url_normal_room(u);
	char       *buf = malloc(room);
	struct span out = {NULL, 0}, exact = {NULL, 0};

	CHECK(buf != NULL);
	if (url_normalise(u, buf, room, &out)) {
		CHECK(out.p == buf && out.n <= room);
		exact = fuzz_block(out.p, out.n);
		CHECK(!url_normalise(u, buf, out.n - 1, &out));
	}
	free(buf);
	return exact;
}

/* A path of any bytes, as a head may have it. */
static void
path_check(struct span path)
{
	struct url  u = {.scheme = SCHEME_HTTPS, .path = path, .query = path, .has_query = true};
	struct span text;

	CHECK(host_parse(SPAN("a"), &u.at.host));
	text = normal_of(&u);
	CHECK(!text.p || (text.n > 10 && memcmp(text.p, "https://a/", 10) == 0));
	fuzz_free(text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct span in = fuzz_input(data, n), text, again;
	struct url  u, v;

	path_check(in);
	if (!url_parse(in, &u))
		return 0;
	text = normal_of(&u);
	CHECK((text.p != NULL) == (u.scheme != SCHEME_OTHER));
	if (!text.p)
		return 0;
	CHECK(url_parse(text, &v) && v.scheme == u.scheme && v.at.port == u.at.port && v.path.n > 0);
	CHECK(!memmem(v.path.p, v.path.n, "/../", 4) && !memmem(v.path.p, v.path.n, "/./", 3));
	again = normal_of(&v);
	CHECK(span_eq(text, again));
	fuzz_free(again);
	fuzz_free(text);
	return 0;
}
