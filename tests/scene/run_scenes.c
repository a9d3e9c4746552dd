/* SPDX-License-Identifier: MIT */
/*
 * run_scenes: plays the scenes of the files named, or all of them; see README. Each is played once as it stands; then again and again while one
 * allocation after the other fails, and with every kind of mishap after every line, to see that all is given back and each request still has its one
 * record.
 */
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "fake_tls.h"
#include "play.h"

#define FAILS_MOST 400 /* allocations that are made to fail, of one scene */

struct script {
	char   *text; /* owned; lines end with NULs */
	char  **line; /* owned */
	size_t  n;
};

static bool
script_open(struct script *s, const char *path)
{
	FILE  *f = fopen(path, "re");
	size_t n = 0, room = 0;

	*s = (struct script){0};
	if (!f)
		return false;
	if (getdelim(&s->text, &room, '\0', f) < 0) {
		fclose(f);
		free(s->text);
		return false;
	}
	fclose(f);
	for (const char *c = s->text; *c; c++)
		n += *c == '\n';
	s->line = calloc(n + 1, sizeof *s->line);
	for (char *rest = s->text, *l; s->line && s->n < n && (l = strsep(&rest, "\n"));)
		s->line[s->n++] = l;
	return s->line != NULL;
}

static void
script_close(struct script *s)
{
	free(s->line);
	free(s->text);
}

static const char *
start_of(const char *line)
{
	return line + strspn(line, " \t");
}

static bool
starts(const char *line, const char *word)
{
	size_t n = strlen(word);

	line = start_of(line);
	return strncmp(line, word, n) == 0 && (line[n] == '\0' || line[n] == ' ');
}

/* Lines from `at` to the end of the scene; after line `when` (0: never) a mishap. Returns how many lines there were. */
static size_t
scene_play(struct play *p, const struct script *s, size_t at, size_t when, unsigned mishap)
{
	size_t      from = at;
	struct step l;
	const char *why;

	play_begin(p);
	for (; at < s->n && !starts(s->line[at], "scene") && !p->failed && !fake.wrong[0]; at++) {
		p->line = (unsigned)at + 1;
		why = step_read(&l, s->line[at]);
		if (why)
			play_fail(p, "%s", why);
		else if (l.n)
			play_step(p, &l);
		step_clear(&l);
		if (at - from + 1 == when)
			play_mishap(p, mishap);
	}
	play_end(p);
	return at - from;
}

static bool
scene_run(struct play *p, const struct script *s, size_t at)
{
	unsigned allocs;
	size_t   lines;
	bool     failed;

	p->line = (unsigned)at + 1;
	snprintf(p->title, sizeof p->title, "%s", start_of(s->line[at]) + strlen("scene "));
	p->troubled = false;
	lines = scene_play(p, s, at + 1, 0, 0);
	failed = p->failed;
	allocs = fake.n_allocs < FAILS_MOST ? fake.n_allocs : FAILS_MOST;
	p->troubled = true;
	for (unsigned i = 1; i <= allocs && !failed; i++) {
		fake.alloc_next = i;
		snprintf(p->trouble, sizeof p->trouble, " (allocation %u had failed)", i);
		scene_play(p, s, at + 1, 0, 0);
		failed = p->failed;
	}
	fake.alloc_next = 0;
	for (size_t i = 0; i < lines * MISHAPS && !failed; i++) {
		snprintf(p->trouble, sizeof p->trouble, " (mishap %zu after line %zu)", i % MISHAPS, at + 2 + i / MISHAPS);
		scene_play(p, s, at + 1, i / MISHAPS + 1, i % MISHAPS);
		failed = p->failed;
	}
	p->troubled = false;
	return !failed;
}

/* `config NAME` up to `end`. */
static size_t
config_read(struct play *p, const struct script *s, size_t at)
{
	struct config *c = &p->config[p->n_configs];

	if (p->n_configs == CONFIGS_MAX)
		abort();
	*c = (struct config){.block = -1};
	snprintf(c->name, sizeof c->name, "%s", start_of(s->line[at]) + strlen("config "));
	/* one empty line for each that stands before: problems are told by their line in the file */
	for (size_t i = 0; i <= at; i++)
		bytes_add(&c->ini, SPAN("\n"));
	for (at++; at < s->n && !starts(s->line[at], "end"); at++) {
		bytes_add(&c->ini, span_str(s->line[at]));
		bytes_add(&c->ini, SPAN("\n"));
	}
	p->n_configs++;
	return at;
}

static unsigned
file_run(const char *path, unsigned *played)
{
	struct script s;
	struct play  *p = calloc(1, sizeof *p);
	unsigned      failed = 0, n = 0;

	if (!p || !script_open(&s, path)) {
		fprintf(stderr, "%s: cannot be read\n", path);
		free(p);
		return 1;
	}
	p->file = path;
	for (size_t at = 0; at < s.n; at++) {
		if (starts(s.line[at], "config"))
			at = config_read(p, &s, at);
		else if (starts(s.line[at], "scene")) {
			n++;
			failed += !scene_run(p, &s, at);
		}
	}
	if (n == 0) {
		fprintf(stderr, "%s: no scene\n", path);
		failed++;
	}
	printf("%s: %u scenes, %u failed\n", path, n, failed);
	*played += n;
	for (unsigned i = 0; i < p->n_configs; i++) {
		free(p->config[i].ini.p);
		if (p->config[i].block >= 0)
			close(p->config[i].block);
	}
	script_close(&s);
	free(p);
	return failed;
}

/* What `keytab = /proc/self/fd/200` means in a scene: a file that nobody reads. */
static void
keytab_open(void)
{
	int fd = memfd_create("keytab", 0);

	if (fchmod(fd, 0600) != 0 || dup2(fd, 200) < 0)
		abort();
	close(fd);
}

int
main(int argc, char **argv)
{
	const char *dir = getenv("srcdir");
	char        pattern[4096];
	unsigned    failed = 0, played = 0;
	glob_t      g;

	log_threshold(LOG_LEVEL_ERROR);
	keytab_open();
	fake_ca_open();
	for (int i = 1; i < argc; i++)
		failed += file_run(argv[i], &played);
	if (argc > 1)
		return failed != 0;
	snprintf(pattern, sizeof pattern, "%s/tests/scene/*.scene", dir ? dir : ".");
	if (glob(pattern, 0, NULL, &g) != 0) {
		fprintf(stderr, "%s: no such files\n", pattern);
		return 1;
	}
	for (size_t i = 0; i < g.gl_pathc; i++)
		failed += file_run(g.gl_pathv[i], &played);
	globfree(&g);
	/* only when all scenes were played can all edges be asked for */
	return failed || !trace_is_complete();
}
