/* SPDX-License-Identifier: MIT */
#include "conf/certificate.h"
#include "fuzz.h"

static void
on_said(void *arg, bool error, const char *text)
{
	(void)arg;
	(void)error;
	CHECK(text[0]);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	for (unsigned k = DER_CERTIFICATE; k <= DER_CRL; k++) {
		struct der_list list = {0};
		struct span     rest, der;
		char            why[DER_WHY] = "", text[300];
		uint32_t        count = 0;
		bool            ok = der_list_add(&list, (enum der_kind)k, fuzz_input(data, n), why);

		CHECK(ok ? list.count > 0 : why[0] && list.n == 0 && list.count == 0);
		rest = span_of(list.v, list.n);
		for (; der_next(&rest, &der); count++) {
			if (k == DER_CERTIFICATE)
				certificate_ca_judge(der, 1700000000, on_said, NULL);
			else if (crl_is_old(der, 1700000000, text, sizeof text))
				CHECK(strlen(text) < sizeof text);
		}
		CHECK(count == list.count && rest.n == 0);
		der_list_clear(&list);
	}
	return 0;
}
