/* SPDX-License-Identifier: MIT */
/*
 * The resolver against servers that people run: dnsmasq and unbound on loopback. Skipped, with a word, where a program is missing.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "net/loop.h"
#include "net/resolve.h"

#define WATCHDOG_MS 20000u
#define BIG         200

/* A port that is free for UDP and TCP on loopback right now. */
static uint16_t
free_port(void)
{
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t          n = sizeof in;
	int                tcp = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), udp = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	assert_int_equal(bind(udp, (struct sockaddr *)&in, n), 0);
	assert_int_equal(getsockname(udp, (struct sockaddr *)&in, &n), 0);
	bool ok = bind(tcp, (struct sockaddr *)&in, n) == 0;
	close(tcp);
	close(udp);
	return ok ? ntohs(in.sin_port) : free_port();
}

struct program {
	pid_t pid; /* 0: not there */
	int   out;
};

/* Start argv and wait until it has written `ready`. */
static struct program
program_start(const char *const argv[], const char *ready)
{
	struct program p = {0};
	int            pipe_fd[2];
	char           said[16384] = "";
	size_t         n = 0;
	uint64_t       end_us = clock_mono_us() + WATCHDOG_MS * 1000;

	assert_int_equal(pipe(pipe_fd), 0);
	p.pid = fork();
	assert_true(p.pid >= 0);
	if (p.pid == 0) {
		char path[4096];
		snprintf(path, sizeof path, "%s:/usr/sbin:/sbin", getenv("PATH") ? getenv("PATH") : "/usr/bin:/bin");
		setenv("PATH", path, 1);
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		dup2(pipe_fd[1], STDOUT_FILENO);
		dup2(pipe_fd[1], STDERR_FILENO);
		close(pipe_fd[0]);
		close(pipe_fd[1]);
		execvp(argv[0], (char *const *)argv);
		_exit(127);
	}
	close(pipe_fd[1]);
	p.out = pipe_fd[0];
	while (!strstr(said, ready)) {
		struct pollfd fd = {.fd = p.out, .events = POLLIN};
		ssize_t       k;
		assert_true(clock_mono_us() < end_us && n < sizeof said - 1);
		if (poll(&fd, 1, 1000) <= 0)
			continue;
		k = read(p.out, said + n, sizeof said - 1 - n);
		if (k <= 0) {
			int status;
			assert_int_equal(waitpid(p.pid, &status, 0), p.pid);
			close(p.out);
			if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
				print_message("skipped: there is no %s here\n", argv[0]);
			else
				fail_msg("%s ended: %s", argv[0], said);
			return (struct program){0};
		}
		n += (size_t)k;
		said[n] = '\0';
	}
	return p;
}

static void
program_stop(struct program *p)
{
	int status;

	kill(p->pid, SIGTERM);
	assert_int_equal(waitpid(p->pid, &status, 0), p->pid);
	close(p->out);
}

struct outcome {
	struct loop     *loop;
	enum fault       fault;
	struct resolved *addrs;
};

static void
on_watchdog(void *arg)
{
	(void)arg;
	fail_msg("nothing came for %u ms", WATCHDOG_MS);
}

static void
on_resolved(void *arg, enum fault fault, struct resolved *r)
{
	struct outcome *o = arg;

	o->fault = fault;
	o->addrs = r;
	loop_stop(o->loop);
}

/* What both servers are told, and what we must hear. */
static void
ask_all(uint16_t port)
{
	static const struct {
		const char *name, *want;
		unsigned    n, ttl_s;
	} cases[] = {
	    {"both.real.test", "2001:db8::1", 2, 77}, {"alias.real.test", "2001:db8::1", 2, 77}, {"four.real.test", "192.0.2.2", 1, 77},
	    {"both", "2001:db8::1", 2, 77}, /* by the search list */
	    {"absent.real.test", "dns-nxdomain", 0, 0}, {"text.real.test", "dns-no-address", 0, 0},
	    {"big.real.test", NULL, 32, 77}, /* comes truncated, then by TCP */
	};
	struct endpoint        server = {.addr = addr_from_v4(INADDR_LOOPBACK), .port = port};
	struct resolver_config config = {.servers = &server, .n_servers = 1, .resolv_conf = SPAN("search real.test\n"), .timeout_ms = 10000, .cache_names = 10};
	struct loop           *loop = loop_new();
	struct resolver       *r = resolver_new(loop, &config);
	struct timer           watchdog;

	assert_non_null(r);
	timer_init(&watchdog, on_watchdog, NULL);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct outcome o = {.loop = loop};
		char           text[ADDR_TEXT_MAX];
		assert_non_null(resolver_start(r, span_str(cases[i].name), on_resolved, &o));
		timer_set(loop, &watchdog, WATCHDOG_MS);
		loop_run(loop);
		timer_clear(&watchdog);
		if (cases[i].n == 0) {
			assert_string_equal(fault_row(o.fault)->word, cases[i].want);
			continue;
		}
		assert_non_null(o.addrs);
		assert_int_equal(o.addrs->n, cases[i].n);
		addr_print(&o.addrs->addr[0], text);
		if (cases[i].want)
			assert_string_equal(text, cases[i].want);
		assert_in_range(o.addrs->expires_us, clock_mono_us() + (cases[i].ttl_s - 10) * UINT64_C(1000000), clock_mono_us() + cases[i].ttl_s * UINT64_C(1000000));
		resolved_unref(o.addrs);
	}
	resolver_free(r);
	loop_free(loop);
}

static void
test_dnsmasq_is_understood(void **state)
{
	enum { FIXED = 15 };
	static char    record[BIG][48];
	char           port_arg[32];
	const char    *argv[FIXED + BIG + 1];
	uint16_t       port = free_port();
	struct program p;
	unsigned       n = 0;

	(void)state;
	snprintf(port_arg, sizeof port_arg, "--port=%u", port);
	static const char *const fixed[] = {"dnsmasq", "--no-daemon", "--conf-file=/dev/null", "--pid-file=", "--no-resolv", "--no-hosts", "--listen-address=127.0.0.1",
	    "--bind-interfaces", "--local=/real.test/", "--local-ttl=77", "--host-record=both.real.test,192.0.2.1,2001:db8::1",
	    "--host-record=four.real.test,192.0.2.2", "--cname=alias.real.test,both.real.test", "--txt-record=text.real.test,nothing else"};
	for (; n < sizeof fixed / sizeof *fixed; n++)
		argv[n] = fixed[n];
	argv[n++] = port_arg;
	for (unsigned i = 0; i < BIG; i++) {
		snprintf(record[i], sizeof record[i], "--host-record=big.real.test,198.51.100.%u", i);
		argv[n++] = record[i];
	}
	argv[n] = NULL;
	p = program_start(argv, "started, version");
	if (!p.pid)
		return;
	ask_all(port);
	program_stop(&p);
}

static void
test_unbound_is_understood(void **state)
{
	char           path[] = "/tmp/postern-unbound-XXXXXX";
	const char    *const argv[] = {"unbound", "-d", "-d", "-c", path, NULL};
	uint16_t       port = free_port();
	struct program p;
	FILE          *f = fdopen(mkstemp(path), "w");

	(void)state;
	assert_non_null(f);
	fprintf(f, "server:\n chroot: \"\"\n username: \"\"\n directory: \"\"\n pidfile: \"\"\n use-syslog: no\n logfile: \"\"\n verbosity: 1\n do-daemonize: no\n"
		   " interface: 127.0.0.1@%u\n module-config: \"iterator\"\n num-threads: 1\n local-zone: \"real.test.\" static\n",
	    port);
	fprintf(f, " local-data: \"real.test. 77 SOA ns.real.test. admin.real.test. 1 3600 600 86400 30\"\n");
	fprintf(f, " local-data: \"both.real.test. 77 A 192.0.2.1\"\n local-data: \"both.real.test. 77 AAAA 2001:db8::1\"\n");
	fprintf(f, " local-data: \"four.real.test. 77 A 192.0.2.2\"\n local-data: \"text.real.test. 77 TXT nothing\"\n");
	/* a local CNAME is not followed by unbound, so this one is two records */
	fprintf(f, " local-data: \"alias.real.test. 77 A 192.0.2.1\"\n local-data: \"alias.real.test. 77 AAAA 2001:db8::1\"\n");
	for (unsigned i = 0; i < BIG; i++)
		fprintf(f, " local-data: \"big.real.test. 77 A 198.51.100.%u\"\n", i);
	fprintf(f, "remote-control:\n control-enable: no\n");
	fclose(f);
	p = program_start(argv, "start of service");
	unlink(path);
	if (!p.pid)
		return;
	ask_all(port);
	program_stop(&p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_dnsmasq_is_understood),
	    cmocka_unit_test(test_unbound_is_understood),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
