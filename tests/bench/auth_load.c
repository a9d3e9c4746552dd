/* SPDX-License-Identifier: MIT */
/*
 * auth_load: loads a forward proxy with authentication and prints what it cost. A client of its own making, so that proxies can be compared:
 * its NTLM and Kerberos share no code with the gateway.
 *
 *   auth_load MODE --proxy ADDR:PORT --url URL [--user U --domain D --password P] [--service HTTP@HOST]
 *             [--connections N] [--count N] [--pid PID,PID...]
 *
 *   none, basic   one GET after the other on N kept connections
 *   ntlm          whole handshakes, each on a new connection: NEGOTIATE, 407, AUTHENTICATE, 200
 *   kerberos      one GET with a fresh ticket message each, on N kept connections (needs a ticket cache)
 *   hold          N connections stop after the 407 to NEGOTIATE; resident memory of the processes for each
 *   connect       CONNECT, 200, close: the time to the 200, without credentials
 *
 * Prints: mode, done, failed, a second, us of CPU of the processes for each, p50 and p99 in us.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <nettle/base64.h>
#include <nettle/hmac.h>
#include <nettle/md4.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#ifdef HAVE_KERBEROS
#include <gssapi/gssapi.h>
#include <gssapi/gssapi_krb5.h>
#endif

enum mode { MODE_NONE, MODE_BASIC, MODE_NTLM, MODE_KERBEROS, MODE_HOLD, MODE_CONNECT, MODES };
static const char *const mode_words[MODES] = {"none", "basic", "ntlm", "kerberos", "hold", "connect"};

enum step { STEP_PLAIN, STEP_NEGOTIATE, STEP_AUTHENTICATE };

struct client {
	int      fd;
	enum step step;
	uint64_t begun_us;
	size_t   n;
	char     in[16384];
};

static struct {
	enum mode          mode;
	struct sockaddr_in proxy;
	const char        *url, *host, *user, *domain, *password, *service, *pids;
	unsigned           connections, count;
	uint8_t            key[16]; /* NTOWFv2 */
	char               basic[512];
} o = {.connections = 16, .count = 10000, .user = "alice", .domain = "", .password = "Passw0rd-alice", .service = "HTTP@proxy.corp.example", .pids = ""};

static int       epoll;
static unsigned  begun, done, failed, held;
static uint32_t *took_us;

static uint64_t
now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000u + (uint64_t)t.tv_nsec / 1000u;
}

static void
die(const char *what)
{
	fprintf(stderr, "auth_load: %s: %s\n", what, strerror(errno));
	exit(2);
}

/* --- the processes under load --- */

static uint64_t
cpu_us_of(int pid)
{
	char               path[64], line[1024];
	unsigned long long user, sys;
	uint64_t           us = 0;
	FILE              *f;

	snprintf(path, sizeof path, "/proc/%d/stat", pid);
	f = fopen(path, "r");
	if (!f)
		return 0;
	if (fgets(line, sizeof line, f)) {
		const char *p = strrchr(line, ')');
		if (p && sscanf(p + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu", &user, &sys) == 2)
			us = (user + sys) * (1000000u / (uint64_t)sysconf(_SC_CLK_TCK));
	}
	fclose(f);
	return us;
}

static uint64_t
rss_bytes_of(int pid)
{
	char          path[64];
	unsigned long pages = 0;
	FILE         *f;

	snprintf(path, sizeof path, "/proc/%d/statm", pid);
	f = fopen(path, "r");
	if (!f)
		return 0;
	if (fscanf(f, "%*u %lu", &pages) != 1)
		pages = 0;
	fclose(f);
	return (uint64_t)pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

static uint64_t
sum_over(uint64_t (*of)(int pid))
{
	uint64_t    all = 0;
	const char *p = o.pids;

	while (*p) {
		all += of(atoi(p));
		p = strchr(p, ',');
		if (!p)
			break;
		p++;
	}
	return all;
}

/* --- NTLM, as a client --- */

static void
le(char **to, uint64_t v, int n)
{
	while (n--) {
		*(*to)++ = (char)v;
		v >>= 8;
	}
}

static size_t
wide(char *to, const char *s, bool upper)
{
	size_t n = 0;

	for (; *s; s++) {
		to[n++] = upper && *s >= 'a' && *s <= 'z' ? (char)(*s - 32) : *s;
		to[n++] = 0;
	}
	return n;
}

static void
key_make(void)
{
	struct md4_ctx      md4;
	struct hmac_md5_ctx h;
	uint8_t             nt[16];
	char                text[1024];
	size_t              n = wide(text, o.password, false);

	md4_init(&md4);
	md4_update(&md4, n, (uint8_t *)text);
	md4_digest(&md4, 16, nt);
	n = wide(text, o.user, true);
	n += wide(text + n, o.domain, false);
	hmac_md5_set_key(&h, 16, nt);
	hmac_md5_update(&h, n, (uint8_t *)text);
	hmac_md5_digest(&h, 16, o.key);
}

/* As curl sends it: OEM, no version. */
static const char negotiate[32] = "NTLMSSP\0\1\0\0\0\x06\x82\x08\x00";

/* Neither MIC nor key exchange: curl's. */
static size_t
authenticate(const uint8_t *challenge, size_t n, char *out)
{
	struct hmac_md5_ctx h;
	uint8_t             proof[16];
	char                blob[2048], *b = blob, *p = out, user[256], domain[256];
	size_t              info_n = challenge[40] | (size_t)challenge[41] << 8, info_at = challenge[44] | (size_t)challenge[45] << 8;
	size_t              user_n = wide(user, o.user, false), domain_n = wide(domain, o.domain, false), at = 64;
	bool                unicode = challenge[20] & 1;

	if (info_at + info_n > n || info_n > 1500)
		return 0;
	if (!unicode) {
		user_n = strlen(strcpy(user, o.user));
		domain_n = strlen(strcpy(domain, o.domain));
	}
	le(&b, 0x0101, 8);
	le(&b, ((uint64_t)time(NULL) + 11644473600u) * 10000000u, 8);
	if (getrandom(b, 8, 0) != 8)
		return 0;
	b += 8;
	le(&b, 0, 4);
	memcpy(b, challenge + info_at, info_n);
	b += info_n;
	le(&b, 0, 4);
	hmac_md5_set_key(&h, 16, o.key);
	hmac_md5_update(&h, 8, challenge + 24);
	hmac_md5_update(&h, (size_t)(b - blob), (uint8_t *)blob);
	hmac_md5_digest(&h, 16, proof);
	memcpy(p, "NTLMSSP\0\3\0\0\0", 12);
	p += 12;
	const size_t len[6] = {24, 16 + (size_t)(b - blob), domain_n, user_n, 0, 0};
	for (int i = 0; i < 6; i++) {
		le(&p, len[i], 2);
		le(&p, len[i], 2);
		le(&p, at, 4);
		at += len[i];
	}
	le(&p, challenge[20] | (uint32_t)challenge[21] << 8 | (uint32_t)challenge[22] << 16 | (uint32_t)challenge[23] << 24, 4);
	memset(p, 0, 24);
	p += 24;
	memcpy(p, proof, 16);
	memcpy(p + 16, blob, (size_t)(b - blob));
	p += len[1];
	memcpy(p, domain, domain_n);
	memcpy(p + domain_n, user, user_n);
	return (size_t)(p - out) + domain_n + user_n;
}

static size_t
kerberos_token(char *out)
{
#ifdef HAVE_KERBEROS
	static gss_name_t name = GSS_C_NO_NAME;
	gss_ctx_id_t      ctx = GSS_C_NO_CONTEXT;
	gss_buffer_desc   text = {strlen(o.service), (void *)(uintptr_t)o.service}, token = {0};
	OM_uint32         major, minor;
	size_t            n = 0;

	if (name == GSS_C_NO_NAME && gss_import_name(&minor, &text, GSS_C_NT_HOSTBASED_SERVICE, &name) != GSS_S_COMPLETE)
		return 0;
	major = gss_init_sec_context(&minor, GSS_C_NO_CREDENTIAL, &ctx, name, (gss_OID)gss_mech_krb5, 0, 0, NULL, NULL, NULL, &token, NULL, NULL);
	if (!GSS_ERROR(major) && token.length <= 8192)
		memcpy(out, token.value, n = token.length);
	gss_release_buffer(&minor, &token);
	gss_delete_sec_context(&minor, &ctx, NULL);
	return n;
#else
	(void)out;
	return 0;
#endif
}

/* --- clients --- */

static size_t
encode(const char *bytes, size_t n, char *out)
{
	base64_encode_raw(out, n, (const uint8_t *)bytes);
	out[BASE64_ENCODE_RAW_LENGTH(n)] = '\0';
	return BASE64_ENCODE_RAW_LENGTH(n);
}

static void
send_request(struct client *c, const char *scheme, const char *bytes, size_t n)
{
	static char text[24576], token[16384];
	int         len;

	if (scheme && bytes)
		encode(bytes, n, token);
	if (o.mode == MODE_CONNECT)
		len = snprintf(text, sizeof text, "CONNECT %s HTTP/1.1\r\nHost: %s\r\n\r\n", o.host, o.host);
	else if (scheme)
		len = snprintf(text, sizeof text, "GET %s HTTP/1.1\r\nHost: %s\r\nProxy-Authorization: %s %s\r\n\r\n", o.url, o.host, scheme, bytes ? token : o.basic);
	else
		len = snprintf(text, sizeof text, "GET %s HTTP/1.1\r\nHost: %s\r\n\r\n", o.url, o.host);
	c->n = 0;
	if (send(c->fd, text, (size_t)len, MSG_NOSIGNAL) != len)
		die("send");
}

static void
client_ask(struct client *c)
{
	char   token[8192];
	size_t n;

	c->begun_us = now_us();
	switch (o.mode) {
	case MODE_NTLM:
	case MODE_HOLD:
		c->step = STEP_NEGOTIATE;
		send_request(c, "NTLM", negotiate, sizeof negotiate);
		break;
	case MODE_KERBEROS:
		n = kerberos_token(token);
		if (!n) {
			fprintf(stderr, "auth_load: no Kerberos token for %s\n", o.service);
			exit(2);
		}
		c->begun_us = now_us();
		send_request(c, "Negotiate", token, n);
		break;
	case MODE_BASIC:
		send_request(c, "Basic", NULL, 0);
		break;
	default:
		send_request(c, NULL, NULL, 0);
	}
}

static void
client_connect(struct client *c)
{
	struct epoll_event e = {.events = EPOLLIN, .data.ptr = c};
	int                one = 1;

	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	c->step = STEP_PLAIN;
	if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&o.proxy, sizeof o.proxy) != 0)
		die("connect");
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	if (epoll_ctl(epoll, EPOLL_CTL_ADD, c->fd, &e) != 0)
		die("epoll_ctl");
}

static void
client_next(struct client *c, bool ok, bool closes)
{
	struct linger hard = {1, 0};

	took_us[done + failed] = (uint32_t)(now_us() - c->begun_us);
	done += ok;
	failed += !ok;
	if (closes || o.mode == MODE_NTLM || o.mode == MODE_CONNECT) {
		/* no TIME-WAIT: tens of thousands of connections in a few seconds */
		setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
		close(c->fd);
		c->fd = -1;
	}
	if (begun >= o.count)
		return;
	begun++;
	if (c->fd < 0)
		client_connect(c);
	client_ask(c);
}

/* The whole answer is in c->in: what now? */
static void
client_answered(struct client *c, unsigned status, const char *head_end)
{
	static const char field[] = "Proxy-Authenticate: NTLM ";
	uint8_t           challenge[4096];
	char              message[4096], *at, *end;
	size_t            n = sizeof challenge;
	struct base64_decode_ctx b64;
	bool              closes = memmem(c->in, (size_t)(head_end - c->in), "onnection: close", 16) != NULL;

	if (c->step == STEP_NEGOTIATE && status == 407 && (at = memmem(c->in, (size_t)(head_end - c->in), field, sizeof field - 1)) &&
	    (end = memchr(at, '\r', (size_t)(head_end - at)))) {
		if (o.mode == MODE_HOLD) {
			held++;
			return;
		}
		at += sizeof field - 1;
		base64_decode_init(&b64);
		if (base64_decode_update(&b64, &n, challenge, (size_t)(end - at), at) && n >= 48 && (n = authenticate(challenge, n, message))) {
			c->step = STEP_AUTHENTICATE;
			send_request(c, "NTLM", message, n);
			return;
		}
	}
	client_next(c, status == 200 && c->step != STEP_NEGOTIATE, closes);
}

static void
client_read(struct client *c)
{
	ssize_t     r = recv(c->fd, c->in + c->n, sizeof c->in - 1 - c->n, 0);
	const char *end, *length;
	size_t      body;

	if (r <= 0) {
		client_next(c, false, true);
		return;
	}
	c->n += (size_t)r;
	c->in[c->n] = '\0';
	end = strstr(c->in, "\r\n\r\n");
	if (!end)
		return;
	length = strcasestr(c->in, "\r\ncontent-length:");
	body = length && length < end ? strtoul(length + 17, NULL, 10) : 0;
	if (c->n < (size_t)(end + 4 - c->in) + body)
		return;
	client_answered(c, (unsigned)atoi(c->in + 9), end);
}

static int
compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static bool
options_read(int argc, char **argv)
{
	char host[128];
	int  port;

	for (unsigned i = 0; argc > 1 && i <= MODES; i++)
		if (i == MODES)
			return false;
		else if (strcmp(argv[1], mode_words[i]) == 0) {
			o.mode = (enum mode)i;
			break;
		}
	for (int i = 2; i + 1 < argc; i += 2) {
		const char *k = argv[i], *v = argv[i + 1];
		if (strcmp(k, "--proxy") == 0) {
			if (sscanf(v, "%127[^:]:%d", host, &port) != 2 || inet_pton(AF_INET, host, &o.proxy.sin_addr) != 1)
				return false;
			o.proxy.sin_family = AF_INET;
			o.proxy.sin_port = htons((uint16_t)port);
		} else if (strcmp(k, "--url") == 0)
			o.url = v;
		else if (strcmp(k, "--user") == 0)
			o.user = v;
		else if (strcmp(k, "--domain") == 0)
			o.domain = v;
		else if (strcmp(k, "--password") == 0)
			o.password = v;
		else if (strcmp(k, "--service") == 0)
			o.service = v;
		else if (strcmp(k, "--pid") == 0)
			o.pids = v;
		else if (strcmp(k, "--connections") == 0)
			o.connections = (unsigned)atoi(v);
		else if (strcmp(k, "--count") == 0)
			o.count = (unsigned)atoi(v);
		else
			return false;
	}
	return o.proxy.sin_port && o.url && o.connections && o.count && argc > 1;
}

int
main(int argc, char **argv)
{
	static char    host[256];
	struct client *clients;
	uint64_t       start, cpu, rss, all;
	const char    *at;
	char           pair[300];
	int            n;

	if (!options_read(argc, argv)) {
		fprintf(stderr, "usage: auth_load none|basic|ntlm|kerberos|hold|connect --proxy ADDR:PORT --url URL [options; see the head of auth_load.c]\n");
		return 2;
	}
	at = strstr(o.url, "//");
	at = at ? at + 2 : o.url;
	snprintf(host, sizeof host, "%.*s", (int)strcspn(at, "/"), at);
	o.host = host;
	key_make();
	n = snprintf(pair, sizeof pair, "%s:%s", o.user, o.password);
	encode(pair, (size_t)n, o.basic);
	if (o.mode == MODE_HOLD)
		o.count = o.connections;
	if (o.connections > o.count)
		o.connections = o.count;
	clients = calloc(o.connections, sizeof *clients);
	took_us = calloc((size_t)o.count + o.connections, sizeof *took_us);
	epoll = epoll_create1(EPOLL_CLOEXEC);
	if (!clients || !took_us || epoll < 0)
		die("start");
	cpu = sum_over(cpu_us_of);
	rss = sum_over(rss_bytes_of);
	start = now_us();
	for (unsigned i = 0; i < o.connections; i++, begun++) {
		client_connect(&clients[i]);
		client_ask(&clients[i]);
	}
	while (done + failed + held < o.count) {
		struct epoll_event e[64];
		int                k = epoll_wait(epoll, e, 64, 20000);
		if (k <= 0) {
			fprintf(stderr, "auth_load: the proxy fell silent\n");
			return 1;
		}
		for (int i = 0; i < k; i++)
			client_read(e[i].data.ptr);
	}
	all = now_us() - start;
	cpu = sum_over(cpu_us_of) - cpu;
	rss = sum_over(rss_bytes_of) - rss;
	if (o.mode == MODE_HOLD) {
		printf("%-9s held %u, failed %u, %lld bytes resident each\n", mode_words[o.mode], held, failed, held ? (long long)rss / held : 0);
		return failed != 0;
	}
	qsort(took_us, done + failed, sizeof *took_us, compare);
	printf("%-9s done %u, failed %u, %.0f a second, %.1f us CPU each, p50 %u us, p99 %u us\n", mode_words[o.mode], done, failed, (done + failed) * 1e6 / (double)all,
	    (double)cpu / (done + failed), took_us[(done + failed) / 2], took_us[(done + failed) * 99 / 100]);
	return failed != 0;
}
