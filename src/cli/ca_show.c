/* SPDX-License-Identifier: MIT */
/*
 * ca_show: `postern ca show`: the certificate that clients must trust, how to know it again, and how to bring it to them.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "cli/ca.h"
#include "cli/cli.h"
#include "conf/certificate.h"
#include "conf/conf.h"
#include "tls/mint.h"

struct show {
	const char *conf, *cert; /* paths; cert null: as the configuration says */
	const char *der;
	bool        pem, json;
	X509       *x;
};

/* --- what there is to say --- */

static void
subject_text(const struct show *s, char *buf, size_t n)
{
	BIO  *b = BIO_new(BIO_s_mem());
	char *p = NULL;
	long  len = 0;

	/* RFC 2253, but in the order of the certificate and in UTF-8 */
	if (b && X509_NAME_print_ex(b, X509_get_subject_name(s->x), 0, (XN_FLAG_RFC2253 | XN_FLAG_SEP_CPLUS_SPC) & ~(unsigned long)(XN_FLAG_DN_REV | ASN1_STRFLGS_ESC_MSB)) >= 0)
		len = BIO_get_mem_data(b, &p);
	snprintf(buf, n, "%.*s", (int)len, p ? p : "");
	BIO_free(b);
}

static void
time_text(const ASN1_TIME *t, char *buf, size_t n)
{
	struct tm tm;

	if (!ASN1_TIME_to_tm(t, &tm) || strftime(buf, n, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
		snprintf(buf, n, "?");
}

static void
print_text(const struct show *s, const EVP_MD *md, char *buf, size_t n)
{
	uint8_t  hash[EVP_MAX_MD_SIZE];
	unsigned len = 0;
	size_t   at = 0;

	*buf = '\0';
	if (X509_digest(s->x, md, hash, &len))
		for (unsigned i = 0; i < len && at + 4 <= n; i++)
			at += (size_t)snprintf(buf + at, n - at, "%s%02X", i ? ":" : "", hash[i]);
}

static void
key_text(const struct show *s, char *buf, size_t n)
{
	EVP_PKEY *key = X509_get0_pubkey(s->x);

	snprintf(buf, n, "%s, %d bits", key && EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA ? "RSA" : key && EVP_PKEY_get_base_id(key) == EVP_PKEY_EC ? "ECDSA" : "other",
	    key ? EVP_PKEY_get_bits(key) : 0);
}

/* Each domain that it may sign for; none when it may sign for all. */
static void
permits_each(const struct show *s, void (*say)(struct span domain, bool first))
{
	NAME_CONSTRAINTS *nc = X509_get_ext_d2i(s->x, NID_name_constraints, NULL, NULL);
	bool              first = true;

	for (int i = 0; nc && i < sk_GENERAL_SUBTREE_num(nc->permittedSubtrees); i++) {
		const GENERAL_NAME *g = sk_GENERAL_SUBTREE_value(nc->permittedSubtrees, i)->base;
		if (g->type != GEN_DNS)
			continue;
		say(span_of((const char *)ASN1_STRING_get0_data(g->d.dNSName), (size_t)ASN1_STRING_length(g->d.dNSName)), first);
		first = false;
	}
	NAME_CONSTRAINTS_free(nc);
	ERR_clear_error();
}

static void
permit_say(struct span domain, bool first)
{
	fputs(first ? "signs for:   " : ", ", stdout);
	cli_print(stdout, domain);
}

static void
permit_say_json(struct span domain, bool first)
{
	fputs(first ? "" : ",", stdout);
	cli_print_json(stdout, domain);
}

static bool
pem_print(const struct show *s, bool json)
{
	BIO  *b = BIO_new(BIO_s_mem());
	char *p = NULL;
	bool  ok = b && PEM_write_bio_X509(b, s->x);
	long  n = ok ? BIO_get_mem_data(b, &p) : 0;

	if (ok && json)
		cli_print_json(stdout, span_of(p, (size_t)n));
	else if (ok)
		fwrite(p, 1, (size_t)n, stdout);
	BIO_free(b);
	return ok;
}

/* --- the ways to say it --- */

static void
json_field(const char *name, const char *text)
{
	printf("\"%s\":", name);
	cli_print_json(stdout, span_str(text));
	putchar(',');
}

static void
say_json(const struct show *s, const char *fault)
{
	char text[512];

	putchar('{');
	subject_text(s, text, sizeof text);
	json_field("subject", text);
	time_text(X509_get0_notBefore(s->x), text, sizeof text);
	json_field("not_before", text);
	time_text(X509_get0_notAfter(s->x), text, sizeof text);
	json_field("not_after", text);
	key_text(s, text, sizeof text);
	json_field("key", text);
	print_text(s, EVP_sha256(), text, sizeof text);
	json_field("sha256", text);
	print_text(s, EVP_sha1(), text, sizeof text);
	json_field("sha1", text);
	fputs("\"permitted\":[", stdout);
	permits_each(s, permit_say_json);
	fputs("],", stdout);
	if (fault)
		json_field("fault", fault);
	fputs("\"pem\":", stdout);
	pem_print(s, true);
	puts("}");
}

/* Quoted for a shell: a path of the administrator's own. */
static void
say_path(const struct show *s)
{
	fputs("'", stdout);
	cli_print(stdout, span_str(s->cert));
	fputs("'", stdout);
}

static void
say_how(const struct show *s)
{
	puts("How clients come to trust it (the file is PEM; --der FILE writes what Windows likes best):\n"
	     "  Windows, a domain:  Group Policy: Computer Configuration > Policies > Windows Settings > Security Settings > Public Key Policies >\n"
	     "                      Trusted Root Certification Authorities > Import\n"
	     "  Windows, one:       certutil -addstore -f Root ca.cer\n"
	     "  Firefox:            policies.json: {\"policies\": {\"Certificates\": {\"ImportEnterpriseRoots\": true}}} takes those of Windows and macOS; elsewhere\n"
	     "                      {\"policies\": {\"Certificates\": {\"Install\": [\"/path/to/ca.pem\"]}}}");
	fputs("  Debian, Ubuntu:     cp ", stdout);
	say_path(s);
	puts(" /usr/local/share/ca-certificates/postern-ca.crt && update-ca-certificates");
	fputs("  Fedora, RHEL:       cp ", stdout);
	say_path(s);
	puts(" /etc/pki/ca-trust/source/anchors/postern-ca.pem && update-ca-trust");
	puts("  macOS:              security add-trusted-cert -d -r trustRoot -k /Library/Keychains/System.keychain ca.pem\n"
	     "  Programs that bring roots of their own (Java, Python's requests, Node.js) have settings of their own: keytool -importcert, REQUESTS_CA_BUNDLE,\n"
	     "  NODE_EXTRA_CA_CERTS.");
}

static void
say(const struct show *s)
{
	char text[512];

	subject_text(s, text, sizeof text);
	fputs("subject:     ", stdout);
	cli_print(stdout, span_str(text));
	time_text(X509_get0_notBefore(s->x), text, sizeof text);
	printf("\nvalid from:  %s\n", text);
	time_text(X509_get0_notAfter(s->x), text, sizeof text);
	printf("valid until: %s\n", text);
	key_text(s, text, sizeof text);
	printf("key:         %s\n", text);
	print_text(s, EVP_sha256(), text, sizeof text);
	printf("SHA-256:     %s\n", text);
	print_text(s, EVP_sha1(), text, sizeof text);
	printf("SHA-1:       %s\n", text);
	permits_each(s, permit_say);
	puts(X509_get_ext_by_NID(s->x, NID_name_constraints, -1) >= 0 ? "" : "signs for:   all names");
	putchar('\n');
	pem_print(s, false);
	putchar('\n');
	say_how(s);
}

static int
write_der(const struct show *s)
{
	FILE *f = fopen(s->der, "we");
	bool  ok = f && i2d_X509_fp(f, s->x) == 1;
	int   error = errno;

	if (f && fclose(f) != 0) {
		error = errno;
		ok = false;
	}
	ERR_clear_error();
	return ok ? CLI_FINE : cli_file_error(s->der, strerror(error));
}

/* --- the command --- */

static int
show(struct show *s)
{
	struct der_list      list = {0};
	struct span          rest, der = {0};
	char                 why[DER_WHY], text[200];
	const unsigned char *p;
	const char          *fault;
	int                  code = CLI_FINE;

	if (!der_list_read(&list, DER_CERTIFICATE, s->cert, why))
		return cli_file_error(s->cert, why);
	rest = span_of(list.v, list.n);
	if (der_next(&rest, &der)) {
		p = (const unsigned char *)der.p;
		s->x = d2i_X509(NULL, &p, (long)der.n);
	}
	der_list_clear(&list);
	if (!s->x)
		return cli_file_error(s->cert, "holds no certificate that can be read");
	fault = mint_ca_fault(s->x, NULL, (int64_t)time(NULL), text, sizeof text);
	if (s->pem)
		pem_print(s, false);
	else if (s->der)
		code = write_der(s);
	else if (s->json)
		say_json(s, fault);
	else
		say(s);
	if (fault && code == CLI_FINE) {
		cli_file_error(s->cert, fault);
		code = CLI_NEGATIVE;
	}
	X509_free(s->x);
	ERR_clear_error();
	return code;
}

/* As the configuration says; what else is wrong with that, `check` tells. */
static int
show_configured(struct show *s)
{
	struct report r;
	struct conf  *c;
	int           code = CLI_USAGE;

	if (!cli_file_readable(s->conf))
		return code;
	report_init(&r);
	c = conf_load(s->conf, &r);
	s->cert = c ? c->inspection.ca_cert : NULL;
	if (s->cert)
		code = show(s);
	else
		cli_usage_error("%s names no ca-cert in an [inspection] section; name one with --cert", s->conf);
	conf_free(c);
	report_clear(&r);
	return code;
}

int
cli_ca_show(int argc, char **argv)
{
	static const struct option options[] = {{"config", required_argument, NULL, 'c'}, {"cert", required_argument, NULL, 'C'}, {"pem", no_argument, NULL, 'p'},
		{"der", required_argument, NULL, 'd'}, {"json", no_argument, NULL, 'j'}, {"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, 'V'}, {0}};
	struct show s = {0};
	int         o;

	while ((o = getopt_long(argc, argv, "c:hV", options, NULL)) != -1) {
		switch (o) {
		case 'c':
			s.conf = optarg;
			break;
		case 'C':
			s.cert = optarg;
			break;
		case 'p':
			s.pem = true;
			break;
		case 'd':
			s.der = optarg;
			break;
		case 'j':
			s.json = true;
			break;
		default:
			return cli_usage(o, ca_usage);
		}
	}
	if (optind != argc || (s.conf && s.cert) || s.pem + (s.der != NULL) + s.json > 1)
		return cli_usage('?', ca_usage);
	if (!s.conf)
		s.conf = CLI_DEFAULT_CONF;
	return s.cert ? show(&s) : show_configured(&s);
}
