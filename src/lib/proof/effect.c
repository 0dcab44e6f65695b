/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What targets change of a packet, as substitutions. Answers to the same kernel code as the
 * targets of lib/ruleset: xt_mark.c, xt_connmark.c, xt_CT.c, xt_DSCP.c, xt_HL.c, and for
 * translations nf_nat_core.c.
 */
#include <string.h>

#include "lib/proof/session.h"

typedef void effect_fn(const struct ct_place *at, const struct ct_rule_ext *e,
		       struct ct_dd_subst *s);

static ct_dd field_bit(const struct ct_place *at, enum ct_field f, unsigned i)
{
	return ct_dd_node(at->p->d, ct_field_var(f) + i, CT_DD_FALSE, CT_DD_TRUE);
}

static ct_dd has_entry(const struct ct_place *at)
{
	if (at->is_before_tracker)
		return CT_DD_FALSE;
	return ct_field_within(at->p->d, CT_FIELD_STATE, CT_PROOF_NEW, CT_PROOF_ESTABLISHED);
}

/* @f = (@f & ~mask) ^ value */
static void set_bits(const struct ct_place *at, struct ct_dd_subst *s, enum ct_field f,
		     uint32_t value, uint32_t mask, ct_dd where)
{
	unsigned bits = ct_field_bits(f, at->p->family);
	struct ct_dds *d = at->p->d;

	for (unsigned i = 0; i < bits; i++) {
		uint32_t one = UINT32_C(1) << (bits - 1 - i);
		ct_dd was = field_bit(at, f, i), is = mask & one ? CT_DD_FALSE : was;

		if (value & one)
			is = ct_dd_not(d, is);
		if (is != was)
			ct_dd_subst_set(s, ct_field_var(f) + i, ct_dd_ite(d, where, is, was));
	}
}

static void mark(const struct ct_place *at, const struct ct_rule_ext *e, struct ct_dd_subst *s)
{
	set_bits(at, s, CT_FIELD_MARK, e->option[0].n[0], e->option[0].n[1], CT_DD_TRUE);
}

/* @to = (@to & ~@cleared) ^ (@from & @taken), for packets with an entry. */
static void copy_bits(const struct ct_place *at, struct ct_dd_subst *s, enum ct_field to,
		      uint32_t cleared, enum ct_field from, uint32_t taken)
{
	struct ct_dds *d = at->p->d;

	for (unsigned i = 0; i < 32; i++) {
		uint32_t one = UINT32_C(1) << (31 - i);
		ct_dd was = field_bit(at, to, i), is = cleared & one ? CT_DD_FALSE : was;

		if (taken & one)
			is = ct_dd_xor(d, is, field_bit(at, from, i));
		if (is != was)
			ct_dd_subst_set(s, ct_field_var(to) + i,
					ct_dd_ite(d, has_entry(at), is, was));
	}
}

static void connmark(const struct ct_place *at, const struct ct_rule_ext *e, struct ct_dd_subst *s)
{
	const struct ct_rule_option *set = ct_ext_option(e, "set-xmark");
	const struct ct_rule_option *nf = ct_ext_option(e, "nfmask");
	const struct ct_rule_option *ct = ct_ext_option(e, "ctmask");

	if (set)
		set_bits(at, s, CT_FIELD_CONNMARK, set->n[0], set->n[1], has_entry(at));
	else if (ct_ext_option(e, "restore-mark"))
		copy_bits(at, s, CT_FIELD_MARK, nf->n[0], CT_FIELD_CONNMARK, ct->n[0]);
	else
		copy_bits(at, s, CT_FIELD_CONNMARK, ct->n[0], CT_FIELD_MARK, nf->n[0]);
}

/* Nothing for a packet that a CT rule has given a template, or that has an entry. */
static void notrack(const struct ct_place *at, const struct ct_rule_ext *e, struct ct_dd_subst *s)
{
	struct ct_dds *d = at->p->d;

	(void)e;
	if (at->is_before_tracker)
		ct_dd_subst_set(s, ct_field_var(CT_FIELD_UNTRACKED),
				ct_dd_or(d, field_bit(at, CT_FIELD_UNTRACKED, 0),
					 ct_dd_not(d, field_bit(at, CT_FIELD_TEMPLATE, 0))));
}

static void ct(const struct ct_place *at, const struct ct_rule_ext *e, struct ct_dd_subst *s)
{
	struct ct_dds *d = at->p->d;

	if (ct_ext_option(e, "notrack"))
		notrack(at, e, s);
	else if (at->is_before_tracker)
		ct_dd_subst_set(s, ct_field_var(CT_FIELD_TEMPLATE),
				ct_dd_or(d, field_bit(at, CT_FIELD_TEMPLATE, 0),
					 ct_dd_not(d, field_bit(at, CT_FIELD_UNTRACKED, 0))));
}

static void tos(const struct ct_place *at, const struct ct_rule_ext *e, struct ct_dd_subst *s)
{
	set_bits(at, s, CT_FIELD_TOS, e->option[0].n[0], e->option[0].n[1], CT_DD_TRUE);
}

static void dscp(const struct ct_place *at, const struct ct_rule_ext *e, struct ct_dd_subst *s)
{
	set_bits(at, s, CT_FIELD_TOS, e->option[0].n[0] << 2, 0xfc, CT_DD_TRUE);
}

/* Set: to that. Changed by a difference: to one of all. */
static void ttl(const struct ct_place *at, const struct ct_rule_ext *e, struct ct_dd_subst *s)
{
	const char *how = e->option[0].def->name;
	char text[64] = "ttl after ";

	if (strstr(how, "-set")) {
		ct_field_becomes(at->p->d, s, CT_FIELD_TTL, e->option[0].n[0]);
		return;
	}
	ct_rule_ext_words(e, text + 10, sizeof(text) - 14);
	for (unsigned i = 0; i < 8; i++) {
		size_t len = strlen(text);

		text[len] = (char)('0' + i);
		text[len + 1] = 0;
		ct_dd_subst_set(s, ct_field_var(CT_FIELD_TTL) + i, ct_proof_choice(at->p, text));
		text[len] = 0;
	}
}

static const struct {
	const char *name;
	effect_fn *change;
} known[] = {
	{ "CONNMARK", connmark }, { "CT", ct },		  { "DSCP", dscp }, { "HL", ttl },
	{ "MARK", mark },	  { "NOTRACK", notrack }, { "TOS", tos },   { "TTL", ttl },
};

static effect_fn *effect_of(const struct ct_rule *rule)
{
	if (rule->verdict != CT_RULE_EXT || !rule->target->def || rule->target->is_opaque)
		return NULL;
	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
		if (strcmp(known[i].name, rule->target->name) == 0)
			return known[i].change;
	return NULL;
}

bool ct_rule_has_effect(const struct ct_rule *rule)
{
	return effect_of(rule) != NULL;
}

struct ct_dd_subst *ct_rule_effect(const struct ct_place *at)
{
	effect_fn *change = effect_of(at->rule);
	struct ct_dd_subst *s = change ? ct_dd_subst_new(at->p->d) : NULL;

	if (change && !s)
		at->p->is_out_of_memory = true;
	if (s)
		change(at, at->rule->target, s);
	return s;
}
