/* SPDX-License-Identifier: BSD-2-Clause
 *
 * A packet's way through the chains of a table. Answers to Linux 6.18,
 * net/ipv4/netfilter/ip_tables.c, ipt_do_table(), and net/ipv6/netfilter/ip6_tables.c.
 */
#include <errno.h>
#include <string.h>

#include "lib/ruleset/ext.h"
#include "lib/ruleset/index.h"

#define MAX_DEPTH 512 /* calls within calls; beyond, the packet is dropped as in the kernel */

void ct_judging_look(struct ct_judging *j)
{
	const struct ct_packet *k = j->p->packet;
	uint32_t offset;

	j->ip = k->data;
	j->size = k->size;
	if (j->family == CT_FAMILY_IPV4) {
		j->addr_size = 4;
		j->src = k->data + 12;
		j->dst = k->data + 16;
		j->tos = k->data[1];
		j->ttl = k->data[8];
		j->is_fragment = (k->data[6] & 0x1f) != 0 || k->data[7] != 0;
		j->proto = k->data[9];
		offset = (k->data[0] & 15u) * 4;
		if (offset > k->size)
			offset = k->size;
		j->l4 = k->data + offset;
		j->l4_size = k->size - offset;
	} else {
		j->addr_size = 16;
		j->src = k->data + 8;
		j->dst = k->data + 24;
		j->tos = (uint8_t)(k->data[0] << 4 | k->data[1] >> 4);
		j->ttl = k->data[7];
		ct_judging_find_l4(j);
	}
}

/* False when it is no packet of the rule set's family. */
static bool begin(struct ct_judging *j, struct ct_ruleset *rs, const struct ct_rule_packet *p,
		  struct ct_rule_outcome *out)
{
	const struct ct_packet *k = p->packet;

	*j = (struct ct_judging){ .p = p, .rs = rs, .out = out, .family = rs->family };
	if (k->size < (rs->family == CT_FAMILY_IPV6 ? 40 : 20) ||
	    k->data[0] >> 4 != (rs->family == CT_FAMILY_IPV6 ? 6 : 4))
		return false;
	*out = (struct ct_rule_outcome){ .mark = p->mark };
	ct_judging_look(j);
	return true;
}

static bool net_fits(const uint8_t *addr, unsigned size, const union ct_addr *net,
		     const union ct_addr *mask)
{
	for (unsigned i = 0; i < size; i++)
		if ((addr[i] & mask->bytes[i]) != net->bytes[i])
			return false;
	return true;
}

/* ifname_compare(): "eth+" is a prefix, "+" anything. No interface is an empty name. */
static bool iface_fits(const char *has, const char *want)
{
	size_t len = strlen(want);

	if (!has)
		has = "";
	if (len && want[len - 1] == '+')
		return strncmp(has, want, len - 1) == 0;
	return strcmp(has, want) == 0;
}

/* ip_packet_match() */
static bool basics_fit(const struct ct_rule *r, struct ct_judging *j)
{
	if (net_fits(j->src, j->addr_size, &r->src, &r->src_mask) == !!(r->flags & CT_RULE_NOT_SRC))
		return false;
	if (net_fits(j->dst, j->addr_size, &r->dst, &r->dst_mask) == !!(r->flags & CT_RULE_NOT_DST))
		return false;
	if (r->in && iface_fits(j->p->in, r->in) == !!(r->flags & CT_RULE_NOT_IN))
		return false;
	if (r->out && iface_fits(j->p->out, r->out) == !!(r->flags & CT_RULE_NOT_OUT))
		return false;
	if (r->proto && j->is_broken) {
		j->is_hot = !j->is_fragment; /* ip6_packet_match() */
		return false;
	}
	if (r->proto && (r->proto == j->proto) == !!(r->flags & CT_RULE_NOT_PROTO))
		return false;
	return !(r->flags & CT_RULE_FRAGMENT) ||
	       j->is_fragment != !!(r->flags & CT_RULE_NOT_FRAGMENT);
}

/* Whether all matches are true; the first that is unsure is named in @doubt. A later one that is
 * false for sure ends the doubt. */
static enum ct_truth matches_fit(struct ct_rule *r, struct ct_judging *j, const char **doubt)
{
	enum ct_truth all = CT_YES;

	for (struct ct_rule_ext *e = r->match; e; e = e->next) {
		bool is_known = e->def && e->def->match && !e->is_opaque;
		enum ct_truth one = is_known ? e->def->match(e, j) : CT_UNSURE;

		if (one == CT_NO)
			return CT_NO;
		if (one == CT_UNSURE && all == CT_YES) {
			all = CT_UNSURE;
			*doubt = e->name;
		}
	}
	return all;
}

static void doubt_add(struct ct_judging *j, const struct ct_rule *r, const char *name)
{
	if (j->out->depends_on)
		return;
	j->out->depends_on = name;
	j->out->depends_line = r->line;
}

/* True when a rule only watches: whether it matched changes nothing but its counters, or sets that
 * are not known anyway. */
static bool only_watches(const struct ct_rule *r, const struct ct_judging *j)
{
	const struct ct_ext_def *def = r->verdict == CT_RULE_EXT ? r->target->def : NULL;

	return r->verdict == CT_RULE_CONTINUE ||
	       (def &&
		(def->target == ct_target_pass || (def->target == ct_target_set && !j->p->sets)));
}

struct call {
	struct ct_rule *back;
	struct ct_rule_chain *chain;
};

struct walk {
	struct call stack[MAX_DEPTH];
	unsigned depth;
	struct ct_rule_chain *base, *chain;
	struct ct_rule *rule;
	const char *table;
	bool is_indexed;	    /* the rules of long chains are looked up */
	struct ct_rule_heads heads; /* of the chain, when it has an index */
};

static void decide(struct ct_judging *j, const struct walk *w, const struct ct_rule *r,
		   enum ct_rule_fate fate)
{
	j->out->fate = fate;
	j->out->chain = w->chain->name;
	j->out->line = r->line;
}

/* The first rule from @r on that the packet can meet; null at the end of the chain. */
static struct ct_rule *from(struct walk *w, struct ct_rule *r)
{
	if (!r || !w->is_indexed || !w->chain->index)
		return r;
	return ct_rule_index_next(&w->heads, r->number);
}

/* The walk is in @chain now, at its rule @r. */
static void stand(const struct ct_judging *j, struct walk *w, struct ct_rule_chain *chain,
		  struct ct_rule *r)
{
	w->chain = chain;
	if (r && w->is_indexed && chain->index)
		ct_rule_index_find(chain->index, j, &w->heads);
	w->rule = from(w, r);
}

static bool enter(struct ct_judging *j, struct walk *w, struct ct_rule *r)
{
	if (!(r->flags & CT_RULE_GOTO)) {
		if (w->depth == MAX_DEPTH) {
			decide(j, w, r, CT_FATE_DROP);
			return true;
		}
		w->stack[w->depth++] = (struct call){ r->next, w->chain };
	}
	stand(j, w, r->jump, r->jump->first);
	return false;
}

static void tell(const struct ct_judging *j, const struct walk *w, const struct ct_rule *r)
{
	const struct ct_rule_trace t = {
		.table = w->table, .chain = w->chain->name, .line = r->line, .verdict = r->jump_name
	};

	if (j->p->trace)
		j->p->trace(j->p->trace_user, &t);
}

/* Carries out the target of a rule that matched. True when the packet's fate is decided. */
static bool act(struct ct_judging *j, struct walk *w, struct ct_rule *r)
{
	enum ct_step step;

	w->rule = from(w, r->next);
	switch ((enum ct_rule_verdict)r->verdict) {
	case CT_RULE_CONTINUE:
		return false;
	case CT_RULE_ACCEPT:
		decide(j, w, r, CT_FATE_ACCEPT);
		return true;
	case CT_RULE_DROP:
		decide(j, w, r, CT_FATE_DROP);
		return true;
	case CT_RULE_QUEUE:
		decide(j, w, r, CT_FATE_QUEUE);
		return true;
	case CT_RULE_RETURN:
		w->rule = NULL;
		return false;
	case CT_RULE_JUMP:
		return enter(j, w, r);
	case CT_RULE_EXT:
		break;
	}
	step = r->target->def && r->target->def->target && !r->target->is_opaque
		       ? r->target->def->target(r->target, j)
		       : CT_STEP_UNSURE;
	if (step == CT_STEP_UNSURE || step == CT_STEP_LIKELY)
		doubt_add(j, r, r->target->name);
	if (step != CT_STEP_END && step != CT_STEP_LIKELY)
		return false;
	decide(j, w, r, j->out->fate);
	return true;
}

/* One rule. True when the packet's fate is decided. */
static bool try_rule(struct ct_judging *j, struct walk *w, struct ct_rule *r)
{
	const char *doubt = NULL;
	enum ct_truth fits = basics_fit(r, j) ? matches_fit(r, j, &doubt) : CT_NO;

	if (j->is_hot) {
		decide(j, w, r, CT_FATE_DROP);
		return true;
	}
	if (fits == CT_UNSURE && !only_watches(r, j))
		doubt_add(j, r, doubt);
	if (fits != CT_YES) {
		w->rule = from(w, r->next);
		return false;
	}
	r->packets++;
	r->bytes += j->size;
	tell(j, w, r);
	return act(j, w, r);
}

static void walk_chains(struct ct_judging *j, struct walk *w)
{
	for (;;) {
		if (w->rule) {
			if (try_rule(j, w, w->rule))
				return;
			continue;
		}
		if (w->depth > 0) {
			w->depth--;
			stand(j, w, w->stack[w->depth].chain, w->stack[w->depth].back);
			continue;
		}
		w->base->packets++;
		w->base->bytes += j->size;
		j->out->fate = w->base->policy == CT_RULE_ACCEPT ? CT_FATE_ACCEPT
			       : w->base->policy == CT_RULE_DROP ? CT_FATE_DROP
								 : CT_FATE_QUEUE;
		j->out->chain = w->base->name;
		j->out->line = 0;
		return;
	}
}

static struct ct_rule_chain *base_find(struct ct_ruleset *rs, const char *table, enum ct_at at)
{
	for (struct ct_rule_table *t = rs->tables; t; t = t->next) {
		if (strcmp(t->name, table) != 0)
			continue;
		for (struct ct_rule_chain *c = t->chains; c && c->hook; c = c->next)
			if (c->hook == 1u << at)
				return c;
	}
	return NULL;
}

int ct_ruleset_judge(struct ct_ruleset *rs, const char *table, enum ct_at at,
		     const struct ct_rule_packet *p, struct ct_rule_outcome *out)
{
	struct ct_rule_chain *base = base_find(rs, table, at);
	struct ct_judging j;
	struct walk w;

	if (!base)
		return -ENOENT;
	if (!begin(&j, rs, p, out))
		return -EBADMSG;
	w.depth = 0;
	w.base = base;
	w.table = table;
	w.is_indexed = ct_rule_index_fits(&j);
	stand(&j, &w, base, base->first);
	walk_chains(&j, &w);
	if (j.zone_is_mark)
		out->zone = (uint16_t)out->mark;
	return 0;
}

bool ct_ruleset_has_rules(const struct ct_ruleset *rs, const char *table)
{
	for (const struct ct_rule_table *t = rs ? rs->tables : NULL; t; t = t->next)
		for (const struct ct_rule_chain *c = t->chains; c; c = c->next)
			if (c->n_rules > 0 && strcmp(t->name, table) == 0)
				return true;
	return false;
}

void ct_ruleset_seed(struct ct_ruleset *rs, uint64_t seed)
{
	rs->seed = seed;
	rs->has_seed = true;
}
