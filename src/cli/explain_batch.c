/* SPDX-License-Identifier: MIT */
/*
 * explain_batch: many questions, one a line, as JSON objects or as the words of the command line; one JSON answer a line, in the same order.
 * Always true: a line that cannot be read is answered too, with "error", and the next one is read.
 */
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/explain.h"

#define LINE_MOST  262144u /* bytes of a line */
#define WORDS_MOST 1024u

struct batch {
	const struct snapshot *snap;
	bool                   rules, any_bad;
	struct question        q; /* large */
};

/* --- JSON --- */

static bool
option_take(struct question *q, unsigned i, const json_t *value)
{
	const json_t *one;
	size_t        k;

	if (json_is_string(value))
		return question_set(q, i, json_string_value(value)) && strlen(json_string_value(value)) == json_string_length(value);
	if (!json_is_array(value))
		return question_fail(q, "`%s` takes a string, or several in an array", question_option(i));
	json_array_foreach (value, k, one)
		if (json_is_array(one) || !option_take(q, i, one))
			return q->error[0] ? false : question_fail(q, "`%s` takes a string, or several in an array", question_option(i));
	return true;
}

static bool
object_take(struct question *q, const json_t *o, const char **id_key)
{
	size_t known = 0;

	if (!json_is_object(o))
		return question_fail(q, "a line is a JSON object, or words");
	for (unsigned i = 0; i < QUESTION_OPTIONS; i++) {
		const json_t *value = json_object_get(o, question_option(i));
		known += value != NULL;
		if (value && !option_take(q, i, value))
			return q->error[0] ? false : question_fail(q, "`%s` has a NUL", question_option(i));
	}
	if (json_object_get(o, "id")) {
		*id_key = "id";
		known++;
	}
	if (known != json_object_size(o))
		return question_fail(q, "a field that nobody knows; there are target, the long options, and id");
	return q->facts.host != NULL || question_fail(q, "no target");
}

/* --- words --- */

/* The next word, in place: separated by blanks; quotes of either kind hold it together, and in "" a backslash takes the next byte as it is. */
static char *
word_next(char **at)
{
	char *from = *at, *to, *word, quote = '\0';

	while (*from == ' ' || *from == '\t')
		from++;
	if (!*from)
		return NULL;
	for (word = to = from; *from && (quote || (*from != ' ' && *from != '\t')); from++) {
		if (quote && *from == quote)
			quote = '\0';
		else if (!quote && (*from == '"' || *from == '\''))
			quote = *from;
		else if (quote == '"' && *from == '\\' && from[1])
			*to++ = *++from;
		else
			*to++ = *from;
	}
	*at = *from ? from + 1 : from;
	*to = '\0';
	return word;
}

static bool
words_take(struct question *q, char *line)
{
	char *word, *target = NULL;

	for (unsigned n = 0; n < WORDS_MOST && (word = word_next(&line)); n++) {
		unsigned i = 0;
		if (strncmp(word, "--", 2) != 0) {
			if (target)
				return question_fail(q, "one target a line");
			target = word;
			continue;
		}
		while (i < QUESTION_OPTIONS && strcmp(word + 2, question_option(i)) != 0)
			i++;
		word = i < QUESTION_OPTIONS ? word_next(&line) : NULL;
		if (!word)
			return question_fail(q, "an option that nobody knows, or one without its value");
		if (!question_set(q, i, word))
			return false;
	}
	if (word_next(&line))
		return question_fail(q, "too many words");
	return target ? question_take_target(q, target) : q->facts.host != NULL || question_fail(q, "no target");
}

/* --- a line --- */

static void
error_print(const char *what, uint64_t line, const char *id)
{
	putchar('{');
	if (id)
		printf("\"id\":%s,", id);
	printf("\"line\":%llu,\"error\":", (unsigned long long)line);
	cli_print_json(stdout, span_str(what));
	fputs("}\n", stdout);
}

static void
answer(struct batch *b, bool taken, uint64_t line, const char *id)
{
	struct answers all = {.n = 0};

	if (taken && answers_find(&all, b->snap, &b->q)) {
		answers_print_json(&all, b->rules, id, NULL);
		putchar('\n');
	} else {
		b->any_bad = true;
		error_print(b->q.error, line, id);
	}
	answers_clear(&all);
}

static void
line_answer(struct batch *b, char *text, size_t n, uint64_t line)
{
	json_error_t error;
	const char  *id_key = NULL;
	char        *id = NULL;
	json_t      *o = NULL;
	bool         taken;

	question_init(&b->q);
	if (memchr(text, '\0', n)) {
		taken = question_fail(&b->q, "a NUL in the line");
	} else if (text[strspn(text, " \t")] == '{') {
		/* jansson bounds nesting (2048); the line is bounded */
		o = json_loadb(text, n, JSON_REJECT_DUPLICATES, &error);
		taken = o ? object_take(&b->q, o, &id_key) : question_fail(&b->q, "no JSON: %s", error.text);
		if (id_key)
			id = json_dumps(json_object_get(o, id_key), JSON_ENCODE_ANY | JSON_COMPACT | JSON_ENSURE_ASCII);
	} else {
		taken = words_take(&b->q, text);
	}
	answer(b, taken, line, id);
	question_clear(&b->q);
	free(id);
	json_decref(o);
}

/* Blank lines and those that begin with # have no answer. */
static bool
is_question(const char *text)
{
	size_t skip = strspn(text, " \t");

	return text[skip] && text[skip] != '#';
}

/* What is left of a line that is too long. */
static void
line_skip(FILE *f)
{
	int c;

	do
		c = getc(f);
	while (c != '\n' && c != EOF);
}

/* The length of the next line, without its end; LINE_MOST: it is longer; -1: there is none. */
static ssize_t
line_read(FILE *f, char *buf)
{
	size_t n = 0;
	int    c;

	while ((c = getc_unlocked(f)) != EOF && c != '\n') {
		if (n == LINE_MOST - 1) {
			line_skip(f);
			return LINE_MOST;
		}
		buf[n++] = (char)c;
	}
	if (n == 0 && c == EOF)
		return -1;
	n -= n && buf[n - 1] == '\r';
	buf[n] = '\0';
	return (ssize_t)n;
}

int
explain_batch(const struct snapshot *s, const char *path, bool rules)
{
	FILE         *f = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
	struct stat   st;
	struct batch *b = calloc(1, sizeof *b);
	char         *buf = malloc(LINE_MOST);
	uint64_t      line = 0;
	ssize_t       n;
	int           code = CLI_USAGE;

	if (!f || !b || !buf) {
		cli_usage_error("--batch: %s", f ? "out of memory" : strerror(errno));
		goto out;
	}
	if (f != stdin && fstat(fileno(f), &st) == 0 && (S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode)) && !isatty(fileno(f))) {
		cli_usage_error("--batch: it is a device"); /* which need not end */
		goto out;
	}
	b->snap = s;
	b->rules = rules;
	while ((n = line_read(f, buf)) >= 0) {
		line++;
		if (n == LINE_MOST) {
			b->any_bad = true;
			error_print("the line is too long", line, NULL);
		} else if (is_question(buf) || memchr(buf, '\0', (size_t)n)) {
			line_answer(b, buf, (size_t)n, line);
		}
	}
	if (ferror(f))
		cli_usage_error("--batch: it cannot be read to its end");
	else if (!b->any_bad)
		code = CLI_FINE;
out:
	if (f && f != stdin)
		fclose(f);
	free(b);
	free(buf);
	return code;
}
