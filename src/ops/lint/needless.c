/* SPDX-License-Identifier: BSD-2-Clause
 *
 * LN8: matches on states without which no packet meets another fate. As long as one rule asks for
 * a state, the kernel tracks everything.
 */
#include <string.h>

#include "ops/lint/linting.h"

/* More than that, each a proof of its own, would take too long. */
#define MAX_TRIED 64

/* So many of them are shown. */
#define MAX_SHOWN 8

struct trying {
	struct linting *l;
	struct finding *x; /* one for all */
	ct_dd fates[N_WAYS];
	unsigned n_tried, n_needless, n_matches;
};

static bool is_same(struct trying *t)
{
	for (unsigned way = 0; way < N_WAYS; way++)
		if (ct_proof_fates(t->l->p, t->l->rules, (enum ct_way_kind)way) != t->fates[way])
			return false;
	return true;
}

/* Rules that only count or log decide nothing with any match. */
static bool decides(const struct ct_rule *r)
{
	return r->verdict != CT_RULE_CONTINUE && !(r->verdict == CT_RULE_EXT && r->target->def &&
						   r->target->def->target == ct_target_pass);
}

static void try_rule(struct trying *t, const struct ct_stand *s)
{
	const struct ct_rule_ext *match = ct_proof_state_match(s->rule);
	bool is_needless;

	if (!match || !decides(s->rule))
		return;
	t->n_matches++;
	if (t->n_tried >= MAX_TRIED)
		return;
	t->n_tried++;
	ct_proof_ignore(t->l->p, match);
	is_needless = is_same(t);
	ct_proof_ignore(t->l->p, NULL);
	if (!is_needless)
		return;
	if (t->n_needless++ == 0)
		t->x = lint_add(t->l, SEVERITY_NOTE,
				"Matches on states without which no packet meets another fate.");
	if (t->n_needless <= MAX_SHOWN)
		lint_show_rule(t->l, t->x, "needless in", s);
}

static void try_each(struct trying *t)
{
	for (const struct ct_rule_table *table = t->l->rules->tables; table; table = table->next)
		for (const struct ct_rule_chain *c = table->chains; c; c = c->next)
			for (const struct ct_rule *r = c->first; r; r = r->next)
				try_rule(t, &(struct ct_stand){ table->name, c, r });
	if (!t->x)
		return;
	finding_evidence(t->l->r, t->x, "found", "", "%u of %u tried, %u in all", t->n_needless,
			 t->n_tried, t->n_matches);
	t->x->remedy = "Take them out one by one: each is needless beside the others, perhaps not "
		       "without them.";
}

/* All of them together. */
static bool try_all(struct trying *t)
{
	struct linting *l = t->l;
	struct finding *x;
	bool is_needless;

	ct_proof_ignore_states(l->p, true);
	is_needless = is_same(t);
	ct_proof_ignore_states(l->p, false);
	if (!is_needless)
		return false;
	x = lint_add(l, SEVERITY_WARNING,
		     "No packet's fate hangs on a state, yet all are tracked.");
	if (!x)
		return true;
	finding_evidence(l->r, x, "the rules", "", "%s", l->name);
	x->cause = "As long as one rule asks for a state the kernel tracks every connection, and "
		   "the table can fill, for nothing.";
	x->remedy = "Take the matches on states out of the rules. Once no rule asks for one and "
		    "none translates, the kernel stops tracking by itself.";
	return true;
}

static bool has_states(const struct ct_ruleset *rs)
{
	for (const struct ct_rule_table *t = rs->tables; t; t = t->next)
		for (const struct ct_rule_chain *c = t->chains; c; c = c->next)
			for (const struct ct_rule *r = c->first; r; r = r->next)
				if (ct_proof_state_match(r))
					return true;
	return false;
}

void lint_needless(struct linting *l)
{
	struct trying t = { .l = l };

	if (!has_states(l->rules))
		return;
	for (unsigned way = 0; way < N_WAYS; way++)
		t.fates[way] = ct_proof_fates(l->p, l->rules, (enum ct_way_kind)way);
	if (!try_all(&t))
		try_each(&t);
}
