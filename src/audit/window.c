/* SPDX-License-Identifier: MIT */
#include "audit/window.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FRAMES_FIRST 256u
#define BYTES_FIRST  ((size_t)64 << 10)
#define COUNT_MAX    12u /* "262144 " */

void
window_clear(struct window *w)
{
	free(w->buf);
	free(w->frame);
	memset(w, 0, sizeof *w);
}

bool
window_is_full(const struct window *w)
{
	return w->len - w->at >= WINDOW_WAITING;
}

bool
window_is_sent(const struct window *w)
{
	return w->next == w->n;
}

static bool
make_room(struct window *w, size_t n)
{
	size_t        room = w->room ? w->room : BYTES_FIRST, frames = w->frames_room ? w->frames_room : FRAMES_FIRST;
	char         *buf;
	struct frame *frame;

	while (room - w->len < n)
		room *= 2;
	if (room != w->room) {
		buf = realloc(w->buf, room);
		if (!buf)
			return false;
		w->buf = buf;
		w->room = room;
	}
	if (w->n == frames)
		frames *= 2;
	if (frames != w->frames_room) {
		frame = realloc(w->frame, frames * sizeof *frame);
		if (!frame)
			return false;
		w->frame = frame;
		w->frames_room = frames;
	}
	return true;
}

/* Of n bytes, as many as a datagram may have, without half a character of UTF-8. */
static size_t
cut(const char *p, size_t n, size_t most)
{
	if (n <= most)
		return n;
	n = most;
	while (n > most - 4 && ((unsigned char)p[n] & 0xc0u) == 0x80u)
		n--;
	return n;
}

bool
window_add(struct window *w, const char *p, size_t n, uint64_t mark)
{
	char   count[COUNT_MAX + 1] = "";
	size_t n_count = 0;

	n -= n && p[n - 1] == '\n';
	if (w->way == SYSLOG_UDP)
		n = cut(p, n, WINDOW_UDP_MAX);
	else if (w->way == SYSLOG_UNIX)
		n = cut(p, n, WINDOW_UNIX_MAX);
	else
		n_count = (size_t)snprintf(count, sizeof count, "%zu ", n);
	if (!make_room(w, n + n_count + 1))
		return false;
	memcpy(w->buf + w->len, count, n_count);
	memcpy(w->buf + w->len + n_count, p, n);
	n += n_count;
	if (w->way == SYSLOG_UNIX)
		w->buf[w->len + n++] = '\n'; /* ends it where the server has a stream socket */
	w->frame[w->n++] = (struct frame){.n = (uint32_t)n, .mark = mark};
	w->len += n;
	return true;
}

/* Forget the oldest of what went. */
static void
trim(struct window *w, size_t keep)
{
	size_t gone = 0, bytes = 0;

	if (w->next_at <= 2 * keep && w->next_at != w->len)
		return;
	while (gone < w->next && w->next_at - bytes > keep)
		bytes += w->frame[gone++].n;
	if (!gone)
		return;
	memmove(w->buf, w->buf + bytes, w->len - bytes);
	memmove(w->frame, w->frame + gone, (w->n - gone) * sizeof *w->frame);
	w->len -= bytes;
	w->at -= bytes;
	w->next_at -= bytes;
	w->n -= gone;
	w->next -= gone;
}

size_t
window_send(struct window *w, struct wire *wire, uint64_t now_us)
{
	bool   is_packets = wire_is_packets(wire);
	size_t total = 0, n, offered;

	while (w->at < w->len) {
		/* the newline of a UNIX frame is no part of a datagram */
		offered = is_packets ? w->frame[w->next].n - (w->way == SYSLOG_UNIX) : w->len - w->at;
		n = wire_write(wire, w->buf + w->at, offered, now_us);
		if (!n)
			break;
		total += n;
		w->at += is_packets ? w->frame[w->next].n : n;
		while (w->next < w->n && w->next_at + w->frame[w->next].n <= w->at) {
			w->frame[w->next].end = wire_carried(wire);
			w->next_at += w->frame[w->next++].n;
		}
	}
	trim(w, is_packets ? 0 : WINDOW_KEPT);
	return total;
}

void
window_rewind(struct window *w, uint64_t known_read)
{
	w->at = w->next_at; /* what was begun */
	while (w->next && w->frame[w->next - 1].end > known_read) {
		w->next--;
		w->next_at -= w->frame[w->next].n;
		w->at = w->next_at;
		w->frame[w->next].mark = 0; /* the spool holds it no more */
	}
	/* another connection counts anew */
	if (w->next) {
		memmove(w->buf, w->buf + w->next_at, w->len - w->next_at);
		memmove(w->frame, w->frame + w->next, (w->n - w->next) * sizeof *w->frame);
		w->len -= w->next_at;
		w->n -= w->next;
		w->at = w->next_at = w->next = 0;
	}
}

uint64_t
window_mark(const struct window *w)
{
	for (size_t i = w->next; i-- > 0;)
		if (w->frame[i].mark)
			return w->frame[i].mark;
	return 0;
}

/* The message in a frame. */
static size_t
message_offset(const struct window *w, const char *p, size_t n)
{
	const char *blank = w->way == SYSLOG_TCP || w->way == SYSLOG_TLS ? memchr(p, ' ', n) : NULL;

	return blank ? (size_t)(blank - p) + 1 : 0;
}

bool
window_stash(struct window *w, struct spool *s, int *error)
{
	size_t   at = w->next_at;
	char    *entry;
	uint32_t n;
	bool     ok;

	if (!window_unsaved(w))
		return true;
	entry = malloc(sizeof n + SPOOL_MESSAGE_MAX);
	ok = entry != NULL;
	*error = ENOMEM;
	for (size_t i = w->next; ok && i < w->n; at += w->frame[i++].n) {
		size_t skip = message_offset(w, w->buf + at, w->frame[i].n);
		if (w->frame[i].mark)
			continue;
		n = (uint32_t)(w->frame[i].n - skip);
		memcpy(entry, &n, sizeof n);
		memcpy(entry + sizeof n, w->buf + at + skip, n);
		ok = spool_put(s, entry, sizeof n + n, error) == sizeof n + n;
		if (ok)
			w->frame[i].mark = spool_pass(s);
	}
	free(entry);
	if (ok)
		*error = 0;
	return ok;
}

uint64_t
window_unsaved(const struct window *w)
{
	uint64_t n = 0;

	for (size_t i = w->next; i < w->n; i++)
		n += !w->frame[i].mark;
	return n;
}
