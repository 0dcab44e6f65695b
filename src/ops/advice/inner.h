/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The inside of advice, shared by its files.
 */
#ifndef OPS_ADVICE_INNER_H
#define OPS_ADVICE_INNER_H

#include "ops/advice/advice.h"

#define ADVICE_MAX_STEPS 24

/* A step, and the run of whatif that tries it. */
struct trial {
	struct advice_step step;
	struct change change; /* of this step, or of all up to it */
	struct whatif *whatif;
	struct whatif_outcome outcome;
};

struct advice {
	const struct facts *f;
	const struct facts_netns *ns;
	struct report *r;
	struct advice_goal goal;
	uint64_t seed;
	struct trial trial[ADVICE_MAX_STEPS];
	size_t n;
	struct change none; /* growth alone */
	struct whatif *as_is;
	struct whatif_outcome grown;
	struct level now;
	double needed;
	const char *left_out[8];
	size_t n_left_out;
};

/* Steps worth trying. candidates.c */
void advice_candidates(struct advice *a);

/* A new step; null when there are enough. */
struct trial *advice_put(struct advice *a, enum advice_kind kind);

/* The limit and the buckets that @needed entries take, after all other steps. room.c */
void advice_room(struct advice *a);

/* Fills @l with @entries under the limit and buckets of the steps up to @upto. room.c */
void advice_level(const struct advice *a, double entries, double unassured, size_t upto,
		  struct level *l);

#endif
