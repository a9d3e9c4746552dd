/* SPDX-License-Identifier: MIT */
/*
 * option: the one table of all options. Each row says where the option stands in the file, what it takes, its default and where it is stored;
 * whatever else is said of options (reading, errors, the test of the man page) is read from here.
 */
#ifndef POSTERN_CONF_OPTION_H
#define POSTERN_CONF_OPTION_H

#include "conf/conf.h"

enum section_kind {
	SECTION_TOP, /* before the first section head */
	SECTION_GATEWAY,
	SECTION_AUTH,
	SECTION_INSPECTION,
	SECTION_PAC,
	SECTION_DOCTOR,
	SECTION_LISTENER,
	SECTION_PARENT,
	SECTION_LIST,
	SECTION_RULE,
	SECTION_LOG,
	SECTION_KINDS,
	SECTION_SKIP /* unknown, or of a later version: said once, its keys are passed over */
};

struct section_row {
	const char *word;
	bool        named;
	size_t      size; /* of its struct; 0: not made for each head */
};
const struct section_row *section_row(enum section_kind kind);
/* "[gateway]", "[rule NAME]" */
const char *section_shape(enum section_kind kind);

enum option_type {
	/* one value */
	OPTION_NUMBER, /* uint32_t */
	OPTION_SIZE,   /* uint64_t, bytes */
	OPTION_TIME,   /* uint64_t, milliseconds */
	OPTION_BOOL,   /* bool: yes, no */
	OPTION_WORD,   /* int-sized enum: one of `words` */
	OPTION_TEXT,   /* char *: the line's rest, in quotes or not */
	OPTION_REASON, /* struct span: the same */
	OPTION_TOKEN,  /* char *: a host name or RFC 9110 token */
	OPTION_DIR,    /* char *: a directory, made relative to the file */
	OPTION_LOGFILE, /* char *: "-", or made relative to LOG_DIR */
	OPTION_FORMAT, /* of struct conf_log: one of `words`, or a format string */
	OPTION_PATH,   /* char *: a file, made relative to the ini; looked at when all is read */
	OPTION_RATE,   /* struct conf_rate: so many per so long */
	OPTION_VERSION, /* uint16_t: one of `words` */
	OPTION_MODE,   /* uint32_t: octal permissions of a file */
	/* lists: repeated keys add up, indented lines continue */
	OPTION_INCLUDE,   /* stored nowhere: more files to read */
	OPTION_PORTS,     /* struct conf_ports */
	OPTION_CIDRS,     /* struct conf_cidrs */
	OPTION_ENDPOINTS, /* struct conf_endpoints */
	OPTION_PLACES,    /* of struct conf_listener: its address and paths */
	OPTION_RESOLVERS, /* of struct conf_gateway: system, or addresses */
	OPTION_ITEMS,     /* struct conf_items; policy/ gives them meaning */
	OPTION_NETWORKS,  /* struct conf_items; each is a network or a group */
	OPTION_FILES,     /* struct conf_items; each is read, its lines go to the list's hosts */
	OPTION_NAMES,     /* struct conf_items, separated by commas alone: names hold blanks */
	OPTION_SCHEMES,   /* of struct conf_auth: some of `words`, each once */
	OPTION_PATHS,     /* struct conf_items; files, made relative to the ini, or one of `words`; looked at when all is read */
	OPTION_BAD_ORIGIN, /* struct conf_bad_origin: an answer of `words` for all kinds, KIND:ANSWER for one */
};

#define OPTION_EMPTY_OK 1u /* no value: no text, no items */
#define OPTION_NEGATES  2u /* items may begin with '!' */
#define OPTION_NONE_OK  4u /* the one item "none": no items */
#define OPTION_PKCS11   8u /* PATH: a pkcs11: URI stays as it is */

#define LOG_DIR "/var/log/postern"

struct option_word {
	const char *word;
	int         value;
};

#define OPTION_NOWHERE SIZE_MAX

struct option {
	enum section_kind         section;
	const char               *key;
	enum option_type          type;
	size_t                    off;      /* in the section's struct; OPTION_NOWHERE: only checked */
	size_t                    at_off;   /* of a struct where that tells the line; 0: none */
	uint64_t                  min, max; /* NUMBER, SIZE, TIME; RATE: of its time */
	const char               *def;      /* as it would be written; NULL: none */
	const char               *zero;     /* NUMBER: the word for 0 */
	const struct option_word *words;    /* ends with a null word */
	unsigned                  flags;
};

#define OPTION_MAX 192 /* rows, at most */

const struct option *option_table(size_t *n);
const struct option *option_find(enum section_kind section, struct span key);
bool                 option_is_list(const struct option *o);
/* What the option takes, for "want ...". Returns buf. */
#define OPTION_WANTS 200
const char *option_wants(const struct option *o, char buf[OPTION_WANTS]);

/* The nearest known word, near enough to be what was meant; NULL: none is. */
const char *nearest_key(enum section_kind section, struct span key);
const char *nearest_section(struct span word);

#endif
