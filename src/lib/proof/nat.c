/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Translations as substitutions. Where a rule leaves a choice, the second fields stand for what is
 * chosen; the leading bits that a range fixes are fixed. Answers to Linux 6.18,
 * nf_nat_core.c, xt_nat.c, xt_REDIRECT.c, xt_NETMAP.c, xt_MASQUERADE.c.
 */
#include <string.h>

#include "lib/proof/nat.h"

struct end {
	enum ct_field addr, addr2, port, port2, type, has;
};

static const struct end dst_end = { CT_FIELD_DADDR,  CT_FIELD_DADDR2,	CT_FIELD_DPORT,
				    CT_FIELD_DPORT2, CT_FIELD_DST_TYPE, CT_FIELD_HAS_DNAT };
static const struct end src_end = { CT_FIELD_SADDR,  CT_FIELD_SADDR2,	CT_FIELD_SPORT,
				    CT_FIELD_SPORT2, CT_FIELD_SRC_TYPE, CT_FIELD_HAS_SNAT };

static bool bit(const union ct_addr *a, unsigned i)
{
	return a->bytes[i / 8] >> (7 - i % 8) & 1;
}

/* The bits that @from and @to share become those, the others anything. */
static void range(struct ct_proof *p, struct ct_dd_subst *s, const struct end *e,
		  const union ct_addr *from, const union ct_addr *to)
{
	unsigned bits = ct_field_bits(e->addr, p->family), same = 0;

	while (same < bits && bit(from, same) == bit(to, same))
		same++;
	ct_field_becomes_field(p->d, s, e->addr, e->addr2, p->family);
	for (unsigned i = 0; i < same; i++)
		ct_dd_subst_set(s, ct_field_var(e->addr) + i,
				bit(from, i) ? CT_DD_TRUE : CT_DD_FALSE);
}

/* NETMAP: the bits of the network become those, the others stay. */
static void network(struct ct_dd_subst *s, const struct ct_proof *p, const struct end *e,
		    const struct ct_rule_option *o)
{
	for (unsigned i = 0; i < ct_field_bits(e->addr, p->family); i++)
		if (bit(&o->to, i))
			ct_dd_subst_set(s, ct_field_var(e->addr) + i,
					bit(&o->addr, i) ? CT_DD_TRUE : CT_DD_FALSE);
}

static void ports(struct ct_proof *p, struct ct_dd_subst *s, const struct end *e, uint32_t from,
		  uint32_t to)
{
	if (from == to)
		ct_field_becomes(p->d, s, e->port, from);
	else
		ct_field_becomes_field(p->d, s, e->port, e->port2, p->family);
}

static bool is_any(const union ct_addr *a)
{
	static const union ct_addr any;

	return memcmp(a, &any, sizeof(any)) == 0;
}

static void rule_changes(struct ct_proof *p, struct ct_dd_subst *s, const struct end *e,
			 const struct ct_rule_ext *t)
{
	const struct ct_rule_option *o = t->n_options ? &t->option[0] : NULL;

	if (strcmp(t->name, "NETMAP") == 0 && o) {
		network(s, p, e, o);
		return;
	}
	if (strcmp(t->name, "DNAT") == 0 || strcmp(t->name, "SNAT") == 0) {
		if (!o)
			return;
		if (!is_any(&o->addr))
			range(p, s, e, &o->addr, &o->to);
		if (o->n[3])
			ports(p, s, e, o->n[0], o->n[1]);
		return;
	}
	/* REDIRECT, MASQUERADE: an address of the machine. */
	ct_field_becomes_field(p->d, s, e->addr, e->addr2, p->family);
	if (ct_ext_option(t, "to-ports"))
		ports(p, s, e, ct_ext_option(t, "to-ports")->n[0],
		      ct_ext_option(t, "to-ports")->n[1]);
}

/* Routing has seen the new address: it is one of those that take this way. */
static void type_changes(struct ct_proof *p, struct ct_dd_subst *s, const struct end *e,
			 enum ct_way_kind way)
{
	bool is_local = way == CT_WAY_RECEIVED || way == CT_WAY_LOOPED;

	if (e == &dst_end)
		ct_field_becomes(p->d, s, e->type, is_local ? CT_ADDR_LOCAL : CT_ADDR_UNICAST);
}

struct ct_dd_subst *ct_nat_rule_changes(const struct ct_place *at, bool is_dst)
{
	const struct end *e = is_dst ? &dst_end : &src_end;
	struct ct_dd_subst *s = ct_dd_subst_new(at->p->d);

	if (!s) {
		at->p->is_out_of_memory = true;
		return NULL;
	}
	rule_changes(at->p, s, e, at->rule->target);
	type_changes(at->p, s, e, at->way);
	ct_field_becomes(at->p->d, s, e->has, 1);
	return s;
}

struct ct_dd_subst *ct_nat_entry_changes(struct ct_proof *p, enum ct_way_kind way, bool is_dst)
{
	const struct end *e = is_dst ? &dst_end : &src_end;
	struct ct_dd_subst *s = ct_dd_subst_new(p->d);

	if (!s) {
		p->is_out_of_memory = true;
		return NULL;
	}
	ct_field_becomes_field(p->d, s, e->addr, e->addr2, p->family);
	ct_field_becomes_field(p->d, s, e->port, e->port2, p->family);
	type_changes(p, s, e, way);
	return s;
}

bool ct_is_nat(const struct ct_rule *rule)
{
	static const char *const names[] = { "DNAT", "MASQUERADE", "NETMAP", "REDIRECT", "SNAT" };

	for (size_t i = 0; rule->verdict == CT_RULE_EXT && i < sizeof(names) / sizeof(*names); i++)
		if (strcmp(names[i], rule->target->name) == 0)
			return true;
	return false;
}
