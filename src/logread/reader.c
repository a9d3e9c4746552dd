/* SPDX-License-Identifier: MIT */
#include "logread/reader.h"

#include <stdlib.h>

#include "logread/line.h"
#include "logread/source.h"

#define ROOM (LOG_LINE_MAX + (256u << 10))

struct log_reader {
	struct log_source *source; /* owned */
	const char        *failed; /* what log_source_read said; read lines come first */
	bool               ended, skipping; /* skipping: in the middle of a line that is too long, and was told */
	uint64_t           lines, lost;
	size_t             from, n; /* text[from .. n) is not used yet */
	char               scratch[LOG_LINE_MAX];
	char               text[ROOM];
};

struct log_reader *
log_reader_new(int fd, uint64_t most)
{
	struct log_reader *r = malloc(sizeof *r);
	struct log_source *s = log_source_new(fd, most);

	if (!r || !s) {
		free(r);
		log_source_free(s);
		return NULL;
	}
	r->source = s;
	r->failed = NULL;
	r->ended = r->skipping = false;
	r->lines = r->lost = r->from = r->n = 0;
	return r;
}

void
log_reader_free(struct log_reader *r)
{
	if (!r)
		return;
	log_source_free(r->source);
	free(r);
}

uint64_t
log_reader_lines(const struct log_reader *r)
{
	return r->lines;
}

uint64_t
log_reader_lost(const struct log_reader *r)
{
	return r->lost;
}

static void
text_fill(struct log_reader *r)
{
	ssize_t got;

	memmove(r->text, r->text + r->from, r->n - r->from);
	r->n -= r->from;
	r->from = 0;
	got = log_source_read(r->source, r->text + r->n, sizeof r->text - r->n, &r->failed);
	if (got > 0)
		r->n += (size_t)got;
	else
		r->ended = true;
}

/* The next line without its end. False: there is none. A line that is too long comes as its beginning, longer than a line may be. */
static bool
line_next(struct log_reader *r, struct span *line)
{
	size_t      looked = 0, n;
	const char *end;

	for (;;) {
		n = r->n - r->from;
		end = n > looked ? memchr(r->text + r->from + looked, '\n', n - looked) : NULL;
		if (end || n > LOG_LINE_MAX || r->ended)
			break;
		looked = n;
		text_fill(r);
	}
	if (n == 0 || (!end && r->failed)) /* who knows what the rest of it was */
		return false;
	*line = span_of(r->text + r->from, end ? (size_t)(end - r->text) - r->from : n);
	r->from += line->n + (end != NULL);
	if (r->skipping) { /* this is more of it, or its end */
		r->skipping = !end;
		*line = SPAN("");
		return true;
	}
	r->skipping = !end && line->n > LOG_LINE_MAX;
	if (r->lines++ == 0)
		*line = span_unmarked(*line);
	if (line->n && line->p[line->n - 1] == '\r')
		line->n--;
	return true;
}

enum log_read
log_reader_next(struct log_reader *r, struct log_entry *out, const char **why)
{
	struct span line;
	uint64_t    lost;

	while (line_next(r, &line)) {
		if (line.n == 0)
			continue;
		switch (line_any(line, out, r->scratch, &lost, why)) {
		case LINE_ENTRY:
			out->line = r->lines;
			return LOG_READ_ENTRY;
		case LINE_BAD:
			out->line = r->lines;
			return LOG_READ_BAD;
		case LINE_NOTE:
			r->lost += lost;
			break;
		}
	}
	*why = r->failed;
	return r->failed ? LOG_READ_FAILED : LOG_READ_END;
}
