/* SPDX-License-Identifier: MIT */
#include "import/squid_inside.h"

#include <stdarg.h>
#include <stdlib.h>

#include "match/host_spec.h"

struct squid *
squid_new(void)
{
	return calloc(1, sizeof(struct squid));
}

void
squid_free(struct squid *s)
{
	if (!s)
		return;
	arena_clear(&s->arena);
	free(s);
}

void
squid_fail(struct squid *s, const char *fmt, ...)
{
	va_list ap;

	if (s->why[0])
		return;
	va_start(ap, fmt);
	vsnprintf(s->why, sizeof s->why, fmt, ap);
	va_end(ap);
}

/* --- notes --- */

static void
note_add(struct squid *s, enum squid_note_kind kind, struct squid_where at, struct span said, const char *fmt, va_list ap)
{
	char text[1024];

	if (s->n_notes == SQUID_NOTES_MOST) {
		if (!s->told_most)
			s->note[s->n_notes - 1] = (struct squid_note){SQUID_WIDER, "", 0, (struct span){0}, SPAN("there is more to note than is kept")};
		s->told_most = true;
		return;
	}
	s->note = arena_grow(&s->arena, s->note, s->n_notes, &s->notes_room, sizeof *s->note);
	if (s->arena.failed)
		return;
	vsnprintf(text, sizeof text, fmt, ap);
	s->note[s->n_notes++] = (struct squid_note){kind, at.line ? s->file[at.file] : "", at.line, span_of(said.p, said.n < 200 ? said.n : 200), arena_copy(&s->arena, span_str(text))};
}

/* Passwords may stand in such lines: they are never shown. */
static bool
holds_secrets(struct span name)
{
	static const char *const names[] = {"cache_peer", "cachemgr_passwd", "auth_param", "external_acl_type", "url_rewrite_program", "redirect_program"};

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (span_eq(name, span_str(names[i])))
			return true;
	return false;
}

void
squid_note(struct squid *s, enum squid_note_kind kind, const struct squid_line *line, const char *fmt, ...)
{
	struct squid_where nowhere = {0};
	struct span        said = {0};
	va_list            ap;

	if (line && holds_secrets(line->name))
		said = line->name;
	else if (line) /* name and rest lie in one copy */
		said = span_of(line->name.p, line->rest.n ? (size_t)(line->rest.p + line->rest.n - line->name.p) : line->name.n);
	va_start(ap, fmt);
	note_add(s, kind, line ? line->at : nowhere, said, fmt, ap);
	va_end(ap);
}

void
squid_note_file(struct squid *s, enum squid_note_kind kind, struct squid_where at, struct span said, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	note_add(s, kind, at, said, fmt, ap);
	va_end(ap);
}

const char *
squid_note_word(enum squid_note_kind kind)
{
	static const char *const words[SQUID_NOTE_KINDS] = {"wider", "narrower", "differs", "to-do", "not-needed"};

	return words[kind];
}

size_t
squid_notes(const struct squid *s)
{
	return s->n_notes;
}

const struct squid_note *
squid_note_at(const struct squid *s, size_t i)
{
	return &s->note[i];
}

/* --- spelling --- */

bool
squid_item_add(struct squid *s, struct squid_items *to, struct span text, struct squid_where at)
{
	to->v = arena_grow(&s->arena, to->v, to->n, &to->room, sizeof *to->v);
	if (s->arena.failed || (text.n > 0 && !text.p))
		return false;
	to->v[to->n++] = (struct squid_item){text, at};
	return true;
}

void
squid_name_make(char out[SQUID_NAME + 1], struct span s)
{
	size_t n = 0;

	for (size_t i = 0; i < s.n && n < SQUID_NAME; i++) {
		char c = s.p[i];
		out[n++] = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '_' || c == '.' ? c : '_';
	}
	while (n > 0 && out[0] == '.')
		memmove(out, out + 1, --n);
	if (n == 0)
		out[n++] = 'x';
	out[n] = '\0';
}

bool
squid_is_plain(struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] < 0x20 || s.p[i] > 0x7e || s.p[i] == '"')
			return false;
	return s.n > 0;
}

struct span
squid_quote(struct squid *s, struct span text)
{
	bool bare = text.n > 0;

	for (size_t i = 0; i < text.n; i++)
		bare = bare && !memchr(" ,;\t'", text.p[i], 5);
	return bare ? text : arena_printf(&s->arena, "\"%.*s\"", SPAN_ARG(text));
}

/* --- the whole --- */

/* One name a line and nothing else: a file of domains. */
static bool
looks_bare(const struct squid *s)
{
	struct host_spec spec;
	char             why[HOST_SPEC_WHY];
	size_t           names = 0;

	for (size_t i = 0; i < s->n_lines; i++) {
		const struct squid_line *l = &s->line[i];
		if (l->rest.n > 0 && l->rest.p[0] != '#')
			return false;
		names += memchr(l->name.p, '.', l->name.n) && host_spec_parse(l->name, &spec, why);
	}
	return names > 0 && names * 2 > s->n_lines;
}

static void
bare_read(struct squid *s)
{
	struct squid_acl   *a;
	struct squid_values v = {.s = s};
	const char         *why, *base = strrchr(s->file[0], '/');
	struct span         name = span_str(base ? base + 1 : s->file[0]);
	const char         *dot = memrchr(name.p, '.', name.n);

	if (dot && dot > name.p)
		name.n = (size_t)(dot - name.p);
	a = squid_acl_new(s, name, (struct squid_where){0, 1});
	v.scratch = squid_values_scratch(s);
	if (!a || !v.scratch)
		return;
	a->kind = ACL_HOST;
	a->type = SPAN("dstdomain");
	a->source = span_str(s->file[0]);
	a->from_file = a->wanted = true;
	squid_name_make(a->list, name);
	v.a = a;
	for (size_t i = 0; i < s->n_lines && !s->arena.failed; i++) {
		v.line = &s->line[i];
		v.at = s->line[i].at;
		if (!squid_value_add(&v, s->line[i].name, &why))
			squid_note(s, SQUID_NARROWER, v.line, "left out: %s", why);
	}
}

static bool
load_rest(struct squid *s)
{
	if (s->why[0])
		return false;
	s->bare = looks_bare(s);
	if (s->bare) {
		bare_read(s);
	} else {
		squid_acls_built_in(s);
		/* helpers first: ACLs name them */
		for (size_t i = 0; i < s->n_lines && !s->why[0]; i++)
			if (span_eq(s->line[i].name, SPAN("external_acl_type")))
				squid_helper_read(s, &s->line[i]);
		for (size_t i = 0; i < s->n_lines && !s->why[0]; i++)
			squid_option_read(s, &s->line[i]);
		if (!s->why[0])
			squid_access(s);
	}
	if (s->arena.failed)
		squid_fail(s, "out of memory, or more than 512 MiB of it");
	return !s->why[0];
}

bool
squid_load(struct squid *s, const char *path, time_t now)
{
	const char *slash = strrchr(path, '/');

	s->now = now;
	if (slash)
		s->folder = arena_copy(&s->arena, span_of(path, (size_t)(slash - path) + 1)).p;
	if (!squid_read(s, path, NULL))
		return squid_fail(s, "out of memory"), false;
	return load_rest(s);
}

bool
squid_load_bytes(struct squid *s, const char *name, struct span bytes, time_t now)
{
	s->now = now;
	s->no_files = true;
	if (!squid_read_bytes(s, name, bytes))
		return squid_fail(s, "out of memory"), false;
	return load_rest(s);
}

const char *
squid_why(const struct squid *s)
{
	return s->why;
}

bool
squid_is_bare(const struct squid *s)
{
	return s->bare;
}
