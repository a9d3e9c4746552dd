/* SPDX-License-Identifier: MIT */
/*
 * finding: the kinds of what can be wrong with a configuration. Each has a word that `postern check --json` prints and that stays as it is, and stands in
 * postern-check(8) with what to do about it.
 * Always true: an error keeps a configuration from being used (where it is found by what `run` reads) or `check` from accepting it (lint/); a warning lets
 * `check` accept it, but not `check --strict`; a note changes nothing.
 */
#ifndef POSTERN_CONF_FINDING_H
#define POSTERN_CONF_FINDING_H

enum severity { SEVERITY_ERROR, SEVERITY_WARNING, SEVERITY_NOTE };

/* symbol, severity, word, what to do where the text does not say it apart */
#define FINDING_TABLE(X) \
	/* what every start finds too */ \
	X(INVALID, ERROR, "invalid", "write what the text says is wanted, as postern.ini(5) explains it") \
	X(FILE_OPEN, ERROR, "file-open", "take the right to read and write it from others") \
	X(BYPASS_UNSAFE, ERROR, "bypass-unsafe", "name the hosts, or say force = yes in the rule") \
	X(ADVICE, WARNING, "advice", "do as the text says, or leave it where it is meant") \
	X(NO_EFFECT, WARNING, "no-effect", "remove it, or give what it needs") \
	X(UNUSED, WARNING, "unused", "name it in a rule, or remove it") \
	X(RULE_DEAD, WARNING, "rule-dead", "move the rule up, or remove it") \
	X(RULE_NEVER, WARNING, "rule-never", "correct the condition that the text names, or remove the rule") \
	X(BYPASS_CHALLENGED, WARNING, "bypass-challenged", "move the bypass rule before the one that asks, or say force = yes in that") \
	X(BYPASS_EVERYTHING, WARNING, "bypass-everything", "name the hosts, or say force = yes") \
	X(ENTRY_COVERED, WARNING, "entry-covered", "remove the entry") \
	X(CERTIFICATE_EXPIRING, WARNING, "certificate-expiring", "make a new one") \
	X(CRL_OVERDUE, WARNING, "crl-overdue", "fetch the new one") \
	/* what only check looks for (lint/) */ \
	X(ENDPOINT_CHALLENGED, ERROR, "endpoint-challenged", "put a bypass rule that names them before it") \
	X(ENDPOINT_INTERCEPTED, ERROR, "endpoint-intercepted", "put a bypass rule that names them before it") \
	X(ENDPOINT_DENIED, ERROR, "endpoint-denied", "put a bypass rule that names them before it") \
	X(BYPASS_CAUGHT, WARNING, "bypass-caught", "move the bypass rule before it") \
	X(REGEX_PLAIN, WARNING, "regex-plain", "write the plain pattern") \
	X(PATTERN_DOUBTFUL, WARNING, "pattern-doubtful", "write what is meant") \
	X(PUBLIC_SUFFIX, WARNING, "public-suffix", "name the hosts below it") \
	X(FILE_WRITABLE, WARNING, "file-writable", "take the right to write from others (chmod go-w)") \
	X(LIST_STALE, WARNING, "list-stale", "fetch a new one") \
	X(LIST_UNTESTED, NOTE, "list-untested", "name known hosts below it with probe = HOST")

#define X(symbol, severity, word, remedy) FINDING_##symbol,
enum finding { FINDING_TABLE(X) FINDING_COUNT };
#undef X

enum severity finding_severity(enum finding f);
const char   *finding_word(enum finding f);
const char   *finding_remedy(enum finding f);
const char   *severity_word(enum severity s); /* "error" ... */

#endif
