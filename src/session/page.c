/* SPDX-License-Identifier: MIT */
#include "session/page.h"

#include <string.h>

static const char *const names[PAGE_FIELDS] = {"status", "phrase", "sentence", "detail", "rule", "reason", "target", "id", "contact", "gateway", "action"};

#define PAGE_TOP \
	"<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">" \
	"<title>{{status}} {{phrase}}</title>\n<style>body{font:16px/1.5 sans-serif;max-width:40em;margin:3em auto;padding:0 1em}" \
	"dt{color:#666}dd{margin:0 0 .6em;overflow-wrap:anywhere}@media(prefers-color-scheme:dark){body{background:#111;color:#ddd}}</style></head>\n" \
	"<body><h1>{{status}} {{phrase}}</h1>\n<p>{{sentence}}</p>\n"
#define PAGE_LIST \
	"<dl><dt>Detail</dt><dd>{{detail}}</dd>\n<dt>Address</dt><dd>{{target}}</dd>\n<dt>Rule</dt><dd>{{rule}}</dd>\n" \
	"<dt>Reason</dt><dd>{{reason}}</dd>\n<dt>Request id</dt><dd>{{id}}</dd>\n<dt>Contact</dt><dd>{{contact}}</dd>\n" \
	"<dt>Gateway</dt><dd>{{gateway}}</dd></dl>"

static const char builtin[] = PAGE_TOP PAGE_LIST "</body></html>\n";
static const char warning[] = PAGE_TOP
    "<p>Somebody may be reading and changing what passes between you and this server. Nothing has been sent to it yet. Go on only if you know why its "
    "certificate is as it is.</p>\n" PAGE_LIST "\n<form method=\"post\" action=\"{{action}}\"><button>Go on for ten minutes all the same</button></form></body></html>\n";

const char *
status_phrase(unsigned status)
{
	switch (status) {
	case 200:
		return "OK";
	case 302:
		return "Found";
	case 303:
		return "See Other";
	case 307:
		return "Temporary Redirect";
	case 400:
		return "Bad Request";
	case 403:
		return "Forbidden";
	case 407:
		return "Proxy Authentication Required";
	case 408:
		return "Request Timeout";
	case 413:
		return "Content Too Large";
	case 414:
		return "URI Too Long";
	case 417:
		return "Expectation Failed";
	case 421:
		return "Misdirected Request";
	case 429:
		return "Too Many Requests";
	case 431:
		return "Request Header Fields Too Large";
	case 500:
		return "Internal Server Error";
	case 501:
		return "Not Implemented";
	case 502:
		return "Bad Gateway";
	case 503:
		return "Service Unavailable";
	case 504:
		return "Gateway Timeout";
	case 505:
		return "HTTP Version Not Supported";
	case 508:
		return "Loop Detected";
	default:
		return "Error";
	}
}

struct out {
	char  *p;
	size_t n, room;
};

static void
put(struct out *o, struct span s)
{
	size_t n = s.n < o->room - o->n ? s.n : o->room - o->n;

	if (n)
		memcpy(o->p + o->n, s.p, n);
	o->n += n;
}

static void
put_escaped(struct out *o, struct span s)
{
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];
		switch (c) {
		case '<':
			put(o, SPAN("&lt;"));
			break;
		case '>':
			put(o, SPAN("&gt;"));
			break;
		case '&':
			put(o, SPAN("&amp;"));
			break;
		case '"':
			put(o, SPAN("&quot;"));
			break;
		case '\'':
			put(o, SPAN("&#39;"));
			break;
		default:
			put(o, c < 0x20 || c == 0x7f ? SPAN("?") : span_of(s.p + i, 1));
		}
	}
}

static struct span
template_for(const struct snapshot *snap, unsigned status)
{
	struct span found = SPAN(builtin);

	if (!snap)
		return found;
	const struct snapshot_page *page = snapshot_at(snap, snap->set->pages.off);
	for (uint32_t i = 0; i < snap->set->pages.n; i++) {
		if (page[i].status == status)
			return snapshot_text(snap, page[i].html);
		if (page[i].status == 0)
			found = snapshot_text(snap, page[i].html);
	}
	return found;
}

/* The field that stands at the front of s as {{name}}, and how long that is; PAGE_FIELDS: none. */
static enum page_field
field_at(struct span s, size_t *used)
{
	for (unsigned i = 0; i < PAGE_FIELDS; i++) {
		size_t n = strlen(names[i]);
		if (s.n >= n + 4 && memcmp(s.p + 2, names[i], n) == 0 && memcmp(s.p + 2 + n, "}}", 2) == 0) {
			*used = n + 4;
			return (enum page_field)i;
		}
	}
	return PAGE_FIELDS;
}

static size_t
fill(struct span t, const struct span field[PAGE_FIELDS], char *p, size_t room)
{
	struct out o = {.p = p, .room = room};

	while (t.n) {
		const char     *mark = memmem(t.p, t.n, "{{", 2);
		size_t          plain = mark ? (size_t)(mark - t.p) : t.n, used = 2;
		enum page_field f;

		put(&o, span_of(t.p, plain));
		t = span_of(t.p + plain, t.n - plain);
		if (!mark)
			break;
		f = field_at(t, &used);
		if (f == PAGE_FIELDS)
			put(&o, span_of(t.p, used));
		else
			put_escaped(&o, field[f].n ? field[f] : SPAN("-"));
		t = span_of(t.p + used, t.n - used);
	}
	return o.n;
}

size_t
page_render(const struct snapshot *snap, unsigned status, const struct span field[PAGE_FIELDS], char *p, size_t room)
{
	return fill(template_for(snap, status), field, p, room);
}

size_t
page_render_warning(const struct span field[PAGE_FIELDS], char *p, size_t room)
{
	return fill(SPAN(warning), field, p, room);
}
