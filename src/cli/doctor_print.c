/* SPDX-License-Identifier: MIT */
/*
 * doctor_print: what `postern doctor` found, for people: a table, what exactly is wrong, and what to do about it; and the one line of a monitoring plugin.
 * Everything that came from outside goes through cli_print.
 */
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/doctor.h"
#include "doctor/advice.h"
#include "parse/authority.h"

#define WIDE   120 /* columns of a sentence where nobody knows better */
#define NARROW 60
#define SHOWN  3   /* endpoints named in a monitoring plugin's line */

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

static const struct doctor_proxy *
proxy_of(const struct checkup *c, unsigned lane)
{
	return lane + 1 == c->lanes ? &c->set.gateway : &c->set.parent[lane - 1];
}

/* Has it a column? */
static bool
lane_is_shown(const struct checkup *c, unsigned lane)
{
	return lane == 0 || (checkup_uses(c, lane) && proxy_of(c, lane)->present);
}

static const struct doctor_row *
row_of(const struct checkup *c, size_t target, unsigned lane)
{
	return &c->row[target * c->lanes + lane];
}

/* Of the terminal, if there is one. */
static size_t
columns(void)
{
	struct winsize w;

	if (!isatty(STDOUT_FILENO) || ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) != 0 || w.ws_col == 0 || w.ws_col > WIDE)
		return WIDE;
	return w.ws_col < NARROW ? NARROW : w.ws_col;
}

/* Text that is fit for a terminal, behind `used` columns, its further lines `indent` deep. */
static void
sentence_print(const char *text, size_t used, size_t indent)
{
	size_t wide = columns();

	for (bool first = true; *text; first = false) {
		size_t n = strcspn(text, " ");
		if (!first && used + n + 1 > wide) {
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

/* A sentence of parts: on a terminal as wide as that is; else on one line, for grep. */
struct para {
	FILE  *f; /* null: straight to where it goes */
	char  *text;
	size_t n;
};

static FILE *
para_begin(struct para *p)
{
	*p = (struct para){0};
	p->f = isatty(STDOUT_FILENO) ? open_memstream(&p->text, &p->n) : NULL;
	return p->f ? p->f : stdout;
}

static void
para_end(struct para *p, size_t used, size_t indent)
{
	if (p->f && fclose(p->f) == 0)
		sentence_print(p->text, used, indent);
	else
		putchar('\n');
	free(p->text);
}

/* --- the table --- */

static size_t
cell_text(const struct doctor_row *r, char *out, size_t n)
{
	if (r->fault == DOCTOR_NOT_TRIED)
		return (size_t)snprintf(out, n, "-");
	if (r->fault == DOCTOR_OK)
		return (size_t)snprintf(out, n, "ok %llu ms", (unsigned long long)total_ms(r));
	return (size_t)snprintf(out, n, "%s", doctor_fault_word(r->fault));
}

static void
title_of(const struct checkup *c, unsigned lane, char out[DOCTOR_PARENT_NAME + 8])
{
	snprintf(out, DOCTOR_PARENT_NAME + 8, "%s%s", lane == 0 ? "DIRECT" : lane + 1 == c->lanes ? "GATEWAY" : "PARENT ",
	    lane == 0 || lane + 1 == c->lanes ? "" : c->set.parent[lane - 1].name);
}

/* Of a column, the two blanks before the next one included. */
static size_t
lane_width(const struct checkup *c, unsigned lane)
{
	char   text[DOCTOR_PARENT_NAME + 8];
	size_t width;

	title_of(c, lane, text);
	width = strlen(text);
	for (size_t t = 0; t < c->n; t++) {
		size_t n = cell_text(row_of(c, t, lane), text, sizeof text);
		width = n > width ? n : width;
	}
	return width + 2;
}

static void
place_print(FILE *f, const struct doctor_proxy *p)
{
	char text[ENDPOINT_TEXT_MAX];

	cli_print(f, span_str(p->name ? p->name : ""));
	if (p->host) {
		fprintf(f, " (%s:%u)", p->host, p->at.port);
		return;
	}
	endpoint_print(&p->at, text);
	fprintf(f, " (%s)", text);
}

static void
untried_print(const struct checkup *c, unsigned lane)
{
	const struct doctor_proxy *proxy = proxy_of(c, lane);
	struct para                p;
	FILE                      *f = para_begin(&p);

	fputs(lane + 1 == c->lanes ? "the gateway" : "parent ", f);
	if (lane + 1 < c->lanes)
		place_print(f, proxy);
	fprintf(f, " is not tried: %s", proxy->why ? proxy->why : "not configured");
	para_end(&p, 0, 2);
}

static void
heading_print(const struct checkup *c)
{
	struct para p;
	FILE       *f = para_begin(&p);

	fprintf(f, "%zu endpoint%s, each directly", c->n, c->n == 1 ? "" : "s");
	for (unsigned l = 1; l < c->lanes; l++) {
		if (!lane_is_shown(c, l))
			continue;
		fputs(l + 1 == c->lanes ? ", through the gateway at " : ", through parent ", f);
		place_print(f, proxy_of(c, l));
	}
	para_end(&p, 0, 2);
	for (unsigned l = 1; l < c->lanes; l++)
		if (checkup_uses(c, l) && !proxy_of(c, l)->present)
			untried_print(c, l);
	if (c->set.parents_more)
		printf("%u more parents are not tried: %u at most are\n", c->set.parents_more, DOCTOR_PARENTS_MAX);
	putchar('\n');
}

static void
table_print(const struct checkup *c)
{
	size_t   width = 8, wide[DOCTOR_LANES_MAX];
	unsigned shown[DOCTOR_LANES_MAX], n = 0;
	char     text[DOCTOR_PARENT_NAME + 8];

	for (size_t t = 0; t < c->n; t++)
		width = name_width(&c->target[t]) > width ? name_width(&c->target[t]) : width;
	width += 2;
	for (unsigned l = 0; l < c->lanes; l++)
		if (lane_is_shown(c, l)) {
			wide[n] = lane_width(c, l);
			shown[n++] = l;
		}
	heading_print(c);
	printf("%-*s", (int)width, "ENDPOINT");
	for (unsigned i = 0; i < n; i++) {
		title_of(c, shown[i], text);
		cli_print(stdout, span_str(text));
		printf("%*s", i + 1 < n ? (int)(wide[i] - strlen(text)) : 0, "");
	}
	putchar('\n');
	for (size_t t = 0; t < c->n; t++) {
		if (!checkup_was_tested(c, t))
			continue;
		name_print(stdout, &c->target[t]);
		printf("%*s", (int)(width - name_width(&c->target[t])), "");
		for (unsigned i = 0; i < n; i++) {
			cell_text(row_of(c, t, shown[i]), text, sizeof text);
			printf("%-*s", i + 1 < n ? (int)wide[i] : 0, text);
		}
		putchar('\n');
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

	for (unsigned l = 0; l < c->lanes; l++)
		ways |= is_alike(row_of(c, r->target, l), r) ? 1u << l : 0;
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

	for (const struct doctor_row *o = r + 1; o < c->row + c->n * c->lanes; o++)
		n += o->way == r->way && o->parent == r->parent && is_same(c, o, r);
	return n;
}

static void
ways_print(FILE *f, const struct checkup *c, unsigned ways)
{
	char way[DOCTOR_PARENT_NAME + 8];
	bool more = false;

	for (unsigned l = 0; l < c->lanes; l++)
		if (ways & 1u << l) {
			checkup_way(c, row_of(c, 0, l), way);
			fputs(more && ways >> l == 1 ? " and " : ", ", f);
			cli_print(f, span_str(way));
			more = true;
		}
}

static void
row_say(FILE *f, const struct checkup *c, const struct doctor_row *r)
{
	const struct doctor_target *t = &c->target[r->target];
	size_t                      others = same_count(c, r);
	char                        address[ADDR_TEXT_MAX];

	if (others && others + 1 == c->n)
		fprintf(f, "all %zu endpoints", c->n);
	else
		name_print(f, t);
	if (others && others + 1 < c->n)
		fprintf(f, " and %zu more", others);
	if (t->no_probe) {
		fputs(": ", f);
		cli_print(f, span_str(r->detail));
		fputs(", ", f);
		cli_print(f, span_str(t->where));
		return;
	}
	ways_print(f, c, ways_alike(c, r));
	fprintf(f, ": %s: ", doctor_fault_word(r->fault));
	cli_print(f, span_str(r->detail));
	if (doctor_is_bad(r->fault) && !doctor_counts(r, t) && ways_alike(c, r) == 1)
		fputs("; that does not count: rules send it through a parent", f);
	if (!others && r->has_address && r->way == DOCTOR_DIRECT && r->step > DOCTOR_STEP_TCP) {
		addr_print(&r->address, address);
		fprintf(f, " [%s", address);
		if (r->addresses > 1)
			fprintf(f, ", one of %u%s", r->addresses, r->addresses == UINT8_MAX ? " or more" : "");
		fputs("]", f);
	}
	if (!others && r->cname[0]) {
		fputs(" [CNAME ", f);
		cli_print(f, span_str(r->cname));
		fputs("]", f);
	}
}

static void
row_explain(const struct checkup *c, const struct doctor_row *r)
{
	struct para p;

	fputs("  ", stdout);
	row_say(para_begin(&p), c, r);
	para_end(&p, 2, 4);
}

/* Failures, what is slow, what cannot be tested, and what is well but not all alike. */
static bool
has_finding(const struct checkup *c, const struct doctor_row *r)
{
	if (!checkup_was_tested(c, r->target))
		return false;
	if (c->target[r->target].no_probe)
		return r->way == DOCTOR_DIRECT;
	return doctor_is_bad(r->fault) || r->fault == DOCTOR_SLOW || (r->fault == DOCTOR_OK && r->detail[0]);
}

static void
findings_print(const struct checkup *c)
{
	bool any = false;

	for (size_t i = 0; i < c->n * c->lanes; i++) {
		const struct doctor_row *r = &c->row[i];
		if (!has_finding(c, r) || was_said(c, r))
			continue;
		fputs(any ? "" : "\nWhat was found:\n", stdout);
		any = true;
		row_explain(c, r);
	}
}

/* --- what to do --- */

static void
advice_print(const struct checkup *c, enum doctor_side side)
{
	const char *said[DOCTOR_FAULTS * DOCTOR_WAYS]; /* one for each at most */
	size_t      n_said = 0;
	bool        begun = false;

	for (size_t i = 0; i < c->n * c->lanes; i++) {
		const struct doctor_row *r = &c->row[i];
		const char              *todo = doctor_advice(r->fault, r->way);
		size_t                   k = 0;
		if (doctor_side_of(r->fault) != side || !doctor_counts(r, &c->target[r->target]))
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
		printf("\n%zu more endpoints were not tested: %zu at most are\n", c->more, c->n);
	if (c->interrupted)
		printf("\ninterrupted: %zu of %zu endpoints were tested\n", c->done, c->n);
	printf("\n%zu of %zu endpoints fail", sum.failing, c->interrupted ? c->done : c->n);
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
	char               way[DOCTOR_PARENT_NAME + 8];

	printf("POSTERN %s - %zu of %zu endpoints fail", code == 2 ? "CRITICAL" : code == 1 ? "WARNING" : "OK", sum.failing, c->n);
	for (size_t t = 0; t < c->n && shown < SHOWN; t++) {
		const struct doctor_row *r = checkup_worst(c, t);
		if (!r)
			continue;
		fputs(shown++ ? ", " : ": ", stdout);
		name_print(stdout, &c->target[t]);
		checkup_way(c, r, way);
		putchar(' ');
		cli_print(stdout, span_str(way));
		printf(" %s", doctor_fault_word(r->fault));
	}
	if (sum.failing > shown)
		fputs(" ...", stdout);
	printf(" | endpoints=%zu;;;0 failing=%zu;;1;0 slow=%zu;1;;0 untested=%zu;1;;0 time=%llu.%03llus;;;0\n", c->n, sum.failing, sum.slow, sum.unknown + c->more,
	    (unsigned long long)c->took_ms / 1000, (unsigned long long)c->took_ms % 1000);
	return code;
}
