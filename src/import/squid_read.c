/* SPDX-License-Identifier: MIT */
/*
 * squid_read: lines of squid.conf: files, includes, continued lines, conditions, words. Knows no directive but include, if and
 * configuration_includes_quoted_values.
 */
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "import/squid_inside.h"

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\f' || c == '\v' || c == '\n';
}

static struct span
trim(struct span s)
{
	while (s.n > 0 && is_blank(s.p[0]))
		s = span_of(s.p + 1, s.n - 1);
	while (s.n > 0 && is_blank(s.p[s.n - 1]))
		s.n--;
	return s;
}

static struct span
cut_word(struct span *rest)
{
	size_t n = 0;

	*rest = trim(*rest);
	while (n < rest->n && !is_blank(rest->p[n]))
		n++;
	struct span word = span_of(rest->p, n);
	*rest = trim(span_of(rest->p + n, rest->n - n));
	return word;
}

bool
squid_file_add(struct squid *s, const char *name, uint32_t *number)
{
	struct span copy;

	if (s->n_files == SQUID_FILES_MOST) {
		squid_fail(s, "more than %u files", SQUID_FILES_MOST);
		return false;
	}
	s->file = arena_grow(&s->arena, s->file, s->n_files, &s->files_room, sizeof *s->file);
	copy = arena_copy(&s->arena, span_str(name));
	if (s->arena.failed)
		return false;
	*number = (uint32_t)s->n_files;
	s->file[s->n_files++] = copy.p;
	return true;
}

/* --- files --- */

static bool
read_whole(struct squid *s, int fd, struct span *out, const char **why)
{
	struct stat st;
	char       *p;
	size_t      n = 0, room;

	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
		*why = "no regular file";
		return false;
	}
	if (st.st_size < 0 || (size_t)st.st_size > SQUID_FILE_MOST) {
		*why = "larger than 128 MiB";
		return false;
	}
	room = (size_t)st.st_size;
	p = arena_take(&s->arena, room + 1);
	if (!p) {
		*why = "out of memory";
		return false;
	}
	while (n < room) {
		ssize_t got = read(fd, p + n, room - n);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0) {
			*why = strerror(errno);
			return false;
		}
		if (got == 0)
			break;
		n += (size_t)got;
	}
	*out = span_of(p, n);
	return true;
}

/* What is relative is seen from the first file's folder. */
bool
squid_file_bytes(struct squid *s, struct span path, struct span *out, const char **why, struct span *full)
{
	bool fine;
	int  fd;

	*out = (struct span){0};
	*full = path.n > 0 && path.p[0] == '/' ? arena_copy(&s->arena, path) : arena_printf(&s->arena, "%s%.*s", s->folder ? s->folder : "", SPAN_ARG(path));
	*why = "out of memory";
	if (s->arena.failed)
		return false;
	if (s->no_files) {
		*why = "no file is opened here";
		return false;
	}
	fd = open(full->p, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0) {
		*why = strerror(errno);
		return false;
	}
	fine = read_whole(s, fd, out, why);
	close(fd);
	return fine;
}

/* --- conditions --- */

struct branch {
	bool on, was_on; /* this part counts; one before it did */
	bool open;       /* whether could not be told */
};

struct reading {
	struct squid *s;
	struct branch branch[SQUID_DEPTH_MOST];
	unsigned      depth;
	uint32_t      file;
};

/* Numbers compared, or a word. -1: cannot be told. */
static int
condition_holds(struct span c)
{
	char          text[64], *end;
	unsigned long a, b;

	if (span_eq(c, SPAN("true")) || span_eq(c, SPAN("1")))
		return 1;
	if (span_eq(c, SPAN("false")) || span_eq(c, SPAN("0")))
		return 0;
	if (c.n >= sizeof text)
		return -1;
	memcpy(text, c.p, c.n);
	text[c.n] = '\0';
	/* one process here, too: what each of Squid's would do alone is done by the first */
	if (strncmp(text, "${process_number}", 17) == 0) {
		a = 1;
		end = text + 17;
	} else {
		a = strtoul(text, &end, 10);
		if (end == text)
			return -1;
	}
	while (is_blank(*end))
		end++;
	if (*end != '=')
		return -1;
	end++;
	while (is_blank(*end))
		end++;
	if (*end < '0' || *end > '9')
		return -1;
	b = strtoul(end, &end, 10);
	return *end ? -1 : a == b;
}

static bool
is_on(const struct reading *r)
{
	for (unsigned i = 0; i < r->depth; i++)
		if (!r->branch[i].on)
			return false;
	return true;
}

/* if, else, endif: handled here. */
static bool
conditional(struct reading *r, const struct squid_line *l)
{
	if (span_eq(l->name, SPAN("if"))) {
		int holds = condition_holds(l->rest);
		if (r->depth == SQUID_DEPTH_MOST) {
			squid_fail(r->s, "%s:%u: conditions are nested deeper than %u", r->s->file[l->at.file], l->at.line, SQUID_DEPTH_MOST);
			return true;
		}
		if (holds < 0 && is_on(r))
			squid_note(r->s, SQUID_WIDER, l, "cannot tell whether this holds; neither part was read: say which one counts, and import again");
		if (memmem(l->rest.p, l->rest.n, "${process_number}", 17) && is_on(r))
			squid_note(r->s, SQUID_DIFFERS, l, "read is what holds for Squid's first process; what the others do alone is left out");
		r->branch[r->depth++] = (struct branch){holds > 0, holds != 0, holds < 0};
		return true;
	}
	if (span_eq(l->name, SPAN("else"))) {
		if (r->depth > 0) {
			struct branch *b = &r->branch[r->depth - 1];
			b->on = !b->was_on && !b->open;
			b->was_on = true;
		}
		return true;
	}
	if (span_eq(l->name, SPAN("endif"))) {
		r->depth -= r->depth > 0;
		return true;
	}
	return false;
}

/* --- lines --- */

static bool include(struct reading *r, const struct squid_line *l);

static bool
line_add(struct reading *r, struct squid_line l)
{
	struct squid *s = r->s;

	if (conditional(r, &l) || !is_on(r))
		return !s->why[0];
	if (span_eq(l.name, SPAN("include")))
		return include(r, &l);
	if (span_eq(l.name, SPAN("configuration_includes_quoted_values"))) {
		s->quoted = span_eq(l.rest, SPAN("on"));
		return true;
	}
	if (s->n_lines == SQUID_LINES_MOST) {
		squid_fail(s, "more than %u lines", SQUID_LINES_MOST);
		return false;
	}
	s->line = arena_grow(&s->arena, s->line, s->n_lines, &s->lines_room, sizeof *s->line);
	if (s->arena.failed)
		return false;
	l.quoted = s->quoted;
	s->line[s->n_lines++] = l;
	return true;
}

static bool
include(struct reading *r, const struct squid_line *l)
{
	struct squid *s = r->s;
	struct span   rest = l->rest, word;
	bool          ok = true;

	while (ok && (word = cut_word(&rest)).n > 0 && word.p[0] != '#') {
		struct span path;
		glob_t      found;
		if (s->no_files) {
			squid_note(s, SQUID_WIDER, l, "no file is opened here");
			continue;
		}
		if (word.n > 2 && (word.p[0] == '"' || word.p[0] == '\''))
			word = span_of(word.p + 1, word.n - 2);
		path = word.p[0] == '/' ? arena_copy(&s->arena, word) : arena_printf(&s->arena, "%s%.*s", s->folder ? s->folder : "", SPAN_ARG(word));
		if (s->arena.failed)
			return false;
		if (glob(path.p, 0, NULL, &found) == 0) {
			for (size_t i = 0; ok && i < found.gl_pathc; i++)
				ok = squid_read(s, found.gl_pathv[i], l);
			globfree(&found);
		} else if (!memchr(word.p, '*', word.n)) {
			squid_note(s, SQUID_WIDER, l, "%s: there is no such file; what it says is missing here", path.p);
		}
	}
	return ok;
}

static bool
line_end(struct reading *r, struct span text, uint32_t number)
{
	struct squid_line l = {.at = {r->file, number}};
	struct span       rest = arena_copy(&r->s->arena, text);

	if (r->s->arena.failed)
		return false;
	l.name = cut_word(&rest);
	l.rest = rest;
	return l.name.n == 0 || line_add(r, l);
}

/* Joins what is continued: a comment or an empty line in between is skipped, as Squid does. */
static bool
lines_read(struct reading *r, struct span bytes)
{
	char    *joined = arena_take(&r->s->arena, SQUID_LINE_MOST);
	size_t   n = 0;
	uint32_t number = 0, first = 0;

	while (joined && bytes.n > 0) {
		const char *end = memchr(bytes.p, '\n', bytes.n);
		size_t      len = end ? (size_t)(end - bytes.p) : bytes.n;
		struct span line = trim(span_of(bytes.p, len));
		bool        more;
		bytes = span_of(bytes.p + len + (end != NULL), bytes.n - len - (end != NULL));
		number++;
		if (line.n == 0 || line.p[0] == '#')
			continue;
		first = n == 0 ? number : first;
		more = line.p[line.n - 1] == '\\';
		line.n -= more;
		if (memchr(line.p, '\0', line.n) || line.n + 1 > SQUID_LINE_MOST - n) {
			squid_fail(r->s, "%s:%u: %s", r->s->file[r->file], number,
			    memchr(line.p, '\0', line.n) ? "holds a NUL; is this a squid.conf?" : "the line is longer than 65535 bytes");
			return false;
		}
		memcpy(joined + n, line.p, line.n);
		n += line.n;
		if (more)
			continue;
		if (!line_end(r, span_of(joined, n), first))
			return false;
		n = 0;
	}
	return joined && (n == 0 || line_end(r, span_of(joined, n), first));
}

bool
squid_read_bytes(struct squid *s, const char *name, struct span bytes)
{
	struct reading r = {.s = s};
	bool           fine;

	if (s->depth == SQUID_DEPTH_MOST) {
		squid_fail(s, "%s: files are included deeper than %u", name, SQUID_DEPTH_MOST);
		return false;
	}
	s->depth++;
	fine = squid_file_add(s, name, &r.file) && lines_read(&r, span_unmarked(bytes));
	s->depth--;
	return fine;
}

bool
squid_read(struct squid *s, const char *path, const struct squid_line *from)
{
	struct span bytes, full;
	const char *why;

	if (squid_file_bytes(s, span_str(path), &bytes, &why, &full))
		return squid_read_bytes(s, path, bytes);
	if (from && !s->arena.failed) {
		squid_note(s, SQUID_WIDER, from, "%s: %s; what it says is missing here", path, why);
		return true;
	}
	squid_fail(s, "%s: %s", path, why);
	return false;
}

/* --- words --- */

void
squid_words_begin(struct squid_words *w, struct squid *s, const struct squid_line *line, bool pairs)
{
	*w = (struct squid_words){s, line->rest, line->quoted, pairs};
}

/* In quotes, with escapes; to the end of the line where they are not closed. */
static enum squid_token
word_quoted(struct squid_words *w, struct span *out)
{
	char   quote = w->rest.p[0], *to = arena_take(&w->s->arena, w->rest.n + 1);
	size_t i = 1, n = 0;

	if (!to)
		return TOKEN_END;
	for (; i < w->rest.n && w->rest.p[i] != quote; i++) {
		char c = w->rest.p[i];
		if (c == '\\' && w->quoted && i + 1 < w->rest.n) {
			c = w->rest.p[++i];
			c = c == 'n' ? '\n' : c == 'r' ? '\r' : c == 't' ? '\t' : c;
		}
		to[n++] = c;
	}
	bool closed = i < w->rest.n;
	i += closed;
	w->rest = span_of(w->rest.p + i, w->rest.n - i);
	*out = span_of(to, n);
	return !closed ? TOKEN_BAD : w->quoted ? TOKEN_QUOTED : TOKEN_FILE;
}

enum squid_token
squid_word(struct squid_words *w, struct span *out)
{
	size_t n = 0;

	*out = SPAN("");
	w->rest = trim(w->rest);
	if (w->rest.n == 0 || w->rest.p[0] == '#')
		return TOKEN_END;
	if (w->rest.p[0] == '"' || w->rest.p[0] == '\'')
		return word_quoted(w, out);
	if (w->rest.n > 12 && memcmp(w->rest.p, "parameters(", 11) == 0 && (w->rest.p[11] == '"' || w->rest.p[11] == '\'')) {
		w->rest = span_of(w->rest.p + 11, w->rest.n - 11);
		if (word_quoted(w, out) == TOKEN_BAD || w->rest.n == 0 || w->rest.p[0] != ')')
			return TOKEN_BAD;
		w->rest = span_of(w->rest.p + 1, w->rest.n - 1);
		return TOKEN_FILE;
	}
	while (n < w->rest.n && !is_blank(w->rest.p[n]))
		n += w->pairs && w->rest.p[n] == '\\' && n + 1 < w->rest.n ? 2 : 1;
	*out = span_of(w->rest.p, n);
	w->rest = span_of(w->rest.p + n, w->rest.n - n);
	return TOKEN_WORD;
}

struct span
squid_word_plain(struct squid_words *w)
{
	struct span      out;
	enum squid_token t = squid_word(w, &out);

	return t == TOKEN_WORD || t == TOKEN_QUOTED || t == TOKEN_FILE ? out : SPAN("");
}

bool
squid_value_line(struct span *rest, uint32_t *line, struct span *out)
{
	while (rest->n > 0) {
		const char *end = memchr(rest->p, '\n', rest->n);
		size_t      n = end ? (size_t)(end - rest->p) : rest->n;
		struct span s = trim(span_of(rest->p, n));
		*rest = span_of(rest->p + n + (end != NULL), rest->n - n - (end != NULL));
		++*line;
		/* a word that begins with # ends the value */
		for (size_t i = 0; i < s.n; i++)
			if (s.p[i] == '#' && (i == 0 || is_blank(s.p[i - 1])))
				s.n = i;
		*out = trim(s);
		if (out->n > 0)
			return true;
	}
	return false;
}
