/* SPDX-License-Identifier: MIT */
/* result: how a parser answers. MORE: right so far, not complete. */
#ifndef POSTERN_PARSE_RESULT_H
#define POSTERN_PARSE_RESULT_H

enum parse_result { PARSE_OK, PARSE_MORE, PARSE_BAD };

#endif
