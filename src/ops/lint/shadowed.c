/* SPDX-License-Identifier: BSD-2-Clause
 *
 * LN5: rules of the filter that ask for a state which the packets they are for never have, because
 * all of these are kept from the tracker. That they are lost is said by LN2, if they are.
 */
#include <string.h>

#include "ops/lint/linting.h"

static void say(struct linting *l, const struct ct_rule_table *t, const struct ct_rule_chain *c,
		const struct ct_rule *r)
{
	struct ct_stand s = { t->name, c, r };
	struct finding *x = lint_add(l, SEVERITY_NOTE,
				     "A rule in %s asks for the state of packets that are never "
				     "tracked.",
				     c->name);

	lint_show_rule(l, x, "the rule", &s);
	if (!x)
		return;
	x->cause = "All packets that fit its other matches were exempted by NOTRACK before: their "
		   "state is UNTRACKED.";
	x->remedy = "Let it match UNTRACKED packets (--ctstate UNTRACKED), or take it away.";
}

/* Judged on the ways that lead to the rule's chain. */
static bool is_shadowed(struct linting *l, const struct ct_rule_table *t,
			const struct ct_rule_chain *c, const struct ct_rule *r)
{
	static const struct {
		enum ct_at at;
		enum ct_way_kind way;
	} hooks[] = { { CT_AT_INPUT, CT_WAY_RECEIVED },
		      { CT_AT_FORWARD, CT_WAY_FORWARDED },
		      { CT_AT_OUTPUT, CT_WAY_SENT },
		      { CT_AT_INPUT, CT_WAY_LOOPED },
		      { CT_AT_OUTPUT, CT_WAY_LOOPED } };
	struct ct_dds *d = ct_proof_dds(l->p);
	bool is_met = false;

	for (size_t i = 0; i < sizeof(hooks) / sizeof(*hooks); i++) {
		ct_dd set, headers, domain = ct_proof_domain(l->p, hooks[i].way);

		if (!(c->hooks & 1u << hooks[i].at))
			continue;
		set = ct_proof_rule_packets(l->p, t, c, r, hooks[i].at, hooks[i].way);
		if (ct_dd_and(d, set, ct_field_is(d, CT_FIELD_STATE, CT_PROOF_UNTRACKED)) !=
		    CT_DD_FALSE)
			return false;
		headers = ct_dd_and(d, ct_proof_any(l->p, set, CT_FIELD_STATE, CT_FIELD_HAS_DNAT),
				    domain);
		if (headers == CT_DD_FALSE)
			continue;
		is_met = true;
		if (ct_dd_less(d, headers, ct_proof_untracked(l->p, l->rules, hooks[i].way)) !=
		    CT_DD_FALSE)
			return false;
	}
	return is_met;
}

void lint_shadowed(struct linting *l)
{
	for (const struct ct_rule_table *t = l->rules->tables; t; t = t->next) {
		if (strcmp(t->name, "filter") != 0)
			continue;
		for (const struct ct_rule_chain *c = t->chains; c; c = c->next)
			for (const struct ct_rule *r = c->first; r; r = r->next)
				if (ct_proof_state_match(r) && is_shadowed(l, t, c, r))
					say(l, t, c, r);
	}
}
