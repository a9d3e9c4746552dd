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

/* symbol, severity, word */
#define FINDING_TABLE(X) \
	/* what every start finds too */ \
	X(INVALID, ERROR, "invalid") \
	X(ADVICE, WARNING, "advice") \
	X(NO_EFFECT, WARNING, "no-effect") \
	X(UNUSED, WARNING, "unused") \
	X(RULE_DEAD, WARNING, "rule-dead") \
	X(RULE_NEVER, WARNING, "rule-never") \
	X(BYPASS_CHALLENGED, WARNING, "bypass-challenged") \
	X(BYPASS_EVERYTHING, WARNING, "bypass-everything") \
	X(ENTRY_COVERED, WARNING, "entry-covered") \
	X(CERTIFICATE_EXPIRING, WARNING, "certificate-expiring") \
	X(CRL_OVERDUE, WARNING, "crl-overdue") \
	/* what only check looks for (lint/) */ \
	X(ENDPOINT_CHALLENGED, ERROR, "endpoint-challenged") \
	X(ENDPOINT_INTERCEPTED, ERROR, "endpoint-intercepted") \
	X(ENDPOINT_DENIED, ERROR, "endpoint-denied") \
	X(BYPASS_CAUGHT, WARNING, "bypass-caught") \
	X(REGEX_PLAIN, WARNING, "regex-plain") \
	X(PATTERN_DOUBTFUL, WARNING, "pattern-doubtful") \
	X(PUBLIC_SUFFIX, WARNING, "public-suffix") \
	X(FILE_WRITABLE, WARNING, "file-writable") \
	X(FILE_OPEN, ERROR, "file-open") \
	X(LIST_STALE, WARNING, "list-stale") \
	X(LIST_UNTESTED, NOTE, "list-untested")

#define X(symbol, severity, word) FINDING_##symbol,
enum finding { FINDING_TABLE(X) FINDING_COUNT };
#undef X

enum severity finding_severity(enum finding f);
const char   *finding_word(enum finding f);
const char   *severity_word(enum severity s); /* "error" ... */

#endif
