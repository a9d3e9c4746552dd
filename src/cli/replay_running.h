/* SPDX-License-Identifier: MIT */
/* replay_running: which file the running gateway has read. */
#ifndef POSTERN_CLI_REPLAY_RUNNING_H
#define POSTERN_CLI_REPLAY_RUNNING_H

#include <stddef.h>

/* By the control socket (null: the one that `conf` names). An exit code; what is wrong was said. */
int running_path(const char *control, const char *conf, char *path, size_t n);

#endif
