/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What the idle ages of one kind of entries say about another timeout: arithmetic, numbers in and
 * numbers out.
 *
 * In a settled table the number of entries with an idle age of a to a + da does not change, and
 * falls with a: an entry leaves an age by growing older, or by a packet. So
 * - under a shorter timeout T' there are as many as are younger than T' now;
 * - at the far end entries leave by time at density(T) a second. Where nothing but time ends them
 *   this is the rate of arrivals, and n = rate * T (Little's law);
 * - under a longer timeout at most density(T) * (T' - T) are added: all those that left and never
 *   spoke again. What is older than T now nobody can see.
 */
#ifndef OPS_WHATIF_STEADY_H
#define OPS_WHATIF_STEADY_H

#include "ops/whatif/slot.h"

#define STEADY_BINS 20

/* Idle ages from 0 to the timeout, in bins of equal width. */
struct steady_ages {
	uint64_t bin[STEADY_BINS];
	uint64_t n;
	uint32_t full_s;   /* the timeout */
	uint32_t oldest_s; /* of all seen */
};

void steady_add(struct steady_ages *a, uint32_t idle_s);

/* Entries that reach the timeout a second, and the number of entries this was counted from. The
 * widest span at the far end of which the ages are evenly spread is taken. */
double steady_leaving_per_s(const struct steady_ages *a, uint64_t *n_seen);

/* How old the table is for this kind: the oldest entry's age and one, when so many more would be
 * older in a settled table that chance does not explain it; else 0. Only where time ends them. */
uint32_t steady_horizon_s(const struct steady_ages *a, uint32_t oldest_s);

/* True when there is a gap in the ages that chance does not explain: the timeout was changed, or
 * nothing came for a while. */
bool steady_has_gap(const struct steady_ages *a);

/* What there would be. */
struct steady_forecast {
	double n;	  /* under the other timeout */
	double low, high; /* with what is not known, and twice the scatter of arrivals */
	double settled;	  /* with everything as it is, once settled */
	double leaving_per_s;
	bool is_young, goes_on; /* began lately; and evenly, so that it is taken to go on */
	bool is_beyond;		/* a longer timeout than the ages show */
};

/* @n entries of a kind that ends by @ends, of which @n_stand stand under @then_s; @n_low and
 * @n_high of these are not sure. @oldest_s: the oldest idle age that speaks for this kind. */
struct steady_question {
	const struct steady_ages *ages;
	enum whatif_ends ends;
	uint64_t n, n_stand, n_low, n_high;
	uint32_t then_s, oldest_s;
};
void steady_forecast(const struct steady_question *q, struct steady_forecast *out);

#endif
