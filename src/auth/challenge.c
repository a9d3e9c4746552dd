/* SPDX-License-Identifier: MIT */
#include "auth/challenge.h"

#include "auth/credential.h"

/* Appends whole lines or nothing. */
struct pen {
	char  *out;
	size_t n, room;
	bool   is_full;
};

static void
put(struct pen *p, struct span s)
{
	if (p->is_full || s.n > p->room - p->n) {
		p->is_full = true;
		return;
	}
	if (s.n > 0)
		memcpy(p->out + p->n, s.p, s.n);
	p->n += s.n;
}

/* RFC 9110 5.6.4. Control bytes cannot stand there at all and are left out. */
static void
put_quoted(struct pen *p, struct span s)
{
	put(p, SPAN("\""));
	for (size_t i = 0; i < s.n; i++) {
		if ((unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7f)
			continue;
		if (s.p[i] == '"' || s.p[i] == '\\')
			put(p, SPAN("\\"));
		put(p, span_of(s.p + i, 1));
	}
	put(p, SPAN("\""));
}

static void
put_base64(struct pen *p, struct span token)
{
	size_t n = (token.n + 2) / 3 * 4;

	if (p->is_full || n > p->room - p->n) {
		p->is_full = true;
		return;
	}
	p->n += base64_encode(token, p->out + p->n);
}

unsigned
challenge_schemes(const struct snapshot *snap, bool bound, bool tls)
{
	const struct auth_settings *a = &snap->set->auth;
	unsigned                    schemes = 0;
	bool                        has_ntlm = a->ntlm != BACK_KINDS && bound, has_kerberos = (a->kinds & 1u << BACK_KERBEROS) != 0;

	for (uint32_t i = 0; i < a->n_schemes && i < AUTH_SCHEMES; i++) {
		bool can = false;
		switch (a->scheme[i]) {
		case AUTH_SCHEME_BASIC:
			can = a->basic != BACK_KINDS && (tls || a->basic_without_tls);
			break;
		case AUTH_SCHEME_NTLM:
			can = has_ntlm;
			break;
		case AUTH_SCHEME_NEGOTIATE:
			/* without a bound connection a client may still answer with NTLM inside, and is refused then; Kerberos binds to the request */
			can = has_ntlm || has_kerberos;
			break;
		default:
			break;
		}
		if (can)
			schemes |= 1u << a->scheme[i];
	}
	return schemes;
}

size_t
challenge_write(const struct snapshot *snap, unsigned schemes, char *out, size_t room)
{
	const struct auth_settings *a = &snap->set->auth;
	struct pen                  p = {out, 0, room, false};

	for (uint32_t i = 0; i < a->n_schemes && i < AUTH_SCHEMES; i++) {
		size_t whole = p.n;
		if (!(schemes & 1u << a->scheme[i]))
			continue;
		switch (a->scheme[i]) {
		case AUTH_SCHEME_BASIC:
			put(&p, SPAN("Proxy-Authenticate: Basic realm="));
			put_quoted(&p, snapshot_text(snap, a->realm));
			put(&p, SPAN(", charset=\"UTF-8\"\r\n"));
			break;
		case AUTH_SCHEME_NTLM:
			put(&p, SPAN("Proxy-Authenticate: NTLM\r\n"));
			break;
		case AUTH_SCHEME_NEGOTIATE:
			put(&p, SPAN("Proxy-Authenticate: Negotiate\r\n"));
			break;
		default:
			break;
		}
		if (p.is_full)
			return whole;
	}
	return p.n;
}

static size_t
write_line(struct span begin, struct span token, char *out, size_t room)
{
	struct pen p = {out, 0, room, false};

	put(&p, begin);
	put_base64(&p, token);
	put(&p, SPAN("\r\n"));
	return p.is_full ? 0 : p.n;
}

size_t
challenge_write_token(enum auth_scheme scheme, struct span token, char *out, size_t room)
{
	struct span begin = scheme == AUTH_SCHEME_NTLM ? SPAN("Proxy-Authenticate: NTLM ") : SPAN("Proxy-Authenticate: Negotiate ");

	return write_line(begin, token, out, room);
}

size_t
challenge_write_info(struct span token, char *out, size_t room)
{
	return write_line(SPAN("Proxy-Authentication-Info: Negotiate "), token, out, room);
}
