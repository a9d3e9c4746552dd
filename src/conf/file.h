/* SPDX-License-Identifier: MIT */
/* file: a whole regular file as bytes, never more than allowed. */
#ifndef POSTERN_CONF_FILE_H
#define POSTERN_CONF_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <time.h>

struct file_bytes {
	char  *p; /* malloc'ed; a NUL follows */
	size_t n;
	dev_t  dev;
	ino_t  ino;
	time_t changed; /* its content, last */
};

#define FILE_WHY 96

/* False: `why` says what is wrong with it. Never waits: what is no regular file is refused. */
bool file_read(const char *path, size_t most, struct file_bytes *out, char why[FILE_WHY]);

#endif
