/* SPDX-License-Identifier: MIT */
#include "conf/key_uri.h"

#include <stdio.h>
#include <stdlib.h>

struct span
key_uri_name(const char *uri)
{
	return span_of(uri, strcspn(uri, "?"));
}

static int
digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The path that this stands for, absolute. Null with why. */
static char *
path_decode(const char *name, struct span from, char why[KEY_URI_WHY])
{
	char  *path = malloc(from.n + 1);
	size_t n = 0;

	if (!path) {
		snprintf(why, KEY_URI_WHY, "out of memory");
		return NULL;
	}
	for (size_t i = 0; i < from.n; i++) {
		int high = from.p[i] == '%' && i + 2 < from.n ? digit(from.p[i + 1]) : -1, low = high >= 0 ? digit(from.p[i + 2]) : -1;
		path[n] = low >= 0 ? (char)(high << 4 | low) : from.p[i];
		if ((from.p[i] == '%' && low < 0) || !path[n])
			break;
		i += low >= 0 ? 2 : 0;
		n++;
		if (i + 1 == from.n && path[0] == '/') {
			path[n] = '\0';
			return path;
		}
	}
	free(path);
	snprintf(why, KEY_URI_WHY, "its %s names no file; want %s/..., the whole path, and %%XX for characters that a URI may not hold", name,
	    strcmp(name, "pin-source") == 0 ? "pin-source=file:" : "module-path=");
	return NULL;
}

static bool
is_named(struct span attribute, const char *name, struct span *value)
{
	size_t n = strlen(name);

	if (attribute.n <= n || memcmp(attribute.p, name, n) != 0 || attribute.p[n] != '=')
		return false;
	*value = span_of(attribute.p + n + 1, attribute.n - n - 1);
	return true;
}

static bool
query_read(struct span attribute, struct key_uri *out, char why[KEY_URI_WHY])
{
	struct span value;

	if (is_named(attribute, "pin-source", &value) && !out->pin_file) {
		if (value.n > 5 && memcmp(value.p, "file:", 5) == 0)
			value = span_of(value.p + 5, value.n - 5);
		else
			value.n = 0;
		if (value.n > 2 && memcmp(value.p, "///", 3) == 0)
			value = span_of(value.p + 2, value.n - 2);
		return (out->pin_file = path_decode("pin-source", value, why));
	}
	if (is_named(attribute, "module-path", &value) && !out->module)
		return (out->module = path_decode("module-path", value, why));
	snprintf(why, KEY_URI_WHY, "behind its ? it may say pin-source=file:/... and module-path=/..., each once, with & between them, and nothing else");
	return false;
}

/* The next piece, and the rest. */
static struct span
piece(const char **at, const char *end, char separator)
{
	const char *p = *at, *to = memchr(p, separator, (size_t)(end - p));

	if (!to)
		to = end;
	*at = to < end ? to + 1 : end;
	return span_of(p, (size_t)(to - p));
}

bool
key_uri_read(const char *uri, struct key_uri *out, char why[KEY_URI_WHY])
{
	struct span name = key_uri_name(uri), value;
	const char *at = name.p + 7, *end = name.p + name.n;
	bool        ok = true;

	*out = (struct key_uri){0};
	if (strstr(uri, "pin-value")) {
		snprintf(why, KEY_URI_WHY, "it holds a PIN (pin-value), which everybody may read who reads this file; put it in a file of mode 0600 and say ?pin-source=file:/...");
		return false;
	}
	if (at == end) {
		snprintf(why, KEY_URI_WHY, "it names no key; want pkcs11:token=...;object=...");
		return false;
	}
	while (ok && at < end) {
		struct span a = piece(&at, end, ';');
		if (!is_named(a, "pin-source", &value) && !is_named(a, "module-path", &value) && memchr(a.p, '=', a.n))
			continue;
		snprintf(why, KEY_URI_WHY, "want NAME=VALUE with ; between them, as in pkcs11:token=...;object=..., and pin-source and module-path behind a ?");
		ok = false;
	}
	at = *end == '?' ? end + 1 : end;
	end = at + strlen(at);
	while (ok && at < end)
		ok = query_read(piece(&at, end, '&'), out, why);
	if (ok)
		return true;
	free(out->pin_file);
	free(out->module);
	*out = (struct key_uri){0};
	return false;
}
