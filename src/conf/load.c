/* SPDX-License-Identifier: MIT */
/*
 * load: ini files to one struct conf.
 * inih takes lines apart; its reader callback counts them, has each judged by line and opens sections; its handler callback gathers the value of
 * one key, which set then stores. Every problem goes to the report, and reading goes on. Leaves finding and opening files to include.
 */
#include "conf/load.h"

#include <ctype.h>
#include <ini.h>
#include <stdlib.h>

#include "conf/file.h"
#include "conf/value.h"

#define NAME_MAX_LEN 63
#define ERRORS_MAX   5000

struct where
load_here(const struct load *l)
{
	return l->f ? (struct where){l->f->file, l->f->line} : (struct where){0, 0};
}

void
load_no_memory(struct load *l)
{
	if (!l->no_memory)
		report_error(l->r, load_here(l), "out of memory while the configuration is read");
	l->no_memory = true;
}

/* --- the value of a key, line by line --- */

/* "..." around the whole of a value that is one text. */
static struct span
unquote(struct span s)
{
	if (s.n >= 2 && s.p[0] == '"' && (const char *)memchr(s.p + 1, '"', s.n - 1) == s.p + s.n - 1)
		return span_of(s.p + 1, s.n - 2);
	return s;
}

static void
pending_end(struct load *l)
{
	struct pending      *p = &l->f->pending;
	const struct option *o = p->option;
	char                 wants[OPTION_WANTS];
	struct span          value = span_of(p->text, p->n);
	bool                 is_empty;

	if (o && !p->failed) {
		value = unquote(value);
		is_empty = option_is_list(o) ? p->items == 0 : value.n == 0;
		if (is_empty && !(o->flags & OPTION_EMPTY_OK))
			report_error(l->r, p->at, "%s has no value; want %s", o->key, option_wants(o, wants));
		else if (!is_empty && !option_is_list(o))
			set_value(l, o, l->f->section.base, value, p->at);
	}
	p->option = NULL;
	p->at.line = 0;
}

static void
unknown_key(struct load *l, struct span key)
{
	enum section_kind kind = l->f->section.kind;
	const char       *near;

	for (enum section_kind k = SECTION_TOP; k < SECTION_KINDS; k++)
		if (option_find(k, key)) {
			report_error(l->r, load_here(l), "key \"%s\" belongs in %s, not in %s", option_find(k, key)->key, section_shape(k), section_shape(kind));
			return;
		}
	near = nearest_key(kind, key);
	if (near)
		report_error(l->r, load_here(l), "unknown key \"%.*s\" in %s; did you mean \"%s\"?", SHOW(key), section_shape(kind), near);
	else if (kind == SECTION_TOP)
		report_error(l->r, load_here(l), "key \"%.*s\" stands before any section; put it below a head such as [gateway]", SHOW(key));
	else
		report_error(l->r, load_here(l), "unknown key \"%.*s\" in %s; postern.ini(5) names them all", SHOW(key), section_shape(kind));
}

static void
key_begin(struct load *l, struct span key)
{
	struct pending      *p = &l->f->pending;
	struct section      *s = &l->f->section;
	size_t               n;
	const struct option *table = option_table(&n), *o;
	struct where        *seen;
	char                 first[256];

	p->option = NULL;
	p->at = load_here(l);
	p->items = p->n = 0;
	p->failed = false;
	if (s->kind == SECTION_SKIP)
		return;
	o = option_find(s->kind, key);
	if (!o) {
		unknown_key(l, key);
		return;
	}
	seen = &s->seen[o - table];
	if (seen->line && !option_is_list(o)) {
		report_error(l->r, p->at, "\"%s\" is given twice in %s; the first is at %s", o->key, section_shape(s->kind),
		    where_print(l->c, *seen, first, sizeof first));
		return;
	}
	if (!seen->line) {
		*seen = p->at;
		if (option_is_list(o))
			set_begin(o, s->base);
	}
	p->option = o;
}

static void
items_add(struct load *l, struct span value)
{
	/* an include reads files meanwhile: l->f is another then, and back afterwards */
	struct pending  *p = &l->f->pending;
	struct conf_item item = {.at = load_here(l)};
	char             why[ITEM_WHY];

	while (p->option->type == OPTION_NAMES ? name_next(&value, &item, why) : item_next(&value, &item, why)) {
		p->items++;
		set_item(l, p->option, l->f->section.base, &item);
	}
	if (why[0]) {
		p->failed = true;
		report_error(l->r, item.at, "%s: %s", p->option->key, why);
	}
}

static void
text_add(struct load *l, struct span value)
{
	struct pending  *p = &l->f->pending;
	enum option_type type = p->option->type;

	if (p->failed)
		return;
	if (l->f->now.kind == LINE_MORE && type != OPTION_TEXT && type != OPTION_REASON && type != OPTION_FORMAT) {
		p->failed = true;
		report_error(l->r, load_here(l), "\"%s\" takes one value, on its own line; if this is a key, remove the indentation", p->option->key);
		return;
	}
	if (p->n + value.n + 1 > TEXT_MAX) {
		p->failed = true;
		report_error(l->r, p->at, "the value of \"%s\" is longer than %d bytes; shorten it", p->option->key, TEXT_MAX);
		return;
	}
	if (p->n && value.n)
		p->text[p->n++] = ' ';
	memcpy(p->text + p->n, value.p, value.n);
	p->n += value.n;
}

/* inih's handler. Its section name is not used: it is cut at 49 bytes, and sections without keys are not told. */
static int
on_pair(void *arg, const char *section, const char *name, const char *value)
{
	struct load *l = arg;
	char         text[LINE_TEXT_MAX + 1];
	size_t       n = strlen(value);

	(void)section;
	if (l->f->now.kind == LINE_KEY)
		key_begin(l, span_str(name));
	if (!l->f->pending.option)
		return 1;
	for (size_t i = 0; i < n; i++)
		text[i] = value[i] == LINE_SEMICOLON ? ';' : value[i];
	if (option_is_list(l->f->pending.option))
		items_add(l, span_of(text, n));
	else
		text_add(l, span_of(text, n));
	return 1;
}

/* --- sections --- */

static void
section_end(struct load *l)
{
	pending_end(l);
	if (l->f->section.base)
		check_section(l, &l->f->section);
	l->f->section = (struct section){.kind = SECTION_TOP, .seen = l->f->seen};
	memset(l->f->seen, 0, sizeof l->f->seen);
}

/* Names stand in lists (@NAME), in logs and on pages. */
static bool
name_is_fine(struct span name)
{
	for (size_t i = 0; i < name.n; i++)
		if (!isalnum((unsigned char)name.p[i]) && !strchr("._-", name.p[i]))
			return false;
	return name.n <= NAME_MAX_LEN;
}

/* The struct of a named section, behind those of its kind. *name comes as a piece of the line and is kept. NULL: out of memory. */
static void *
section_new(struct load *l, enum section_kind kind, struct span *name, struct where at)
{
	struct conf *c = l->c;
	void        *base = conf_alloc(c, section_row(kind)->size);

	name->p = conf_keep(c, *name);
	if (!name->p || !base) {
		load_no_memory(l);
		return NULL;
	}
	if (kind == SECTION_LISTENER) {
		struct conf_listener *s = base;
		s->name = *name;
		s->at = at;
		TAILQ_INSERT_TAIL(&c->listeners, s, link);
	} else if (kind == SECTION_PARENT) {
		struct conf_parent *s = base;
		s->name = *name;
		s->at = at;
		TAILQ_INSERT_TAIL(&c->parents, s, link);
	} else if (kind == SECTION_LIST) {
		struct conf_list *s = base;
		s->name = *name;
		s->at = at;
		TAILQ_INSERT_TAIL(&c->lists, s, link);
	} else if (kind == SECTION_RULE) {
		struct conf_rule *s = base;
		s->name = *name;
		s->at = at;
		TAILQ_INSERT_TAIL(&c->rules, s, link);
	} else {
		struct conf_log *s = base;
		s->name = *name;
		s->at = at;
		TAILQ_INSERT_TAIL(&c->logs, s, link);
	}
	set_defaults(l, kind, base);
	return base;
}

static enum section_kind
section_kind_find(struct load *l, struct span word)
{
	const char *near = nearest_section(word);

	for (enum section_kind k = SECTION_GATEWAY; k < SECTION_KINDS; k++)
		if (span_eq(span_str(section_row(k)->word), word))
			return k;
	if (near)
		report_error(l->r, load_here(l), "unknown section [%.*s]; did you mean [%s]?", SHOW(word), near);
	else
		report_error(l->r, load_here(l), "unknown section [%.*s]; there are gateway, auth, inspection, pac, doctor, listener, parent, list, rule and log", SHOW(word));
	return SECTION_SKIP;
}

/* One that stands in the conf already; its pieces add up. */
static void
section_single(struct load *l, struct section *s)
{
	struct conf_auth       *a = &l->c->auth;
	struct conf_inspection *i = &l->c->inspection;
	struct conf_pac        *p = &l->c->pac;
	struct conf_doctor     *d = &l->c->doctor;

	if (s->kind == SECTION_AUTH) {
		s->base = a;
		s->seen = l->auth_seen;
		a->at = a->present ? a->at : s->at;
		a->present = true;
	} else if (s->kind == SECTION_INSPECTION) {
		s->base = i;
		s->seen = l->inspection_seen;
		i->at = i->present ? i->at : s->at;
		i->present = true;
	} else if (s->kind == SECTION_PAC) {
		s->base = p;
		s->seen = l->pac_seen;
		p->at = p->present ? p->at : s->at;
		p->present = true;
	} else if (s->kind == SECTION_DOCTOR) {
		s->base = d;
		s->seen = l->doctor_seen;
		d->at = d->present ? d->at : s->at;
		d->present = true;
	} else {
		s->base = &l->c->gateway;
		s->seen = l->gateway_seen;
	}
}

static void
section_begin(struct load *l)
{
	struct section *s = &l->f->section;
	struct span     name = l->f->now.name;

	section_end(l);
	s->at = load_here(l);
	s->kind = section_kind_find(l, l->f->now.word);
	if (s->kind == SECTION_SKIP)
		return;
	if (!section_row(s->kind)->named) {
		if (name.n)
			report_error(l->r, s->at, "%s takes no name; write %s", section_shape(s->kind), section_shape(s->kind));
		section_single(l, s);
		return;
	}
	if (name.n == 0)
		report_error(l->r, s->at, "[%s] has no name; write %s", section_row(s->kind)->word, section_shape(s->kind));
	else if (!name_is_fine(name))
		report_error(l->r, s->at, "the name \"%.*s\" is not fit for %s; want up to %d letters, digits, dots, hyphens and underscores", SHOW(name),
		    section_shape(s->kind), NAME_MAX_LEN);
	s->name = name;
	s->base = section_new(l, s->kind, &s->name, s->at);
	if (!s->base)
		s->kind = SECTION_SKIP;
}

/* --- lines --- */

/* "  mode = explicit" after a list: inih would make items of it. */
static bool
looks_like_key(const struct load *l, struct span s)
{
	const struct option *o = l->f->pending.option;
	size_t               n = 0;
	struct span          word;

	while (n < s.n && ((s.p[n] >= 'a' && s.p[n] <= 'z') || s.p[n] == '-'))
		n++;
	word = span_of(s.p, n);
	while (n < s.n && (s.p[n] == ' ' || s.p[n] == '\t'))
		n++;
	if (word.n == 0 || n == s.n || s.p[n] != '=')
		return false;
	return (o && option_is_list(o)) || (l->f->section.kind < SECTION_KINDS && option_find(l->f->section.kind, word));
}

static bool
line_more(struct load *l)
{
	struct load_file *f = l->f;
	struct span       s = span_of(f->now.text + 1, strlen(f->now.text) - 2);

	if (f->skip_more)
		return false;
	if (!f->pending.at.line) {
		report_error(l->r, load_here(l), "the line is indented, but there is no list above for it to continue; remove the indentation");
		return false;
	}
	if (looks_like_key(l, s)) {
		report_error(l->r, load_here(l), "the line is indented and so would continue the value above; begin the key at the start of the line");
		return false;
	}
	return true;
}

static void
line_bad(struct load *l)
{
	struct load_file *f = l->f;

	report_error(l->r, load_here(l), "%s", f->now.why);
	if (f->now.indented) {
		f->pending.failed = true;
		return;
	}
	pending_end(l);
	f->skip_more = true;
	if (f->now.is_head) {
		/* what follows belongs to a section that we do not know */
		section_end(l);
		f->section.kind = SECTION_SKIP;
	}
}

/* No more lines: memory has run out, or this is no configuration at all. */
static bool
is_hopeless(struct load *l)
{
	if (l->r->errors >= ERRORS_MAX && !l->gave_up)
		report_error(l->r, load_here(l), "more than %d errors; what follows is not read", ERRORS_MAX);
	l->gave_up |= l->r->errors >= ERRORS_MAX;
	return l->gave_up || l->no_memory;
}

/* inih's reader: one line at a time, each as long as its file has lines, so that inih sees only what it reads rightly. */
static char *
read_line(char *str, int room, void *arg)
{
	struct load      *l = arg;
	struct load_file *f = l->f;
	const char       *newline, *text = "\n";
	struct span       raw;

	if (f->rest.n == 0 || is_hopeless(l))
		return NULL;
	newline = memchr(f->rest.p, '\n', f->rest.n);
	raw = span_of(f->rest.p, newline ? (size_t)(newline - f->rest.p) : f->rest.n);
	f->rest = span_of(raw.p + raw.n + (newline != NULL), f->rest.n - raw.n - (newline != NULL));
	f->line++;
	line_read(raw, f->line == 1, &f->now);
	switch (f->now.kind) {
	case LINE_BLANK:
		break;
	case LINE_BAD:
		line_bad(l);
		break;
	case LINE_SECTION:
		if (f->now.why[0])
			report_error(l->r, load_here(l), "%s", f->now.why);
		f->skip_more = false;
		section_begin(l);
		break;
	case LINE_MORE:
		if (line_more(l))
			text = f->now.text;
		break;
	case LINE_KEY:
		pending_end(l);
		f->skip_more = false;
		text = f->now.text;
		break;
	}
	/* a build of inih with a still smaller buffer */
	if (strlen(text) >= (size_t)room) {
		report_error(l->r, load_here(l), "line longer than %d bytes; continue it on an indented next line", room - 2);
		text = "\n";
	}
	return strcpy(str, text);
}

/* --- one file --- */

void
load_bytes(struct load *l, const char *path, uint32_t file, struct span bytes, const struct file_bytes *from)
{
	struct load_file *f = calloc(1, sizeof *f);
	int               misread;

	if (!f) {
		load_no_memory(l);
		return;
	}
	f->up = l->f;
	f->file = file;
	f->path = path;
	f->dev = from ? from->dev : 0;
	f->ino = from ? from->ino : 0;
	f->rest = bytes;
	f->section = (struct section){.kind = SECTION_TOP, .seen = f->seen};
	l->f = f;
	l->depth++;
	misread = ini_parse_stream(read_line, l, on_pair, l);
	section_end(l);
	l->depth--;
	l->f = f->up;
	l->c->files[file].lines = f->line;
	/* read_line lets nothing through that inih stumbles over; should it do so all the same, nothing may pass unseen */
	if (misread < 0)
		load_no_memory(l);
	else if (misread > 0)
		report_error(l->r, (struct where){file, (uint32_t)misread}, "the line cannot be read; write KEY = VALUE");
	free(f);
}

/* --- the whole --- */

static bool
load_begin(struct load *l, struct report *r)
{
	struct conf *c = calloc(1, sizeof *c);

	*l = (struct load){.c = c, .r = r};
	if (!c) {
		load_no_memory(l);
		return false;
	}
	TAILQ_INIT(&c->listeners);
	TAILQ_INIT(&c->parents);
	TAILQ_INIT(&c->lists);
	TAILQ_INIT(&c->rules);
	TAILQ_INIT(&c->logs);
	set_defaults(l, SECTION_GATEWAY, &c->gateway);
	set_defaults(l, SECTION_AUTH, &c->auth);
	set_defaults(l, SECTION_INSPECTION, &c->inspection);
	set_defaults(l, SECTION_PAC, &c->pac);
	set_defaults(l, SECTION_DOCTOR, &c->doctor);
	return true;
}

/* What memory did not suffice for is no configuration: nobody may look at its gaps. */
static struct conf *
load_end(struct load *l)
{
	if (!l->no_memory)
		return l->c;
	conf_free(l->c);
	return NULL;
}

struct conf *
conf_load(const char *path, struct report *r)
{
	struct load l;

	if (!load_begin(&l, r))
		return NULL;
	load_path(&l, path, (struct where){0, 0});
	if (l.n_ini)
		check_whole(&l);
	return load_end(&l);
}

struct conf *
conf_load_memory(const char *name, struct span bytes, struct report *r)
{
	struct load l;
	uint32_t    file;
	char       *kept;

	if (!load_begin(&l, r))
		return NULL;
	l.no_files = true;
	kept = conf_keep(l.c, span_str(name));
	if (!kept || !conf_file_add(l.c, kept, &file)) {
		load_no_memory(&l);
		return load_end(&l);
	}
	load_bytes(&l, kept, file, bytes, NULL);
	check_whole(&l);
	return load_end(&l);
}
