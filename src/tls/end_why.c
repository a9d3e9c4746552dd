/* SPDX-License-Identifier: MIT */
/*
 * end_why: what went wrong with an end, as a fault and a word.
 * Owns nothing: every detail is static text.
 */
#include <openssl/err.h>
#include <openssl/sslerr.h>

#include "base/clock.h"
#include "tls/end_parts.h"

/* A client that says goodbye this soon after it saw our certificate left because of it; one that opened a connection in advance and never used it stays
 * much longer. Browsers that open two, and drop one as soon as the other turns out to speak HTTP/2, say none. */
#define LEAVES_AT_ONCE_US (UINT64_C(2) * 1000000)

/* The names of RFC 8446 6 and RFC 5246 7.2. */
static const char *
alert_name(uint16_t alert)
{
	static const struct {
		uint16_t    number;
		const char *name;
	} names[] = {{0, "close_notify"}, {10, "unexpected_message"}, {20, "bad_record_mac"}, {21, "decryption_failed"}, {22, "record_overflow"},
	    {30, "decompression_failure"}, {40, "handshake_failure"}, {41, "no_certificate"}, {42, "bad_certificate"}, {43, "unsupported_certificate"},
	    {44, "certificate_revoked"}, {45, "certificate_expired"}, {46, "certificate_unknown"}, {47, "illegal_parameter"}, {48, "unknown_ca"},
	    {49, "access_denied"}, {50, "decode_error"}, {51, "decrypt_error"}, {60, "export_restriction"}, {70, "protocol_version"},
	    {71, "insufficient_security"}, {80, "internal_error"}, {86, "inappropriate_fallback"}, {90, "user_canceled"}, {100, "no_renegotiation"},
	    {109, "missing_extension"}, {110, "unsupported_extension"}, {112, "unrecognized_name"}, {113, "bad_certificate_status_response"},
	    {114, "bad_certificate_hash_value"}, {115, "unknown_psk_identity"}, {116, "certificate_required"}, {120, "no_application_protocol"},
	    {121, "ech_required"}};

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (names[i].number == alert)
			return names[i].name;
	return "unknown alert";
}

/* Alerts by which a client says that it does not like our certificate. */
static bool
rejects_certificate(uint16_t alert)
{
	return (alert >= 42 && alert <= 46) || alert == 48 || alert == 49 || alert == 113;
}

/* Alerts by which an origin says that it knows nothing of what we offer. */
static bool
says_weak(uint16_t alert)
{
	return alert == 40 || alert == 70 || alert == 71;
}

/* What we ourselves did not like about an origin: nothing of it is strong enough. */
static bool
found_weak(int reason)
{
	static const int weak[] = {SSL_R_UNSUPPORTED_PROTOCOL, SSL_R_WRONG_SSL_VERSION, SSL_R_VERSION_TOO_LOW, SSL_R_UNSUPPORTED_SSL_VERSION,
	    SSL_R_DH_KEY_TOO_SMALL, SSL_R_WRONG_CIPHER_RETURNED, SSL_R_UNKNOWN_CIPHER_RETURNED, SSL_R_WRONG_SIGNATURE_TYPE, SSL_R_WRONG_CURVE,
	    SSL_R_UNSAFE_LEGACY_RENEGOTIATION_DISABLED, SSL_R_LEGACY_SIGALG_DISALLOWED_OR_UNSUPPORTED, SSL_R_EE_KEY_TOO_SMALL,
	    SSL_R_UNSUPPORTED_ELLIPTIC_CURVE, SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM, SSL_R_UNKNOWN_KEY_EXCHANGE_TYPE, SSL_R_INAPPROPRIATE_FALLBACK,
	    SSL_R_UNSUPPORTED_COMPRESSION_ALGORITHM, SSL_R_COMPRESSION_DISABLED, SSL_R_SIGNATURE_ALGORITHMS_ERROR};

	for (size_t i = 0; i < sizeof weak / sizeof *weak; i++)
		if (weak[i] == reason)
			return true;
	return false;
}

/* Left, by whatever way, without an alert that says more? */
static bool
has_left(const struct tls_end *t)
{
	return t->eof || t->reset || (SSL_get_shutdown(t->ssl) & SSL_RECEIVED_SHUTDOWN);
}

static enum fault
why_origin(struct tls_end *t, int reason)
{
	bool shaken = t->shaken_us > 0;

	if (t->alert != NO_ALERT) {
		t->detail = alert_name(t->alert);
		if (t->asked || t->alert == 116)
			return FAULT_ORIGIN_WANTS_CERTIFICATE;
		return !shaken && says_weak(t->alert) ? FAULT_ORIGIN_TLS_WEAK : FAULT_ORIGIN_TLS_FAILED;
	}
	if (has_left(t)) {
		if (t->asked && !t->heard)
			return FAULT_ORIGIN_WANTS_CERTIFICATE;
		return !shaken ? FAULT_ORIGIN_TLS_FAILED : t->eof ? FAULT_ORIGIN_CLOSED : FAULT_NONE;
	}
	return found_weak(reason) ? FAULT_ORIGIN_TLS_WEAK : FAULT_ORIGIN_TLS_FAILED;
}

static enum fault
why_client(struct tls_end *t)
{
	bool shaken = t->shaken_us > 0, goodbye = SSL_get_shutdown(t->ssl) & SSL_RECEIVED_SHUTDOWN;

	if (t->alert != NO_ALERT) {
		t->detail = alert_name(t->alert);
		return rejects_certificate(t->alert) ? FAULT_CLIENT_REJECTED_CERTIFICATE : FAULT_CLIENT_TLS_FAILED;
	}
	if (!has_left(t))
		return FAULT_CLIENT_TLS_FAILED;
	if (t->showed && !t->heard && (!shaken || (goodbye && clock_mono_us() - t->shaken_us < LEAVES_AT_ONCE_US))) {
		t->detail = "closed right after the certificate";
		return FAULT_CLIENT_REJECTED_CERTIFICATE;
	}
	return shaken ? FAULT_NONE : FAULT_CLIENT_TLS_FAILED;
}

/* The first record is none: another protocol, or none at all on this port. OpenSSL takes the first bytes for a version. */
static bool
speaks_no_tls(int reason)
{
	return reason == SSL_R_WRONG_VERSION_NUMBER || reason == SSL_R_HTTP_REQUEST || reason == SSL_R_HTTPS_PROXY_REQUEST;
}

/* Takes all that OpenSSL says of it: want of memory need not be the first thing, and what could not be made ready for that reason is told in other words. */
static bool
lacks_memory(void)
{
	unsigned long e;
	bool          lacks = false;

	while ((e = ERR_get_error()))
		lacks |= ERR_GET_REASON(e) == ERR_R_MALLOC_FAILURE || ERR_GET_REASON(e) == ERR_R_INIT_FAIL;
	return lacks;
}

void
end_note(struct tls_end *t, int error)
{
	unsigned long e = ERR_peek_error();
	const char   *reason = e ? ERR_reason_error_string(e) : NULL;
	bool          no_memory = lacks_memory();

	t->failed = error != SSL_ERROR_ZERO_RETURN;
	if (t->to_origin && speaks_no_tls(ERR_GET_REASON(e)))
		t->detail = "what the server sends is not TLS";
	else if (!t->to_origin && !t->shaken_us && speaks_no_tls(ERR_GET_REASON(e))) {
		t->plain_http = ERR_GET_REASON(e) != SSL_R_WRONG_VERSION_NUMBER;
		t->detail = t->plain_http ? "plain HTTP came" : "what came is not TLS";
	} else if (t->flooded)
		t->detail = "a handshake without end";
	else if (t->eof)
		t->detail = "closed without close_notify";
	else if (t->reset)
		t->detail = "reset";
	else if (!t->failed)
		t->detail = "closed";
	else
		t->detail = reason ? reason : "TLS error";
	if (no_memory)
		t->fault = FAULT_NO_MEMORY; /* neither side is to blame */
	else
		t->fault = t->to_origin ? why_origin(t, ERR_GET_REASON(e)) : why_client(t);
}

enum fault
tls_why(const struct tls_end *t, const char **detail)
{
	*detail = t->detail;
	return t->fault;
}

enum fault
tls_late_why(const struct tls_end *t, const char **detail)
{
	return tls_why(t, detail);
}
