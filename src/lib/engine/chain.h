/* SPDX-License-Identifier: BSD-2-Clause
 *
 * How the chains of kernel fidelity lie in memory: see chain.c and resize.c.
 */
#ifndef CT_ENGINE_CHAIN_H
#define CT_ENGINE_CHAIN_H

#include "lib/engine/engine.h"

/* The first link of each bucket. */
struct heads {
	uint32_t *at;
	uint32_t n;
};

struct chains {
	struct heads now, old; /* old: what is still to be moved from, while a resize goes on */
	uint8_t *is_begun;     /* for each page of now: do its heads say anything? */
	uint32_t at;	       /* the bucket of now to go on with */
	uint32_t n_left;       /* buckets not moved yet */
};

static inline uint32_t link_of(uint32_t number, enum ct_dir dir)
{
	return number << 1 | (uint32_t)dir;
}

static inline uint32_t ref_of(uint32_t link)
{
	return link >> 1 | (link & 1 ? REF_REPLY : 0);
}

static inline uint32_t *link_next(const struct ct_engine *en, uint32_t link)
{
	uint32_t number = link >> 1;

	return &pool_chunk(en->pools, number)->link[number & CHUNK_MASK][link & 1];
}

/* reciprocal_scale(), not a remainder */
static inline uint32_t bucket_of(uint64_t hash, uint32_t n)
{
	return (uint32_t)((hash >> 32) * n >> 32);
}

/* Where a bucket's chain begins. While a resize goes on, what belongs there is moved first. */
static inline uint32_t *chain_head(struct ct_engine *en, uint32_t bucket)
{
	if (__builtin_expect(en->chains->old.at != NULL, 0))
		ct_resize_bucket(en, bucket);
	return &en->chains->now.at[bucket];
}

static inline uint32_t *chain_home(struct ct_engine *en, uint64_t hash)
{
	return chain_head(en, bucket_of(hash, en->chains->now.n));
}

#endif
