/* SPDX-License-Identifier: MIT */
/* What Prometheus reads: known counts come out under known names, and the text keeps the format's rules whatever is in it. */
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
#include "proc/metrics_text.h"

#define N(a) (sizeof(a) / sizeof *(a))
#define TOP  "[gateway]\nmax-connections = 100\n[listener edge]\naddress = 127.0.0.1:0\n[listener lab.2]\naddress = 127.0.0.1:0\n"

struct stand {
	int             fd, block;
	struct shared  *shared;
	struct metrics_view view;
};

static void
stand_set(struct stand *t, const char *ini)
{
	struct snapshot_inputs in = {.generation = 1, .workers = 2};
	struct parent_slots    slots = {0};
	struct report          r;
	struct conf           *c;
	struct slots          *numbers;

	*t = (struct stand){.fd = shared_create(2)};
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
	parents_assign(&slots, c, 1);
	t->block = block_built(c, &r, &in);
	t->view.shared = t->shared;
	t->view.snap = snapshot_open_names(t->block);
	assert_non_null(t->view.snap);
}

static void
stand_clear(struct stand *t)
{
	snapshot_unref((struct snapshot *)(uintptr_t)t->view.snap);
	shared_close(t->shared);
	close(t->fd);
	close(t->block);
}

/* As a string. */
static char *
text_of(const struct metrics_view *v)
{
	struct text t = {0};

	metrics_write(&t, v);
	assert_false(t.failed);
	text_add(&t, span_of("", 1));
	return t.p;
}

/* Is there such a line? */
static bool
has_line(const char *text, const char *line)
{
	size_t n = strlen(line);

	for (const char *p = text; (p = strstr(p, line)); p++)
		if ((p == text || p[-1] == '\n') && p[n] == '\n')
			return true;
	return false;
}

static void
count_things(struct shared *s)
{
	struct shared_worker *a = &s->worker[0], *b = &s->worker[1];

	a->counters.accepted = 5;
	b->counters.accepted = 7;
	a->counters.tunnels_open = 2;
	b->counters.by_action[ACTION_BYPASS] = 9;
	a->counters.by_fault[FAULT_DENIED] = 4;
	a->counters.failed[ACTION_BYPASS][FAILURE_CONNECT] = 3;
	b->counters.failed[ACTION_BYPASS][FAILURE_CONNECT] = 1;
	b->counters.failed[ACTION_TUNNEL][FAILURE_DNS] = 2;
	s->parents.v[0].down = 1;
	s->parents.v[0].used = 17;
	s->parents.v[0].failed = 3;
	s->parents.v[0].latency_us = 1500;
	a->counters.ring_written = 1000;
	s->logger.ring_taken[0] = 900;
	s->logger.ring_taken[1] = 1; /* it took more than its worker has told of */
	a->rule[1] = (struct rule_counters){.requests = 3, .open = 1, .bytes_in = 10, .bytes_out = 20, .last_real_us = 1000000500001};
	b->rule[1] = (struct rule_counters){.requests = 1, .last_real_us = 900000000000};
	b->rule[0].requests = 6;
	b->listener[2] = (struct listener_counters){.accepted = 8, .refused = 2, .requests = 11, .open = 1};
	histogram_add(&a->time[HISTOGRAM_CONNECT], 1000);
	histogram_add(&b->time[HISTOGRAM_CONNECT], 1001);
	histogram_add(&b->time[HISTOGRAM_CONNECT], 999000000);
	s->census.state = GATEWAY_SERVING;
	s->census.started_real_us = 1700000000000001;
	census_applied(s, 3);
	census_refused(s);
	s->census.n = 3;
	strcpy(s->census.process[0].name, "the logger");
	s->census.process[0].starts = 2;
	s->census.process[0].deaths = s->census.process[0].hangs = 1;
	strcpy(s->census.process[1].name, "worker 0");
	s->census.process[1].starts = 1;
	s->census.process[1].pid = 77;
	s->census.process[1].silent_s = 7;
	s->census.turned_mono_us = UINT64_MAX; /* just now, and read by a clock that was read before */
	strcpy(s->census.process[2].name, "auth ldap"); /* never started */
}

static void
test_what_is_counted_comes_out(void **state)
{
	static const char *const lines[] = {
		"postern_connections_accepted_total 12",
		"postern_tunnels_open 2",
		"postern_decisions_total{action=\"bypass\"} 9",
		"postern_faults_total{fault=\"denied\"} 4",
		"postern_failures_total{action=\"bypass\",kind=\"connect\"} 4",
		"postern_failures_total{action=\"tunnel\",kind=\"dns\"} 2",
		"postern_failures_total{action=\"deny\",kind=\"gateway\"} 0",
		"postern_parent_up{parent=\"head\"} 0",
		"postern_parent_connections_total{parent=\"head\"} 17",
		"postern_parent_failures_total{parent=\"head\"} 3",
		"postern_parent_latency_seconds{parent=\"head\"} 0.001500",
		"postern_parent_up{parent=\"branch\"} 1",
		"postern_log_ring_size_bytes 4194304",
		"postern_rule_requests_total{rule=\"first\"} 4",
		"postern_rule_requests_open{rule=\"first\"} 1",
		"postern_rule_received_bytes_total{rule=\"first\"} 10",
		"postern_rule_sent_bytes_total{rule=\"first\"} 20",
		"postern_rule_last_decision_timestamp_seconds{rule=\"first\"} 1000000.500001",
		"postern_rule_requests_total{rule=\"second\"} 0",
		"postern_rule_requests_total{rule=\"(none)\"} 6",
		"postern_listener_accepted_total{listener=\"edge\"} 0",
		"postern_listener_accepted_total{listener=\"lab.2\"} 8",
		"postern_listener_refused_total{listener=\"lab.2\"} 2",
		"postern_listener_connections_open{listener=\"lab.2\"} 1",
		"postern_connect_duration_seconds_bucket{le=\"0.001\"} 1",
		"postern_connect_duration_seconds_bucket{le=\"0.002\"} 2",
		"postern_connect_duration_seconds_bucket{le=\"300\"} 2",
		"postern_connect_duration_seconds_bucket{le=\"+Inf\"} 3",
		"postern_connect_duration_seconds_sum 999.002001",
		"postern_connect_duration_seconds_count 3",
		"postern_log_ring_bytes{worker=\"0\"} 100",
		"postern_log_ring_bytes{worker=\"1\"} 0",
		"postern_process_up{process=\"logger\"} 0",
		"postern_process_deaths_total{process=\"logger\"} 1",
		"postern_process_up{process=\"worker 0\"} 1",
		"postern_process_hangs_total{process=\"logger\"} 1",
		"postern_process_silent_seconds{process=\"worker 0\"} 7",
		"postern_parent_silent_seconds 0",
		"postern_start_timestamp_seconds 1700000000.000001",
		"postern_config_generation 3",
		"postern_config_reloads_total 1",
		"postern_config_reloads_refused_total 1",
		"postern_config_last_reload_successful 0",
		"postern_connections_limit 200",
		"postern_ca_certificate_expiry_timestamp_seconds 1800000000",
		"postern_listener_certificate_expiry_timestamp_seconds{listener=\"edge\"} 1900000000",
		"postern_draining 0",
		"postern_admin_refused_total 13",
		"postern_build_info{version=\"" PACKAGE_VERSION "\"} 1",
	};
	struct stand t;
	char        *text;

	(void)state;
	stand_set(&t, TOP "[parent head]\naddress = 127.0.0.1:1\n[parent branch]\naddress = 127.0.0.1:2\n"
	                  "[rule first]\naction = deny\nhosts = a.example\n[rule second]\naction = deny\nhosts = b.example\n");
	count_things(t.shared);
	t.view.ca_until = 1800000000;
	t.view.listener_until[0] = 1900000000;
	t.view.strangers = 13;
	text = text_of(&t.view);
	for (size_t i = 0; i < N(lines); i++)
		if (!has_line(text, lines[i]))
			fail_msg("no line %s in:\n%s", lines[i], text);
	assert_null(strstr(text, "auth ldap"));
	assert_null(strstr(text, "backend=")); /* none is asked */
	free(text);
	stand_clear(&t);
}

/* Every sample follows its family's HELP and TYPE, no family comes twice, no series either, and counters are called so. */
static void
judge_format(char *text)
{
	char        family[100] = "", type[20] = "", *line, *rest = text;
	char      **seen = calloc(20000, sizeof *seen);
	size_t      n = 0;

	assert_int_equal(text[strlen(text) - 1], '\n');
	while ((line = strsep(&rest, "\n")) && *line) {
		if (strncmp(line, "# HELP ", 7) == 0) {
			assert_int_equal(sscanf(line, "# HELP %99s", family), 1);
			type[0] = '\0';
			seen[n++] = line;
		} else if (strncmp(line, "# TYPE ", 7) == 0) {
			char named[100];
			assert_int_equal(sscanf(line, "# TYPE %99s %19s", named, type), 2);
			assert_string_equal(named, family);
			assert_int_equal(strcmp(type, "counter") == 0, strlen(family) > 6 && strcmp(family + strlen(family) - 6, "_total") == 0);
		} else {
			char *value = strrchr(line, ' ');
			assert_true(type[0] != '\0');
			assert_memory_equal(line, family, strlen(family));
			assert_memory_equal(line, "postern_", 8);
			assert_non_null(value);
			*value = '\0';
			assert_true(value[1] >= '0' && value[1] <= '9');
			seen[n++] = line;
		}
		assert_true(n < 20000);
	}
	for (size_t i = 0; i + 1 < n; i++)
		for (size_t k = i + 1; k < n; k++)
			if (seen[i][0] == seen[k][0] && strcmp(seen[i], seen[k]) == 0)
				fail_msg("twice: %s", seen[i]);
	free(seen);
}

static void
test_the_format_holds(void **state)
{
	static const char *const inis[] = {
		TOP,
		TOP "[rule none]\naction = deny\n[rule other]\naction = deny\nhosts = a.example\n",
		TOP "[auth]\ndomain = winbind\nbasic = pam\n[rule a]\naction = deny\nusers = x\n",
	};

	(void)state;
	for (size_t i = 0; i < N(inis); i++) {
		struct stand t;
		char        *text;
		stand_set(&t, inis[i]);
		count_things(t.shared);
		text = text_of(&t.view);
		judge_format(text);
		free(text);
		stand_clear(&t);
	}
}

static void
test_before_the_first_configuration(void **state)
{
	struct stand    t;
	char           *text;

	(void)state;
	stand_set(&t, TOP);
	snapshot_unref((struct snapshot *)(uintptr_t)t.view.snap);
	t.view.snap = NULL;
	text = text_of(&t.view);
	assert_true(has_line(text, "postern_config_generation 0"));
	free(text);
	stand_clear(&t);
}

static char *
many_rules(unsigned n)
{
	char  *ini = malloc(100 + sizeof TOP + n * 60ul);
	size_t used;

	assert_non_null(ini);
	used = (size_t)sprintf(ini, TOP);
	for (unsigned i = 0; i < n; i++)
		used += (size_t)sprintf(ini + used, "[rule r%u]\nhosts = h%u.example\naction = deny\n", i, i);
	return ini;
}

static void
test_rules_beyond_the_most_count_together(void **state)
{
	char        *ini = many_rules(METRICS_RULES + 3), *text;
	struct stand t;

	(void)state;
	stand_set(&t, ini);
	for (unsigned i = 0; i < 3; i++)
		t.shared->worker[i % 2].rule[policy_rule_way(t.view.snap->policy, METRICS_RULES + i)->slot].requests = 100 + i;
	text = text_of(&t.view);
	assert_true(has_line(text, "postern_rule_requests_total{rule=\"r999\"} 0"));
	assert_null(strstr(text, "r1000"));
	assert_true(has_line(text, "postern_rule_requests_total{rule=\"(other)\"} 303"));
	judge_format(text);
	free(text);
	free(ini);
	stand_clear(&t);
}

static void
test_a_thousand_rules_are_written_fast(void **state)
{
	char        *ini = many_rules(1000);
	uint64_t     best = UINT64_MAX;
	struct stand t;

	(void)state;
	stand_set(&t, ini);
	for (unsigned i = 0; i < 20; i++) {
		struct text text = {0};
		uint64_t    at = cpu_ns(), took;
		metrics_write(&text, &t.view);
		took = cpu_ns() - at;
		best = took < best ? took : best;
		text_clear(&text);
	}
	print_message("1,000 rules: %.2f ms\n", (double)best / 1e6);
	assert_true(best < 50000000); /* sanitizers and all */
	free(ini);
	stand_clear(&t);
}

/* A rule keeps what it counted when others come and go around it; a number that changes hands begins at nothing. */
static void
test_numbers_follow_names(void **state)
{
	struct stand  t;
	struct report r;
	struct conf  *c;
	struct slots *numbers;
	uint32_t      b;

	(void)state;
	stand_set(&t, TOP "[rule a]\naction = deny\nhosts = a.example\n[rule b]\naction = deny\nhosts = b.example\n");
	b = policy_rule_way(t.view.snap->policy, 1)->slot;
	t.shared->worker[1].rule[b].requests = 5;
	report_init(&r);
	c = conf_load_memory("test", SPAN(TOP "[rule new]\naction = deny\nhosts = c.example\n[rule b]\naction = deny\nhosts = b.example\n"), &r);
	assert_non_null(c);
	numbers = census_number(t.shared, c, 2);
	assert_non_null(numbers);
	assert_int_equal(TAILQ_NEXT(TAILQ_FIRST(&c->rules), link)->slot, b);
	assert_int_not_equal(TAILQ_FIRST(&c->rules)->slot, b);
	census_renumber(t.shared, numbers);
	assert_int_equal(t.shared->worker[1].rule[b].requests, 5);
	/* another name has the number, but counts under it only when its configuration is in use */
	strcpy(numbers->rule[b].name, "another");
	assert_int_equal(t.shared->worker[1].rule[b].requests, 5);
	census_renumber(t.shared, numbers);
	assert_int_equal(t.shared->worker[1].rule[b].requests, 0);
	free(numbers);
	conf_free(c);
	report_clear(&r);
	stand_clear(&t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_counted_comes_out),
		cmocka_unit_test(test_the_format_holds),
		cmocka_unit_test(test_before_the_first_configuration),
		cmocka_unit_test(test_rules_beyond_the_most_count_together),
		cmocka_unit_test(test_a_thousand_rules_are_written_fast),
		cmocka_unit_test(test_numbers_follow_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
