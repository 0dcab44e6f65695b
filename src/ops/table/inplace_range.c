/* SPDX-License-Identifier: BSD-2-Clause
 *
 * A range of buckets, read until it was read right. The programs say when chains changed while
 * they were followed; such a run counts for nothing. It is repeated, in smaller pieces when that
 * happens again, so every entry that was there all the time is read exactly once.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "ops/host/netns.h"
#include "ops/table/inplace.h"

#define GOOD_NODES (WALK_MAX_ENTRIES / 2)
#define SURE_NODES 16	/* so many do not all end by chance while the table is read */
#define MAX_TRIES  100u /* of one bucket that changes all the time */
#define REST_MS	   10
#define MAX_RESTS  200u /* a table of millions is resized in that time */

uint32_t inplace_step(uint32_t step, uint32_t n_nodes)
{
	if (n_nodes < GOOD_NODES / 2 && step < WALK_MAX_BUCKETS)
		return step * 2;
	if (n_nodes > GOOD_NODES + GOOD_NODES / 2 && step > 1)
		return step / 2;
	return step;
}

int inplace_read(struct inplace *p, struct inplace_range *r)
{
	uint32_t size = r->upto - r->from;
	unsigned tries = 0;

	while (r->from < r->upto) {
		uint32_t left = r->upto - r->from;
		struct walk_args a = { .slot = r->slot,
				       .from = r->from,
				       .upto = r->from + (size < left ? size : left),
				       .netns = r->netns,
				       .want = r->want };
		int code = inplace_walk(p, &a);

		if (code < 0 || a.result == WALK_NONE)
			return code < 0 ? code : -EINVAL;
		if (a.result == WALK_RESIZED) {
			r->is_resized = true;
			return 0;
		}
		if (a.n_bad == 0 && a.result == WALK_DONE) {
			r->from = a.upto;
			tries = 0;
			if (!r->take(r->user, r, &a))
				return 0;
			continue;
		}
		/* Once more as it is, as it is rare; then less at a time. */
		tries++;
		r->n_again++;
		if (a.result == WALK_FULL || tries > 1)
			size = size > 1 ? size / 2 : 1;
		if (size == 1 && (tries >= MAX_TRIES || a.result == WALK_FULL)) {
			r->n_unsure++;
			r->from++;
			tries = 0;
		}
	}
	return 0;
}

/* How many entries the buckets [from, upto) hold; -1 when the table is another one now. */
static int64_t count_nodes(struct inplace *p, unsigned slot, uint32_t from, uint32_t upto)
{
	struct walk_args a = { .slot = slot, .from = from, .upto = upto, .want = WALK_WANT_NODES };

	if (inplace_walk(p, &a) < 0 || a.result == WALK_RESIZED)
		return -1;
	return a.result == WALK_DONE && a.n_bad == 0 ? a.n_nodes : SURE_NODES;
}

bool inplace_is_emptied(struct inplace *p, unsigned slot, uint32_t hashsize, uint32_t upto,
			uint32_t n_nodes)
{
	const struct timespec rest = { .tv_nsec = REST_MS * 1000000 };
	int64_t first, last = 0;

	if (n_nodes < SURE_NODES)
		return false;
	for (unsigned i = 0; i < MAX_RESTS; i++) {
		first = count_nodes(p, slot, 0, upto);
		if (first != 0)
			return first < 0;
		last = count_nodes(p, slot, hashsize - upto, hashsize);
		if (last < 0)
			return true;
		/* All of it may have been moved this moment. */
		if (last < SURE_NODES && i > 0)
			return false;
		(void)nanosleep(&rest, NULL);
	}
	return true;
}

void inplace_judge(bool is_resized, uint64_t n_unsure, struct table_info *out)
{
	out->is_whole = !is_resized && n_unsure == 0;
	if (is_resized)
		(void)snprintf(out->why_not, sizeof(out->why_not),
			       "the table was resized while it was read, entries are missing");
	else if (n_unsure)
		(void)snprintf(out->why_not, sizeof(out->why_not),
			       "%" PRIu64 " chains changed whenever they were read", n_unsure);
}

int inplace_hashsize(struct host *h, uint32_t *out, struct ct_err *err)
{
	static const char path[] = "/sys/module/nf_conntrack/parameters/hashsize";
	int64_t hashsize;

	if (host_read_i64(h, path, &hashsize) < 0 || hashsize <= 0 || hashsize > UINT32_MAX)
		return ct_err_set(err, -ENOENT,
				  "%s, which only root may read, does not tell the "
				  "size of the table",
				  path);
	*out = (uint32_t)hashsize;
	return 0;
}

/* Ticks a second: how far the clock that only ticks can be off. */
static uint32_t ticks_per_s(void)
{
	struct timespec tick;

	if (clock_getres(CLOCK_MONOTONIC_COARSE, &tick) < 0 || tick.tv_nsec <= 0)
		return 0;
	return (uint32_t)((1000000000 + tick.tv_nsec / 2) / tick.tv_nsec);
}

int inplace_learn(struct host *h, struct inplace_facts *out, struct ct_err *err)
{
	struct inplace_facts f = { .hz = ticks_per_s() };
	uint64_t netns;
	int r = inplace_hashsize(h, &f.hashsize, err);

	if (r < 0)
		return r;
	if (host_netns_inode(h, &netns) < 0 || netns > UINT32_MAX)
		return ct_err_set(err, -ENOENT, "the number of the namespace is not known");
	if (f.hz == 0)
		return ct_err_set(err, -ENOENT, "the kernel's ticks a second are not known");
	f.netns = (uint32_t)netns;
	*out = f;
	return 0;
}

unsigned inplace_n_walkers(struct host *h, bool is_parallel)
{
	unsigned n = 1;

	if (is_parallel && host_n_cpus(h, &n) == 0)
		return n < INPLACE_MAX_WALKERS ? n : INPLACE_MAX_WALKERS;
	return 1;
}
