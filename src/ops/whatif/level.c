/* SPDX-License-Identifier: BSD-2-Clause
 *
 * See level.h. The number of entries scatters about its mean as arrivals by chance make it (a
 * Poisson number, near enough a normal one).
 */
#include "ops/whatif/level.h"

#include <math.h>

#include "ops/facts/odds.h"

/* The chance that a Poisson number with a mean of @mean is at least @limit. */
static double reaches(double mean, double limit)
{
	if (mean <= 0)
		return limit <= 0;
	return erfc((limit - mean) / sqrt(2 * mean)) / 2;
}

static uint64_t whole(double v)
{
	return v > 0 ? (uint64_t)llround(v) : 0;
}

static void reckon_limit(struct level *l)
{
	double held = l->entries;

	l->fill = l->entries / (double)l->max;
	if (held > (double)l->max) {
		held = (double)l->max;
		l->homeless = 1 - held / l->entries;
	}
	if (l->buckets == 0)
		return;
	/* at the moment it is full the mix is that of the entries that came */
	l->dropped_full = odds_next_dropped(
		whole(l->entries > 0 ? l->unassured * (double)l->max / l->entries : 0), l->buckets);
	l->dropped = reaches(l->entries, (double)l->max) * l->dropped_full;
}

void level_reckon(struct level *l, const struct size_machine *m, const struct size_entry *e)
{
	double held = l->entries;

	if (l->is_max_known && l->max > 0) {
		reckon_limit(l);
		held = held < (double)l->max ? held : (double)l->max;
		size_cost(m, e, l->max, l->buckets, &l->cost_full);
	}
	size_cost(m, e, whole(held + l->elsewhere), l->buckets, &l->cost);
	if (l->buckets == 0)
		return;
	l->per_bucket = (held + l->elsewhere) / (double)l->buckets;
	l->lookup_links = size_lookup_links(l->per_bucket);
	l->refused = size_insert_failure_on(m->release, l->per_bucket);
}
