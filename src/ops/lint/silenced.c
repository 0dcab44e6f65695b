/* SPDX-License-Identifier: BSD-2-Clause
 *
 * LN3: packets that a rule of the nat table would translate, were they not kept from the tracker:
 * NAT works on entries, and these have none.
 */
#include "ops/lint/linting.h"

static void say(struct linting *l, const struct ct_class *c, const struct ct_witness *w, void *user)
{
	struct ct_trail untracked, tracked;
	struct finding *x;

	(void)user;
	ct_proof_trail(l->p, l->rules, w, &untracked);
	ct_proof_track_all(l->p, true);
	ct_proof_trail(l->p, l->rules, w, &tracked);
	ct_proof_track_all(l->p, false);
	if (lint_is_told(l, untracked.untracked.rule, tracked.translated.rule))
		return;
	x = lint_add(l, SEVERITY_CRITICAL, "NOTRACK silences a translation: %s.", lint_class(l, c));
	lint_show_rule(l, x, "untracked by", &untracked.untracked);
	lint_show_rule(l, x, "translates", &tracked.translated);
	lint_show_class(l, x, c, w);
	if (!x)
		return;
	x->cause = "A translation is kept in the connection's entry; a packet without one passes "
		   "the nat table by.";
	x->remedy = "Leave these packets tracked, or do without the translation: what needs NAT "
		    "or REDIRECT cannot be untracked.";
}

/* What a rule before would end is not translated either. */
static ct_dd come_through(struct linting *l, enum ct_way_kind way)
{
	ct_dd fates;

	ct_proof_track_all(l->p, true);
	fates = ct_proof_fates(l->p, l->rules, way);
	ct_proof_track_all(l->p, false);
	return ct_proof_accepted(l->p, fates);
}

void lint_silenced(struct linting *l)
{
	struct ct_dds *d = ct_proof_dds(l->p);

	for (unsigned i = 0; i < N_WAYS; i++) {
		enum ct_way_kind way = (enum ct_way_kind)i;
		ct_dd set = ct_proof_translated(l->p, l->rules, way);

		if (set == CT_DD_FALSE)
			continue;
		set = ct_dd_and(d, set, ct_proof_untracked(l->p, l->rules, way));
		set = ct_dd_and(d, set, come_through(l, way));
		lint_each_class(l, set, way, say, NULL);
	}
}
