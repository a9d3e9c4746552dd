/* SPDX-License-Identifier: MIT */
#include "doctor/board.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define TRIES 1000 /* far more than a living writer can spoil */
#define SEALS (F_SEAL_SHRINK | F_SEAL_GROW)

_Static_assert(offsetof(struct doctor_report, target) % 8 == 0 && offsetof(struct doctor_report, bad_since_s) % 8 == 0 && offsetof(struct doctor_report, row) % 8 == 0 &&
                   sizeof(struct doctor_report) % 8 == 0 && sizeof(struct doctor_target) * DOCTOR_TARGETS_MAX % 8 == 0,
    "copied by words");

int
doctor_board_create(void)
{
	int fd = memfd_create("postern-doctor", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0)
		return -1;
	if (ftruncate(fd, sizeof(struct doctor_board)) == 0 && fcntl(fd, F_ADD_SEALS, SEALS) == 0)
		return fd;
	close(fd);
	return -1;
}

struct doctor_board *
doctor_board_open(int fd, bool writes)
{
	struct stat st;
	void       *p;

	if (fstat(fd, &st) != 0)
		return NULL;
	if (st.st_size != sizeof(struct doctor_board) || (fcntl(fd, F_GET_SEALS) & SEALS) != SEALS) {
		errno = EINVAL;
		return NULL;
	}
	p = mmap(NULL, sizeof(struct doctor_board), writes ? PROT_READ | PROT_WRITE : PROT_READ, MAP_SHARED, fd, 0);
	return p == MAP_FAILED ? NULL : p;
}

void
doctor_board_close(struct doctor_board *b)
{
	if (b)
		munmap(b, sizeof *b);
}

/* Word by word, atomically: the other side may be at work on the same words. */
static void
copy_words(void *to, const void *from, size_t n)
{
	uint64_t       *a = to;
	const uint64_t *b = from;

	for (size_t i = 0; i < (n + 7) / 8; i++)
		__atomic_store_n(a + i, __atomic_load_n(b + i, __ATOMIC_RELAXED), __ATOMIC_RELAXED);
}

static uint32_t
least(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

/* What is used of it: most sites have some dozen targets, not hundreds. */
static void
copy(struct doctor_report *to, const struct doctor_report *from)
{
	copy_words(to, from, offsetof(struct doctor_report, target));
	copy_words(to->target, from->target, least(to->n_targets, DOCTOR_TARGETS_MAX) * sizeof *to->target);
	copy_words(to->bad_since_s, from->bad_since_s, least(to->n_targets, DOCTOR_TARGETS_MAX) * sizeof *to->bad_since_s);
	copy_words(to->row, from->row, least(to->n_rows, DOCTOR_ROWS_MAX) * sizeof *to->row);
}

void
doctor_board_write(struct doctor_board *b, const struct doctor_report *r)
{
	/* an odd number is left by a writer that died: writing goes on from there */
	uint32_t seq = atomic_load_explicit(&b->seq, memory_order_relaxed) | 1;

	atomic_store_explicit(&b->seq, seq, memory_order_relaxed);
	atomic_thread_fence(memory_order_release);
	copy(&b->report, r);
	/* after the last number comes 2: 0 says that nothing was ever written */
	atomic_store_explicit(&b->seq, seq + 1 ? seq + 1 : 2, memory_order_release);
}

void
doctor_board_forget(struct doctor_board *b)
{
	atomic_store(&b->seq, 0);
	atomic_store(&b->running, 0);
	atomic_store(&b->next_s, 0);
}

#define END(text) ((text)[sizeof(text) - 1] = '\0')

/* Names of hosts are ASCII by now (parse/hostname). */
static void
target_bound(struct doctor_target *t)
{
	/* of another process they may be anything, so they are looked at as bytes */
	uint8_t *flag[] = {(uint8_t *)&t->no_probe, (uint8_t *)&t->by_parent};

	for (size_t i = 0; i < sizeof flag / sizeof *flag; i++)
		*flag[i] = *flag[i] != 0;
	END(t->host);
	END(t->pattern);
	END(t->list);
	END(t->where);
	for (char *c = t->host; *c; c++)
		if ((unsigned char)*c <= ' ' || (unsigned char)*c > '~')
			*c = '?';
}

static void
row_bound(struct doctor_row *r)
{
	uint8_t *flag = (uint8_t *)&r->has_address;

	*flag = *flag != 0;
	END(r->issuer);
	END(r->root);
	END(r->cname);
	END(r->detail);
}

/* One row for each target and way stays: of two Prometheus would take none at all. */
static void
bound(struct doctor_report *r)
{
	bool     seen[DOCTOR_ROWS_MAX] = {false};
	uint32_t kept = 0;

	r->n_targets = least(r->n_targets, DOCTOR_TARGETS_MAX);
	r->n_rows = least(r->n_rows, DOCTOR_ROWS_MAX);
	r->n_parents = least(r->n_parents, DOCTOR_PARENTS_MAX);
	END(r->failed);
	for (uint32_t i = 0; i < r->n_parents; i++)
		END(r->parent[i]);
	for (uint32_t i = 0; i < r->n_targets; i++)
		target_bound(&r->target[i]);
	for (uint32_t i = 0; i < r->n_rows; i++) {
		const struct doctor_row *row = &r->row[i];
		uint32_t                 key;
		if (row->target >= r->n_targets || row->way >= DOCTOR_WAYS || row->fault >= DOCTOR_FAULTS || row->step > DOCTOR_STEP_DONE)
			continue;
		key = row->target * DOCTOR_LANES_MAX + doctor_lane(row, r->n_parents);
		if ((row->way == DOCTOR_PARENT && row->parent >= r->n_parents) || seen[key])
			continue;
		seen[key] = true;
		row_bound(&r->row[i]);
		if (kept != i)
			memmove(&r->row[kept], &r->row[i], sizeof r->row[i]);
		kept++;
	}
	r->n_rows = kept;
}

bool
doctor_board_read(const struct doctor_board *b, struct doctor_report *out)
{
	for (int i = 0; i < TRIES; i++) {
		uint32_t seq = atomic_load_explicit(&b->seq, memory_order_acquire);
		if (seq == 0)
			return false;
		if (seq & 1)
			continue;
		copy(out, &b->report);
		atomic_thread_fence(memory_order_acquire);
		if (atomic_load_explicit(&b->seq, memory_order_relaxed) != seq)
			continue;
		bound(out);
		return true;
	}
	return false;
}

const struct doctor_row *
doctor_report_worst(const struct doctor_report *r, uint32_t target)
{
	const struct doctor_row *worst = NULL;

	for (uint32_t i = 0; i < r->n_rows; i++) {
		const struct doctor_row *row = &r->row[i];
		if (row->target != target || !doctor_counts(row, &r->target[target]))
			continue;
		/* the way that most clients take says most */
		if (!worst || row->way < worst->way)
			worst = row;
	}
	return worst;
}

const char *
doctor_report_way(const struct doctor_report *r, const struct doctor_row *row, char buf[DOCTOR_PARENT_NAME + 8])
{
	bool named = row->way == DOCTOR_PARENT && row->parent < r->n_parents;

	snprintf(buf, DOCTOR_PARENT_NAME + 8, "%s%s%s", doctor_way_word((enum doctor_way)row->way), named ? " " : "", named ? r->parent[row->parent] : "");
	return buf;
}

void
doctor_report_count(const struct doctor_report *r, uint32_t *tested, uint32_t *bad)
{
	*tested = *bad = 0;
	for (uint32_t i = 0; i < r->n_targets; i++) {
		if (r->target[i].no_probe)
			continue;
		++*tested;
		*bad += doctor_report_worst(r, i) != NULL;
	}
}
