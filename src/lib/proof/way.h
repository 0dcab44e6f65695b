/* SPDX-License-Identifier: BSD-2-Clause
 *
 * A way through the hooks as a list of steps, and one table on it.
 */
#ifndef CT_PROOF_WAY_H
#define CT_PROOF_WAY_H

#include "lib/proof/session.h"

enum ct_step_kind {
	CT_STEP_TABLE,
	CT_STEP_TRACKER,
	CT_STEP_DST_NAT,
	CT_STEP_SRC_NAT,
};

struct ct_way_step {
	enum ct_step_kind kind;
	const char *table; /* not of the tracker */
	enum ct_at at;
	bool is_before_tracker;
};

/* The steps of a way, first to last. */
const struct ct_way_step *ct_way_steps(enum ct_way_kind way, unsigned *n);

/* The chain of the kernel in table @table at a hook, and its table in @in; null when there is none.
 */
const struct ct_rule_chain *ct_table_base(const struct ct_ruleset *rs, const char *table,
					  enum ct_at at, const struct ct_rule_table **in);

/* What a table makes of the packets that come to a step: @next where it lets them go on. In the
 * nat table a rule that translates makes leaves marked with its number. */
ct_dd ct_table_fates(struct ct_proof *p, const struct ct_ruleset *rs,
		     const struct ct_way_step *step, enum ct_way_kind way, ct_dd next);

#endif
