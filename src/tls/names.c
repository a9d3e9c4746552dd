/* SPDX-License-Identifier: MIT */
#include "tls/names.h"

#include <libpsl.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>

/* May names be registered below it, by anybody? Then no star stands for them (CA/Browser Forum BR 3.2.2.6). Of the list that is built in, since a worker
 * opens no file; suffixes under which a company lets names, such as blob.core.windows.net, have such certificates for good reason. */
static bool
is_registry(const char *name)
{
	const psl_ctx_t *list = psl_builtin();

	return !strchr(name, '.') || (list && psl_is_public_suffix2(list, name, PSL_TYPE_ICANN | PSL_TYPE_NO_STAR_RULE));
}

size_t
name_clean(struct span raw, char out[HOSTNAME_MAX + 1])
{
	struct host h;
	size_t      star = raw.n > 2 && raw.p[0] == '*' && raw.p[1] == '.' ? 2 : 0;

	if (raw.n == 0 || raw.n > HOSTNAME_MAX || raw.p[raw.n - 1] == '.' || raw.p[star] == '[')
		return 0;
	for (size_t i = 0; i < raw.n; i++)
		if ((unsigned char)raw.p[i] <= 0x20 || (unsigned char)raw.p[i] >= 0x7f)
			return 0;
	if (!host_parse(span_of(raw.p + star, raw.n - star), &h) || h.kind != HOST_NAME || h.n + star > HOSTNAME_MAX)
		return 0;
	if (star && is_registry(h.text))
		return 0;
	memcpy(out, "*.", star);
	memcpy(out + star, h.text, h.n);
	out[star + h.n] = '\0';
	return star + h.n;
}

bool
name_covers(struct span name, struct span host)
{
	const char *dot;

	if (name.n < 2 || name.p[0] != '*')
		return span_eq(name, host);
	dot = memchr(host.p, '.', host.n);
	return dot && dot > host.p && span_eq(span_of(name.p + 1, name.n - 1), span_of(dot, (size_t)(host.p + host.n - dot)));
}

/* One name as struct profile writes it; its bytes, 0: not to be used. *covers: it stands for the host. */
static size_t
name_write(const GENERAL_NAME *g, const struct host *host, char out[1 + HOSTNAME_MAX + 1], bool *covers)
{
	const unsigned char *p;
	int                  kind, n;
	size_t               len;

	const ASN1_STRING *s = GENERAL_NAME_get0_value(g, &kind);
	*covers = false;
	p = ASN1_STRING_get0_data(s);
	n = ASN1_STRING_length(s);
	if (kind == GEN_DNS) {
		out[0] = 'd';
		len = n > 0 ? name_clean(span_of((const char *)p, (size_t)n), out + 1) : 0;
		if (!len)
			return 0;
		*covers = host->kind == HOST_NAME && name_covers(span_of(out + 1, len), host_span(host));
		return memchr(out + 1, '_', len) && !*covers ? 0 : 1 + len + 1;
	}
	struct addr a;
	if (n == 4)
		a = addr_from_v4((uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3]);
	else if (n == 16)
		memcpy(a.b, p, 16);
	else
		return 0;
	if (n == 16 && addr_is_v4(&a)) /* a wrapped address is no way to own the bare one */
		return 0;
	out[0] = 'a';
	memcpy(out + 1, a.b, sizeof a.b);
	*covers = host->kind == HOST_ADDR && addr_eq(&a, &host->addr);
	return 1 + sizeof a.b;
}

static bool
names_have(const struct names *t, const char *name, size_t n)
{
	size_t at = 0;

	while (at < t->size) {
		size_t len = t->text[at] == 'a' ? 17 : 1 + strlen(t->text + at + 1) + 1;
		if (len == n && memcmp(t->text + at, name, n) == 0)
			return true;
		at += len;
	}
	return false;
}

/* Add those that cover the host (first pass), or the others. */
static void
names_pass(const GENERAL_NAMES *all, const struct host *host, bool covering, struct names *out)
{
	for (int i = 0; i < sk_GENERAL_NAME_num(all) && out->n < PROFILE_NAMES_MAX; i++) {
		const GENERAL_NAME *g = sk_GENERAL_NAME_value(all, i);
		char                one[1 + HOSTNAME_MAX + 1];
		bool                covers;
		size_t              n;
		if (g->type != GEN_DNS && g->type != GEN_IPADD)
			continue;
		if (covering)
			out->total++;
		n = name_write(g, host, one, &covers);
		if (!n || covers != covering || names_have(out, one, n))
			continue;
		out->covers |= covers;
		memcpy(out->text + out->size, one, n);
		out->size += (uint32_t)n;
		out->n++;
	}
}

bool
names_of(const X509 *cert, const struct host *host, struct names *out)
{
	int            critical;
	GENERAL_NAMES *all = X509_get_ext_d2i(cert, NID_subject_alt_name, &critical, NULL);

	out->n = out->size = out->total = 0;
	out->covers = false;
	if (!all) {
		ERR_clear_error();
		return critical == -1; /* else there is one, but damaged or doubled */
	}
	names_pass(all, host, true, out);
	names_pass(all, host, false, out);
	GENERAL_NAMES_free(all);
	return true;
}
