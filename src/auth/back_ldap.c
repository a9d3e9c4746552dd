/* SPDX-License-Identifier: MIT */
/*
 * back_ldap: Basic by a simple bind, over ldaps:// or StartTLS alone; the server's certificate is always verified.
 * Each thread keeps its connection and binds on it again; one that the server has closed meanwhile is made anew, once.
 * Always true: an empty password is never sent (RFC 4513 5.1.2: such a bind succeeds, and proves nothing); no password goes out before TLS stands.
 * Who it was: as the directory spells it where it tells ("Who am I?", RFC 4532), else as typed, which then must be ASCII, since a directory takes many
 * spellings of other letters for the same name and a rule does not.
 */
#include <fcntl.h>
#include <ldap.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "auth/ad_words.h"
#include "auth/back_ops.h"
#include "auth/ldap_name.h"

#define THREADS       8u
#define BIND_NAME_MAX 1024u
#define SYSTEM_ROOTS  "/etc/ssl/certs/ca-certificates.crt"

struct back {
	char          *url;
	char          *template;
	int            ca;        /* memory file with the PEM, or -1 */
	char           roots[64]; /* file of the roots */
	struct timeval timeout; /* of an answer */
	struct timeval patience; /* with one server of the list, so that the next one still has its turn */
	LDAP          *ld[THREADS]; /* null: not connected */
};

static bool
load(char why[BACK_WHY_MAX])
{
	(void)why;
	/* what /etc/ldap/ldap.conf, ~/.ldaprc and the environment say of certificates and servers is for other programs */
	setenv("LDAPNOINIT", "1", 1);
	return true;
}

static void
close_ldap(struct back *b)
{
	if (!b)
		return;
	for (size_t i = 0; i < THREADS; i++)
		if (b->ld[i])
			ldap_unbind_ext_s(b->ld[i], NULL, NULL);
	if (b->ca >= 0)
		close(b->ca);
	free(b->url);
	free(b->template);
	free(b);
}

static char *
text_copy(struct span s)
{
	return strndup(s.n ? s.p : "", s.n);
}

/* GnuTLS, which Debian's libldap uses, reads roots from a file only. */
static bool
roots_make(struct back *b, struct span pem)
{
	size_t done = 0;

	snprintf(b->roots, sizeof b->roots, "%s", SYSTEM_ROOTS);
	if (pem.n == 0)
		return true;
	b->ca = memfd_create("ldap-ca", MFD_CLOEXEC);
	if (b->ca < 0)
		return false;
	while (done < pem.n) {
		ssize_t n = write(b->ca, pem.p + done, pem.n - done);
		if (n <= 0)
			return false;
		done += (size_t)n;
	}
	snprintf(b->roots, sizeof b->roots, "/proc/self/fd/%d", b->ca);
	return true;
}

static struct timeval
time_of(uint64_t ms)
{
	return (struct timeval){(time_t)(ms / 1000), (suseconds_t)(ms % 1000 * 1000)};
}

/* How many servers the list names; 0: something else stands in it. */
static size_t
urls_count(const char *urls)
{
	size_t n = 0;

	for (const char *p = urls + strspn(urls, " ,"); *p; p += strspn(p, " ,")) {
		if (strncmp(p, "ldaps://", 8) != 0 && strncmp(p, "ldap://", 7) != 0)
			return 0;
		n++;
		p += strcspn(p, " ,");
	}
	return n;
}

static struct back *
open_ldap(const struct snapshot *snap, int fd, char why[BACK_WHY_MAX])
{
	const struct auth_settings *set = &snap->set->auth;
	struct span                 name = snapshot_text(snap, set->ldap_name);
	struct back                *b = calloc(1, sizeof *b);
	size_t                      n;

	(void)fd;
	if (!b) {
		snprintf(why, BACK_WHY_MAX, "out of memory");
		return NULL;
	}
	b->ca = -1;
	b->url = text_copy(snapshot_text(snap, set->ldap_url));
	b->template = text_copy(name.n ? name : SPAN("%u"));
	b->timeout = time_of(set->timeout_ms);
	if (!b->url || !b->template || !roots_make(b, snapshot_text(snap, set->ldap_ca))) {
		snprintf(why, BACK_WHY_MAX, "out of memory");
		close_ldap(b);
		return NULL;
	}
	n = urls_count(b->url);
	if (n == 0) {
		snprintf(why, BACK_WHY_MAX, "ldap-url is not ldaps://HOST or ldap://HOST (which then must take StartTLS)");
		close_ldap(b);
		return NULL;
	}
	b->patience = time_of(set->timeout_ms / n);
	return b;
}

/* --- connections --- */

static bool
options_set(const struct back *b, LDAP *ld)
{
	int version = LDAP_VERSION3, demand = LDAP_OPT_X_TLS_DEMAND, no = 0, least = LDAP_OPT_X_TLS_PROTOCOL_TLS1_2;

	return ldap_set_option(ld, LDAP_OPT_PROTOCOL_VERSION, &version) == LDAP_OPT_SUCCESS &&
	    ldap_set_option(ld, LDAP_OPT_NETWORK_TIMEOUT, &b->patience) == LDAP_OPT_SUCCESS &&
	    ldap_set_option(ld, LDAP_OPT_TIMEOUT, &b->timeout) == LDAP_OPT_SUCCESS &&
	    ldap_set_option(ld, LDAP_OPT_REFERRALS, LDAP_OPT_OFF) == LDAP_OPT_SUCCESS &&
	    ldap_set_option(ld, LDAP_OPT_X_TLS_REQUIRE_CERT, &demand) == LDAP_OPT_SUCCESS &&
	    ldap_set_option(ld, LDAP_OPT_X_TLS_PROTOCOL_MIN, &least) == LDAP_OPT_SUCCESS &&
	    ldap_set_option(ld, LDAP_OPT_X_TLS_CACERTFILE, b->roots) == LDAP_OPT_SUCCESS &&
	    ldap_set_option(ld, LDAP_OPT_X_TLS_NEWCTX, &no) == LDAP_OPT_SUCCESS;
}

/* The library's own words about what went wrong last, or null; free with ldap_memfree. */
static char *
diagnostic_of(LDAP *ld)
{
	char *text = NULL;

	ldap_get_option(ld, LDAP_OPT_DIAGNOSTIC_MESSAGE, &text);
	return text;
}

/* A connection with TLS on it; LDAP_SUCCESS, or why not in `out`. */
static int
connect_tls(const struct back *b, LDAP **out_ld, struct answer *out)
{
	LDAP *ld = NULL;
	char *text = NULL;
	int   code = ldap_initialize(&ld, b->url);

	if (code == LDAP_SUCCESS && !options_set(b, ld))
		code = LDAP_LOCAL_ERROR;
	if (code == LDAP_SUCCESS)
		code = ldap_connect(ld);
	/* an ldap:// server of the list */
	if (code == LDAP_SUCCESS && !ldap_tls_inplace(ld))
		code = ldap_start_tls_s(ld, NULL, NULL);
	/* never a password in the clear, whatever the calls above say */
	if (code == LDAP_SUCCESS && !ldap_tls_inplace(ld))
		code = LDAP_CONFIDENTIALITY_REQUIRED;
	if (code == LDAP_SUCCESS) {
		*out_ld = ld;
		return code;
	}
	if (ld)
		text = diagnostic_of(ld);
	out->result = ASK_UNAVAILABLE;
	/* of a certificate that does not verify libldap says no more than that something was there */
	answer_detail(out, "no TLS connection: %s%s", ldap_err2string(code),
	    text && *text ? "; does the server's certificate bear its name, and is its issuer in ldap-ca?" : "");
	ldap_memfree(text);
	if (ld)
		ldap_unbind_ext_s(ld, NULL, NULL);
	return code;
}

static void
lane_drop(struct back *b, unsigned thread)
{
	if (b->ld[thread])
		ldap_unbind_ext_s(b->ld[thread], NULL, NULL);
	b->ld[thread] = NULL;
}

/* --- a bind --- */

static bool
says_no(int code)
{
	return code == LDAP_INVALID_CREDENTIALS || code == LDAP_NO_SUCH_OBJECT || code == LDAP_INVALID_DN_SYNTAX || code == LDAP_INAPPROPRIATE_AUTH ||
	    code == LDAP_CONSTRAINT_VIOLATION || code == LDAP_INSUFFICIENT_ACCESS;
}

static void
explain(LDAP *ld, int code, struct answer *out)
{
	char       *text = diagnostic_of(ld);
	const char *words = ad_bind_words(text);

	out->result = says_no(code) ? ASK_REFUSED : ASK_UNAVAILABLE;
	if (words)
		answer_detail(out, "LDAP: %s", words);
	else
		answer_detail(out, "LDAP: %s%s%s", ldap_err2string(code), text && *text ? ": " : "", text ? text : "");
	ldap_memfree(text);
}

/* Binds on the thread's connection, which is made first when there is none. The connection is gone after anything but a clear word. */
static int
bind_once(struct back *b, unsigned thread, const char *name, struct span password, struct answer *out)
{
	struct berval secret = {.bv_len = password.n, .bv_val = (char *)(uintptr_t)password.p};
	int           code = LDAP_SUCCESS;

	if (!b->ld[thread])
		code = connect_tls(b, &b->ld[thread], out);
	if (code != LDAP_SUCCESS)
		return code;
	code = ldap_sasl_bind_s(b->ld[thread], name, LDAP_SASL_SIMPLE, &secret, NULL, NULL, NULL);
	if (code == LDAP_SUCCESS)
		return code;
	explain(b->ld[thread], code, out);
	if (!says_no(code))
		lane_drop(b, thread);
	return code;
}

/* "CORP\alice" or "alice". */
static void
name_split(struct span name, struct answer *out)
{
	const char *slash = memchr(name.p, '\\', name.n);

	if (slash) {
		answer_name(out->domain, span_of(name.p, (size_t)(slash - name.p)));
		name = span_of(slash + 1, (size_t)(name.p + name.n - slash - 1));
	}
	answer_name(out->account, name);
}

/* "u:CORP\alice" is Active Directory's; others say "dn:...", as it was sent, or that they do not know the question. False: there was no answer. */
static bool
who_put(LDAP *ld, struct answer *out)
{
	struct berval *who = NULL;
	int            code = ldap_whoami_s(ld, &who, NULL, NULL);

	if (LDAP_API_ERROR(code) || code == LDAP_BUSY || code == LDAP_UNAVAILABLE)
		return false;
	if (code == LDAP_SUCCESS && who && who->bv_len > 2 && strncmp(who->bv_val, "u:", 2) == 0)
		name_split(span_of(who->bv_val + 2, who->bv_len - 2), out);
	ber_bvfree(who);
	return true;
}

static bool
is_ascii(struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] >= 0x80)
			return false;
	return true;
}

static void
check(struct back *b, unsigned thread, const struct ask *ask, struct answer *out)
{
	struct span user = ask->part[0], password = ask->part[1];
	char        name[BIND_NAME_MAX];
	const char *why = NULL;
	bool        fresh = !b->ld[thread];
	int         code;

	out->result = ASK_REFUSED;
	if (ask->op != ASK_BASIC) {
		out->result = ASK_UNAVAILABLE;
		answer_detail(out, "ldap answers Basic alone");
		return;
	}
	if (password.n == 0) {
		answer_name(out->account, user);
		answer_detail(out, "an empty password is never sent to a directory, which would take it for an anonymous bind");
		return;
	}
	if (!ldap_name_make(span_str(b->template), user, name, sizeof name, &why)) {
		answer_name(out->account, user);
		answer_detail(out, "%s", why);
		return;
	}
	code = bind_once(b, thread, name, password, out);
	/* a connection that lay idle: servers close those */
	if (!fresh && (code == LDAP_SERVER_DOWN || code == LDAP_UNAVAILABLE || code == LDAP_OTHER) && !b->ld[thread])
		code = bind_once(b, thread, name, password, out);
	if (code != LDAP_SUCCESS) {
		answer_name(out->account, user);
		return;
	}
	out->detail[0] = '\0';
	/* by the name as typed a rule might not mean the user whom it means by the directory's */
	if (!who_put(b->ld[thread], out)) {
		lane_drop(b, thread);
		out->result = ASK_UNAVAILABLE;
		answer_name(out->account, user);
		answer_detail(out, "LDAP: the password is right, but the directory fell silent before it said whose it is");
		return;
	}
	if (out->account[0] == '\0') {
		if (!is_ascii(user)) {
			out->result = ASK_REFUSED;
			answer_detail(out, "the directory does not tell how it spells a name with letters beyond ASCII");
			return;
		}
		name_split(user, out);
	}
	out->result = ASK_OK;
}

/* Connects, with TLS; binds nobody. */
static bool
ping(struct back *b, unsigned thread, char why[BACK_WHY_MAX])
{
	struct answer a = {0};
	LDAP         *ld = NULL;

	(void)thread;
	if (connect_tls(b, &ld, &a) != LDAP_SUCCESS) {
		snprintf(why, BACK_WHY_MAX, "%s", a.detail);
		return false;
	}
	ldap_unbind_ext_s(ld, NULL, NULL);
	return true;
}

static void
describe(struct back *b, void (*say)(void *arg, bool fault, const char *line), void *arg)
{
	char text[512];

	snprintf(text, sizeof text, "%.200s, roots of %s, binds as %.200s", b->url, b->ca >= 0 ? "ldap-ca" : SYSTEM_ROOTS, b->template);
	say(arg, false, text);
}

const struct back_ops back_ldap_ops = {
	.word = "ldap",
	.threads = THREADS,
	.may_repeat = true,
	.counts = true,
	.load = load,
	.open = open_ldap,
	.close = close_ldap,
	.check = check,
	.ping = ping,
	.describe = describe,
};
