/* SPDX-License-Identifier: MIT */
/* The back ends that need nothing but a file: who is let in, and what is said of the others. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <crypt.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "auth/back.h"
#include "auth/ntlm_client.h"
#include "auth/ntlm_proof.h"
#include "block.h"

static int
file_of(const char *text)
{
	int fd = memfd_create("users", 0);

	assert_true(fd >= 0);
	assert_int_equal(fchmod(fd, 0600), 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	return fd;
}

static void
hash_put(char out[33], const char *password)
{
	uint8_t hash[16];

	assert_true(ntlm_hash(span_str(password), hash));
	for (size_t i = 0; i < sizeof hash; i++)
		snprintf(out + 2 * i, 3, "%02x", hash[i]);
}

/* One exchange of messages, as a client and a worker make it. */
struct exchange {
	char    first[NTLM_CLIENT_NEGOTIATE], second[NTLM_CHALLENGE_MAX], third[NTLM_CLIENT_MAX];
	uint8_t key[16];
	uint32_t flags;
	struct ask ask;
};

static void
exchange_make(struct exchange *x, const char *domain, const char *user, const char *password)
{
	static const uint8_t  server[8] = {1, 2, 3, 4, 5, 6, 7, 8}, client[8] = {8, 7, 6, 5, 4, 3, 2, 1};
	struct ntlm_negotiate n;
	struct ntlm_names     names;

	*x = (struct exchange){.ask.op = ASK_NTLM};
	names_alone(SPAN("proxy.example.com"), &names);
	ntlm_client_negotiate(x->first);
	x->ask.part[0] = span_of(x->first, sizeof x->first);
	assert_true(ntlm_negotiate_read(x->ask.part[0], &n));
	x->ask.part[1] = span_of(x->second, ntlm_challenge_write(&n, &names, false, server, 133500000000000000u, x->second));
	x->ask.part[2] = span_of(x->third,
	    ntlm_client_authenticate(x->ask.part[0], x->ask.part[1], span_str(domain), span_str(user), span_str(password), client, x->third, x->key));
	assert_true(x->ask.part[2].n > 0);
	memcpy(&x->flags, x->third + 60, 4);
}

static void
test_ntlm_file_lets_in_who_knows_the_password(void **state)
{
	static const struct {
		const char     *domain, *user, *password;
		enum ask_result result;
		const char     *account, *in, *detail;
	} rows[] = {
		{"", "alice", "secret", ASK_OK, "Alice", "", ""},
		{"ANY", "ALICE", "secret", ASK_OK, "Alice", "", ""},
		{"corp", "bob", "other", ASK_OK, "bob", "CORP", ""},
		{"", "j\xc3\xbcrgen", "p\xc3\xa4ss", ASK_OK, "J\xc3\xbcrgen", "", ""},
		{"", "alice", "Secret", ASK_REFUSED, "alice", "", "wrong password"},
		{"", "alice", "", ASK_REFUSED, "alice", "", "wrong password"},
		{"", "bob", "other", ASK_REFUSED, "bob", "", "unknown user"},
		{"OTHER", "bob", "other", ASK_REFUSED, "bob", "OTHER", "unknown user"},
		{"CORP", "nobody", "x", ASK_REFUSED, "nobody", "CORP", "unknown user"},
	};
	const struct back_ops *ops = back_ops(BACK_NTLM_FILE);
	char                   text[256], one[33], two[33], three[33], why[BACK_WHY_MAX] = "";
	struct back           *b;
	int                    fd;

	(void)state;
	hash_put(one, "secret");
	hash_put(two, "other");
	hash_put(three, "p\xc3\xa4ss");
	snprintf(text, sizeof text, "Alice:%s\nCORP\\bob:%s\nJ\xc3\xbcrgen:%s\n", one, two, three);
	fd = file_of(text);
	b = ops->open(NULL, fd, why);
	assert_non_null(b);
	for (size_t i = 0; i < ROWS(rows); i++) {
		struct exchange x;
		struct answer   a = {0};

		exchange_make(&x, rows[i].domain, rows[i].user, rows[i].password);
		ops->check(b, 0, &x.ask, &a);
		if (a.result != rows[i].result)
			fail_msg("row %zu: result %d, %s", i, a.result, a.detail);
		assert_string_equal(a.account, rows[i].account);
		assert_string_equal(a.domain, rows[i].in);
		assert_string_equal(a.detail, rows[i].detail);
		answer_clear(&a);
	}
	ops->close(b);
	close(fd);
}

static void
test_a_message_that_was_changed_is_no_log_on(void **state)
{
	const struct back_ops *ops = back_ops(BACK_NTLM_FILE);
	char                   text[64], one[33], why[BACK_WHY_MAX];
	struct back           *b;
	struct exchange        x;
	int                    fd;

	(void)state;
	hash_put(one, "secret");
	snprintf(text, sizeof text, "alice:%s\n", one);
	fd = file_of(text);
	b = ops->open(NULL, fd, why);
	assert_non_null(b);
	exchange_make(&x, "", "alice", "secret");
	for (size_t part = 0; part < 3; part++)
		for (size_t i = 0; i < x.ask.part[part].n; i++) {
			struct answer a = {0};
			char         *byte = (char *)(uintptr_t)x.ask.part[part].p + i;
			*byte ^= 1;
			ops->check(b, 0, &x.ask, &a);
			assert_int_not_equal(a.result, ASK_OK);
			*byte ^= 1;
			answer_clear(&a);
		}
	for (size_t part = 0; part < 3; part++) {
		struct span whole = x.ask.part[part];
		for (size_t n = 0; n < whole.n; n++) {
			struct answer a = {0};
			x.ask.part[part] = block_of(whole.p, n);
			ops->check(b, 0, &x.ask, &a);
			assert_int_not_equal(a.result, ASK_OK);
			block_free(x.ask.part[part]);
			answer_clear(&a);
		}
		x.ask.part[part] = whole;
	}
	ops->close(b);
	close(fd);
}

static void
test_mech_list_mic_is_asked_and_answered(void **state)
{
	const struct back_ops *ops = back_ops(BACK_NTLM_FILE);
	static const char      list[] = "\x30\x0c\x06\x0a\x2b\x06\x01\x04\x01\x82\x37\x02\x02\x0a";
	char                   text[64], one[33], why[BACK_WHY_MAX];
	uint8_t                theirs[16], ours[16];
	struct back           *b;
	struct exchange        x;
	struct answer          a = {0};
	int                    fd;

	(void)state;
	hash_put(one, "secret");
	snprintf(text, sizeof text, "alice:%s\n", one);
	fd = file_of(text);
	b = ops->open(NULL, fd, why);
	assert_non_null(b);
	exchange_make(&x, "", "alice", "secret");
	x.ask.part[3] = SPAN(list);
	ntlm_sign(x.key, x.flags, true, x.ask.part[3], theirs);
	ntlm_sign(x.key, x.flags, false, x.ask.part[3], ours);
	x.ask.part[4] = span_of((char *)theirs, sizeof theirs);
	ops->check(b, 0, &x.ask, &a);
	assert_int_equal(a.result, ASK_OK);
	assert_int_equal(a.n_token, 16);
	assert_memory_equal(a.token, ours, 16);
	answer_clear(&a);
	theirs[7] ^= 1;
	ops->check(b, 0, &x.ask, &a);
	assert_int_equal(a.result, ASK_BAD_TOKEN);
	answer_clear(&a);
	x.ask.part[4] = SPAN("");
	ops->check(b, 0, &x.ask, &a);
	assert_int_equal(a.result, ASK_OK);
	assert_null(a.token);
	answer_clear(&a);
	ops->close(b);
	close(fd);
}

static void
test_ntlm_file_with_a_bad_line_or_open_to_others_is_refused(void **state)
{
	const struct back_ops *ops = back_ops(BACK_NTLM_FILE);
	char                   why[BACK_WHY_MAX] = "";
	int                    fd = file_of("alice:8846f7eaee8fb117ad06bdd830b7586c\nbob:hello\n");

	(void)state;
	assert_null(ops->open(NULL, fd, why));
	assert_non_null(strstr(why, "line 2: "));
	assert_null(strstr(why, "hello"));
	close(fd);
	fd = file_of("");
	assert_null(ops->open(NULL, fd, why));
	assert_non_null(strstr(why, "is empty"));
	close(fd);
	fd = file_of("alice:8846f7eaee8fb117ad06bdd830b7586c\n");
	for (unsigned mode = 0600; mode <= 0677; mode++) {
		struct back *b;
		assert_int_equal(fchmod(fd, mode), 0);
		b = ops->open(NULL, fd, why);
		assert_int_equal(b != NULL, mode == 0600);
		ops->close(b);
	}
	close(fd);
}

/* Somebody is writing it, or it is another file: who is in use already stays in use. A few bad lines among good ones keep only those users out. */
static void
test_basic_file_that_is_empty_or_has_bad_lines_alone_is_refused(void **state)
{
	static const struct {
		const char *text, *why; /* null: taken */
	} rows[] = {
		{"", "is empty"},
		{"alice", "line 1: there is no colon"},
		{"# users\nalice:$6$salt$cut", "line 2: user alice cannot log on"},
		{"a:secret\nb:secret\n", "none of its 2 lines"},
		{"# nobody yet\n", NULL},
		{"a:secret\nb:$2b$04$abcdefghijklmnopqrstuu5Lo0g67CiD3M4RpN1BmBb4Crp5w7dbK\n", NULL},
	};
	const struct back_ops *ops = back_ops(BACK_BASIC_FILE);

	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++) {
		char         why[BACK_WHY_MAX] = "";
		int          fd = file_of(rows[i].text);
		struct back *b = ops->open(NULL, fd, why);
		assert_int_equal(b == NULL, rows[i].why != NULL);
		if (rows[i].why && !strstr(why, rows[i].why))
			fail_msg("%s", why);
		assert_null(strstr(why, "secret"));
		ops->close(b);
		close(fd);
	}
}

static void
test_basic_file_lets_in_who_knows_the_password(void **state)
{
	static const char *const prefix[] = {"$2b$", "$y$", "$6$", "$5$"};
	static const struct {
		const char     *user, *password;
		enum ask_result result;
		const char     *detail;
	} rows[] = {
		{"u0", "pw-0", ASK_OK, ""},
		{"u1", "pw-1", ASK_OK, ""},
		{"u2", "pw-2", ASK_OK, ""},
		{"u3", "pw-3", ASK_OK, ""},
		{"u0", "pw-1", ASK_REFUSED, "wrong password"},
		{"u1", "", ASK_REFUSED, "wrong password"},
		{"U1", "pw-1", ASK_REFUSED, "unknown user"},
		{"old", "secret", ASK_REFUSED, "unknown user"},
		{"", "", ASK_REFUSED, "unknown user"},
	};
	const struct back_ops *ops = back_ops(BACK_BASIC_FILE);
	struct crypt_data     *work = calloc(1, sizeof *work);
	char                   text[1024] = "old:secret\n", salt[CRYPT_GENSALT_OUTPUT_SIZE], password[8], why[BACK_WHY_MAX];
	struct back           *b;
	int                    fd;

	(void)state;
	assert_non_null(work);
	for (size_t i = 0; i < ROWS(prefix); i++) {
		snprintf(password, sizeof password, "pw-%zu", i);
		assert_non_null(crypt_gensalt_rn(prefix[i], i == 0 ? 4 : i == 1 ? 1 : 1000, NULL, 0, salt, sizeof salt));
		assert_non_null(crypt_rn(password, salt, work, sizeof *work));
		snprintf(text + strlen(text), sizeof text - strlen(text), "u%zu:%s\n", i, work->output);
	}
	free(work);
	fd = file_of(text);
	b = ops->open(NULL, fd, why);
	assert_non_null(b);
	for (size_t i = 0; i < ROWS(rows); i++) {
		struct ask    ask = {.op = ASK_BASIC, .part = {span_str(rows[i].user), span_str(rows[i].password)}};
		struct answer a = {0};
		ops->check(b, (unsigned)(i % ops->threads), &ask, &a);
		if (a.result != rows[i].result)
			fail_msg("row %zu: result %d, %s", i, a.result, a.detail);
		assert_string_equal(a.detail, rows[i].detail);
		assert_string_equal(a.account, rows[i].user);
		answer_clear(&a);
	}
	ops->close(b);
	close(fd);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ntlm_file_lets_in_who_knows_the_password),
		cmocka_unit_test(test_a_message_that_was_changed_is_no_log_on),
		cmocka_unit_test(test_mech_list_mic_is_asked_and_answered),
		cmocka_unit_test(test_basic_file_that_is_empty_or_has_bad_lines_alone_is_refused),
		cmocka_unit_test(test_ntlm_file_with_a_bad_line_or_open_to_others_is_refused),
		cmocka_unit_test(test_basic_file_lets_in_who_knows_the_password),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
