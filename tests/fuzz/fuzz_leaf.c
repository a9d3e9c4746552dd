/* SPDX-License-Identifier: MIT */
/* The packets between a worker and the signer; what an ask names goes through the mint, whatever it is. */
#include <openssl/evp.h>
#include <openssl/x509v3.h>

#include "fuzz.h"
#include "tls/leaf.h"
#include "tls/leaf_wire.h"
#include "tls/mint.h"
#include "tls/name_check.h"
#include "tls/profile.h"

#define NOW 1800000000

static struct mint *mint;
static EVP_PKEY    *leaf_key;
static uint8_t      out[LEAF_PACKET_MAX];

static void
begin(void)
{
	const struct mint_ca_want want = {.name = "Fuzz CA", .days = 365};
	const char               *why;
	X509                     *cert;
	EVP_PKEY                 *key;

	CHECK(mint_ca_make(&want, NOW, &cert, &key, &why));
	mint = mint_new(cert, key);
	leaf_key = EVP_EC_gen("P-256");
	CHECK(mint && leaf_key);
	X509_free(cert);
	EVP_PKEY_free(key);
}

/* Every name of the certificate is one of the ask, and one that may be signed. */
static void
check_names(const struct leaf_ask *a, X509 *x)
{
	GENERAL_NAMES   *san = X509_get_ext_d2i(x, NID_subject_alt_name, NULL, NULL);
	struct leaf_name name;
	size_t           at = 0;
	int              i = 0;

	CHECK(san);
	while (leaf_name_next(a->names, &at, &name)) {
		const GENERAL_NAME *g = sk_GENERAL_NAME_value(san, i++);
		CHECK(g);
		if (name.dns.n) {
			CHECK(g->type == GEN_DNS && name_may_be_signed(name.dns));
			CHECK(span_eq(name.dns, span_of((const char *)ASN1_STRING_get0_data(g->d.dNSName), (size_t)ASN1_STRING_length(g->d.dNSName))));
		} else {
			CHECK(g->type == GEN_IPADD && (ASN1_STRING_length(g->d.iPAddress) == 4 || ASN1_STRING_length(g->d.iPAddress) == 16));
		}
	}
	CHECK(i == sk_GENERAL_NAME_num(san) && i > 0 && i <= (int)PROFILE_NAMES_MAX);
	GENERAL_NAMES_free(san);
}

static void
check_mint(const struct leaf_ask *a)
{
	const unsigned char *p = out;
	const char          *why;
	size_t               n = mint_leaf(mint, a, leaf_key, NOW, out, sizeof out, &why);
	X509                *x;

	CHECK((n == 0) == (why != NULL));
	if (n == 0)
		return;
	x = d2i_X509(NULL, &p, (long)n);
	CHECK(x && p == out + n && X509_check_ca(x) == 0 && X509_check_private_key(x, leaf_key) == 1);
	check_names(a, x);
	X509_free(x);
}

static void
check_ask(struct span in)
{
	struct leaf_ask a;

	if (!leaf_ask_read(in, &a))
		return;
	CHECK(span_inside(a.names, in) && span_inside(a.common_name, in) && a.key < LEAF_KEYS && a.ca < LEAF_CAS);
	CHECK(leaf_ask_write(&a, out, sizeof out) == in.n && memcmp(out, in.p, in.n) == 0);
	check_mint(&a);
}

static void
check_others(struct span in)
{
	const uint8_t(*key)[LEAF_TICKET];
	struct leaf_made  m;
	struct leaf_hello h;
	unsigned          n;

	if (leaf_made_read(in, &m)) {
		CHECK(span_inside(m.der, in));
		CHECK(leaf_made_write(&m, out, sizeof out) == in.n && memcmp(out, in.p, in.n) == 0);
	}
	if (leaf_hello_read(in, &h)) {
		for (unsigned i = 0; i < LEAF_KEYS; i++)
			CHECK(span_inside(h.key[i].pkcs8, in));
		for (unsigned i = 0; i < LEAF_CAS; i++)
			CHECK(span_inside(h.chain[i], in));
		CHECK(leaf_hello_write(&h, out, sizeof out) == in.n && memcmp(out, in.p, in.n) == 0);
	}
	if (leaf_tickets_read(in, &key, &n))
		CHECK(leaf_tickets_write(key, n, out, sizeof out) == in.n && memcmp(out, in.p, in.n) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct span in;

	if (!mint)
		begin();
	in = fuzz_block(data, n);
	check_ask(in);
	check_others(in);
	fuzz_free(in);
	return 0;
}
