/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Base chains of nft at a hook, by rising priority; of equal ones the later registered first.
 * Answers to Linux 6.18, net/netfilter/core.c, nf_hook_entries_grow(), and nf_nat_core.c,
 * nf_nat_register_fn(): chains of NAT stand in a list of their own, which the kernel's hooks of NAT
 * walk.
 */
#include <stdint.h>

#include "lib/hooks/walk.h"

static bool is_for(const struct passing *g, const struct ct_base_chain *b, bool is_nat)
{
	return b->at == g->at && (b->type == CT_CHAIN_NAT) == is_nat &&
	       (!b->family || b->family == g->p->family);
}

/* Whether a chain comes behind the place where the walk stands. */
static bool is_behind(const struct bases_at *at, int32_t priority, unsigned i)
{
	if (!at->has_begun || priority > at->priority)
		return true;
	return priority == at->priority && i < at->i;
}

/* The next chain that is not beyond @last; false when there is none. */
static bool next(const struct passing *g, struct bases_at *at, bool is_nat, int64_t last,
		 struct ct_base_chain *out)
{
	struct bases_at best = { .has_begun = false };
	struct ct_base_chain b;

	for (unsigned i = 0; ct_ruleset_base(g->h->rules_nft, i, &b); i++) {
		if (!is_for(g, &b, is_nat) || b.priority > last || !is_behind(at, b.priority, i))
			continue;
		/* Of equal ones the one with the highest number. */
		if (best.has_begun && b.priority > best.priority)
			continue;
		best = (struct bases_at){ .priority = b.priority, .i = i, .has_begun = true };
		*out = b;
	}
	if (best.has_begun)
		*at = best;
	return best.has_begun;
}

bool ct_walk_bases(struct passing *g, struct bases_at *at, int32_t priority, bool is_through)
{
	int64_t last = is_through ? priority : (int64_t)priority - 1;
	struct ct_rule_outcome o;
	struct ct_base_chain b;

	while (next(g, at, false, last, &b))
		if (ct_ruleset_judge_base(g->h->rules_nft, at->i, &g->r, &o) == 0 &&
		    !ct_walk_apply(g, b.table, &o))
			return false;
	return true;
}

bool ct_walk_nat_bases(struct passing *g, struct bases_at *at, int32_t priority,
		       struct ct_rule_outcome *o)
{
	struct ct_base_chain b;

	while (g->h->rules_nft && next(g, at, true, priority, &b)) {
		if (ct_ruleset_judge_base(g->h->rules_nft, at->i, &g->r, o) < 0)
			continue;
		if (!ct_walk_apply(g, b.table, o))
			return false;
		if (o->nat)
			break;
	}
	return true;
}

bool ct_walk_has_nat_base(const struct passing *g)
{
	struct ct_base_chain b;

	for (unsigned i = 0; g->h->rules_nft && ct_ruleset_base(g->h->rules_nft, i, &b); i++)
		if (b.type == CT_CHAIN_NAT && (!b.family || b.family == g->p->family))
			return true;
	return false;
}
