/* SPDX-License-Identifier: BSD-2-Clause
 *
 * One stream of traffic through many engines at once, each under other settings, and which of the
 * outcomes no other one beats.
 *
 * The traffic is read once, in pieces that are copied; while all processors work on one piece, the
 * next is read. Engines share nothing.
 */
#ifndef OPS_SWEEP_SWEEP_H
#define OPS_SWEEP_SWEEP_H

#include "ops/settings/size.h"
#include "ops/sweep/grid.h"

/* What came of one run. */
struct sweep_result {
	unsigned run;	   /* of the grid */
	unsigned untracks; /* bits of the classes that were not tracked */
	uint32_t max, buckets;
	struct sim_outcome outcome;
	uint64_t n_untracked;  /* packets */
	uint64_t n_drops;      /* packets whose connection found no room */
	uint64_t n_early;      /* entries that gave way to others */
	uint64_t n_refused;    /* entries not inserted: clash, or chain too long */
	uint64_t n_broken;     /* sessions */
	uint64_t n_forgotten;  /* as many more there may be */
	uint64_t memory_bytes; /* of the peak */
	bool is_best;	       /* no other is as good in all, and better in one */
};

/* Where frames come from: 1, 0 at the end, negative with a sentence. The frame lives until the
 * next call. */
typedef int sweep_next_fn(void *user, struct frame *out, struct ct_err *err);

struct sweep_options {
	const struct grid *grid;
	const struct change *classes;	/* only its notrack; borrowed */
	struct ct_engine_config engine; /* what is the same in all runs */
	struct size_machine machine;	/* for the memory */
	struct size_entry entry;
	unsigned n_threads; /* at least 1 */
	bool has_sessions;  /* the traffic tells which sessions break */
	sweep_next_fn *next;
	void *traffic;
	/* Is told now and then how many frames there were and up to what time; may be null. */
	void (*progress)(void *user, uint64_t n_frames, ct_time span);
	void *user;
};

/* Runs all; @out gets @out_n results in the order of the grid, freed by the caller. A broken
 * capture is -EBADMSG with a sentence, and the results are of what came before it. Another error
 * gives none. */
int sweep_run(const struct sweep_options *o, struct sweep_result **out, unsigned *out_n,
	      struct ct_err *err);

/* Marks those that no other beats: in drops, refusals, early drops, peak, broken sessions and
 * memory. */
void sweep_mark_best(struct sweep_result *r, unsigned n);

#endif
