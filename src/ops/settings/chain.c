/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What the ratio of entries to buckets does: chains, refused insertions, early drop; see size.h.
 *
 * Every entry stands in two buckets drawn at random, so a bucket's chain is Poisson distributed
 * with mean 2 n / b.
 */
#include <errno.h>
#include <math.h>

#include "ops/settings/size.h"

/* __nf_conntrack_confirm(): MIN_CHAINLEN + random below MAX_CHAINLEN. */
#define CHAIN_MIN	 50
#define CHAIN_MAX	 79
/* the same before the limit was widened */
#define CHAIN_MIN_SHORT	 8
#define CHAIN_MAX_SHORT	 31
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

/* The releases that had the short limit: [since, until). */
static const struct {
	uint32_t since, until;
} short_limits[] = {
	{ RELEASE(5, 15, 1), RELEASE(5, 15, 103) },
	{ RELEASE(5, 16, 0), RELEASE(6, 1, 0) },
	{ RELEASE(6, 1, 1), RELEASE(6, 1, 20) },
	{ RELEASE(6, 2, 1), RELEASE(6, 2, 7) },
};

int size_chain_limit(uint32_t release, unsigned *min, unsigned *max)
{
	if (release && release < RELEASE(5, 15, 0))
		return -ENOENT;
	*min = CHAIN_MIN;
	*max = CHAIN_MAX;
	for (size_t i = 0; i < sizeof(short_limits) / sizeof(short_limits[0]); i++) {
		if (release < short_limits[i].since || release >= short_limits[i].until)
			continue;
		*min = CHAIN_MIN_SHORT;
		*max = CHAIN_MAX_SHORT;
	}
	return 0;
}

double size_insert_failure_on(uint32_t release, double entries_per_bucket)
{
	unsigned min, max;
	double sum = 0;

	if (size_chain_limit(release, &min, &max) < 0)
		return 0;
	/* The walk gives up at link limit + 2, in the original's bucket or in the reply's. */
	for (unsigned limit = min; limit <= max; limit++) {
		double longer = size_chain_longer(entries_per_bucket, limit + 1);

		sum += longer * (2 - longer);
	}
	return sum / (max - min + 1);
}

double size_insert_failure(double entries_per_bucket)
{
	return size_insert_failure_on(0, entries_per_bucket);
}

double size_early_drop_miss(double entries_per_bucket, double unassured)
{
	return exp(-EVICTION_BUCKETS * 2 * entries_per_bucket * unassured);
}
