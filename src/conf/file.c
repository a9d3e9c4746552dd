/* SPDX-License-Identifier: MIT */
#include "conf/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool
say(char why[FILE_WHY], const char *text)
{
	snprintf(why, FILE_WHY, "%s", text);
	return false;
}

/* One byte more than st_size is asked for, to see a file that grows meanwhile. */
static bool
read_all(int fd, size_t most, size_t expect, struct file_bytes *out, char why[FILE_WHY])
{
	size_t room = expect + 1, n = 0;
	char  *p = malloc(room + 1), *q;

	while (p) {
		ssize_t got = read(fd, p + n, room - n);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0) {
			say(why, strerror(errno));
			break;
		}
		n += (size_t)got;
		if (got == 0) {
			p[n] = '\0';
			out->p = p;
			out->n = n;
			return true;
		}
		if (n > most) {
			snprintf(why, FILE_WHY, "it is larger than %zu MiB", most >> 20);
			break;
		}
		if (n < room)
			continue;
		room = room * 2 > most ? most + 1 : room * 2;
		q = realloc(p, room + 1);
		if (!q) {
			say(why, "out of memory");
			break;
		}
		p = q;
	}
	if (!p)
		say(why, "out of memory");
	free(p);
	return false;
}

bool
file_read(const char *path, size_t most, struct file_bytes *out, char why[FILE_WHY])
{
	/* O_NONBLOCK: a FIFO must not hold us up before fstat tells what it is */
	int         fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat st;
	bool        ok = false;

	*out = (struct file_bytes){0};
	if (fd < 0)
		return say(why, strerror(errno));
	if (fstat(fd, &st) != 0)
		say(why, strerror(errno));
	else if (S_ISDIR(st.st_mode))
		say(why, "it is a directory");
	else if (!S_ISREG(st.st_mode))
		say(why, "it is not a regular file");
	else if ((unsigned long long)st.st_size > most)
		snprintf(why, FILE_WHY, "it is larger than %zu MiB", most >> 20);
	else if (read_all(fd, most, (size_t)st.st_size, out, why)) {
		out->dev = st.st_dev;
		out->ino = st.st_ino;
		out->changed = st.st_mtime;
		ok = true;
	}
	close(fd);
	return ok;
}
