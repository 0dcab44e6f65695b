/* SPDX-License-Identifier: BSD-2-Clause
 *
 * How long an entry has been silent, and whether it would still stand under other timeouts.
 *
 * Each accepted packet sets what remains to the timeout of the entry's kind, so timeout less what
 * remains is the time since. Whole seconds: what remains is rounded down by the kernel, so an idle
 * time of n means n to n + 1 seconds, and the entry stands under a timeout T iff n < T.
 */
#ifndef OPS_WHATIF_IDLE_H
#define OPS_WHATIF_IDLE_H

#include "ops/whatif/slot.h"

/* Whether the inversion holds. In all cases but the first two the entry counts as staying. */
enum whatif_certainty {
	WHATIF_SURE,
	WHATIF_EITHER,	/* two clocks are possible, with different answers or not */
	WHATIF_LONGER,	/* more remains than the setting gives: an older setting, or a policy */
	WHATIF_FIXED,	/* FIXED_TIMEOUT: packets do not touch it */
	WHATIF_OFFLOAD, /* in a flow table, whose own timer rules it */
	WHATIF_UNAGED,	/* no remaining time, no state or no setting known */
	WHATIF_CERTAINTIES
};

struct whatif_idle {
	enum whatif_slot slot;
	enum whatif_certainty certainty;
	uint32_t full_s;       /* the timeout it was given, 0 unknown */
	uint32_t then_s;       /* that it would be given */
	uint32_t idle_s;       /* when sure; by the likelier clock when either */
	bool stands;	       /* would stand under the other timeouts */
	bool stands_otherwise; /* by the other clock; equal to stands unless EITHER */
};

/* Judges @e, whose table runs on @now, under @then. */
void whatif_idle_of(const struct ct_entry *e, const struct whatif_timeouts *now,
		    const struct whatif_timeouts *then, struct whatif_idle *out);

#endif
