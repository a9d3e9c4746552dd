/* SPDX-License-Identifier: MIT */
#include "auth/parent_secret.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <nettle/base64.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LINE_MOST 256u /* bytes of user:password */

static_assert(sizeof "Basic " + BASE64_ENCODE_RAW_LENGTH(LINE_MOST) <= PARENT_SECRET_MAX, "it must fit");

/* The one line, without its end. Empty: *why. */
static struct span
line_of(const char *text, size_t n, const char **why)
{
	const char *end = memchr(text, '\n', n);
	size_t      len = end ? (size_t)(end - text) : n;

	*why = NULL;
	if (end && len + 1 != n)
		*why = "has more than one line; want user:password alone";
	if (len && text[len - 1] == '\r')
		len--;
	if (len > LINE_MOST)
		*why = "is longer than 256 bytes; want one line user:password";
	else if (len == 0 || text[0] == ':' || !memchr(text, ':', len))
		*why = "has no user and colon; want one line user:password";
	for (size_t i = 0; i < len && !*why; i++)
		if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f) /* RFC 7617 2 */
			*why = "has control bytes; want one line user:password";
	return span_of(text, *why ? 0 : len);
}

/* All of it, or as much as there is room for. Negative: it cannot be read. */
static ssize_t
file_read(int fd, char *text, size_t room)
{
	size_t  n = 0;
	ssize_t got;

	while (n < room && (got = pread(fd, text + n, room - n, (off_t)n)) != 0) {
		if (got < 0 && errno != EINTR)
			return -1;
		if (got > 0)
			n += (size_t)got;
	}
	return (ssize_t)n;
}

bool
parent_secret_read(int fd, struct snapshot_secret *out, const char **why)
{
	char        text[LINE_MOST + 4];
	ssize_t     n = file_read(fd, text, sizeof text);
	struct span line;

	out->n = 0;
	*why = "cannot be read";
	if (n < 0)
		return false;
	line = line_of(text, (size_t)n, why);
	if (line.n) {
		memcpy(out->text, "Basic ", 6);
		base64_encode_raw(out->text + 6, line.n, (const uint8_t *)line.p);
		out->n = (uint32_t)(6 + BASE64_ENCODE_RAW_LENGTH(line.n));
	}
	explicit_bzero(text, sizeof text);
	return line.n > 0;
}

void
parent_secret_check(const struct conf *c, struct report *r)
{
	const struct conf_parent *p;
	struct snapshot_secret    secret;
	struct stat               st;
	const char               *why;

	TAILQ_FOREACH (p, &c->parents, link) {
		int fd = p->auth == PARENT_AUTH_BASIC && p->credentials ? open(p->credentials, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY) : -1;
		if (fd < 0)
			continue;
		if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && !parent_secret_read(fd, &secret, &why))
			report_error(r, p->credentials_at, "credentials: %s %s", p->credentials, why);
		explicit_bzero(&secret, sizeof secret);
		close(fd);
	}
}
