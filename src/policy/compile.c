/* SPDX-License-Identifier: MIT */
/*
 * compile: runs the steps (gather, lint, rows, hosts, graves) and writes what they made into the block, as block.h describes it.
 */
#include "policy/compile.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/array.h"
#include "policy/build.h"

bool
numbers_add(struct numbers *s, uint32_t x)
{
	void *v = array_grow(s->v, s->n, &s->room, sizeof *s->v);

	if (!v)
		return false;
	s->v = v;
	s->v[s->n++] = x;
	return true;
}

uint32_t
build_line(const struct build *b, struct where at)
{
	return at.file < b->conf->n_files ? b->file_first[at.file] + at.line : 0;
}

struct where
build_where(const struct build *b, uint32_t line)
{
	uint32_t file = 0;

	while (file + 1 < b->conf->n_files && b->file_first[file + 1] <= line)
		file++;
	return (struct where){file, b->conf->n_files ? line - b->file_first[file] : line};
}

void
build_oom(struct build *b)
{
	if (!b->oom)
		report_error(b->report, (struct where){0}, "out of memory while the policy is compiled");
	b->oom = true;
}

static bool
build_init(struct build *b, const struct conf *c, struct flat *f, struct report *r)
{
	const struct conf_rule     *rule;
	const struct conf_list     *list;
	const struct conf_listener *listener;
	uint8_t                     key[16];
	uint64_t                    line = 0;

	*b = (struct build){.conf = c, .flat = f, .report = r};
	TAILQ_FOREACH (rule, &c->rules, link)
		b->n_rules++;
	TAILQ_FOREACH (list, &c->lists, link)
		b->n_lists++;
	TAILQ_FOREACH (listener, &c->listeners, link)
		b->n_listeners++;
	b->words = b->n_rules / 64 + 1;
	b->rule = calloc((size_t)b->n_rules + 1, sizeof *b->rule);
	b->has = calloc((size_t)b->n_rules + 1, sizeof *b->has);
	b->list = calloc((size_t)b->n_lists + 1, sizeof *b->list);
	b->file_first = calloc(c->n_files + 1, sizeof *b->file_first);
	b->nobody = calloc(b->words, sizeof *b->nobody);
	b->request = calloc((size_t)b->n_rules + 1, sizeof *b->request);
	b->effects = calloc((size_t)b->n_rules + 1, sizeof *b->effects);
	if (!b->nobody || !b->request || !b->effects || !b->rule || !b->has || !b->list || !b->file_first || getrandom(key, sizeof key, 0) != sizeof key)
		return false;
	for (size_t i = 0; i < c->n_files; i++) {
		b->file_first[i] = (uint32_t)line;
		line += c->files[i].lines + 1; /* line 0 stands for the file itself */
	}
	b->n_rules = b->n_lists = 0;
	TAILQ_FOREACH (rule, &c->rules, link)
		b->rule[b->n_rules++] = rule;
	TAILQ_FOREACH (list, &c->lists, link)
		b->list[b->n_lists++].list = list;
	b->hosts = host_set_builder_new(key);
	b->addrs[SIDE_CLIENTS] = addr_set_builder_new();
	b->addrs[SIDE_ADDRESSES] = addr_set_builder_new();
	for (unsigned s = 0; s < SIDE_COUNT; s++) {
		b->side[s].list_owner = calloc((size_t)b->n_lists + 1, sizeof *b->side[s].list_owner);
		b->side[s].rule_terms = calloc((size_t)b->n_rules + 1, sizeof *b->side[s].rule_terms);
		if (!b->side[s].list_owner || !b->side[s].rule_terms)
			return false;
	}
	return b->hosts && b->addrs[SIDE_CLIENTS] && b->addrs[SIDE_ADDRESSES] && line < UINT32_MAX;
}

static void
build_clear(struct build *b)
{
	for (unsigned s = 0; s < SIDE_COUNT; s++) {
		pool_clear(&b->side[s].tags);
		free(b->side[s].owner);
		free(b->side[s].terms.v);
		free(b->side[s].rule_terms);
		free(b->side[s].list_owner);
		free(b->side[s].rules.v);
		addr_set_builder_free(b->addrs[s]);
		free(b->cidrs[s].v);
	}
	for (unsigned c = 0; c < COND_COUNT; c++) {
		stretches_clear(&b->numbers[c]);
		pool_clear(&b->dim[c].rows);
	}
	host_set_builder_free(b->hosts);
	for (unsigned c = 0; c < PEOPLE_COUNT; c++) {
		pool_clear(&b->people[c].names);
		pool_clear(&b->people[c].globs);
		free(b->people[c].items.v);
	}
	request_clear(b);
	free(b->request);
	free(b->effects);
	free(b->ways);
	free(b->nobody);
	pool_clear(&b->methods);
	pool_clear(&b->ports);
	pool_clear(&b->lists);
	pool_clear(&b->progs);
	free(b->rule);
	free(b->has);
	free(b->list);
	free(b->file_first);
	free(b->base);
	free(b->set_list);
}

static struct flat_ref
array_add(struct flat *f, const void *v, size_t n, size_t size)
{
	return (struct flat_ref){flat_add(f, v, n * size, 8), (uint32_t)n};
}

static void
side_write(struct build *b, enum side side, struct policy_head *head)
{
	struct side_build  *s = &b->side[side];
	struct block_owner *o = owners_flat(s);
	uint32_t            rules;

	if (!o) {
		build_oom(b);
		return;
	}
	rules = flat_add(b->flat, s->rules.v, s->rules.n * sizeof *s->rules.v, 8);
	for (uint32_t i = 0; i < s->n_owners; i++) {
		o[i].rules = (struct flat_ref){rules + s->owner[i].rules_at * (uint32_t)sizeof *s->rules.v, s->owner[i].n_rules};
		if (s->owner[i].list)
			o[i].list = flat_add_text(b->flat, s->owner[i].list->name);
	}
	head->side[side].tags = array_add(b->flat, s->tags.bytes, s->tags.n, sizeof(struct block_tag));
	head->side[side].owners = array_add(b->flat, o, s->n_owners, sizeof *o);
	free(o);
}

static void
rules_write(struct build *b, struct policy_head *head)
{
	uint32_t           terms[SIDE_COUNT];
	struct block_rule *v = calloc((size_t)b->n_rules + 1, sizeof *v);
	char               where[4200];

	if (!v) {
		build_oom(b);
		return;
	}
	for (unsigned s = 0; s < SIDE_COUNT; s++)
		terms[s] = flat_add(b->flat, b->side[s].terms.v, b->side[s].terms.n * sizeof(uint32_t), 8);
	for (uint32_t i = 0; i < b->n_rules; i++) {
		const struct conf_rule *r = b->rule[i];
		v[i] = (struct block_rule){
			.name = flat_add_text(b->flat, r->name),
			.reason = flat_add_text(b->flat, r->reason),
			.where = flat_add_text(b->flat, span_str(where_print(b->conf, r->at, where, sizeof where))),
			.action = (uint8_t)r->action,
			.guard = (uint8_t)r->guard,
			.auth = rule_needs_user(r) ? AUTH_REQUIRED : AUTH_NONE,
			.report = r->report,
			.has = b->has[i],
			.request = b->request[i],
			.effects = b->effects[i],
		};
		for (uint32_t k = 0; k < b->side[SIDE_HOSTS].rule_terms[i].n; k++)
			v[i].has |= b->side[SIDE_HOSTS].terms.v[b->side[SIDE_HOSTS].rule_terms[i].at + k] & 1 ? 0 : HAS_ENTRIES;
		for (unsigned s = 0; s < SIDE_COUNT; s++)
			v[i].terms[s] = (struct flat_ref){terms[s] + b->side[s].rule_terms[i].at * (uint32_t)sizeof(uint32_t), b->side[s].rule_terms[i].n};
	}
	head->rules = array_add(b->flat, v, b->n_rules, sizeof *v);
	free(v);
}

static void
hosts_write(struct build *b, struct policy_head *head)
{
	uint32_t lists;

	head->hosts = b->hosts_off;
	head->base_bits = flat_add(b->flat, b->base, b->words * sizeof *b->base, 8);
	if (b->lists.used > UINT32_MAX) {
		b->flat->failed = true;
		return;
	}
	lists = flat_add(b->flat, b->lists.bytes, b->lists.used, 64);
	for (uint32_t i = 0; i < b->n_sets; i++)
		b->set_list[i] = lists + (uint32_t)b->lists.v[b->set_list[i]].off;
	head->lists = array_add(b->flat, b->set_list, b->n_sets, sizeof *b->set_list);
	head->progs = flat_add(b->flat, b->progs.bytes, b->progs.used, 8);
	head->n_progs = b->progs.n;
	head->prog_words = b->prog_words;
	head->places = b->dim[COND_HOSTS].where;
}

static void
names_write(struct build *b, struct policy_head *head)
{
	struct flat_ref   *methods = calloc((size_t)b->methods.n + 1, sizeof *methods);
	struct block_file *files = calloc(b->conf->n_files + 1, sizeof *files);

	if (!methods || !files)
		build_oom(b);
	for (uint32_t i = 0; i < b->methods.n && methods; i++)
		methods[i] = flat_add_text(b->flat, span_of(b->methods.bytes + b->methods.v[i].off, b->methods.v[i].n));
	for (size_t i = 0; i < b->conf->n_files && files; i++)
		files[i] = (struct block_file){b->file_first[i], flat_add_text(b->flat, span_str(b->conf->files[i].path))};
	head->methods = array_add(b->flat, methods, methods ? b->methods.n : 0, sizeof *methods);
	head->files = array_add(b->flat, files, files ? b->conf->n_files : 0, sizeof *files);
	free(methods);
	free(files);
}

static uint32_t
block_write(struct build *b)
{
	struct policy_head head;

	memset(&head, 0, sizeof head);
	head = (struct policy_head){.magic = POLICY_MAGIC, .n_rules = b->n_rules, .words = b->words, .n_listeners = b->n_listeners};
	for (unsigned s = 0; s < SIDE_COUNT && !b->oom; s++)
		side_write(b, s, &head);
	if (!b->oom)
		rules_write(b, &head);
	if (!b->oom)
		hosts_write(b, &head);
	if (!b->oom)
		names_write(b, &head);
	if (!b->oom)
		people_write(b, &head);
	if (!b->oom)
		request_write(b, &head);
	if (!b->oom)
		inspections_write(b, &head);
	if (!b->oom)
		ways_write(b, &head);
	for (unsigned c = 0; c < COND_COUNT && !b->oom; c++) {
		if (!(1u << c & COND_DIMS) || !b->dim[c].used)
			continue;
		head.dim[c].used = 1;
		head.dim[c].rows = flat_add(b->flat, b->dim[c].rows.bytes, b->dim[c].rows.used, 64);
		head.dim[c].n_classes = b->dim[c].rows.n;
		head.dim[c].where = b->dim[c].where;
	}
	if (b->oom)
		return 0;
	return flat_add(b->flat, &head, sizeof head, 64);
}

uint32_t
policy_compile(const struct conf *c, struct flat *f, struct report *r)
{
	struct build b;
	uint32_t     off = 0;

	if (!build_init(&b, c, f, r))
		build_oom(&b);
	if (!b.oom)
		gather(&b);
	if (!b.oom)
		lint_lists(&b);
	if (!b.oom)
		lint_requests(&b);
	if (!b.oom)
		ways_gather(&b);
	/* conf's own errors included: what was read in part is not compiled */
	if (b.oom || r->errors > 0)
		goto out;
	rows_build(&b);
	if (!b.oom)
		hosts_build(&b);
	if (!b.oom)
		graves_find(&b);
	if (!b.oom)
		off = block_write(&b);
	if (f->failed || r->errors > 0) {
		if (f->failed)
			build_oom(&b);
		off = 0;
	}
out:
	build_clear(&b);
	return off;
}
