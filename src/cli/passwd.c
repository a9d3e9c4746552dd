/* SPDX-License-Identifier: MIT */
/*
 * passwd: adds, changes and removes users of a Basic or NTLM user file.
 * Always true: whoever reads the file meanwhile finds the old one or the new one, whole; what of the file is not about this user stays as it is.
 */
#include <crypt.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <libgen.h>
#include <limits.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "auth/ntlm_proof.h"
#include "auth/user_file.h"
#include "cli/cli.h"
#include "cli/password.h"

#define KIND_PREFIX "$y$" /* yescrypt: slow to guess on graphics cards as well, and passwords of any length count whole */

struct job {
	enum user_file_kind kind;
	bool                removes;
	const char         *path; /* as given */
	struct span         user;
	char                hash[CRYPT_OUTPUT_SIZE];
	char               *real;   /* the file itself, where `path` is a link to it; owned */
	int                 folder; /* its folder, locked, so that two at once do not undo each other's work; -1 */
	char               *old;    /* owned */
	size_t              n_old;
	struct stat         was;
	bool                exists;
};

enum outcome { ADDED, CHANGED, REMOVED, NOT_THERE };

static const char usage[] =
    "usage: postern passwd [--ntlm] [--delete] FILE USER\n"
    "Adds USER to a user file, or changes the password. The password is asked for twice, or taken from two lines on standard input.\n"
    "FILE is made when it is not there (mode 0600), and replaced in one step.\n"
    "      --ntlm    an NTLM file (ntlm-file) of NT hashes; else a Basic file (basic-file), yescrypt\n"
    "      --delete  remove USER\n"
    "exit code: 0 done, 1 there is no such user to remove, 2 usage, or a file that cannot be read or written\n";

/* --- the hash --- */

static bool
hash_ntlm(const char *password, char *out)
{
	uint8_t hash[16];

	if (!ntlm_hash(span_str(password), hash)) {
		cli_usage_error("the password is not UTF-8; NTLM needs to know its letters");
		return false;
	}
	for (size_t i = 0; i < sizeof hash; i++)
		snprintf(out + 2 * i, 3, "%02x", hash[i]);
	explicit_bzero(hash, sizeof hash);
	return true;
}

static bool
hash_crypt(const char *password, char out[CRYPT_OUTPUT_SIZE])
{
	struct crypt_data *work = calloc(1, sizeof *work);
	char               salt[CRYPT_GENSALT_OUTPUT_SIZE];
	bool               ok = work && crypt_gensalt_rn(KIND_PREFIX, 0, NULL, 0, salt, sizeof salt) && crypt_rn(password, salt, work, sizeof *work);

	if (ok)
		snprintf(out, CRYPT_OUTPUT_SIZE, "%s", work->output);
	else
		cli_usage_error("the password cannot be hashed: %s", strerror(errno));
	if (work)
		explicit_bzero(work, sizeof *work);
	free(work);
	return ok;
}

static bool
hash_make(struct job *j)
{
	char password[PASSWORD_MOST];
	bool ok = password_read("password: ", true, password);

	if (!ok)
		return false;
	for (const char *c = password; ok && *c; c++)
		ok = (unsigned char)*c >= 0x20 && *c != 0x7f;
	if (!ok || !*password) {
		cli_usage_error(ok ? "an empty password lets everybody in; say one" : "there are control bytes in the password, which no client can send");
		ok = false;
	}
	ok = ok && (j->kind == USER_FILE_NTLM ? hash_ntlm(password, j->hash) : hash_crypt(password, j->hash));
	explicit_bzero(password, sizeof password);
	return ok;
}

/* --- the old file --- */

static bool
folder_lock(struct job *j)
{
	char *copy;

	j->real = realpath(j->path, NULL);
	if (!j->real && errno == ENOENT)
		j->real = strdup(j->path);
	copy = j->real ? strdup(j->real) : NULL;
	if (!copy)
		return false;
	j->folder = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	free(copy);
	return j->folder >= 0 && flock(j->folder, LOCK_EX) == 0;
}

static bool
old_read(struct job *j, int fd)
{
	j->old = malloc((size_t)j->was.st_size + 1);
	if (!j->old)
		return false;
	while (j->n_old < (size_t)j->was.st_size) {
		ssize_t n = pread(fd, j->old + j->n_old, (size_t)j->was.st_size - j->n_old, (off_t)j->n_old);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return false;
		if (n == 0)
			break;
		j->n_old += (size_t)n;
	}
	return true;
}

/* CLI_FINE, or what was said on stderr. */
static int
old_open(struct job *j)
{
	int         fd, code = CLI_FINE;
	const char *fault;

	if (!folder_lock(j))
		return cli_file_error(j->path, strerror(errno));
	fd = open(j->real, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0 && errno == ENOENT && !j->removes)
		return CLI_FINE;
	if (fd < 0)
		return cli_file_error(j->path, strerror(errno));
	j->exists = true;
	fault = j->kind == USER_FILE_NTLM ? back_file_fault(BACK_NTLM_FILE, fd) : NULL;
	if (fault)
		code = cli_file_error(j->path, fault);
	else if (fstat(fd, &j->was) != 0)
		code = cli_file_error(j->path, strerror(errno));
	else if (!S_ISREG(j->was.st_mode) || j->was.st_size > (off_t)BACK_FILE_MOST)
		code = cli_file_error(j->path, "is no plain file of at most 64 MiB");
	else if (!old_read(j, fd))
		code = cli_file_error(j->path, strerror(errno));
	close(fd);
	return code;
}

/* --- the new file --- */

static bool
line_is_user(const struct job *j, struct span line)
{
	const char *colon = line.n ? memchr(line.p, ':', line.n) : NULL;

	return colon && line.p[0] != '#' && user_name_same(j->kind, span_of(line.p, (size_t)(colon - line.p)), j->user);
}

/* The old lines; in the place of the first one of this user the new one, at the end when there was none. */
static enum outcome
lines_write(const struct job *j, FILE *to)
{
	const char *p = j->n_old ? j->old : "", *stop = p + j->n_old;
	bool        found = false;

	while (p < stop) {
		const char *end = memchr(p, '\n', (size_t)(stop - p));
		struct span line = span_of(p, (size_t)((end ? end : stop) - p));
		p = end ? end + 1 : stop;
		if (!line_is_user(j, line)) {
			fwrite(line.p, 1, line.n, to);
			putc('\n', to);
		} else if (!found && !j->removes) {
			fprintf(to, "%.*s:%s\n", SPAN_ARG(j->user), j->hash);
		}
		found |= line_is_user(j, line);
	}
	if (j->removes)
		return found ? REMOVED : NOT_THERE;
	if (!found)
		fprintf(to, "%.*s:%s\n", SPAN_ARG(j->user), j->hash);
	return found ? CHANGED : ADDED;
}

/* Owner and mode as they were; then to the disk, then in the old one's place. */
static bool
settle(const struct job *j, FILE *f, const char *temporary)
{
	int fd = fileno(f);

	if (j->exists && (fchown(fd, j->was.st_uid, j->was.st_gid) != 0 || fchmod(fd, j->was.st_mode & 07777) != 0))
		return false;
	if (fflush(f) != 0 || ferror(f) || fsync(fd) != 0 || rename(temporary, j->real) != 0)
		return false;
	return fsync(j->folder) == 0;
}

static int
new_write(const struct job *j, enum outcome *outcome)
{
	char  temporary[PATH_MAX];
	int   fd, code = CLI_FINE;
	FILE *f;

	if ((size_t)snprintf(temporary, sizeof temporary, "%s.XXXXXX", j->real) >= sizeof temporary)
		return cli_file_error(j->path, strerror(ENAMETOOLONG));
	fd = mkostemp(temporary, O_CLOEXEC); /* 0600 */
	if (fd < 0)
		return cli_file_error(j->path, strerror(errno));
	f = fdopen(fd, "w");
	if (!f) {
		close(fd);
		unlink(temporary);
		return cli_file_error(j->path, strerror(errno));
	}
	*outcome = lines_write(j, f);
	if (*outcome == NOT_THERE) {
		code = CLI_NEGATIVE;
	} else if (!settle(j, f, temporary)) {
		code = cli_file_error(j->path, strerror(errno));
	}
	fclose(f);
	if (code != CLI_FINE)
		unlink(temporary);
	return code;
}

static int
passwd(struct job *j)
{
	static const char *const said[] = {[ADDED] = "added", [CHANGED] = "has a new password", [REMOVED] = "removed", [NOT_THERE] = "is not in it"};
	enum outcome             outcome = NOT_THERE;
	int                      code = CLI_FINE;

	j->folder = -1;
	/* first, so that nobody waits for the lock while a person types */
	if (!j->removes && !hash_make(j))
		code = CLI_USAGE;
	if (code == CLI_FINE)
		code = old_open(j);
	if (code == CLI_FINE)
		code = new_write(j, &outcome);
	if (code != CLI_USAGE) {
		FILE *to = code == CLI_FINE ? stdout : stderr;
		fputs(code == CLI_FINE ? "" : "postern: ", to);
		cli_print(to, span_str(j->path));
		fputs(": ", to);
		cli_print(to, j->user);
		fprintf(to, " %s\n", said[outcome]);
	}
	if (j->folder >= 0)
		close(j->folder);
	if (j->old)
		explicit_bzero(j->old, j->n_old);
	explicit_bzero(j->hash, sizeof j->hash);
	free(j->old);
	free(j->real);
	return code;
}

int
cli_passwd(int argc, char **argv)
{
	static const struct option options[] = {{"ntlm", no_argument, NULL, 'n'}, {"delete", no_argument, NULL, 'd'}, {"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, 'V'}, {0}};
	struct job  j = {.kind = USER_FILE_BASIC};
	const char *fault;
	int         o;

	while ((o = getopt_long(argc, argv, "hV", options, NULL)) != -1) {
		switch (o) {
		case 'n':
			j.kind = USER_FILE_NTLM;
			break;
		case 'd':
			j.removes = true;
			break;
		default:
			return cli_usage(o, usage);
		}
	}
	if (argc - optind != 2)
		return cli_usage('?', usage);
	j.path = argv[optind];
	j.user = span_str(argv[optind + 1]);
	fault = user_name_fault(j.kind, j.user);
	return fault ? cli_usage_error("%s", fault) : passwd(&j);
}
