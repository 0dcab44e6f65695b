/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Targets that translate: what they ask for. Answers to Linux 6.18, net/netfilter/xt_nat.c,
 * xt_MASQUERADE.c, xt_REDIRECT.c, xt_NETMAP.c.
 */
#include <string.h>

#include "lib/ruleset/ext.h"

static const struct {
	const char *target;
	enum ct_nat_kind kind;
	const char *option; /* that has the range */
} nat_targets[] = {
	{ "SNAT", CT_NAT_SNAT, "to-source" },
	{ "DNAT", CT_NAT_DNAT, "to-destination" },
	{ "MASQUERADE", CT_NAT_MASQUERADE, "to-ports" },
	{ "REDIRECT", CT_NAT_REDIRECT, "to-ports" },
	{ "NETMAP", CT_NAT_NETMAP, "to" },
};

static const struct {
	const char *option;
	enum ct_nat_flag flag;
} nat_flags[] = {
	{ "random", CT_NAT_RANDOM },
	{ "random-fully", CT_NAT_RANDOM_FULLY },
	{ "persistent", CT_NAT_PERSISTENT },
};

static void set_parts(struct ct_nat_range *range, uint32_t from, uint32_t to)
{
	range->flags |= CT_NAT_MAP_PARTS;
	range->min_part = (uint16_t)from;
	range->max_part = (uint16_t)to;
}

/* "address-address:port-port/base"; the addresses may be missing. */
static void read_range(const struct ct_rule_option *o, struct ct_nat_range *range)
{
	if (o->text[0] != ':') {
		range->flags |= CT_NAT_MAP_ADDRS;
		range->min_addr = o->addr;
		range->max_addr = o->to;
	}
	if (o->n[3] > 0)
		set_parts(range, o->n[0], o->n[1]);
	if (o->n[3] == 2) {
		range->flags |= CT_NAT_SHIFT;
		range->base_part = (uint16_t)o->n[2];
	}
}

/* A network: the ends agree in the bits of its mask. */
static void read_network(const struct ct_rule_option *o, unsigned size, struct ct_nat_range *range)
{
	range->flags |= CT_NAT_MAP_ADDRS;
	range->min_addr = range->max_addr = o->addr;
	for (unsigned i = 0; i < size; i++)
		range->max_addr.bytes[i] |= (uint8_t)~o->to.bytes[i];
}

static void read_option(enum ct_nat_kind kind, const struct ct_rule_option *o, unsigned addr_size,
			struct ct_nat_range *range)
{
	switch (kind) {
	case CT_NAT_SNAT:
	case CT_NAT_DNAT:
		read_range(o, range);
		break;
	case CT_NAT_MASQUERADE:
	case CT_NAT_REDIRECT:
		set_parts(range, o->n[0], o->n[1]);
		break;
	case CT_NAT_NETMAP:
		read_network(o, addr_size, range);
		break;
	case CT_NAT_NONE:
		break;
	}
}

/* A translation is decided: the packet goes on from this table. */
enum ct_step ct_target_nat(struct ct_rule_ext *e, struct ct_judging *j)
{
	struct ct_nat_range range = { .flags = 0 };

	for (size_t i = 0; i < sizeof(nat_targets) / sizeof(nat_targets[0]); i++) {
		const struct ct_rule_option *o;

		if (strcmp(nat_targets[i].target, e->name) != 0)
			continue;
		j->out->nat_kind = (uint8_t)nat_targets[i].kind;
		o = ct_ext_option(e, nat_targets[i].option);
		if (o)
			read_option(nat_targets[i].kind, o, j->addr_size, &range);
	}
	for (size_t i = 0; i < sizeof(nat_flags) / sizeof(nat_flags[0]); i++)
		if (ct_ext_option(e, nat_flags[i].option))
			range.flags |= (uint8_t)nat_flags[i].flag;
	j->out->nat = e->name;
	j->out->nat_range = range;
	j->out->fate = CT_FATE_ACCEPT;
	return CT_STEP_END;
}
