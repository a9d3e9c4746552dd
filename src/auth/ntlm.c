/* SPDX-License-Identifier: MIT */
#include "auth/ntlm.h"

#include "auth/ntlm_text.h"

#define SIGNATURE SPAN("NTLMSSP\0")

/* MS-NLMP 2.2.2.5 */
enum flag {
	FLAG_UNICODE = 0x1,
	FLAG_OEM = 0x2,
	FLAG_REQUEST_TARGET = 0x4,
	FLAG_NTLM = 0x200,
	FLAG_ALWAYS_SIGN = 0x8000,
	FLAG_TARGET_IS_DOMAIN = 0x10000,
	FLAG_TARGET_IS_SERVER = 0x20000,
	FLAG_EXTENDED = 0x80000,
	FLAG_TARGET_INFO = 0x800000,
	FLAG_VERSION = 0x2000000
};
/* What a client gets when it asks: MS-NLMP 3.2.5.1.1 wants these returned */
#define GRANTED \
	(NTLM_FLAG_SIGN | NTLM_FLAG_SEAL | FLAG_ALWAYS_SIGN | FLAG_EXTENDED | FLAG_VERSION | NTLM_FLAG_128 | NTLM_FLAG_KEY_EXCH | NTLM_FLAG_56)

/* MS-NLMP 2.2.2.1 */
enum av {
	AV_EOL,
	AV_COMPUTER,
	AV_DOMAIN,
	AV_DNS_COMPUTER,
	AV_DNS_DOMAIN,
	AV_FLAGS = 6,
	AV_TIMESTAMP = 7,
	AV_CHANNEL_BINDINGS = 10
};
#define AV_FLAG_MIC 2u

#define CHALLENGE_HEAD    56u /* with the version field */
#define AUTHENTICATE_HEAD 64u
#define MIC_AT            72u /* behind the version field, which is there whenever a MIC is */
#define BLOB_HEAD         28u /* of NTLMv2_CLIENT_CHALLENGE (2.2.2.7), up to its target info */
#define PROOF_BYTES       16u

static uint32_t
get16(const char *p)
{
	return (uint8_t)p[0] | (uint32_t)(uint8_t)p[1] << 8;
}

static uint32_t
get32(const char *p)
{
	return get16(p) | get16(p + 2) << 16;
}

enum ntlm_message
ntlm_message(struct span m)
{
	if (m.n < 12 || !span_eq(span_of(m.p, 8), SIGNATURE))
		return NTLM_NO_MESSAGE;
	switch (get32(m.p + 8)) {
	case 1:
		return NTLM_NEGOTIATE;
	case 2:
		return NTLM_CHALLENGE;
	case 3:
		return NTLM_AUTHENTICATE;
	default:
		return NTLM_NO_MESSAGE;
	}
}

/* The domain and workstation in it may be made up (and are, by many clients): nobody reads them. */
bool
ntlm_negotiate_read(struct span m, struct ntlm_negotiate *out)
{
	if (ntlm_message(m) != NTLM_NEGOTIATE || m.n > NTLM_NEGOTIATE_MAX)
		return false;
	if (m.n > 12 && m.n < 16)
		return false;
	out->flags = m.n == 12 ? FLAG_OEM | FLAG_NTLM : get32(m.p + 12);
	return true;
}

/* --- CHALLENGE --- */

struct pen {
	char  *out;
	size_t n;
};

static void
set_int(char *at, uint64_t v, unsigned bytes)
{
	for (unsigned i = 0; i < bytes; i++)
		at[i] = (char)(v >> 8 * i);
}

static void
put_int(struct pen *p, uint64_t v, unsigned bytes)
{
	set_int(p->out + p->n, v, bytes);
	p->n += bytes;
}

/* Length, room and offset of a field. */
static void
set_field(char *at, size_t n, size_t offset)
{
	set_int(at, n, 2);
	set_int(at + 2, n, 2);
	set_int(at + 4, offset, 4);
}

/* Names are ours and bounded; one that is not UTF-8 is left out. */
static void
put_av_name(struct pen *p, enum av id, const char *name)
{
	size_t n = ntlm_text_utf16(span_str(name), p->out + p->n + 4, NTLM_CHALLENGE_MAX - p->n - 4);

	if (n == SIZE_MAX || n == 0)
		return;
	put_int(p, id, 2);
	put_int(p, n, 2);
	p->n += n;
}

/* No MsvAvFlags: Windows as a server sends none, and where a zero one was sent (gss-ntlmssp up to 1.2) the MICs of Windows clients did not hold. */
static void
put_target_info(struct pen *p, const struct ntlm_names *names, uint64_t time)
{
	put_av_name(p, AV_DOMAIN, names->domain);
	put_av_name(p, AV_COMPUTER, names->computer);
	put_av_name(p, AV_DNS_DOMAIN, names->dns_domain);
	put_av_name(p, AV_DNS_COMPUTER, names->dns_computer);
	put_int(p, AV_TIMESTAMP, 2);
	put_int(p, 8, 2);
	put_int(p, time, 8);
	put_int(p, AV_EOL, 4);
}

/* A field's head at `at`, its text at the end. */
static void
put_target_name(struct pen *p, size_t at, struct span name, bool unicode)
{
	size_t begin = p->n, n;

	if (unicode)
		n = ntlm_text_utf16(name, p->out + begin, 2 * NAME_NETBIOS_MAX);
	else
		n = ntlm_text_oem(name, p->out + begin, NAME_NETBIOS_MAX);
	p->n += n == SIZE_MAX ? 0 : n;
	set_field(p->out + at, p->n - begin, begin);
}

size_t
ntlm_challenge_write(const struct ntlm_negotiate *n, const struct ntlm_names *names, bool in_domain, const uint8_t challenge[8], uint64_t time,
    char out[NTLM_CHALLENGE_MAX])
{
	/* Windows 10, revision 15 of NTLMSSP; only for debugging (2.2.2.10) */
	static const char version[8] = {10, 0, 0x63, 0x45, 0, 0, 0, 15};
	uint32_t          flags = (n->flags & GRANTED) | FLAG_NTLM | FLAG_TARGET_INFO | (n->flags & FLAG_UNICODE ? FLAG_UNICODE : FLAG_OEM);
	struct span       target = span_str(in_domain ? names->domain : names->computer);
	struct pen        p = {out, CHALLENGE_HEAD};
	size_t            at;

	if (n->flags & FLAG_REQUEST_TARGET)
		flags |= FLAG_REQUEST_TARGET | (in_domain ? FLAG_TARGET_IS_DOMAIN : FLAG_TARGET_IS_SERVER);
	else
		target.n = 0;
	memset(out, 0, CHALLENGE_HEAD);
	memcpy(out, SIGNATURE.p, 8);
	out[8] = 2;
	put_target_name(&p, 12, target, (flags & FLAG_UNICODE) != 0);
	set_int(out + 20, flags, 4);
	memcpy(out + 24, challenge, 8);
	at = p.n;
	put_target_info(&p, names, time);
	set_field(out + 40, p.n - at, at);
	if (flags & FLAG_VERSION)
		memcpy(out + 48, version, sizeof version);
	return p.n;
}

/* --- AUTHENTICATE --- */

/* The field whose head stands at `at`; *first becomes the least offset of any that is not empty. */
static bool
get_field(struct span m, size_t at, struct span *out, size_t *first)
{
	uint32_t n = get16(m.p + at), offset = get32(m.p + at + 4);

	*out = span_of(m.p, 0);
	if (n == 0)
		return true;
	if (offset < AUTHENTICATE_HEAD || offset > m.n || n > m.n - offset)
		return false;
	if (offset < *first)
		*first = offset;
	*out = span_of(m.p + offset, n);
	return true;
}

/* Which response is it? NULL: NTLMv2. */
static const char *
judge_response(const struct ntlm_authenticate *a)
{
	static const char zeros[16];

	if (a->nt.n == 0 && a->user.n == 0)
		return "anonymous";
	if (a->nt.n == 0)
		return a->lm.n > 1 ? "LM only" : "no response";
	if (a->user.n == 0)
		return "no user";
	if (a->nt.n == 24)
		return a->lm.n == 24 && memcmp(a->lm.p + 8, zeros, 16) == 0 ? "NTLMv1 with extended session security" : "NTLMv1";
	if (a->nt.n < PROOF_BYTES + BLOB_HEAD || a->nt.p[PROOF_BYTES] != 1 || a->nt.p[PROOF_BYTES + 1] != 1)
		return "not NTLMv2";
	return NULL;
}

/* The target info in the blob. Its end is marked, and up to four bytes of padding follow; some clients leave either out. */
static bool
read_target_info(struct span info, struct ntlm_authenticate *out)
{
	while (info.n >= 4) {
		uint32_t id = get16(info.p), n = get16(info.p + 2);
		if (id == AV_EOL)
			return true;
		if (n > info.n - 4)
			return false;
		if (id == AV_FLAGS) {
			if (n != 4)
				return false;
			/* whichever of several says so: servers have been fooled by a zero one in front */
			out->has_mic |= (get32(info.p + 4) & AV_FLAG_MIC) != 0;
		}
		if (id == AV_CHANNEL_BINDINGS) {
			if (n != 16 || out->binding.n > 0)
				return false;
			out->binding = span_of(info.p + 4, n);
		}
		info.p += 4 + n;
		info.n -= 4 + n;
	}
	return true;
}

/* What is agreed on: what the client says at the end, as far as we granted it. Of the two kinds of text it should name one; when it does not, the one that
 * we chose counts. */
static void
settle_flags(struct ntlm_authenticate *a, uint32_t granted, uint32_t said)
{
	uint32_t text = said & (FLAG_UNICODE | FLAG_OEM);

	if (text != FLAG_UNICODE && text != FLAG_OEM)
		text = granted;
	a->unicode = (text & FLAG_UNICODE) != 0;
	a->flags = (said ? said : granted) & granted;
}

static const char *
read_authenticate(struct span m, struct span challenge, struct ntlm_authenticate *out)
{
	size_t      first = m.n;
	const char *why;

	if (ntlm_message(challenge) != NTLM_CHALLENGE || challenge.n < CHALLENGE_HEAD)
		return "no challenge";
	if (ntlm_message(m) != NTLM_AUTHENTICATE || m.n < AUTHENTICATE_HEAD)
		return "no AUTHENTICATE message";
	if (!get_field(m, 12, &out->lm, &first) || !get_field(m, 20, &out->nt, &first) || !get_field(m, 28, &out->domain, &first)
	    || !get_field(m, 36, &out->user, &first) || !get_field(m, 44, &out->workstation, &first) || !get_field(m, 52, &out->session_key, &first))
		return "field out of bounds";
	why = judge_response(out);
	if (why)
		return why;
	settle_flags(out, get32(challenge.p + 20), get32(m.p + 60));
	if (!read_target_info(span_of(out->nt.p + PROOF_BYTES + BLOB_HEAD, out->nt.n - PROOF_BYTES - BLOB_HEAD), out))
		return "bad target info";
	/* a field that reaches into the MIC's place shows that there is none */
	if (out->has_mic && first < MIC_AT + 16)
		return "MIC missing";
	out->mic_at = out->has_mic ? MIC_AT : 0;
	if (out->session_key.n != 0 && out->session_key.n != 16)
		return "bad session key";
	if (!ntlm_text_read(out->user, out->unicode, out->user_utf8, sizeof out->user_utf8))
		return "bad user name";
	if (!ntlm_text_read(out->domain, out->unicode, out->domain_utf8, sizeof out->domain_utf8))
		return "bad domain name";
	if (!ntlm_text_read(out->workstation, out->unicode, out->workstation_utf8, sizeof out->workstation_utf8))
		return "bad workstation name";
	return NULL;
}

bool
ntlm_authenticate_read(struct span m, struct span challenge, struct ntlm_authenticate *out, const char **why)
{
	memset(out, 0, sizeof *out);
	*why = read_authenticate(m, challenge, out);
	return *why == NULL;
}
