/* SPDX-License-Identifier: MIT */
#include "proc/pid_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* Who is in it; 0: nobody that can be read. */
static long
read_pid(int fd)
{
	char    text[24];
	ssize_t n = pread(fd, text, sizeof text - 1, 0);

	if (n <= 0)
		return 0;
	text[n] = '\0';
	return strtol(text, NULL, 10);
}

bool
pid_file_open(struct pid_file *p, const char *path, char *why, size_t n)
{
	struct stat st, named;
	int         fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0644);

	*p = (struct pid_file){.fd = -1};
	if (fd < 0) {
		snprintf(why, n, "%s", strerror(errno));
		return false;
	}
	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
		snprintf(why, n, "it is no regular file");
	else if (flock(fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK)
		snprintf(why, n, "another instance (pid %ld) holds it", read_pid(fd));
	/* one that ended in this moment took the file along */
	else if (stat(path, &named) != 0 || named.st_ino != st.st_ino || named.st_dev != st.st_dev)
		snprintf(why, n, "another instance is just ending; try again");
	else if (!pid_file_adopt(p, fd, path))
		snprintf(why, n, "out of memory");
	if (p->fd < 0)
		close(fd);
	return p->fd >= 0;
}

bool
pid_file_adopt(struct pid_file *p, int fd, const char *path)
{
	p->fd = -1;
	p->path = strdup(path);
	if (!p->path)
		return false;
	p->fd = fd;
	return true;
}

bool
pid_file_write(struct pid_file *p)
{
	char text[24];
	int  n = snprintf(text, sizeof text, "%ld\n", (long)getpid());

	return p->fd < 0 || (pwrite(p->fd, text, (size_t)n, 0) == n && ftruncate(p->fd, n) == 0);
}

void
pid_file_close(struct pid_file *p, bool gone)
{
	if (p->fd < 0)
		return;
	if (gone)
		unlink(p->path);
	close(p->fd);
	free(p->path);
	*p = (struct pid_file){.fd = -1};
}
