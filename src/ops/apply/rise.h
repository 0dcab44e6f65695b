/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Counters that tell of trouble, and whether they rise faster than they may.
 */
#ifndef OPS_APPLY_RISE_H
#define OPS_APPLY_RISE_H

#include "ops/apply/step.h"

/* Of all namespaces a change writes in, and the one we run in; sums that only grow. */
struct rise {
	int64_t at_ms;
	uint64_t drop;	  /* packets for which the tracker had no place, and failed insertions */
	uint64_t invalid; /* packets it could make nothing of */
	uint64_t reset;	  /* TCP connections reset here, by either side */
};

/* Reads them; what cannot be read counts as nothing. */
void rise_read(struct site *s, const struct journal *j, struct rise *out);

/* The first of @limits (absolute, a second) that was passed from @a to @b, as a sentence into @why;
 * false when none was. */
bool rise_exceeds(const struct rise *a, const struct rise *b, const struct journal_bounds *limits,
		  char why[160]);

/* What may be from now on: what rises anyway from @a to @b, and @more. 0 in @more stays 0. */
void rise_limits(const struct rise *a, const struct rise *b, const struct journal_bounds *more,
		 struct journal_bounds *out);

#endif
