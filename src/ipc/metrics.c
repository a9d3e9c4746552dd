/* SPDX-License-Identifier: MIT */
#include "ipc/metrics.h"

const uint32_t histogram_bound_ms[HISTOGRAM_BOUNDS] = {1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 30000, 60000, 300000};

void
histogram_add(struct histogram *h, uint64_t us)
{
	unsigned i = 0;

	while (i < HISTOGRAM_BOUNDS && us > (uint64_t)histogram_bound_ms[i] * 1000)
		i++;
	h->bucket[i]++;
	h->sum_us += us;
}
