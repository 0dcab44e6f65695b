/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What the ratio of entries to buckets does: chains, refused insertions, early drop; see size.h.
 *
 * Every entry stands in two buckets drawn at random, so a bucket's chain is Poisson distributed
 * with mean 2 n / b.
 */
#include <math.h>

#include "ops/settings/size.h"

/* __nf_conntrack_confirm(): MIN_CHAINLEN + random below (MAX_CHAINLEN - MIN_CHAINLEN). */
#define CHAIN_MIN	 50
#define CHAIN_RANDOM	 30
/* early_drop(): NF_CT_EVICTION_RANGE */
#define EVICTION_BUCKETS 8

double size_chain_share(double entries_per_bucket, unsigned length)
{
	double mean = 2 * entries_per_bucket;

	if (mean <= 0)
		return length == 0 ? 1 : 0;
	return exp(length * log(mean) - mean - lgamma(length + 1.0));
}

double size_chain_longer(double entries_per_bucket, unsigned length)
{
	double mean = 2 * entries_per_bucket;
	double sum = 0;

	/* The smaller side is summed, so that a tiny chance is not lost in 1 - 0.999... */
	if (length < mean) {
		for (unsigned i = 0; i <= length; i++)
			sum += size_chain_share(entries_per_bucket, i);
		return sum > 1 ? 0 : 1 - sum;
	}
	for (unsigned i = length + 1; i <= length + 1000; i++) {
		double p = size_chain_share(entries_per_bucket, i);

		sum += p;
		if (p < sum * 1e-12)
			break;
	}
	return sum;
}

double size_lookup_links(double entries_per_bucket)
{
	/* The one that is found, and half of the others in its chain. */
	return 1 + entries_per_bucket;
}

double size_insert_failure(double entries_per_bucket)
{
	double sum = 0;

	/* The walk gives up at link limit + 2, in the original's bucket or in the reply's. */
	for (unsigned limit = CHAIN_MIN; limit < CHAIN_MIN + CHAIN_RANDOM; limit++) {
		double longer = size_chain_longer(entries_per_bucket, limit + 1);

		sum += longer * (2 - longer);
	}
	return sum / CHAIN_RANDOM;
}

double size_early_drop_miss(double entries_per_bucket, double unassured)
{
	return exp(-EVICTION_BUCKETS * 2 * entries_per_bucket * unassured);
}
