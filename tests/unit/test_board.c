/* SPDX-License-Identifier: MIT */
/* What the doctor process shares: its plan as bytes, the board that it writes on, what changed from one run to the next, and Prometheus' text of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "conf/load.h"
#include "doctor/changes.h"
#include "doctor/exposition.h"
#include "doctor/plan.h"
#include "parse/authority.h"

#define EDGE "[listener edge]\naddress = 127.0.0.1:3128\n"

static struct doctor_report *
report_new(uint32_t n)
{
	struct doctor_report *r = calloc(1, sizeof *r);

	assert_non_null(r);
	r->number = 1;
	r->ended_s = 1000;
	r->interval_s = 900;
	r->n_targets = n;
	for (uint32_t i = 0; i < n; i++) {
		snprintf(r->target[i].host, sizeof r->target[i].host, "h%u.example.net", i);
		snprintf(r->target[i].list, sizeof r->target[i].list, "l");
		r->target[i].port = 443;
		r->target[i].scheme = SCHEME_HTTPS;
	}
	return r;
}

static void
row_add(struct doctor_report *r, uint32_t target, enum doctor_way way, enum doctor_fault fault)
{
	r->row[r->n_rows++] = (struct doctor_row){.target = target, .way = (uint8_t)way, .fault = (uint8_t)fault, .step = DOCTOR_STEP_DONE, .dns_ms = UINT32_MAX,
		.tcp_ms = UINT32_MAX, .proxy_ms = UINT32_MAX, .tls_ms = UINT32_MAX, .http_ms = UINT32_MAX};
}

/* --- the board --- */

static void
test_what_is_written_is_read(void **state)
{
	int                   fd = doctor_board_create(), again;
	struct doctor_board  *b = doctor_board_open(fd, true), *reader;
	struct doctor_report *r = report_new(3), *got = calloc(1, sizeof *got);
	char                  path[64];

	(void)state;
	assert_non_null(b);
	assert_false(doctor_board_read(b, got));
	row_add(r, 2, DOCTOR_GATEWAY, DOCTOR_PROXY_AUTH);
	doctor_board_write(b, r);
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	again = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(again >= 0);
	/* who only shows it cannot write it */
	assert_null(doctor_board_open(again, true));
	assert_int_equal(errno, EACCES);
	reader = doctor_board_open(again, false);
	assert_non_null(reader);
	assert_true(doctor_board_read(reader, got));
	assert_memory_equal(got, r, sizeof *r);
	assert_ptr_equal(doctor_report_worst(got, 2), &got->row[0]);
	assert_null(doctor_report_worst(got, 1));
	/* a writer that died in the middle */
	atomic_fetch_add(&b->seq, 1);
	assert_false(doctor_board_read(reader, got));
	doctor_board_write(b, r);
	assert_true(doctor_board_read(reader, got));
	doctor_board_forget(b);
	assert_false(doctor_board_read(reader, got));
	doctor_board_close(b);
	doctor_board_close(reader);
	close(again);
	close(fd);
	free(r);
	free(got);
}

static void
test_another_file_is_no_board(void **state)
{
	int fd = memfd_create("x", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	(void)state;
	assert_null(doctor_board_open(fd, false));
	assert_int_equal(ftruncate(fd, sizeof(struct doctor_board)), 0);
	assert_null(doctor_board_open(fd, false)); /* its owner could cut it off under the reader */
	assert_null(doctor_board_open(-1, false));
	close(fd);
}

/* The writer is the process that speaks with the outside: whatever it leaves there, nobody else is hurt. */
static void
test_a_hostile_board_harms_no_reader(void **state)
{
	int                   fd = doctor_board_create();
	struct doctor_board  *b = doctor_board_open(fd, true);
	struct doctor_report *got = malloc(sizeof *got);
	unsigned              seed = 7;

	(void)state;
	for (unsigned round = 0; round < 8; round++) {
		struct text t = {0};
		uint8_t    *p = (uint8_t *)&b->report;
		for (size_t i = 0; i < sizeof b->report; i++)
			p[i] = round == 0 ? 0xff : (uint8_t)(rand_r(&seed) | (round == 1 ? 0x40 : 0));
		if (round & 1)
			b->report.n_targets = b->report.n_rows = round == 1 ? 5 : UINT32_MAX;
		atomic_store(&b->seq, 2);
		assert_true(doctor_board_read(b, got));
		assert_true(got->n_targets <= DOCTOR_TARGETS_MAX && got->n_rows <= DOCTOR_ROWS_MAX && got->n_parents <= DOCTOR_PARENTS_MAX);
		for (uint32_t i = 0; i < got->n_rows; i++)
			assert_true(got->row[i].target < got->n_targets && got->row[i].way < DOCTOR_WAYS && got->row[i].fault < DOCTOR_FAULTS && doctor_lane(&got->row[i], got->n_parents) < DOCTOR_LANES_MAX);
		doctor_exposition(&t, got);
		for (size_t i = 0; i < t.n; i++)
			assert_true((unsigned char)t.p[i] >= 0x20 || t.p[i] == '\n');
		text_clear(&t);
	}
	free(got);
	doctor_board_close(b);
	close(fd);
}

static void
test_of_two_rows_for_one_way_one_is_read(void **state)
{
	int                   fd = doctor_board_create();
	struct doctor_board  *b = doctor_board_open(fd, true);
	struct doctor_report *r = report_new(2), *got = malloc(sizeof *got);

	(void)state;
	row_add(r, 7, DOCTOR_DIRECT, DOCTOR_OK);
	row_add(r, 1, DOCTOR_DIRECT, DOCTOR_REFUSED);
	row_add(r, 1, DOCTOR_DIRECT, DOCTOR_OK);
	row_add(r, 1, DOCTOR_GATEWAY, DOCTOR_OK);
	r->n_parents = 2;
	for (uint8_t parent = 0; parent < 3; parent++) /* the last is none of the two */
		for (unsigned k = 0; k < 2; k++) {
			row_add(r, 1, DOCTOR_PARENT, DOCTOR_OK);
			r->row[r->n_rows - 1].parent = parent;
		}
	doctor_board_write(b, r);
	assert_true(doctor_board_read(b, got));
	assert_int_equal(got->n_rows, 4);
	assert_true(got->row[0].fault == DOCTOR_REFUSED && got->row[1].way == DOCTOR_GATEWAY && got->row[2].parent == 0 && got->row[3].parent == 1);
	free(r);
	free(got);
	doctor_board_close(b);
	close(fd);
}

/* --- changes --- */

/* What stands on standard error meanwhile. */
static void
said(const struct doctor_report *before, struct doctor_report *now, char *out, size_t room)
{
	FILE   *f = tmpfile();
	int     kept = dup(2);
	ssize_t n;

	fflush(stderr);
	dup2(fileno(f), 2);
	doctor_changes(before, now);
	dup2(kept, 2);
	close(kept);
	n = pread(fileno(f), out, room - 1, 0);
	out[n < 0 ? 0 : n] = '\0';
	fclose(f);
}

static unsigned
lines(const char *s)
{
	unsigned n = 0;

	for (; (s = strchr(s, '\n')); s++)
		n++;
	return n;
}

static void
test_an_endpoint_is_told_of_when_it_changes_and_only_then(void **state)
{
	static const struct {
		enum doctor_fault fault;
		int64_t           at, since;
		const char       *says; /* null: nothing */
	} rows[] = {
		{DOCTOR_OK, 1000, 0, NULL},
		{DOCTOR_SLOW, 1100, 0, NULL},
		{DOCTOR_NO_SUCH_NAME, 1200, 1200, "warning: endpoint h0.example.net:443 (l, a:1) is bad: dns-no-such-name, way: gateway; postern doctor says what to do\n"},
		{DOCTOR_TIMEOUT, 1300, 1200, NULL},
		{DOCTOR_OK, 1860, 0, "endpoint h0.example.net:443 is well again, after 11 min\n"},
		{DOCTOR_OK, 2000, 0, NULL},
	};
	struct doctor_report *before = NULL;
	char                  text[16000];

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct doctor_report *r = report_new(2);
		snprintf(r->target[0].where, sizeof r->target[0].where, "a:1");
		r->ended_s = rows[i].at;
		row_add(r, 0, DOCTOR_GATEWAY, rows[i].fault);
		row_add(r, 1, DOCTOR_DIRECT, DOCTOR_OK);
		said(before, r, text, sizeof text);
		assert_int_equal(lines(text), rows[i].says ? 1 : 0);
		if (rows[i].says)
			assert_non_null(strstr(text, rows[i].says));
		assert_int_equal(r->bad_since_s[0], rows[i].since);
		free(before);
		before = r;
	}
	free(before);
	/* all at once: the log does not drown */
	before = report_new(DOCTOR_TARGETS_MAX);
	for (uint32_t i = 0; i < DOCTOR_TARGETS_MAX; i++)
		row_add(before, i, DOCTOR_DIRECT, DOCTOR_REFUSED);
	said(NULL, before, text, sizeof text);
	assert_int_equal(lines(text), DOCTOR_CHANGES_TOLD + 1);
	assert_non_null(strstr(text, "492 more endpoints changed"));
	free(before);
}

/* --- Prometheus --- */

static void
test_the_text_counts_what_counts(void **state)
{
	struct doctor_report *r = report_new(4);
	struct text           t = {0};

	(void)state;
	r->n_parents = 2;
	snprintf(r->parent[0], sizeof r->parent[0], "hq");
	snprintf(r->parent[1], sizeof r->parent[1], "b\"2");
	r->target[0].by_parent = r->target[1].by_parent = true;
	r->took_ms = 1234;
	r->more = 3;
	snprintf(r->target[1].list, sizeof r->target[1].list, "a\"b\\c\nd");
	r->target[3].no_probe = true;
	r->target[3].host[0] = '\0';
	row_add(r, 0, DOCTOR_DIRECT, DOCTOR_TIMEOUT); /* shut, as it should be behind a parent */
	row_add(r, 0, DOCTOR_PARENT, DOCTOR_OK);
	row_add(r, 1, DOCTOR_PARENT, DOCTOR_EXPIRED);
	r->row[2].not_after = 77;
	r->row[2].parent = 1;
	row_add(r, 3, DOCTOR_PARENT, DOCTOR_NOT_TRIED);
	doctor_exposition(&t, r);
	text_add(&t, span_of("", 1));
	assert_false(t.failed);
	assert_null(strstr(t.p, "way=\"direct\""));
	assert_non_null(strstr(t.p, "postern_doctor_endpoint_up{host=\"h0.example.net\",port=\"443\",scheme=\"https\",list=\"l\",way=\"parent\",parent=\"hq\"} 1\n"));
	assert_non_null(strstr(t.p, "postern_doctor_endpoint_up{host=\"h1.example.net\",port=\"443\",scheme=\"https\",list=\"a\\\"b\\\\c?d\",way=\"parent\",parent=\"b\\\"2\"} 0\n"));
	assert_non_null(strstr(t.p, "way=\"parent\",parent=\"b\\\"2\",fault=\"expired\"} 1\n"));
	assert_non_null(strstr(t.p, "parent=\"b\\\"2\"} 77\n"));
	assert_non_null(strstr(t.p, "postern_doctor_endpoints{state=\"well\"} 2\npostern_doctor_endpoints{state=\"bad\"} 1\npostern_doctor_endpoints{state=\"untested\"} 4\n"));
	assert_non_null(strstr(t.p, "postern_doctor_run_duration_seconds 1.234\n"));
	assert_null(strstr(t.p, "host=\"\""));
	text_clear(&t);
	doctor_exposition(&t, NULL);
	text_add(&t, span_of("", 1));
	for (const char *line = t.p; line && *line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL)
		assert_int_equal(*line, '#');
	text_clear(&t);
	free(r);
}

/* --- the plan --- */

static int
plan_of(const char *ini)
{
	struct report r;
	struct conf  *c;
	int           fd;

	report_init(&r);
	c = conf_load_memory("t.ini", span_str(ini), &r);
	assert_non_null(c);
	if (r.errors)
		report_print(&r, c, stderr);
	assert_int_equal(r.errors, 0);
	fd = doctor_plan_make(c, &r);
	if (r.errors)
		report_print(&r, c, stderr);
	assert_true(fd >= 0);
	conf_free(c);
	report_clear(&r);
	return fd;
}

static void
test_a_plan_is_read_as_it_was_made(void **state)
{
	int                       a = plan_of(EDGE "[doctor]\ninterval = 15m\nparallel = 7\nissuers = Corp One, Corp Two\n[parent other]\naddress = 192.0.2.8:80\n"
	                                           "[parent hq]\naddress = proxy.example.net:8080\n[rule x]\nhosts = a.example.net http://b.example.net\naction = bypass\nparent = hq other\n");
	int                       b = plan_of(EDGE "[doctor]\ninterval = 15m\n[rule x]\nhosts = a.example.net\naction = bypass\n");
	const struct doctor_plan *p = doctor_plan_map(a), *again = doctor_plan_map(a), *q = doctor_plan_map(b);
	struct doctor_settings    s;
	const char               *issuer[2];
	struct snapshot_secret    secret[DOCTOR_PARENTS_MAX] = {[1] = {.n = 7, .text = "Basic x"}};

	(void)state;
	assert_true(p && q && again);
	assert_true(doctor_plan_same(p, again));
	assert_false(doctor_plan_same(p, q));
	assert_int_equal(p->interval_ms, 900000);
	assert_int_equal(p->targets.n, 2);
	assert_true(p->n_parents == 2 && p->parent_number[0] == 1 && p->parent_number[1] == 0);
	assert_string_equal(doctor_plan_targets(p)[1].host, "b.example.net");
	assert_int_equal(doctor_plan_targets(p)[1].port, 80);
	assert_int_equal(p->issuers.n, 2);
	doctor_plan_settings(p, NULL, secret, issuer, &s);
	assert_true(s.n_parents == 2 && s.parent[0].present && s.parent[0].at.port == 8080 && strcmp(s.parent[0].host, "proxy.example.net") == 0);
	assert_true(strcmp(s.parent[0].name, "hq") == 0 && !s.parent[0].authorization && !s.parent[1].host && s.parent[1].at.port == 80);
	assert_string_equal(s.parent[1].authorization, "Basic x");
	assert_true(s.gateway.present && s.gateway.at.port == 3128 && !s.gateway.host);
	assert_string_equal(s.issuer[1], "Corp Two");
	assert_int_equal(s.parallel, 7);
	assert_true(s.roots.n > 1000);
	assert_int_equal(q->n_parents, 0);
	doctor_plan_settings(q, NULL, secret, issuer, &s);
	assert_int_equal(s.n_parents, 0);
	doctor_plan_unmap(p);
	doctor_plan_unmap(again);
	doctor_plan_unmap(q);
	close(a);
	close(b);
}

static void
test_other_bytes_are_no_plan(void **state)
{
	struct flat f;
	int         fd;

	(void)state;
	assert_null(doctor_plan_map(-1));
	for (size_t n = 1; n < 4 * sizeof(struct doctor_plan); n *= 3) {
		flat_init(&f);
		flat_add(&f, NULL, n, 8);
		fd = flat_seal(&f, "x");
		assert_null(doctor_plan_map(fd));
		close(fd);
		flat_clear(&f);
	}
	fd = memfd_create("x", MFD_CLOEXEC | MFD_ALLOW_SEALING); /* one that could still be changed */
	assert_int_equal(ftruncate(fd, 100000), 0);
	assert_null(doctor_plan_map(fd));
	close(fd);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_written_is_read),
		cmocka_unit_test(test_another_file_is_no_board),
		cmocka_unit_test(test_a_hostile_board_harms_no_reader),
		cmocka_unit_test(test_of_two_rows_for_one_way_one_is_read),
		cmocka_unit_test(test_an_endpoint_is_told_of_when_it_changes_and_only_then),
		cmocka_unit_test(test_the_text_counts_what_counts),
		cmocka_unit_test(test_a_plan_is_read_as_it_was_made),
		cmocka_unit_test(test_other_bytes_are_no_plan),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
