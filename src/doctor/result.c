/* SPDX-License-Identifier: MIT */
#include "doctor/result.h"

static const char *const fault_words[DOCTOR_FAULTS] = {
    [DOCTOR_OK] = "ok",
    [DOCTOR_NOT_TRIED] = "not-tried",
    [DOCTOR_NO_SUCH_NAME] = "dns-no-such-name",
    [DOCTOR_DNS_FAILED] = "dns-failed",
    [DOCTOR_PRIVATE_ADDRESS] = "private-address",
    [DOCTOR_REFUSED] = "refused",
    [DOCTOR_UNREACHABLE] = "unreachable",
    [DOCTOR_TIMEOUT] = "timeout",
    [DOCTOR_RESET] = "reset",
    [DOCTOR_PROXY_DOWN] = "proxy-down",
    [DOCTOR_PROXY_AUTH] = "proxy-auth",
    [DOCTOR_NO_TICKET] = "no-ticket",
    [DOCTOR_PROXY_REFUSED] = "proxy-refused",
    [DOCTOR_PROXY_FAILED] = "proxy-failed",
    [DOCTOR_NOT_TLS] = "not-tls",
    [DOCTOR_TLS_FAILED] = "tls-failed",
    [DOCTOR_OWN_CA] = "own-ca",
    [DOCTOR_INTERCEPTED] = "intercepted",
    [DOCTOR_UNTRUSTED] = "untrusted",
    [DOCTOR_OTHER_ISSUER] = "other-issuer",
    [DOCTOR_WRONG_NAME] = "wrong-name",
    [DOCTOR_EXPIRED] = "expired",
    [DOCTOR_OTHER_LEAF] = "other-leaf",
    [DOCTOR_HTTP_FAILED] = "http-failed",
    [DOCTOR_SLOW] = "slow",
};

static const char *const way_words[DOCTOR_WAYS] = {"direct", "parent", "gateway"};
static const char *const step_words[] = {"none", "dns", "tcp", "proxy", "tls", "http", "done"};

const char *
doctor_fault_word(enum doctor_fault f)
{
	return (unsigned)f < DOCTOR_FAULTS ? fault_words[f] : "unknown";
}

const char *
doctor_way_word(enum doctor_way w)
{
	return (unsigned)w < DOCTOR_WAYS ? way_words[w] : "unknown";
}

const char *
doctor_step_word(enum doctor_step s)
{
	return (unsigned)s <= DOCTOR_STEP_DONE ? step_words[s] : "unknown";
}

bool
doctor_is_bad(enum doctor_fault f)
{
	return f != DOCTOR_OK && f != DOCTOR_NOT_TRIED && f != DOCTOR_SLOW;
}

bool
doctor_counts(const struct doctor_row *r, const struct doctor_target *t)
{
	return doctor_is_bad(r->fault) && !(r->way == DOCTOR_DIRECT && t->by_parent);
}

unsigned
doctor_lane(const struct doctor_row *r, unsigned n_parents)
{
	return r->way == DOCTOR_DIRECT ? 0 : r->way == DOCTOR_PARENT ? 1u + r->parent : 1u + n_parents;
}

enum doctor_way
doctor_lane_way(unsigned lane, unsigned n_parents)
{
	return lane == 0 ? DOCTOR_DIRECT : lane <= n_parents ? DOCTOR_PARENT : DOCTOR_GATEWAY;
}

bool
doctor_lane_is_of(unsigned lane, unsigned n_parents, const struct doctor_target *t)
{
	return doctor_lane_way(lane, n_parents) != DOCTOR_PARENT || t->parents >> (lane - 1) & 1;
}
