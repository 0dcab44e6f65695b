/* SPDX-License-Identifier: BSD-2-Clause
 *
 * LN2: packets that come through as long as they are tracked, and die because they are not: a
 * rule that accepts NEW or ESTABLISHED matches no untracked packet.
 */
#include "ops/lint/linting.h"

/* The rule that let the packet through while it was tracked. */
static struct ct_stand accepted_by(struct linting *l, const struct ct_witness *w)
{
	struct ct_trail t;

	ct_proof_track_all(l->p, true);
	ct_proof_trail(l->p, l->rules, w, &t);
	ct_proof_track_all(l->p, false);
	return t.decided;
}

static const char *chain_of(const struct ct_trail *t)
{
	static const char *const names[] = { "PREROUTING", "INPUT", "FORWARD", "OUTPUT",
					     "POSTROUTING" };

	return names[t->at];
}

static const char *accept_rule(struct linting *l, const struct ct_class *c,
			       const struct ct_trail *t)
{
	char text[256];
	struct ct_text words;

	ct_text_init(&words, text, sizeof(text));
	ct_class_rule(l->p, c, &words);
	return report_text(
		l->r,
		"Accept untracked packets where tracked ones are accepted, before the rule "
		"that ends them:\n%s -I %s%s -m conntrack --ctstate UNTRACKED -j ACCEPT",
		lint_tool(l), t->decided.chain ? t->decided.chain->name : chain_of(t), text);
}

static void say(struct linting *l, const struct ct_class *c, const struct ct_witness *w, void *user)
{
	struct ct_stand was = accepted_by(l, w);
	struct ct_trail t;
	struct finding *x;

	(void)user;
	ct_proof_trail(l->p, l->rules, w, &t);
	if (lint_is_told(l, t.untracked.rule, t.decided.rule))
		return;
	x = lint_add(l, SEVERITY_CRITICAL, "Untracked packets die in %s: %s.", chain_of(&t),
		     lint_class(l, c));
	lint_show_rule(l, x, "untracked by", &t.untracked);
	lint_show_rule(l, x, "tracked, accepted by", &was);
	lint_show_rule(l, x, "ended by", &t.decided);
	lint_show_class(l, x, c, w);
	if (!x)
		return;
	x->cause = "State rules (NEW, ESTABLISHED) do not match a packet that was not tracked; it "
		   "falls through to whatever comes last.";
	x->remedy = accept_rule(l, c, &t);
}

void lint_dropped(struct linting *l)
{
	struct ct_dds *d = ct_proof_dds(l->p);

	for (unsigned i = 0; i < N_WAYS; i++) {
		enum ct_way_kind way = (enum ct_way_kind)i;
		ct_dd set = ct_proof_untracked(l->p, l->rules, way), fates, tracked;

		if (set == CT_DD_FALSE)
			continue;
		fates = ct_proof_fates(l->p, l->rules, way);
		ct_proof_track_all(l->p, true);
		tracked = ct_proof_fates(l->p, l->rules, way);
		ct_proof_track_all(l->p, false);
		set = ct_dd_and(d, set, ct_proof_accepted(l->p, tracked));
		set = ct_dd_less(d, set, ct_proof_accepted(l->p, fates));
		set = ct_dd_less(d, set, ct_field_is(d, CT_FIELD_STATE, CT_PROOF_INVALID));
		lint_each_class(l, ct_proof_possible(l->p, l->rules, way, set), way, say, NULL);
	}
}
