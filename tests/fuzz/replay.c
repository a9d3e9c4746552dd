/* SPDX-License-Identifier: MIT */
/*
 * replay: runs one fuzz target over the files of its corpus (CORPUS below the source directory), and over every prefix of each. No libFuzzer needed.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

#define MOST_BYTES     65536u
#define MOST_PREFIXES  2048u

static void
run(const uint8_t *data, size_t n)
{
	/* exact size, so that a sanitizer sees every byte read too far */
	uint8_t *exact = malloc(n ? n : 1);

	memcpy(exact, data, n);
	LLVMFuzzerTestOneInput(exact, n);
	free(exact);
}

int
main(void)
{
	static uint8_t bytes[MOST_BYTES];
	const char    *top = getenv("srcdir");
	char           path[4096];
	unsigned       files = 0;
	struct dirent *e;
	DIR           *d;

	snprintf(path, sizeof path, "%s/" CORPUS, top ? top : ".");
	d = opendir(path);
	if (!d) {
		fprintf(stderr, "%s cannot be read\n", path);
		return 1;
	}
	while ((e = readdir(d))) {
		char   file[5000];
		size_t n;
		FILE  *f;
		snprintf(file, sizeof file, "%s/%s", path, e->d_name);
		f = e->d_name[0] != '.' ? fopen(file, "r") : NULL;
		if (!f)
			continue;
		n = fread(bytes, 1, sizeof bytes, f);
		fclose(f);
		files++;
		run(bytes, n);
		for (size_t cut = 0; cut < n && cut < MOST_PREFIXES; cut++)
			run(bytes, cut);
	}
	closedir(d);
	printf("%u files\n", files);
	return files == 0;
}
