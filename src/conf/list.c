/* SPDX-License-Identifier: MIT */
/*
 * list: list files. One item a line, '#' or ';' comments; a million of them in well under a second: the file is read whole, items point into it.
 * Leaves the spelling of an item to policy/compile.
 */
#include <stdlib.h>

#include "conf/file.h"
#include "conf/list_header.h"
#include "conf/load.h"

#define LIST_BYTES_MAX ((size_t)1 << 30)
#define LIST_ITEM_MAX  4096
#define BAD_LINES_MAX  20 /* told of each file; the others are counted */

enum byte_class { BYTE_TEXT, BYTE_BLANK, BYTE_CONTROL };

static const unsigned char classes[256] = {
	[0] = BYTE_CONTROL, [1 ... 8] = BYTE_CONTROL, ['\t'] = BYTE_BLANK, [10 ... 31] = BYTE_CONTROL, [' '] = BYTE_BLANK, [127] = BYTE_CONTROL,
};

static bool
is_blank(const char *p)
{
	return classes[(unsigned char)*p] == BYTE_BLANK;
}

static bool
begins_comment(char c)
{
	return c == '#' || c == ';';
}

/* After an item: blanks, then at most a comment. */
static const char *
rest_judge(const char *p, const char *end)
{
	if (p < end && !is_blank(p))
		return "after a closing quote comes a blank or the line's end";
	while (p < end && is_blank(p))
		p++;
	return p == end || begins_comment(*p) ? NULL : "more than one item; put each on a line of its own";
}

/* "an item as it stands" */
static const char *
quoted_judge(const char *p, const char *end, struct conf_item *out)
{
	const char *close = memchr(p, '"', (size_t)(end - p));

	if (!close)
		return "the quote is not closed on its line";
	out->quoted = true;
	out->text = span_of(p, (size_t)(close - p));
	for (; p < close; p++)
		if (classes[(unsigned char)*p] == BYTE_CONTROL)
			return "a control byte; remove it";
	return rest_judge(close + 1, end);
}

/* One line to at most one item: out->text.n stays 0 when it holds none. NULL: fine; else what is wrong. */
static const char *
line_judge(const char *p, const char *end, struct conf_item *out)
{
	const char *start;
	const char *wrong = NULL;

	if (p < end && end[-1] == '\r')
		end--;
	while (p < end && is_blank(p))
		p++;
	if (p == end || begins_comment(*p))
		return NULL;
	if (*p == '!') {
		out->negated = true;
		p++;
	}
	if (p < end && *p == '"') {
		wrong = quoted_judge(p + 1, end, out);
	} else {
		for (start = p; p < end && classes[(unsigned char)*p] == BYTE_TEXT; p++)
			;
		out->text = span_of(start, (size_t)(p - start));
		if (p < end && *p == '\0')
			return "a NUL byte; is this a text file?";
		if (p < end && !is_blank(p))
			return "a control byte; remove it";
		if (p < end)
			wrong = rest_judge(p, end);
	}
	if (!wrong && out->text.n == 0)
		return "an item is empty";
	if (!wrong && out->text.n > LIST_ITEM_MAX)
		return "longer than 4096 bytes; is this a list?";
	return wrong;
}

void
list_parse(struct load *l, struct conf_items *to, struct span bytes, uint32_t file)
{
	const char *p = bytes.p, *end = p + bytes.n, *wrong;
	size_t      lines = 0, bad = 0;

	for (const char *q = p; q < end; lines++) {
		q = memchr(q, '\n', (size_t)(end - q));
		q = q ? q + 1 : end;
	}
	if (lines > UINT32_MAX || !array_grow((void **)&to->v, to->n, lines, sizeof *to->v)) {
		load_no_memory(l);
		return;
	}
	p = span_unmarked(bytes).p;
	for (uint32_t line = 1; p < end; line++) {
		const char      *newline = memchr(p, '\n', (size_t)(end - p)), *stop = newline ? newline : end;
		struct conf_item item = {.at = {file, line}};
		wrong = line_judge(p, stop, &item);
		if (wrong && ++bad <= BAD_LINES_MAX)
			report_error(l->r, item.at, "%s", wrong);
		else if (!wrong && item.text.n)
			to->v[to->n++] = item;
		p = newline ? newline + 1 : end;
	}
	l->c->files[file].lines = lines;
	if (bad > BAD_LINES_MAX)
		report_error(l->r, (struct where){file, 0}, "%zu more lines of this file are bad", bad - BAD_LINES_MAX);
}

void
list_read(struct load *l, struct conf_list *list, const struct conf_item *item)
{
	struct file_bytes bytes;
	struct conf_file *f;
	uint32_t          file;
	time_t            since;
	char              why[FILE_WHY], *path;

	if (l->no_files) {
		report_error(l->r, item->at, "files cannot be read here");
		return;
	}
	path = conf_path(l->c, l->f->path, item->text);
	if (!path || !conf_file_add(l->c, path, &file)) {
		load_no_memory(l);
		return;
	}
	if (!file_read(path, LIST_BYTES_MAX, &bytes, why)) {
		report_error(l->r, item->at, "%s cannot be read: %s", path, why);
		return;
	}
	f = &l->c->files[file];
	f->bytes = bytes.p;
	f->n = bytes.n;
	f->changed = bytes.changed;
	list_header_read(span_of(bytes.p, bytes.n), &f->head);
	since = f->head.fetched_at ? f->head.fetched_at : f->changed;
	if (!list->oldest || since < list->oldest)
		list->oldest = since;
	if (!ARRAY_ADD(&list->read, file))
		load_no_memory(l);
	list_parse(l, &list->hosts, span_of(bytes.p, bytes.n), file);
}

bool
conf_list_is_stale(const struct conf_list *l, time_t now)
{
	return l->max_age_ms && l->oldest && now > l->oldest && (uint64_t)(now - l->oldest) > l->max_age_ms / 1000;
}
