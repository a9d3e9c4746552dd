/* SPDX-License-Identifier: MIT */
/*
 * rounds: whether [doctor] interval and textfile can be what they say; what is tested is probe's to check.
 */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "conf/load.h"

#define LEAST_MS 1000u

static void
check_textfile(struct load *l, const struct conf_doctor *d)
{
	const char *slash = strrchr(d->textfile, '/');
	size_t      n = slash ? (size_t)(slash - d->textfile) : 0;
	char        dir[4096];
	struct stat st;

	if (!d->interval_ms)
		report_warn(l->r, d->textfile_at, "textfile = %s, but nobody writes it: want interval = 15m, for example, too", d->textfile);
	if (slash && !slash[1]) {
		report_error(l->r, d->textfile_at, "textfile = %s: want a file, such as %spostern.prom", d->textfile, d->textfile);
		return;
	}
	if (l->no_files || !n || n >= sizeof dir)
		return;
	memcpy(dir, d->textfile, n);
	dir[n] = '\0';
	if (stat(dir, &st) != 0)
		report_error(l->r, d->textfile_at, "textfile = %s: %s: %s; want a path in a directory that is there", d->textfile, dir, strerror(errno));
	else if (!S_ISDIR(st.st_mode))
		report_error(l->r, d->textfile_at, "textfile = %s: %s is no directory", d->textfile, dir);
}

void
check_rounds(struct load *l)
{
	const struct conf_doctor *d = &l->c->doctor;

	if (d->interval_ms && d->interval_ms < LEAST_MS)
		report_error(l->r, d->interval_at, "interval: the endpoints are other people's servers; want at least 1s, better 15m, or 0 for never");
	if (d->textfile && *d->textfile)
		check_textfile(l, d);
}
