/* SPDX-License-Identifier: MIT */
/*
 * expect: what a scene says must have come out.
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#include "audit/words.h"
#include "play.h"
#include "session/session.h"

/* --- errands --- */

static void
expect_errand(struct play *p, const struct step *l)
{
	char        want[1024] = "";
	size_t      n = 0;
	struct span left = bytes_left(&fake.errands);
	const char *end = left.n ? memchr(left.p, '\n', left.n) : NULL;

	for (unsigned i = 1; i < l->n; i++)
		n += (size_t)snprintf(want + n, sizeof want - n, "%s%s", i > 1 ? " " : "", l->word[i].s.p);
	if (!end) {
		play_fail(p, "nothing more was asked of the net");
		return;
	}
	if (!span_eq(span_of(left.p, (size_t)(end - left.p)), span_str(want)))
		play_fail(p, "the net was asked: %.*s", (int)(end - left.p), left.p);
	fake.errands.at += (size_t)(end - left.p) + 1;
}

/* --- records --- */

static const char *
ms_text(uint32_t ms, char *buf, size_t n)
{
	if (ms == MS_NONE)
		return "-";
	snprintf(buf, n, "%u", ms);
	return buf;
}

static const char *
number_text(uint64_t v, char *buf, size_t n)
{
	snprintf(buf, n, "%llu", (unsigned long long)v);
	return buf;
}

/* Blanks, which would end a word of the script, show as '_'. */
static const char *
text_of(struct span s, char *buf, size_t n)
{
	snprintf(buf, n, "%.*s", SPAN_ARG(s));
	for (char *p = buf; (p = strchr(p, ' '));)
		*p = '_';
	return s.n ? buf : "-";
}

static const char *
or_dash(const char *s)
{
	return s ? s : "-";
}

static const struct {
	const char      *key;
	enum record_text text;
} texts[] = {{"method", RT_METHOD}, {"host", RT_HOST}, {"url", RT_URL}, {"listener", RT_LISTENER}, {"rule", RT_RULE}, {"parent", RT_PARENT}, {"reported", RT_REPORTED},
    {"agent", RT_USER_AGENT}, {"type", RT_CONTENT_TYPE}, {"sni", RT_SNI}, {"alpn", RT_ALPN}, {"entry", RT_LIST_ENTRY}, {"user", RT_USER}, {"groups", RT_GROUPS}, {"detail", RT_AUTH_DETAIL},
    {"tls-client", RT_TLS_CLIENT}, {"tls-origin", RT_TLS_ORIGIN}, {"issuer", RT_ORIGIN_ISSUER}, {"tls-detail", RT_TLS_DETAIL}};

/* One value of a record as a scene writes it; null: there is no such key. */
static const char *
record_value(const struct record *r, const struct span text[RT_COUNT], const char *key, char *buf, size_t n)
{
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
		if (strcmp(key, texts[i].key) == 0)
			return text_of(text[texts[i].text], buf, n);
	if (strcmp(key, "fault") == 0)
		return fault_row((enum fault)r->fault)->word;
	if (strcmp(key, "status") == 0)
		return number_text(r->status, buf, n);
	if (strcmp(key, "result") == 0)
		return words_result(r);
	if (strcmp(key, "action") == 0)
		return or_dash(words_action(r));
	if (strcmp(key, "guard") == 0)
		return or_dash(words_guard(r));
	if (strcmp(key, "hier") == 0)
		return words_hier(r);
	if (strcmp(key, "in") == 0)
		return number_text(r->bytes_in, buf, n);
	if (strcmp(key, "out") == 0)
		return number_text(r->bytes_out, buf, n);
	if (strcmp(key, "ms") == 0)
		return number_text(r->duration_us / 1000, buf, n);
	if (strcmp(key, "resolve") == 0)
		return ms_text(r->resolve_ms, buf, n);
	if (strcmp(key, "connect") == 0)
		return ms_text(r->connect_ms, buf, n);
	if (strcmp(key, "first") == 0)
		return ms_text(r->first_byte_ms, buf, n);
	if (strcmp(key, "auth") == 0)
		return ms_text(r->auth_ms, buf, n);
	if (strcmp(key, "queue") == 0)
		return ms_text(r->queue_ms, buf, n);
	if (strcmp(key, "way") == 0)
		return or_dash(words_auth_way(r));
	if (strcmp(key, "ech") == 0)
		return r->ech ? "yes" : "no";
	if (strcmp(key, "inner") == 0)
		return r->is_inner ? "yes" : "no";
	if (strcmp(key, "session") == 0)
		return number_text(r->session, buf, n);
	if (strcmp(key, "tunnel") == 0)
		return r->is_tunnel ? "yes" : "no";
	if (strcmp(key, "address") == 0 || strcmp(key, "client") == 0) {
		const struct addr *a = key[0] == 'a' ? &r->address : &r->client.addr;
		if (key[0] == 'a' && !r->has_address)
			return "-";
		addr_print(a, buf);
		return buf;
	}
	return NULL;
}

static void
expect_record(struct play *p, const struct step *l, unsigned at)
{
	struct fake_record *f = TAILQ_FIRST(&fake.records);
	struct record       r;
	struct span         text[RT_COUNT];
	char                buf[RECORD_TEXT_MAX + 1], key[32];

	if (!f || !record_read(f->bytes, f->n, &r, text)) {
		play_fail(p, f ? "the record cannot be read" : "there is no record");
		return;
	}
	for (; at < l->n; at++) {
		const char *word = l->word[at].s.p, *eq = strchr(word, '='), *got;
		if (!eq || (size_t)(eq - word) >= sizeof key) {
			play_fail(p, "`%s` is not KEY=VALUE", word);
			break;
		}
		snprintf(key, sizeof key, "%.*s", (int)(eq - word), word);
		got = record_value(&r, text, key, buf, sizeof buf);
		if (!got || strcmp(got, eq + 1) != 0)
			play_fail(p, "%s=%s, not %s", key, got ? got : "(there is no such key)", eq + 1);
	}
	TAILQ_REMOVE(&fake.records, f, link);
	free(f);
}

/* --- sockets --- */

/* What bytes are, for people. */
static void
show(struct span s, char *buf, size_t n)
{
	size_t at = 0;

	for (size_t i = 0; i < s.n && at + 8 < n; i++) {
		unsigned char c = (unsigned char)s.p[i];
		if (c == '\r' || c == '\n')
			at += (size_t)snprintf(buf + at, n - at, "\\%c", c == '\r' ? 'r' : 'n');
		else
			at += (size_t)snprintf(buf + at, n - at, isprint(c) ? "%c" : "\\x%02x", c);
	}
	buf[at] = '\0';
}

/* How much of `got` is `want`, a Date that `want` does not name passed over (the gateway adds one to answers that have none). *same: bytes of both that
 * are alike. 0: not all of it. */
static size_t
match_bytes(struct span got, struct span want, size_t *same)
{
	size_t g = 0, w = 0;

	for (; w < want.n; g++, w++) {
		if (g > 1 && got.p[g - 1] == '\n' && got.n - g > 6 && memcmp(got.p + g, "Date: ", 6) == 0 && (want.n - w < 6 || memcmp(want.p + w, "Date: ", 6) != 0))
			g = (size_t)((const char *)memchr(got.p + g, '\n', got.n - g) + 1 - got.p);
		if (g >= got.n || got.p[g] != want.p[w])
			break;
	}
	*same = w;
	return w == want.n ? g : 0;
}

static void
expect_bytes(struct play *p, struct fake_sock *s, const struct step *l, unsigned at)
{
	struct bytes want = {0};
	struct span  got = bytes_left(&s->out), w;
	const char  *why = step_bytes(l, at, &want, NULL);
	char         text[2][400];
	size_t       same = 0, used;

	w = bytes_left(&want);
	used = match_bytes(got, w, &same);
	if (why) {
		play_fail(p, "%s", why);
	} else if (w.n && !used) {
		show(span_of(got.p + (same < got.n ? same : got.n), got.n - (same < got.n ? same : got.n)), text[0], sizeof text[0]);
		show(span_of(w.p + same, w.n - same), text[1], sizeof text[1]);
		play_fail(p, "%s got %zu bytes; after %zu as expected\n    got:      %s\n    expected: %s", s->name, got.n, same, text[0], text[1]);
		used = got.n;
	}
	s->out.at += used;
	free(want.p);
}

/* Length of the message at the start; 0: none. */
static size_t
message_size(struct span s, bool with_content)
{
	const char *end = s.n ? memmem(s.p, s.n, "\r\n\r\n", 4) : NULL, *length;
	size_t      head = end ? (size_t)(end - s.p) + 4 : 0, n = 0;

	if (head && with_content && (length = memmem(s.p, head, "Content-Length: ", 16)))
		n = strtoul(length + 16, NULL, 10);
	return head + n <= s.n ? head + n : 0;
}

/* [N times] STATUS [without content] [with "text" ...] */
static void
expect_answer(struct play *p, struct fake_sock *s, const struct step *l, unsigned at)
{
	unsigned long times = 1;
	char          start[32], text[400];
	bool          content = true;

	if (strcmp(step_word(l, at + 1), "times") == 0) {
		times = strtoul(step_word(l, at), NULL, 10);
		at += 2;
	}
	snprintf(start, sizeof start, "HTTP/1.1 %s ", step_word(l, at++));
	if (strcmp(step_word(l, at), "without") == 0) {
		content = false;
		at += 2;
	}
	for (unsigned long i = 0; i < times; i++) {
		struct span got = bytes_left(&s->out), m = span_of(got.p, message_size(got, content));
		if (!m.n || strncmp(m.p, start, strlen(start)) != 0) {
			show(got, text, sizeof text);
			play_fail(p, "%s got %s", s->name, got.n ? text : "nothing");
			return;
		}
		for (unsigned k = at + 1; k < l->n; k++)
			if (!memmem(m.p, m.n, l->word[k].s.p, l->word[k].s.n)) {
				show(m, text, sizeof text);
				play_fail(p, "no \"%s\" in %s", l->word[k].s.p, text);
			}
		s->out.at += m.n;
	}
}

static void
expect_state(struct play *p, const struct fake_sock *s, const char *want)
{
	const struct session *o;
	const char           *is = "without a session";

	TAILQ_FOREACH (o, &p->gw.sessions, link)
		if (o->client.fd == s->fd)
			is = state_name(o->state);
	if (strcmp(is, want) != 0)
		play_fail(p, "%s is %s", s->name, is);
}

static void
expect_sock(struct play *p, struct fake_sock *s, const struct step *l)
{
	const char *verb = step_word(l, 2), *what = step_word(l, 3), *is;
	char        text[400];

	if (strcmp(verb, "gets") == 0) {
		if (strcmp(what, "nothing") == 0) {
			show(bytes_left(&s->out), text, sizeof text);
			if (bytes_left(&s->out).n)
				play_fail(p, "%s got %s", s->name, text);
		} else if (strcmp(step_word(l, 4), "bytes") == 0) { /* whichever they are */
			if (bytes_left(&s->out).n != strtoul(what, NULL, 10))
				play_fail(p, "%s got %zu bytes", s->name, bytes_left(&s->out).n);
			s->out.at = s->out.n;
		} else if (isdigit((unsigned char)what[0])) {
			expect_answer(p, s, l, 3);
		} else {
			expect_bytes(p, s, l, 3);
		}
	} else if (strcmp(verb, "in") == 0) {
		expect_state(p, s, what);
	} else if (strcmp(verb, "is") == 0 && strcmp(what, "unread") == 0) {
		if (s->n_read)
			play_fail(p, "%llu bytes of %s were read", (unsigned long long)s->n_read, s->name);
	} else if (strcmp(verb, "has") == 0 && strcmp(what, "more") == 0) { /* than was read of it */
		if (!bytes_left(&s->in).n)
			play_fail(p, "all of %s was read", s->name);
	} else if (strcmp(verb, "has") == 0 && strcmp(what, "keepalive") == 0) {
		if (!s->keepalive)
			play_fail(p, "%s has not", s->name);
	} else if (strcmp(verb, "is") == 0) {
		is = !s->accepted ? "waiting" : s->connecting && !s->closed ? "connecting" : s->reset ? "reset" : s->closed ? "closed" : s->ended ? "ended" : "open";
		if (strcmp(is, what) != 0)
			play_fail(p, "%s is %s", s->name, is);
	} else {
		play_fail(p, "a socket gets, is or has something, or is in a state");
	}
}

/* --- numbers --- */

static void
expect_number(struct play *p, uint64_t want, const char *what)
{
	const struct worker_counters *c = p->gw.count;
	const struct {
		const char *name;
		uint64_t    v;
	} number[] = {{"sessions", p->gw.n_sessions}, {"pooled", p->gw.origins.n}, {"accepted", c->accepted}, {"refused-unread", c->refused_unread},
	    {"refused-limit", c->refused_limit}, {"queued", c->queued}, {"queued-total", c->queued_total}, {"queue-timeouts", c->queue_timeouts}, {"throttled-ms", c->throttled_us / 1000},
	    {"pauses", c->accept_pauses}, {"tunnels", c->tunnels}, {"guard-closed", c->guard_closed},
	    {"guard-reported", c->guard_reported}, {"denied", c->by_action[ACTION_DENY]}, {"bypassed", c->by_action[ACTION_BYPASS]},
	    {"tunnelled", c->by_action[ACTION_TUNNEL]}, {"drained", p->n_drained}, {"inspected", c->inspected}, {"remembered", c->origins_remembered}, {"asked", c->auth_asked}, {"cached", c->auth_cached}};

	for (size_t i = 0; i < sizeof number / sizeof *number; i++)
		if (strcmp(what, number[i].name) == 0) {
			if (number[i].v != want)
				play_fail(p, "%llu %s", (unsigned long long)number[i].v, what);
			return;
		}
	play_fail(p, "`%s` is not counted", what);
}

void
play_expect(struct play *p, const struct step *l)
{
	const char       *what = step_word(l, 1);
	struct fake_sock *s = fake_find(what);
	char             *end;
	unsigned long     n = strtoul(what, &end, 10);

	if (strcmp(what, "lookup") == 0 || strcmp(what, "dial") == 0 || strcmp(what, "ask") == 0 ||
	    strcmp(what, "leaf") == 0 || strcmp(what, "fetch") == 0 || strcmp(what, "signer") == 0)
		expect_errand(p, l);
	else if (strcmp(what, "record") == 0)
		expect_record(p, l, 2);
	else if (*what && !*end && strcmp(step_word(l, 2), "records") == 0)
		while (n-- && !p->failed)
			expect_record(p, l, 3);
	else if (*what && !*end)
		expect_number(p, n, step_word(l, 2));
	else if (strcmp(what, "no") == 0 && strcmp(step_word(l, 2), "record") == 0) {
		if (!TAILQ_EMPTY(&fake.records))
			play_fail(p, "there is a record");
	} else if (strcmp(what, "no") == 0 && strcmp(step_word(l, 2), "errand") == 0) {
		if (bytes_left(&fake.errands).n)
			play_fail(p, "the net was asked: %.*s", (int)bytes_left(&fake.errands).n - 1, bytes_left(&fake.errands).p);
	} else if (s)
		expect_sock(p, s, l);
	else
		play_fail(p, "`%s` is nothing that can be expected", what);
}
