/* SPDX-License-Identifier: MIT */
#include "tls/findings.h"

#include <openssl/asn1.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/x509.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "conf/conf.h"

static const uint8_t order[] = {FINDINGS_ORDER};
_Static_assert(sizeof order == FINDINGS_MAX, "every kind has its place");

/* enum cert_kind is FAULT_CERT_x in the order of base/fault.h, less the two that no rule lets through. */
static int
kind_of(enum fault f)
{
	static const int8_t kind[FAULT_COUNT] = {
		[FAULT_CERT_EXPIRED] = KIND_EXPIRED + 1,
		[FAULT_CERT_NOT_YET_VALID] = KIND_NOT_YET_VALID + 1,
		[FAULT_CERT_WRONG_HOST] = KIND_WRONG_HOST + 1,
		[FAULT_CERT_SELF_SIGNED] = KIND_SELF_SIGNED + 1,
		[FAULT_CERT_UNTRUSTED] = KIND_UNTRUSTED + 1,
		[FAULT_CERT_INCOMPLETE] = KIND_INCOMPLETE + 1,
		[FAULT_CERT_WEAK_SIGNATURE] = KIND_WEAK_SIGNATURE + 1,
		[FAULT_CERT_WEAK_KEY] = KIND_WEAK_KEY + 1,
		[FAULT_CERT_BAD_USAGE] = KIND_BAD_USAGE + 1,
		[FAULT_CERT_CONSTRAINED] = KIND_CONSTRAINED + 1,
		[FAULT_CERT_BAD_CHAIN] = KIND_BAD_CHAIN + 1,
		[FAULT_CERT_INVALID] = KIND_INVALID + 1,
	};

	return kind[f] - 1;
}

static unsigned
place_of(enum fault f)
{
	for (unsigned i = 0; i < FINDINGS_MAX; i++)
		if (order[i] == f)
			return i;
	return 2; /* FAULT_CERT_INVALID */
}

void
findings_init(struct findings *f)
{
	f->kinds = 0;
	f->count = 0;
	f->note[0] = '\0';
}

void
findings_add(struct findings *f, enum fault fault, const char *fmt, ...)
{
	unsigned place = place_of(fault);
	va_list  ap;

	f->count++;
	if (f->kinds >> place & 1)
		return;
	f->kinds |= 1u << place;
	va_start(ap, fmt);
	vsnprintf(f->text[place], sizeof f->text[place], fmt, ap);
	va_end(ap);
}

void
findings_note(struct findings *f, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(f->note, sizeof f->note, fmt, ap);
	va_end(ap);
}

static bool
has(const struct findings *f, enum fault fault)
{
	return f->kinds >> place_of(fault) & 1;
}

enum fault
findings_gravest(const struct findings *f)
{
	return f->kinds ? (enum fault)order[__builtin_ctz(f->kinds)] : FAULT_NONE;
}

bool
findings_refuse(const struct findings *f)
{
	return has(f, FAULT_CERT_OWN_CA) || has(f, FAULT_CERT_REVOKED);
}

uint16_t
findings_cert_kinds(const struct findings *f)
{
	unsigned kinds = 0;

	for (unsigned i = 0; i < FINDINGS_MAX; i++)
		if (f->kinds >> i & 1 && kind_of(order[i]) >= 0)
			kinds |= 1u << kind_of(order[i]);
	return (uint16_t)kinds;
}

/* Cut at a whole character, so that what is printed stays UTF-8. */
static size_t
utf8_cut(const char *s, size_t n)
{
	while (n > 0 && ((unsigned char)s[n] & 0xc0) == 0x80)
		n--;
	return n;
}

static size_t
text_add(char *buf, size_t n, size_t at, const char *text)
{
	size_t len = strlen(text), sep = at ? 2 : 0;

	if (!len || at + sep >= n - 1)
		return at;
	if (at + sep + len > n - 1)
		len = utf8_cut(text, n - 1 - at - sep);
	memcpy(buf + at, "; ", sep);
	memcpy(buf + at + sep, text, len);
	buf[at + sep + len] = '\0';
	return at + sep + len;
}

void
findings_print(const struct findings *f, char *buf, size_t n)
{
	size_t at = 0;

	buf[0] = '\0';
	for (unsigned i = 0; i < FINDINGS_MAX; i++)
		if (f->kinds >> i & 1)
			at = text_add(buf, n, at, f->text[i]);
	text_add(buf, n, at, f->note);
}

/* --- texts out of certificates --- */

/* Bytes of the character at p, 0: not UTF-8, or one that would show as something else than it is (controls, marks of direction). */
static size_t
utf8_printable(const unsigned char *p, size_t n)
{
	unsigned      need = p[0] < 0x80 ? 1 : p[0] >= 0xc2 && p[0] < 0xe0 ? 2 : (p[0] & 0xf0) == 0xe0 ? 3 : p[0] >= 0xf0 && p[0] < 0xf5 ? 4 : 0;
	unsigned long c;

	if (!need || need > n)
		return 0;
	c = need == 1 ? p[0] : p[0] & (0xff >> (need + 1));
	for (unsigned i = 1; i < need; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (p[i] & 0x3f);
	}
	if (c < 0x20 || (c >= 0x7f && c < 0xa0) || (need == 3 && c < 0x800) || (c >= 0xd800 && c < 0xe000) || (need == 4 && (c < 0x10000 || c > 0x10ffff)))
		return 0;
	if ((c >= 0x200b && c <= 0x200f) || (c >= 0x2028 && c <= 0x202e) || (c >= 0x2060 && c <= 0x206f) || c == 0x61c || c == 0xfeff)
		return 0;
	return need;
}

static size_t
part_print(const X509_NAME *name, int nid, char *buf, size_t n)
{
	int            at = X509_NAME_get_index_by_NID(name, nid, -1);
	unsigned char *utf8 = NULL;
	size_t         out = 0, len;
	int            got;

	buf[0] = '\0';
	if (at < 0)
		return 0;
	got = ASN1_STRING_to_UTF8(&utf8, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at)));
	if (got < 0) {
		ERR_clear_error();
		return 0;
	}
	for (int i = 0; i < got; i += (int)(len ? len : 1)) {
		len = utf8_printable(utf8 + i, (size_t)(got - i));
		if (out + (len ? len : 1) > n - 1)
			break;
		if (len)
			memcpy(buf + out, utf8 + i, len);
		else
			buf[out] = '?';
		out += len ? len : 1;
	}
	OPENSSL_free(utf8);
	buf[out] = '\0';
	return out;
}

void
name_print(const X509_NAME *name, char *buf, size_t n)
{
	char cn[65], org[65];

	part_print(name, NID_commonName, cn, sizeof cn);
	part_print(name, NID_organizationName, org, sizeof org);
	if (!cn[0])
		part_print(name, NID_organizationalUnitName, cn, sizeof cn);
	if (cn[0] && org[0])
		snprintf(buf, n, "%.*s (%.*s)", (int)utf8_cut(cn, strlen(cn)), cn, (int)(n > 80 ? strlen(org) : utf8_cut(org, strlen(org) < 24 ? strlen(org) : 24)), org);
	else
		snprintf(buf, n, "%s", cn[0] ? cn : org[0] ? org : "no name");
}

const char *
time_print(int64_t t, char buf[TIME_TEXT])
{
	struct tm tm;
	time_t    when = (time_t)t;

	if (!gmtime_r(&when, &tm) || !strftime(buf, TIME_TEXT, "%Y-%m-%d %H:%M:%S UTC", &tm))
		strcpy(buf, "an unreadable time");
	return buf;
}

bool
time_read(const ASN1_TIME *t, int64_t *out)
{
	struct tm tm;

	if (!t || !ASN1_TIME_to_tm(t, &tm)) {
		ERR_clear_error();
		return false;
	}
	*out = timegm(&tm);
	return true;
}
