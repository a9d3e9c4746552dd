/* SPDX-License-Identifier: MIT */
/* bench_mint: leaves that one core makes in a second, after an origin of three names and one of a hundred; by ECDSA and by RSA. Asked: 5,000 by ECDSA P-256. */
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <string.h>

#include "bench.h"
#include "tls/leaf.h"
#include "tls/mint.h"

#define NOW 1800000000

static void
measure(const char *what, struct mint *m, EVP_PKEY *leaf_key, unsigned names, int rounds)
{
	char            text[8192];
	uint8_t         der[32768];
	struct leaf_ask a = {.names = {text, 0}, .not_before = NOW - 86400, .not_after = NOW + 86400 * 60};
	const char     *why;
	double          took[BENCH_RUNS];
	size_t          n = 0;

	for (unsigned i = 0; i < names; i++)
		a.names.n += (size_t)snprintf(text + a.names.n, sizeof text - a.names.n, "dwww%u.example.com", i) + 1;
	for (int run = 0; run < BENCH_RUNS; run++) {
		double began = bench_now();
		for (int i = 0; i < rounds; i++)
			if (!(n = mint_leaf(m, &a, leaf_key, NOW, der, sizeof der, &why)))
				bench_die(why);
		took[run] = bench_now() - began;
	}
	printf("%-10s %3u names: %8.0f a second, %zu bytes\n", what, names, rounds / bench_median(took, BENCH_RUNS), n);
}

int
main(void)
{
	EVP_PKEY *leaf_key = EVP_EC_gen("P-256");

	for (int rsa = 0; rsa < 2; rsa++) {
		const struct mint_ca_want want = {.name = "Bench CA", .days = 365, .rsa = rsa};
		const char               *why;
		X509                     *cert;
		EVP_PKEY                 *key;
		struct mint              *m;
		if (!mint_ca_make(&want, NOW, &cert, &key, &why) || !(m = mint_new(cert, key)))
			bench_die("the authority");
		measure(rsa ? "RSA 3072" : "P-256", m, leaf_key, 3, rsa ? 200 : 5000);
		measure(rsa ? "RSA 3072" : "P-256", m, leaf_key, 100, rsa ? 200 : 2000);
		mint_free(m);
		X509_free(cert);
		EVP_PKEY_free(key);
	}
	EVP_PKEY_free(leaf_key);
	return 0;
}
