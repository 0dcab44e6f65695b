/* SPDX-License-Identifier: BSD-2-Clause
 *
 * LN7: packets on their way through are dropped for being INVALID. Where the two directions of a
 * connection take different routers, its packets are INVALID in good health.
 */
#include "ops/lint/linting.h"

static void say(struct linting *l, const struct ct_class *c, const struct ct_witness *w, void *user)
{
	bool *is_said = user;
	struct ct_trail t;
	struct finding *x;

	ct_proof_trail(l->p, l->rules, w, &t);
	if (*is_said || !t.decided.rule || !ct_proof_state_match(t.decided.rule))
		return;
	*is_said = true;
	x = lint_add(l, SEVERITY_NOTE, "INVALID packets on their way through are dropped.");
	lint_show_rule(l, x, "ended by", &t.decided);
	lint_show_class(l, x, c, w);
	if (!x)
		return;
	x->cause = "With two routers, or two links, answers may come back another way: each router "
		   "sees half of a connection and calls it INVALID.";
	x->remedy = "Drop INVALID only where both directions surely pass, or set "
		    "nf_conntrack_tcp_be_liberal=1 there.";
}

void lint_invalid(struct linting *l)
{
	struct ct_dds *d = ct_proof_dds(l->p);
	ct_dd fates, set;
	bool is_said = false;

	if (!ct_proof_tracks(l->rules))
		return;
	fates = ct_proof_fates(l->p, l->rules, CT_WAY_FORWARDED);
	set = ct_dd_not(d, ct_proof_accepted(l->p, fates));
	set = ct_dd_and(d, set, ct_field_is(d, CT_FIELD_STATE, CT_PROOF_INVALID));
	lint_each_class(l, set, CT_WAY_FORWARDED, say, &is_said);
}
