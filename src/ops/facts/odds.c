/* SPDX-License-Identifier: BSD-2-Clause
 *
 * See odds.h.
 */
#include "ops/facts/odds.h"

#include <math.h>

#include "ops/settings/size.h"

double odds_next_dropped(uint64_t n_victims, uint64_t n_buckets)
{
	if (n_victims == 0)
		return 1;
	if (n_buckets <= ODDS_EVICTION_RANGE)
		return 0;
	return exp(2 * (double)n_victims * log1p(-(double)ODDS_EVICTION_RANGE / (double)n_buckets));
}

uint64_t odds_capacity(uint32_t release, uint64_t n_buckets, double chance)
{
	uint64_t low = 0, high = n_buckets * 100;

	while (low < high) {
		uint64_t middle = low + (high - low + 1) / 2;

		if (size_insert_failure_on(release, (double)middle / (double)n_buckets) <= chance)
			low = middle;
		else
			high = middle - 1;
	}
	return low;
}

double odds_buckets_used(uint64_t n_entries, uint64_t n_buckets)
{
	if (n_buckets == 0)
		return 0;
	if (n_buckets == 1)
		return n_entries > 0;
	return -expm1(2 * (double)n_entries * log1p(-1 / (double)n_buckets));
}
