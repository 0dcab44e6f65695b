/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Counters of the tracker: what is not in the message is not known.
 */
#include "ops/netlink/ctnetlink.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct nl_stats s;
	struct nl_level level;
	struct nl_expect_stats x;

	if (nl_stats_cpu_decode(data, size, &s) == 0)
		for (unsigned i = 0; i < NL_STAT_MAX; i++)
			if (!(s.known & 1u << i) && s.value[i])
				abort();
	if (nl_stats_decode(data, size, &level) == 0 && !level.is_max_known && level.max)
		abort();
	(void)nl_expect_stats_cpu_decode(data, size, &x);
	return 0;
}
