/* SPDX-License-Identifier: MIT */
#include "auth/lockout.h"

#include <stdio.h>
#include <strings.h>
#include <time.h>

#include "auth/ntlm.h"
#include "base/log.h"

#define DELAY_FIRST_MS 250u
#define DELAY_LAST_MS  2000u

uint32_t
lockout_now_s(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_BOOTTIME, &ts);
	return (uint32_t)ts.tv_sec + 1; /* 0 would be free */
}

static void
name_put(struct lockout *l, struct span domain, struct span user)
{
	/* CORP\alice with both from the client: cut, never trusted */
	if (domain.n)
		snprintf(l->name, sizeof l->name, "%.*s\\%.*s", SPAN_ARG(domain), SPAN_ARG(user));
	else
		snprintf(l->name, sizeof l->name, "%.*s", SPAN_ARG(user));
}

static bool
claimed_user(const struct ask *ask, struct lockout *l, struct span *user, char buf[ASK_NAME_MAX])
{
	struct ntlm_authenticate a;
	const char              *why;

	if (ask->op == ASK_BASIC) {
		*user = ask->part[0];
		name_put(l, SPAN(""), *user);
		return user->n > 0;
	}
	/* what cannot be read is not asked of a directory either */
	if (ask->op != ASK_NTLM || !ntlm_authenticate_read(ask->part[2], ask->part[1], &a, &why))
		return false;
	snprintf(buf, ASK_NAME_MAX, "%s", a.user_utf8);
	*user = span_str(buf);
	name_put(l, span_str(a.domain_utf8), *user);
	return user->n > 0;
}

/* A key of up to three things, told apart by their lengths. */
static uint64_t
key_of(const struct failures *f, char sort, struct span a, struct span b, struct span c)
{
	char     buf[3 * 1024];
	size_t   n = 0;
	uint64_t key;

	buf[n++] = sort;
	for (unsigned i = 0; i < 3; i++) {
		struct span s = i == 0 ? a : i == 1 ? b : c;
		uint16_t    len = (uint16_t)(s.n < 1000 ? s.n : 1000);
		memcpy(buf + n, &len, sizeof len);
		n += sizeof len;
		if (len)
			memcpy(buf + n, s.p, len);
		n += len;
	}
	key = failures_key(f, span_of(buf, n));
	explicit_bzero(buf, sizeof buf);
	return key;
}

void
lockout_keys(const struct shared_auth *s, enum back_kind kind, const struct ask *ask, struct lockout *out)
{
	char        buf[ASK_NAME_MAX], folded[LOCKOUT_USER_MAX];
	struct span user = {0}, since = SPAN("");
	uint32_t    epoch = s->epoch[kind];

	*out = (struct lockout){0};
	if (!claimed_user(ask, out, &user, buf))
		return;
	/* of one user, whichever back end is asked: NTLM and Basic may lead to the same account */
	user = span_of(folded, lockout_fold(user, folded, sizeof folded));
	out->counted = true;
	/* who was given a new password in a file need not wait; a directory counts by itself, whatever files say */
	if (kind == BACK_BASIC_FILE || kind == BACK_NTLM_FILE)
		since = span_of((const char *)&epoch, sizeof epoch);
	out->user = key_of(&s->failed, 'u', user, SPAN(""), since);
	out->pair = key_of(&s->failed, 'p', user, span_of((const char *)ask->client.b, sizeof ask->client.b), since);
	if (ask->op != ASK_BASIC || ask->part[1].n > 1000)
		return;
	out->password = true;
	/* case matters in a local file, and the domain may matter to a directory: the whole name as it was given; a new file voids all */
	char salt[5] = {(char)kind};
	memcpy(salt + 1, &epoch, sizeof epoch);
	out->secret = key_of(&s->refused, 's', span_of(salt, sizeof salt), ask->part[0], ask->part[1]);
}

static bool
is_over(const struct failures *f, const struct conf_rate *rate, uint64_t key, unsigned under_way, uint32_t now_s, bool *wait, uint32_t *retry_after_s)
{
	uint32_t expires_s;
	unsigned n = failures_count(f, key, now_s, &expires_s);

	if (rate->count == 0)
		return false;
	if (n >= rate->count) {
		*retry_after_s = expires_s - now_s > *retry_after_s ? expires_s - now_s : *retry_after_s;
		return true;
	}
	*wait |= n + under_way >= rate->count;
	return false;
}

enum lockout_verdict
lockout_judge(const struct shared_auth *s, const struct auth_settings *set, const struct lockout *l, unsigned under_way_pair, unsigned under_way_user,
    uint32_t now_s, uint32_t *retry_after_s)
{
	uint32_t expires_s;
	bool     wait = false, over;

	*retry_after_s = 0;
	if (l->password && failures_count(&s->refused, l->secret, now_s, &expires_s))
		return LOCKOUT_REFUSED;
	if (!l->counted)
		return LOCKOUT_ASK;
	over = is_over(&s->failed, &set->max_failures, l->pair, under_way_pair, now_s, &wait, retry_after_s);
	over |= is_over(&s->failed, &set->max_failures_user, l->user, under_way_user, now_s, &wait, retry_after_s);
	return over ? LOCKOUT_LIMITED : wait ? LOCKOUT_WAIT : LOCKOUT_ASK;
}

uint32_t
lockout_delay_ms(const struct shared_auth *s, const struct lockout *l, uint32_t now_s)
{
	uint32_t expires_s;
	unsigned n = l->counted ? failures_count(&s->failed, l->pair, now_s, &expires_s) : 0;

	if (n == 0)
		return 0;
	return n < 4 ? DELAY_FIRST_MS << (n - 1) : DELAY_LAST_MS;
}

/* Refused although the password may have been right: locked, disabled, expired, not now, not from here. It says nothing of guessing, and the directory
 * does not count it. */
static bool
is_about_the_account(const char *detail)
{
	static const char *const words[] = {"locked", "disabled", "expired", "must_change", "must change", "must be changed", "restriction", "logon_hours",
		"logon hours", "may not log on", "not_granted", "not allowed", "too many groups", "firewall", "ntlm_blocked"};

	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (strcasestr(detail, words[i]))
			return true;
	return false;
}

#define TOLD_A_MINUTE 20u

static uint32_t
window_s(const struct conf_rate *rate)
{
	uint64_t s = rate->per_ms / 1000;

	return s == 0 ? 1 : s > 86400u * 30 ? 86400u * 30 : (uint32_t)s;
}

/* Each user's name is worth a line, but somebody who tries a thousand names is not worth a thousand. */
static void
say_limit(const struct lockout *l, const char *from, unsigned n, uint32_t for_s, uint32_t now_s)
{
	static struct log_limit limit;
	static uint32_t         minute;
	static unsigned         told; /* in that minute */

	if (now_s / 60 != minute) {
		minute = now_s / 60;
		told = 0;
	}
	if (told++ < TOLD_A_MINUTE)
		log_info("user %s%s: %u log-ons failed; no more of them are asked for %u minutes", l->name, from, n, (unsigned)((for_s + 59) / 60));
	else
		log_write_limited(&limit, LOG_LEVEL_INFO, "user %s%s: %u log-ons failed, as those of many others in this minute", l->name, from, n);
}

void
lockout_note(struct shared_auth *s, const struct auth_settings *set, const struct lockout *l, const struct addr *client, const struct answer *a, uint32_t now_s)
{
	char from[ADDR_TEXT_MAX + 8] = " from ";

	if (!l->counted)
		return;
	if (a->result == ASK_OK)
		failures_forget(&s->failed, l->pair);
	if (a->result != ASK_REFUSED || is_about_the_account(a->detail))
		return;
	if (l->password)
		failures_add(&s->refused, l->secret, now_s, LOCKOUT_REFUSED_S);
	if (set->max_failures.count && failures_add(&s->failed, l->pair, now_s, window_s(&set->max_failures)) == set->max_failures.count) {
		addr_print(client, from + strlen(from));
		say_limit(l, from, set->max_failures.count, window_s(&set->max_failures), now_s);
	}
	if (set->max_failures_user.count &&
	    failures_add(&s->failed, l->user, now_s, window_s(&set->max_failures_user)) == set->max_failures_user.count)
		say_limit(l, "", set->max_failures_user.count, window_s(&set->max_failures_user), now_s);
}
