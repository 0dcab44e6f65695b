/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The arithmetic of a full table against the figures of the field's own tables.
 */
#include "ops/facts/odds.h"

#include <math.h>

#include "ops/settings/size.h"
#include "tap.h"

static bool is_near(double got, double want, double tolerance)
{
	return fabs(got - want) <= tolerance * want;
}

TEST(one_in_hundred_reclaimable_loses_most)
{
	/* load 1, so 2 links a bucket; 1, 5 and 20 % of the entries are not ASSURED */
	OK(is_near(odds_next_dropped(2621, 262144), 0.852, 0.01));
	OK(is_near(odds_next_dropped(13107, 262144), 0.449, 0.01));
	OK(is_near(odds_next_dropped(52429, 262144), 0.0408, 0.01));
}

TEST(more_buckets_weaken_early_drop)
{
	OK(odds_next_dropped(1000, 65536) < odds_next_dropped(1000, 262144));
}

TEST(without_victims_all_is_lost)
{
	OK(odds_next_dropped(0, 65536) == 1);
	OK(odds_next_dropped(1, 8) == 0);
	OK(odds_next_dropped(UINT64_MAX / 4, 9) < 1e-9);
}

TEST(capacity_is_the_inverse)
{
	uint64_t n = odds_capacity(RELEASE(6, 18, 0), 65536, 0.001);

	OK(size_insert_failure((double)n / 65536) <= 0.001);
	OK(size_insert_failure((double)(n + 1) / 65536) > 0.001);
	OK(n > UINT64_C(16) * 65536 && n < UINT64_C(20) * 65536);
	/* chains of 8 to 31 links, before the repair of 2023, carry far less */
	n = odds_capacity(RELEASE(5, 15, 60), 65536, 0.001);
	OK(n > UINT64_C(1) * 65536 && n < UINT64_C(4) * 65536);
}

TEST(used_buckets_follow_the_load)
{
	OK(is_near(odds_buckets_used(65536, 65536), 1 - exp(-2), 1e-3));
	OK(odds_buckets_used(0, 65536) == 0);
	OK(odds_buckets_used(5, 1) == 1);
}

TAP_MAIN(&tap_one_in_hundred_reclaimable_loses_most, &tap_more_buckets_weaken_early_drop,
	 &tap_without_victims_all_is_lost, &tap_capacity_is_the_inverse,
	 &tap_used_buckets_follow_the_load)
