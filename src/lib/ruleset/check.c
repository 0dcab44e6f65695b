/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Checks of a whole table. Answers to Linux 6.18, net/ipv4/netfilter/ip_tables.c,
 * mark_source_chains() and find_check_entry(), and xt_check_match().
 */
#include "lib/ruleset/check.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/clean.h"
#include "lib/ruleset/ext.h"
#include "lib/ruleset/index.h"

static int fault(struct ct_reading *r, uint32_t line, const char *what, const char *word)
{
	return ct_err_set(r->err, -EINVAL, "line %u: %s '%s'", (unsigned)line, what, word);
}

/* Order ------------------------------------------------------------------------------------- */

static int chain_order(const void *a, const void *b)
{
	const struct ct_rule_chain *x = *(struct ct_rule_chain *const *)a;
	const struct ct_rule_chain *y = *(struct ct_rule_chain *const *)b;

	if (x->hook != y->hook)
		return !x->hook ? 1 : !y->hook ? -1 : x->hook < y->hook ? -1 : 1;
	return strcmp(x->name, y->name);
}

static int sort_chains(struct ct_rule_table *t)
{
	auto_memory struct ct_rule_chain **list = malloc((t->n_chains + 1) * sizeof(*list));
	struct ct_rule_chain **to = &t->chains;
	size_t n = 0;

	if (!list)
		return -ENOMEM;
	for (struct ct_rule_chain *c = t->chains; c; c = c->next)
		list[n++] = c;
	qsort(list, n, sizeof(*list), chain_order);
	for (size_t i = 0; i < n; i++) {
		*to = list[i];
		to = &list[i]->next;
	}
	*to = NULL;
	return 0;
}

/* Jumps ------------------------------------------------------------------------------------- */

static int tie(struct ct_reading *r, const struct ct_rule_table *t, struct ct_rule *rule)
{
	if (rule->verdict != CT_RULE_JUMP)
		return 0;
	rule->jump = ct_rule_chain_find(t, rule->jump_name);
	if (rule->jump && rule->jump->hook)
		return fault(r, rule->line,
			     "no rule can jump to a chain of the kernel:", rule->jump_name);
	if (rule->jump) {
		if (rule->target && rule->target->verbatim)
			return fault(r, rule->line,
				     "a chain takes no options:", rule->target->verbatim);
		rule->target = NULL;
		return 0;
	}
	if (r->rs->is_strict || rule->flags & CT_RULE_GOTO)
		return fault(r, rule->line, "there is no chain or target", rule->jump_name);
	rule->verdict = CT_RULE_EXT;
	rule->flags |= CT_RULE_OPAQUE;
	return 0;
}

struct visit {
	struct ct_rule_chain *chain;
	struct ct_rule *at;
};

/* Goes through all chains reached from @from, deepest first, and marks them with its hook. A chain
 * met again while the walk is inside it is a loop. The hook bit says that a chain was visited;
 * CT_IS_INSIDE that the walk is in it. */
#define CT_IS_INSIDE 0x80

static int walk(struct ct_reading *r, struct ct_rule_chain *from, struct visit *stack)
{
	size_t n = 1;

	stack[0] = (struct visit){ from, from->first };
	from->hooks |= from->hook | CT_IS_INSIDE;
	while (n > 0) {
		struct visit *v = &stack[n - 1];
		struct ct_rule *rule = v->at;
		struct ct_rule_chain *to;

		if (!rule) {
			v->chain->hooks &= (uint8_t)~CT_IS_INSIDE;
			n--;
			continue;
		}
		v->at = rule->next;
		to = rule->verdict == CT_RULE_JUMP ? rule->jump : NULL;
		if (to && to->hooks & CT_IS_INSIDE)
			return fault(r, rule->line, "a loop through chain", to->name);
		if (!to || to->hooks & from->hook)
			continue;
		to->hooks |= from->hook | CT_IS_INSIDE;
		stack[n++] = (struct visit){ to, to->first };
	}
	return 0;
}

static int reach(struct ct_reading *r, struct ct_rule_table *t)
{
	auto_memory struct visit *stack = malloc((t->n_chains + 1) * sizeof(*stack));

	if (!stack)
		return -ENOMEM;
	for (struct ct_rule_chain *c = t->chains; c; c = c->next)
		if (c->hook && walk(r, c, stack) < 0)
			return -EINVAL;
	return 0;
}

/* Places ------------------------------------------------------------------------------------ */

static bool has_ports(const struct ct_rule *rule)
{
	static const uint8_t protos[] = { 6, 17, 33, 132, 136 };

	return rule->proto && !(rule->flags & CT_RULE_NOT_PROTO) &&
	       memchr(protos, rule->proto, sizeof(protos));
}

static int place_check(struct ct_reading *r, const struct ct_rule_table *t,
		       const struct ct_rule_chain *c, const struct ct_rule *rule,
		       const struct ct_rule_ext *e)
{
	const struct ct_ext_def *d = e->def;

	if (!d)
		return 0;
	if (d->tables && t->def && !(d->tables & t->def->bit))
		return fault(r, rule->line, "not for this table:", d->name);
	if (d->hooks && c->hooks & ~d->hooks)
		return fault(r, rule->line, "not for every way into this chain:", d->name);
	if (d->proto && (rule->proto != d->proto || rule->flags & CT_RULE_NOT_PROTO))
		return fault(r, rule->line, "not for the protocol of this rule:", d->name);
	if (d->need & CT_NEED_PORTS && !has_ports(rule))
		return fault(r, rule->line, "needs a protocol with ports:", d->name);
	if (d->need & CT_NEED_ANY_PROTO && !rule->proto)
		return fault(r, rule->line, "needs a protocol:", d->name);
	return 0;
}

/* Interfaces that packets cannot have where the chain stands are refused by iptables itself. */
static int rule_check(struct ct_reading *r, const struct ct_rule_table *t,
		      const struct ct_rule_chain *c, const struct ct_rule *rule)
{
	int ret = 0;

	if (rule->in && c->hook & (CT_BIT_OUTPUT | CT_BIT_POSTROUTING))
		return fault(r, rule->line, "no packet here came in through", rule->in);
	if (rule->out && c->hook & (CT_BIT_PREROUTING | CT_BIT_INPUT))
		return fault(r, rule->line, "no packet here goes out through", rule->out);
	if (rule->verdict == CT_RULE_DROP && t->def && t->def->bit == CT_IN_NAT)
		return fault(r, rule->line, "the nat table is not for filtering:", "DROP");
	for (const struct ct_rule_ext *e = rule->match; ret == 0 && e; e = e->next)
		ret = place_check(r, t, c, rule, e);
	if (ret == 0 && rule->verdict == CT_RULE_EXT)
		ret = place_check(r, t, c, rule, rule->target);
	return ret;
}

int ct_rule_table_check(struct ct_reading *r, struct ct_rule_table *t)
{
	int ret = sort_chains(t);

	for (struct ct_rule_chain *c = t->chains; ret == 0 && c; c = c->next)
		for (struct ct_rule *rule = c->first; ret == 0 && rule; rule = rule->next)
			ret = tie(r, t, rule);
	if (ret == 0)
		ret = reach(r, t);
	for (struct ct_rule_chain *c = r->rs->is_strict ? t->chains : NULL; c; c = c->next)
		for (struct ct_rule *rule = c->first; ret == 0 && rule; rule = rule->next)
			ret = rule_check(r, t, c, rule);
	for (struct ct_rule_chain *c = t->chains; ret == 0 && c; c = c->next)
		ret = ct_rule_index_make(r->rs, c);
	if (ret == -ENOMEM)
		ct_err_set(r->err, ret, "line %u: not enough memory", (unsigned)r->line);
	return ret;
}
