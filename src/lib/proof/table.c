/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What a table of rules makes of all packets. A chain is walked from its last rule to its first:
 * what becomes of a packet at a rule is what the rule does where it fits, and what comes after it
 * elsewhere. Chains that change nothing of a packet are walked once and kept as a function whose
 * leaves say "goes back to the caller" and "leaves the table"; others are walked once for each
 * thing that comes after them.
 */
#include <stdlib.h>
#include <string.h>

#include "lib/proof/nat.h"
#include "lib/proof/way.h"

#define MAX_CALLS  512u /* deeper than the kernel's own limit nothing goes */
#define BACK	   CT_DD_LEAF(0x7ffffffe)
#define LEAVES	   CT_DD_LEAF(0x7fffffff)
#define OP_MARK	   0u
#define MARK_SHIFT 3u
#define MARK_BITS  12u
#define MAX_NUMBER ((1u << MARK_BITS) - 1)

/* What was found of a chain under what comes after it; with both 0: whether it changes packets. */
struct walked {
	const struct ct_rule_chain *chain;
	ct_dd back, leaves, fates;
};

struct walk {
	struct ct_place place;
	const struct ct_way_step *step;
	struct walked *walked; /* open addressing */
	uint32_t n_walked, room;
	unsigned depth;
};

static struct walked *walked_slot(struct walked *all, uint32_t room, const struct walked *w)
{
	uint64_t h = (uintptr_t)w->chain * UINT64_C(0x9e3779b97f4a7c15) ^ w->back * UINT64_C(31) ^
		     w->leaves;
	uint32_t at = (uint32_t)(h >> 32 ^ h) & (room - 1);

	while (all[at].chain && (all[at].chain != w->chain || all[at].back != w->back ||
				 all[at].leaves != w->leaves))
		at = (at + 1) & (room - 1);
	return &all[at];
}

static void remember(struct walk *w, const struct walked *what)
{
	if (2 * w->n_walked >= w->room) {
		uint32_t room = w->room ? w->room * 2 : 64;
		struct walked *all = calloc(room, sizeof(*all));

		if (!all)
			return; /* it is walked again then */
		for (uint32_t i = 0; i < w->room; i++)
			if (w->walked[i].chain)
				*walked_slot(all, room, &w->walked[i]) = w->walked[i];
		free(w->walked);
		w->walked = all;
		w->room = room;
	}
	*walked_slot(w->walked, w->room, what) = *what;
	w->n_walked++;
}

static uint32_t add_mark(void *user, uint32_t leaf, uint32_t mark)
{
	uint32_t fate = leaf & 7;

	(void)user;
	return fate == CT_FATE_ACCEPT || fate == CT_FATE_QUEUE ? leaf | mark : leaf;
}

/* A translation: what comes after the table sees the packet changed, and its leaves say so. */
static ct_dd translate(const struct walk *w, const struct ct_place *at, ct_dd next)
{
	bool is_dst = w->step->kind == CT_STEP_DST_NAT;
	struct ct_dd_subst *s = ct_nat_rule_changes(at, is_dst);
	char text[512];
	uint32_t number;

	ct_rule_ext_words(at->rule->target, text, sizeof(text));
	number = ct_words_number(&at->p->translations, text) + 1;
	if (!s || number == 0 || number > MAX_NUMBER) {
		at->p->is_out_of_memory = true;
		return CT_DD_FALSE;
	}
	return ct_dd_pair(at->p->d, ct_dd_replace(at->p->d, next, s),
			  CT_DD_LEAF(number << (MARK_SHIFT + (is_dst ? 0 : MARK_BITS))), OP_MARK,
			  add_mark, NULL);
}

static ct_dd chain_fates(struct walk *w, const struct ct_rule_chain *c, ct_dd back, ct_dd leaves);

/* A target that nobody here knows: the packet goes on, or is gone. */
static ct_dd unknown_target(const struct ct_place *at, ct_dd after)
{
	char text[512] = "gone by ";

	ct_rule_ext_words(at->rule->target, text + 8, sizeof(text) - 8);
	return ct_dd_ite(at->p->d, ct_proof_choice(at->p, text), CT_DD_LEAF(CT_FATE_DROP), after);
}

static ct_dd target_fates(struct walk *w, const struct ct_place *at, ct_dd after, ct_dd leaves)
{
	const struct ct_ext_def *def = at->rule->target->def;
	struct ct_dd_subst *s;

	if (ct_is_nat(at->rule) && def && w->step->kind != CT_STEP_TABLE)
		return translate(w, at, leaves);
	if (!def || !def->target || at->rule->target->is_opaque)
		return unknown_target(at, after);
	if (def->target == ct_target_reject)
		return CT_DD_LEAF(CT_FATE_REJECT);
	if (def->target == ct_target_queue)
		return CT_DD_LEAF(CT_FATE_QUEUE);
	s = ct_rule_effect(at);
	return s ? ct_dd_replace(at->p->d, after, s) : after;
}

/* What becomes of packets that a rule fits. */
static ct_dd rule_fates(struct walk *w, const struct ct_place *at, ct_dd after, ct_dd back,
			ct_dd leaves)
{
	switch ((enum ct_rule_verdict)at->rule->verdict) {
	case CT_RULE_CONTINUE:
		return after;
	case CT_RULE_ACCEPT:
		return leaves;
	case CT_RULE_DROP:
		return CT_DD_LEAF(CT_FATE_DROP);
	case CT_RULE_QUEUE:
		return CT_DD_LEAF(CT_FATE_QUEUE);
	case CT_RULE_RETURN:
		return back;
	case CT_RULE_JUMP:
		return chain_fates(w, at->rule->jump, at->rule->flags & CT_RULE_GOTO ? back : after,
				   leaves);
	case CT_RULE_EXT:
		break;
	}
	return target_fates(w, at, after, leaves);
}

/* Neighbours that do the same are one set: joined before they meet the rest. */
struct run {
	ct_dd fits, fates;
};

static ct_dd run_end(struct ct_dds *d, struct run *r, ct_dd after)
{
	ct_dd all = ct_dd_ite(d, r->fits, r->fates, after);

	r->fits = CT_DD_FALSE;
	return all;
}

static bool does_the_same(const struct ct_rule *r, ct_dd fates, const struct run *run)
{
	return run->fits == CT_DD_FALSE || (fates == run->fates && (r->verdict == CT_RULE_ACCEPT ||
								    r->verdict == CT_RULE_DROP ||
								    r->verdict == CT_RULE_RETURN));
}

static ct_dd walk_back(struct walk *w, const struct ct_rule **rules, uint32_t n, ct_dd end,
		       ct_dd back, ct_dd leaves)
{
	struct ct_dds *d = w->place.p->d;
	struct run run = { CT_DD_FALSE, CT_DD_FALSE };
	ct_dd after = end;

	while (n-- > 0 && !ct_dds_is_full(d)) {
		struct ct_place at = w->place;
		bool is_plain = rules[n]->verdict == CT_RULE_ACCEPT ||
				rules[n]->verdict == CT_RULE_DROP ||
				rules[n]->verdict == CT_RULE_RETURN;
		ct_dd fits, fates;

		at.rule = rules[n];
		fits = ct_rule_packets(&at);
		if (fits == CT_DD_FALSE)
			continue;
		if (!is_plain)
			after = run_end(d, &run, after);
		fates = rule_fates(w, &at, after, back, leaves);
		if (!does_the_same(rules[n], fates, &run))
			after = run_end(d, &run, after);
		run.fits = ct_dd_or(d, run.fits, fits);
		run.fates = fates;
		if (!is_plain)
			after = run_end(d, &run, after);
	}
	return run_end(d, &run, after);
}

static ct_dd chain_walk(struct walk *w, const struct ct_rule_chain *c, ct_dd end, ct_dd back,
			ct_dd leaves)
{
	const struct ct_rule **rules = calloc(c->n_rules + 1, sizeof(*rules));
	const struct ct_rule_chain *caller = w->place.chain;
	uint32_t n = 0;
	ct_dd r;

	if (!rules) {
		w->place.p->is_out_of_memory = true;
		return CT_DD_FALSE;
	}
	for (const struct ct_rule *rule = c->first; rule && n < c->n_rules; rule = rule->next)
		rules[n++] = rule;
	w->place.chain = c;
	r = walk_back(w, rules, n, end, back, leaves);
	w->place.chain = caller;
	free(rules);
	return r;
}

/* True when a chain, or one that it calls, changes something of its packets. */
static bool changes(struct walk *w, const struct ct_rule_chain *c, unsigned depth)
{
	struct walked what = { .chain = c };
	struct walked *known = w->room ? walked_slot(w->walked, w->room, &what) : NULL;

	if (depth == MAX_CALLS)
		return true;
	if (known && known->chain)
		return known->fates;
	for (const struct ct_rule *r = c->first; r && !what.fates; r = r->next)
		what.fates = ct_rule_has_effect(r) || ct_is_nat(r) ||
			     (r->verdict == CT_RULE_JUMP && changes(w, r->jump, depth + 1));
	remember(w, &what);
	return what.fates;
}

static ct_dd chain_under(struct walk *w, const struct ct_rule_chain *c, ct_dd back, ct_dd leaves)
{
	struct walked what = { c, back, leaves, 0 };
	struct walked *known = w->room ? walked_slot(w->walked, w->room, &what) : NULL;

	if (known && known->chain)
		return known->fates;
	if (++w->depth > MAX_CALLS)
		what.fates = CT_DD_LEAF(CT_FATE_DROP);
	else
		what.fates = chain_walk(w, c, back, back, leaves);
	w->depth--;
	remember(w, &what);
	return what.fates;
}

static ct_dd chain_fates(struct walk *w, const struct ct_rule_chain *c, ct_dd back, ct_dd leaves)
{
	struct ct_dds *d = w->place.p->d;
	ct_dd r;

	if (changes(w, c, 0))
		return chain_under(w, c, back, leaves);
	r = chain_under(w, c, BACK, LEAVES);
	return ct_dd_splice(d, ct_dd_splice(d, r, LEAVES, leaves), BACK, back);
}

const struct ct_rule_chain *ct_table_base(const struct ct_ruleset *rs, const char *table,
					  enum ct_at at, const struct ct_rule_table **in)
{
	for (const struct ct_rule_table *t = rs->tables; t; t = t->next)
		for (const struct ct_rule_chain *c = t->chains; c && c->hook; c = c->next)
			if (strcmp(t->name, table) == 0 && c->hook == 1u << at) {
				*in = t;
				return c;
			}
	return NULL;
}

ct_dd ct_table_fates(struct ct_proof *p, const struct ct_ruleset *rs,
		     const struct ct_way_step *step, enum ct_way_kind way, ct_dd next)
{
	struct walk w = { .place = { .p = p,
				     .at = step->at,
				     .way = way,
				     .is_before_tracker = step->is_before_tracker },
			  .step = step };
	const struct ct_rule_chain *base = ct_table_base(rs, step->table, step->at, &w.place.table);
	ct_dd policy, r;

	if (!base)
		return next;
	policy = base->policy == CT_RULE_ACCEPT ? next
		 : base->policy == CT_RULE_DROP ? CT_DD_LEAF(CT_FATE_DROP)
						: CT_DD_LEAF(CT_FATE_QUEUE);
	r = chain_fates(&w, base, policy, next);
	free(w.walked);
	return r;
}
