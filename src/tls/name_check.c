/* SPDX-License-Identifier: MIT */
#include "tls/name_check.h"

#include "parse/hostname.h"

#define LABEL_MAX 63u

static bool
byte_is_good(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

static bool
label_is_good(struct span label)
{
	if (label.n == 0 || label.n > LABEL_MAX || label.p[0] == '-' || label.p[label.n - 1] == '-')
		return false;
	for (size_t i = 0; i < label.n; i++)
		if (!byte_is_good(label.p[i]))
			return false;
	return true;
}

/* What a URL library would read as the end of an address: all digits, or 0x and hexadecimal ones. */
static bool
label_is_number(struct span label)
{
	bool   hex = label.n >= 2 && label.p[0] == '0' && label.p[1] == 'x';
	size_t i = hex ? 2 : 0;

	while (i < label.n && ((label.p[i] >= '0' && label.p[i] <= '9') || (hex && label.p[i] >= 'a' && label.p[i] <= 'f')))
		i++;
	return i == label.n;
}

bool
name_may_be_signed(struct span name)
{
	bool        wild = name.n > 2 && name.p[0] == '*' && name.p[1] == '.';
	struct span rest = wild ? span_of(name.p + 2, name.n - 2) : name;
	size_t      labels = 0;

	if (name.n == 0 || name.n > HOSTNAME_MAX)
		return false;
	for (;;) {
		const char *dot = rest.n ? memchr(rest.p, '.', rest.n) : NULL;
		struct span label = dot ? span_of(rest.p, (size_t)(dot - rest.p)) : rest;
		if (!label_is_good(label))
			return false;
		labels++;
		if (!dot)
			return !label_is_number(label) && (!wild || labels >= 2);
		rest = span_of(dot + 1, rest.n - label.n - 1);
	}
}
