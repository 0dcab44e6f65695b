/* SPDX-License-Identifier: BSD-2-Clause
 *
 * A packet followed through the steps of its way. What rules fit is asked of the same sets as in
 * table.c, so that a trail never says otherwise than the proof.
 */
#include "lib/proof/trail.h"

#include <conntune/text.h>
#include <string.h>

#include "lib/proof/nat.h"
#include "lib/proof/point.h"
#include "lib/proof/way.h"

#define MAX_CALLS 512u

struct following {
	struct ct_place place;
	const struct ct_way_step *step;
	const struct ct_ruleset *rs;
	struct ct_point point;
	struct ct_trail *out;
	unsigned depth;
};

/* What a chain did with the packet. */
enum outcome { WENT_BACK, LEFT_TABLE, ENDED };

static void stand(struct following *f, struct ct_stand *to, const struct ct_rule *rule)
{
	*to = (struct ct_stand){ f->place.table->name, f->place.chain, rule };
}

static enum outcome end(struct following *f, const struct ct_rule *rule, enum ct_rule_fate fate)
{
	stand(f, &f->out->decided, rule);
	f->out->fate = fate;
	f->out->at = f->step->at;
	return ENDED;
}

/* The rule that let it through the filter is what people ask for. */
static enum outcome accept(struct following *f, const struct ct_rule *rule)
{
	if (strcmp(f->place.table->name, "filter") == 0) {
		stand(f, &f->out->decided, rule);
		f->out->at = f->step->at;
	}
	return LEFT_TABLE;
}

static bool is_untracked(const struct following *f)
{
	return ct_point_get(&f->point, CT_FIELD_UNTRACKED);
}

static enum outcome target(struct following *f, const struct ct_rule *rule)
{
	const struct ct_ext_def *def = rule->target->def;
	bool was_untracked = is_untracked(f);
	const struct ct_dd_subst *s;

	if (ct_is_nat(rule) && f->step->kind != CT_STEP_TABLE) {
		s = ct_nat_rule_changes(&f->place, f->step->kind == CT_STEP_DST_NAT);
		if (s)
			ct_point_change(f->place.p, &f->point, s);
		stand(f, &f->out->translated, rule);
		return LEFT_TABLE;
	}
	if (!def || !def->target || rule->target->is_opaque)
		return WENT_BACK;
	if (def->target == ct_target_reject)
		return end(f, rule, CT_FATE_REJECT);
	if (def->target == ct_target_queue)
		return end(f, rule, CT_FATE_QUEUE);
	s = ct_rule_effect(&f->place);
	if (s)
		ct_point_change(f->place.p, &f->point, s);
	if (!was_untracked && is_untracked(f))
		stand(f, &f->out->untracked, rule);
	return WENT_BACK;
}

static enum outcome follow(struct following *f, const struct ct_rule_chain *c);

/* WENT_BACK: on to the next rule; a RETURN is told by @is_return. */
static enum outcome meet(struct following *f, const struct ct_rule *rule, bool *is_return)
{
	enum outcome o;

	switch ((enum ct_rule_verdict)rule->verdict) {
	case CT_RULE_CONTINUE:
		return WENT_BACK;
	case CT_RULE_ACCEPT:
		return accept(f, rule);
	case CT_RULE_DROP:
		return end(f, rule, CT_FATE_DROP);
	case CT_RULE_QUEUE:
		return end(f, rule, CT_FATE_QUEUE);
	case CT_RULE_RETURN:
		*is_return = true;
		return WENT_BACK;
	case CT_RULE_JUMP:
		o = follow(f, rule->jump);
		*is_return = rule->flags & CT_RULE_GOTO;
		return o;
	case CT_RULE_EXT:
		break;
	}
	return target(f, rule);
}

static enum outcome follow(struct following *f, const struct ct_rule_chain *c)
{
	const struct ct_rule_chain *caller = f->place.chain;
	enum outcome o = WENT_BACK;
	bool is_return = false;

	f->place.chain = c;
	if (++f->depth > MAX_CALLS)
		o = end(f, NULL, CT_FATE_DROP);
	for (const struct ct_rule *r = c->first; r && o == WENT_BACK && !is_return; r = r->next) {
		f->place.rule = r;
		if (ct_point_at(f->place.p, ct_rule_packets(&f->place), &f->point))
			o = meet(f, r, &is_return);
		f->place.chain = c;
	}
	f->depth--;
	f->place.chain = caller;
	return o;
}

static bool pass_table(struct following *f)
{
	const struct ct_rule_chain *base =
		ct_table_base(f->rs, f->step->table, f->step->at, &f->place.table);
	enum outcome o;

	if (!base)
		return true;
	f->place.at = f->step->at;
	f->place.is_before_tracker = f->step->is_before_tracker;
	o = follow(f, base);
	f->place.chain = base;
	if (o != WENT_BACK)
		return o == LEFT_TABLE;
	if (base->policy == CT_RULE_ACCEPT)
		return accept(f, NULL) == LEFT_TABLE;
	(void)end(f, NULL, base->policy == CT_RULE_DROP ? CT_FATE_DROP : CT_FATE_QUEUE);
	return false;
}

static void track(struct following *f, const struct ct_witness *w)
{
	struct ct_proof *p = f->place.p;
	uint64_t state = ct_point_get(&f->point, CT_FIELD_STATE);
	bool is_syn_ack = w->proto == 6 && (w->flags & 0x12) == 0x12;

	if (p->is_all_tracked)
		return;
	if (is_untracked(f))
		state = CT_PROOF_UNTRACKED;
	else if (state >= CT_PROOF_RELATED && ct_proof_tracks(f->rs) &&
		 ct_point_at(p, ct_proof_halves(p, f->rs, w->way), &f->point))
		state = is_syn_ack ? CT_PROOF_INVALID : CT_PROOF_NEW;
	ct_point_put(&f->point, CT_FIELD_STATE, state);
}

void ct_proof_trail(struct ct_proof *p, const struct ct_ruleset *rs, const struct ct_witness *w,
		    struct ct_trail *out)
{
	struct following f = { .place = { .p = p, .way = w->way }, .rs = rs, .out = out };
	unsigned n;
	const struct ct_way_step *steps = ct_way_steps(w->way, &n);

	*out = (struct ct_trail){ .fate = CT_FATE_ACCEPT };
	ct_point_of(p, w, &f.point);
	for (unsigned i = 0; i < n; i++) {
		bool is_nat = steps[i].kind == CT_STEP_DST_NAT || steps[i].kind == CT_STEP_SRC_NAT;

		f.step = &steps[i];
		if (f.step->kind == CT_STEP_TRACKER)
			track(&f, w);
		else if (is_nat && ct_point_get(&f.point, CT_FIELD_STATE) != CT_PROOF_NEW)
			continue;
		else if (!pass_table(&f))
			return;
	}
}

void ct_stand_text(const struct ct_ruleset *rs, const struct ct_stand *s, struct ct_text *to)
{
	if (!s->chain) {
		ct_text_str(to, "no rule");
	} else if (!s->rule) {
		ct_text_printf(to, "the policy of %s in table %s", s->chain->name, s->table);
	} else {
		if (s->rule->line)
			ct_text_printf(to, "line %u: ", (unsigned)s->rule->line);
		ct_rule_words(rs, s->chain, s->rule, to);
	}
}
