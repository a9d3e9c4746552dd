/* SPDX-License-Identifier: MIT */
/* The first byte says which kind of file the rest is. */
#include <sys/mman.h>
#include <unistd.h>

#include "auth/user_file.h"
#include "fuzz.h"

static void
on_bad_line(void *arg, uint32_t line, const char *what)
{
	(void)arg;
	CHECK(line > 0 && what[0]);
}

static void
check_row(const struct user_file *f, const struct user_row *row)
{
	struct span whole = span_of(f->bytes, f->n + 1);

	CHECK(span_inside(row->user, whole) && span_inside(row->domain, whole) && span_inside(row->hash, whole));
	CHECK(row->user.n > 0 && row->user.n < ASK_NAME_MAX && (row->domain.n > 0 || user_name_fault(f->kind, row->user) == NULL));
	CHECK(f->kind == USER_FILE_BASIC || (!memchr(row->user.p, '\\', row->user.n) && !(row->domain.n && memchr(row->domain.p, '\\', row->domain.n))));
	if (f->kind == USER_FILE_NTLM)
		CHECK(row->hash.n == 32);
	else
		CHECK(row->hash.p[row->hash.n] == '\0' && crypt_hash_fault(row->hash.p) == NULL);
	/* each is found, and is the only one of its name */
	CHECK(user_file_find(f, row->domain, row->user) == row);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static int       fd = -1;
	struct user_file f;
	char             why[BACK_WHY_MAX];

	if (n == 0 || (fd < 0 && (fd = memfd_create("users", MFD_CLOEXEC)) < 0))
		return 0;
	CHECK(ftruncate(fd, 0) == 0 && pwrite(fd, data + 1, n - 1, 0) == (ssize_t)(n - 1));
	if (!user_file_read(&f, data[0] & 1 ? USER_FILE_NTLM : USER_FILE_BASIC, fd, on_bad_line, NULL, why))
		return 0;
	for (size_t i = 0; i < f.n_rows; i++)
		check_row(&f, &f.row[i]);
	user_file_clear(&f);
	return 0;
}
