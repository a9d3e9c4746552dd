/* SPDX-License-Identifier: MIT */
/* The judging of what an origin showed: 2 bytes of length and a certificate, 2 and its issuer, and a stapled answer. Nobody is trusted here. */
#include <openssl/err.h>
#include <openssl/x509.h>
#include <strings.h>

#include "fuzz.h"
#include "tls/names.h"
#include "tls/verify_inside.h"

#define NOW 1790000000 /* as the corpus was made */

static struct span
part_take(struct span *in)
{
	size_t      n = in->n < 2 ? 0 : (size_t)(unsigned char)in->p[0] << 8 | (unsigned char)in->p[1];
	size_t      head = in->n < 2 ? in->n : 2;
	struct span part;

	if (n > in->n - head)
		n = in->n - head;
	part = span_of(in->p + head, n);
	*in = span_of(in->p + head + n, in->n - head - n);
	return part;
}

static X509 *
cert_read(struct span der)
{
	struct span          exact = fuzz_block(der.p, der.n);
	const unsigned char *p = (const unsigned char *)exact.p;
	X509                *x = d2i_X509(NULL, &p, (long)der.n);

	fuzz_free(exact);
	ERR_clear_error();
	return x;
}

static void
profile_check(const struct profile *p, const struct host *host)
{
	struct profile_name name;
	size_t              at = 0;
	unsigned            n = 0;

	CHECK(p->fault != FAULT_NONE && (p->kinds || p->refuse)); /* there is no root */
	CHECK(strnlen(p->detail, sizeof p->detail) < sizeof p->detail && p->detail[0]);
	CHECK(strnlen(p->issuer, sizeof p->issuer) < sizeof p->issuer && strnlen(p->common_name, sizeof p->common_name) < sizeof p->common_name);
	for (const char *c = p->detail; *c; c++)
		CHECK((unsigned char)*c >= 0x20 && *c != 0x7f);
	while (profile_name_next(p, &at, &name)) {
		char clean[HOSTNAME_MAX + 1];
		n++;
		if (name.is_addr)
			continue;
		CHECK(name.dns.n > 0 && name_clean(name.dns, clean) == name.dns.n && memcmp(clean, name.dns.p, name.dns.n) == 0);
		CHECK(!memchr(name.dns.p, '_', name.dns.n) || name_covers(name.dns, host_span(host)));
	}
	CHECK(n == p->n_names && at == p->size && n <= PROFILE_NAMES_MAX);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static X509_STORE           *store;
	static struct verify_ground *ground;
	struct span                  in = fuzz_input(data, n), leaf = part_take(&in), issuer = part_take(&in);
	struct host                  host;
	struct verify_case           c = {.leaf = cert_read(leaf), .sent = sk_X509_new_null(), .name = &host, .now = NOW, .now_us = 1, .may_fetch = n & 1, .cipher_bits = 128};
	X509                        *above = cert_read(issuer);
	struct profile              *p = NULL;
	char                         url[VERIFY_URL_MAX + 1];

	if (!store) {
		store = X509_STORE_new();
		ground = verify_ground_new(store, NULL);
		CHECK(ground != NULL);
	}
	CHECK(host_parse(SPAN("www.example.com"), &host));
	c.staple = fuzz_block(in.p, in.n);
	if (above)
		CHECK(sk_X509_push(c.sent, above));
	if (c.leaf) {
		switch (verify_chain(ground, &c, &p, url)) {
		case SAID_DONE:
			profile_check(p, &host);
			break;
		case SAID_NEEDS:
			CHECK(c.may_fetch && strncasecmp(url, "http://", 7) == 0 && strlen(url) <= VERIFY_URL_MAX);
			break;
		case SAID_NO_MEMORY:
			break;
		}
	}
	CHECK(ERR_peek_error() == 0);
	profile_unref(p);
	X509_free(c.leaf);
	sk_X509_pop_free(c.sent, X509_free);
	fuzz_free(c.staple);
	return 0;
}
