/* SPDX-License-Identifier: MIT */
/* password: asks a person for one, on the terminal without echo, or takes it from standard input when that is no terminal. */
#ifndef POSTERN_CLI_PASSWORD_H
#define POSTERN_CLI_PASSWORD_H

#include <stdbool.h>
#include <stddef.h>

#define PASSWORD_MOST 512u

/* `twice`: two times (two lines), which must be the same. False: said on stderr why. Wipe `out` after use. */
bool password_read(const char *prompt, bool twice, char out[PASSWORD_MOST]);

#endif
