/* SPDX-License-Identifier: MIT */
#include "session/logon.h"

#include <stdlib.h>

#include "audit/record.h"

#define CLAIM_MAX  512u
#define DETAIL_MAX (CLAIM_MAX + ASK_DETAIL_MAX + 2)

struct logon *
logon_new(void)
{
	struct logon *l = calloc(1, sizeof *l);

	if (!l)
		return NULL;
	l->ms = MS_NONE;
	timer_init(&l->names, NULL, NULL);
	return l;
}

void
logon_cancel(struct logon *l)
{
	if (!l)
		return;
	timer_clear(&l->names);
	if (l->job)
		desk_cancel(l->job);
	l->job = NULL;
}

void
logon_forget_basic(struct logon *l)
{
	if (l->basic)
		explicit_bzero(l->basic, l->n_user + l->n_password);
	free(l->basic);
	l->basic = NULL;
	l->n_user = l->n_password = 0;
}

void
logon_free(struct logon *l)
{
	if (!l)
		return;
	logon_cancel(l);
	logon_forget_basic(l);
	if (l->ticket)
		answer_clear(l->ticket);
	free(l->ticket);
	free(l->token);
	free(l->claimed);
	free(l->detail);
	free(l);
}

bool
logon_keep_token(struct logon *l, struct span token)
{
	char *p = malloc(token.n ? token.n : 1);

	if (!p)
		return false;
	if (token.n)
		memcpy(p, token.p, token.n);
	free(l->token);
	l->token = p;
	l->n_token = (uint32_t)token.n;
	return true;
}

bool
logon_keep_basic(struct logon *l, struct span user, struct span password)
{
	logon_forget_basic(l);
	if (!(l->basic = malloc(user.n + password.n + 1)))
		return false;
	if (user.n)
		memcpy(l->basic, user.p, user.n);
	if (password.n)
		memcpy(l->basic + user.n, password.p, password.n);
	l->n_user = user.n;
	l->n_password = password.n;
	return true;
}

bool
logon_keep_ticket(struct logon *l, const struct answer *a)
{
	struct answer *t = malloc(sizeof *t);

	if (!t)
		return false;
	*t = *a;
	t->token = t->pac = t->groups = NULL;
	t->n_token = t->n_pac = t->groups_bytes = 0;
	l->ticket = t;
	for (uint32_t at = 0; at < a->groups_bytes;) {
		struct span group = span_of(a->groups + at, strnlen(a->groups + at, a->groups_bytes - at));
		if (!answer_group(t, group))
			return false;
		at += (uint32_t)group.n + 1;
	}
	return true;
}

static size_t
put_clean(char *out, size_t room, size_t n, struct span s)
{
	for (size_t i = 0; i < s.n && n < room; i++) {
		unsigned char c = (unsigned char)s.p[i];
		out[n++] = c < 0x20 || c == 0x7f ? '?' : (char)c;
	}
	return n;
}

void
logon_claim(struct logon *l, struct span domain, struct span account)
{
	char   text[CLAIM_MAX];
	size_t n = 0;

	if (domain.n) {
		n = put_clean(text, sizeof text, n, domain);
		n = put_clean(text, sizeof text, n, SPAN("\\"));
	}
	n = put_clean(text, sizeof text, n, account);
	free(l->claimed);
	l->claimed = n ? strndup(text, n) : NULL;
}

void
logon_explain(struct logon *l, const char *detail)
{
	char   text[DETAIL_MAX];
	size_t n = 0;

	if (l->claimed)
		n = put_clean(text, sizeof text, n, span_str(l->claimed));
	if (l->claimed && detail[0])
		n = put_clean(text, sizeof text, n, SPAN(": "));
	n = put_clean(text, sizeof text, n, span_str(detail));
	free(l->detail);
	l->detail = n ? strndup(text, n) : NULL;
}
