/* SPDX-License-Identifier: MIT */
#include "auth/user_file.h"

#include <crypt.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "auth/ntlm_text.h"

/* --- one line --- */

/* Bytes that a name of these files may not have: the rest of the line would be read another way. */
static bool
name_is_clean(struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7f || s.p[i] == ':')
			return false;
	return true;
}

const char *
user_name_fault(enum user_file_kind kind, struct span name)
{
	const char *slash = name.n ? memchr(name.p, '\\', name.n) : NULL;

	if (name.n == 0)
		return "a user's name is empty; say one";
	if (name.n >= ASK_NAME_MAX)
		return "a user's name has at most 255 bytes";
	if (!name_is_clean(name))
		return "a user's name has no colon and no control bytes";
	if (name.p[0] == '#')
		return "a user's name does not begin with #, which begins a comment";
	if (name.p[0] == ' ' || name.p[name.n - 1] == ' ')
		return "a user's name does not begin or end with a blank";
	if (kind == USER_FILE_NTLM && slash && (slash == name.p || slash == name.p + name.n - 1 || slash != memrchr(name.p, '\\', name.n)))
		return "DOMAIN\\USER needs both a domain and a user, and one backslash";
	return NULL;
}

static bool
all_of(struct span s, const char *set)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] == '\0' || !strchr(set, s.p[i]))
			return false;
	return true;
}

#define HEX     "0123456789abcdefABCDEF"
#define CRYPT64 "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

/* The part behind the last `$` of `n` characters? */
static bool
ends_in(const char *hash, size_t n)
{
	const char *last = strrchr(hash, '$');

	return last && strlen(last + 1) == n && all_of(span_str(last + 1), CRYPT64);
}

/* The figure that sets the cost, behind `word`; 0: none. */
static unsigned long
cost_of(const char *hash, const char *word)
{
	const char *at = strstr(hash, word);

	return at ? strtoul(at + strlen(word), NULL, 10) : 0;
}

const char *
crypt_hash_fault(const char *hash)
{
	static const char broken[] = "cut short or damaged; set it anew with postern passwd";
	static const char dear[] = "so costly to check that no client would wait for it; set it anew with postern passwd";
	static const struct {
		const char *begins, *fault;
	} weak[] = {
		{"$1$", "MD5 ($1$), which is weak and not taken; set it anew with postern passwd"},
		{"$apr1$", "Apache's MD5 ($apr1$), which is weak and not taken; set it anew with postern passwd"},
		{"{SHA}", "plain SHA-1 ({SHA}), which is weak and not taken; set it anew with postern passwd"},
		{"{SSHA}", "salted SHA-1 ({SSHA}), which is weak and not taken; set it anew with postern passwd"},
		{"$2x$", "bcrypt of a faulty old kind ($2x$), which is not taken; set it anew with postern passwd"},
		{"$3$", "an NT hash ($3$), which is weak and not taken; set it anew with postern passwd"},
		{"$md5", "Sun's MD5 ($md5), which is weak and not taken; set it anew with postern passwd"},
		{"$sha1$", "SHA-1 ($sha1$), which is weak and not taken; set it anew with postern passwd"},
	};

	for (size_t i = 0; i < sizeof weak / sizeof *weak; i++)
		if (strncmp(hash, weak[i].begins, strlen(weak[i].begins)) == 0)
			return weak[i].fault;
	if (strncmp(hash, "$2a$", 4) == 0 || strncmp(hash, "$2b$", 4) == 0 || strncmp(hash, "$2y$", 4) == 0)
		return !ends_in(hash, 53) || strlen(hash) != 60 ? broken : cost_of(hash, hash[2] == 'a' ? "$2a$" : hash[2] == 'b' ? "$2b$" : "$2y$") > 16 ? dear : NULL;
	if (strncmp(hash, "$y$", 3) == 0)
		return ends_in(hash, 43) && crypt_checksalt(hash) == CRYPT_SALT_OK ? NULL : broken;
	if (strncmp(hash, "$6$", 3) == 0 || strncmp(hash, "$5$", 3) == 0)
		return !ends_in(hash, hash[1] == '6' ? 86 : 43) || strlen(hash) > 128 ? broken : cost_of(hash, "$rounds=") > 10000000 ? dear : NULL;
	if (hash[0] == '\0')
		return "empty: no password would be asked for; set one with postern passwd";
	if (hash[0] == '!' || hash[0] == '*')
		return "locked (it begins with ! or *), so that this user cannot log on";
	if (hash[0] == '$')
		return "of a kind that is not taken; bcrypt, yescrypt, SHA-512 and SHA-256 are: set it anew with postern passwd";
	if (strlen(hash) == 13 && all_of(span_str(hash), CRYPT64))
		return "DES, which is weak and not taken; set it anew with postern passwd";
	return "no hash, or a plain password, which is not taken; set it anew with postern passwd";
}

/* USER:HASH in an NTLM file, or pwdump's USER:RID:LM:NT::: ; `rest` is what follows the name. */
static const char *
nt_hash_read(struct span rest, struct span *hash)
{
	static const char wrong[] = "is no NT hash; USER: and 32 hexadecimal digits would be right, as postern passwd --ntlm writes it";
	const char       *at = rest.p, *end = rest.p + rest.n;

	*hash = rest;
	if (memchr(rest.p, ':', rest.n)) {
		for (int skipped = 0; skipped < 2; skipped++) {
			at = memchr(at, ':', (size_t)(end - at));
			if (!at)
				return wrong;
			at++;
		}
		*hash = span_of(at, (size_t)(end - at) < 32 ? 0 : 32);
		if ((size_t)(end - at) > 32 && at[32] != ':')
			return wrong;
	}
	return hash->n == 32 && all_of(*hash, HEX) ? NULL : wrong;
}

/* What is wrong with a line, or NULL; `text` gets room for words that name the kind of hash. */
static const char *
line_read(enum user_file_kind kind, char *p, char *end, struct user_row *row, char *text, size_t room)
{
	char       *colon = memchr(p, ':', (size_t)(end - p)), *slash;
	const char *fault;

	if (memchr(p, '\0', (size_t)(end - p)))
		return "there is a NUL byte in it";
	if (!colon)
		return kind == USER_FILE_NTLM ? "there is no colon; USER:NTHASH would be right" : "there is no colon; USER:HASH would be right";
	row->user = span_of(p, (size_t)(colon - p));
	fault = user_name_fault(kind, row->user);
	if (fault)
		return fault;
	*end = '\0';
	row->hash = span_of(colon + 1, (size_t)(end - colon - 1));
	if (kind == USER_FILE_BASIC) {
		/* what other servers let stand behind a further colon is a remark */
		p = memchr(colon + 1, ':', row->hash.n);
		if (p) {
			*p = '\0';
			row->hash.n = (size_t)(p - colon - 1);
		}
		fault = crypt_hash_fault(row->hash.p);
		if (!fault)
			return NULL;
		snprintf(text, room, "user %.*s cannot log on: the hash is %s", SPAN_ARG(row->user), fault);
		return text;
	}
	slash = memchr(p, '\\', row->user.n);
	if (slash) {
		row->domain = span_of(p, (size_t)(slash - p));
		row->user = span_of(slash + 1, (size_t)(colon - slash - 1));
	}
	fault = nt_hash_read(row->hash, &row->hash);
	if (!fault)
		return NULL;
	snprintf(text, room, "what user %.*s has %s", SPAN_ARG(row->user), fault);
	return text;
}

/* --- the order of rows --- */

/* The next character, upper case; a byte that is no UTF-8 comes after all of them. */
static uint32_t
upper_take(struct span *s)
{
	uint32_t c;

	if (ntlm_text_take(s, &c))
		return c < 0x10000 ? ntlm_text_upper((uint16_t)c) : c;
	c = 0x110000 + (uint8_t)s->p[0];
	*s = span_of(s->p + 1, s->n - 1);
	return c;
}

static int
text_order(struct span a, struct span b, bool fold)
{
	if (!fold)
		return span_order(a, b);
	while (a.n > 0 && b.n > 0) {
		uint32_t x = upper_take(&a), y = upper_take(&b);
		if (x != y)
			return x < y ? -1 : 1;
	}
	return a.n < b.n ? -1 : a.n > b.n;
}

static int
row_order(const struct user_row *a, const struct user_row *b, bool fold)
{
	int o = text_order(a->user, b->user, fold);

	return o ? o : text_order(a->domain, b->domain, fold);
}

bool
user_name_same(enum user_file_kind kind, struct span a, struct span b)
{
	return text_order(a, b, kind == USER_FILE_NTLM) == 0;
}

/* Rows of one name in the order of their lines. */
static int
ntlm_order(const void *a, const void *b)
{
	const struct user_row *x = a, *y = b;
	int                    o = row_order(x, y, true);

	return o ? o : x->line < y->line ? -1 : 1;
}

static int
basic_order(const void *a, const void *b)
{
	const struct user_row *x = a, *y = b;
	int                    o = row_order(x, y, false);

	return o ? o : x->line < y->line ? -1 : 1;
}

/* --- the file --- */

static void
bad_line(struct user_file *f, user_file_say say, void *arg, uint32_t line, const char *what)
{
	f->bad++;
	if (say)
		say(arg, line, what);
}

static bool
bytes_read(struct user_file *f, int fd, char why[BACK_WHY_MAX])
{
	struct stat st;
	ssize_t     got;

	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
		snprintf(why, BACK_WHY_MAX, "is no plain file");
		return false;
	}
	if (st.st_size > (off_t)BACK_FILE_MOST) {
		snprintf(why, BACK_WHY_MAX, "is larger than 64 MiB");
		return false;
	}
	f->bytes = malloc((size_t)st.st_size + 1);
	if (!f->bytes) {
		snprintf(why, BACK_WHY_MAX, "there is no memory for it");
		return false;
	}
	while (f->n < (size_t)st.st_size) {
		got = pread(fd, f->bytes + f->n, (size_t)st.st_size - f->n, (off_t)f->n);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0) {
			snprintf(why, BACK_WHY_MAX, "cannot be read: %s", strerror(errno));
			return false;
		}
		if (got == 0) {
			/* somebody cuts it just now: half a file would refuse users who are in it */
			snprintf(why, BACK_WHY_MAX, "became shorter while it was read; replace it by rename(2), as postern passwd does");
			return false;
		}
		f->n += (size_t)got;
	}
	f->bytes[f->n] = '\0';
	return true;
}

static size_t
lines_count(const struct user_file *f)
{
	size_t n = 1;

	for (size_t i = 0; i < f->n; i++)
		n += f->bytes[i] == '\n';
	return n;
}

static void
rows_read(struct user_file *f, user_file_say say, void *arg)
{
	char    *p = f->bytes, *stop = f->bytes + f->n;
	uint32_t line = 0;

	while (p < stop) {
		char           *end = memchr(p, '\n', (size_t)(stop - p)), *next;
		struct user_row row = {.line = line + 1};
		char            text[BACK_WHY_MAX + ASK_NAME_MAX];
		const char     *fault;

		line++;
		if (!end)
			end = stop;
		next = end < stop ? end + 1 : stop;
		while (end > p && (end[-1] == '\r' || end[-1] == ' ' || end[-1] == '\t'))
			end--;
		if (end > p && *p != '#') {
			fault = line_read(f->kind, p, end, &row, text, sizeof text);
			if (fault)
				bad_line(f, say, arg, line, fault);
			else
				f->row[f->n_rows++] = row;
		}
		p = next;
	}
}

/* Of a user who stands twice the first row is kept. */
static void
twins_drop(struct user_file *f, user_file_say say, void *arg)
{
	size_t kept = 0;

	for (size_t i = 0; i < f->n_rows; i++) {
		if (kept > 0 && row_order(&f->row[kept - 1], &f->row[i], f->kind == USER_FILE_NTLM) == 0) {
			char text[ASK_NAME_MAX + 128];
			snprintf(text, sizeof text, "user %.*s is there already, in line %u; one of the two has to go", SPAN_ARG(f->row[i].user), f->row[kept - 1].line);
			bad_line(f, say, arg, f->row[i].line, text);
			continue;
		}
		f->row[kept++] = f->row[i];
	}
	f->n_rows = kept;
}

bool
user_file_read(struct user_file *f, enum user_file_kind kind, int fd, user_file_say say, void *arg, char why[BACK_WHY_MAX])
{
	*f = (struct user_file){.kind = kind};
	if (!bytes_read(f, fd, why)) {
		user_file_clear(f);
		return false;
	}
	f->row = calloc(lines_count(f), sizeof *f->row);
	if (!f->row) {
		snprintf(why, BACK_WHY_MAX, "there is no memory for it");
		user_file_clear(f);
		return false;
	}
	rows_read(f, say, arg);
	qsort(f->row, f->n_rows, sizeof *f->row, kind == USER_FILE_NTLM ? ntlm_order : basic_order);
	twins_drop(f, say, arg);
	return true;
}

void
user_file_clear(struct user_file *f)
{
	if (f->bytes)
		explicit_bzero(f->bytes, f->n);
	free(f->bytes);
	free(f->row);
	*f = (struct user_file){0};
}

const struct user_row *
user_file_find(const struct user_file *f, struct span domain, struct span user)
{
	const struct user_row wanted = {.domain = domain, .user = user};
	size_t                from = 0, to = f->n_rows;

	while (from < to) {
		size_t mid = from + (to - from) / 2;
		int    o = row_order(&f->row[mid], &wanted, f->kind == USER_FILE_NTLM);
		if (o == 0)
			return &f->row[mid];
		if (o < 0)
			from = mid + 1;
		else
			to = mid;
	}
	return NULL;
}
