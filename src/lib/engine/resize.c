/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Another number of buckets while the table is in use. Answers to Linux 6.18,
 * net/netfilter/nf_conntrack_core.c: nf_conntrack_hash_resize().
 *
 * The kernel stops all lookups and moves every link: old buckets in their order, each from its
 * head, to the head of its new chain. Here a bucket is moved when it is first asked for, and
 * besides a few more with each packet; because a bucket number is the hash scaled, not a
 * remainder, what belongs into one new bucket stood in a few old ones beside each other. Nothing
 * enters a bucket before it is moved, so its chain ends in the kernel's order.
 *
 * The new heads are not set at once either: a page of them is marked as not moved when the first of
 * them is wanted.
 */
#include <errno.h>
#include <string.h>

#include "lib/engine/chain.h"

enum { PAGE_HEADS = 1024, STEP = 2, MAX_BUCKETS = 268435455 };
/* A link of no entry: the bucket's links still hang in old ones. */
#define NOT_MOVED 1U

static size_t n_pages(uint32_t n)
{
	return ((size_t)n + PAGE_HEADS - 1) / PAGE_HEADS;
}

static void begin_page(struct chains *c, uint32_t page)
{
	uint32_t first = page * PAGE_HEADS, left = c->now.n - first;

	left = left > PAGE_HEADS ? PAGE_HEADS : left;
	for (uint32_t i = 0; i < left; i++)
		c->now.at[first + i] = NOT_MOVED;
	c->is_begun[page] = true;
}

/* The old bucket of the lowest hash that belongs into bucket @i of @n. */
static uint32_t first_source(uint32_t i, uint32_t n, uint32_t n_old)
{
	uint64_t lowest = (((uint64_t)i << 32) + n - 1) / n;

	return (uint32_t)(lowest * n_old >> 32);
}

/* Moves those links of an old bucket that belong into a new one. */
static void move_from(struct ct_engine *en, uint32_t *at, uint32_t bucket)
{
	struct chains *c = en->chains;

	while (*at) {
		uint32_t link = *at, *next = link_next(en, link);
		struct probe pr;

		ct_entry_probe(en, link >> 1, (enum ct_dir)(link & 1), &pr);
		if (ct_chain_bucket(en, pr.hash) != bucket) {
			at = next;
			continue;
		}
		*at = *next;
		*next = c->now.at[bucket];
		c->now.at[bucket] = link;
	}
}

static void heads_free(struct ct_engine *en, struct heads *h)
{
	ct_mem_free(en, h->at, (size_t)h->n * sizeof(*h->at));
	*h = (struct heads){ NULL, 0 };
}

void ct_resize_end(struct ct_engine *en)
{
	struct chains *c = en->chains;

	ct_mem_free(en, c->is_begun, n_pages(c->now.n));
	c->is_begun = NULL;
	heads_free(en, &c->old);
}

bool ct_resize_is_waiting(const struct ct_engine *en, uint32_t bucket)
{
	const struct chains *c = en->chains;

	return c->old.at && (!c->is_begun[bucket / PAGE_HEADS] || c->now.at[bucket] == NOT_MOVED);
}

void ct_resize_bucket(struct ct_engine *en, uint32_t bucket)
{
	struct chains *c = en->chains;
	uint32_t last;

	if (!ct_resize_is_waiting(en, bucket))
		return;
	if (!c->is_begun[bucket / PAGE_HEADS])
		begin_page(c, bucket / PAGE_HEADS);
	c->now.at[bucket] = 0;
	en->stats.moved++;
	last = bucket + 1 == c->now.n ? c->old.n - 1 : first_source(bucket + 1, c->now.n, c->old.n);
	for (uint32_t i = first_source(bucket, c->now.n, c->old.n); i <= last; i++)
		move_from(en, &c->old.at[i], bucket);
	if (--c->n_left == 0)
		ct_resize_end(en);
}

static void go_on(struct ct_engine *en, uint32_t n_buckets)
{
	struct chains *c = en->chains;

	while (c->old.at && n_buckets--)
		ct_resize_bucket(en, c->at++);
}

void ct_resize_step(struct ct_engine *en, unsigned n)
{
	if (en->chains->old.at)
		go_on(en, n * STEP);
}

static int chains_resize(struct ct_engine *en, uint32_t n)
{
	struct chains *c = en->chains;
	struct heads more = { .n = n };
	uint8_t *is_begun;

	go_on(en, UINT32_MAX);
	more.at = ct_mem_alloc(en, (size_t)n * sizeof(*more.at), 64);
	is_begun = ct_mem_alloc(en, n_pages(n), 64);
	if (!more.at || !is_begun) {
		heads_free(en, &more);
		ct_mem_free(en, is_begun, n_pages(n));
		return -ENOMEM;
	}
	memset(is_begun, 0, n_pages(n));
	c->old = c->now;
	c->now = more;
	c->is_begun = is_begun;
	c->at = 0;
	c->n_left = n;
	return 0;
}

int ct_engine_set_buckets(struct ct_engine *en, uint32_t buckets)
{
	if (buckets == 0)
		return -EINVAL;
	if (buckets > MAX_BUCKETS)
		return -ERANGE;
	buckets = ct_chains_round(buckets);
	en->cfg.buckets = buckets;
	return en->chains && buckets != en->chains->now.n ? chains_resize(en, buckets) : 0;
}
