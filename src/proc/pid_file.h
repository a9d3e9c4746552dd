/* SPDX-License-Identifier: MIT */
/*
 * pid_file: the file that tells the parent's process number. Locked while its instance lives, so that a stale one is known from one in use.
 */
#ifndef POSTERN_PROC_PID_FILE_H
#define POSTERN_PROC_PID_FILE_H

#include <stdbool.h>
#include <stddef.h>

struct pid_file {
	int   fd;   /* -1: none */
	char *path; /* owned */
};

/* Takes the file, and leaves what it says until pid_file_write. False: `why` says what is wrong ("another instance (pid 12) holds it"). */
bool pid_file_open(struct pid_file *p, const char *path, char *why, size_t n);
/* Held by an earlier parent, which gave it away; owns fd. */
bool pid_file_adopt(struct pid_file *p, int fd, const char *path);
/* This process's number is in it now. */
bool pid_file_write(struct pid_file *p);
/* With `gone` the file goes too. */
void pid_file_close(struct pid_file *p, bool gone);

#endif
