/* SPDX-License-Identifier: MIT */
/* bench: what all benchmarks share: a random generator of their own, time, medians. */
#ifndef POSTERN_BENCH_H
#define POSTERN_BENCH_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define BENCH_RUNS 5

static inline uint64_t
bench_random(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15u;
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

static inline double
bench_now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static inline int
bench_compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

static inline double
bench_median(double *v, int n)
{
	qsort(v, (size_t)n, sizeof *v, bench_compare);
	return v[n / 2];
}

static inline void __attribute__((noreturn))
bench_die(const char *what)
{
	fprintf(stderr, "bench: %s failed\n", what);
	exit(2);
}

#endif
