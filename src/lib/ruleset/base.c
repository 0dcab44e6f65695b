/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Base chains of a rule set, whatever its spelling: where they stand, and what they make of a
 * packet. Tables of iptables stand at the kernel's fixed places, enum nf_ip_hook_priorities.
 */
#include <errno.h>
#include <string.h>

#include "lib/ruleset/model.h"
#include "lib/ruleset/nft/nft.h"

static int32_t priority_of(const struct ct_table_def *t, enum ct_at at)
{
	switch ((enum ct_table_bit)t->bit) {
	case CT_IN_RAW:
		return -300;
	case CT_IN_MANGLE:
		return -150;
	case CT_IN_NAT:
		return at == CT_AT_PREROUTING || at == CT_AT_OUTPUT ? -100 : 100;
	case CT_IN_SECURITY:
		return 50;
	case CT_IN_FILTER:
	case CT_IN_ANY:
		break;
	}
	return 0;
}

static enum ct_chain_type type_of(const struct ct_table_def *t, enum ct_at at)
{
	if (t->bit == CT_IN_NAT)
		return CT_CHAIN_NAT;
	return t->bit == CT_IN_MANGLE && at == CT_AT_OUTPUT ? CT_CHAIN_ROUTE : CT_CHAIN_FILTER;
}

static enum ct_at at_of(unsigned hook_bit)
{
	unsigned at = CT_AT_PREROUTING;

	while (at < CT_AT_POSTROUTING && !(hook_bit >> at & 1))
		at++;
	return (enum ct_at)at;
}

static bool iptables_base(const struct ct_ruleset *rs, unsigned i, struct ct_base_chain *out)
{
	for (const struct ct_rule_table *t = rs->tables; t; t = t->next)
		for (const struct ct_rule_chain *c = t->def ? t->chains : NULL; c && c->hook;
		     c = c->next) {
			if (i--)
				continue;
			*out = (struct ct_base_chain){
				.table = t->name,
				.name = c->name,
				.at = (uint8_t)at_of(c->hook),
				.family = rs->family,
			};
			out->priority = priority_of(t->def, (enum ct_at)out->at);
			out->type = (uint8_t)type_of(t->def, (enum ct_at)out->at);
			return true;
		}
	return false;
}

bool ct_ruleset_base(const struct ct_ruleset *rs, unsigned i, struct ct_base_chain *out)
{
	return rs->nft ? ct_nft_base(rs, i, out) : iptables_base(rs, i, out);
}

int ct_ruleset_judge_base(struct ct_ruleset *rs, unsigned i, const struct ct_rule_packet *p,
			  struct ct_rule_outcome *out)
{
	struct ct_base_chain base;

	if (rs->nft)
		return ct_nft_judge(rs, i, p, out);
	if (!iptables_base(rs, i, &base))
		return -ENOENT;
	return ct_ruleset_judge(rs, base.table, (enum ct_at)base.at, p, out);
}
