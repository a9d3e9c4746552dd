/* SPDX-License-Identifier: MIT */
#include "base/fault.h"

#include <assert.h>

static const struct fault_row rows[FAULT_COUNT] = {
#define FAULT_ROW(sym, word, status, token, tag, text) [FAULT_##sym] = {word, status, token, tag, text},
	FAULT_TABLE(FAULT_ROW)
#undef FAULT_ROW
};

const struct fault_row *
fault_row(enum fault f)
{
	assert((unsigned)f < FAULT_COUNT);
	return &rows[f];
}
