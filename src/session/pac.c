/* SPDX-License-Identifier: MIT */
/*
 * pac: /proxy.pac and /wpad.dat, for clients that ask an explicit listener as if it were a web server. Nobody is asked who they are: what it says is for all.
 * Leaves what it says to policy/pac.
 */
#include <stdio.h>

#include "policy/pac.h"
#include "session/compose.h"
#include "session/session.h"

static bool
is_path(struct span target, const char *path)
{
	const char *query = memchr(target.p, '?', target.n);

	/* some clients add one against caches */
	return span_eq(span_of(target.p, query ? (size_t)(query - target.p) : target.n), span_str(path));
}

static bool
is_asked(const struct session *s)
{
	const struct request           *r = s->req;
	const struct settings          *set = r->snap->set;
	const struct snapshot_listener *l = snapshot_at(r->snap, set->listeners.off);

	if (!set->pac.n || s->inside || r->listener >= set->listeners.n || l[r->listener].mode != LISTENER_EXPLICIT)
		return false;
	if (r->head.method_id != METHOD_GET && r->head.method_id != METHOD_HEAD)
		return false;
	return is_path(r->head.target, "/proxy.pac") || is_path(r->head.target, "/wpad.dat");
}

/* RFC 9110 13.1.2: one of the tags, weak ones too, or any. */
static bool
has_tag(const struct head *h, struct span tag)
{
	struct field f;
	size_t       at = 0, in_list;
	struct span  item;

	while (head_field_next(h, &at, &f)) {
		if (!span_eq_nocase(f.name, SPAN("if-none-match")))
			continue;
		for (in_list = 0; field_list_next(f.value, &in_list, &item);) {
			if (item.n > 2 && item.p[0] == 'W' && item.p[1] == '/')
				item = span_of(item.p + 2, item.n - 2);
			if (span_eq(item, tag) || span_eq(item, SPAN("*")))
				return true;
		}
	}
	return false;
}

/* For the log: where the client thinks it is. */
static void
note_target(struct request *r)
{
	if (!r->head.host.n || !authority_parse(r->head.host, &r->at))
		return;
	if (!r->at.port)
		r->at.port = 80;
	r->url = (struct target){.scheme = SCHEME_HTTP, .path = r->head.target};
	r->has_target = true;
}

bool
pac_serve(struct session *s)
{
	struct request        *r = s->req;
	const struct snapshot *snap = r->snap;
	struct compose         o = {.p = s->gw->compose, .room = s->gw->compose_size};
	struct span            text = snapshot_text(snap, snap->set->pac), tag = snapshot_text(snap, snap->set->pac_tag);
	char                   line[160];
	bool                   known;

	if (!is_asked(s))
		return false;
	known = has_tag(&r->head, tag);
	note_target(r);
	put(&o, known ? SPAN("HTTP/1.1 304 Not Modified\r\n") : SPAN("HTTP/1.1 200 OK\r\n"));
	put(&o, gateway_date(s->gw));
	put(&o, SPAN("ETag: "));
	put(&o, tag);
	put(&o, span_of(line, (size_t)snprintf(line, sizeof line, "\r\nCache-Control: max-age=%llu\r\n", (unsigned long long)snap->set->pac_max_age_s)));
	if (!known)
		put(&o, span_of(line, (size_t)snprintf(line, sizeof line,
		    "Content-Type: " PAC_TYPE "\r\nContent-Length: %zu\r\nX-Content-Type-Options: nosniff\r\n", text.n)));
	reply_own(s, known ? 304 : 200, &o, known || r->head.method_id == METHOD_HEAD ? SPAN("") : text);
	return true;
}
