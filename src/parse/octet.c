/* SPDX-License-Identifier: MIT */
#include "parse/octet.h"

#define IS_DIGIT(c)  ((c) >= '0' && (c) <= '9')
#define IS_ALPHA(c)  (((c) >= 'a' && (c) <= 'z') || ((c) >= 'A' && (c) <= 'Z'))
#define IS_HEX(c)    (IS_DIGIT(c) || ((c) >= 'a' && (c) <= 'f') || ((c) >= 'A' && (c) <= 'F'))
#define IS_TOKEN(c) \
	(IS_DIGIT(c) || IS_ALPHA(c) || (c) == '!' || (c) == '#' || (c) == '$' || (c) == '%' || (c) == '&' || (c) == '\'' || (c) == '*' || \
	 (c) == '+' || (c) == '-' || (c) == '.' || (c) == '^' || (c) == '_' || (c) == '`' || (c) == '|' || (c) == '~')
#define IS_TEXT(c)   ((c) == '\t' || ((c) >= 0x20 && (c) != 0x7f))
#define IS_QUOTED(c) (IS_TEXT(c) && (c) != '"' && (c) != '\\')
/* pchar, '/' and '?', the brackets of RFC 3986's reserved set, and what browsers leave raw */
#define IS_URL(c) \
	(IS_DIGIT(c) || IS_ALPHA(c) || (c) == '-' || (c) == '.' || (c) == '_' || (c) == '~' || (c) == '!' || (c) == '$' || (c) == '&' || \
	 (c) == '\'' || (c) == '(' || (c) == ')' || (c) == '*' || (c) == '+' || (c) == ',' || (c) == ';' || (c) == '=' || (c) == ':' || \
	 (c) == '@' || (c) == '/' || (c) == '?' || (c) == '[' || (c) == ']' || (c) == '|' || (c) == '^' || (c) == '`' || (c) == '{' || (c) == '}')
#define IS_NAME(c) (IS_DIGIT(c) || IS_ALPHA(c) || (c) == '-' || (c) == '_' || (c) == '.')

#define ONE(c) \
	((IS_TOKEN(c) ? OCTET_TOKEN : 0) | (IS_TEXT(c) ? OCTET_TEXT : 0) | (IS_QUOTED(c) ? OCTET_QUOTED : 0) | (IS_URL(c) ? OCTET_URL : 0) | \
	 (IS_DIGIT(c) ? OCTET_DIGIT : 0) | (IS_ALPHA(c) ? OCTET_ALPHA : 0) | (IS_HEX(c) ? OCTET_HEX : 0) | (IS_NAME(c) ? OCTET_NAME : 0))
#define FOUR(c)    ONE(c), ONE((c) + 1), ONE((c) + 2), ONE((c) + 3)
#define SIXTEEN(c) FOUR(c), FOUR((c) + 4), FOUR((c) + 8), FOUR((c) + 12)
#define SIXTY_FOUR(c) SIXTEEN(c), SIXTEEN((c) + 16), SIXTEEN((c) + 32), SIXTEEN((c) + 48)

const uint8_t octet_class[256] = {SIXTY_FOUR(0), SIXTY_FOUR(64), SIXTY_FOUR(128), SIXTY_FOUR(192)};
