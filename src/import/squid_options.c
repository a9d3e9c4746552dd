/* SPDX-License-Identifier: MIT */
/*
 * squid_options: all directives but http_access, ssl_bump and what says which way: settings of the gateway, listeners, parents, logs; and for the others, why
 * they have no counterpart. Leaves auth_param to squid_auth.
 */
#include <stdlib.h>

#include "base/addr.h"
#include "import/squid_inside.h"
#include "parse/hostname.h"

/* Directives that are read elsewhere, or have no counterpart. A name that ends with `*` stands for all that begin so. */
static const struct {
	const char          *name;
	enum squid_note_kind kind;
	const char          *text; /* null: nothing to say */
} known[] = {
	{"http_access", SQUID_UNNEEDED, NULL}, {"ssl_bump", SQUID_UNNEEDED, NULL}, {"always_direct", SQUID_UNNEEDED, NULL}, {"never_direct", SQUID_UNNEEDED, NULL},
	{"cache_peer_access", SQUID_UNNEEDED, NULL}, {"tcp_outgoing_address", SQUID_UNNEEDED, NULL}, {"external_acl_type", SQUID_UNNEEDED, NULL},
	{"deny_info", SQUID_UNNEEDED, NULL}, {"nonhierarchical_direct", SQUID_UNNEEDED, NULL}, {"prefer_direct", SQUID_UNNEEDED, NULL},
	{"http_access2", SQUID_WIDER, "what it refuses is not refused here; write it as http_access, and import again"},
	{"adapted_http_access", SQUID_WIDER, "what it refuses is not refused here; write it as http_access, and import again"},
	{"http_reply_access", SQUID_WIDER, "what it refuses is not refused here; content-types in a rule judge answers by their media type"},
	{"miss_access", SQUID_WIDER, "what it refuses is not refused here; write it as http_access, and import again"},
	{"reply_body_max_size", SQUID_WIDER, "the size of answers is not limited here"},
	{"request_body_max_size", SQUID_WIDER, "larger requests are not refused here; max-request-body of [gateway] does this"},
	{"chunked_request_body_max_size", SQUID_UNNEEDED, "bodies are passed on as they come"},
	{"client_ip_max_connections", SQUID_WIDER, "more connections are not refused here; max-connections-per-client of [gateway] does this"},
	{"auth_schemes", SQUID_DIFFERS, "all clients are offered the same schemes, those of [auth]"},
	{"location_rewrite_*", SQUID_DIFFERS, "there are no helpers that rewrite"},
	{"response_delay_*", SQUID_DIFFERS, "bandwidth and bandwidth-per-client of a rule, or of [gateway], limit rates"},
	{"log_access", SQUID_DIFFERS, "all is logged; rules and actions of a log say what goes into it"},
	{"note", SQUID_UNNEEDED, "rules have names, and each line of a log tells its rule"},
	{"sslpassword_program", SQUID_TODO, "keys are read without a passphrase: take it away, and close the file to others"},
	{"workers", SQUID_UNNEEDED, "workers of [gateway]: one for each core by default"},
	{"url_rewrite_program", SQUID_WIDER, "there are no helpers that rewrite or filter; what it blocks is not blocked here: bring its lists into rules"},
	{"url_rewrite_*", SQUID_UNNEEDED, "there are no helpers that rewrite"},
	{"redirect_program", SQUID_WIDER, "there are no helpers that rewrite or filter; what it blocks is not blocked here: bring its lists into rules"},
	{"store_id_*", SQUID_UNNEEDED, "there is no cache"},
	{"icap_*", SQUID_WIDER, "there is no ICAP; what such a service blocks is not blocked here"},
	{"ecap_*", SQUID_WIDER, "there is no eCAP; what such a service blocks is not blocked here"},
	{"adaptation_*", SQUID_WIDER, "there is no ICAP or eCAP; what such a service blocks is not blocked here"},
	{"loadable_modules", SQUID_DIFFERS, "there are no modules"},
	{"delay_*", SQUID_DIFFERS, "bandwidth and bandwidth-per-client of a rule, or of [gateway], limit rates"},
	{"client_delay_*", SQUID_DIFFERS, "bandwidth-per-client of [gateway] limits rates"},
	{"request_header_access", SQUID_DIFFERS, "remove-request-header of a rule does this"},
	{"reply_header_access", SQUID_DIFFERS, "remove-response-header of a rule does this"},
	{"request_header_replace", SQUID_DIFFERS, "set-request-header of a rule does this"},
	{"reply_header_replace", SQUID_DIFFERS, "set-response-header of a rule does this"},
	{"request_header_add", SQUID_DIFFERS, "set-request-header of a rule does this"},
	{"reply_header_add", SQUID_DIFFERS, "set-response-header of a rule does this"},
	{"header_*", SQUID_DIFFERS, "set-request-header and remove-request-header of a rule do this"},
	{"anonymize_headers", SQUID_DIFFERS, "remove-request-header of a rule does this"},
	{"follow_x_forwarded_for", SQUID_DIFFERS, "clients behind a balancer are told by the PROXY protocol, proxy-protocol-from of a listener; X-Forwarded-For is not believed"},
	{"acl_uses_indirect_client", SQUID_DIFFERS, "X-Forwarded-For is not believed"},
	{"log_uses_indirect_client", SQUID_DIFFERS, "X-Forwarded-For is not believed"},
	{"tproxy_uses_indirect_client", SQUID_DIFFERS, "X-Forwarded-For is not believed"},
	{"proxy_protocol_access", SQUID_TODO, "name the balancers in proxy-protocol-from of the listener"},
	{"tcp_outgoing_tos", SQUID_DIFFERS, "packets are not marked"}, {"tcp_outgoing_mark", SQUID_DIFFERS, "packets are not marked"},
	{"clientside_*", SQUID_DIFFERS, "packets are not marked"}, {"mark_client_*", SQUID_DIFFERS, "packets are not marked"}, {"qos_flows", SQUID_DIFFERS, "packets are not marked"},
	{"sslproxy_cert_error", SQUID_TODO, "on-bad-origin of [inspection], or of a rule, says what happens with which certificate; nothing is allowed by default"},
	{"sslproxy_*", SQUID_TODO, "trust, min-tls and on-bad-origin of [inspection] say how servers are judged"},
	{"tls_outgoing_options", SQUID_TODO, "trust and min-tls of [inspection] say how servers are judged"},
	{"sslcrtd_*", SQUID_UNNEEDED, "certificates are made by the signer, without a helper"}, {"sslcrtvalidator_*", SQUID_DIFFERS, "certificates are judged by the workers"},
	{"ssl_unclean_shutdown", SQUID_UNNEEDED, "not needed"}, {"on_unsupported_protocol", SQUID_TODO, "non-tls and unknown-alpn of [inspection] say what happens with what is no TLS"},
	{"host_verify_strict", SQUID_UNNEEDED, "names are resolved once, by the gateway"}, {"client_dst_passthru", SQUID_DIFFERS, "original-address of a rule does this"},
	{"logformat", SQUID_TODO, "format of a log takes most of Squid's codes: format = %ts.%03tu %>a ..."}, {"log_mime_hdrs", SQUID_UNNEEDED, "format = json has more"},
	{"logfile_*", SQUID_UNNEEDED, "a process of its own writes logs; see max-size and keep of a log"}, {"strip_query_terms", SQUID_DIFFERS, "log-query of a log is no by default, as in Squid"},
	{"error_directory", SQUID_TODO, "pages of [gateway] names a directory of own error pages"}, {"err_*", SQUID_TODO, "pages of [gateway] names a directory of own error pages"},
	{"error_*", SQUID_TODO, "pages of [gateway] names a directory of own error pages"}, {"email_err_data", SQUID_UNNEEDED, "contact of [gateway] stands on error pages"},
	{"ftp_*", SQUID_DIFFERS, "FTP is not spoken"}, {"wccp*", SQUID_DIFFERS, "WCCP is not spoken"}, {"snmp_*", SQUID_DIFFERS, "admin of [gateway] serves /metrics for Prometheus"},
	{"icp_*", SQUID_UNNEEDED, "there is no cache to share"}, {"htcp_*", SQUID_UNNEEDED, "there is no cache to share"}, {"udp_*", SQUID_UNNEEDED, "there is no cache to share"},
	{"mcast_*", SQUID_UNNEEDED, "there is no cache to share"}, {"cachemgr_passwd", SQUID_UNNEEDED, "admin of [gateway] serves a status page, and it commands nothing"},
	{"cache*", SQUID_UNNEEDED, "there is no cache"}, {"memory_*", SQUID_UNNEEDED, "there is no cache"}, {"maximum_*", SQUID_UNNEEDED, "there is no cache"},
	{"minimum_*", SQUID_UNNEEDED, "there is no cache"}, {"refresh_*", SQUID_UNNEEDED, "there is no cache"}, {"store_*", SQUID_UNNEEDED, "there is no cache"},
	{"quick_abort_*", SQUID_UNNEEDED, "there is no cache"}, {"range_offset_limit", SQUID_UNNEEDED, "there is no cache"}, {"read_ahead_gap", SQUID_UNNEEDED, "there is no cache"},
	{"negative_*", SQUID_UNNEEDED, "there is no cache"}, {"positive_dns_ttl", SQUID_UNNEEDED, "dns-cache of [gateway]"}, {"hosts_file", SQUID_UNNEEDED, "/etc/hosts is read"},
	{"offline_mode", SQUID_UNNEEDED, "there is no cache"}, {"collapsed_forwarding", SQUID_UNNEEDED, "there is no cache"}, {"send_hit", SQUID_UNNEEDED, "there is no cache"},
	{"digest_*", SQUID_UNNEEDED, "there is no cache"}, {"no_cache", SQUID_UNNEEDED, "there is no cache"}, {"coredump_dir", SQUID_UNNEEDED, "processes leave no core"},
	{"max_stale", SQUID_UNNEEDED, "there is no cache"}, {"vary_ignore_expire", SQUID_UNNEEDED, "there is no cache"}, {"stoplist*", SQUID_UNNEEDED, "there is no cache"},
	{"hierarchy_stoplist", SQUID_UNNEEDED, "there is no cache"}, {"reload_into_ims", SQUID_UNNEEDED, "there is no cache"}, {"shared_*", SQUID_UNNEEDED, "there is no cache"},
	{"pid_filename", SQUID_UNNEEDED, "pid-file of [gateway]"}, {"pinger_*", SQUID_UNNEEDED, "there is no pinger"}, {"unlinkd_program", SQUID_UNNEEDED, "there is no cache"},
	{"diskd_program", SQUID_UNNEEDED, "there is no cache"}, {"debug_options", SQUID_UNNEEDED, "log-level of [gateway]"}, {"buffered_logs", SQUID_UNNEEDED, "logs are written as they come"},
	{"cpu_affinity_map", SQUID_UNNEEDED, "the system places workers"}, {"max_filedesc*", SQUID_UNNEEDED, "the limit is the service's, LimitNOFILE of its unit"},
	{"umask", SQUID_UNNEEDED, "logs have mode 0640"}, {"client_db", SQUID_UNNEEDED, "not needed"}, {"server_persistent_connections", SQUID_UNNEEDED, "not needed"},
	{"client_persistent_connections", SQUID_UNNEEDED, "not needed"}, {"half_closed_clients", SQUID_UNNEEDED, "half-closed connections go on"}, {"pconn_*", SQUID_UNNEEDED, "keepalive-timeout of [gateway]"},
	{"*_timeout", SQUID_UNNEEDED, "times have defaults that fit most; see Times in postern.ini(5)"}, {"*_lifetime", SQUID_UNNEEDED, "see Times in postern.ini(5)"},
	{"authenticate_*", SQUID_UNNEEDED, "success-ttl and max-age of [auth]"}, {"ident_lookup_access", SQUID_UNNEEDED, "ident is not asked"}, {"dns_*", SQUID_UNNEEDED, "see Names in postern.ini(5)"},
	{"append_domain", SQUID_UNNEEDED, "search of resolv.conf is for names without a dot"}, {"ignore_unknown_nameservers", SQUID_UNNEEDED, "answers of others are never taken"},
	{"ipcache_*", SQUID_UNNEEDED, "dns-cache of [gateway]"}, {"fqdncache_*", SQUID_UNNEEDED, "addresses are not looked up"}, {"httpd_suppress_version_string", SQUID_UNNEEDED, "no version is told"},
	{"relaxed_header_parser", SQUID_UNNEEDED, "what is ambiguous is refused"}, {"uri_whitespace", SQUID_UNNEEDED, "what is ambiguous is refused"}, {"check_hostnames", SQUID_UNNEEDED, "names are always checked"},
	{"allow_underscore", SQUID_UNNEEDED, "names may have underscores"}, {"ignore_expect_100", SQUID_UNNEEDED, "not needed"}, {"announce_*", SQUID_UNNEEDED, "not needed"}, {"esi_parser", SQUID_UNNEEDED, "not needed"},
	{"netdb_*", SQUID_UNNEEDED, "not needed"}, {"query_icmp", SQUID_UNNEEDED, "not needed"}, {"test_reachability", SQUID_UNNEEDED, "not needed"}, {"windows_ipaddrchangemonitor", SQUID_UNNEEDED, "not needed"},
	{"tcp_recv_bufsize", SQUID_UNNEEDED, "not needed"}, {"client_request_buffer_max_size", SQUID_UNNEEDED, "max-head of [gateway]"}, {"request_header_max_size", SQUID_UNNEEDED, "max-head of [gateway]"},
	{"reply_header_max_size", SQUID_UNNEEDED, "max-head of [gateway]"}, {"max_open_disk_fds", SQUID_UNNEEDED, "there is no cache"}, {"unique_hostname", SQUID_UNNEEDED, "visible-name of [gateway]"},
	{"hostname_aliases", SQUID_UNNEEDED, "visible-name of [gateway]"}, {"background_ping_rate", SQUID_UNNEEDED, "health-interval of [parent]"}, {"retry_on_error", SQUID_UNNEEDED, "not needed"},
	{"forward_max_tries", SQUID_UNNEEDED, "not needed"}, {"connect_retries", SQUID_UNNEEDED, "not needed"}, {"balance_on_multiple_ip", SQUID_UNNEEDED, "not needed"}, {"pipeline_prefetch", SQUID_UNNEEDED, "not needed"},
	{"eui_lookup", SQUID_UNNEEDED, "not needed"}, {"spoof_client_ip", SQUID_DIFFERS, "connections leave from the gateway's own addresses"}, {"vary_*", SQUID_UNNEEDED, "there is no cache"}, {"accept_filter", SQUID_UNNEEDED, "not needed"},
	{"global_internal_static", SQUID_UNNEEDED, "not needed"}, {"short_icon_urls", SQUID_UNNEEDED, "not needed"}, {"icon_directory", SQUID_UNNEEDED, "not needed"}, {"mime_table", SQUID_UNNEEDED, "not needed"},
	{"minimum_direct_*", SQUID_UNNEEDED, "not needed"}, {"dead_peer_timeout", SQUID_UNNEEDED, "fail-after of [parent]"}, {"ssl_engine", SQUID_UNNEEDED, "ca-key takes a pkcs11: URI"}, {"high_*", SQUID_UNNEEDED, "not needed"},
	{"sleep_after_fork", SQUID_UNNEEDED, "not needed"}, {"visible_*", SQUID_UNNEEDED, "not needed"}, {"chroot", SQUID_UNNEEDED, "the systemd unit closes the system to it"}, {"mail_*", SQUID_UNNEEDED, "not needed"},
	{"https_port", SQUID_UNNEEDED, NULL}, {"peer_connect_timeout", SQUID_UNNEEDED, "connect-timeout of [parent]"}, {"server_idle_pconn_timeout", SQUID_UNNEEDED, "keepalive-timeout of [gateway]"},
	{"ftp_port", SQUID_DIFFERS, "FTP is not spoken"}, {"neighbor_type_domain", SQUID_UNNEEDED, "there is no cache to share"}, {"cache_peer_domain", SQUID_DIFFERS, "write it as cache_peer_access, and import again"},
	{"accel_surrogate_*", SQUID_UNNEEDED, "there is no reverse proxy"}, {"http_upgrade_request_protocols", SQUID_UNNEEDED, "protocols but h2c may be switched to"}, {"server_pconn_for_nonretriable", SQUID_UNNEEDED, "not needed"},
	{"persistent_connection_after_error", SQUID_UNNEEDED, "not needed"}, {"detect_broken_pconn", SQUID_UNNEEDED, "not needed"}, {"broken_*", SQUID_UNNEEDED, "not needed"},
	{"collapsed_forwarding_access", SQUID_UNNEEDED, "there is no cache"}, {"ie_refresh", SQUID_UNNEEDED, "there is no cache"}, {"external_refresh_check", SQUID_UNNEEDED, "there is no cache"},
	{"ignore_ims_on_miss", SQUID_UNNEEDED, "there is no cache"}, {"update_headers", SQUID_UNNEEDED, "there is no cache"}, {"zph_*", SQUID_UNNEEDED, "there is no cache"},
	{"extension_methods", SQUID_UNNEEDED, "any method may be named"}, {"request_entities", SQUID_UNNEEDED, "not needed"}, {"force_request_body_continuation", SQUID_UNNEEDED, "not needed"},
	{"happy_eyeballs_*", SQUID_UNNEEDED, "both address families are tried, as RFC 8305 says"}, {"hopeless_kid_revival_delay", SQUID_UNNEEDED, "what ends is started again, with a growing pause"},
	{"incoming_*", SQUID_UNNEEDED, "not needed"}, {"min_dns_poll_cnt", SQUID_UNNEEDED, "not needed"}, {"min_tcp_poll_cnt", SQUID_UNNEEDED, "not needed"}, {"min_udp_poll_cnt", SQUID_UNNEEDED, "not needed"}, {"zero_buffers", SQUID_UNNEEDED, "not needed"},
	{"server_http11", SQUID_UNNEEDED, "HTTP/1.1 is spoken"}, {"upgrade_http0", SQUID_UNNEEDED, "HTTP/0.9 is not spoken"}, {"stats_collection", SQUID_UNNEEDED, "/metrics has the figures"},
	{"as_whois_server", SQUID_UNNEEDED, "autonomous systems are not looked up"}, {"wais_relay_*", SQUID_UNNEEDED, "WAIS is not spoken"}, {"http_accel_*", SQUID_UNNEEDED, "there is no reverse proxy"},
	{"httpd_accel_*", SQUID_UNNEEDED, "there is no reverse proxy"}, {"emulate_httpd_log", SQUID_TODO, "format = combined of a log does this"},
	{"useragent_log", SQUID_UNNEEDED, "format = json has the user agent"}, {"referer_log", SQUID_TODO, "the format of a log takes %{Referer}>h"},
	{"forward_log", SQUID_UNNEEDED, "format = json has the way"}, {"client_netmask", SQUID_TODO, "anonymise = clients of a log does this"}, {"log_fqdn", SQUID_UNNEEDED, "addresses are not looked up"},
	{"log_ip_on_direct", SQUID_UNNEEDED, "addresses are logged"}, {"log_icap", SQUID_UNNEEDED, "there is no ICAP"}, {"log_icp_queries", SQUID_UNNEEDED, "there is no cache to share"},
};

static bool
name_fits(struct span name, const char *pattern)
{
	size_t n = strlen(pattern);

	if (pattern[0] == '*')
		return name.n >= n - 1 && memcmp(name.p + name.n - (n - 1), pattern + 1, n - 1) == 0;
	if (pattern[n - 1] == '*')
		return name.n >= n - 1 && memcmp(name.p, pattern, n - 1) == 0;
	return span_eq(name, span_str(pattern));
}

static bool
is_first(const struct squid *s, const struct squid_line *line)
{
	for (const struct squid_line *l = s->line; l < line; l++)
		if (span_eq(l->name, line->name))
			return false;
	return true;
}

static void
other_read(struct squid *s, const struct squid_line *line)
{
	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		if (name_fits(line->name, known[i].name)) {
			/* refusals are told line by line, the rest once */
			if (known[i].text && (known[i].kind == SQUID_WIDER || is_first(s, line)))
				squid_note(s, known[i].kind, line, "%s", known[i].text);
			return;
		}
	squid_note(s, SQUID_DIFFERS, line, "this directive is not known");
}

/* --- settings --- */

static void
setting(struct squid *s, const struct squid_line *line, const char *name, struct span value)
{
	/* a second line takes the place of the first */
	size_t n = strlen(name);

	for (size_t i = 0; i < s->gateway.n; i++)
		if (s->gateway.v[i].text.n > n && memcmp(s->gateway.v[i].text.p, name, n) == 0 && s->gateway.v[i].text.p[n] == ' ') {
			s->gateway.v[i].text = arena_printf(&s->arena, "%s = %.*s", name, SPAN_ARG(value));
			return;
		}
	squid_item_add(s, &s->gateway, arena_printf(&s->arena, "%s = %.*s", name, SPAN_ARG(value)), line->at);
}

static void
visible_name_read(struct squid *s, const struct squid_line *line, struct span value)
{
	struct host h;

	if (host_parse(value, &h) && h.kind == HOST_NAME)
		setting(s, line, "visible-name", arena_copy(&s->arena, host_span(&h)));
	else
		squid_note(s, SQUID_DIFFERS, line, "left out: this is no name of a host");
}

static void
contact_read(struct squid *s, const struct squid_line *line, struct span value)
{
	if (squid_is_plain(value) && !memchr(value.p, ';', value.n) && value.n < 120)
		setting(s, line, "contact", value);
	else
		squid_note(s, SQUID_DIFFERS, line, "left out: contact takes a plain text");
}

static void
resolvers_read(struct squid *s, const struct squid_line *line)
{
	struct squid_words w;
	struct span        word, all = {0};
	struct addr        a;
	unsigned           n = 0;

	squid_words_begin(&w, s, line, false);
	while ((word = squid_word_plain(&w)).n > 0) {
		char text[ADDR_TEXT_MAX];
		if (!addr_parse(word, &a) || n++ >= 3) {
			squid_note(s, SQUID_DIFFERS, line, "%.*s: left out: resolver takes up to three addresses", word.n < 80 ? (int)word.n : 80, word.p);
			continue;
		}
		addr_print(&a, text);
		all = arena_printf(&s->arena, "%.*s%s%s", SPAN_ARG(all), all.n ? " " : "", text);
	}
	if (all.n)
		setting(s, line, "resolver", all);
}

/* `30 seconds`, `1 minute`; 0: it is none. */
static unsigned long
seconds_read(struct squid_words *w)
{
	struct span   number = squid_word_plain(w), unit = squid_word_plain(w);
	char          text[12], *end;
	unsigned long v, by = unit.n >= 6 && memcmp(unit.p, "minute", 6) == 0 ? 60 : unit.n >= 4 && memcmp(unit.p, "hour", 4) == 0 ? 3600 : 1;

	if (!number.n || number.n >= sizeof text)
		return 0;
	memcpy(text, number.p, number.n);
	text[number.n] = '\0';
	v = strtoul(text, &end, 10);
	return *end || text[0] < '0' || text[0] > '9' || v > 86400 / by ? 0 : v * by;
}

static void
seconds_setting(struct squid *s, const struct squid_line *line, const char *name, unsigned long most)
{
	struct squid_words w;
	unsigned long      v;

	squid_words_begin(&w, s, line, false);
	v = seconds_read(&w);
	if (v == 0 || v > most)
		squid_note(s, SQUID_DIFFERS, line, "left out: %s takes 1s to %lus", name, most);
	else
		setting(s, line, name, arena_printf(&s->arena, "%lus", v));
}

static void
forwarded_for_read(struct squid *s, const struct squid_line *line, struct span value)
{
	if (span_eq(value, SPAN("on")))
		setting(s, line, "x-forwarded-for", SPAN("append"));
	else if (span_eq(value, SPAN("transparent")))
		setting(s, line, "x-forwarded-for", SPAN("pass"));
	else
		setting(s, line, "x-forwarded-for", SPAN("delete"));
}

static void
log_read(struct squid *s, const struct squid_line *line)
{
	struct squid_words w;
	struct span        place, word;
	const char        *format = "squid";

	squid_words_begin(&w, s, line, false);
	place = squid_word_plain(&w);
	if (span_eq(place, SPAN("none"))) {
		squid_note(s, SQUID_DIFFERS, line, "left out: rules and actions of a log say which lines it has");
		return;
	}
	while ((word = squid_word_plain(&w)).n > 0) {
		if (word.n > 10 && memcmp(word.p, "logformat=", 10) == 0)
			word = span_of(word.p + 10, word.n - 10);
		if (span_eq(word, SPAN("combined")) || span_eq(word, SPAN("common")))
			format = "combined";
		else if (!span_eq(word, SPAN("squid")) && !memchr(word.p, '=', word.n))
			squid_note(s, SQUID_TODO, line, "%.*s: a format of your own, or an ACL, is not brought over; the log has Squid's native format and all requests",
			    word.n < 80 ? (int)word.n : 80, word.p);
	}
	if (place.n > 7 && (memcmp(place.p, "syslog:", 7) == 0 || memcmp(place.p, "udp://", 6) == 0 || memcmp(place.p, "tcp://", 6) == 0))
		squid_note(s, SQUID_TODO, line, "say syslog = PLACE in the log, in place of file");
	if (s->logs.n < 16)
		squid_item_add(s, &s->logs, span_str(format), line->at);
}

static void
manager_note(struct squid *s, const struct squid_line *line)
{
	struct squid_words w;
	struct span        word;

	squid_words_begin(&w, s, line, false);
	while ((word = squid_word_plain(&w)).n > 0)
		if (span_eq_nocase(word, SPAN("manager"))) {
			squid_note(s, SQUID_UNNEEDED, line, "there is no cache manager here; admin of [gateway] serves a status page");
			return;
		}
}

void
squid_option_read(struct squid *s, const struct squid_line *line)
{
	struct squid_words w;
	struct span        value;

	squid_words_begin(&w, s, line, false);
	value = squid_word_plain(&w);
	if (span_eq(line->name, SPAN("acl")))
		squid_acl_read(s, line);
	else if (span_eq(line->name, SPAN("http_access")))
		manager_note(s, line);
	else if (span_eq(line->name, SPAN("http_port")) || span_eq(line->name, SPAN("https_port")))
		squid_port_read(s, line);
	else if (span_eq(line->name, SPAN("cache_peer")))
		squid_peer_read(s, line);
	else if (span_eq(line->name, SPAN("auth_param")))
		squid_auth_read(s, line);
	else if (span_eq(line->name, SPAN("visible_hostname")))
		visible_name_read(s, line, value);
	else if (span_eq(line->name, SPAN("cache_mgr")))
		contact_read(s, line, value);
	else if (span_eq(line->name, SPAN("dns_nameservers")))
		resolvers_read(s, line);
	else if (span_eq(line->name, SPAN("connect_timeout")))
		seconds_setting(s, line, "connect-timeout", 600);
	else if (span_eq(line->name, SPAN("shutdown_lifetime")))
		seconds_setting(s, line, "drain-timeout", 3600);
	else if (span_eq(line->name, SPAN("forwarded_for")))
		forwarded_for_read(s, line, value);
	else if (span_eq(line->name, SPAN("via")))
		setting(s, line, "via", span_eq(value, SPAN("off")) ? SPAN("no") : SPAN("yes"));
	else if (span_eq(line->name, SPAN("access_log")) || span_eq(line->name, SPAN("cache_access_log")))
		log_read(s, line);
	else
		other_read(s, line);
}
