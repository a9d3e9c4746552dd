/* SPDX-License-Identifier: MIT */
#include "policy/rule.h"

#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "parse/authority.h"

void
stretches_clear(struct stretches *s)
{
	free(s->v);
	*s = (struct stretches){0};
}

bool
stretches_add(struct stretches *s, struct stretch x)
{
	void *v = array_grow(s->v, s->n, &s->room, sizeof *s->v);

	if (!v)
		return false;
	s->v = v;
	s->v[s->n++] = x;
	return true;
}

/* Decimal digits at *at; moves *at past them. */
static bool
digits_read(struct span s, size_t *at, size_t most, uint32_t *out)
{
	size_t   from = *at;
	uint32_t n = 0;

	while (*at < s.n && *at - from < most && s.p[*at] >= '0' && s.p[*at] <= '9')
		n = n * 10 + (uint32_t)(s.p[(*at)++] - '0');
	*out = n;
	return *at > from;
}

bool
port_item_read(struct span item, uint32_t *first, uint32_t *last)
{
	size_t at = 0;

	if (!digits_read(item, &at, 5, first))
		return false;
	*last = *first;
	if (at < item.n && item.p[at] == '-') {
		at++;
		if (!digits_read(item, &at, 5, last))
			return false;
	}
	return at == item.n && *first >= 1 && *first <= *last && *last <= 65535;
}

bool
scheme_item_read(struct span item, uint32_t *scheme)
{
	if (span_eq_nocase(item, SPAN("http")))
		*scheme = SCHEME_HTTP;
	else if (span_eq_nocase(item, SPAN("https")))
		*scheme = SCHEME_HTTPS;
	else
		return false;
	return true;
}

bool
rule_needs_user(const struct conf_rule *r)
{
	if (r->auth != AUTH_DEFAULT)
		return r->auth == AUTH_REQUIRED;
	return r->action == ACTION_TUNNEL || r->action == ACTION_INSPECT;
}

bool
who_read(struct span text, struct who *who)
{
	const char *slash = text.n ? memchr(text.p, '\\', text.n) : NULL, *at = text.n && !slash ? memchr(text.p, '@', text.n) : NULL;
	struct span account = text, *part = slash ? &who->domain : &who->realm;

	if (slash)
		account = span_of(slash + 1, text.n - (size_t)(slash + 1 - text.p));
	else if (at)
		account = span_of(text.p, (size_t)(at - text.p));
	if (account.n == 0 || account.n > WHO_PART_MAX || text.n - account.n > WHO_PART_MAX + 1 || (who->account.n && !span_eq_nocase(who->account, account)))
		return false;
	who->account = account;
	if (slash)
		*part = span_of(text.p, (size_t)(slash - text.p));
	else if (at)
		*part = span_of(at + 1, text.n - (size_t)(at + 1 - text.p));
	return !(slash || at) || part->n > 0;
}

static bool
day_read(struct span s, uint32_t *day)
{
	static const char name[7][4] = {"mon", "tue", "wed", "thu", "fri", "sat", "sun"};

	for (uint32_t i = 0; i < 7; i++)
		if (span_eq_nocase(s, span_of(name[i], 3))) {
			*day = i;
			return true;
		}
	return false;
}

/* mon, mon-fri, sat-mon: one bit for each day. */
static bool
days_read(struct span s, uint32_t *days)
{
	uint32_t first, last;

	if (s.n == 3 && day_read(s, &first))
		last = first;
	else if (s.n != 7 || s.p[3] != '-' || !day_read(span_of(s.p, 3), &first) || !day_read(span_of(s.p + 4, 3), &last))
		return false;
	*days = 1u << first;
	while (first != last) {
		first = (first + 1) % 7;
		*days |= 1u << first;
	}
	return true;
}

/* 8:00, 08:00, 24:00: minutes of the day. */
static bool
clock_read(struct span s, size_t *at, uint32_t *minute)
{
	uint32_t h, m;
	size_t   from;

	if (!digits_read(s, at, 2, &h) || *at == s.n || s.p[*at] != ':')
		return false;
	from = ++*at;
	if (!digits_read(s, at, 2, &m) || *at - from != 2)
		return false;
	*minute = h * 60 + m;
	return m < 60 && *minute <= DAY_MINUTES;
}

static bool
range_read(struct span s, uint32_t *from, uint32_t *to)
{
	size_t at = 0;

	if (!clock_read(s, &at, from) || at == s.n || s.p[at++] != '-' || !clock_read(s, &at, to))
		return false;
	return at == s.n && *from != *to && *from < DAY_MINUTES;
}

bool
week_minute_read(struct span s, uint32_t *minute)
{
	uint32_t day, m;
	size_t   at = 4;

	if (s.n < 5 || s.p[3] != ' ' || !day_read(span_of(s.p, 3), &day) || !clock_read(s, &at, &m) || at != s.n || m == DAY_MINUTES)
		return false;
	*minute = day * DAY_MINUTES + m;
	return true;
}

/* Days that wait for their ranges. */
struct window {
	uint32_t          rule;
	uint32_t          days; /* 0: none open */
	bool              negated, ranged;
	struct stretches *out;
};

static bool
window_emit(struct window *w, uint32_t days, uint32_t from, uint32_t to, bool negated)
{
	uint32_t n = to > from ? to - from : to + DAY_MINUTES - from;

	for (uint32_t d = 0; d < 7; d++) {
		if (!(days >> d & 1))
			continue;
		struct stretch x = {w->rule, d * DAY_MINUTES + from, d * DAY_MINUTES + from + n - 1, negated};
		/* Sunday night goes on in Monday's small hours */
		if (x.last >= WEEK_MINUTES) {
			if (!stretches_add(w->out, (struct stretch){w->rule, 0, x.last - WEEK_MINUTES, negated}))
				return false;
			x.last = WEEK_MINUTES - 1;
		}
		if (!stretches_add(w->out, x))
			return false;
	}
	return true;
}

static bool
window_close(struct window *w)
{
	uint32_t days = w->ranged ? 0 : w->days;

	w->days = 0;
	w->ranged = false;
	return !days || window_emit(w, days, 0, DAY_MINUTES, w->negated);
}

static bool
window_take(struct window *w, struct span word, const struct conf_item *item, struct report *r)
{
	uint32_t days, from, to;

	if (days_read(word, &days)) {
		if ((w->ranged || w->negated != item->negated) && !window_close(w))
			return false;
		w->days |= days;
		w->negated = item->negated;
		return true;
	}
	if (!range_read(word, &from, &to)) {
		report_error(r, item->at, "`%.*s` is no time; say days and hours such as mon-fri 08:00-18:00, sat, 22:00-06:00 (or 00:00-24:00)",
		    SPAN_ARG(word));
		return true;
	}
	if (w->days && w->negated == item->negated) {
		w->ranged = true;
		return window_emit(w, w->days, from, to, item->negated);
	}
	return window_close(w) && window_emit(w, 0x7f, from, to, item->negated);
}

bool
times_read(const struct conf_items *items, uint32_t rule, struct stretches *out, struct report *r)
{
	struct window w = {.rule = rule, .out = out};

	for (size_t i = 0; i < items->n; i++) {
		const struct conf_item *item = &items->v[i];
		struct span             left = item->text;

		if (item->quoted && !window_close(&w))
			return false;
		while (left.n > 0) {
			size_t n = 0;
			while (n < left.n && !strchr(" \t,", left.p[n]))
				n++;
			if (n > 0 && !window_take(&w, span_of(left.p, n), item, r))
				return false;
			n += n < left.n;
			left = span_of(left.p + n, left.n - n);
		}
		if (item->quoted && !window_close(&w))
			return false;
	}
	return window_close(&w);
}
