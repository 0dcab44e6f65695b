/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What a number of entries means to a machine: share of the limit, chains, memory, chances.
 */
#ifndef OPS_WHATIF_LEVEL_H
#define OPS_WHATIF_LEVEL_H

#include "ops/facts/facts.h"

struct level {
	double entries;	  /* that want to be there; more than max do not fit */
	double unassured; /* of these, what early drop may take */
	double elsewhere; /* in other namespaces, which share the buckets */
	uint64_t max;	  /* 0 no limit */
	uint64_t buckets; /* 0 unknown */
	bool is_max_known;
	/* reckoned */
	double fill;	   /* of max */
	double per_bucket; /* entries of all namespaces */
	double lookup_links;
	double dropped;	     /* chance that a new connection is dropped for a full table */
	double dropped_full; /* that chance in the moments when it is full */
	double refused;	     /* chance that it is refused for a long chain */
	double homeless;     /* share of the entries that finds no place, 0 to 1 */
	struct size_cost cost, cost_full;
};

/* Fills the second half of @l from its first. */
void level_reckon(struct level *l, const struct size_machine *m, const struct size_entry *e);

#endif
