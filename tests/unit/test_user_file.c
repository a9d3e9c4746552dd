/* SPDX-License-Identifier: MIT */
/* User files: which lines are taken, what is said of the others, whom a look-up finds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "auth/user_file.h"
#include "block.h"

#define NT    "8846f7eaee8fb117ad06bdd830b7586c"
#define NT2   "0CB6948805F797BF2A82807973B89537"
#define BLOW  "$2y$05$abcdefghijklmnopqrstuuOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOO"
#define SHA5  "$5$saltsalt$0123456789012345678901234567890123456789012"
#define SHA6  "$6$rounds=5000$saltsalt$01234567890123456789012345678901234567890123456789012345678901234567890123456789012345"
#define YES   "$y$j9T$F5Jx5fExrKuPp53xLKQ..1$X3DX6M94c7o.9agCG9G317fhZg9SqC.5i5rd.RhAtQ7"

static int
file_of(struct span text)
{
	int fd = memfd_create("users", 0);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text.p, text.n), (ssize_t)text.n);
	return fd;
}

struct said {
	char text[1024];
};

static void
on_say(void *arg, uint32_t line, const char *what)
{
	struct said *s = arg;
	size_t       n = strlen(s->text);

	snprintf(s->text + n, sizeof s->text - n, "%u: %s\n", line, what);
}

struct line_row {
	enum user_file_kind kind;
	const char         *text;
	size_t              users;
	const char         *said; /* null: nothing; else it is in what was said */
};

static const struct line_row lines[] = {
	{USER_FILE_NTLM, "", 0, NULL},
	{USER_FILE_NTLM, "# nobody\n\n  \n", 0, NULL},
	{USER_FILE_NTLM, "alice:" NT "\nCORP\\bob:" NT2, 2, NULL},
	{USER_FILE_NTLM, "alice:" NT "\r\nbob:" NT " \n", 2, NULL},
	{USER_FILE_NTLM, "alice:1103:aad3b435b51404eeaad3b435b51404ee:" NT ":::\n", 1, NULL},
	{USER_FILE_NTLM, "alice:1103:aad3b435b51404eeaad3b435b51404ee:short:::\n", 0, "1: what user alice has is no NT hash"},
	{USER_FILE_NTLM, "alice:1103\n", 0, "1: what user alice has is no NT hash"},
	{USER_FILE_NTLM, "alice:" NT "0\n", 0, "1: what user alice has is no NT hash"},
	{USER_FILE_NTLM, "alice\n", 0, "1: there is no colon; USER:NTHASH"},
	{USER_FILE_NTLM, ":" NT "\n", 0, "1: a user's name is empty"},
	{USER_FILE_NTLM, "\\bob:" NT "\n", 0, "1: DOMAIN\\USER needs both"},
	{USER_FILE_NTLM, "A\\B\\bob:" NT "\n", 0, "1: DOMAIN\\USER needs both"},
	{USER_FILE_NTLM, "alice:" NT "\n\nALICE:" NT2 "\n", 1, "3: user ALICE is there already, in line 1"},
	{USER_FILE_NTLM, "CORP\\alice:" NT "\nalice:" NT2 "\n", 2, NULL},
	{USER_FILE_NTLM, "j\xc3\xbcrgen:" NT "\nJ\xc3\x9cRGEN:" NT2 "\n", 1, "is there already, in line 1"},
	{USER_FILE_BASIC, "a:" BLOW "\nb:" SHA5 "\nc:" SHA6 "\nd:" YES "\n", 4, NULL},
	{USER_FILE_BASIC, "a:" YES ":a remark\n", 1, NULL},
	{USER_FILE_BASIC, "a:" YES "\nA:" YES "\n", 2, NULL},
	{USER_FILE_BASIC, "a:$apr1$abcdefgh$abcdefghijklmnopqrstuv\nb:" YES "\n", 1, "1: user a cannot log on: the hash is Apache's MD5 ($apr1$)"},
	{USER_FILE_BASIC, "a:$1$abcdefgh$abcdefghijklmnopqrstuv\n", 0, "MD5 ($1$)"},
	{USER_FILE_BASIC, "a:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=\n", 0, "{SHA}"},
	{USER_FILE_BASIC, "a:rqXexS6ZhobKA\n", 0, "DES"},
	{USER_FILE_BASIC, "a:secret\n", 0, "plain password"},
	{USER_FILE_BASIC, "a:\n", 0, "empty"},
	{USER_FILE_BASIC, "a:!\n", 0, "locked"},
	{USER_FILE_BASIC, "a:$2y$05$tooshort\n", 0, "cut short"},
	{USER_FILE_BASIC, "a:$2y$31$abcdefghijklmnopqrstuuOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOO\n", 0, "costly"},
	{USER_FILE_BASIC, "a:$7$CU..../....\n", 0, "of a kind that is not taken"},
	{USER_FILE_BASIC, "a\tb:" YES "\n", 0, "control bytes"},
	{USER_FILE_BASIC, "a:" YES "\na:" YES "\n", 1, "2: user a is there already"},
};

static void
test_each_line_is_taken_or_said(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS(lines); i++) {
		struct user_file f;
		struct said      s = {""};
		char             why[BACK_WHY_MAX];
		int              fd = file_of(span_str(lines[i].text));

		assert_true(user_file_read(&f, lines[i].kind, fd, on_say, &s, why));
		if (f.n_rows != lines[i].users || !s.text[0] != !lines[i].said || (lines[i].said && !strstr(s.text, lines[i].said)))
			fail_msg("%s: %zu users, said: %s", lines[i].text, f.n_rows, s.text);
		/* never the hash */
		assert_null(strstr(s.text, NT));
		assert_null(strstr(s.text, "secret"));
		assert_null(strstr(s.text, "abcdefghijklmnopqrstuv"));
		user_file_clear(&f);
		close(fd);
	}
}

static void
test_every_prefix_of_a_file_is_read(void **state)
{
	static const char whole[] = "# x\nCORP\\alice:" NT "\n\0bob:" NT "\ncarol:1:2:" NT ":::\r\nd:$6$x";

	(void)state;
	for (size_t n = 0; n < sizeof whole; n++)
		for (int kind = USER_FILE_NTLM; kind <= USER_FILE_BASIC; kind++) {
			struct user_file f;
			char             why[BACK_WHY_MAX];
			int              fd = file_of(span_of(whole, n));

			assert_true(user_file_read(&f, (enum user_file_kind)kind, fd, NULL, NULL, why));
			user_file_clear(&f);
			close(fd);
		}
}

static void
test_names_are_found_as_their_kind_compares_them(void **state)
{
	static const struct {
		enum user_file_kind kind;
		const char         *domain, *user;
		uint32_t            line; /* 0: not found */
	} rows[] = {
		{USER_FILE_NTLM, "", "ALICE", 1},
		{USER_FILE_NTLM, "corp", "Alice", 2},
		{USER_FILE_NTLM, "OTHER", "alice", 0},
		{USER_FILE_NTLM, "", "J\xc3\x9cRGEN", 3},
		{USER_FILE_NTLM, "", "ali", 0},
		{USER_FILE_NTLM, "", "", 0},
		{USER_FILE_NTLM, "", "\xff", 0},
	};
	struct user_file f;
	char             why[BACK_WHY_MAX];
	int              fd = file_of(SPAN("alice:" NT "\nCORP\\alice:" NT2 "\nj\xc3\xbcrgen:" NT "\nzoe:" NT "\n"));

	(void)state;
	assert_true(user_file_read(&f, USER_FILE_NTLM, fd, NULL, NULL, why));
	for (size_t i = 0; i < ROWS(rows); i++) {
		const struct user_row *row = user_file_find(&f, span_str(rows[i].domain), span_str(rows[i].user));
		assert_int_equal(row ? row->line : 0, rows[i].line);
	}
	user_file_clear(&f);
	close(fd);
	fd = file_of(SPAN("alice:" YES "\nBob:" YES "\n"));
	assert_true(user_file_read(&f, USER_FILE_BASIC, fd, NULL, NULL, why));
	assert_non_null(user_file_find(&f, SPAN(""), SPAN("alice")));
	assert_null(user_file_find(&f, SPAN(""), SPAN("Alice")));
	assert_non_null(user_file_find(&f, SPAN(""), SPAN("Bob")));
	user_file_clear(&f);
	close(fd);
}

static void
test_what_is_no_file_is_refused(void **state)
{
	struct user_file f;
	char             why[BACK_WHY_MAX];
	int              ends[2], fd = memfd_create("large", 0);

	(void)state;
	assert_int_equal(pipe(ends), 0);
	assert_false(user_file_read(&f, USER_FILE_BASIC, ends[0], NULL, NULL, why));
	assert_non_null(strstr(why, "plain file"));
	assert_int_equal(ftruncate(fd, (off_t)BACK_FILE_MOST + 1), 0);
	assert_false(user_file_read(&f, USER_FILE_BASIC, fd, NULL, NULL, why));
	assert_non_null(strstr(why, "64 MiB"));
	close(fd);
	close(ends[0]);
	close(ends[1]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_line_is_taken_or_said),
		cmocka_unit_test(test_every_prefix_of_a_file_is_read),
		cmocka_unit_test(test_names_are_found_as_their_kind_compares_them),
		cmocka_unit_test(test_what_is_no_file_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
