/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#include "auth/credential.h"
#include "auth/ntlm.h"
#include "auth/ntlm_text.h"
#include "block.h"
#include "ntlm_messages.h"

/* Free its p. */
static struct span
decode(const char *text)
{
	size_t n = strlen(text) / 4 * 3;
	char  *p = malloc(n), *exact;

	assert_non_null(p);
	n = base64_decode(span_str(text), p, n);
	assert_true(n != SIZE_MAX);
	exact = realloc(p, n);
	assert_non_null(exact);
	return span_of(exact, n);
}

static void
set(char *m, size_t at, uint32_t v, unsigned bytes)
{
	for (unsigned i = 0; i < bytes; i++)
		m[at + i] = (char)(v >> 8 * i);
}

static uint32_t
get(struct span m, size_t at, unsigned bytes)
{
	uint32_t v = 0;

	while (bytes-- > 0)
		v = v << 8 | (uint8_t)m.p[at + bytes];
	return v;
}

static void
test_negotiate_of_each_length(void **state)
{
	static const struct {
		size_t n;
		bool   good;
	} rows[] = {{0, false}, {8, false}, {11, false}, {12, true}, {13, false}, {15, false}, {16, true}, {32, true}, {38, true}, {40, true},
	    {NTLM_NEGOTIATE_MAX, true}, {NTLM_NEGOTIATE_MAX + 1, false}};
	static char m[NTLM_NEGOTIATE_MAX + 1] = {'N', 'T', 'L', 'M', 'S', 'S', 'P', 0, 1, 0, 0, 0, 7, (char)0x82, 8, 0};

	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++) {
		struct span           in = block_of(m, rows[i].n);
		struct ntlm_negotiate n;
		assert_int_equal(ntlm_negotiate_read(in, &n), rows[i].good);
		if (rows[i].good)
			assert_int_equal(n.flags, rows[i].n == 12 ? 0x202 : 0x88207);
		block_free(in);
	}
	m[8] = 2;
	assert_false(ntlm_negotiate_read(span_of(m, 32), &(struct ntlm_negotiate){0}));
}

/* The pairs of target info, as "id:length ". */
static void
list_pairs(struct span m, char *out, size_t room)
{
	size_t at = get(m, 44, 4), end = at + get(m, 40, 2), n = 0;

	assert_true(end == m.n);
	*out = 0;
	while (at + 4 <= end) {
		unsigned id = get(m, at, 2), len = get(m, at + 2, 2);
		n += (size_t)snprintf(out + n, room - n, "%u:%u ", id, len);
		at += 4 + len;
	}
	assert_true(at == end);
}

static void
test_challenge_grants_what_was_asked(void **state)
{
	static const struct ntlm_names domain = {"CORP", "PX1", "corp.example", "px1.corp.example"}, alone = {"PROXY", "PROXY", "", "proxy.example"},
	                               accent = {"Z\xc3\x9c", "Z\xc3\x9c\xe2\x82\xac", "", ""};
	static const struct {
		uint32_t                 asked, want;
		const struct ntlm_names *names;
		bool                     in_domain;
		struct span              target;
		const char              *pairs;
	} rows[] = {
	    /* curl: OEM; cntlm; Windows; nothing at all */
	    {0x00088206, 0x00898206, &domain, true, TEXT("CORP"), "2:8 1:6 4:24 3:32 7:8 0:0 "},
	    {0xa208b205, 0xa2898205, &domain, true, TEXT("C\0O\0R\0P\0"), "2:8 1:6 4:24 3:32 7:8 0:0 "},
	    {0xe2088297, 0xe28a8215, &alone, false, TEXT("P\0R\0O\0X\0Y\0"), "2:10 1:10 3:26 7:8 0:0 "},
	    {0, 0x00800202, &alone, false, TEXT(""), "2:10 1:10 3:26 7:8 0:0 "},
	    {0xffffffff, 0xe28a8235, &accent, false, TEXT("Z\0\xdc\0\xac\x20"), "2:4 1:6 7:8 0:0 "},
	    {6, 0x00820206, &accent, false, TEXT("Z\x9a?"), "2:4 1:6 7:8 0:0 "},
	};

	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++) {
		char                 *out = malloc(NTLM_CHALLENGE_MAX), pairs[200];
		struct ntlm_negotiate n = {rows[i].asked};
		struct span           m = span_of(out, ntlm_challenge_write(&n, rows[i].names, rows[i].in_domain, (const uint8_t *)"challeng", 0x1122334455667788, out));
		assert_int_equal(ntlm_message(m), NTLM_CHALLENGE);
		if (get(m, 20, 4) != rows[i].want)
			fail_msg("row %zu: flags %08x", i, get(m, 20, 4));
		assert_memory_equal(out + 24, "challeng", 8);
		assert_true(span_eq(span_of(out + get(m, 16, 4), get(m, 12, 2)), rows[i].target));
		list_pairs(m, pairs, sizeof pairs);
		assert_string_equal(pairs, rows[i].pairs);
		assert_memory_equal(out + m.n - 12, "\x88\x77\x66\x55\x44\x33\x22\x11\0\0\0\0", 12);
		free(out);
	}
}

static void
test_longest_names_fit(void **state)
{
	struct ntlm_names     names;
	struct ntlm_negotiate n = {0xffffffff};
	char                 *out = malloc(NTLM_CHALLENGE_MAX);

	(void)state;
	memset(&names, 'x', sizeof names);
	names.domain[NAME_NETBIOS_MAX - 1] = names.computer[NAME_NETBIOS_MAX - 1] = names.dns_domain[NAME_DNS_MAX - 1] = names.dns_computer[NAME_DNS_MAX - 1] = 0;
	assert_true(ntlm_challenge_write(&n, &names, true, (const uint8_t *)"challeng", 1, out) < NTLM_CHALLENGE_MAX);
	free(out);
}

static void
test_recorded_messages_are_read(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS(recorded); i++) {
		struct span              first = decode(recorded[i].negotiate), challenge = decode(recorded[i].challenge), m = decode(recorded[i].authenticate);
		struct ntlm_negotiate    n;
		struct ntlm_authenticate a;
		const char              *why;
		assert_true(ntlm_negotiate_read(first, &n));
		if (!ntlm_authenticate_read(m, challenge, &a, &why))
			fail_msg("%s: %s", recorded[i].client, why);
		assert_null(why);
		assert_string_equal(a.user_utf8, recorded[i].user);
		assert_string_equal(a.domain_utf8, "CORP");
		assert_int_equal(a.has_mic, recorded[i].has_mic);
		assert_int_equal(a.mic_at, recorded[i].has_mic ? 72 : 0);
		block_free(first);
		block_free(challenge);
		block_free(m);
	}
}

/* Neither what is cut off nor what lengths and offsets claim is read beyond; spans stay inside. */
static void
test_no_prefix_and_no_mutated_field_is_read_beyond(void **state)
{
	static const uint32_t lengths[] = {0, 1, 15, 16, 17, 24, 43, 44, 45, 0x7fff, 0xfffe, 0xffff};

	(void)state;
	for (size_t i = 0; i < ROWS(recorded); i++) {
		struct span              challenge = decode(recorded[i].challenge), m = decode(recorded[i].authenticate);
		struct ntlm_authenticate a;
		const char              *why;
		for (size_t n = 0; n < m.n; n++) {
			struct span in = block_of(m.p, n);
			(void)ntlm_authenticate_read(in, challenge, &a, &why);
			assert_non_null(why);
			block_free(in);
		}
		for (size_t n = 0; n < challenge.n; n++) {
			struct span in = block_of(challenge.p, n);
			assert_int_equal(ntlm_authenticate_read(m, in, &a, &why), n >= 56);
			block_free(in);
		}
		for (size_t field = 12; field < 60; field += 8)
			for (size_t k = 0; k < ROWS(lengths) * 2; k++) {
				struct span in = block_of(m.p, m.n);
				char       *p = (char *)(uintptr_t)in.p;
				uint32_t    offsets[] = {0, 63, 64, (uint32_t)m.n - 1, (uint32_t)m.n, (uint32_t)m.n + 1, 0x7fffffff, 0xffffffff};
				if (k < ROWS(lengths))
					set(p, field, lengths[k], 2);
				else
					set(p, field + 4, offsets[k % ROWS(offsets)], 4);
				if (ntlm_authenticate_read(in, challenge, &a, &why)) {
					const struct span parts[] = {a.lm, a.nt, a.domain, a.user, a.workstation, a.session_key, a.binding};
					for (size_t j = 0; j < ROWS(parts); j++)
						assert_true(parts[j].n == 0 || (parts[j].p >= in.p && parts[j].p + parts[j].n <= in.p + in.n));
					assert_true(!a.has_mic || a.mic_at + 16 <= in.n);
					assert_true(get(in, field, 2) == 0 || get(in, field + 4, 4) >= 64); /* no field lies in the head */
				} else {
					assert_non_null(why);
				}
				block_free(in);
			}
		block_free(challenge);
		block_free(m);
	}
}

static void
test_each_byte_of_the_response_may_be_anything(void **state)
{
	struct span              challenge = decode(recorded[ROWS(recorded) - 1].challenge), m = decode(recorded[ROWS(recorded) - 1].authenticate);
	struct ntlm_authenticate a;
	const char              *why;
	size_t                   from = get(m, 24, 4), to = from + get(m, 20, 2);

	(void)state;
	for (size_t at = from; at < to; at++)
		for (unsigned b = 0; b < 256; b += 5) {
			struct span in = block_of(m.p, m.n);
			((char *)(uintptr_t)in.p)[at] = (char)b;
			(void)ntlm_authenticate_read(in, challenge, &a, &why);
			block_free(in);
		}
	block_free(challenge);
	block_free(m);
}

/* An AUTHENTICATE of given parts, flags as in `flags`. */
struct parts {
	struct span lm, nt, domain, user, workstation, key;
	uint32_t    flags;
	size_t      head;
};

static struct span
make(const struct parts *p)
{
	const struct span field[] = {p->lm, p->nt, p->domain, p->user, p->workstation, p->key};
	size_t            n = p->head ? p->head : 88, at = n;
	char             *m;

	for (size_t i = 0; i < ROWS(field); i++)
		n += field[i].n;
	m = calloc(1, n);
	assert_non_null(m);
	memcpy(m, "NTLMSSP\0\3", 9);
	for (size_t i = 0; i < ROWS(field); i++) {
		set(m, 12 + 8 * i, (uint32_t)field[i].n, 2);
		set(m, 14 + 8 * i, (uint32_t)field[i].n, 2);
		set(m, 16 + 8 * i, (uint32_t)at, 4);
		memcpy(m + at, field[i].p, field[i].n);
		at += field[i].n;
	}
	set(m, 60, p->flags, 4);
	return span_of(m, n);
}

#define PROOF "0123456789abcdef"
#define BLOB  "\1\1\0\0\0\0\0\0timetime" "clientch" "\0\0\0\0"
#define EOL   "\0\0\0\0"
#define V2    PROOF BLOB EOL
#define MIC   "\6\0\4\0\2\0\0\0"
#define LONG  "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static void
test_what_is_refused_is_called_by_its_name(void **state)
{
	static const struct {
		struct parts p;
		const char  *why;
	} rows[] = {
	    {{TEXT(""), TEXT(V2), TEXT("CORP"), TEXT("alice"), TEXT("WS"), TEXT(""), 2, 64}, NULL},
	    {{TEXT("\0"), TEXT(""), TEXT(""), TEXT(""), TEXT(""), TEXT(""), 0x802, 0}, "anonymous"},
	    {{TEXT(""), TEXT(""), TEXT(""), TEXT(""), TEXT(""), TEXT(""), 0x802, 0}, "anonymous"},
	    {{TEXT("0123456789abcdef01234567"), TEXT(""), TEXT(""), TEXT("alice"), TEXT(""), TEXT(""), 2, 0}, "LM only"},
	    {{TEXT(""), TEXT(""), TEXT(""), TEXT("alice"), TEXT(""), TEXT(""), 2, 0}, "no response"},
	    {{TEXT(""), TEXT(V2), TEXT("CORP"), TEXT(""), TEXT(""), TEXT(""), 2, 0}, "no user"},
	    {{TEXT("0123456789abcdef01234567"), TEXT("0123456789abcdef01234567"), TEXT(""), TEXT("alice"), TEXT(""), TEXT(""), 2, 0}, "NTLMv1"},
	    {{TEXT("01234567\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"), TEXT("0123456789abcdef01234567"), TEXT(""), TEXT("alice"), TEXT(""), TEXT(""), 2, 0},
	        "NTLMv1 with extended session security"},
	    {{TEXT(""), TEXT(PROOF "\1\1"), TEXT(""), TEXT("alice"), TEXT(""), TEXT(""), 2, 0}, "not NTLMv2"},
	    {{TEXT(""), TEXT(PROOF "\2\1\0\0\0\0\0\0timetimeclientch" EOL EOL), TEXT(""), TEXT("alice"), TEXT(""), TEXT(""), 2, 0}, "not NTLMv2"},
	    {{TEXT(""), TEXT(PROOF BLOB), TEXT(""), TEXT("alice"), TEXT(""), TEXT(""), 2, 0}, NULL},
	    /* the MIC has no place, or its place is something else's */
	    {{TEXT(""), TEXT(PROOF BLOB MIC EOL), TEXT(""), TEXT("alice"), TEXT(""), TEXT(""), 2, 0}, NULL},
	    {{TEXT(""), TEXT(PROOF BLOB MIC EOL), TEXT(""), TEXT("alice"), TEXT(""), TEXT(""), 2, 64}, "MIC missing"},
	    {{TEXT(""), TEXT(PROOF BLOB MIC EOL), TEXT(""), TEXT("alice"), TEXT(""), TEXT(""), 2, 87}, "MIC missing"},
	    {{TEXT(""), TEXT(PROOF BLOB "\6\0\4\0\0\0\0\0" MIC EOL), TEXT(""), TEXT("alice"), TEXT(""), TEXT(""), 2, 64}, "MIC missing"},
	    {{TEXT(""), TEXT(PROOF BLOB MIC "\6\0\4\0\0\0\0\0"), TEXT(""), TEXT("alice"), TEXT(""), TEXT(""), 2, 64}, "MIC missing"},
	    {{TEXT(""), TEXT(PROOF BLOB "\6\0\2\0\2\0" EOL), TEXT(""), TEXT("alice"), TEXT(""), TEXT(""), 2, 0}, "bad target info"},
	    {{TEXT(""), TEXT(PROOF BLOB "\2\0\5\0abcd"), TEXT(""), TEXT("alice"), TEXT(""), TEXT(""), 2, 0}, "bad target info"},
	    {{TEXT(""), TEXT(PROOF BLOB "\x0a\0\4\0abcd" EOL), TEXT(""), TEXT("alice"), TEXT(""), TEXT(""), 2, 0}, "bad target info"},
	    {{TEXT(""), TEXT(PROOF BLOB "\x0a\0\x10\0" PROOF "\x0a\0\x10\0" PROOF EOL), TEXT(""), TEXT("alice"), TEXT(""), TEXT(""), 2, 0}, "bad target info"},
	    {{TEXT(""), TEXT(V2), TEXT(""), TEXT("alice"), TEXT(""), TEXT("0123456789abcde"), 2, 0}, "bad session key"},
	    /* names: control bytes, NUL, halves, lone surrogates, too long; and ones that are fine */
	    {{TEXT(""), TEXT(V2), TEXT(""), TEXT("al\nice"), TEXT(""), TEXT(""), 2, 0}, "bad user name"},
	    {{TEXT(""), TEXT(V2), TEXT(""), TEXT("al\0ice"), TEXT(""), TEXT(""), 2, 0}, "bad user name"},
	    {{TEXT(""), TEXT(V2), TEXT("\x7f"), TEXT("alice"), TEXT(""), TEXT(""), 2, 0}, "bad domain name"},
	    {{TEXT(""), TEXT(V2), TEXT(""), TEXT("alice"), TEXT("\x1b"), TEXT(""), 2, 0}, "bad workstation name"},
	    {{TEXT(""), TEXT(V2), TEXT(""), TEXT("a\0l"), TEXT(""), TEXT(""), 1, 0}, "bad user name"},
	    {{TEXT(""), TEXT(V2), TEXT(""), TEXT("a\0\0\xd8"), TEXT(""), TEXT(""), 1, 0}, "bad user name"},
	    {{TEXT(""), TEXT(V2), TEXT(""), TEXT("\0\xdc" "a\0"), TEXT(""), TEXT(""), 1, 0}, "bad user name"},
	    {{TEXT(""), TEXT(V2), TEXT(""), TEXT("\x85\0"), TEXT(""), TEXT(""), 1, 0}, "bad user name"},
	    {{TEXT(""), TEXT(V2), TEXT(""), TEXT(LONG LONG LONG LONG), TEXT(""), TEXT(""), 2, 0}, "bad user name"},
	    {{TEXT(""), TEXT(V2), TEXT(""), TEXT("\x3d\xd8\0\xde"), TEXT(""), TEXT(""), 1, 0}, NULL},
	};
	struct ntlm_names     names = {"CORP", "PX1", "", ""};
	struct ntlm_negotiate n = {3};
	char                  c[NTLM_CHALLENGE_MAX];
	struct span           challenge = span_of(c, ntlm_challenge_write(&n, &names, true, (const uint8_t *)"challeng", 1, c));

	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++) {
		struct span              m = make(&rows[i].p);
		struct ntlm_authenticate a;
		const char              *why = "nothing";
		bool                     good = ntlm_authenticate_read(m, challenge, &a, &why);
		if (good != !rows[i].why || (rows[i].why && strcmp(why, rows[i].why) != 0))
			fail_msg("row %zu: %s", i, why ? why : "let through");
		block_free(m);
	}
}

static void
test_texts_become_utf8(void **state)
{
	static const struct {
		struct span in;
		bool        unicode;
		const char *out; /* null: refused */
	} rows[] = {
	    {TEXT(""), true, ""},
	    {TEXT("Z\0o\0\xeb\0"), true, "Zo\xc3\xab"},
	    {TEXT("\xac\x20"), true, "\xe2\x82\xac"},
	    {TEXT("\x3d\xd8\0\xde"), true, "\xf0\x9f\x98\x80"},
	    {TEXT("\x3d\xd8"), true, NULL},
	    {TEXT("\x3d\xd8\x3d\xd8"), true, NULL},
	    {TEXT("Zo\xc3\xab"), false, "Zo\xc3\xab"},
	    {TEXT("Zo\x89"), false, "Zo\xc3\xab"},
	    {TEXT("\xc3\xab\x89"), false, "\xe2\x94\x9c\xc2\xbd\xc3\xab"}, /* no UTF-8 as a whole */
	    {TEXT("\xc0\xaf"), false, "\xe2\x94\x94\xc2\xbb"},
	    {TEXT("a\tb"), false, NULL},
	    {TEXT("\0\0"), true, NULL},
	};

	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++) {
		struct span in = block_of(rows[i].in.p, rows[i].in.n);
		char        out[16];
		assert_int_equal(ntlm_text_read(in, rows[i].unicode, out, sizeof out), rows[i].out != NULL);
		if (rows[i].out) {
			size_t need = strlen(rows[i].out) + 1;
			char  *tight = malloc(need);
			assert_string_equal(out, rows[i].out);
			assert_true(ntlm_text_read(in, rows[i].unicode, tight, need));
			assert_true(need == 1 || !ntlm_text_read(in, rows[i].unicode, tight, need - 1));
			free(tight);
		}
		block_free(in);
	}
}

static void
test_upper_case_is_one_for_one(void **state)
{
	static const uint16_t rows[][2] = {{'a', 'A'}, {'z', 'Z'}, {'`', '`'}, {'{', '{'}, {0xeb, 0xcb}, {0xf7, 0xf7}, {0xff, 0x178}, {0xdf, 0xdf}, {0xb5, 0xb5},
	    {0x101, 0x100}, {0x100, 0x100}, {0x131, 0x131}, {0x142, 0x141}, {0x17e, 0x17d}, {0x17f, 0x17f}, {0x3b1, 0x391}, {0x3ac, 0x386}, {0x3c2, 0x3c2},
	    {0x3c3, 0x3a3}, {0x3ce, 0x38f}, {0x436, 0x416}, {0x451, 0x401}, {0x491, 0x490}, {0x561, 0x531}, {0x1ea1, 0x1ea0}, {0x4e00, 0x4e00}, {0xffff, 0xffff}};

	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++)
		assert_int_equal(ntlm_text_upper(rows[i][0]), rows[i][1]);
	/* twice is once */
	for (uint32_t u = 0; u < 0x10000; u++)
		assert_int_equal(ntlm_text_upper(ntlm_text_upper((uint16_t)u)), ntlm_text_upper((uint16_t)u));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_negotiate_of_each_length),
	    cmocka_unit_test(test_challenge_grants_what_was_asked),
	    cmocka_unit_test(test_longest_names_fit),
	    cmocka_unit_test(test_recorded_messages_are_read),
	    cmocka_unit_test(test_no_prefix_and_no_mutated_field_is_read_beyond),
	    cmocka_unit_test(test_each_byte_of_the_response_may_be_anything),
	    cmocka_unit_test(test_what_is_refused_is_called_by_its_name),
	    cmocka_unit_test(test_texts_become_utf8),
	    cmocka_unit_test(test_upper_case_is_one_for_one),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
