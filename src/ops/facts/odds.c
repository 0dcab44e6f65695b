/* SPDX-License-Identifier: BSD-2-Clause
 *
 * See odds.h.
 */
#include "ops/facts/odds.h"

#include <math.h>

#define MIN_CHAIN 50 /* MIN_CHAINLEN */
#define MAX_CHAIN 30 /* MAX_CHAINLEN: the limit is MIN_CHAIN + a random number below this */

double odds_next_dropped(uint64_t n_victims, uint64_t n_buckets)
{
	if (n_victims == 0)
		return 1;
	if (n_buckets <= ODDS_EVICTION_RANGE)
		return 0;
	return exp(2 * (double)n_victims * log1p(-(double)ODDS_EVICTION_RANGE / (double)n_buckets));
}

/* P(X > @at) for X Poisson with @mean, summed from the small end so that tiny tails stay exact. */
static double poisson_above(double mean, unsigned at)
{
	double tail = 0, term = exp(-mean + (at + 1) * log(mean) - lgamma(at + 2));

	for (unsigned k = at + 1; k < at + 2000; k++) {
		tail += term;
		term *= mean / (k + 1);
		if (term < tail * 1e-17 && k > mean)
			break;
	}
	return tail < 1 ? tail : 1;
}

double odds_chain_refused(uint64_t n_entries, uint64_t n_buckets)
{
	double mean, sum = 0;

	if (n_entries == 0)
		return 0;
	if (n_buckets == 0)
		return 1;
	mean = 2 * (double)n_entries / (double)n_buckets;
	if (mean > 200)
		return 1;
	/* Linux 6.18, __nf_conntrack_confirm(): `if (chainlen++ > max_chainlen)` refuses when the
	 * chain already holds limit + 2 links; one limit serves both chains. */
	for (unsigned i = 0; i < MAX_CHAIN; i++) {
		double one = poisson_above(mean, MIN_CHAIN + i + 1);

		sum += one * (2 - one);
	}
	return sum / MAX_CHAIN;
}

uint64_t odds_capacity(uint64_t n_buckets, double chance)
{
	uint64_t low = 0, high = n_buckets * 100;

	while (low < high) {
		uint64_t middle = low + (high - low + 1) / 2;

		if (odds_chain_refused(middle, n_buckets) <= chance)
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
