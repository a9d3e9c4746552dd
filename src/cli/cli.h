/* SPDX-License-Identifier: MIT */
/*
 * cli: the subcommands, one file each, and the little that they share.
 * Each takes its own arguments, argv[0] being its name, and returns the exit code.
 */
#ifndef POSTERN_CLI_CLI_H
#define POSTERN_CLI_CLI_H

#include <stdbool.h>
#include <stdio.h>

#include "base/span.h"

enum cli_exit {
	CLI_FINE = 0,
	CLI_NEGATIVE = 1,   /* the check or answer is negative */
	CLI_USAGE = 2,      /* usage or unreadable input */
	CLI_NO_GATEWAY = 3, /* could not reach the running gateway */
};

#define CLI_DEFAULT_CONF SYSCONFDIR "/postern/postern.ini"

int cli_run(int argc, char **argv);
int cli_check(int argc, char **argv);
int cli_explain(int argc, char **argv);
int cli_replay(int argc, char **argv);
int cli_passwd(int argc, char **argv);
int cli_auth(int argc, char **argv);
int cli_ca(int argc, char **argv);
int cli_import(int argc, char **argv);
/* reload, drain, upgrade, rotate, status, sessions, rules, lists: by the name that stands in argv[0] */
int cli_control(int argc, char **argv);
int cli_suggest(int argc, char **argv);
int cli_doctor(int argc, char **argv);
int cli_top(int argc, char **argv);

/* What all subcommands answer alike to an option `o` of getopt_long that is none of their own: 'h' with `usage`, 'V' with the version, on standard output;
 * anything else, such as '?' for what is wrong, with `usage` on standard error. Returns the exit code. */
int cli_usage(int o, const char *usage);
/* The same of a word where getopt_long is not asked yet: 'h' for --help or -h, 'V' for --version or -V, else '?'. */
int cli_asks(const char *word);
/* "postern: what" on stderr; returns CLI_USAGE. */
int cli_usage_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* "postern: PATH: what" on stderr, both as cli_print writes them; returns CLI_USAGE. */
int cli_file_error(const char *path, const char *what);
/* Can `path` be read as a file? Says on stderr why not. */
bool cli_file_readable(const char *path);
/* Text from a file or a command line, for a terminal: what it would take for orders, and what is no UTF-8, as \xHH. */
void cli_print(FILE *to, struct span s);
/* A JSON string (RFC 8259 7) with its quotes, fit for a terminal: what cli_print would escape is \uHHHH, what is not UTF-8 becomes U+FFFD. */
void cli_print_json(FILE *to, struct span s);

#endif
