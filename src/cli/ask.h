/* SPDX-License-Identifier: MIT */
/*
 * ask: one question or command to the running gateway, over its control socket, and the answer to the terminal.
 */
#ifndef POSTERN_CLI_ASK_H
#define POSTERN_CLI_ASK_H

#include <stdbool.h>
#include <stdio.h>

#include "base/span.h"

/* Where the gateway is to be asked: `control`, or what `conf` names as control. False: said on stderr. */
bool ask_path(const char *control, const char *conf, char *path, size_t n);
/* Sends `request` (a line, without its newline) and calls `line` for each line of the answer, kind '.' or 'e', as it comes. The exit code that the gateway gives;
 * CLI_NO_GATEWAY, said on stderr, when it cannot be reached or breaks off. */
int ask_gateway(const char *path, const char *request, void (*line)(void *arg, char kind, struct span text), void *arg);
/* The same, but CLI_NO_GATEWAY is said in `said`. */
int ask_gateway_quietly(const char *path, const char *request, void (*line)(void *arg, char kind, struct span text), void *arg, char *said, size_t said_n);
/* A `line`: to standard output as it comes, or, with whose word it is, to standard error. `arg` is not used. */
void ask_print(void *arg, char kind, struct span text);

#endif
