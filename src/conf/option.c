/* SPDX-License-Identifier: MIT */
#include "conf/option.h"

#include <assert.h>
#include <stddef.h>

#define SECOND_MS UINT64_C(1000)
#define HOUR_MS   (3600 * SECOND_MS)
#define DAY_MS    (24 * HOUR_MS)
#define KIB       UINT64_C(1024)
#define MIB       (KIB * KIB)
#define BANDWIDTH_MOST (16 * KIB * MIB) /* as ipc/limits counts */

#define G(field) offsetof(struct conf_gateway, field)
#define L(field) offsetof(struct conf_listener, field)
#define S(field) offsetof(struct conf_list, field)
#define R(field) offsetof(struct conf_rule, field)
#define A(field) offsetof(struct conf_log, field)
#define U(field) offsetof(struct conf_auth, field)
#define I(field) offsetof(struct conf_inspection, field)
#define P(field) offsetof(struct conf_parent, field)
#define C(field) offsetof(struct conf_pac, field)
#define D(field) offsetof(struct conf_doctor, field)

static const struct section_row sections[SECTION_KINDS] = {
	[SECTION_TOP] = {"", false, 0},
	[SECTION_GATEWAY] = {"gateway", false, 0},
	[SECTION_AUTH] = {"auth", false, 0},
	[SECTION_INSPECTION] = {"inspection", false, 0},
	[SECTION_PAC] = {"pac", false, 0},
	[SECTION_DOCTOR] = {"doctor", false, 0},
	[SECTION_LISTENER] = {"listener", true, sizeof(struct conf_listener)},
	[SECTION_PARENT] = {"parent", true, sizeof(struct conf_parent)},
	[SECTION_LIST] = {"list", true, sizeof(struct conf_list)},
	[SECTION_RULE] = {"rule", true, sizeof(struct conf_rule)},
	[SECTION_LOG] = {"log", true, sizeof(struct conf_log)},
};

static const struct option_word mismatch_words[] = {{"replace", MISMATCH_REPLACE}, {"refuse", MISMATCH_REFUSE}, {0}};
static const struct option_word xff_words[] = {{"delete", XFF_DELETE}, {"append", XFF_APPEND}, {"pass", XFF_PASS}, {0}};
static const struct option_word tristate_words[] = {{"auto", TRI_AUTO}, {"yes", TRI_YES}, {"no", TRI_NO}, {0}};
static const struct option_word guard_words[] = {{"enforce", GUARD_ENFORCE}, {"report", GUARD_REPORT}, {"off", GUARD_OFF}, {0}};
static const struct option_word mode_words[] = {
	{"explicit", LISTENER_EXPLICIT},
	{"transparent", LISTENER_TRANSPARENT},
	{0},
};
static const struct option_word action_words[] = {
	{"bypass", ACTION_BYPASS},
	{"tunnel", ACTION_TUNNEL},
	{"inspect", ACTION_INSPECT},
	{"deny", ACTION_DENY},
	{0},
};
static const struct option_word auth_words[] = {
	{"none", AUTH_NONE},
	{"required", AUTH_REQUIRED},
	{0},
};
static const struct option_word format_words[] = {
	{"squid", LOG_SQUID},
	{"json", LOG_JSON},
	{"combined", LOG_COMBINED},
	{"w3c", LOG_W3C},
	{"cef", LOG_CEF},
	{"leef", LOG_LEEF},
	{0},
};
static const struct option_word level_words[] = {
	{"error", CONF_LOG_ERROR},
	{"warn", CONF_LOG_WARN},
	{"info", CONF_LOG_INFO},
	{"debug", CONF_LOG_DEBUG},
	{0},
};
static const struct option_word balance_words[] = {
	{"first", BALANCE_FIRST},
	{"round-robin", BALANCE_ROUND_ROBIN},
	{"client", BALANCE_CLIENT},
	{0},
};
static const struct option_word down_words[] = {{"refuse", PARENTS_DOWN_REFUSE}, {"direct", PARENTS_DOWN_DIRECT}, {0}};
static const struct option_word parent_auth_words[] = {
	{"none", PARENT_AUTH_NONE},
	{"basic", PARENT_AUTH_BASIC},
	{"negotiate", PARENT_AUTH_NEGOTIATE},
	{0},
};
static const struct option_word pac_bypass_words[] = {{"proxy", PAC_BYPASS_PROXY}, {"direct", PAC_BYPASS_DIRECT}, {0}};
static const struct option_word pac_fallback_words[] = {{"none", PAC_FALLBACK_NONE}, {"direct", PAC_FALLBACK_DIRECT}, {0}};
/* RFC 5424 6.2.1 */
static const struct option_word facility_words[] = {
	{"kern", 0}, {"user", 1}, {"mail", 2}, {"daemon", 3}, {"auth", 4}, {"syslog", 5}, {"lpr", 6}, {"news", 7},
	{"uucp", 8}, {"cron", 9}, {"authpriv", 10}, {"ftp", 11},
	{"local0", 16}, {"local1", 17}, {"local2", 18}, {"local3", 19}, {"local4", 20}, {"local5", 21}, {"local6", 22},
	{"local7", 23},
	{0},
};
static const struct option_word severity_words[] = {{"notice", 5}, {"info", 6}, {"debug", 7}, {0}};

static const struct option_word scheme_words[] = {
	{"negotiate", AUTH_SCHEME_NEGOTIATE},
	{"ntlm", AUTH_SCHEME_NTLM},
	{"basic", AUTH_SCHEME_BASIC},
	{0},
};
static const struct option_word basic_words[] = {
	{"file", BACK_BASIC_FILE},
	{"winbind", BACK_WINBIND},
	{"ldap", BACK_LDAP},
	{"pam", BACK_PAM},
	{0},
};
static const struct option_word domain_words[] = {{"none", BACK_KINDS}, {"winbind", BACK_WINBIND}, {0}};

static const struct option_word trust_words[] = {{"system", 0}, {0}};
static const struct option_word version_words[] = {{"1.2", 0x0303}, {"1.3", 0x0304}, {0}};
static const struct option_word bad_origin_words[] = {{"block", ORIGIN_BLOCK}, {"warn", ORIGIN_WARN}, {"pass", ORIGIN_PASS}, {0}};
static const struct option_word blind_words[] = {{"refuse", ODD_REFUSE}, {"tunnel", ODD_TUNNEL}, {0}};
static const struct option_word odd_words[] = {{"refuse", ODD_REFUSE}, {"tunnel", ODD_TUNNEL}, {"inspect", ODD_INSPECT}, {0}};
static const struct option_word ech_words[] = {{"fallback", ECH_FALLBACK}, {"refuse", ECH_REFUSE}, {"tunnel", ECH_TUNNEL}, {0}};

#define TIME(key, field, most, def) {SECTION_GATEWAY, key, OPTION_TIME, G(field), 0, 1, most, def, NULL, NULL, 0}
#define SIZE(key, field, least, most, def) {SECTION_GATEWAY, key, OPTION_SIZE, G(field), 0, least, most, def, NULL, NULL, 0}
#define NUMBER(key, field, at, least, most, def, zero) {SECTION_GATEWAY, key, OPTION_NUMBER, G(field), at, least, most, def, zero, NULL, 0}
#define WORD(section, key, off, at, def, words) {section, key, OPTION_WORD, off, at, 0, 0, def, NULL, words, 0}
#define LIST(section, key, type, off, def, flags) {section, key, type, off, 0, 0, 0, def, NULL, NULL, flags}
#define TEXT(section, key, type, off, at, def, flags) {section, key, type, off, at, 0, 0, def, NULL, NULL, flags}
#define YESNO(section, key, off, def) {section, key, OPTION_BOOL, off, 0, 0, 0, def, NULL, NULL, 0}
#define AUTH_TIME(key, field, most, def) {SECTION_AUTH, key, OPTION_TIME, U(field), 0, 1, most, def, NULL, NULL, 0}
#define RATE(key, field, def) {SECTION_AUTH, key, OPTION_RATE, U(field), 0, SECOND_MS, DAY_MS, def, NULL, NULL, 0}
#define NAMES(key, field) LIST(SECTION_RULE, key, OPTION_NAMES, R(field), NULL, OPTION_NEGATES)
#define EFFECT(key, field) LIST(SECTION_RULE, key, OPTION_ITEMS, R(field), NULL, 0)
#define CONDITION(key, field) LIST(SECTION_RULE, key, OPTION_ITEMS, R(field), NULL, OPTION_NEGATES)

static const struct option options[] = {
	LIST(SECTION_TOP, "include", OPTION_INCLUDE, OPTION_NOWHERE, NULL, 0),

	NUMBER("workers", workers, G(workers_at), 1, 128, "auto", "auto"),
	TEXT(SECTION_GATEWAY, "user", OPTION_TEXT, G(user), G(user_at), "postern", 0),
	TEXT(SECTION_GATEWAY, "visible-name", OPTION_TOKEN, G(visible_name), 0, NULL, 0), /* default: the host's name */
	TEXT(SECTION_GATEWAY, "contact", OPTION_TEXT, G(contact), 0, NULL, OPTION_EMPTY_OK),
	TEXT(SECTION_GATEWAY, "pages", OPTION_DIR, G(pages), 0, NULL, OPTION_EMPTY_OK),
	NUMBER("max-connections", max_connections, 0, 1, 10000000, "auto", "auto"),
	NUMBER("max-connections-per-client", max_connections_per_client, 0, 0, 10000000, "1000", NULL),
	TIME("head-timeout", head_timeout_ms, DAY_MS, "10s"),
	TIME("connect-timeout", connect_timeout_ms, DAY_MS, "10s"),
	TIME("response-timeout", response_timeout_ms, DAY_MS, "60s"),
	TIME("keepalive-timeout", keepalive_timeout_ms, DAY_MS, "60s"),
	TIME("idle-timeout", idle_timeout_ms, 30 * DAY_MS, "1h"),
	TIME("drain-timeout", drain_timeout_ms, DAY_MS, "30s"),
	{SECTION_GATEWAY, "drain-delay", OPTION_TIME, G(drain_delay_ms), 0, 0, 3600 * SECOND_MS, "0s", NULL, NULL, 0},
	SIZE("max-head", max_head, 4 * KIB, MIB, "64k"),
	SIZE("max-request-body", max_request_body, 0, UINT64_MAX, "0"),
	SIZE("tunnel-buffer", tunnel_buffer, 4 * KIB, 16 * MIB, "256k"),
	NUMBER("pool-per-host", pool_per_host, 0, 0, 1000000, "64", NULL),
	NUMBER("pool-total", pool_total, 0, 0, 1000000, "1024", NULL),
	LIST(SECTION_GATEWAY, "connect-ports", OPTION_PORTS, G(connect_ports), "443", OPTION_NONE_OK),
	LIST(SECTION_GATEWAY, "http-ports", OPTION_PORTS, G(http_ports), "80 1025-65535", OPTION_NONE_OK),
	WORD(SECTION_GATEWAY, "host-mismatch", G(host_mismatch), 0, "replace", mismatch_words),
	YESNO(SECTION_GATEWAY, "via", G(via), "yes"),
	WORD(SECTION_GATEWAY, "x-forwarded-for", G(x_forwarded_for), 0, "delete", xff_words),
	LIST(SECTION_GATEWAY, "egress-deny", OPTION_CIDRS, G(egress_deny), "private", OPTION_NONE_OK),
	LIST(SECTION_GATEWAY, "egress-allow", OPTION_CIDRS, G(egress_allow), NULL, OPTION_NONE_OK | OPTION_EMPTY_OK),
	LIST(SECTION_GATEWAY, "resolver", OPTION_RESOLVERS, G(resolvers), "system", 0),
	TIME("dns-timeout", dns_timeout_ms, 60 * SECOND_MS, "5s"),
	NUMBER("dns-cache", dns_cache, 0, 0, 10000000, "10000", NULL),
	WORD(SECTION_GATEWAY, "log-level", G(log_level), 0, "info", level_words),
	{SECTION_GATEWAY, "admin", OPTION_ENDPOINTS, G(admin), G(admin_at), 0, 0, NULL, NULL, NULL, OPTION_EMPTY_OK},
	LIST(SECTION_GATEWAY, "admin-clients", OPTION_CIDRS, G(admin_clients), "loopback", 0),
	TEXT(SECTION_GATEWAY, "control", OPTION_PATH, G(control), G(control_at), NULL, OPTION_EMPTY_OK),
	TEXT(SECTION_GATEWAY, "control-group", OPTION_TEXT, G(control_group), G(control_group_at), NULL, OPTION_EMPTY_OK),
	TEXT(SECTION_GATEWAY, "pid-file", OPTION_PATH, G(pid_file), G(pid_file_at), NULL, OPTION_EMPTY_OK),
	TIME("upgrade-timeout", upgrade_timeout_ms, HOUR_MS, "30s"),
	{SECTION_GATEWAY, "hang-timeout", OPTION_TIME, G(hang_timeout_ms), 0, 0, HOUR_MS, "30s", NULL, NULL, 0},
	LIST(SECTION_GATEWAY, "parent", OPTION_ITEMS, G(parent), NULL, OPTION_EMPTY_OK),
	WORD(SECTION_GATEWAY, "parent-balance", G(parent_balance), 0, "first", balance_words),
	WORD(SECTION_GATEWAY, "parents-down", G(parents_down), 0, "refuse", down_words),
	SIZE("bandwidth-per-client", bandwidth_per_client, 0, BANDWIDTH_MOST, "0"),
	{SECTION_GATEWAY, "queue-timeout", OPTION_TIME, G(queue_timeout_ms), 0, 0, HOUR_MS, "10s", NULL, NULL, 0},
	WORD(SECTION_GATEWAY, "regex-jit", G(regex_jit), 0, "auto", tristate_words),

	{SECTION_AUTH, "schemes", OPTION_SCHEMES, U(scheme), 0, 0, 0, NULL, NULL, scheme_words, 0}, /* default: what the back ends allow */
	TEXT(SECTION_AUTH, "realm", OPTION_TEXT, U(realm), 0, NULL, 0),                             /* default: visible-name */
	TEXT(SECTION_AUTH, "basic-file", OPTION_PATH, U(basic_file), U(basic_file_at), NULL, 0),
	TEXT(SECTION_AUTH, "ntlm-file", OPTION_PATH, U(ntlm_file), U(ntlm_file_at), NULL, 0),
	TEXT(SECTION_AUTH, "keytab", OPTION_PATH, U(keytab), U(keytab_at), NULL, 0),
	WORD(SECTION_AUTH, "basic", U(basic), 0, "file", basic_words),
	WORD(SECTION_AUTH, "domain", U(domain), 0, "none", domain_words),
	YESNO(SECTION_AUTH, "basic-without-tls", U(basic_without_tls), "no"),
	TEXT(SECTION_AUTH, "pam-service", OPTION_TEXT, U(pam_service), 0, "postern", 0),
	TEXT(SECTION_AUTH, "ldap-url", OPTION_TEXT, U(ldap_url), U(ldap_url_at), NULL, 0),
	TEXT(SECTION_AUTH, "ldap-name", OPTION_TEXT, U(ldap_name), 0, "%u", 0),
	TEXT(SECTION_AUTH, "ldap-ca", OPTION_PATH, U(ldap_ca), 0, NULL, 0),
	AUTH_TIME("success-ttl", success_ttl_ms, DAY_MS, "5m"),
	AUTH_TIME("max-age", max_age_ms, DAY_MS, "1h"),
	AUTH_TIME("timeout", timeout_ms, 60 * SECOND_MS, "5s"),
	{SECTION_AUTH, "queue", OPTION_NUMBER, U(queue), 0, 1, 100000, "1000", NULL, NULL, 0},
	RATE("max-failures", max_failures, "4 per 30m"),
	RATE("max-failures-user", max_failures_user, "8 per 30m"),

	TEXT(SECTION_INSPECTION, "ca-cert", OPTION_PATH, I(ca_cert), I(ca_cert_at), NULL, 0),
	TEXT(SECTION_INSPECTION, "ca-key", OPTION_PATH, I(ca_key), I(ca_key_at), NULL, OPTION_PKCS11),
	{SECTION_INSPECTION, "trust", OPTION_PATHS, I(trust), 0, 0, 0, "system", NULL, trust_words, 0},
	LIST(SECTION_INSPECTION, "crl", OPTION_PATHS, I(crl), NULL, OPTION_EMPTY_OK),
	{SECTION_INSPECTION, "min-tls", OPTION_VERSION, I(min_tls), 0, 0, 0, "1.2", NULL, version_words, 0},
	{SECTION_INSPECTION, "on-bad-origin", OPTION_BAD_ORIGIN, I(bad_origin), 0, 0, 0, "block", NULL, bad_origin_words, 0},
	YESNO(SECTION_INSPECTION, "aia", I(aia), "yes"),
	YESNO(SECTION_INSPECTION, "h2", I(h2), "yes"),
	WORD(SECTION_INSPECTION, "non-tls", I(non_tls), 0, "refuse", blind_words),
	WORD(SECTION_INSPECTION, "missing-sni", I(missing_sni), 0, "refuse", odd_words),
	WORD(SECTION_INSPECTION, "foreign-sni", I(foreign_sni), 0, "refuse", odd_words),
	WORD(SECTION_INSPECTION, "unknown-alpn", I(unknown_alpn), 0, "refuse", blind_words),
	WORD(SECTION_INSPECTION, "ech", I(ech), 0, "fallback", ech_words),
	{SECTION_INSPECTION, "leaf-cache", OPTION_NUMBER, I(leaf_cache), 0, 1, 1000000, "10000", NULL, NULL, 0},
	{SECTION_INSPECTION, "leaf-validity", OPTION_TIME, I(leaf_validity_ms), 0, HOUR_MS, 397 * DAY_MS, "720h", NULL, NULL, 0},
	{SECTION_INSPECTION, "signer-timeout", OPTION_TIME, I(signer_timeout_ms), 0, 100, 60 * SECOND_MS, "5s", NULL, NULL, 0},

	LIST(SECTION_LISTENER, "address", OPTION_PLACES, L(address), NULL, 0),
	{SECTION_LISTENER, "socket-mode", OPTION_MODE, L(socket_mode), 0, 0, 0777, "0660", NULL, NULL, 0},
	LIST(SECTION_LISTENER, "clients", OPTION_CIDRS, L(clients), "private", 0),
	WORD(SECTION_LISTENER, "mode", L(mode), L(mode_at), "explicit", mode_words),
	TEXT(SECTION_LISTENER, "tls-cert", OPTION_PATH, L(tls_cert), L(tls_cert_at), NULL, OPTION_EMPTY_OK),
	TEXT(SECTION_LISTENER, "tls-key", OPTION_PATH, L(tls_key), L(tls_key_at), NULL, OPTION_EMPTY_OK),
	YESNO(SECTION_LISTENER, "h2", L(h2), "yes"),
	LIST(SECTION_LISTENER, "proxy-protocol-from", OPTION_CIDRS, L(proxy_from), NULL, OPTION_EMPTY_OK),

	TEXT(SECTION_PARENT, "address", OPTION_TEXT, P(address), P(address_at), NULL, 0),
	{SECTION_PARENT, "weight", OPTION_NUMBER, P(weight), 0, 0, 1000, "1", NULL, NULL, 0},
	WORD(SECTION_PARENT, "auth", P(auth), P(auth_at), "none", parent_auth_words),
	TEXT(SECTION_PARENT, "credentials", OPTION_PATH, P(credentials), P(credentials_at), NULL, 0),
	TEXT(SECTION_PARENT, "keytab", OPTION_PATH, P(keytab), P(keytab_at), NULL, 0),
	TEXT(SECTION_PARENT, "principal", OPTION_TEXT, P(principal), P(principal_at), NULL, 0),
	{SECTION_PARENT, "health-interval", OPTION_TIME, P(health_interval_ms), 0, 0, DAY_MS, "10s", NULL, NULL, 0},
	TEXT(SECTION_PARENT, "health-target", OPTION_TEXT, P(health_target), 0, NULL, OPTION_EMPTY_OK),
	{SECTION_PARENT, "fail-after", OPTION_NUMBER, P(fail_after), 0, 1, 1000, "3", NULL, NULL, 0},
	{SECTION_PARENT, "connect-timeout", OPTION_TIME, P(connect_timeout_ms), 0, 1, DAY_MS, "5s", NULL, NULL, 0},

	LIST(SECTION_PAC, "proxy", OPTION_ITEMS, C(proxy), NULL, 0),
	WORD(SECTION_PAC, "bypass", C(bypass), 0, "proxy", pac_bypass_words),
	LIST(SECTION_PAC, "direct", OPTION_ITEMS, C(direct), NULL, OPTION_EMPTY_OK),
	YESNO(SECTION_PAC, "plain-names", C(plain_names), "yes"),
	WORD(SECTION_PAC, "fallback", C(fallback), 0, "none", pac_fallback_words),
	{SECTION_PAC, "max-age", OPTION_TIME, C(max_age_ms), 0, 0, 30 * DAY_MS, "1h", NULL, NULL, 0},

	{SECTION_DOCTOR, "interval", OPTION_TIME, D(interval_ms), D(interval_at), 0, DAY_MS, "0", NULL, NULL, 0},
	{SECTION_DOCTOR, "timeout", OPTION_TIME, D(timeout_ms), 0, 100, 5 * 60 * SECOND_MS, "10s", NULL, NULL, 0},
	{SECTION_DOCTOR, "parallel", OPTION_NUMBER, D(parallel), 0, 1, 1000, "32", NULL, NULL, 0},
	LIST(SECTION_DOCTOR, "lists", OPTION_ITEMS, D(lists), NULL, OPTION_EMPTY_OK),
	LIST(SECTION_DOCTOR, "issuers", OPTION_NAMES, D(issuers), NULL, OPTION_EMPTY_OK),
	TEXT(SECTION_DOCTOR, "textfile", OPTION_PATH, D(textfile), D(textfile_at), NULL, OPTION_EMPTY_OK),

	LIST(SECTION_LIST, "file", OPTION_FILES, S(files), NULL, 0),
	LIST(SECTION_LIST, "host", OPTION_ITEMS, S(hosts), NULL, OPTION_NEGATES),
	LIST(SECTION_LIST, "address", OPTION_NETWORKS, S(addresses), NULL, OPTION_NEGATES),
	LIST(SECTION_LIST, "probe", OPTION_ITEMS, S(probes), NULL, OPTION_EMPTY_OK),
	TEXT(SECTION_LIST, "source", OPTION_TEXT, S(source), 0, NULL, OPTION_EMPTY_OK),
	{SECTION_LIST, "max-age", OPTION_TIME, S(max_age_ms), 0, 0, 3650 * DAY_MS, "0", NULL, NULL, 0},

	CONDITION("hosts", hosts),
	CONDITION("ports", ports),
	CONDITION("schemes", schemes),
	CONDITION("methods", methods),
	CONDITION("clients", clients),
	CONDITION("listeners", listeners),
	CONDITION("addresses", addresses),
	CONDITION("times", times),
	NAMES("users", users),
	NAMES("groups", groups),
	CONDITION("url", url),
	CONDITION("headers", headers),
	CONDITION("content-types", content_types),
	CONDITION("origin-tls", origin_tls),
	CONDITION("origin-strength", origin_strength),
	WORD(SECTION_RULE, "action", R(action), R(action_at), NULL, action_words),
	WORD(SECTION_RULE, "guard", R(guard), 0, "enforce", guard_words),
	WORD(SECTION_RULE, "auth", R(auth), R(auth_at), NULL, auth_words),
	{SECTION_RULE, "on-bad-origin", OPTION_BAD_ORIGIN, R(bad_origin), 0, 0, 0, NULL, NULL, bad_origin_words, 0},
	WORD(SECTION_RULE, "unknown-alpn", R(unknown_alpn), 0, NULL, blind_words),
	LIST(SECTION_RULE, "parent", OPTION_ITEMS, R(parent), NULL, 0),
	LIST(SECTION_RULE, "source", OPTION_ITEMS, R(source), NULL, 0),
	YESNO(SECTION_RULE, "original-address", R(original), "no"),
	{SECTION_RULE, "bandwidth", OPTION_SIZE, R(bandwidth), 0, 0, BANDWIDTH_MOST, "0", NULL, NULL, 0},
	{SECTION_RULE, "bandwidth-per-client", OPTION_SIZE, R(bandwidth_per_client), 0, 0, BANDWIDTH_MOST, "0", NULL, NULL, 0},
	{SECTION_RULE, "max-connections", OPTION_NUMBER, R(max_connections), 0, 0, 10000000, "0", NULL, NULL, 0},
	YESNO(SECTION_RULE, "report", R(report), "no"),
	YESNO(SECTION_RULE, "force", R(force), "no"),
	TEXT(SECTION_RULE, "reason", OPTION_REASON, R(reason), 0, NULL, OPTION_EMPTY_OK),
	TEXT(SECTION_RULE, "redirect", OPTION_REASON, R(redirect.text), R(redirect.at), NULL, 0),
	EFFECT("set-request-header", set_request_header),
	EFFECT("remove-request-header", remove_request_header),
	EFFECT("set-response-header", set_response_header),
	EFFECT("remove-response-header", remove_response_header),

	TEXT(SECTION_LOG, "file", OPTION_LOGFILE, A(file), 0, NULL, 0),
	{SECTION_LOG, "format", OPTION_FORMAT, A(format), A(format_at), 0, 0, "squid", NULL, format_words, 0},
	YESNO(SECTION_LOG, "log-query", A(log_query), "no"),
	TEXT(SECTION_LOG, "syslog", OPTION_TEXT, A(syslog), A(syslog_at), NULL, 0),
	YESNO(SECTION_LOG, "journald", A(journald), "no"),
	LIST(SECTION_LOG, "rules", OPTION_ITEMS, A(rules), NULL, 0),
	LIST(SECTION_LOG, "actions", OPTION_ITEMS, A(actions), NULL, 0),
	{SECTION_LOG, "sample", OPTION_NUMBER, A(sample), 0, 1, 1000000, "1", NULL, NULL, 0},
	LIST(SECTION_LOG, "anonymise", OPTION_ITEMS, A(anonymise), NULL, OPTION_EMPTY_OK),
	{SECTION_LOG, "max-size", OPTION_SIZE, A(max_size), 0, 0, UINT64_MAX, "0", NULL, NULL, 0},
	{SECTION_LOG, "keep", OPTION_NUMBER, A(keep), 0, 1, 1000, "9", NULL, NULL, 0},
	WORD(SECTION_LOG, "syslog-facility", A(facility), 0, "local0", facility_words),
	WORD(SECTION_LOG, "syslog-severity", A(severity), 0, "info", severity_words),
	TEXT(SECTION_LOG, "syslog-name", OPTION_TEXT, A(syslog_name), 0, "postern", 0),
	TEXT(SECTION_LOG, "syslog-ca", OPTION_PATH, A(syslog_ca), 0, NULL, 0),
	TEXT(SECTION_LOG, "spool", OPTION_PATH, A(spool), 0, NULL, OPTION_EMPTY_OK),
	{SECTION_LOG, "spool-size", OPTION_SIZE, A(spool_size), 0, 64 * KIB, 1024 * 1024 * MIB, "64m", NULL, NULL, 0},
};

static_assert(sizeof options / sizeof *options <= OPTION_MAX, "OPTION_MAX");
static_assert(sizeof(enum odd_answer) == sizeof(int) && sizeof(enum ech_answer) == sizeof(int), "OPTION_WORD");
static_assert(sizeof(enum action) == sizeof(int) && sizeof(enum guard_mode) == sizeof(int) && sizeof(enum tristate) == sizeof(int), "OPTION_WORD");


const struct section_row *
section_row(enum section_kind kind)
{
	assert(kind < SECTION_KINDS);
	return &sections[kind];
}

const char *
section_shape(enum section_kind kind)
{
	static const char *const shapes[SECTION_KINDS] = {
		[SECTION_TOP] = "the top, before the first section",
		[SECTION_GATEWAY] = "[gateway]",
		[SECTION_AUTH] = "[auth]",
		[SECTION_INSPECTION] = "[inspection]",
		[SECTION_PAC] = "[pac]",
		[SECTION_DOCTOR] = "[doctor]",
		[SECTION_LISTENER] = "[listener NAME]",
		[SECTION_PARENT] = "[parent NAME]",
		[SECTION_LIST] = "[list NAME]",
		[SECTION_RULE] = "[rule NAME]",
		[SECTION_LOG] = "[log NAME]",
	};

	assert(kind < SECTION_KINDS);
	return shapes[kind];
}

const struct option *
option_table(size_t *n)
{
	*n = sizeof options / sizeof *options;
	return options;
}

const struct option *
option_find(enum section_kind section, struct span key)
{
	for (size_t i = 0; i < sizeof options / sizeof *options; i++)
		if (options[i].section == section && span_eq(span_str(options[i].key), key))
			return &options[i];
	return NULL;
}

bool
option_is_list(const struct option *o)
{
	return o->type >= OPTION_INCLUDE;
}

static const char *
wants_words(const struct option *o, char buf[OPTION_WANTS])
{
	size_t at = 0;

	buf[0] = '\0';
	for (const struct option_word *w = o->words; w->word; w++)
		at += (size_t)snprintf(buf + at, OPTION_WANTS - at, "%s%s", at ? ", " : "", w->word);
	if (o->type == OPTION_FORMAT)
		snprintf(buf + at, OPTION_WANTS - at, ", or a format string with %% codes");
	return buf;
}

/* A bound as a person would write it. */
static const char *
bound_print(enum option_type type, uint64_t v, char buf[24])
{
	static const struct {
		uint64_t    factor;
		const char *unit;
	} times[] = {{3600000, "h"}, {60000, "m"}, {1000, "s"}, {1, "ms"}}, sizes[] = {{MIB, "m"}, {KIB, "k"}, {1, ""}};

	for (size_t i = 0; type == OPTION_TIME && i < 4; i++)
		if (v % times[i].factor == 0) {
			snprintf(buf, 24, "%llu%s", (unsigned long long)(v / times[i].factor), times[i].unit);
			return buf;
		}
	for (size_t i = 0; type == OPTION_SIZE && v && i < 3; i++)
		if (v % sizes[i].factor == 0) {
			snprintf(buf, 24, "%llu%s", (unsigned long long)(v / sizes[i].factor), sizes[i].unit);
			return buf;
		}
	snprintf(buf, 24, "%llu", (unsigned long long)v);
	return buf;
}

const char *
option_wants(const struct option *o, char buf[OPTION_WANTS])
{
	static const char *const plain[] = {
		[OPTION_BOOL] = "yes or no",
		[OPTION_TEXT] = "a text",
		[OPTION_REASON] = "a text",
		[OPTION_TOKEN] = "a name such as proxy.example.com: letters, digits, dots and hyphens",
		[OPTION_DIR] = "a directory",
		[OPTION_LOGFILE] = "a file such as access.log, or - for standard output",
		[OPTION_PATH] = "a file",
		[OPTION_MODE] = "permissions such as 0660",
		[OPTION_PLACES] = "ADDRESS:PORT such as 127.0.0.1:3128 or [::1]:3128, *:3128 for both families, or unix:/run/postern/proxy.sock",
		[OPTION_RATE] = "a number of times such as 4 per 30m, or none for no limit",
		[OPTION_INCLUDE] = "files such as conf.d/*.ini",
		[OPTION_PORTS] = "ports such as 443 or 1025-65535",
		[OPTION_CIDRS] = "networks such as 10.0.0.0/8 or 2001:db8::/32, or the groups private, loopback, any",
		[OPTION_ENDPOINTS] = "ADDRESS:PORT such as 127.0.0.1:3128 or [::1]:3128",
		[OPTION_RESOLVERS] = "system, or addresses such as 192.0.2.53 or [2001:db8::53]:53",
		[OPTION_ITEMS] = "items, separated by blanks or commas",
		[OPTION_NETWORKS] = "networks such as 10.0.0.0/8 or 2001:db8::/32, or the groups private, loopback, any",
		[OPTION_FILES] = "files, one host pattern a line in each",
		[OPTION_NAMES] = "names such as CORP\\alice, separated by commas",
		[OPTION_PATHS] = "files such as extra.pem",
		[OPTION_BAD_ORIGIN] = "block, warn or pass, for all kinds or for one as in expired:warn",
	};
	const char *example = o->type == OPTION_SIZE ? ", such as 64k" : ", such as 10s";
	char        min[24], max[24];

	if (o->words && o->type != OPTION_PATHS && o->type != OPTION_BAD_ORIGIN)
		return wants_words(o, buf);
	if (o->type > OPTION_TIME) {
		snprintf(buf, OPTION_WANTS, "%s%s%s", o->type == OPTION_PATHS && o->words ? "system, or " : "", plain[o->type], o->flags & OPTION_NONE_OK ? "; or none" : "");
		return buf;
	}
	if (o->type == OPTION_NUMBER)
		example = "";
	bound_print(o->type, o->min, min);
	bound_print(o->type, o->max, max);
	snprintf(buf, OPTION_WANTS, "%s from %s%s%s%s%s%s",
	    o->type == OPTION_NUMBER ? "a number" : o->type == OPTION_SIZE ? "a size" : "a time",
	    min, o->max == UINT64_MAX ? "" : " to ", o->max == UINT64_MAX ? "" : max, example, o->zero ? ", or " : "", o->zero ? o->zero : "");
	return buf;
}

#define WORD_MAX 32

/* Edits that turn one into the other, swaps of neighbours counted as one; large when one is too long to be a word of ours. */
static unsigned
edit_distance(struct span a, struct span b)
{
	unsigned row[3][WORD_MAX + 1];

	if (a.n > WORD_MAX || b.n > WORD_MAX)
		return WORD_MAX;
	for (unsigned j = 0; j <= b.n; j++)
		row[0][j] = j;
	for (unsigned i = 1; i <= a.n; i++) {
		unsigned *now = row[i % 3], *up = row[(i + 2) % 3], *up2 = row[(i + 1) % 3];
		now[0] = i;
		for (unsigned j = 1; j <= b.n; j++) {
			bool     same = ascii_lower(a.p[i - 1]) == b.p[j - 1];
			unsigned best = up[j - 1] + !same;
			if (up[j] + 1 < best)
				best = up[j] + 1;
			if (now[j - 1] + 1 < best)
				best = now[j - 1] + 1;
			if (i > 1 && j > 1 && a.p[i - 1] == b.p[j - 2] && a.p[i - 2] == b.p[j - 1] && up2[j - 2] + 1 < best)
				best = up2[j - 2] + 1;
			now[j] = best;
		}
	}
	return row[a.n % 3][b.n];
}

static void
nearer(struct span want, const char *word, unsigned *least, const char **found)
{
	unsigned d = edit_distance(want, span_str(word));

	if (d < *least) {
		*least = d;
		*found = word;
	}
}

/* One edit for each three letters: "usr" means "user", "foo" means nothing. */
static unsigned
edits_allowed(struct span s)
{
	return 1 + (unsigned)(s.n < 4 ? 1 : s.n / 3);
}

const char *
nearest_key(enum section_kind section, struct span key)
{
	unsigned    least = edits_allowed(key);
	const char *found = NULL;

	for (size_t i = 0; i < sizeof options / sizeof *options; i++)
		if (options[i].section == section)
			nearer(key, options[i].key, &least, &found);
	return found;
}

const char *
nearest_section(struct span word)
{
	unsigned    least = edits_allowed(word);
	const char *found = NULL;

	for (size_t i = SECTION_GATEWAY; i < SECTION_KINDS; i++)
		nearer(word, sections[i].word, &least, &found);
	return found;
}
