/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The rules of a long chain by what they ask of addresses, protocol and ports, so that a packet
 * meets only those that can be true of it, in their order. Which rules match, and so what they
 * count and do, is the same as in a walk through all of them: what is left out would have been
 * false by the rule's own addresses or by its first match, which no other part of it precedes.
 */
#ifndef CT_RULESET_INDEX_H
#define CT_RULESET_INDEX_H

#include "lib/ruleset/eval.h"

#define CT_MAX_SHAPES 24

/* The rules that a packet may meet in a chain: a list of numbers for each shape, and one of rules
 * that ask for nothing that is indexed. */
struct ct_rule_heads {
	const uint32_t *at[CT_MAX_SHAPES + 1], *end[CT_MAX_SHAPES + 1];
	const struct ct_rule_index *index;
	unsigned n;
};

/* Makes the index of a chain, if it is long enough to have one. -ENOMEM. */
int ct_rule_index_make(struct ct_ruleset *rs, struct ct_rule_chain *c);

/* False for packets whose headers are too short or broken: they must meet every rule. */
bool ct_rule_index_fits(const struct ct_judging *j);

/* The rules of the chain that @j's packet may meet. */
void ct_rule_index_find(const struct ct_rule_index *index, const struct ct_judging *j,
			struct ct_rule_heads *heads);

/* The first of them with a number of at least @from, or null. Numbers only grow. */
struct ct_rule *ct_rule_index_next(struct ct_rule_heads *heads, uint32_t from);

#endif
