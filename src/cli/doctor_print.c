/* SPDX-License-Identifier: MIT */
/*
 * doctor_print: what `postern doctor` found, for people: a table, what exactly is wrong, and what to do about it; and the one line of a monitoring plugin.
 * Everything that came from outside goes through cli_print.
 */
#include <stdlib.h>

#include "cli/cli.h"
#include "cli/doctor.h"
#include "doctor/advice.h"
#include "parse/authority.h"

#define CELL  17
#define WIDE  120 /* columns of a sentence */
#define SHOWN 3   /* endpoints named in a monitoring plugin's line */

static uint64_t
total_ms(const struct doctor_row *r)
{
	const uint32_t ms[] = {r->dns_ms, r->tcp_ms, r->proxy_ms, r->tls_ms, r->http_ms};
	uint64_t       sum = 0;

	for (size_t i = 0; i < sizeof ms / sizeof *ms; i++)
		sum += ms[i] == UINT32_MAX ? 0 : ms[i];
	return sum;
}

static void
name_print(FILE *to, const struct doctor_target *t)
{
	if (t->no_probe) {
		cli_print(to, span_str(t->pattern));
		return;
	}
	fputs(t->scheme == SCHEME_HTTP ? "http://" : "", to);
	cli_print(to, span_str(t->host));
	if (t->port != (t->scheme == SCHEME_HTTP ? 80 : 443))
		fprintf(to, ":%u", t->port);
}

static size_t
name_width(const struct doctor_target *t)
{
	return strlen(t->no_probe ? t->pattern : t->host) + (!t->no_probe && t->scheme == SCHEME_HTTP ? 7 : 0) +
	       (t->no_probe || t->port == (t->scheme == SCHEME_HTTP ? 80 : 443) ? 0 : t->port < 100 ? 3 : t->port < 1000 ? 4 : t->port < 10000 ? 5 : 6);
}

static bool
way_is_used(const struct checkup *c, unsigned w)
{
	return w == DOCTOR_DIRECT || (w == DOCTOR_PARENT ? &c->set.parent : &c->set.gateway)->present;
}

/* --- the table --- */

static void
cell_print(const struct doctor_row *r, bool last)
{
	char text[40];

	if (r->fault == DOCTOR_NOT_TRIED)
		snprintf(text, sizeof text, "-");
	else if (r->fault == DOCTOR_OK)
		snprintf(text, sizeof text, "ok %llu ms", (unsigned long long)total_ms(r));
	else
		snprintf(text, sizeof text, "%s", doctor_fault_word(r->fault));
	if (last)
		puts(text);
	else
		printf("%-*s", CELL, text);
}

static void
place_print(const struct doctor_proxy *p)
{
	char text[ENDPOINT_TEXT_MAX];

	cli_print(stdout, span_str(p->name ? p->name : ""));
	if (p->host) {
		printf(" (%s:%u)", p->host, p->at.port);
		return;
	}
	endpoint_print(&p->at, text);
	printf(" (%s)", text);
}

static void
heading_print(const struct checkup *c, size_t width)
{
	printf("%zu endpoint%s, each directly", c->n, c->n == 1 ? "" : "s");
	if (c->set.parent.present) {
		fputs(", through parent ", stdout);
		place_print(&c->set.parent);
	}
	if (c->set.gateway.present) {
		fputs(", through the gateway at ", stdout);
		place_print(&c->set.gateway);
	}
	puts("\n");
	printf("%-*s", (int)width, "ENDPOINT");
	fputs("DIRECT", stdout);
	if (c->set.parent.present)
		printf("%*sPARENT", CELL - 6, "");
	if (c->set.gateway.present)
		printf("%*sGATEWAY", CELL - 6, "");
	putchar('\n');
}

static void
table_print(const struct checkup *c)
{
	size_t   width = 8;
	unsigned last = 0;

	for (size_t t = 0; t < c->n; t++)
		width = name_width(&c->target[t]) > width ? name_width(&c->target[t]) : width;
	for (unsigned w = 0; w < DOCTOR_WAYS; w++)
		last = way_is_used(c, w) ? w : last;
	width += 2;
	heading_print(c, width);
	for (size_t t = 0; t < c->n; t++) {
		name_print(stdout, &c->target[t]);
		printf("%*s", (int)(width - name_width(&c->target[t])), "");
		for (unsigned w = 0; w < DOCTOR_WAYS; w++)
			if (way_is_used(c, w))
				cell_print(&c->row[t * DOCTOR_WAYS + w], w == last);
	}
}

/* --- what exactly --- */

/* Where one cause strikes many, or in more ways than one, it is told once; the table has them all. */
static bool
is_alike(const struct doctor_row *a, const struct doctor_row *b)
{
	return a->fault == b->fault && strcmp(a->detail, b->detail) == 0;
}

/* The ways of this row's endpoint that are as this one, a bit each. */
static unsigned
ways_alike(const struct checkup *c, const struct doctor_row *r)
{
	unsigned ways = 0;

	for (unsigned w = 0; w < DOCTOR_WAYS; w++)
		ways |= is_alike(&c->row[(size_t)r->target * DOCTOR_WAYS + w], r) ? 1u << w : 0;
	return ways;
}

static bool
is_same(const struct checkup *c, const struct doctor_row *a, const struct doctor_row *b)
{
	return is_alike(a, b) && c->target[a->target].no_probe == c->target[b->target].no_probe && ways_alike(c, a) == ways_alike(c, b);
}

static bool
was_said(const struct checkup *c, const struct doctor_row *r)
{
	for (const struct doctor_row *o = c->row; o < r; o++)
		if (is_same(c, o, r))
			return true;
	return false;
}

static size_t
same_count(const struct checkup *c, const struct doctor_row *r)
{
	size_t n = 0;

	for (const struct doctor_row *o = r + 1; o < c->row + c->n * DOCTOR_WAYS; o++)
		n += o->way == r->way && is_same(c, o, r);
	return n;
}

static void
ways_print(unsigned ways)
{
	bool more = false;

	for (unsigned w = 0; w < DOCTOR_WAYS; w++)
		if (ways & 1u << w) {
			printf("%s%s", more ? " and " : ", ", doctor_way_word((enum doctor_way)w));
			more = true;
		}
}

static void
row_explain(const struct checkup *c, const struct doctor_row *r)
{
	const struct doctor_target *t = &c->target[r->target];
	size_t                      others = same_count(c, r);
	char                        address[ADDR_TEXT_MAX];

	fputs("  ", stdout);
	if (others && others + 1 == c->n)
		printf("all %zu endpoints", c->n);
	else
		name_print(stdout, t);
	if (others && others + 1 < c->n)
		printf(" and %zu more", others);
	if (t->no_probe) {
		fputs(": ", stdout);
		cli_print(stdout, span_str(r->detail));
		printf(", %s\n", t->where);
		return;
	}
	ways_print(ways_alike(c, r));
	printf(": %s: ", doctor_fault_word(r->fault));
	cli_print(stdout, span_str(r->detail));
	if (!others && r->has_address && r->way == DOCTOR_DIRECT && r->step > DOCTOR_STEP_TCP) {
		addr_print(&r->address, address);
		printf(" [%s]", address);
	}
	if (!others && r->cname[0]) {
		fputs(" [CNAME ", stdout);
		cli_print(stdout, span_str(r->cname));
		fputs("]", stdout);
	}
	putchar('\n');
}

/* Failures, what is slow, what cannot be tested, and what is well but not all alike. */
static bool
has_finding(const struct checkup *c, const struct doctor_row *r)
{
	if (c->target[r->target].no_probe)
		return r->way == DOCTOR_DIRECT;
	return doctor_is_bad(r->fault) || r->fault == DOCTOR_SLOW || (r->fault == DOCTOR_OK && r->detail[0]);
}

static void
findings_print(const struct checkup *c)
{
	bool any = false;

	for (size_t i = 0; i < c->n * DOCTOR_WAYS; i++) {
		const struct doctor_row *r = &c->row[i];
		if (!has_finding(c, r) || was_said(c, r))
			continue;
		fputs(any ? "" : "\nWhat was found:\n", stdout);
		any = true;
		row_explain(c, r);
	}
}

/* --- what to do --- */

/* A fixed text of ours behind `used` columns, its further lines `indent` deep. */
static void
sentence_print(const char *text, size_t used, size_t indent)
{
	for (bool first = true; *text; first = false) {
		size_t n = strcspn(text, " ");
		if (!first && used + n + 1 > WIDE) {
			printf("\n%*s", (int)indent, "");
			used = indent;
		} else if (!first) {
			putchar(' ');
			used++;
		}
		printf("%.*s", (int)n, text);
		used += n;
		text += n + (text[n] == ' ');
	}
	putchar('\n');
}

static void
advice_print(const struct checkup *c, enum doctor_side side)
{
	const char *said[DOCTOR_FAULTS * DOCTOR_WAYS];
	size_t      n_said = 0;
	bool        begun = false;

	for (size_t i = 0; i < c->n * DOCTOR_WAYS; i++) {
		const struct doctor_row *r = &c->row[i];
		const char              *todo = doctor_advice(r->fault, r->way);
		size_t                   k = 0;
		if (doctor_side_of(r->fault) != side || !doctor_counts(r, c->set.parent.present))
			continue;
		while (k < n_said && said[k] != todo)
			k++;
		if (k < n_said)
			continue;
		said[n_said++] = todo;
		if (!begun)
			printf("  %s:\n", doctor_side_word(side));
		begun = true;
		printf("    %s: ", doctor_fault_word(r->fault));
		sentence_print(todo, 6 + strlen(doctor_fault_word(r->fault)), 6);
	}
}

static void
symptoms_print(const struct checkup *c)
{
	const char *said[16];
	size_t      n_said = 0;

	for (size_t t = 0; t < c->n; t++) {
		const char *symptom = checkup_worst(c, t) ? doctor_symptom(&c->target[t]) : NULL;
		size_t      k = 0;
		while (k < n_said && said[k] != symptom)
			k++;
		if (!symptom || k < n_said || n_said == sizeof said / sizeof *said)
			continue;
		said[n_said++] = symptom;
		fputs(n_said == 1 ? "\nWhat Windows shows:\n" : "", stdout);
		fputs("  ", stdout);
		name_print(stdout, &c->target[t]);
		fputs(": ", stdout);
		sentence_print(symptom, 4 + name_width(&c->target[t]), 4);
	}
}

void
checkup_print(const struct checkup *c)
{
	struct checkup_sum sum = checkup_sum(c);

	table_print(c);
	findings_print(c);
	if (sum.failing) {
		puts("\nWhat to do:");
		for (unsigned s = DOCTOR_SIDE_NONE + 1; s < DOCTOR_SIDES; s++)
			advice_print(c, s);
		symptoms_print(c);
	}
	if (c->more)
		printf("\n%zu more endpoints were not tested: %u at most are\n", c->more, DOCTOR_TARGETS_MAX);
	printf("\n%zu of %zu endpoints fail", sum.failing, c->n);
	if (sum.slow)
		printf(", %zu %s slow", sum.slow, sum.slow == 1 ? "is" : "are");
	if (sum.unknown)
		printf(", %zu could not be tested", sum.unknown);
	printf(" (%llu.%llu s)\n", (unsigned long long)c->took_ms / 1000, (unsigned long long)c->took_ms % 1000 / 100);
}

/* --- a monitoring plugin's line --- */

int
checkup_print_nagios(const struct checkup *c)
{
	struct checkup_sum sum = checkup_sum(c);
	int                code = sum.failing ? 2 : sum.slow || sum.unknown || c->more ? 1 : 0;
	size_t             shown = 0;

	printf("POSTERN %s - %zu of %zu endpoints fail", code == 2 ? "CRITICAL" : code == 1 ? "WARNING" : "OK", sum.failing, c->n);
	for (size_t t = 0; t < c->n && shown < SHOWN; t++) {
		const struct doctor_row *r = checkup_worst(c, t);
		if (!r)
			continue;
		fputs(shown++ ? ", " : ": ", stdout);
		name_print(stdout, &c->target[t]);
		printf(" %s %s", doctor_way_word(r->way), doctor_fault_word(r->fault));
	}
	if (sum.failing > shown)
		fputs(" ...", stdout);
	printf(" | endpoints=%zu;;;0 failing=%zu;;1;0 slow=%zu;1;;0 untested=%zu;1;;0 time=%llu.%03llus;;;0\n", c->n, sum.failing, sum.slow, sum.unknown + c->more,
	    (unsigned long long)c->took_ms / 1000, (unsigned long long)c->took_ms % 1000);
	return code;
}
