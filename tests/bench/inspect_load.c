/* SPDX-License-Identifier: MIT */
/*
 * inspect_load: loads a gateway that inspects TLS and prints what it cost. A client of its own making, on OpenSSL and libnghttp2 alone.
 *
 *   inspect_load MODE --proxy ADDR:PORT --host NAME:PORT --path /PATH [--hosts N] [--connections N] [--streams N] [--count N] [--pid
 * PID,PID...]
 *
 *   get    CONNECT, TLS handshake, one GET, close; N connections at once. With --hosts the targets are h0.NAME to hN-1.NAME in turn
 *   idle   N tunnels with one GET done each stay open; resident memory of the processes for each. With --streams over HTTP/2
 *   h2     GETs on N connections of HTTP/2 with so many streams each under way
 *   open   N connections of HTTP/2 with so many streams each whose answers have begun and do not end; resident memory for each stream
 *
 * Without --proxy the host is asked itself, at 127.0.0.1. Prints: mode, done, failed, a second, us of CPU of the processes for each, KiB
 * for each.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <nghttp2/nghttp2.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define QUIET_MS 15000 /* nothing happens: what is left has failed */

enum mode { MODE_GET, MODE_IDLE, MODE_H2, MODE_OPEN, MODES };
static const char *const mode_words[MODES] = {"get", "idle", "h2", "open"};

enum step { STEP_CONNECT, STEP_TUNNEL, STEP_SHAKE, STEP_ANSWER, STEP_STREAMS, STEP_HELD };

struct client {
	int              fd;
	enum step        step;
	SSL             *ssl;
	nghttp2_session *h2;
	unsigned         under_way; /* streams */
	long             left;      /* bytes of the body; -1: the head has not come whole */
	size_t           n;
	char             name[300], in[2048];
};

static struct {
	enum mode          mode;
	struct sockaddr_in proxy;
	bool               direct;
	const char        *host, *path, *pids;
	unsigned           port, hosts, connections, streams, count;
} o = {.connections = 16, .count = 2000, .hosts = 1, .path = "/", .pids = "", .direct = true};

static int      epoll;
static unsigned begun, done, failed, held;
static SSL_CTX *ctx;

static double
now_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void __attribute__((noreturn)) die(const char *what)
{
	fprintf(stderr, "inspect_load: %s: %s\n", what, strerror(errno));
	exit(2);
}

/* --- the processes under load --- */

static double
cpu_s_of(int pid)
{
	char               path[64], line[1024];
	unsigned long long user, sys;
	double             s = 0;
	FILE              *f;

	snprintf(path, sizeof path, "/proc/%d/stat", pid);
	if (!(f = fopen(path, "r")))
		return 0;
	if (fgets(line, sizeof line, f)) {
		const char *p = strrchr(line, ')');
		if (p && sscanf(p + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu", &user, &sys) == 2)
			s = (double)(user + sys) / (double)sysconf(_SC_CLK_TCK);
	}
	fclose(f);
	return s;
}

static double
kib_of(int pid)
{
	char          path[64];
	unsigned long pages = 0;
	FILE         *f;

	snprintf(path, sizeof path, "/proc/%d/statm", pid);
	if (!(f = fopen(path, "r")))
		return 0;
	if (fscanf(f, "%*u %lu", &pages) != 1)
		pages = 0;
	fclose(f);
	return (double)pages * (double)sysconf(_SC_PAGESIZE) / 1024;
}

static double
sum_over(double (*of)(int pid))
{
	double all = 0;

	for (const char *p = o.pids; p && *p; p = strchr(p, ','), p += p != NULL)
		all += of(atoi(p));
	return all;
}

/* --- one client --- */

static void begin(struct client *c);

static void
client_end(struct client *c, bool ok)
{
	struct linger at_once = {1, 0};

	if (o.mode == MODE_GET) {
		done += ok;
		failed += !ok;
	} else if (!ok) {
		failed += c->under_way + (c->step < STEP_STREAMS);
	}
	nghttp2_session_del(c->h2);
	c->h2 = NULL;
	SSL_free(c->ssl);
	c->ssl = NULL;
	setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
	close(c->fd);
	c->fd = -1;
	if (o.mode == MODE_GET && begun < o.count)
		begin(c);
}

static void
begin(struct client *c)
{
	struct epoll_event ev = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.ptr = c};
	int                yes = 1;

	memset(c, 0, sizeof *c);
	if (o.hosts > 1)
		snprintf(c->name, sizeof c->name, "h%u.%s", begun % o.hosts, o.host);
	else
		snprintf(c->name, sizeof c->name, "%s", o.host);
	begun++;
	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (c->fd < 0 || setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes))
		die("socket");
	if (connect(c->fd, (const struct sockaddr *)&o.proxy, sizeof o.proxy) && errno != EINPROGRESS)
		die("connect");
	if (epoll_ctl(epoll, EPOLL_CTL_ADD, c->fd, &ev))
		die("epoll_ctl");
}

/* All small enough for any socket buffer. */
static bool
say(struct client *c, const char *text, size_t n)
{
	size_t w = 0;

	return c->ssl ? SSL_write_ex(c->ssl, text, n, &w) && w == n : send(c->fd, text, n, MSG_NOSIGNAL) == (ssize_t)n;
}

static bool
secure(struct client *c)
{
	static const unsigned char h2[] = "\x02h2", h11[] = "\x08http/1.1";
	bool                       many = o.streams > 0;

	c->step = STEP_SHAKE;
	c->ssl = SSL_new(ctx);
	if (!c->ssl)
		return false;
	SSL_set_connect_state(c->ssl);
	return SSL_set_fd(c->ssl, c->fd) && SSL_set_tlsext_host_name(c->ssl, c->name) &&
	       SSL_set_alpn_protos(c->ssl, many ? h2 : h11, many ? sizeof h2 - 1 : sizeof h11 - 1) == 0;
}

static void
hold(struct client *c)
{
	c->step = STEP_HELD;
	held++;
	done++;
}

/* --- HTTP/1.1: 1 whole, 0 not yet, -1 no good --- */

static int
read_answer(struct client *c)
{
	static char waste[65536];
	size_t      r;
	const char *end, *length;

	while (c->left != 0) {
		if (c->left > 0) {
			if (!SSL_read_ex(c->ssl, waste, sizeof waste, &r))
				return SSL_get_error(c->ssl, 0) == SSL_ERROR_WANT_READ ? 0 : -1;
			c->left -= (long)r;
			continue;
		}
		if (c->n + 1 == sizeof c->in)
			return -1;
		if (!SSL_read_ex(c->ssl, c->in + c->n, sizeof c->in - 1 - c->n, &r))
			return SSL_get_error(c->ssl, 0) == SSL_ERROR_WANT_READ ? 0 : -1;
		c->n += r;
		c->in[c->n] = 0;
		end = strstr(c->in, "\r\n\r\n");
		if (!end)
			continue;
		length = strcasestr(c->in, "\r\nContent-Length:");
		if (strncmp(c->in, "HTTP/1.1 200", 12) != 0 || !length)
			return -1;
		c->left = atol(length + 17) - (long)(c->in + c->n - end - 4);
	}
	return 1;
}

/* --- HTTP/2 --- */

static bool
ask_more(struct client *c)
{
	char             authority[320];
	const nghttp2_nv head[] = {
	    {(uint8_t *)":method", (uint8_t *)"GET", 7, 3, NGHTTP2_NV_FLAG_NONE},
	    {(uint8_t *)":scheme", (uint8_t *)"https", 7, 5, NGHTTP2_NV_FLAG_NONE},
	    {(uint8_t *)":authority", (uint8_t *)authority, 10, (size_t)snprintf(authority, sizeof authority, "%s:%u", c->name, o.port),
		NGHTTP2_NV_FLAG_NONE},
	    {(uint8_t *)":path", (uint8_t *)o.path, 5, strlen(o.path), NGHTTP2_NV_FLAG_NONE},
	};
	unsigned        most = o.mode == MODE_H2 ? o.count : o.mode == MODE_IDLE ? o.connections : o.connections * o.streams;
	unsigned        wanted = o.mode == MODE_IDLE ? 1 : o.streams;
	static unsigned asked;

	for (; c->under_way < wanted && asked < most; c->under_way++, asked++)
		if (nghttp2_submit_request(c->h2, NULL, head, 4, NULL, NULL) < 0)
			return false;
	return true;
}

static int
on_header(nghttp2_session *h2, const nghttp2_frame *frame, const uint8_t *name, size_t n_name, const uint8_t *value, size_t n_value,
    uint8_t flags, void *arg)
{
	(void)h2;
	(void)frame;
	(void)arg;
	(void)flags;
	if (n_name == 7 && memcmp(name, ":status", 7) == 0 && (n_value != 3 || memcmp(value, "200", 3) != 0))
		failed++;
	return 0;
}

static int
on_frame(nghttp2_session *h2, const nghttp2_frame *frame, void *arg)
{
	(void)h2;
	(void)arg;
	if (o.mode == MODE_OPEN && frame->hd.type == NGHTTP2_HEADERS) {
		held++;
		done++;
	}
	return 0;
}

static int
on_stream_end(nghttp2_session *h2, int32_t id, uint32_t code, void *arg)
{
	struct client *c = arg;

	(void)h2;
	(void)id;
	c->under_way--;
	if (code != NGHTTP2_NO_ERROR)
		failed++;
	else if (o.mode == MODE_IDLE)
		hold(c);
	else if (o.mode == MODE_H2)
		done++;
	return o.mode == MODE_H2 && !ask_more(c) ? NGHTTP2_ERR_CALLBACK_FAILURE : 0;
}

static bool
begin_streams(struct client *c)
{
	static nghttp2_session_callbacks *calls;
	const nghttp2_settings_entry      window = {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 1 << 20};

	c->step = STEP_STREAMS;
	if (!calls) {
		if (nghttp2_session_callbacks_new(&calls))
			return false;
		nghttp2_session_callbacks_set_on_header_callback(calls, on_header);
		nghttp2_session_callbacks_set_on_frame_recv_callback(calls, on_frame);
		nghttp2_session_callbacks_set_on_stream_close_callback(calls, on_stream_end);
	}
	return nghttp2_session_client_new(&c->h2, calls, c) == 0 && nghttp2_submit_settings(c->h2, NGHTTP2_FLAG_NONE, &window, 1) == 0 &&
	       nghttp2_session_set_local_window_size(c->h2, NGHTTP2_FLAG_NONE, 0, 1 << 24) == 0 && ask_more(c);
}

static bool
run_streams(struct client *c)
{
	static uint8_t in[65536];
	const uint8_t *out;
	size_t         r;

	for (;;) {
		ssize_t n;
		while ((n = nghttp2_session_mem_send(c->h2, &out)) > 0)
			if (!say(c, (const char *)out, (size_t)n))
				return false;
		if (n < 0)
			return false;
		if (!SSL_read_ex(c->ssl, in, sizeof in, &r))
			return SSL_get_error(c->ssl, 0) == SSL_ERROR_WANT_READ;
		if (nghttp2_session_mem_recv(c->h2, in, r) < 0)
			return false;
	}
}

/* --- events --- */

/* The step is done: 1, or there is more to wait for: 0; or it failed: -1. */
static int
go(struct client *c)
{
	char    text[1400];
	ssize_t r;
	int     n;

	switch (c->step) {
	case STEP_CONNECT:
		if (o.direct)
			return secure(c) ? 1 : -1;
		n = snprintf(text, sizeof text, "CONNECT %s:%u HTTP/1.1\r\nHost: %s:%u\r\n\r\n", c->name, o.port, c->name, o.port);
		r = send(c->fd, text, (size_t)n, MSG_NOSIGNAL);
		c->step = STEP_TUNNEL;
		return r == n ? 1 : -1;
	case STEP_TUNNEL:
		r = recv(c->fd, text, sizeof text, 0);
		if (r < 0 && errno == EAGAIN)
			return 0;
		return r > 12 && memcmp(text + 9, "200", 3) == 0 && secure(c) ? 1 : -1;
	case STEP_SHAKE:
		n = SSL_do_handshake(c->ssl);
		if (n != 1)
			return SSL_get_error(c->ssl, n) == SSL_ERROR_WANT_READ ? 0 : -1;
		if (o.streams > 0)
			return begin_streams(c) ? 1 : -1;
		n = snprintf(text, sizeof text, "GET %s HTTP/1.1\r\nHost: %s:%u\r\n%s\r\n", o.path, c->name, o.port,
		    o.mode == MODE_GET ? "Connection: close\r\n" : "");
		c->step = STEP_ANSWER;
		c->left = -1;
		return say(c, text, (size_t)n) ? 1 : -1;
	case STEP_ANSWER:
		n = read_answer(c);
		if (n != 1)
			return n;
		if (o.mode == MODE_GET) {
			client_end(c, true);
			return 0;
		}
		hold(c);
		return 0;
	case STEP_STREAMS:
		return run_streams(c) ? 0 : -1;
	case STEP_HELD:
		break;
	}
	return c->h2 && !run_streams(c) ? -1 : 0;
}

static bool
is_over(void)
{
	switch (o.mode) {
	case MODE_GET:
	case MODE_H2:
		return done + failed >= o.count;
	case MODE_IDLE:
		return held + failed >= o.connections;
	default:
		return held + failed >= o.connections * o.streams;
	}
}

static void
run(struct client *client)
{
	struct epoll_event ev[256];
	unsigned           at_once = o.mode == MODE_IDLE ? 32 : o.connections;

	for (unsigned i = 0; i < at_once && i < o.connections; i++)
		begin(&client[i]);
	while (!is_over()) {
		int n = epoll_wait(epoll, ev, 256, QUIET_MS), step;
		if (n <= 0)
			break;
		for (int i = 0; i < n; i++) {
			struct client *c = ev[i].data.ptr;
			unsigned       before = held + failed;
			if (c->fd < 0 || (c->step == STEP_CONNECT && !(ev[i].events & EPOLLOUT)))
				continue;
			ERR_clear_error();
			do
				step = go(c);
			while (step > 0);
			if (step < 0)
				client_end(c, false);
			if (o.mode == MODE_IDLE && held + failed > before && begun < o.connections)
				begin(&client[begun]);
		}
	}
}

static bool
parse_place(const char *text, char *host, size_t n, unsigned *port)
{
	const char *colon = strrchr(text, ':');

	*port = colon ? (unsigned)atoi(colon + 1) : 0;
	return colon && *port && snprintf(host, n, "%.*s", (int)(colon - text), text) < (int)n;
}

static void
parse(int argc, char **argv)
{
	static char host[256];
	char        proxy[64] = "127.0.0.1";
	unsigned    port = 0;

	for (int m = 0; argc > 1 && m < MODES; m++)
		if (strcmp(argv[1], mode_words[m]) == 0)
			o.mode = (enum mode)m, o.host = host;
	for (int i = 2; i + 1 < argc; i += 2) {
		const char *k = argv[i], *v = argv[i + 1];
		if (strcmp(k, "--proxy") == 0)
			o.direct = !parse_place(v, proxy, sizeof proxy, &port);
		else if (strcmp(k, "--host") == 0 && !parse_place(v, host, sizeof host, &o.port))
			die(v);
		else if (strcmp(k, "--path") == 0)
			o.path = v;
		else if (strcmp(k, "--pid") == 0)
			o.pids = v;
		else if (strcmp(k, "--hosts") == 0)
			o.hosts = (unsigned)atoi(v);
		else if (strcmp(k, "--connections") == 0)
			o.connections = (unsigned)atoi(v);
		else if (strcmp(k, "--streams") == 0)
			o.streams = (unsigned)atoi(v);
		else if (strcmp(k, "--count") == 0)
			o.count = (unsigned)atoi(v);
	}
	o.proxy = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)(o.direct ? o.port : port))};
	if (!o.host || !o.port || inet_pton(AF_INET, proxy, &o.proxy.sin_addr) != 1 || o.connections == 0 || o.hosts == 0 ||
	    (o.streams == 0 && (o.mode == MODE_H2 || o.mode == MODE_OPEN))) {
		fprintf(stderr, "inspect_load: MODE --host NAME:PORT [--proxy ADDR:PORT] ...; its source tells\n");
		exit(2);
	}
}

int
main(int argc, char **argv)
{
	struct rlimit  files;
	struct client *client;
	double         t, cpu, kib;

	parse(argc, argv);
	signal(SIGPIPE, SIG_IGN);
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	epoll = epoll_create1(EPOLL_CLOEXEC);
	ctx = SSL_CTX_new(TLS_client_method());
	client = calloc(o.connections, sizeof *client);
	if (epoll < 0 || !ctx || !client)
		die("start");
	SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS);
	cpu = sum_over(cpu_s_of);
	kib = sum_over(kib_of);
	t = now_s();
	run(client);
	t = now_s() - t;
	cpu = sum_over(cpu_s_of) - cpu;
	if (held > 0)
		sleep(1); /* what is let go of with a turn of the loop */
	kib = sum_over(kib_of) - kib;
	printf(
	    "%s: done %u, failed %u, %.0f/s, %.0f us of CPU each", mode_words[o.mode], done, failed, done / t, done ? cpu / done * 1e6 : 0);
	if (held > 0)
		printf(", %.1f KiB each", kib / held);
	printf("\n");
	return done == 0;
}
