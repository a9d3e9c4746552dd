/* SPDX-License-Identifier: MIT */
/*
 * inspection: what [inspection] needs to be whole, and what rules need of it.
 * Reads certificates and CRLs; of the CA's key it looks at the file alone: there, plain, readable, closed to others. Whether the key fits the signer says,
 * and `postern check`.
 */
#include <stdlib.h>

#include "base/clock.h"
#include "conf/certificate.h"
#include "conf/key_uri.h"
#include "conf/load.h"

#define OPEN_TO_CHANGE 0022u

static int64_t
now_seconds(void)
{
	return (int64_t)(clock_real_us() / 1000000);
}

/* --- the CA --- */

static void
on_ca_fault(void *arg, bool error, const char *text)
{
	struct load                  *l = arg;
	const struct conf_inspection *i = &l->c->inspection;

	if (error)
		report_error(l->r, i->ca_cert_at, "ca-cert: the certificate in %s %s", i->ca_cert, text);
	else
		report_find(l->r, FINDING_CERTIFICATE_EXPIRING, i->ca_cert_at, "ca-cert: the certificate in %s %s", i->ca_cert, text);
}

static void
check_ca_cert(struct load *l)
{
	const struct conf_inspection *i = &l->c->inspection;
	struct der_list               list = {0};
	struct span                   rest, der;
	char                          why[DER_WHY];

	if (l->no_files || !check_file(l, i->ca_cert_at, "ca-cert", i->ca_cert, OPEN_TO_CHANGE, "so that others can change it; set it to 0644"))
		return;
	if (!der_list_read(&list, DER_CERTIFICATE, i->ca_cert, why)) {
		report_error(l->r, i->ca_cert_at, "ca-cert: %s %s; `postern ca init` makes one", i->ca_cert, why);
	} else {
		rest = span_of(list.v, list.n);
		/* the first is the CA's, the others lead from it to its root */
		if (der_next(&rest, &der))
			certificate_ca_judge(der, now_seconds(), on_ca_fault, l);
	}
	if (list.beside_key)
		check_file(l, i->ca_cert_at, "ca-cert", i->ca_cert, CA_KEY_CLOSED, "and holds a private key, so that others can read or change that; set it to 0600");
	der_list_clear(&list);
}

static void
check_uri(struct load *l)
{
	struct conf_inspection *i = &l->c->inspection;
	struct key_uri          uri;
	char                    why[KEY_URI_WHY];

	if (!key_uri_read(i->ca_key, &uri, why)) {
		report_error(l->r, i->ca_key_at, "ca-key: this pkcs11: URI cannot be used: %s", why);
		return;
	}
	i->ca_pin = uri.pin_file;
	i->ca_module = uri.module;
	if (i->ca_pin)
		check_file(l, i->ca_key_at, "ca-key: pin-source", i->ca_pin, CA_KEY_CLOSED, "so that others can read or change the PIN; set it to 0600");
	/* it runs in the signer, and sees the key's use */
	if (i->ca_module)
		check_file(l, i->ca_key_at, "ca-key: module-path", i->ca_module, OPEN_TO_CHANGE, "so that others can change the library that the signer loads; set it to 0644");
}

static void
check_ca(struct load *l)
{
	const struct conf_inspection *i = &l->c->inspection;

	if (!i->ca_cert)
		report_error(l->r, i->at, "[inspection] has no ca-cert; want ca-cert = FILE, the certificate that `postern ca init` makes");
	else
		check_ca_cert(l);
	if (!i->ca_key)
		report_error(l->r, i->at, "[inspection] has no ca-key; want ca-key = FILE, the key that `postern ca init` makes, or a pkcs11: URI");
	else if (key_uri_is(i->ca_key))
		check_uri(l);
	else
		check_file(l, i->ca_key_at, "ca-key", i->ca_key, CA_KEY_CLOSED, "so that others can read or change the CA's key; set it to 0600");
}

/* --- what is trusted, what is revoked --- */

static void
check_trust(struct load *l)
{
	const struct conf_inspection *i = &l->c->inspection;

	for (size_t k = 0; k < i->trust.n && !l->no_files; k++) {
		const struct conf_item *item = &i->trust.v[k];
		struct der_list         list = {0};
		struct where            at = item->at.line ? item->at : i->at;
		const char             *path = item->quoted ? item->text.p : SYSTEM_ROOTS;
		char                    why[DER_WHY];

		if (check_file(l, at, "trust", path, OPEN_TO_CHANGE, "so that others can change whom we trust; set it to 0644") &&
		    !der_list_read(&list, DER_CERTIFICATE, path, why))
			report_error(l->r, at, "trust: %s %s", path, why);
		der_list_clear(&list);
	}
}

static void
check_crl(struct load *l)
{
	const struct conf_items *crl = &l->c->inspection.crl;
	int64_t                  now = now_seconds();

	for (size_t k = 0; k < crl->n && !l->no_files; k++) {
		const char     *path = crl->v[k].text.p;
		struct der_list list = {0};
		struct span     rest, der;
		char            why[DER_WHY], old[300];

		if (!check_file(l, crl->v[k].at, "crl", path, OPEN_TO_CHANGE, "so that others can change what is revoked; set it to 0644"))
			continue;
		if (!der_list_read(&list, DER_CRL, path, why))
			report_error(l->r, crl->v[k].at, "crl: %s %s", path, why);
		rest = span_of(list.v, list.n);
		while (der_next(&rest, &der))
			if (crl_is_old(der, now, old, sizeof old))
				report_find(l->r, FINDING_CRL_OVERDUE, crl->v[k].at, "crl: %s is out of date (%s): what was revoked since is not known; fetch the new one", path, old);
		der_list_clear(&list);
	}
}

/* --- rules --- */

/* Kinds that a rule says nothing of are as [inspection] says. */
static void
rule_settle(struct conf_rule *r, const struct conf_bad_origin *whole)
{
	for (unsigned k = 0; k < CERT_KINDS && r->bad_origin.given && !r->bad_origin.all; k++)
		if (!(r->bad_origin.named & 1u << k))
			r->bad_origin.answer[k] = whole->answer[k];
}

static void
check_rules(struct load *l)
{
	const struct conf_inspection *i = &l->c->inspection;
	struct conf_rule             *r;
	bool                          used = false;

	TAILQ_FOREACH (r, &l->c->rules, link) {
		rule_settle(r, &i->bad_origin);
		used |= r->action == ACTION_INSPECT;
		if (r->action == ACTION_INSPECT && !i->present)
			report_error(l->r, r->action_at,
			    "[rule %.*s]: action = inspect needs a CA to make certificates, but there is no [inspection]; add it, with ca-cert and ca-key, or use tunnel",
			    SHOW(r->name));
		if (r->action != ACTION_INSPECT && (r->bad_origin.given || r->unknown_alpn != ODD_DEFAULT))
			report_find(l->r, FINDING_NO_EFFECT, r->at, "[rule %.*s] has %s, but only inspect rules look at that", SHOW(r->name), r->bad_origin.given ? "on-bad-origin" : "unknown-alpn");
	}
	if (i->present && !used)
		report_find(l->r, FINDING_UNUSED, i->at, "[inspection] is not used: no rule has action = inspect");
}

void
check_inspection(struct load *l)
{
	check_rules(l);
	if (!l->c->inspection.present)
		return;
	check_ca(l);
	check_trust(l);
	check_crl(l);
}
