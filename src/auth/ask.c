/* SPDX-License-Identifier: MIT */
#include "auth/ask.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void
answer_clear(struct answer *a)
{
	free(a->token);
	free(a->pac);
	free(a->groups);
	*a = (struct answer){0};
}

/* At most `room - 1` bytes of text and a NUL; a character that does not fit whole is left out. */
static void
text_put(char *out, size_t room, struct span s)
{
	size_t n = s.n < room ? s.n : room - 1;

	/* the first byte left out must begin a character */
	while (n > 0 && n < s.n && ((unsigned char)s.p[n] & 0xc0) == 0x80)
		n--;
	for (size_t i = 0; i < n; i++)
		out[i] = (unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7f ? '?' : s.p[i];
	out[n] = '\0';
}

void
answer_name(char out[ASK_NAME_MAX], struct span name)
{
	text_put(out, ASK_NAME_MAX, name);
}

void
answer_detail(struct answer *a, const char *fmt, ...)
{
	char    text[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	text_put(a->detail, sizeof a->detail, span_str(text));
}

static bool
bytes_keep(char **to, uint32_t *n, struct span from)
{
	char *copy = NULL;

	if (from.n > UINT32_MAX)
		return false;
	if (from.n > 0) {
		copy = malloc(from.n);
		if (!copy)
			return false;
		memcpy(copy, from.p, from.n);
	}
	free(*to);
	*to = copy;
	*n = (uint32_t)from.n;
	return true;
}

bool
answer_token(struct answer *a, struct span token)
{
	return bytes_keep(&a->token, &a->n_token, token);
}

bool
answer_pac(struct answer *a, struct span pac)
{
	return bytes_keep(&a->pac, &a->n_pac, pac);
}

bool
answer_group(struct answer *a, struct span group)
{
	size_t have = a->groups_bytes;
	char  *more;

	if (group.n >= GROUPS_BYTES_MAX - have)
		return false;
	more = realloc(a->groups, have + group.n + 1);
	if (!more)
		return false;
	a->groups = more;
	if (group.n > 0)
		memcpy(more + have, group.p, group.n);
	more[have + group.n] = '\0';
	a->groups_bytes = (uint32_t)(have + group.n + 1);
	return true;
}
