/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Tables whose arrivals are known, and what their ages must say of other timeouts.
 */
#include "ops/whatif/steady.h"

#include <math.h>

#include "tap.h"

/* @rate entries for each second of age below @until_s. */
static struct steady_ages even(uint32_t full_s, uint32_t rate, uint32_t until_s)
{
	struct steady_ages a = { .full_s = full_s };

	for (uint32_t s = 0; s < until_s; s++)
		for (uint32_t i = 0; i < rate; i++)
			steady_add(&a, s);
	return a;
}

static struct steady_forecast ask(const struct steady_ages *a, enum whatif_ends ends,
				  uint64_t n_stand, uint32_t then_s)
{
	struct steady_forecast f;

	steady_forecast(&(struct steady_question){ .ages = a,
						   .ends = ends,
						   .n = a->n,
						   .n_stand = n_stand,
						   .then_s = then_s,
						   .oldest_s = a->oldest_s },
			&f);
	return f;
}

static bool is_near(double got, double want)
{
	return fabs(got - want) <= 1e-6 * want;
}

TEST(little_s_law_of_an_even_table)
{
	struct steady_ages a = even(120, 100, 120);
	struct steady_forecast f = ask(&a, WHATIF_BY_TIME, 3000, 30);
	uint64_t n_seen;

	OK(is_near(steady_leaving_per_s(&a, &n_seen), 100));
	EQ_INT(n_seen, 12000);
	OK(is_near(f.n, 3000) && f.low < 3000 && f.high > 3000);
	OK(is_near(f.settled, 12000) && !f.is_young && !f.is_beyond);
	f = ask(&a, WHATIF_BY_TIME, 12000, 240);
	OK(f.is_beyond && is_near(f.n, 24000));
	OK(f.low > 23500 && f.low < 24000 && f.high < 24500);
}

TEST(widths_of_bins_are_whole_seconds)
{
	uint64_t n_seen;

	/* timeouts that 20 bins do not divide, some shorter than a second a bin */
	for (uint32_t full_s = 1; full_s < 64; full_s++) {
		struct steady_ages a = even(full_s, 50, full_s);

		OK(is_near(steady_leaving_per_s(&a, &n_seen), 50));
	}
}

TEST(what_lives_leaves_at_its_far_end_only)
{
	/* a thousand busy ones are never older than a minute, and one a second falls silent */
	struct steady_ages a = even(3600, 1, 3600);
	struct steady_forecast f;
	uint64_t n_seen;

	for (int i = 0; i < 1000; i++)
		steady_add(&a, (uint32_t)i % 60);
	OK(is_near(steady_leaving_per_s(&a, &n_seen), 1));
	OK(n_seen < 3600);
	/* under a longer timeout at most these are added, at least nothing */
	f = ask(&a, WHATIF_LIVES, a.n, 7200);
	OK(is_near(f.n, 4600 + 3600) && is_near(f.low, 4600) && f.high > f.n);
	/* and under a shorter one the count is what is younger, whatever the rate */
	f = ask(&a, WHATIF_LIVES, 1000 + 600, 600);
	OK(is_near(f.n, 1600) && f.high < 1700);
}

TEST(a_young_table_is_seen_to_be_one)
{
	struct steady_ages a = even(120, 100, 30);
	struct steady_forecast f;

	EQ_INT(steady_horizon_s(&a, a.oldest_s), 30);
	f = ask(&a, WHATIF_BY_TIME, a.n, 120);
	OK(f.is_young && f.goes_on && is_near(f.settled, 12000) && is_near(f.n, 12000));
	f = ask(&a, WHATIF_BY_TIME, a.n, 60);
	OK(is_near(f.n, 6000));
	f = ask(&a, WHATIF_BY_TIME, 1000, 10);
	OK(is_near(f.n, 1000));
	/* what packets end may be young for that reason: nothing is concluded */
	f = ask(&a, WHATIF_PASSES, a.n, 120);
	OK(!f.is_young && is_near(f.n, 3000));
}

TEST(a_burst_is_not_taken_for_a_rate)
{
	struct steady_ages a = { .full_s = 120 };
	struct steady_forecast f;

	for (int i = 0; i < 1000; i++)
		steady_add(&a, 30);
	f = ask(&a, WHATIF_BY_TIME, a.n, 120);
	OK(f.is_young && !f.goes_on && is_near(f.n, 1000) && f.high > 3000);
	a = even(120, 1000, 1);
	f = ask(&a, WHATIF_BY_TIME, a.n, 120);
	OK(!f.goes_on && is_near(f.n, 1000) && f.high >= 120000);
}

TEST(few_old_entries_may_be_missing_by_chance)
{
	struct steady_ages a = { .full_s = 120 };

	for (uint32_t s = 0; s < 100; s += 25)
		steady_add(&a, s);
	EQ_INT(steady_horizon_s(&a, a.oldest_s), 0);
}

TEST(a_changed_timeout_leaves_a_gap)
{
	/* 60 s became 120 s ten seconds ago: what is older seems to be 60 s older than it is */
	struct steady_ages a = even(120, 50, 10);

	for (uint32_t s = 70; s < 120; s++)
		for (int i = 0; i < 50; i++)
			steady_add(&a, s);
	OK(steady_has_gap(&a));
	a = even(120, 50, 120);
	OK(!steady_has_gap(&a));
	/* thinning out is no gap */
	a = even(120, 50, 30);
	steady_add(&a, 100);
	OK(!steady_has_gap(&a));
}

TEST(nothing_seen_is_nothing_known)
{
	struct steady_ages a = { .full_s = 120 };
	struct steady_forecast f = ask(&a, WHATIF_BY_TIME, 0, 60);

	OK(f.n == 0 && f.leaving_per_s == 0 && !f.is_young);
	a.full_s = 0;
	f = ask(&a, WHATIF_LIVES, 0, 60);
	OK(f.n == 0 && !f.is_beyond);
	/* none left, so at most three did: there is an upper bound still */
	a = (struct steady_ages){ .full_s = 100 };
	for (int i = 0; i < 100; i++)
		steady_add(&a, 0);
	f = ask(&a, WHATIF_LIVES, 100, 200);
	OK(is_near(f.n, 100) && is_near(f.high, 103) && is_near(f.low, 100));
}

TAP_MAIN(&tap_little_s_law_of_an_even_table, &tap_widths_of_bins_are_whole_seconds,
	 &tap_what_lives_leaves_at_its_far_end_only, &tap_a_young_table_is_seen_to_be_one,
	 &tap_a_burst_is_not_taken_for_a_rate, &tap_few_old_entries_may_be_missing_by_chance,
	 &tap_a_changed_timeout_leaves_a_gap, &tap_nothing_seen_is_nothing_known)
