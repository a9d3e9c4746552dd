/* SPDX-License-Identifier: MIT */
/*
 * load: what the files of this room share while a configuration is being read. Neighbours use conf.h.
 */
#ifndef POSTERN_CONF_LOAD_H
#define POSTERN_CONF_LOAD_H

#include "conf/line.h"
#include "conf/option.h"
#include "conf/store.h"

#define TEXT_MAX 2000 /* bytes of one value that is no list */

/* One section head and what came under it so far. */
struct section {
	enum section_kind kind;
	void             *base; /* its struct in the conf; where gateway or auth lies; null for TOP and SKIP */
	struct span       name;
	struct where      at;
	struct where     *seen; /* OPTION_MAX of them, by row of the option table; line 0: not given */
};

/* The key whose value is being read: its own line and the indented ones after it. */
struct pending {
	const struct option *option; /* null: none, or one that was refused */
	struct where         at;     /* line 0: there is no key to continue */
	size_t               items;  /* so far, good or bad, in this line and those that continue it */
	char                 text[TEXT_MAX + 1]; /* one value: all lines, joined by a blank */
	size_t               n;
	bool                 failed; /* reported; say nothing more of this value */
};

/* A file being read; the one that includes it is `up`. */
struct load_file {
	struct load_file *up;
	uint32_t          file;
	const char       *path;
	dev_t             dev;
	ino_t             ino;
	struct span       rest; /* not read yet */
	uint32_t          line; /* the last one read */
	struct line       now;  /* that line */
	bool              skip_more; /* continuations of a line that was refused go with it */
	struct section    section;
	struct where      seen[OPTION_MAX]; /* what section.seen points to, but for sections that may be in pieces */
	struct pending    pending;
};

struct load {
	struct conf      *c;
	struct report    *r;
	struct load_file *f;
	unsigned          depth, n_ini;
	bool              no_files; /* `include` and `file` open nothing */
	bool              no_memory, gave_up; /* said */
	struct where      gateway_seen[OPTION_MAX], auth_seen[OPTION_MAX], inspection_seen[OPTION_MAX], pac_seen[OPTION_MAX], doctor_seen[OPTION_MAX]; /* these sections may be in pieces */
	bool              none[OPTION_MAX]; /* the one item "none" was given there; options of gateway only */
};

struct where load_here(const struct load *l);
void load_no_memory(struct load *l); /* an error, once */

/* --- set: a value into the struct --- */
void set_item(struct load *l, const struct option *o, void *base, struct conf_item *item);
void set_value(struct load *l, const struct option *o, void *base, struct span value, struct where at);
void set_defaults(struct load *l, enum section_kind kind, void *base);
/* The first key of a list option in its section: the default goes. */
void set_begin(const struct option *o, void *base);

/* --- load: the lines of one file; `from` is null for bytes that come from no file --- */
struct file_bytes;
void load_bytes(struct load *l, const char *path, uint32_t file, struct span bytes, const struct file_bytes *from);

/* --- include: files; `from` names the line that asked for one, its line 0: the command line --- */
void load_path(struct load *l, const char *path, struct where from);
void include_glob(struct load *l, const struct conf_item *item);

/* --- list: the lines of a list file, to the list's hosts --- */
void list_read(struct load *l, struct conf_list *list, const struct conf_item *item);
/* The lines of `bytes`, which stay in place; `file` is their file in conf.files. */
void list_parse(struct load *l, struct conf_items *to, struct span bytes, uint32_t file);

/* --- check: what a section and the whole need --- */
void check_section(struct load *l, const struct section *s);
void check_whole(struct load *l);
/* A file is there, plain, readable, and its mode has none of the bits `closed`; else an error at `at`. Reads nothing of it. `why`: what such a bit means and
 * what to do about it. False: reported. */
bool check_file(struct load *l, struct where at, const char *key, const char *path, unsigned closed, const char *why);
/* Is the key given in this section, and where? */
bool         section_gives(const struct section *s, const char *key);
struct where section_at(const struct section *s, const char *key);
/* --- log: where [log NAME] goes --- */
void check_log(struct load *l, const struct section *s);
void check_spools(struct load *l);
/* --- auth: what [auth] needs, and what rules need of it --- */
void check_rates(struct load *l, const struct section *s); /* limits.c: of bandwidth and connections */
void check_auth(struct load *l);
/* --- listener_tls: what TLS to the proxy itself needs --- */
void check_listener_tls(struct load *l);
/* --- log_lines: which lines go to a log, and what of them --- */
void check_log_lines(struct load *l);
/* --- probe: probes of lists, and which lists the doctor tests --- */
void check_doctor(struct load *l);
/* --- rounds: [doctor] interval and textfile --- */
void check_rounds(struct load *l);
/* --- inspection: the same of [inspection] --- */
void check_inspection(struct load *l);

/* --- parent: one [parent], and all of them together with the rules --- */
void check_parent(struct load *l, struct conf_parent *p);
void check_parents(struct load *l);

/* Text of others in a message: not the whole of it. */
#define SHOW(s) (int)((s).n > 80 ? 80 : (s).n), (s).p

/* As conf_load, of bytes in memory, opening no file. For the fuzzer and for tests. */
struct conf *conf_load_memory(const char *name, struct span bytes, struct report *r);

#endif
