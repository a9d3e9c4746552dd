/* SPDX-License-Identifier: MIT */
/*
 * fault: every way in which a request or tunnel can end other than well, in one table.
 * Everything outward is read from here: reply status, word in the access log, Squid's result tag, Proxy-Status token, counter.
 * A new way to fail is a new row.
 */
#ifndef POSTERN_BASE_FAULT_H
#define POSTERN_BASE_FAULT_H

#include <stdint.h>

/* How Squid's native log marks the line (Squid: LogTags). */
enum fault_tag {
	TAG_NONE,      /* nothing appended */
	TAG_ABORTED,   /* _ABORTED */
	TAG_TIMEDOUT,  /* _TIMEDOUT */
	TAG_DENIED,    /* TCP_DENIED */
	TAG_NOREQUEST, /* NONE_NONE */
	TAG_REDIRECT,  /* TCP_REDIRECT */
};

/*  X(symbol, word in logs, status, RFC 9209 error token or "", squid tag, sentence for the error page) */
#define FAULT_TABLE(X) \
	X(NONE, "-", 0, "", TAG_NONE, "") \
	/* the request itself */ \
	X(BAD_REQUEST_LINE, "bad-request-line", 400, "http_request_error", TAG_NOREQUEST, "The request line is not valid HTTP.") \
	X(BAD_TARGET, "bad-target", 400, "http_request_error", TAG_NOREQUEST, "The request target is not valid.") \
	X(BAD_FIELD, "bad-field", 400, "http_request_error", TAG_NOREQUEST, "A header field is not valid HTTP.") \
	X(BAD_HOST, "bad-host", 400, "http_request_error", TAG_NOREQUEST, "The Host field is missing, doubled or not valid.") \
	X(HOST_MISMATCH, "host-mismatch", 400, "http_request_error", TAG_DENIED, "The Host field names another place than the request target.") \
	X(BAD_FRAMING, "bad-framing", 400, "http_request_error", TAG_NOREQUEST, "The length of the message body is not clear.") \
	X(BAD_CHUNK, "bad-chunk", 400, "http_request_error", TAG_NONE, "The chunked message body is not valid.") \
	X(BAD_VERSION, "bad-version", 505, "http_request_error", TAG_NOREQUEST, "This HTTP version is not supported here.") \
	X(TARGET_TOO_LONG, "target-too-long", 414, "http_request_error", TAG_NOREQUEST, "The request target is too long.") \
	X(HEAD_TOO_LARGE, "head-too-large", 431, "http_request_error", TAG_NOREQUEST, "The request header is too large.") \
	X(BODY_TOO_LARGE, "body-too-large", 413, "http_request_error", TAG_DENIED, "The request body is larger than allowed.") \
	X(BAD_EXPECTATION, "bad-expectation", 417, "http_request_error", TAG_NONE, "The expectation cannot be met.") \
	X(NOT_IMPLEMENTED, "not-implemented", 501, "http_request_error", TAG_NONE, "This method or transfer coding is not implemented here.") \
	X(BAD_SCHEME, "bad-scheme", 501, "http_request_error", TAG_NONE, "Only http URLs and CONNECT are served here.") \
	X(NOT_A_PROXY_REQUEST, "not-a-proxy-request", 400, "http_request_error", TAG_NOREQUEST, "This is a proxy; it needs an absolute URL or CONNECT.") \
	X(HEAD_TIMEOUT, "head-timeout", 408, "http_request_error", TAG_TIMEDOUT, "The request did not arrive in time.") \
	X(BODY_TIMEOUT, "body-timeout", 408, "http_request_error", TAG_TIMEDOUT, "The request body did not arrive in time.") \
	/* decided against */ \
	X(DENIED, "denied", 403, "http_request_denied", TAG_DENIED, "The policy of this network does not allow this request.") \
	X(NO_RULE, "no-rule", 403, "http_request_denied", TAG_DENIED, "No rule of this network's policy allows this request.") \
	X(PORT_DENIED, "port-denied", 403, "http_request_denied", TAG_DENIED, "This port may not be reached through this gateway.") \
	X(EGRESS_DENIED, "egress-denied", 403, "destination_ip_prohibited", TAG_DENIED, "The name leads to an address that may not be reached through this gateway.") \
	X(SELF_TARGET, "self-target", 403, "destination_ip_prohibited", TAG_DENIED, "The request leads back to this gateway itself.") \
	X(VIA_LOOP, "via-loop", 508, "proxy_loop_detected", TAG_DENIED, "The request has passed this gateway before.") \
	X(REDIRECTED, "redirected", 302, "http_request_denied", TAG_REDIRECT, "The policy of this network sends this request to another place.") \
	X(CONSENTED, "origin-consent", 303, "", TAG_REDIRECT, "The visitor goes on in spite of what is wrong with the server's certificate.") \
	X(USER_UNKNOWN, "user-unknown", 403, "http_request_denied", TAG_DENIED, "A rule needs to know the user, and the user cannot be asked here.") \
	/* who asks (the token of a 407 is one of ours: RFC 9209 has none) */ \
	X(AUTH_REQUIRED, "auth-required", 407, "http_request_denied", TAG_DENIED, "This network's policy needs to know who you are.") \
	X(AUTH_CONTINUES, "auth-continues", 407, "http_request_denied", TAG_DENIED, "The log-on goes on with the next request.") \
	X(AUTH_FAILED, "auth-failed", 407, "http_request_denied", TAG_DENIED, "The user name or the password is not right, or the account may not log on.") \
	X(AUTH_BAD_TOKEN, "auth-bad-token", 407, "http_request_denied", TAG_DENIED, "The credentials cannot be read, or do not belong to this log-on.") \
	X(AUTH_EXPIRED, "auth-expired", 407, "http_request_denied", TAG_DENIED, "The log-on of this connection does not hold any longer; it is asked for again.") \
	X(AUTH_LIMITED, "auth-limited", 429, "http_request_denied", TAG_DENIED, "Too many log-ons of this user failed; wait before the next one.") \
	X(AUTH_UNAVAILABLE, "auth-unavailable", 503, "proxy_internal_error", TAG_DENIED, "Nobody can say at the moment whether you are who you say; try again soon.") \
	X(UNDECIDED, "undecided", 503, "http_request_denied", TAG_DENIED, "A pattern of this network's policy gave up on this name, so nothing could be decided.") \
	X(RULE_LIMIT, "rule-limit", 503, "connection_limit_reached", TAG_DENIED, "Too many connections of this kind are under way; try again soon.") \
	X(QUEUE_TIMEOUT, "queue-timeout", 503, "connection_limit_reached", TAG_TIMEDOUT, "Too many connections are under way, and none ended while this one waited; try again soon.") \
	X(CLIENT_LIMIT, "client-limit", 429, "connection_limit_reached", TAG_DENIED, "Too many connections from this client.") \
	/* before the first request */ \
	X(PROXY_HEADER, "bad-proxy-header", 0, "", TAG_NOREQUEST, "The PROXY header of the load balancer is missing or not valid.") \
	X(LISTENER_TLS, "listener-tls-failed", 0, "", TAG_NOREQUEST, "The TLS handshake with the proxy itself failed.") \
	X(NO_ORIGINAL, "no-original-address", 0, "", TAG_NOREQUEST, "The system does not tell where this transparent connection was going.") \
	/* the guard of a bypass rule */ \
	X(GUARD_NOT_TLS, "guard-not-tls", 0, "", TAG_DENIED, "The tunnel does not carry TLS.") \
	X(GUARD_NO_SNI, "guard-no-sni", 0, "", TAG_DENIED, "The ClientHello names no server.") \
	X(GUARD_BAD_SNI, "guard-bad-sni", 0, "", TAG_DENIED, "The ClientHello names a server that the rule does not hold for.") \
	X(GUARD_BAD_HELLO, "guard-bad-hello", 0, "", TAG_DENIED, "The ClientHello is not valid.") \
	X(GUARD_TIMEOUT, "guard-timeout", 0, "", TAG_TIMEDOUT, "The ClientHello did not arrive in time.") \
	/* the client's side of an inspected tunnel */ \
	X(INSPECT_NOT_TLS, "inspect-not-tls", 0, "", TAG_DENIED, "The tunnel does not carry TLS, so it cannot be inspected.") \
	X(INSPECT_NO_SNI, "inspect-no-sni", 0, "", TAG_DENIED, "The ClientHello names no server, so it cannot be inspected.") \
	X(INSPECT_FOREIGN_SNI, "inspect-foreign-sni", 0, "", TAG_DENIED, "The ClientHello names another server than the CONNECT.") \
	X(INSPECT_BAD_HELLO, "inspect-bad-hello", 0, "", TAG_DENIED, "The ClientHello is not valid.") \
	X(INSPECT_ALPN, "inspect-alpn", 0, "", TAG_DENIED, "The client speaks only protocols that cannot be inspected.") \
	X(INSPECT_ECH, "inspect-ech", 0, "", TAG_DENIED, "The ClientHello is encrypted and names a foreign outer server.") \
	X(INSPECT_TIMEOUT, "inspect-timeout", 0, "", TAG_TIMEDOUT, "The client's TLS handshake did not end in time.") \
	X(CLIENT_REJECTED_CERTIFICATE, "client-rejected-certificate", 0, "", TAG_ABORTED, "The client does not accept the inspection certificate.") \
	X(CLIENT_TLS_FAILED, "client-tls-failed", 0, "", TAG_ABORTED, "The TLS handshake with the client failed.") \
	X(H2_PROTOCOL, "h2-protocol-error", 0, "", TAG_ABORTED, "The client's HTTP/2 is not valid.") \
	X(H2_FLOOD, "h2-flood", 0, "", TAG_ABORTED, "The client sends HTTP/2 frames that only make work.") \
	X(MISDIRECTED, "misdirected-request", 421, "http_request_error", TAG_DENIED, "The request names another server than the tunnel that it came in.") \
	X(SIGNER_UNAVAILABLE, "signer-unavailable", 503, "proxy_internal_error", TAG_NONE, "The certificates that inspection needs cannot be made at the moment; try again soon.") \
	/* the origin's side of it */ \
	X(ORIGIN_TLS_FAILED, "origin-tls-failed", 502, "tls_protocol_error", TAG_NONE, "The TLS handshake with the server failed.") \
	X(ORIGIN_TLS_TIMEOUT, "origin-tls-timeout", 504, "tls_protocol_error", TAG_TIMEDOUT, "The server did not finish the TLS handshake in time.") \
	X(ORIGIN_TLS_WEAK, "origin-tls-weak", 502, "tls_protocol_error", TAG_NONE, "The server speaks no version or cipher of TLS that is strong enough.") \
	X(ORIGIN_WANTS_CERTIFICATE, "origin-wants-certificate", 502, "tls_certificate_error", TAG_NONE, "The server demands a certificate of the client, which only a rule with bypass or tunnel can let through.") \
	X(CERT_EXPIRED, "origin-cert-expired", 502, "tls_certificate_error", TAG_NONE, "The server's certificate has expired.") \
	X(CERT_NOT_YET_VALID, "origin-cert-not-yet-valid", 502, "tls_certificate_error", TAG_NONE, "The server's certificate is not valid yet.") \
	X(CERT_WRONG_HOST, "origin-cert-wrong-host", 502, "tls_certificate_error", TAG_NONE, "The server's certificate is for another name.") \
	X(CERT_SELF_SIGNED, "origin-cert-self-signed", 502, "tls_certificate_error", TAG_NONE, "The server's certificate is signed by itself.") \
	X(CERT_UNTRUSTED, "origin-cert-untrusted", 502, "tls_certificate_error", TAG_NONE, "The server's certificate leads to a root that is not trusted here.") \
	X(CERT_INCOMPLETE, "origin-cert-incomplete", 502, "tls_certificate_error", TAG_NONE, "The server does not send the certificates that lead to a trusted root.") \
	X(CERT_REVOKED, "origin-cert-revoked", 502, "tls_certificate_error", TAG_NONE, "The server's certificate has been revoked.") \
	X(CERT_WEAK_SIGNATURE, "origin-cert-weak-signature", 502, "tls_certificate_error", TAG_NONE, "The server's certificate is signed with an algorithm that is broken.") \
	X(CERT_WEAK_KEY, "origin-cert-weak-key", 502, "tls_certificate_error", TAG_NONE, "The key of the server's certificate is too short.") \
	X(CERT_BAD_USAGE, "origin-cert-bad-usage", 502, "tls_certificate_error", TAG_NONE, "The server's certificate is not meant for a server.") \
	X(CERT_CONSTRAINED, "origin-cert-constrained", 502, "tls_certificate_error", TAG_NONE, "An authority signed the server's certificate for a name that it may not sign for.") \
	X(CERT_BAD_CHAIN, "origin-cert-bad-chain", 502, "tls_certificate_error", TAG_NONE, "A certificate of the chain may not sign others, or the chain is too long.") \
	X(CERT_OWN_CA, "origin-cert-own-ca", 502, "tls_certificate_error", TAG_NONE, "The server's certificate is signed by this network's inspection authority, or by one of its name.") \
	X(CERT_INVALID, "origin-cert-invalid", 502, "tls_certificate_error", TAG_NONE, "The server's certificate is not valid.") \
	/* names and connections */ \
	X(DNS_NXDOMAIN, "dns-nxdomain", 502, "dns_error", TAG_NONE, "The name does not exist in the DNS.") \
	X(DNS_NO_ADDRESS, "dns-no-address", 502, "dns_error", TAG_NONE, "The name has no address in the DNS.") \
	X(DNS_ERROR, "dns-error", 502, "dns_error", TAG_NONE, "The name could not be resolved.") \
	X(DNS_REFUSED, "dns-refused", 502, "dns_error", TAG_NONE, "The name server refuses to answer.") \
	X(DNS_UNREACHABLE, "dns-unreachable", 502, "dns_error", TAG_NONE, "The name server cannot be reached.") \
	X(DNS_TIMEOUT, "dns-timeout", 504, "dns_timeout", TAG_NONE, "The DNS did not answer in time.") \
	X(CONNECT_REFUSED, "connect-refused", 502, "connection_refused", TAG_NONE, "The server refused the connection.") \
	X(CONNECT_UNREACHABLE, "connect-unreachable", 502, "destination_ip_unroutable", TAG_NONE, "The server cannot be reached.") \
	X(CONNECT_TIMEOUT, "connect-timeout", 504, "connection_timeout", TAG_TIMEDOUT, "The server did not accept the connection in time.") \
	X(CONNECT_FAILED, "connect-failed", 502, "destination_unavailable", TAG_NONE, "The connection to the server failed.") \
	/* a proxy behind us */ \
	X(PARENT_DOWN, "parent-down", 503, "destination_unavailable", TAG_NONE, "No parent proxy can be reached at the moment.") \
	X(PARENT_REFUSED, "parent-refused", 502, "destination_unavailable", TAG_NONE, "The parent proxy refused the request.") \
	X(PARENT_AUTH, "parent-auth-failed", 502, "proxy_internal_error", TAG_NONE, "The parent proxy does not accept the credentials that this gateway has.") \
	X(PARENT_BAD, "parent-bad-response", 502, "http_protocol_error", TAG_NONE, "The parent proxy's answer is not valid HTTP.") \
	X(PARENT_TIMEOUT, "parent-timeout", 504, "http_response_timeout", TAG_TIMEDOUT, "The parent proxy did not answer in time.") \
	/* the origin's answer */ \
	X(ORIGIN_CLOSED, "origin-closed", 502, "connection_terminated", TAG_NONE, "The server closed the connection before it answered.") \
	X(ORIGIN_RESET, "origin-reset", 502, "connection_terminated", TAG_ABORTED, "The server reset the connection.") \
	X(ORIGIN_TIMEOUT, "origin-timeout", 504, "http_response_timeout", TAG_TIMEDOUT, "The server did not answer in time.") \
	X(BAD_RESPONSE, "bad-response", 502, "http_protocol_error", TAG_NONE, "The server's answer is not valid HTTP.") \
	X(RESPONSE_TOO_LARGE, "response-head-too-large", 502, "http_response_header_section_size", TAG_NONE, "The header of the server's answer is too large.") \
	X(RESPONSE_INCOMPLETE, "response-incomplete", 502, "http_response_incomplete", TAG_ABORTED, "The server's answer broke off.") \
	X(ORIGIN_407, "origin-407", 502, "http_protocol_error", TAG_NONE, "The server asks for proxy authentication, which only a proxy may do.") \
	X(BAD_UPGRADE, "bad-upgrade", 502, "http_upgrade_failed", TAG_NONE, "The server changed to a protocol that nobody asked for.") \
	/* how a session may end later */ \
	X(CLIENT_ABORTED, "client-aborted", 0, "", TAG_ABORTED, "") \
	X(IDLE_TIMEOUT, "idle-timeout", 0, "", TAG_TIMEDOUT, "") \
	X(DRAINED, "drained", 503, "http_request_denied", TAG_ABORTED, "This gateway is being shut down.") \
	X(KILLED, "killed", 503, "http_request_denied", TAG_ABORTED, "This request was ended by whoever runs this gateway.") \
	/* ourselves */ \
	X(NO_MEMORY, "no-memory", 503, "proxy_internal_error", TAG_NONE, "The gateway is out of memory.") \
	X(NO_SOCKET, "no-socket", 503, "connection_limit_reached", TAG_NONE, "The gateway is out of sockets.") \
	X(INTERNAL, "internal", 500, "proxy_internal_error", TAG_NONE, "The gateway failed.")

enum fault {
#define FAULT_ENUM(sym, word, status, token, tag, text) FAULT_##sym,
	FAULT_TABLE(FAULT_ENUM)
#undef FAULT_ENUM
	FAULT_COUNT
};

struct fault_row {
	const char    *word;     /* access log, counter label */
	uint16_t       status;   /* reply status; 0: no reply can be sent any more */
	const char    *token;    /* RFC 9209 2.3 error type; "" none */
	enum fault_tag tag;
	const char    *sentence; /* for people */
};

const struct fault_row *fault_row(enum fault f);

/* Where what failed lies, for those who watch: faults that are neither the client's nor the policy's. */
enum failure { FAILURE_NONE, FAILURE_NAME, FAILURE_DNS, FAILURE_CONNECT, FAILURE_PARENT, FAILURE_ORIGIN, FAILURE_AUTH, FAILURE_GATEWAY, FAILURE_KINDS };

enum failure fault_failure(enum fault f);
const char  *failure_word(enum failure k);

#endif
