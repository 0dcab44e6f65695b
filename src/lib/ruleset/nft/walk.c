/* SPDX-License-Identifier: BSD-2-Clause
 *
 * A packet's way through a base chain and those it calls. Answers to Linux 6.18,
 * net/netfilter/nf_tables_core.c, nft_do_chain().
 */
#include <errno.h>
#include <string.h>

#include "lib/ruleset/nft/expr.h"
#include "lib/ruleset/nft/nft.h"
#include "lib/ruleset/nft/set.h"

#define MAX_CALLS 16u

struct walk {
	struct ct_nft_chain *base;
	struct {
		struct ct_nft_chain *chain;
		struct ct_nft_rule *back;
	} stack[MAX_CALLS];
	unsigned depth;
	struct ct_nft_chain *chain;
	struct ct_nft_rule *rule;
};

static void doubt_note(struct ct_nft_judging *j, const struct ct_nft_rule *rule)
{
	if (!j->out->depends_on) {
		j->out->depends_on = j->doubt;
		j->out->depends_line = rule->handle;
	}
	j->doubt = NULL;
}

/* Behind something unknown: whether the rest of the rule is false for sure, or matters to nobody.
 * Only what has no memory is asked. */
static bool rest_is_nothing(struct ct_nft_judging *j, struct ct_nft_stmt *s)
{
	const char *doubt = j->doubt;
	bool is_false = false, is_watching = true;

	j->is_asking = true;
	for (; s && !is_false; s = s->next) {
		if (s->flags & CT_NFT_PURE)
			is_false = s->run(s, j) == CT_NFT_BREAK;
		else
			is_watching &= (s->flags & CT_NFT_WATCH) != 0;
	}
	j->is_asking = false;
	j->doubt = doubt;
	return is_false || is_watching;
}

/* One rule. What it decides; CONTINUE when it does not. @is_true: it came to its end. */
static struct ct_nft_verdict run_rule(struct ct_nft_judging *j, struct ct_nft_rule *rule,
				      bool *is_true)
{
	const struct ct_nft_verdict none = { .code = CT_NFT_CONTINUE };

	*is_true = false;
	for (struct ct_nft_stmt *s = rule->first; s; s = s->next) {
		enum ct_nft_step step = s->run(s, j);

		if (step == CT_NFT_UNSURE) {
			if (!rest_is_nothing(j, s->next))
				doubt_note(j, rule);
			j->doubt = NULL;
			return none;
		}
		if (j->doubt && step != CT_NFT_BREAK)
			doubt_note(j, rule);
		j->doubt = NULL;
		if (step == CT_NFT_BREAK)
			return none;
		if (step == CT_NFT_END) {
			*is_true = true;
			return j->verdict;
		}
	}
	*is_true = true;
	return none;
}

static void decide(struct ct_nft_judging *j, const struct walk *w, enum ct_rule_fate fate,
		   uint32_t line)
{
	j->out->fate = fate;
	j->out->chain = w->chain->name;
	j->out->line = line;
}

/* A rule that matched: it decided something, or came to its end. */
static void tell(struct ct_nft_judging *j, const struct walk *w, const struct ct_nft_rule *rule,
		 struct ct_nft_verdict v)
{
	static const char *const names[] = { NULL,     "accept", "drop", "return", "queue",
					     "reject", NULL,	 NULL,	 NULL };
	const struct ct_rule_trace t = {
		.table = w->base->table->name,
		.chain = w->chain->name,
		.line = rule->handle,
		.verdict = v.name				    ? v.name
			   : v.code == CT_NFT_ACCEPT && j->out->nat ? j->out->nat
								    : names[v.code],
	};

	if (j->p->trace)
		j->p->trace(j->p->trace_user, &t);
}

static void enter(struct walk *w, struct ct_nft_chain *to, bool is_jump)
{
	if (is_jump && w->depth < MAX_CALLS) {
		w->stack[w->depth].chain = w->chain;
		w->stack[w->depth++].back = w->rule;
	}
	w->chain = to;
	w->rule = to->first;
}

/* Carries out what a rule decided. True when that is the packet's fate. */
static bool act(struct ct_nft_judging *j, struct walk *w, const struct ct_nft_rule *rule,
		struct ct_nft_verdict v)
{
	switch ((enum ct_nft_code)v.code) {
	case CT_NFT_CONTINUE:
		return false;
	case CT_NFT_ACCEPT:
		decide(j, w, CT_FATE_ACCEPT, rule->handle);
		return true;
	case CT_NFT_DROP:
		decide(j, w, CT_FATE_DROP, rule->handle);
		return true;
	case CT_NFT_REJECT:
		decide(j, w, CT_FATE_REJECT, rule->handle);
		return true;
	case CT_NFT_QUEUE:
		decide(j, w, CT_FATE_QUEUE, rule->handle);
		return true;
	case CT_NFT_RETURN:
		w->rule = NULL;
		return false;
	case CT_NFT_JUMP:
		enter(w, v.chain, true);
		return false;
	case CT_NFT_GOTO:
		enter(w, v.chain, false);
		return false;
	case CT_NFT_LOST:
		break;
	}
	j->doubt = v.name;
	doubt_note(j, rule);
	return false;
}

static void walk(struct ct_nft_judging *j, struct ct_nft_chain *base)
{
	struct walk w;

	w.depth = 0;
	w.base = w.chain = base;
	w.rule = base->first;
	for (;;) {
		struct ct_nft_rule *rule = w.rule;
		struct ct_nft_verdict verdict;
		bool is_true;

		if (rule) {
			verdict = run_rule(j, rule, &is_true);
			w.rule = rule->next;
			if (is_true)
				tell(j, &w, rule, verdict);
			if (act(j, &w, rule, verdict))
				return;
		} else if (w.depth > 0) {
			w.depth--;
			w.chain = w.stack[w.depth].chain;
			w.rule = w.stack[w.depth].back;
		} else {
			w.chain = base;
			decide(j, &w, base->policy == CT_NFT_DROP ? CT_FATE_DROP : CT_FATE_ACCEPT,
			       0);
			return;
		}
	}
}

/* Where the first packet begins the clock of elements that expire. */
static void begin(struct ct_nft *nft, ct_time now)
{
	if (now > nft->now)
		nft->now = now;
	if (nft->has_begun)
		return;
	nft->has_begun = true;
	for (struct ct_nft_object *o = nft->objects; o; o = o->next)
		if (o->thing && (strcmp(o->kind, "set") == 0 || strcmp(o->kind, "map") == 0))
			ct_nft_set_begin(o->thing, now);
}

bool ct_nft_base(const struct ct_ruleset *rs, unsigned i, struct ct_base_chain *out)
{
	const struct ct_nft_chain *c;

	if (i >= rs->nft->n_bases)
		return false;
	c = rs->nft->bases[i];
	*out = (struct ct_base_chain){
		.table = c->table->name,
		.name = c->name,
		.priority = c->priority,
		.at = c->at,
		.type = c->type,
		.family = c->table->family,
	};
	return true;
}

int ct_nft_judge(struct ct_ruleset *rs, unsigned i, const struct ct_rule_packet *p,
		 struct ct_rule_outcome *out)
{
	struct ct_nft_judging j = { .out = out, .nft = rs->nft, .arena = &rs->arena };
	struct ct_nft_chain *base;

	if (i >= rs->nft->n_bases)
		return -ENOENT;
	base = rs->nft->bases[i];
	if (ct_nft_look(&j, p) < 0 || (base->table->family && base->table->family != j.family))
		return -EBADMSG;
	begin(rs->nft, p->now);
	*out = (struct ct_rule_outcome){ .mark = p->mark };
	walk(&j, base);
	return 0;
}
