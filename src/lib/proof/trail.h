/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The rules that one packet of a proof meets: where it ends, and which rule untracked it.
 */
#ifndef CT_PROOF_TRAIL_H
#define CT_PROOF_TRAIL_H

#include "lib/proof/classes.h"

struct ct_rule;
struct ct_rule_chain;

/* A rule in its chain; a null rule is the chain's policy, a null chain none. */
struct ct_stand {
	const char *table;
	const struct ct_rule_chain *chain;
	const struct ct_rule *rule;
};

struct ct_trail {
	enum ct_rule_fate fate;
	enum ct_at at;		   /* where it ended, or was last accepted */
	struct ct_stand decided;   /* by what: of filter, when it came through */
	struct ct_stand untracked; /* what kept it from the tracker */
	struct ct_stand translated;
};

/* Follows @w along its way through @rs. Choices count as false. */
void ct_proof_trail(struct ct_proof *p, const struct ct_ruleset *rs, const struct ct_witness *w,
		    struct ct_trail *out);

/* "line 12: -A INPUT -j REJECT", or "policy DROP of INPUT". */
void ct_stand_text(const struct ct_ruleset *rs, const struct ct_stand *s, struct ct_text *to);

#endif
