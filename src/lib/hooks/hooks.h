/* SPDX-License-Identifier: BSD-2-Clause
 *
 * A packet's whole way: reassembly, raw, tracker, mangle, nat, filter, security at each hook it
 * passes, then confirm. Translations are not carried out yet: where a rule asks for one, the
 * outcome depends on it.
 */
#ifndef CT_HOOKS_HOOKS_H
#define CT_HOOKS_HOOKS_H

#include <conntune/defrag.h>
#include <conntune/engine.h>
#include <conntune/ruleset.h>

#include "lib/hooks/route.h"

struct ct_hooks {
	struct ct_engine *engine;	    /* borrowed; null: nothing is tracked */
	struct ct_defrag *defrag;	    /* borrowed; null: fragments stay what they are */
	struct ct_ruleset *rules4, *rules6; /* borrowed; null: no rules */
	struct ct_router router;
};

/* How a packet came. */
struct ct_way {
	const char *in; /* the interface; null when it is not told, or when the packet is sent */
	bool is_sent;	/* by the host: begins at OUTPUT */
};

/* Where a packet ended and why. */
struct ct_passage {
	enum ct_rule_fate fate;
	bool is_through;   /* it came to its receiver, or out of the machine */
	bool is_waiting;   /* a fragment that waits for the others */
	const char *table; /* where it ended; null: in the tracker or in routing */
	enum ct_at at;	   /* the last hook it came to */
	bool is_tracked;   /* it came past the tracker, which looked at it or was told not to */
	struct ct_routed way_on; /* where routing sent it, as far as it came there */
	const char *depends_on;	 /* as in struct ct_rule_outcome; the first doubt on its way */
	const char *depends_table;
	uint32_t depends_line, line;
	uint32_t mark;
};

/* Carries @p, which ct_packet_receive() took, along its way at @now. Counts
 * in the rule sets; confirms or releases its entry. */
void ct_hooks_packet(struct ct_hooks *h, struct ct_packet *p, const struct ct_way *way, ct_time now,
		     struct ct_passage *out);

#endif
