/* SPDX-License-Identifier: MIT */
/*
 * replay: feeds a fuzz target the files of its corpus and, of small ones, every prefix. For `make check` and compilers without libFuzzer.
 * Without arguments: replay_NAME takes tests/fuzz/corpus/NAME in the source directory. An empty corpus is a failure.
 */
#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include "fuzz.h"

#define FILE_MAX_BYTES   (1 << 20)
#define PREFIX_MAX_BYTES 2048

static char buffer[FILE_MAX_BYTES];

static void
feed(size_t n)
{
	/* libFuzzer too gives each input a block of its own */
	struct span b = fuzz_block(buffer, n);
	LLVMFuzzerTestOneInput((const uint8_t *)b.p, n);
	fuzz_free(b);
}

static bool
replay_file(int dir, const char *name)
{
	int     fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
	size_t  n = 0;
	ssize_t got = -1;

	if (fd >= 0) {
		while ((got = read(fd, buffer + n, sizeof buffer - n)) > 0)
			n += (size_t)got;
		close(fd);
	}
	if (got < 0) {
		perror(name);
		return false;
	}
	if (n <= PREFIX_MAX_BYTES)
		for (size_t part = 0; part < n; part++)
			feed(part);
	feed(n);
	return true;
}

/* How many files were fed; -1 when one could not be read. */
static int
replay_directory(const char *path)
{
	DIR           *d = opendir(path);
	struct dirent *e;
	int            count = 0;

	if (!d) {
		perror(path);
		return -1;
	}
	while ((e = readdir(d))) {
		if (e->d_name[0] == '.')
			continue;
		if (!replay_file(dirfd(d), e->d_name)) {
			count = -1;
			break;
		}
		count++;
	}
	closedir(d);
	return count;
}

int
main(int argc, char **argv)
{
	const char *source = getenv("srcdir"), *name = strstr(argv[0], "replay_");
	char        path[4096];
	int         count;

	if (argc > 1) {
		for (int i = 1; i < argc; i++)
			if (!replay_file(AT_FDCWD, argv[i]))
				return 1;
		return 0;
	}
	snprintf(path, sizeof path, "%s/tests/fuzz/corpus/%s", source ? source : ".", name ? name + strlen("replay_") : "");
	count = replay_directory(path);
	printf("%s: %d files\n", path, count);
	return count > 0 ? 0 : 1;
}
