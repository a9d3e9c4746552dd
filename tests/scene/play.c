/* SPDX-License-Identifier: MIT */
/*
 * play: what the people and machines around the gateway do, line by line; and what must hold at the end of every scene.
 */
#include "play.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "auth/desk.h"
#include "base/clock.h"
#include "conf/load.h"
#include "fake_desk.h"
#include "fake_tls.h"
#include "session/consent.h"
#include "session/inside.h"
#include "session/session.h"

#define STACK_MOST (192u << 10) /* bytes between the loop and the deepest call: no recursion over requests */
#define CLIENT     "10.0.0.1"
#define SELF       "20.42.0.250" /* an address of the gateway itself, port 443 */

void
play_fail(struct play *p, const char *fmt, ...)
{
	va_list ap;

	if (p->troubled)
		return;
	p->failed = true;
	fprintf(stderr, "%s:%u: %s: ", p->file, p->line, p->title);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
}

bool
clock_read(const char *s, uint64_t *ms)
{
	static const struct {
		const char *unit;
		uint64_t    ms;
	} units[] = {{"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}};
	char    *end;
	uint64_t n = strtoull(s, &end, 10);

	for (size_t i = 0; i < sizeof units / sizeof *units; i++)
		if (end != s && strcmp(end, units[i].unit) == 0) {
			*ms = n * units[i].ms;
			return true;
		}
	return false;
}

enum fault
fault_find(const char *word)
{
	unsigned f = FAULT_NONE + 1;

	while (f < FAULT_COUNT && strcmp(fault_row((enum fault)f)->word, word) != 0)
		f++;
	return (enum fault)f;
}

/* --- configurations --- */

/* Compile it, once; false when it is wrong. Each has a generation of its own. */
static bool
config_build(struct play *p, struct config *c)
{
	struct report          r;
	struct endpoint        own = {.port = 443};
	struct snapshot_inputs in = {.generation = (uint64_t)(c - p->config) + 1, .workers = 1, .own = &own, .n_own = 1};
	struct conf           *conf;
	static struct slots    slots;

	if (c->block >= 0)
		return true;
	addr_parse(SPAN(SELF), &own.addr);
	report_init(&r);
	conf = conf_load_memory(p->file, bytes_left(&c->ini), &r);
	if (conf && r.errors == 0)
		slots_assign(&slots, conf, in.generation);
	if (conf && r.errors == 0)
		c->block = snapshot_build(conf, &in, &r);
	if (c->block < 0)
		report_print(&r, conf, stderr);
	conf_free(conf);
	report_clear(&r);
	return c->block >= 0;
}

static void
use(struct play *p, const char *name)
{
	struct config   *c = p->config;
	struct snapshot *s;

	while (c < p->config + p->n_configs && strcmp(c->name, name) != 0)
		c++;
	s = c < p->config + p->n_configs && config_build(p, c) ? snapshot_open(c->block, true) : NULL;
	if (!s) {
		play_fail(p, "the configuration `%s` is not there, or cannot be used", name);
		return;
	}
	fake.may_fail = p->gw.snap != NULL; /* the first one must do */
	if (!gateway_use(&p->gw, s))
		snapshot_unref(s);
	fake.may_fail = false;
}

/* --- clients and origins --- */

static void
sends(struct play *p, struct fake_sock *s, const struct step *l)
{
	struct bytes b = {0};
	unsigned     pieces = 0;
	const char  *why = step_bytes(l, 2, &b, &pieces);

	if (why)
		play_fail(p, "%s", why);
	for (struct span left = bytes_left(&b); left.n && !why;) {
		size_t n = pieces && pieces < left.n ? pieces : left.n;
		fake_send(s, span_of(left.p, n));
		left = span_of(left.p + n, left.n - n);
		if (pieces && !p->together)
			fake_settle(p->loop);
	}
	free(b.p);
}

/* inside HOST:PORT [h2] [block|warn|pass FAULT "detail"] */
static struct inside *
inside_read(struct play *p, const struct step *l, unsigned at)
{
	static const char *const answers[] = {"block", "warn", "pass"};
	struct inside           *in = inside_new();
	const char              *word = step_word(l, ++at);

	if (!in || !authority_parse_connect(l->word[at - 1].s, &in->at) || !(in->profile = calloc(1, sizeof *in->profile))) {
		play_fail(p, "inside HOST:PORT");
		return in;
	}
	in->session = 7;
	in->profile->refs = 1;
	in->profile->version = 0x0304;
	in->profile->strength = 128;
	snprintf(in->profile->cipher, sizeof in->profile->cipher, "TLS_AES_128_GCM_SHA256");
	snprintf(in->profile->issuer, sizeof in->profile->issuer, "Some CA");
	snprintf(in->tls_client, sizeof in->tls_client, "TLSv1.3/TLS_AES_256_GCM_SHA384");
	if (strcmp(word, "h2") == 0) {
		in->h2 = true;
		word = step_word(l, ++at);
	}
	for (unsigned i = 0; i < 3; i++)
		if (strcmp(word, answers[i]) == 0) {
			in->bad = (enum bad_origin)i;
			in->profile->fault = fault_find(step_word(l, at + 1));
			if (at + 2 < l->n)
				snprintf(in->profile->detail, sizeof in->profile->detail, "%.*s", SPAN_ARG(l->word[at + 2].s));
			if (i == ORIGIN_BLOCK)
				in->fault = in->profile->fault;
		}
	return in;
}

/* client opens [from ADDR] [inside ...] */
static void
opens(struct play *p, const struct step *l)
{
	struct fake_sock *s;
	unsigned          at;
	struct endpoint   from = {.port = (uint16_t)(40000 + fake.n_clients++)};
	const char     *addr = strcmp(step_word(l, 2), "from") == 0 ? step_word(l, 3) : CLIENT;

	if (!addr_parse(span_str(addr), &from.addr))
		play_fail(p, "`%s` is no address", addr);
	s = fake_client(step_word(l, 0), &from, p->gw.slot[0].fd);
	for (at = 2; at < l->n; at++)
		if (strcmp(step_word(l, at), "inside") == 0) {
			s->inside = inside_read(p, l, at + 1);
			break;
		} else if (strcmp(step_word(l, at), "to") == 0) {
			struct authority to;
			if (!authority_parse_connect(span_str(step_word(l, at + 1)), &to) || to.host.kind != HOST_ADDR)
				play_fail(p, "`%s` is no address and port", step_word(l, at + 1));
			s->original = (struct endpoint){.addr = to.host.addr, .port = to.port};
		}
}

static void
sock_step(struct play *p, struct fake_sock *s, const struct step *l)
{
	const char *verb = step_word(l, 1), *what = step_word(l, 2);

	if (strcmp(verb, "sends") == 0)
		sends(p, s, l);
	else if (strcmp(verb, "ends") == 0)
		fake_finish(s);
	else if (strcmp(verb, "resets") == 0)
		fake_reset(s);
	else if (strcmp(verb, "takes") == 0)
		fake_take(s, strcmp(what, "all") == 0 ? SIZE_MAX : strtoul(what, NULL, 10));
	else
		play_fail(p, "%s opens, sends, ends, resets, or takes N or all", s->name);
}

/* --- the net --- */

static unsigned
addresses(struct play *p, const struct step *l, unsigned at, struct addr *out, unsigned most)
{
	unsigned n = 0;

	for (; at < l->n && n < most && strcmp(step_word(l, at), "for") != 0; at++)
		if (!addr_parse(l->word[at].s, &out[n++]))
			play_fail(p, "`%s` is no address", l->word[at].s.p);
	return n;
}

static void
resolver_step(struct play *p, const struct step *l)
{
	const char *verb = step_word(l, 1), *name = NULL;
	struct addr a[16];
	unsigned    n = 0;
	enum fault  fault = FAULT_NONE;
	bool        knows = strcmp(verb, "knows") == 0, fails = strcmp(knows ? step_word(l, 3) : verb, "fails") == 0;

	for (unsigned i = 2; i < l->n; i++)
		if (strcmp(step_word(l, i), "for") == 0)
			name = step_word(l, i + 1);
	if (fails)
		fault = fault_find(step_word(l, knows ? 4 : 2));
	else
		n = addresses(p, l, knows ? 3 : 2, a, 16);
	if (fault == FAULT_COUNT)
		play_fail(p, "there is no such fault");
	else if (knows)
		fake_know(step_word(l, 2), a, n, fault);
	else if (strcmp(verb, "answers") != 0 && !fails)
		play_fail(p, "resolver answers ADDR... | fails FAULT [for NAME], knows NAME ADDR... | NAME fails FAULT");
	else if (!fake_answer(name, a, n, fault))
		play_fail(p, "there is no such look-up");
}

static void
dial_step(struct play *p, const struct step *l)
{
	bool        fails = strcmp(step_word(l, 1), "fails") == 0, at_once = strcmp(step_word(l, 3), "at") == 0;
	enum fault  fault = fails ? fault_find(step_word(l, 2)) : FAULT_NONE;
	struct addr to;
	bool        has_to = strcmp(step_word(l, 2), "to") == 0 && addr_parse(span_str(step_word(l, 3)), &to);

	if (fault == FAULT_COUNT || (!fails && strcmp(step_word(l, 1), "succeeds") != 0))
		play_fail(p, "dial succeeds [to ADDR] | fails FAULT [at once]");
	else if (at_once)
		fake.dial_fault = fault;
	else if (!fake_dialled(has_to ? &to : NULL, fault))
		play_fail(p, "nothing is being dialled");
}

/* --- the desk --- */

/* KEY VALUE ... of an answer; a VALUE may be a text. */
static bool
answer_read(const struct step *l, struct answer *a)
{
	for (unsigned i = 3; i < l->n; i += 2) {
		const char *key = step_word(l, i);
		struct span v = i + 1 < l->n ? l->word[i + 1].s : SPAN("");
		if (l->word[i].is_text) { /* why, by itself */
			answer_detail(a, "%.*s", SPAN_ARG(l->word[i].s));
			i--;
		} else if (strcmp(key, "account") == 0)
			answer_name(a->account, v);
		else if (strcmp(key, "domain") == 0)
			answer_name(a->domain, v);
		else if (strcmp(key, "realm") == 0)
			answer_name(a->realm, v);
		else if (strcmp(key, "group") == 0)
			answer_group(a, v);
		else if (strcmp(key, "token") == 0)
			answer_token(a, v);
		else if (strcmp(key, "pac") == 0)
			answer_pac(a, v);
		else if (strcmp(key, "handle") == 0)
			a->handle = strtoull(v.p, NULL, 10);
		else if (strcmp(key, "after") == 0)
			a->retry_after_s = (uint32_t)strtoul(v.p, NULL, 10);
		else
			return false;
	}
	return true;
}

static void
desk_step(struct play *p, const struct step *l)
{
	static const char *const results[ASK_RESULTS] = {"ok", "continue", "refused", "bad-token", "limited", "unavailable"};
	struct answer            a = {0};

	if (strcmp(step_word(l, 1), "is") == 0) {
		fake_desk_is_full = strcmp(step_word(l, 2), "full") == 0;
		return;
	}
	while (a.result < ASK_RESULTS && strcmp(step_word(l, 2), results[a.result]) != 0)
		a.result++;
	if (a.result == ASK_RESULTS || !answer_read(l, &a))
		play_fail(p, "desk answers ok|continue|refused|bad-token|limited|unavailable [KEY VALUE]... [\"why\"] | is full|works");
	else if (fake_desk_answer(&a))
		return;
	else
		play_fail(p, "the desk was not asked");
	answer_clear(&a);
}

bool
play_consent(const struct play *p, bool offer, struct bytes *out)
{
	struct session *s = NULL, *each;
	char            text[CONSENT_TEXT];
	struct consent  c;

	TAILQ_FOREACH (each, &p->gw.sessions, link)
		if (each->inside)
			s = each;
	if (!s)
		return p->troubled;
	c = (struct consent){offer ? CONSENT_OFFER : CONSENT_GIVEN, &s->peer.addr, &s->inside->at, s->inside->profile->fault, s->inside->profile->kinds, s->inside->profile->print};
	consent_make(p->shared->consent_key, &c, clock_real_us() / 1000000, text);
	bytes_add(out, span_of(text, sizeof text));
	return true;
}

/* --- what inspection asks --- */

static void
signer_step(struct play *p, const struct step *l)
{
	const char *verb = step_word(l, 1), *what = step_word(l, 2);
	bool        fails = strcmp(verb, "fails") == 0;
	enum fault  fault = fails ? fault_find(what) : FAULT_NONE;

	if (strcmp(verb, "is") == 0)
		fake_signer_up(strcmp(what, "up") == 0);
	else if (fault == FAULT_COUNT || (!fails && strcmp(verb, "makes") != 0))
		play_fail(p, "signer makes it | fails FAULT | is up|down");
	else if (!fake_signer_answer(fault))
		play_fail(p, "the signer was not asked");
}

/* --- the gateway --- */

static void
on_drained(void *arg)
{
	struct play *p = arg;

	p->n_drained++;
}

static void
gateway_step(struct play *p, const struct step *l)
{
	uint64_t ms;

	if (strcmp(step_word(l, 1), "uses") == 0)
		use(p, step_word(l, 2));
	else if (strcmp(step_word(l, 1), "drains") == 0 && clock_read(step_word(l, 3), &ms))
		gateway_drain(&p->gw, ms, false);
	else if (strcmp(step_word(l, 1), "changes") == 0) {
		p->shared->auth.epoch[BACK_NTLM_FILE]++;
		p->shared->auth.epoch[BACK_BASIC_FILE]++;
	} else
		play_fail(p, "gateway uses CONFIG | drains within TIME | changes its users");
}

/* What this machine is called in its domain: `names` it; `silent`: not known yet; `down`: and the back end cannot be asked. */
static void
domain_step(struct shared *shared, const char *verb, const char *how)
{
	static const struct ntlm_names names = {.domain = "CORP", .computer = "PX1", .dns_domain = "ad.example", .dns_computer = "px1.ad.example"};

	if (strcmp(verb, "names") == 0)
		names_publish(&shared->auth.names, &names);
	else
		atomic_store(&shared->auth.names.number, 0);
	atomic_store(&shared->auth.stats[BACK_WINBIND].is_down, strcmp(how, "down") == 0);
}

void
play_step(struct play *p, const struct step *l)
{
	const char       *who = step_word(l, 0), *verb = step_word(l, 1);
	struct fake_sock *s = fake_find(who);
	uint64_t          ms;

	if (strcmp(who, "expect") == 0) {
		if (!p->troubled)
			play_expect(p, l);
		return;
	}
	if (strcmp(who, "clock") == 0) {
		if (verb[0] == '+' && clock_read(verb + 1, &ms))
			fake_advance(p->loop, ms);
		else
			play_fail(p, "clock +TIME");
		return;
	}
	if (strcmp(verb, "opens") == 0)
		opens(p, l);
	else if (s)
		sock_step(p, s, l);
	else if (strcmp(who, "resolver") == 0)
		resolver_step(p, l);
	else if (strcmp(who, "dial") == 0)
		dial_step(p, l);
	else if (strcmp(who, "desk") == 0)
		desk_step(p, l);
	else if (strcmp(who, "signer") == 0)
		signer_step(p, l);
	else if (strcmp(who, "issuer") == 0) {
		if (!fake_aia_answer(strcmp(verb, "comes") == 0))
			play_fail(p, "no issuer is fetched");
	} else if (strcmp(who, "domain") == 0)
		domain_step(p->shared, verb, step_word(l, 2));
	else if (strcmp(who, "gateway") == 0)
		gateway_step(p, l);
	else if (strcmp(who, "accept") == 0)
		fake.accept_errno = strcmp(verb, "fails") == 0 ? EMFILE : 0;
	else if (strcmp(who, "log") == 0)
		fake.log_full = strcmp(step_word(l, 2), "full") == 0;
	else if (strcmp(who, "together") == 0 || strcmp(who, "end") == 0)
		p->together = who[0] == 't';
	else
		play_fail(p, "`%s` cannot do that, or is not there", who);
	if (!p->together)
		fake_settle(p->loop);
}

/* To all clients, or all origins. */
static void
befall(enum fake_kind kind, void (*what)(struct fake_sock *s))
{
	struct fake_sock *s;

	TAILQ_FOREACH (s, &fake.socks, link)
		if (s->kind == kind && s->accepted && !s->closed && !s->connecting)
			what(s);
}

static void
stall(struct fake_sock *s)
{
	s->window = 0;
}

void
play_mishap(struct play *p, unsigned kind)
{
	static void (*const does[])(struct fake_sock *) = {fake_reset, fake_finish, stall};
	static const struct addr nowhere;
	static const struct answer down = {.result = ASK_UNAVAILABLE};

	if (kind < 6)
		befall(kind % 2 ? FAKE_ORIGIN : FAKE_CLIENT, does[kind / 2]);
	else if (kind == 6)
		gateway_drain(&p->gw, 1, false);
	else if (kind == 7)
		use(p, p->config[p->n_configs - 1].name);
	else
		while (fake_answer(NULL, &nowhere, 1, FAULT_NONE) || fake_dialled(NULL, FAULT_CONNECT_FAILED) || fake_desk_answer(&down) ||
		       fake_signer_answer(FAULT_SIGNER_UNAVAILABLE) || fake_aia_answer(false))
			;
	fake_settle(p->loop);
}

/* --- begin and end --- */

void
play_begin(struct play *p)
{
	static struct shared          *shared;

	if (!shared) {
		int fd = shared_create(1);
		shared = fd >= 0 ? shared_open(fd) : NULL;
		close(fd);
	}
	fake_begin();
	playing = p;
	p->failed = p->together = false;
	p->n_requests = p->n_drained = 0;
	p->loop = loop_new();
	p->shared = shared;
	if (!p->shared || !gateway_init(&p->gw, p->loop, 0))
		abort();
	memset(&shared->worker[0].counters, 0, sizeof shared->worker[0].counters);
	shared_worker_reset(shared, 0);
	memset(shared->limits.rule, 0, sizeof shared->limits.rule); /* the clock begins anew */
	memset(shared->limits.client, 0, sizeof shared->limits.client);
	domain_step(shared, "names", "us");
	p->gw.shared = p->shared;
	p->gw.count = &p->shared->worker[0].counters;
	p->gw.desk = desk_new(p->loop);
	p->gw.leaves = leaf_desk_new(p->loop, 0, NULL, NULL);
	p->gw.ring = ring_open(-1);
	p->gw.on_drained = on_drained;
	p->gw.arg = p;
	if (p->n_configs)
		use(p, p->config[0].name);
	if (p->gw.snap)
		gateway_listen(&p->gw, 0, fake_listener()->fd, 0);
}

/* The script must have named all that came out. */
static void
check_named(struct play *p)
{
	struct session   *s = TAILQ_FIRST(&p->gw.sessions);
	struct fake_sock *o;

	if (s)
		play_fail(p, "at the end a session is left in %s", state_name(s->state));
	if (bytes_left(&fake.errands).n)
		play_fail(p, "the script does not expect: %.*s", (int)bytes_left(&fake.errands).n - 1, bytes_left(&fake.errands).p);
	if (!TAILQ_EMPTY(&fake.records))
		play_fail(p, "the script does not expect a record");
	TAILQ_FOREACH (o, &fake.socks, link)
		if (bytes_left(&o->out).n)
			play_fail(p, "the script does not expect %zu bytes that %s got", bytes_left(&o->out).n, o->name);
}

/* The log's count of bytes and what the clients of sessions really got. */
static void
check_bytes(uint64_t refused)
{
	struct fake_sock *s;
	uint64_t          got = 0;
	bool              exact = !fake.log_full;

	TAILQ_FOREACH (s, &fake.socks, link)
		if (s->kind == FAKE_CLIENT) {
			got += s->n_written;
			exact = exact && !s->limited && !s->dead;
		}
	if (refused == 0 && exact ? got != fake.sum_out : refused == 0 && !fake.log_full && got > fake.sum_out)
		fake_wrong("clients got %llu bytes, the log says %llu", (unsigned long long)got, (unsigned long long)fake.sum_out);
}

void
play_end(struct play *p)
{
	uint64_t refused = p->gw.count->refused_limit, requests, open;

	fake_settle(p->loop);
	if (!p->failed)
		check_named(p);
	gateway_clear(&p->gw);
	fake_settle(p->loop);
	requests = p->gw.count->requests;
	open = p->gw.count->open;
	if (requests != p->n_requests || (!fake.log_full && fake.n_records != p->n_requests))
		fake_wrong("%llu requests, %llu counted, %llu records", (unsigned long long)p->n_requests, (unsigned long long)requests,
		    (unsigned long long)fake.n_records);
	if (open)
		fake_wrong("%llu connections are counted as open", (unsigned long long)open);
	for (unsigned i = 0; i < TALLY_SLOTS; i++)
		if (p->shared->worker[0].tally.count[0][i])
			fake_wrong("a client is still counted");
	for (unsigned i = 0; i < RULE_SLOTS; i++)
		if (p->shared->worker[0].limits.busy[i] || p->shared->worker[0].limits.waiting[i])
			fake_wrong("a rule has still somebody under way, or waiting");
	if (fake.stack_least != UINTPTR_MAX && fake.stack_base > fake.stack_least && fake.stack_base - fake.stack_least > STACK_MOST)
		fake_wrong("calls went %zu bytes deep", (size_t)(fake.stack_base - fake.stack_least));
	if (!p->troubled)
		check_bytes(refused);
	fake_end(p->loop);
	loop_free(p->loop);
	if (fake.wrong[0]) {
		p->failed = true;
		fprintf(stderr, "%s:%u: %s: %s%s\n", p->file, p->line, p->title, fake.wrong, p->troubled ? p->trouble : "");
	}
}
