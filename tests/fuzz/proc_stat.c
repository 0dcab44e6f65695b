/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Any bytes as /proc/net/stat/nf_conntrack: refused, or sums that the processors add up to.
 */
#include "ops/facts/proc_stat.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct stats s = { 0 };

	if (proc_stat_parse((const char *)data, size, &s) < 0)
		return 0;
	for (unsigned i = 0; i < NL_STAT_MAX; i++) {
		uint64_t sum = 0;

		for (unsigned cpu = 0; cpu < s.n_cpus; cpu++)
			if (s.cpu[cpu].known & 1u << i)
				sum += s.cpu[cpu].value[i];
		if (sum != s.sum[i])
			abort();
	}
	stats_fini(&s);
	return 0;
}
