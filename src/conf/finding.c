/* SPDX-License-Identifier: MIT */
#include "conf/finding.h"

#include <assert.h>

static const struct {
	enum severity severity;
	const char   *word, *remedy;
} rows[FINDING_COUNT] = {
#define X(symbol, severity_, word_, remedy_) [FINDING_##symbol] = {SEVERITY_##severity_, word_, remedy_},
	FINDING_TABLE(X)
#undef X
};

enum severity
finding_severity(enum finding f)
{
	assert((unsigned)f < FINDING_COUNT);
	return rows[f].severity;
}

const char *
finding_word(enum finding f)
{
	assert((unsigned)f < FINDING_COUNT);
	return rows[f].word;
}

const char *
finding_remedy(enum finding f)
{
	assert((unsigned)f < FINDING_COUNT);
	return rows[f].remedy;
}

const char *
severity_word(enum severity s)
{
	static const char *const word[] = {"error", "warning", "note"};

	assert((unsigned)s < sizeof word / sizeof *word);
	return word[s];
}
