/* SPDX-License-Identifier: MIT */
#include "cli/cli.h"

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <sys/stat.h>

int
cli_usage(int o, const char *usage)
{
	if (o == 'V')
		puts("postern " PACKAGE_VERSION);
	else
		fputs(usage, o == 'h' ? stdout : stderr);
	return o == 'V' || o == 'h' ? CLI_FINE : CLI_USAGE;
}

int
cli_asks(const char *word)
{
	if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0)
		return 'h';
	return strcmp(word, "--version") == 0 || strcmp(word, "-V") == 0 ? 'V' : '?';
}

int
cli_usage_error(const char *fmt, ...)
{
	va_list ap;

	fputs("postern: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	return CLI_USAGE;
}

int
cli_file_error(const char *path, const char *what)
{
	fputs("postern: ", stderr);
	cli_print(stderr, span_str(path));
	fputs(": ", stderr);
	cli_print(stderr, span_str(what));
	putc('\n', stderr);
	return CLI_USAGE;
}

bool
cli_file_readable(const char *path)
{
	FILE       *f = fopen(path, "re");
	struct stat st;
	const char *why = NULL;
	char        text[200];

	if (!f)
		why = strerror(errno);
	else if (fstat(fileno(f), &st) == 0 && S_ISDIR(st.st_mode))
		why = strerror(EISDIR);
	if (f)
		fclose(f);
	if (!why)
		return true;
	snprintf(text, sizeof text, "%s; name a readable file with -c", why);
	cli_file_error(path, text);
	return false;
}

/* Length of the UTF-8 sequence at the start of `s` (RFC 3629 4); 0 when there is none. */
static size_t
utf8_length(struct span s)
{
	const unsigned char *b = (const unsigned char *)s.p;
	size_t               n = b[0] < 0x80 ? 1 : b[0] >= 0xc2 && b[0] < 0xe0 ? 2 : (b[0] & 0xf0) == 0xe0 ? 3 : b[0] >= 0xf0 && b[0] < 0xf5 ? 4 : 0;

	if (n > s.n)
		return 0;
	for (size_t i = 1; i < n; i++)
		if ((b[i] & 0xc0) != 0x80)
			return 0;
	/* overlong forms, surrogates, beyond U+10FFFF */
	if ((b[0] == 0xe0 && b[1] < 0xa0) || (b[0] == 0xed && b[1] > 0x9f) || (b[0] == 0xf0 && b[1] < 0x90) || (b[0] == 0xf4 && b[1] > 0x8f))
		return 0;
	return n;
}

/* Characters that a terminal takes for orders, or that turn the order of what it shows: C0 and C1 (U+0080-9F), embeddings, overrides and isolates
 * (U+200E, 200F, 202A-202E, 2066-2069). `n` bytes of valid UTF-8. */
static bool
is_order(const unsigned char *b, size_t n)
{
	if (n == 1)
		return b[0] < 0x20 || b[0] == 0x7f;
	if (n == 2)
		return b[0] == 0xc2 && b[1] < 0xa0;
	return n == 3 && b[0] == 0xe2 &&
	    ((b[1] == 0x80 && (b[2] == 0x8e || b[2] == 0x8f || (b[2] >= 0xaa && b[2] <= 0xae))) || (b[1] == 0x81 && b[2] >= 0xa6 && b[2] <= 0xa9));
}

/* Its number in Unicode. */
static unsigned
order_number(const unsigned char *b, size_t n)
{
	return n == 1 ? b[0] : n == 2 ? (b[0] & 0x1fu) << 6 | (b[1] & 0x3fu) : (b[0] & 0xfu) << 12 | (b[1] & 0x3fu) << 6 | (b[2] & 0x3fu);
}

void
cli_print(FILE *to, struct span s)
{
	while (s.n > 0) {
		size_t n = utf8_length(s), bytes = n ? n : 1;
		if (n && !is_order((const unsigned char *)s.p, n))
			fwrite(s.p, 1, n, to);
		else
			for (size_t i = 0; i < bytes; i++)
				fprintf(to, "\\x%02x", (unsigned char)s.p[i]);
		s = span_of(s.p + bytes, s.n - bytes);
	}
}

void
cli_print_json(FILE *to, struct span s)
{
	putc('"', to);
	while (s.n > 0) {
		unsigned char c = (unsigned char)s.p[0];
		size_t        n = utf8_length(s);
		if (c == '"' || c == '\\')
			fprintf(to, "\\%c", c);
		else if (n == 0)
			fputs("\\ufffd", to);
		else if (is_order((const unsigned char *)s.p, n))
			fprintf(to, "\\u%04x", order_number((const unsigned char *)s.p, n));
		else
			fwrite(s.p, 1, n, to);
		n += n == 0;
		s = span_of(s.p + n, s.n - n);
	}
	putc('"', to);
}
