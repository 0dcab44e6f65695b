/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The Pareto front of a sweep. There are at most some hundreds of runs, so each is held against
 * each.
 */
#include "ops/sweep/sweep.h"

enum { GOALS = 6 };

static void goals_of(const struct sweep_result *r, uint64_t out[GOALS])
{
	const uint64_t goals[GOALS] = { r->n_drops,	 r->n_refused, r->n_early,
					r->outcome.peak, r->n_broken,  r->memory_bytes };

	for (unsigned i = 0; i < GOALS; i++)
		out[i] = goals[i];
}

/* True when @a is nowhere worse than @b, and somewhere better. */
static bool beats(const struct sweep_result *a, const struct sweep_result *b)
{
	uint64_t x[GOALS], y[GOALS];
	bool is_better = false;

	goals_of(a, x);
	goals_of(b, y);
	for (unsigned i = 0; i < GOALS; i++) {
		if (x[i] > y[i])
			return false;
		is_better |= x[i] < y[i];
	}
	return is_better;
}

void sweep_mark_best(struct sweep_result *r, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		r[i].is_best = true;
		for (unsigned j = 0; j < n && r[i].is_best; j++)
			r[i].is_best = !beats(&r[j], &r[i]);
	}
}
