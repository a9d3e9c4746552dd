/* SPDX-License-Identifier: MIT */
#include "doctor/plan.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "conf/certificate.h"

#define PLAN_MAGIC UINT64_C(0x314e414c50434f44) /* "DOCPLAN1" */
#define PLAN_AT    8u /* where flat puts the first piece */

/* With its NUL. */
static struct flat_ref
add_string(struct flat *f, const char *s)
{
	return s ? flat_add_text(f, span_of(s, strlen(s) + 1)) : (struct flat_ref){0, 0};
}

static struct plan_proxy
add_proxy(struct flat *f, const struct doctor_proxy *p)
{
	struct plan_proxy to;

	memset(&to, 0, sizeof to);
	to.at.addr = p->at.addr;
	to.at.scope = p->at.scope;
	to.at.port = p->at.port;
	to.host = add_string(f, p->host);
	to.name = add_string(f, p->name);
	to.why = add_string(f, p->why);
	to.present = p->present;
	to.tls = p->tls;
	return to;
}

static struct flat_ref
add_issuers(struct flat *f, const struct doctor_settings *s)
{
	uint32_t off = flat_add(f, NULL, s->n_issuers * sizeof(struct flat_ref), 8);

	for (size_t i = 0; i < s->n_issuers; i++) {
		struct flat_ref one = add_string(f, s->issuer[i]);
		if (f->failed)
			break;
		((struct flat_ref *)flat_at(f, off))[i] = one;
	}
	return (struct flat_ref){off, (uint32_t)s->n_issuers};
}

static struct flat_ref
add_roots(struct flat *f, const struct conf *c, struct report *r)
{
	struct der_list d = {0};
	struct flat_ref roots = {0, 0};
	char            why[DER_WHY];

	if (der_list_read(&d, DER_CERTIFICATE, SYSTEM_ROOTS, why))
		roots = flat_add_text(f, span_of(d.v, d.n));
	else
		report_error(r, c->doctor.interval_at, "the doctor cannot judge certificates: %s: %s; install ca-certificates, or set interval = 0", SYSTEM_ROOTS, why);
	der_list_clear(&d);
	return roots;
}

static uint32_t
parent_number(const struct conf *c, const struct doctor_proxy *p)
{
	const struct conf_parent *one;
	uint32_t                  n = 0;

	TAILQ_FOREACH (one, &c->parents, link) {
		if (one->name.p == p->name)
			break;
		n++;
	}
	return n;
}

static bool
fill(struct flat *f, const struct conf *c, const struct doctor_settings *s, struct report *r)
{
	struct doctor_plan    head;
	struct doctor_target *target = calloc(DOCTOR_TARGETS_MAX, sizeof *target);
	size_t                n, more = 0;
	uint32_t              at = flat_add(f, NULL, sizeof head, 8);

	memset(&head, 0, sizeof head); /* padding too: two plans are compared as bytes */
	if (!target || at != PLAN_AT) {
		free(target);
		return false;
	}
	n = doctor_targets(c, NULL, 0, target, DOCTOR_TARGETS_MAX, &more);
	head.magic = PLAN_MAGIC;
	head.interval_ms = c->doctor.interval_ms;
	head.timeout_ms = s->timeout_ms;
	head.parallel = s->parallel;
	head.more = (uint32_t)more;
	head.n_parents = s->n_parents;
	for (unsigned i = 0; i < s->n_parents; i++) {
		head.parent[i] = add_proxy(f, &s->parent[i]);
		head.parent_number[i] = parent_number(c, &s->parent[i]);
	}
	head.gateway = add_proxy(f, &s->gateway);
	head.issuers = add_issuers(f, s);
	head.targets = (struct flat_ref){flat_add(f, target, n * sizeof *target, 8), (uint32_t)n};
	head.roots = add_roots(f, c, r);
	head.size = f->used;
	free(target);
	if (f->failed)
		return false;
	memcpy(flat_at(f, at), &head, sizeof head);
	return true;
}

int
doctor_plan_make(const struct conf *c, struct report *r)
{
	struct doctor_settings s;
	const char           **issuer = NULL;
	struct flat            f;
	size_t                 errors = r->errors;
	int                    fd = -1;

	flat_init(&f);
	if (doctor_settings_of(c, &s, &issuer) && fill(&f, c, &s, r) && r->errors == errors)
		fd = flat_seal(&f, "postern-doctor-plan");
	if (fd < 0 && r->errors == errors)
		report_error(r, c->doctor.interval_at, "out of memory");
	free(issuer);
	flat_clear(&f);
	return fd;
}

const struct doctor_plan *
doctor_plan_map(int fd)
{
	size_t                    n;
	const char               *block = flat_map(fd, &n);
	const struct doctor_plan *p;

	if (!block)
		return NULL;
	p = (const void *)(block + PLAN_AT);
	if (n >= PLAN_AT + sizeof *p && p->magic == PLAN_MAGIC && p->size == n && p->targets.n <= DOCTOR_TARGETS_MAX && p->n_parents <= DOCTOR_PARENTS_MAX)
		return p;
	flat_unmap(block, n);
	errno = EINVAL;
	return NULL;
}

void
doctor_plan_unmap(const struct doctor_plan *p)
{
	if (p)
		flat_unmap((const char *)p - PLAN_AT, p->size);
}

bool
doctor_plan_same(const struct doctor_plan *a, const struct doctor_plan *b)
{
	return a->size == b->size && memcmp(a, b, a->size - PLAN_AT) == 0;
}

static const void *
plan_at(const struct doctor_plan *p, uint32_t off)
{
	return (const char *)p - PLAN_AT + off;
}

static const char *
string_at(const struct doctor_plan *p, struct flat_ref r)
{
	return r.n ? plan_at(p, r.off) : NULL;
}

static struct doctor_proxy
proxy_at(const struct doctor_plan *p, const struct plan_proxy *from)
{
	return (struct doctor_proxy){.present = from->present, .at = from->at, .host = string_at(p, from->host), .name = string_at(p, from->name), .tls = from->tls,
		.why = string_at(p, from->why)};
}

void
doctor_plan_settings(const struct doctor_plan *p, const struct snapshot *snap, const struct snapshot_secret *secret, const char **issuer, struct doctor_settings *out)
{
	const struct flat_ref *text = plan_at(p, p->issuers.off);

	*out = (struct doctor_settings){.timeout_ms = p->timeout_ms, .parallel = p->parallel, .n_parents = p->n_parents, .gateway = proxy_at(p, &p->gateway),
		.issuer = issuer, .n_issuers = p->issuers.n, .snap = snap, .roots = span_of(plan_at(p, p->roots.off), p->roots.n)};
	for (uint32_t i = 0; i < p->n_parents; i++) {
		out->parent[i] = proxy_at(p, &p->parent[i]);
		out->parent[i].authorization = secret[i].n ? secret[i].text : NULL;
	}
	for (uint32_t i = 0; i < p->issuers.n; i++)
		issuer[i] = string_at(p, text[i]);
}

const struct doctor_target *
doctor_plan_targets(const struct doctor_plan *p)
{
	return plan_at(p, p->targets.off);
}

const char *
doctor_plan_parent(const struct doctor_plan *p, uint32_t i)
{
	const char *name = string_at(p, p->parent[i].name);

	return name ? name : "";
}
