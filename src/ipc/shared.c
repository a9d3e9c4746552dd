/* SPDX-License-Identifier: MIT */
#include "ipc/shared.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

static size_t
size_for(uint32_t n_workers)
{
	return sizeof(struct shared) + n_workers * sizeof(struct shared_worker);
}

int
shared_create(uint32_t n_workers)
{
	int            fd = memfd_create("postern-shared", MFD_CLOEXEC);
	struct shared *s;

	if (fd < 0)
		return -1;
	if (ftruncate(fd, (off_t)size_for(n_workers)) != 0 || !(s = mmap(NULL, sizeof *s, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0)) || s == MAP_FAILED) {
		close(fd);
		return -1;
	}
	s->n_workers = n_workers;
	if (getrandom(&s->tally_key, sizeof s->tally_key, 0) != sizeof s->tally_key)
		s->tally_key = (uint64_t)getpid() << 32;
	/* these must not be guessed: without them nothing starts */
	if (getrandom(s->auth.failed.key, sizeof s->auth.failed.key, 0) != sizeof s->auth.failed.key ||
	    getrandom(s->auth.refused.key, sizeof s->auth.refused.key, 0) != sizeof s->auth.refused.key ||
	    getrandom(&s->limits.key, sizeof s->limits.key, 0) != sizeof s->limits.key ||
	    getrandom(s->consent_key, sizeof s->consent_key, 0) != sizeof s->consent_key) {
		munmap(s, sizeof *s);
		close(fd);
		return -1;
	}
	munmap(s, sizeof *s);
	return fd;
}

struct shared *
shared_open(int fd)
{
	struct stat    st;
	struct shared *s;

	if (fstat(fd, &st) != 0 || (size_t)st.st_size < sizeof *s)
		return NULL;
	s = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (s == MAP_FAILED)
		return NULL;
	if (s->n_workers > SHARED_WORKERS_MAX || size_for(s->n_workers) > (size_t)st.st_size) {
		munmap(s, (size_t)st.st_size);
		errno = EINVAL;
		return NULL;
	}
	return s;
}

void
shared_close(struct shared *s)
{
	if (s)
		munmap(s, size_for(s->n_workers));
}

void
shared_worker_reset(struct shared *s, uint32_t worker)
{
	struct shared_worker *w = &s->worker[worker];

	w->counters.open = w->counters.tunnels_open = w->counters.queued = 0;
	/* most were never counted under: those are not written, so that they take no memory */
	for (uint32_t i = 0; i < LISTENER_COUNTS; i++)
		if (w->listener[i].open)
			w->listener[i].open = 0;
	for (uint32_t i = 0; i < RULE_SLOTS; i++) {
		if (w->rule[i].open)
			w->rule[i].open = 0;
		if (atomic_load(&w->limits.busy[i]))
			atomic_store(&w->limits.busy[i], 0);
		if (atomic_load(&w->limits.waiting[i]))
			atomic_store(&w->limits.waiting[i], 0);
	}
	memset(&s->worker[worker].tally, 0, sizeof s->worker[worker].tally);
}

static void
tally_slots(const struct shared *s, const struct addr *client, uint32_t slot[2])
{
	uint64_t h = XXH3_64bits_withSeed(client->b, sizeof client->b, s->tally_key);

	slot[0] = (uint32_t)h & (TALLY_SLOTS - 1);
	slot[1] = (uint32_t)(h >> 32) & (TALLY_SLOTS - 1);
}

void
tally_add(struct shared *s, uint32_t worker, const struct addr *client)
{
	uint32_t slot[2];

	tally_slots(s, client, slot);
	for (int i = 0; i < 2; i++)
		s->worker[worker].tally.count[i][slot[i]]++;
}

void
tally_remove(struct shared *s, uint32_t worker, const struct addr *client)
{
	uint32_t slot[2];

	tally_slots(s, client, slot);
	for (int i = 0; i < 2; i++)
		if (s->worker[worker].tally.count[i][slot[i]] > 0)
			s->worker[worker].tally.count[i][slot[i]]--;
}

uint32_t
tally_count(const struct shared *s, const struct addr *client)
{
	uint32_t slot[2], sum[2] = {0, 0};

	tally_slots(s, client, slot);
	for (uint32_t w = 0; w < s->n_workers; w++)
		for (int i = 0; i < 2; i++)
			sum[i] += s->worker[w].tally.count[i][slot[i]];
	return sum[0] < sum[1] ? sum[0] : sum[1];
}

bool
shared_hold(struct shared *s, uint32_t worker, uint32_t slot, uint32_t most)
{
	uint64_t sum = 0;

	/* first take, then look: whoever looks later sees it */
	atomic_fetch_add(&s->worker[worker].limits.busy[slot], 1);
	for (uint32_t w = 0; w < s->n_workers; w++)
		sum += atomic_load(&s->worker[w].limits.busy[slot]);
	if (sum <= most)
		return true;
	shared_release(s, worker, slot);
	return false;
}

void
shared_release(struct shared *s, uint32_t worker, uint32_t slot)
{
	atomic_fetch_sub(&s->worker[worker].limits.busy[slot], 1);
}

uint32_t
shared_waiting(const struct shared *s, uint32_t slot)
{
	uint32_t sum = 0;

	for (uint32_t w = 0; w < s->n_workers; w++)
		sum += atomic_load_explicit(&s->worker[w].limits.waiting[slot], memory_order_relaxed);
	return sum;
}
