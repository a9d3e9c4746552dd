/* SPDX-License-Identifier: MIT */
#include "audit/sink_journal.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "audit/sink_kind.h"
#include "audit/words.h"
#include "base/fault.h"

#define JOURNAL_SOCKET "/run/systemd/journal/socket"
#define NAME_BYTES     128
#define TEXTS_MAX      4 /* that stand in the fields */
#define HEAD_MAX       (TEXTS_MAX * LINE_TEXT_MAX + 1024)
#define SEND_BUFFER    (4 * 1024 * 1024)

struct journal_sink {
	int      fd; /* owned; -1 */
	unsigned facility, severity;
	struct span name; /* points to name_text */
	char     name_text[NAME_BYTES];
};

static void
field_text(struct line *l, const char *name, struct span value)
{
	if (!value.n)
		return;
	line_str(l, name);
	line_text(l, value, STYLE_RAW); /* no control byte, so no newline either */
	line_char(l, '\n');
}

static void
field_number(struct line *l, const char *name, uint64_t value)
{
	line_str(l, name);
	line_number(l, value, 0, ' ');
	line_char(l, '\n');
}

static void
record_fields(struct line *l, const struct record *r, const struct span *text)
{
	if (words_action(r))
		field_text(l, "POSTERN_ACTION=", span_str(words_action(r)));
	if (r->fault)
		field_text(l, "POSTERN_FAULT=", span_str(fault_row((enum fault)r->fault)->word));
	if (r->status)
		field_number(l, "POSTERN_STATUS=", r->status);
	line_str(l, "POSTERN_CLIENT=");
	line_addr(l, &r->client.addr);
	line_str(l, "\nPOSTERN_ID=");
	line_id(l, r->id);
	line_char(l, '\n');
	field_text(l, "POSTERN_LISTENER=", text[RT_LISTENER]);
	field_text(l, "POSTERN_RULE=", text[RT_RULE]);
	field_text(l, "POSTERN_HOST=", text[RT_HOST]);
	field_text(l, "POSTERN_USER=", text[RT_USER]);
}

static void
journal_head(void *arg, struct line *l, size_t n, const struct record *r, const struct span *text)
{
	const struct journal_sink *j = arg;
	uint64_t                   size = htole64(n - 1);

	field_number(l, "PRIORITY=", j->severity);
	field_number(l, "SYSLOG_FACILITY=", j->facility);
	field_text(l, "SYSLOG_IDENTIFIER=", j->name);
	if (r && text)
		record_fields(l, r, text);
	/* with its length, and ended by the newline that the line has */
	line_str(l, "MESSAGE\n");
	line_bytes(l, (const char *)&size, sizeof size);
}

static bool
journal_open(struct journal_sink *j)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX, .sun_path = JOURNAL_SOCKET};
	int                size = SEND_BUFFER;

	j->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (j->fd < 0)
		return false;
	setsockopt(j->fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
	if (connect(j->fd, (struct sockaddr *)&sa, sizeof sa) == 0)
		return true;
	close(j->fd);
	j->fd = -1;
	return false;
}

/* What is too long for a datagram goes as a sealed file. 0 or errno. */
static int
send_file(struct journal_sink *j, const char *p, size_t n)
{
	union {
		struct cmsghdr head;
		char           room[CMSG_SPACE(sizeof(int))];
	} control = {0};
	struct msghdr m = {.msg_control = &control, .msg_controllen = sizeof control.room};
	int           fd = memfd_create("postern-journal", MFD_CLOEXEC | MFD_ALLOW_SEALING), error = 0;

	if (fd < 0)
		return errno;
	control.head = (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof fd), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
	memcpy(CMSG_DATA(&control.head), &fd, sizeof fd);
	for (size_t wrote = 0; wrote < n && !error;) {
		ssize_t more = write(fd, p + wrote, n - wrote);
		if (more < 0)
			error = errno;
		else
			wrote += (size_t)more;
	}
	if (!error && (fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) != 0 || sendmsg(j->fd, &m, MSG_NOSIGNAL) < 0))
		error = errno;
	close(fd);
	return error;
}

static int
send_entry(struct journal_sink *j, const char *p, size_t n)
{
	ssize_t sent;

	do
		sent = send(j->fd, p, n, MSG_NOSIGNAL);
	while (sent < 0 && errno == EINTR);
	if (sent >= 0)
		return 0;
	return errno == EMSGSIZE ? send_file(j, p, n) : errno;
}

static void
journal_write(void *arg, const char *p, size_t n, uint64_t now_us, struct sink_try *t)
{
	struct journal_sink *j = arg;
	uint32_t             size;

	(void)now_us;
	while (t->took < n) {
		if (j->fd < 0 && !journal_open(j)) {
			t->error = errno;
			t->errors++;
			return;
		}
		memcpy(&size, p + t->took, sizeof size);
		t->error = send_entry(j, p + t->took + sizeof size, size);
		if (t->error == EAGAIN || t->error == ENOBUFS) {
			t->error = EAGAIN;
			t->wait_ms = 1; /* its queue is short */
			return;
		}
		if (t->error) {
			t->errors++;
			close(j->fd);
			j->fd = -1;
			return;
		}
		t->took += sizeof size + size;
	}
}

static uint64_t
journal_free(void *arg)
{
	struct journal_sink *j = arg;

	if (j->fd >= 0)
		close(j->fd);
	free(j);
	return 0;
}

static const struct sink_kind journal_kind = {.head_max = HEAD_MAX, .head = journal_head, .write = journal_write, .free = journal_free};

static void
take_values(struct journal_sink *j, const struct sink_journal_config *c)
{
	size_t n = c->name.n < sizeof j->name_text ? c->name.n : sizeof j->name_text;

	memcpy(j->name_text, c->name.p, n);
	j->name = span_of(j->name_text, n);
	j->facility = c->facility;
	j->severity = c->severity;
}

struct sink *
sink_journal_new(const struct sink_journal_config *c, enum log_format_kind format)
{
	struct journal_sink *j = calloc(1, sizeof *j);

	if (!j)
		return NULL;
	j->fd = -1;
	take_values(j, c);
	return sink_make(&journal_kind, j, SINK_JOURNAL_NAME, format);
}

void
sink_journal_adopt(struct sink *s, const struct sink_journal_config *c)
{
	take_values(sink_arg(s, &journal_kind), c);
}
