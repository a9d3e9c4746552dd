/* SPDX-License-Identifier: MIT */
#include "proc/legacy.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define LEGACY_WORD "postern hits 1" /* another layout has another word */

struct legacy_head {
	char     word[16];
	uint64_t started_real_us;
	uint64_t n_rules, n_entries; /* of the records behind this, in this order */
};

struct rule_left {
	char     name[SLOT_NAME_MAX];
	uint64_t since_real_us;
	uint64_t requests, bytes_in, bytes_out, last_real_us;
};

struct entry_left {
	uint64_t id, hits;
	uint64_t last_s;
};

/* --- the one that goes --- */

static bool
put(int fd, const void *p, size_t n)
{
	return write(fd, p, n) == (ssize_t)n;
}

static void
rule_leave(const struct shared *s, uint32_t slot, struct rule_left *out)
{
	*out = (struct rule_left){.since_real_us = s->slots.rule[slot].since_real_us};
	memcpy(out->name, s->slots.rule[slot].name, sizeof out->name);
	for (uint32_t w = 0; w < s->n_workers; w++) {
		const struct rule_counters *r = &s->worker[w].rule[slot];
		out->requests += r->requests + r->open;
		out->bytes_in += r->bytes_in;
		out->bytes_out += r->bytes_out;
		if (r->last_real_us > out->last_real_us)
			out->last_real_us = r->last_real_us;
	}
}

static bool
rules_write(const struct shared *s, int fd)
{
	struct rule_left left;

	for (uint32_t i = 1; i < RULE_SLOTS; i++) {
		rule_leave(s, i, &left);
		if (left.name[0] && !put(fd, &left, sizeof left))
			return false;
	}
	return true;
}

static bool
entries_write(const struct sums *sums, int fd)
{
	struct entry_left some[256];
	size_t            n = 0;

	for (uint32_t i = 0; i < sums->room; i++) {
		if (sums->v[i].hits)
			some[n++] = (struct entry_left){sums->v[i].id, sums->v[i].hits, sums->v[i].last_s};
		if (n < 256 && i + 1 < sums->room)
			continue;
		if (!put(fd, some, n * sizeof *some))
			return false;
		n = 0;
	}
	return true;
}

int
legacy_write(const struct ledger *l, const struct shared *s)
{
	struct legacy_head head = {.word = LEGACY_WORD, .started_real_us = l->started_real_us};
	struct sums        sums = {0};
	int                fd = memfd_create("postern-hits", MFD_CLOEXEC);
	bool               ok = fd >= 0 && ledger_sum(l, &sums);

	for (uint32_t i = 1; i < RULE_SLOTS; i++)
		head.n_rules += s->slots.rule[i].name[0] != '\0';
	head.n_entries = sums.n;
	ok = ok && put(fd, &head, sizeof head) && rules_write(s, fd) && entries_write(&sums, fd);
	sums_clear(&sums);
	if (ok)
		return fd;
	if (fd >= 0)
		close(fd);
	return -1;
}

/* --- the one that comes --- */

/* One worker counts on from what was left: whichever it is, all are added up. */
static void
rule_take(struct ledger *l, struct shared *s, const struct rule_left *left)
{
	struct rule_counters *to = s->worker[0].rule;

	for (uint32_t i = 1; i < RULE_SLOTS; i++) {
		if (!s->slots.rule[i].name[0] || strncmp(s->slots.rule[i].name, left->name, sizeof left->name) != 0)
			continue;
		s->slots.rule[i].since_real_us = left->since_real_us;
		to[i].requests = l->rule_base[i] = left->requests;
		to[i].bytes_in = left->bytes_in;
		to[i].bytes_out = left->bytes_out;
		to[i].last_real_us = left->last_real_us;
		return;
	}
}

static void
take(struct ledger *l, struct shared *s, const char *p, size_t size)
{
	struct legacy_head head;
	struct rule_left   rule;
	struct entry_left  entry;

	memcpy(&head, p, sizeof head);
	if (memcmp(head.word, LEGACY_WORD, sizeof LEGACY_WORD) != 0 || head.n_rules > RULE_SLOTS || head.n_entries > 2 * (uint64_t)SUMS_MOST ||
	    size != sizeof head + head.n_rules * sizeof rule + head.n_entries * sizeof entry)
		return;
	p += sizeof head;
	l->started_real_us = head.started_real_us;
	for (uint64_t i = 0; i < head.n_rules; i++, p += sizeof rule) {
		memcpy(&rule, p, sizeof rule);
		rule.name[sizeof rule.name - 1] = '\0';
		rule_take(l, s, &rule);
	}
	for (uint64_t i = 0; i < head.n_entries; i++, p += sizeof entry) {
		memcpy(&entry, p, sizeof entry);
		sums_add(&l->past, &(struct sum){.id = entry.id, .hits = entry.hits, .last_s = (uint32_t)entry.last_s, .mark = l->mark});
	}
}

void
legacy_take(struct ledger *l, struct shared *s, int fd)
{
	struct stat st;
	void       *p = MAP_FAILED;

	if (fd < 0)
		return;
	if (fstat(fd, &st) == 0 && st.st_size >= (off_t)sizeof(struct legacy_head))
		p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (p != MAP_FAILED) {
		take(l, s, p, (size_t)st.st_size);
		munmap(p, (size_t)st.st_size);
	}
	close(fd);
}
