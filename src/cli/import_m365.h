/* SPDX-License-Identifier: MIT */
/* import_m365: what its files share: the list in use, compared with a new one. */
#ifndef POSTERN_CLI_IMPORT_M365_H
#define POSTERN_CLI_IMPORT_M365_H

#include "conf/conf.h"
#include "conf/file.h"
#include "import/m365.h"

/* An entry of the list in use. */
struct m365_old {
	struct span text, comment; /* comment: without its '#'; "" none */
};

/* What was added and what is gone, each in the order of the alphabet. */
struct m365_diff {
	struct m365_old          *old; /* owned */
	const struct m365_item  **added; /* owned */
	const struct m365_old   **removed; /* owned */
	size_t                    n_old, n_added, n_removed;
	struct file_bytes         bytes; /* owned: of a list file */
	struct conf              *conf;  /* owned: of an ini */
};

/* `path`: FILE.ini, of which list `name` is meant, or a list file. An exit code: CLI_FINE, or said. Clear it in any case. */
int  m365_diff_make(struct m365_diff *d, const struct m365_list *now, const char *path, const char *name);
void m365_diff_clear(struct m365_diff *d);

#endif
