/* SPDX-License-Identifier: MIT */
#include "auth/ldap_name.h"

static bool
is_dn(struct span template)
{
	const char *percent = template.n ? memchr(template.p, '%', template.n) : NULL;
	const char *equals = template.n ? memchr(template.p, '=', template.n) : NULL;

	return percent && equals && equals < percent;
}

/* Directories compare without regard to how many blanks there are (RFC 4518 2.6.1); rules of the policy do not. */
static const char *
user_fault(struct span user)
{
	if (user.n == 0)
		return "the name is empty";
	if (user.p[0] == ' ' || user.p[user.n - 1] == ' ')
		return "the name begins or ends with a blank";
	for (size_t i = 0; i < user.n; i++) {
		if ((unsigned char)user.p[i] < 0x20 || user.p[i] == 0x7f)
			return "there are control bytes in the name";
		if (i + 1 < user.n && user.p[i] == ' ' && user.p[i + 1] == ' ')
			return "there are two blanks in a row in the name";
	}
	return NULL;
}

struct text {
	char  *p;
	size_t n, room;
};

static bool
put(struct text *t, char c)
{
	if (t->n + 1 >= t->room)
		return false;
	t->p[t->n++] = c;
	return true;
}

/* RFC 4514 2.4. A # matters only at the beginning, and may be escaped anywhere. */
static bool
put_user(struct text *t, struct span user, bool dn)
{
	for (size_t i = 0; i < user.n; i++) {
		if (dn && strchr("\"#+,;<=>\\", user.p[i]) && !put(t, '\\'))
			return false;
		if (!put(t, user.p[i]))
			return false;
	}
	return true;
}

bool
ldap_name_make(struct span template, struct span user, char *out, size_t room, const char **why)
{
	struct text t = {out, 0, room};
	bool        dn = is_dn(template), ok = true;

	*why = user_fault(user);
	if (*why)
		return false;
	for (size_t i = 0; ok && i < template.n; i++) {
		if (template.p[i] == '%' && i + 1 < template.n && template.p[i + 1] == 'u') {
			ok = put_user(&t, user, dn);
			i++;
		} else {
			ok = put(&t, template.p[i]);
		}
	}
	if (ok && t.n < room)
		out[t.n] = '\0';
	else
		*why = "the name is too long";
	return ok;
}
