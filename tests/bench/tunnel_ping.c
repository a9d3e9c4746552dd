/* SPDX-License-Identifier: MIT */
/*
 * tunnel_ping: how long a worker lets a tunnel wait. Sends a byte through a tunnel and has it back, every millisecond.
 *
 *   tunnel_ping PROXY_PORT WORKER_PID [TUNNELS]
 *
 * Before that it opens so many tunnels, and holds them. The origin is its own, on 127.0.0.1; "ready" says that the pings begin. SIGUSR1 ends a phase,
 * SIGTERM the last one; each prints how many pings there were, and the longest and the 99.9th of 100: as the ping saw it, and as far as it may be the
 * worker's own doing: what the worker computed meanwhile. The latter says more on a machine that others use too; it is too much where the ping itself had to
 * wait for a core.
 */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define PINGS_MAX (1u << 20)

struct phase {
	uint32_t n;
	uint32_t seen_us[PINGS_MAX], own_us[PINGS_MAX];
};

static struct phase          phase;
static volatile sig_atomic_t ended, last;
static int                   origin_fd;

static void
on_signal(int number)
{
	last = number == SIGTERM;
	ended = 1;
}

static void
die(const char *what)
{
	perror(what);
	exit(1);
}

static uint64_t
now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void *
echo(void *arg)
{
	int  fd, one = 1;
	char b[64];

	for (long held = *(long *)arg; held; held--)
		if (accept(origin_fd, NULL, NULL) < 0)
			die("accept");
	fd = accept(origin_fd, NULL, NULL);
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	for (ssize_t n; (n = read(fd, b, sizeof b)) > 0;)
		if (write(fd, b, (size_t)n) != n)
			break;
	close(fd);
	return NULL;
}

static int
connect_to(int port)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int                fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;

	if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof a) != 0)
		die("connect");
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	return fd;
}

static unsigned
origin_start(long *held)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t          n = sizeof a;
	pthread_t          thread;

	origin_fd = socket(AF_INET, SOCK_STREAM, 0);
	if (origin_fd < 0 || bind(origin_fd, (struct sockaddr *)&a, sizeof a) != 0 || listen(origin_fd, 128) != 0 || getsockname(origin_fd, (struct sockaddr *)&a, &n) != 0 ||
	    pthread_create(&thread, NULL, echo, held) != 0)
		die("origin");
	return ntohs(a.sin_port);
}

static int
tunnel_open(int proxy_port, unsigned port)
{
	char head[200], answer[2000];
	int  fd = connect_to(proxy_port), k;

	k = snprintf(head, sizeof head, "CONNECT 127.0.0.1:%u HTTP/1.1\r\nHost: 127.0.0.1:%u\r\n\r\n", port, port);
	if (write(fd, head, (size_t)k) != k || read(fd, answer, sizeof answer) < 12 || memcmp(answer + 9, "200", 3) != 0)
		die("CONNECT");
	return fd;
}

/* Nanoseconds that the process has computed. */
static uint64_t
computed_ns(const char *path)
{
	unsigned long long ns = 0;
	FILE              *f = fopen(path, "re");

	if (f) {
		if (fscanf(f, "%llu", &ns) != 1)
			ns = 0;
		fclose(f);
	}
	return ns;
}

static int
by_value(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static void
print_phase(struct phase *p)
{
	if (p->n) {
		qsort(p->seen_us, p->n, sizeof *p->seen_us, by_value);
		qsort(p->own_us, p->n, sizeof *p->own_us, by_value);
		printf("%7u pings: seen %6.2f ms at most, %6.2f ms at 99.9 %%, %5.2f in the middle; the worker's own part %6.2f ms at most, %6.2f ms at 99.9 %%\n", p->n,
		    p->seen_us[p->n - 1] / 1e3, p->seen_us[(uint64_t)p->n * 999 / 1000] / 1e3, p->seen_us[p->n / 2] / 1e3, p->own_us[p->n - 1] / 1e3,
		    p->own_us[(uint64_t)p->n * 999 / 1000] / 1e3);
		fflush(stdout);
	}
	p->n = 0;
}

int
main(int argc, char **argv)
{
	struct sigaction on = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
	struct timespec  pause = {0, 1000000};
	struct rlimit    files;
	char             path[64], b;
	unsigned         port;
	long             held = argc > 3 ? atol(argv[3]) : 0;
	int              fd;

	if (argc < 3) {
		fprintf(stderr, "tunnel_ping PROXY_PORT WORKER_PID [TUNNELS]\n");
		return 2;
	}
	sigaction(SIGUSR1, &on, NULL);
	sigaction(SIGTERM, &on, NULL);
	snprintf(path, sizeof path, "/proc/%d/schedstat", atoi(argv[2]));
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	port = origin_start(&held);
	for (long i = 0, n = held; i < n; i++)
		tunnel_open(atoi(argv[1]), port);
	fd = tunnel_open(atoi(argv[1]), port);
	printf("ready\n");
	fflush(stdout);
	while (!last) {
		uint64_t computed = computed_ns(path), began = now_ns();
		if (write(fd, "x", 1) != 1 || read(fd, &b, 1) != 1)
			die("ping");
		if (phase.n < PINGS_MAX) {
			phase.seen_us[phase.n] = (uint32_t)((now_ns() - began) / 1000);
			phase.own_us[phase.n++] = (uint32_t)((computed_ns(path) - computed) / 1000);
		}
		if (ended) {
			ended = 0;
			print_phase(&phase);
		}
		nanosleep(&pause, NULL);
	}
	print_phase(&phase);
	return 0;
}
