/* SPDX-License-Identifier: MIT */
/* m365: the JSON, by jansson, and which of its parts are of the shape that Microsoft documents. Entries are made in m365_items.c. */
#include "import/m365.h"

#include <stdlib.h>
#include <string.h>

#include "import/m365_inside.h"

const char *
m365_category_word(enum m365_category c)
{
	static const char *const word[M365_CATEGORIES] = {"Optimize", "Allow", "Default"};

	return word[c];
}

bool
m365_category_read(struct span word, enum m365_category *out)
{
	for (unsigned c = 0; c < M365_CATEGORIES; c++)
		if (span_eq_nocase(word, span_str(m365_category_word((enum m365_category)c)))) {
			*out = (enum m365_category)c;
			return true;
		}
	return false;
}

/* Brackets outside strings; jansson would go much deeper. */
static bool
is_flat(struct span s)
{
	unsigned depth = 0;
	bool     quoted = false;

	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];
		if (quoted && c == '\\')
			i++;
		else if (c == '"')
			quoted = !quoted;
		else if (!quoted && (c == '[' || c == '{') && ++depth > M365_DEPTH_MAX)
			return false;
		else if (!quoted && (c == ']' || c == '}') && depth)
			depth--;
	}
	return true;
}

static json_t *
json_read(struct span s, char why[M365_WHY])
{
	json_error_t e;
	json_t      *j;

	if (s.n > M365_BYTES_MAX || !is_flat(s)) {
		snprintf(why, M365_WHY, s.n > M365_BYTES_MAX ? "it is larger than 16 MB; is this the list of endpoints?" : "it is nested deeper than any list of endpoints");
		return NULL;
	}
	s = span_unmarked(s);
	j = json_loadb(s.p, s.n, JSON_REJECT_DUPLICATES, &e);
	if (!j && s.n >= 2 && (memcmp(s.p, "\xff\xfe", 2) == 0 || memcmp(s.p, "\xfe\xff", 2) == 0))
		snprintf(why, M365_WHY, "it is UTF-16, as PowerShell's > writes; save it as UTF-8");
	else if (!j)
		snprintf(why, M365_WHY, "line %d: no valid JSON: %.120s", e.line, e.text);
	return j;
}

/* --- the shape of one endpoint --- */

static bool
wrong(char why[M365_WHY], size_t at, const char *key, const char *want)
{
	snprintf(why, M365_WHY, "endpoint %zu of the file: %s is not %s, as Microsoft documents it", at + 1, key, want);
	return false;
}

static bool
text_judge(const json_t *o, const char *key, bool needed, size_t at, char why[M365_WHY])
{
	const json_t *v = json_object_get(o, key);

	if (json_is_string(v) || (!needed && (!v || json_is_null(v))))
		return true;
	return wrong(why, at, key, "a text");
}

static bool
texts_judge(const json_t *o, const char *key, size_t at, char why[M365_WHY])
{
	const json_t *v = json_object_get(o, key), *one;
	size_t        i;

	if (!v || json_is_null(v))
		return true;
	if (!json_is_array(v))
		return wrong(why, at, key, "an array of texts");
	json_array_foreach (v, i, one)
		if (!json_is_string(one))
			return wrong(why, at, key, "an array of texts");
	return true;
}

static bool
endpoint_judge(const json_t *o, size_t at, char why[M365_WHY])
{
	enum m365_category c;

	if (!json_is_object(o))
		return wrong(why, at, "it", "an object");
	if (!json_is_integer(json_object_get(o, "id")))
		return wrong(why, at, "id", "a number");
	if (!text_judge(o, "serviceArea", true, at, why) || !text_judge(o, "serviceAreaDisplayName", false, at, why) || !text_judge(o, "category", true, at, why) ||
	    !text_judge(o, "tcpPorts", false, at, why) || !text_judge(o, "udpPorts", false, at, why) || !text_judge(o, "notes", false, at, why) ||
	    !texts_judge(o, "urls", at, why) || !texts_judge(o, "ips", at, why))
		return false;
	if (!m365_category_read(span_str(json_string_value(json_object_get(o, "category"))), &c))
		return wrong(why, at, "category", "Optimize, Allow or Default");
	if (!json_is_boolean(json_object_get(o, "required")))
		return wrong(why, at, "required", "true or false");
	return true;
}

struct m365 *
m365_new(struct span text, char why[M365_WHY])
{
	json_t      *json = json_read(text, why), *one;
	struct m365 *m;
	size_t       i;

	if (!json)
		return NULL;
	if (!json_is_array(json) || json_array_size(json) == 0) {
		snprintf(why, M365_WHY, "it is no list of endpoints; want what https://endpoints.office.com/endpoints/worldwide?clientrequestid=GUID answers");
		json_decref(json);
		return NULL;
	}
	json_array_foreach (json, i, one)
		if (!endpoint_judge(one, i, why)) {
			json_decref(json);
			return NULL;
		}
	m = calloc(1, sizeof *m);
	if (m)
		m->json = json;
	else
		json_decref(json);
	if (!m)
		snprintf(why, M365_WHY, "out of memory");
	return m;
}

void
m365_free(struct m365 *m)
{
	if (m)
		json_decref(m->json);
	free(m);
}

static int
text_compare(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

size_t
m365_areas(const struct m365 *m, const char *out[M365_AREAS])
{
	size_t  i, n = 0;
	json_t *one;

	json_array_foreach (m->json, i, one) {
		const char *area = json_string_value(json_object_get(one, "serviceArea"));
		size_t      k = 0;
		while (k < n && strcmp(out[k], area) != 0)
			k++;
		if (k == n && n < M365_AREAS)
			out[n++] = area;
	}
	if (n)
		qsort(out, n, sizeof *out, text_compare);
	return n;
}

/* --- the version --- */

static bool
version_of(const json_t *o, char version[32])
{
	const char *latest = json_string_value(json_object_get(o, "latest"));

	if (!latest || !*latest || strlen(latest) > 31 || strspn(latest, "0123456789") != strlen(latest))
		return false;
	strcpy(version, latest);
	return true;
}

bool
m365_version(struct span text, struct span instance, char version[32], char why[M365_WHY])
{
	json_t       *json = json_read(text, why);
	const json_t *found = json_is_object(json) ? json : NULL, *one;
	size_t        i;
	bool          ok;

	if (!json)
		return false;
	json_array_foreach (json, i, one) {
		const char *name = json_string_value(json_object_get(one, "instance"));
		if (name && span_eq_nocase(span_str(name), instance.n ? instance : SPAN("Worldwide")))
			found = one;
	}
	ok = found && version_of(found, version);
	if (!ok)
		snprintf(why, M365_WHY, "it names no latest version; want what https://endpoints.office.com/version?clientrequestid=GUID answers");
	json_decref(json);
	return ok;
}
