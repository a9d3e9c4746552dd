/* SPDX-License-Identifier: MIT */
/*
 * listener_tls: what a listener needs to speak TLS to its clients itself.
 * Reads its certificate; of the key it looks at the file alone: there, plain, readable, closed to others. Whether the key fits the workers say, and `postern check`.
 */
#include <string.h>

#include "base/clock.h"
#include "conf/certificate.h"
#include "conf/load.h"

#define OPEN_TO_CHANGE 0022u

struct about {
	struct load                *l;
	const struct conf_listener *at;
	const char                 *which; /* of the file's certificates */
};

static void
on_fault(void *arg, bool error, const char *text)
{
	const struct about *a = arg;

	enum finding        kind = error ? FINDING_INVALID : strncmp(text, "expires ", 8) == 0 ? FINDING_CERTIFICATE_EXPIRING : FINDING_ADVICE;

	report_find(a->l->r, kind, a->at->tls_cert_at, "tls-cert: %s in %s %s", a->which, a->at->tls_cert, text);
}

/* The first is the listener's own, the others lead from it to a root. */
static void
check_chain(struct load *l, const struct conf_listener *at, const struct der_list *list)
{
	struct about a = {l, at, "the certificate"};
	struct span  rest = span_of(list->v, list->n), der;

	if (der_next(&rest, &der))
		certificate_server_judge(der, (int64_t)(clock_real_us() / 1000000), on_fault, &a);
	a.which = "one that follows the first";
	while (der_next(&rest, &der))
		certificate_link_judge(der, on_fault, &a);
}

static void
check_cert(struct load *l, const struct conf_listener *at)
{
	struct der_list list = {0};
	char            why[DER_WHY];

	if (l->no_files || !check_file(l, at->tls_cert_at, "tls-cert", at->tls_cert, OPEN_TO_CHANGE, "so that others can change it; set it to 0644"))
		return;
	if (!der_list_read(&list, DER_CERTIFICATE, at->tls_cert, why))
		report_error(l->r, at->tls_cert_at, "tls-cert: %s %s", at->tls_cert, why);
	else
		check_chain(l, at, &list);
	if (list.beside_key)
		check_file(l, at->tls_cert_at, "tls-cert", at->tls_cert, CA_KEY_CLOSED, "and holds a private key, so that others can read or change that; set it to 0600");
	der_list_clear(&list);
}

static void
check_one(struct load *l, const struct conf_listener *at)
{
	if (!at->tls_cert && !at->tls_key)
		return;
	if (at->mode == LISTENER_TRANSPARENT) {
		report_error(l->r, at->tls_cert ? at->tls_cert_at : at->tls_key_at,
		    "[listener %.*s] is transparent and has %s: its clients do not know that they speak to a proxy; remove tls-cert and tls-key, or use another listener",
		    SHOW(at->name), at->tls_cert ? "tls-cert" : "tls-key");
		return;
	}
	if (!at->tls_cert || !at->tls_key) {
		report_error(l->r, at->tls_cert ? at->tls_cert_at : at->tls_key_at, "[listener %.*s] has %s but no %s; want both, or neither", SHOW(at->name),
		    at->tls_cert ? "tls-cert" : "tls-key", at->tls_cert ? "tls-key" : "tls-cert");
		return;
	}
	check_cert(l, at);
	check_file(l, at->tls_key_at, "tls-key", at->tls_key, CA_KEY_CLOSED, "so that others can read or change the key; set it to 0600");
}

void
check_listener_tls(struct load *l)
{
	const struct conf_listener *at;

	TAILQ_FOREACH (at, &l->c->listeners, link)
		check_one(l, at);
}
