/* SPDX-License-Identifier: MIT */
/* The status: known counts come out as a known JSON and in the page, what comes from outside is text in both, and a thousand rules do not make it long. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "conf/load.h"
#include "built.h"
#include "cost.h"
#include "proc/census.h"
#include "proc/status.h"

#define N(a) (sizeof(a) / sizeof *(a))
#define TOP  "[listener edge]\naddress = 127.0.0.1:0\n"
#define HOSTILE "</td><script>alert(1)</script><img src='x' onerror=\"x\">\\&\n\xff"

struct stand {
	int                 fd, block;
	struct shared      *shared;
	struct metrics_view view;
	struct history     *past;
	struct status       status;
};

static void
stand_set(struct stand *t, const char *ini)
{
	struct snapshot_inputs in = {.generation = 1, .workers = 2};
	struct report          r;
	struct conf           *c;
	struct slots          *numbers;

	memset(t, 0, sizeof *t);
	t->fd = shared_create(2);
	t->shared = shared_open(t->fd);
	assert_non_null(t->shared);
	report_init(&r);
	c = conf_load_memory("test", span_str(ini), &r);
	assert_non_null(c);
	census_begin(t->shared);
	numbers = census_number(t->shared, c, 1);
	assert_non_null(numbers);
	census_renumber(t->shared, numbers);
	free(numbers);
	t->block = block_built(c, &r, &in);
	t->view.shared = t->shared;
	t->view.snap = snapshot_open_names(t->block);
	assert_non_null(t->view.snap);
	t->past = calloc(1, sizeof *t->past);
	assert_non_null(t->past);
}

static void
stand_clear(struct stand *t)
{
	status_clear(&t->status);
	snapshot_unref((struct snapshot *)(uintptr_t)t->view.snap);
	shared_close(t->shared);
	close(t->fd);
	close(t->block);
	free(t->past);
}

/* As a string. */
static char *
written(const struct status *s, void (*writer)(struct text *, const struct status *))
{
	struct text t = {0};

	writer(&t, s);
	assert_false(t.failed);
	text_add(&t, span_of("", 1));
	return t.p;
}

static const char golden[] =
    "{\"now\":1000,\n"
    "\"gateway\":{\"state\":\"ready\",\"version\":\"" PACKAGE_VERSION "\",\"started\":100,\"generation\":1,\"applied\":200,\"last_reload\":\"none yet\",\"reloads\":0,\"reloads_refused\":0},\n"
    "\"traffic\":{\"tunnels\":2,\"connections\":7,\"decided_per_second\":4.500,\"faults_per_second\":2,\"received_per_second\":0,\"sent_per_second\":0},\n"
    "\"latency\":{\"connect_p50_ms\":1.500,\"connect_p95_ms\":1.950,\"request_p50_ms\":null,\"request_p95_ms\":null},\n"
    "\"totals\":{\"accepted\":12,\"refused_unread\":0,\"refused_limit\":0,\"requests\":3,\"tunnels\":0,\"received\":0,\"sent\":0,\"guard_closed\":0,\"queued\":0,\"accept_pauses\":0},\n"
    "\"suggest\":{\"rejected_certificate\":0,\"wanted_certificate\":0,\"no_logon\":0},\n"
    "\"logs\":{\"lines\":5,\"bytes\":0,\"dropped\":0,\"ring_dropped\":0,\"errors\":0},\n"
    "\"policy\":{\"rules\":2,\"unused\":1},\n"
    "\"doctor\":{\"state\":\"off\",\"last\":null,\"next_in_s\":null,\"tested\":0,\"bad\":0,\"untested\":0},\n"
    "\"point\":{\"tunnels\":2,\"connections\":7,\"bypass\":4.500,\"tunnel\":0,\"inspect\":0,\"deny\":0,\"refused\":2,\"log_on\":0,\"server\":0,\"client\":0,\"received\":0,\"sent\":0,"
    "\"connect_p50\":1.500,\"connect_p95\":1.950,\"request_p50\":null,\"request_p95\":null},"
    "\"actions\":[\n{\"action\":\"bypass\",\"per_second\":4.500,\"requests\":9},\n{\"action\":\"tunnel\",\"per_second\":0,\"requests\":0},\n"
    "{\"action\":\"inspect\",\"per_second\":0,\"requests\":0},\n{\"action\":\"deny\",\"per_second\":0,\"requests\":0}],"
    "\"faults\":[\n{\"fault\":\"denied\",\"sentence\":\"The policy of this network does not allow this request.\",\"recent\":4,\"requests\":4}],"
    "\"hosts\":[\n{\"host\":\"a.example\",\"requests\":3,\"denied\":1,\"bytes\":77}],\"clients\":[],"
    "\"rules\":[\n{\"number\":2,\"rule\":\"second\",\"state\":\"used\",\"requests\":6,\"open\":1,\"last\":990,\"received\":10,\"sent\":20},\n"
    "{\"number\":1,\"rule\":\"first\",\"state\":\"unused\",\"requests\":0,\"open\":0,\"last\":null,\"received\":0,\"sent\":0}],"
    "\"listeners\":[\n{\"listener\":\"edge\",\"open\":1,\"accepted\":8,\"refused\":2,\"requests\":11}],"
    "\"parents\":[],"
    "\"processes\":[\n{\"process\":\"logger\",\"state\":\"down\",\"pid\":null,\"since\":null,\"starts\":2,\"deaths\":1,\"hangs\":1},\n"
    "{\"process\":\"worker 0\",\"state\":\"silent\",\"pid\":77,\"since\":300,\"starts\":1,\"deaths\":0,\"hangs\":0}],"
    "\"back_ends\":[],"
    "\"lists\":[],"
    "\"endpoints\":[]}\n";

static void
count_things(struct stand *t)
{
	struct shared_worker *a = &t->shared->worker[0], *b = &t->shared->worker[1];
	struct census        *c = &t->shared->census;
	struct top_list       list = {.at_us = clock_mono_us(), .n = 1};

	a->counters.accepted = 5;
	b->counters.accepted = 7;
	a->counters.open = 7;
	b->counters.tunnels_open = 2;
	a->counters.requests = 3;
	history_add(t->past, t->shared, 1000000);
	b->counters.by_action[ACTION_BYPASS] = 9;
	a->counters.by_fault[FAULT_DENIED] = 4;
	for (unsigned i = 0; i < 10; i++)
		histogram_add(&b->time[HISTOGRAM_CONNECT], 1500);
	history_add(t->past, t->shared, 3000000);
	b->rule[2] = (struct rule_counters){.requests = 6, .open = 1, .bytes_in = 10, .bytes_out = 20, .last_real_us = 990000000};
	b->listener[1] = (struct listener_counters){.accepted = 8, .refused = 2, .requests = 11, .open = 1};
	t->shared->logger.lines = 5;
	c->state = GATEWAY_SERVING;
	c->started_real_us = 100000000;
	c->reloaded_real_us = 200000000;
	c->generation = 1;
	c->n = 3;
	strcpy(c->process[0].name, "the logger");
	c->process[0].starts = 2;
	c->process[0].deaths = c->process[0].hangs = 1;
	strcpy(c->process[1].name, "worker 0");
	c->process[1].starts = 1;
	c->process[1].pid = 77;
	c->process[1].silent_s = 7;
	c->process[1].since_real_us = 300000000;
	strcpy(c->process[2].name, "auth ldap"); /* never started */
	strcpy(list.row[0].name, "a.example");
	list.row[0].requests = 3;
	list.row[0].denied = 1;
	list.row[0].bytes = 77;
	top_publish(&t->shared->hosts, &list);
	list.at_us = 1; /* long ago: nobody comes any more */
	top_publish(&t->shared->clients, &list);
}

static void
test_what_is_counted_comes_out_in_both(void **state)
{
	static const char *const pieces[] = {
		"<b data-figure=\"gateway.state\" data-kind=\"word\" data-is=\"ready\">ready</b>",
		"<dd data-figure=\"traffic.tunnels\" data-kind=\"count\">2</dd>",
		"<dd data-figure=\"traffic.decided_per_second\" data-kind=\"rate\">4.5/s</dd>",
		"<dd data-figure=\"latency.connect_p95_ms\" data-kind=\"ms\">1.9\xc2\xa0ms</dd>",
		"<dd data-figure=\"latency.request_p95_ms\" data-kind=\"ms\">\xe2\x80\x93</dd>",
		"<th scope=\"row\" class=\"text\">a.example</th><td class=\"count\">3</td><td class=\"count\">1</td><td class=\"bytes minor\">77\xc2\240B</td>",
		"<tr data-is=\"unused\"><td class=\"number minor\">1</td><th scope=\"row\" class=\"text\">first</th>",
		"<td class=\"ago\">10\xc2\xa0s ago</td>",
		"<td class=\"ago\">never</td>",
		"<tr data-is=\"down\"><th scope=\"row\" class=\"text\">logger</th>",
		"<td class=\"since\">11\xc2\xa0min</td>",
	};
	struct stand t;
	char        *json, *page;

	(void)state;
	stand_set(&t, TOP "[rule first]\naction = deny\nhosts = a.example\n[rule second]\naction = deny\nhosts = b.example\n");
	count_things(&t);
	status_gather(&t.status, &t.view, t.past, STATUS_RULES);
	assert_false(t.status.failed);
	t.status.now_s = 1000;
	json = written(&t.status, status_json);
	assert_string_equal(json, golden);
	page = written(&t.status, status_page);
	for (size_t i = 0; i < N(pieces); i++)
		if (!strstr(page, pieces[i]))
			fail_msg("no %s in:\n%s", pieces[i], page);
	assert_null(strstr(page, "data-table=\"parents\"")); /* none are configured */
	free(json);
	free(page);
	stand_clear(&t);
}

/* Before the first look at the counters, without a snapshot, without anything. */
static void
test_nothing_counted_is_no_trouble(void **state)
{
	struct stand t;
	char        *text;

	(void)state;
	stand_set(&t, TOP "[rule first]\naction = deny\n");
	status_gather(&t.status, &t.view, t.past, STATUS_RULES);
	text = written(&t.status, status_json);
	assert_non_null(strstr(text, "\"point\":null,"));
	free(text);
	status_clear(&t.status);
	snapshot_unref((struct snapshot *)(uintptr_t)t.view.snap);
	t.view.snap = NULL;
	status_gather(&t.status, &t.view, t.past, STATUS_RULES);
	text = written(&t.status, status_page);
	assert_non_null(strstr(text, "<dd data-figure=\"traffic.tunnels\" data-kind=\"count\">0</dd>"));
	free(text);
	stand_clear(&t);
}

static void
test_what_comes_from_outside_stays_text(void **state)
{
	struct top_list list = {.n = 1, .row[0].requests = 1};
	struct stand    t;
	char           *text;

	(void)state;
	stand_set(&t, TOP "[rule first]\naction = deny\n");
	list.at_us = clock_mono_us();
	strcpy(list.row[0].name, HOSTILE);
	top_publish(&t.shared->hosts, &list);
	status_gather(&t.status, &t.view, t.past, STATUS_RULES);
	text = written(&t.status, status_page);
	assert_null(strstr(text, "alert(1)</script>"));
	assert_null(strstr(text, "<img"));
	assert_non_null(strstr(text, "&lt;/td&gt;&lt;script&gt;alert(1)&lt;/script&gt;&lt;img src=&#39;x&#39; onerror=&quot;x&quot;&gt;\\&amp;?"));
	free(text);
	text = written(&t.status, status_json);
	assert_non_null(strstr(text, "onerror=\\\"x\\\">\\\\&\\u000a\\u00ff\""));
	free(text);
	stand_clear(&t);
}

/* The busiest are on the page, all of them on the other; and the figures say how many there are. */
static void
test_a_thousand_rules_are_bounded(void **state)
{
	static char  ini[100000];
	size_t       n = (size_t)snprintf(ini, sizeof ini, TOP);
	struct stand t;
	char        *text;

	(void)state;
	for (unsigned i = 0; i < 1000; i++)
		n += (size_t)snprintf(ini + n, sizeof ini - n, "[rule r%u]\naction = deny\nhosts = h%u.example\n", i, i);
	stand_set(&t, ini);
	for (unsigned i = 0; i < 150; i++)
		t.shared->worker[0].rule[i + 101] = (struct rule_counters){.requests = 1 + i, .last_real_us = 1000000};
	status_gather(&t.status, &t.view, t.past, STATUS_RULES);
	assert_int_equal(t.status.table[STATUS_RULES_TABLE].n, STATUS_RULES);
	assert_int_equal(t.status.rules, 1000);
	assert_int_equal(t.status.rules_unused, 850);
	text = written(&t.status, status_page);
	assert_non_null(strstr(text, "<a href=\"/rules\">"));
	assert_non_null(strstr(text, ">r249<"));
	assert_non_null(strstr(text, ">r150<"));
	assert_null(strstr(text, ">r149<"));
	free(text);
	status_clear(&t.status);
	status_gather(&t.status, &t.view, t.past, UINT32_MAX);
	text = written(&t.status, status_rules_page);
	assert_non_null(strstr(text, ">r0<"));
	assert_non_null(strstr(text, ">r999<"));
	assert_null(strstr(text, "<script"));
	free(text);
	stand_clear(&t);
}

static void
test_quantiles_lie_between_their_bounds(void **state)
{
	static const struct {
		uint64_t us;
		unsigned per_thousand;
		uint64_t from, to;
	} rows[] = {{500, 500, 0, 1000}, {1500, 950, 1000, 2000}, {40000, 500, 20000, 50000}, {299000000, 999, 60000000, 300000000}, {900000000, 500, 300000000, 300000000}};
	struct histogram h = {0};

	(void)state;
	assert_int_equal(histogram_quantile(h.bucket, 500), POINT_NONE);
	for (size_t i = 0; i < N(rows); i++) {
		uint64_t q;
		memset(&h, 0, sizeof h);
		for (unsigned k = 0; k < 100; k++)
			histogram_add(&h, rows[i].us);
		q = histogram_quantile(h.bucket, rows[i].per_thousand);
		assert_true(q >= rows[i].from && q <= rows[i].to);
	}
	/* 90 quick ones and 10 slow ones */
	memset(&h, 0, sizeof h);
	for (unsigned k = 0; k < 100; k++)
		histogram_add(&h, k < 90 ? 500 : 4000000);
	assert_true(histogram_quantile(h.bucket, 500) <= 1000);
	assert_true(histogram_quantile(h.bucket, 950) > 2000000);
}

/* The oldest points go; rates are over the time that passed, and a counter that went back (a rule's number given anew, a worker's own) is no flood. */
static void
test_the_past_is_bounded(void **state)
{
	struct text  text = {0};
	struct stand t;
	struct point p;
	uint64_t     began;

	(void)state;
	stand_set(&t, TOP "[rule first]\naction = deny\n");
	for (unsigned i = 0; i < HISTORY_POINTS + 50; i++) {
		t.shared->worker[0].counters.by_action[ACTION_TUNNEL] += 10;
		t.shared->worker[0].counters.tunnels_open = i;
		history_add(t.past, t.shared, 2000000 * (uint64_t)i);
	}
	assert_true(history_point(t.past, 0, &p));
	assert_int_equal(p.v[POINT_TUNNELS], 50000);
	began = cpu_ns();
	history_json(&text, t.past);
	assert_true(cpu_ns() - began < 20000000); /* far less without sanitizers */
	assert_false(text.failed);
	text_clear(&text);
	assert_true(history_point(t.past, HISTORY_POINTS - 1, &p));
	assert_int_equal(p.v[POINT_TUNNELS], (HISTORY_POINTS + 49) * 1000);
	assert_int_equal(p.v[POINT_TUNNEL], 5000);
	assert_false(history_point(t.past, HISTORY_POINTS, &p));
	t.shared->worker[0].counters.by_action[ACTION_TUNNEL] = 0;
	history_add(t.past, t.shared, 2000000 * (uint64_t)(HISTORY_POINTS + 50));
	assert_true(history_point(t.past, HISTORY_POINTS - 1, &p));
	assert_int_equal(p.v[POINT_TUNNEL], 0);
	stand_clear(&t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_counted_comes_out_in_both),
		cmocka_unit_test(test_nothing_counted_is_no_trouble),
		cmocka_unit_test(test_what_comes_from_outside_stays_text),
		cmocka_unit_test(test_a_thousand_rules_are_bounded),
		cmocka_unit_test(test_quantiles_lie_between_their_bounds),
		cmocka_unit_test(test_the_past_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
