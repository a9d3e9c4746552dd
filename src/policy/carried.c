/* SPDX-License-Identifier: MIT */
#include "policy/carried.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "conf/certificate.h"
#include "conf/file.h"

#define SYSTEM_FILE_MOST ((size_t)4 << 20) /* of hosts, resolv.conf */

/* A file to read, where it is named, and what it was before. */
struct errand {
	const char  *path;
	struct where at;
	uint32_t     kind;
	struct span  before; /* p null: it was not read before */
};

static uint64_t
hash_on(uint64_t h, const void *p, size_t n)
{
	const unsigned char *b = p;

	for (size_t i = 0; i < n; i++)
		h = (h ^ b[i]) * UINT64_C(0x100000001b3);
	return h;
}

/* One number for the state of a file; 0: it is not there. */
static uint64_t
file_mark(const char *path)
{
	struct stat st;
	uint64_t    h = UINT64_C(0xcbf29ce484222325);

	if (stat(path, &st) != 0)
		return 0;
	h = hash_on(h, &st.st_dev, sizeof st.st_dev);
	h = hash_on(h, &st.st_ino, sizeof st.st_ino);
	h = hash_on(h, &st.st_size, sizeof st.st_size);
	h = hash_on(h, &st.st_mtim.tv_sec, sizeof st.st_mtim.tv_sec);
	h = hash_on(h, &st.st_mtim.tv_nsec, sizeof st.st_mtim.tv_nsec);
	return h ? h : 1;
}

/* hosts or resolv.conf: one that is missing is empty. */
static struct flat_ref
text_add(struct flat *f, const char *path)
{
	struct file_bytes file;
	char              why[FILE_WHY];
	struct flat_ref   ref;

	if (!file_read(path, SYSTEM_FILE_MOST, &file, why))
		return flat_add_text(f, SPAN(""));
	ref = flat_add_text(f, span_of(file.p, file.n));
	free(file.p);
	return ref;
}

static struct flat_ref
der_add(struct flat *f, const struct errand *e, struct report *r)
{
	const char     *key = e->kind == CARRIED_CRL ? "crl" : "trust";
	struct der_list list = {0};
	char            why[DER_WHY];
	struct flat_ref ref;

	if (der_list_read(&list, e->kind == CARRIED_CRL ? DER_CRL : DER_CERTIFICATE, e->path, why))
		ref = flat_add_text(f, span_of(list.v, list.n));
	else
		ref = flat_add_text(f, e->before);
	if (!list.n && e->before.p)
		report_warn(r, e->at, "%s: %s %s; what it held before stays in use", key, e->path, why);
	else if (!list.n && r->errors == 0) /* else conf has said so */
		report_error(r, e->at, "%s: %s %s", key, e->path, why);
	der_list_clear(&list);
	return ref;
}

/* All pieces of one kind lie side by side. */
static struct flat_ref
kind_ref(const struct snapshot_file *file, size_t n, uint32_t kind)
{
	struct flat_ref ref = {0, 0};

	for (size_t i = 0; i < n; i++)
		if (file[i].kind == kind) {
			ref.off = ref.off ? ref.off : file[i].bytes.off;
			ref.n += file[i].bytes.n;
		}
	return ref;
}

/* `e` is in the order of kinds. */
static bool
errands_run(struct flat *f, const struct errand *e, size_t n, struct settings *set, struct report *r)
{
	struct snapshot_file *file = calloc(n + 1, sizeof *file);

	if (!file)
		return false;
	for (size_t i = 0; i < n; i++) {
		file[i].kind = e[i].kind;
		file[i].mark = file_mark(e[i].path);
		file[i].bytes = e[i].kind >= CARRIED_TRUST ? der_add(f, &e[i], r) : text_add(f, e[i].path);
	}
	for (size_t i = 0; i < n; i++)
		file[i].path = flat_add_text(f, span_of(e[i].path, strlen(e[i].path) + 1));
	set->resolv_conf = kind_ref(file, n, CARRIED_RESOLV_CONF);
	set->hosts = kind_ref(file, n, CARRIED_HOSTS);
	set->inspection.roots = kind_ref(file, n, CARRIED_TRUST);
	set->inspection.crls = kind_ref(file, n, CARRIED_CRL);
	set->files = (struct flat_ref){flat_add(f, file, n * sizeof *file, 8), (uint32_t)n};
	free(file);
	return !f->failed;
}

bool
carried_add(struct flat *f, const struct conf *c, struct settings *set, struct report *r)
{
	const struct conf_inspection *i = &c->inspection;
	size_t                        n_trust = set->inspection.present ? i->trust.n : 0, n_crl = set->inspection.present ? i->crl.n : 0, n = 0;
	struct errand                *e = calloc(2 + n_trust + n_crl, sizeof *e);
	bool                          ok;

	if (!e)
		return false;
	set->fixed = f->used;
	e[n++] = (struct errand){.path = "/etc/resolv.conf", .kind = CARRIED_RESOLV_CONF};
	e[n++] = (struct errand){.path = "/etc/hosts", .kind = CARRIED_HOSTS};
	for (size_t k = 0; k < n_trust; k++)
		e[n++] = (struct errand){.path = i->trust.v[k].quoted ? i->trust.v[k].text.p : SYSTEM_ROOTS, .at = i->trust.v[k].at, .kind = CARRIED_TRUST};
	for (size_t k = 0; k < n_crl; k++)
		e[n++] = (struct errand){.path = i->crl.v[k].text.p, .at = i->crl.v[k].at, .kind = CARRIED_CRL};
	ok = errands_run(f, e, n, set, r);
	free(e);
	return ok;
}

bool
carried_again(struct flat *f, const void *block, const struct settings *old, struct settings *set, struct report *r)
{
	const char                 *base = block;
	const struct snapshot_file *was = (const void *)(base + old->files.off);
	struct errand              *e = calloc((size_t)old->files.n + 1, sizeof *e);
	bool                        ok;

	if (!e)
		return false;
	for (uint32_t i = 0; i < old->files.n; i++)
		e[i] = (struct errand){.path = base + was[i].path.off, .kind = was[i].kind, .before = span_of(base + was[i].bytes.off, was[i].bytes.n)};
	ok = errands_run(f, e, old->files.n, set, r);
	free(e);
	return ok;
}

uint64_t
carried_changed(const void *block, const struct settings *set, char *name, size_t n)
{
	const char                 *base = block;
	const struct snapshot_file *file = (const void *)(base + set->files.off);
	uint64_t                    h = UINT64_C(0xcbf29ce484222325), mark;
	bool                        changed = false;

	for (uint32_t i = 0; i < set->files.n; i++) {
		mark = file_mark(base + file[i].path.off);
		h = hash_on(h, &mark, sizeof mark);
		if (mark != file[i].mark && !changed)
			snprintf(name, n, "%s", base + file[i].path.off);
		changed |= mark != file[i].mark;
	}
	return !changed ? 0 : h ? h : 1;
}

void
carried_ca(struct flat *f, const struct conf_inspection *i, struct inspection_settings *to, struct report *r)
{
	struct der_list list = {0};
	struct span     rest, first;
	char            why[DER_WHY];
	bool            ok;

	if (!i->ca_cert)
		return; /* reported */
	ok = der_list_read(&list, DER_CERTIFICATE, i->ca_cert, why);
	rest = span_of(list.v, list.n);
	if (ok && (!der_next(&rest, &first) || !certificate_print(first, to->ca_print))) {
		ok = false;
		snprintf(why, sizeof why, "cannot be read: out of memory");
	}
	if (ok)
		to->ca = flat_add_text(f, span_of(list.v, list.n));
	else if (r->errors == 0) /* else conf has said so */
		report_error(r, i->ca_cert_at, "ca-cert: %s %s", i->ca_cert, why);
	der_list_clear(&list);
}
