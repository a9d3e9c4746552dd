/* SPDX-License-Identifier: MIT */
#include <sys/mman.h>
#include <unistd.h>

#include "fuzz.h"
#include "logread/reader.h"

#define MOST (1u << 20)

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	int                fd = memfd_create("log", MFD_CLOEXEC);
	struct log_reader *r;
	struct log_entry   e;
	enum log_read      read;
	const char        *why;
	uint64_t           last = 0, lines = 0;

	CHECK(fd >= 0 && write(fd, data, n) == (ssize_t)n && lseek(fd, 0, SEEK_SET) == 0);
	r = log_reader_new(fd, MOST);
	CHECK(r != NULL);
	do {
		why = NULL;
		read = log_reader_next(r, &e, &why);
		CHECK((read == LOG_READ_BAD || read == LOG_READ_FAILED) == (why != NULL));
		if (read == LOG_READ_ENTRY || read == LOG_READ_BAD) {
			CHECK(e.line > last);
			last = e.line;
			CHECK(++lines <= MOST + n);
		}
	} while (read == LOG_READ_ENTRY || read == LOG_READ_BAD);
	CHECK(log_reader_lines(r) >= last);
	log_reader_free(r);
	return 0;
}
