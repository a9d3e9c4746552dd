/* SPDX-License-Identifier: MIT */
/*
 * include: finds and reads the first ini file and those that it includes. Depth, number and size are bounded; no file includes itself.
 */
#include <glob.h>
#include <stdlib.h>

#include "conf/file.h"
#include "conf/load.h"

#define INI_BYTES_MAX ((size_t)64 << 20)
#define DEPTH_MAX     16
#define INI_FILES_MAX 1024

static bool
is_loop(const struct load *l, const struct file_bytes *b)
{
	for (const struct load_file *f = l->f; f; f = f->up)
		if (f->dev == b->dev && f->ino == b->ino)
			return true;
	return false;
}

void
load_path(struct load *l, const char *path, struct where from)
{
	struct file_bytes bytes;
	uint32_t          file;
	char             *kept = conf_keep(l->c, span_str(path));
	char              why[FILE_WHY];

	if (!kept || !conf_file_add(l->c, kept, &file)) {
		load_no_memory(l);
		return;
	}
	if (!from.line)
		from.file = file; /* the first one: nobody names it */
	if (!file_read(path, INI_BYTES_MAX, &bytes, why)) {
		if (from.line)
			report_error(l->r, from, "%s cannot be read: %s", path, why);
		else
			report_error(l->r, from, "the file cannot be read: %s", why);
		return;
	}
	l->n_ini++;
	if (is_loop(l, &bytes))
		report_error(l->r, from, "%s includes itself, directly or by others; remove one include", path);
	else
		load_bytes(l, kept, file, span_of(bytes.p, bytes.n), &bytes);
	free(bytes.p);
}

/* The directory of the including file goes into the pattern, but its own '*' and '[' mean themselves. */
static char *
glob_pattern(struct conf *c, const char *base, struct span name)
{
	const char *slash = strrchr(base, '/');
	size_t      dir = slash && name.p[0] != '/' ? (size_t)(slash - base) + 1 : 0;
	char       *pattern = conf_alloc(c, 2 * dir + name.n + 1), *to = pattern;

	if (!pattern)
		return NULL;
	for (size_t i = 0; i < dir; i++) {
		if (strchr("*?[\\", base[i]))
			*to++ = '\\';
		*to++ = base[i];
	}
	memcpy(to, name.p, name.n);
	return pattern;
}

static bool
is_pattern(struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		if (strchr("*?[", s.p[i]))
			return true;
	return false;
}

void
include_glob(struct load *l, const struct conf_item *item)
{
	struct where at = load_here(l);
	char        *path;
	glob_t       found;
	int          e;

	if (l->no_files) {
		report_error(l->r, at, "files cannot be included here");
		return;
	}
	if (l->depth >= DEPTH_MAX) {
		report_error(l->r, at, "files include each other more than %d deep; include fewer", DEPTH_MAX);
		return;
	}
	path = is_pattern(item->text) ? glob_pattern(l->c, l->f->path, item->text) : conf_path(l->c, l->f->path, item->text);
	if (!path) {
		load_no_memory(l);
		return;
	}
	if (!is_pattern(item->text)) {
		if (l->n_ini >= INI_FILES_MAX)
			report_error(l->r, at, "more than %d files are included; include fewer", INI_FILES_MAX);
		else
			load_path(l, path, at);
		return;
	}
	e = glob(path, 0, NULL, &found);
	if (e == GLOB_NOSPACE)
		load_no_memory(l);
	else if (e == GLOB_NOMATCH)
		report_warn(l->r, at, "include = %.*s matches no file", SHOW(item->text));
	else if (e)
		report_error(l->r, at, "include = %.*s: a directory cannot be read", SHOW(item->text));
	for (size_t i = 0; e == 0 && i < found.gl_pathc; i++) {
		if (l->n_ini >= INI_FILES_MAX) {
			report_error(l->r, at, "more than %d files are included; include fewer", INI_FILES_MAX);
			break;
		}
		load_path(l, found.gl_pathv[i], at);
	}
	if (e == 0)
		globfree(&found);
}
