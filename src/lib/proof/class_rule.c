/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Classes as matches of a rule.
 */
#include <string.h>

#include "lib/proof/classes.h"
#include "lib/proof/session.h"

/* The one block of values that a set is: its first bits given, the others anything. */
static bool one_block(const struct ct_proof *p, enum ct_field f, ct_dd set,
		      struct ct_field_value *value, unsigned *fixed)
{
	unsigned bits = ct_field_bits(f, p->family), var = ct_field_var(f);

	*value = (struct ct_field_value){ { 0 } };
	for (*fixed = 0; *fixed < bits && !ct_dd_is_leaf(set); ++*fixed) {
		unsigned at = *fixed + (8 - bits % 8) % 8;
		bool is_one =
			ct_dd_top(p->d, set) == var + *fixed && ct_dd_low(p->d, set) == CT_DD_FALSE;

		if (ct_dd_top(p->d, set) != var + *fixed ||
		    (!is_one && ct_dd_high(p->d, set) != CT_DD_FALSE))
			return false;
		if (is_one)
			value->bytes[at / 8] |= (uint8_t)(1u << (7 - at % 8));
		set = is_one ? ct_dd_high(p->d, set) : ct_dd_low(p->d, set);
	}
	return set == CT_DD_TRUE;
}

static void put_address(struct ct_proof *p, const struct ct_class *c, enum ct_field f,
			const char *option, struct ct_text *to)
{
	struct ct_field_value v;
	union ct_addr a;
	unsigned fixed;

	if (c->value[f] == CT_DD_TRUE || !one_block(p, f, c->value[f], &v, &fixed))
		return;
	memcpy(a.bytes, v.bytes, sizeof(a.bytes));
	ct_text_printf(to, " %s ", option);
	ct_addr_format(&a, p->family, false, to);
	ct_text_printf(to, "/%u", fixed);
}

static void put_iface(struct ct_proof *p, const struct ct_class *c, enum ct_field f,
		      const char *option, struct ct_text *to)
{
	for (uint32_t i = CT_ATOM_LOOPBACK; c->value[f] != CT_DD_TRUE && i < p->atoms.n; i++) {
		ct_dd one = ct_field_is(p->d, f, i);

		if (i != CT_ATOM_OTHER && ct_dd_and(p->d, c->value[f], one) == one &&
		    ct_dd_less(p->d,
			       ct_dd_and(p->d, c->value[f],
					 ct_field_within(p->d, f, 0, p->atoms.n - 1)),
			       one) == CT_DD_FALSE)
			ct_text_printf(to, " %s %s%s", option, p->atoms.atom[i].name,
				       p->atoms.atom[i].is_prefix ? "+" : "");
	}
}

/* The lowest value of a set that is at least @from; false when there is none. */
static bool next_port(struct ct_proof *p, enum ct_field f, ct_dd set, uint32_t from, uint32_t *out)
{
	uint32_t v = 0;

	set = ct_dd_and(p->d, set, ct_field_within(p->d, f, from, 65535));
	if (from > 65535 || set == CT_DD_FALSE)
		return false;
	while (!ct_dd_is_leaf(set)) {
		bool is_one = ct_dd_low(p->d, set) == CT_DD_FALSE;

		if (is_one)
			v |= 1u << (15 - (ct_dd_top(p->d, set) - ct_field_var(f)));
		set = is_one ? ct_dd_high(p->d, set) : ct_dd_low(p->d, set);
	}
	*out = v;
	return true;
}

/* As ranges, at most 15 ports as multiport takes them; a range counts for two. */
static void put_ports(struct ct_proof *p, const struct ct_class *c, enum ct_field f,
		      const char *proto, const char *option, struct ct_text *to)
{
	char text[128];
	struct ct_text t;
	uint32_t from, behind = 0;
	unsigned n = 0, n_ranges = 0;

	ct_text_init(&t, text, sizeof(text));
	while (n <= 15 && next_port(p, f, c->value[f], behind, &from)) {
		if (!next_port(p, f, ct_dd_not(p->d, c->value[f]), from, &behind))
			behind = 65536;
		ct_text_str(&t, n_ranges++ ? "," : "");
		ct_text_u64(&t, from);
		if (behind - from > 1)
			ct_text_printf(&t, ":%u", (unsigned)(behind - 1));
		n += behind - from > 1 ? 2 : 1;
	}
	if (n == 0 || n > 15)
		return;
	if (n_ranges == 1)
		ct_text_printf(to, " -m %s --%s %s", proto, option, text);
	else
		ct_text_printf(to, " -m multiport --%ss %s", option, text);
}

void ct_class_rule(struct ct_proof *p, const struct ct_class *c, struct ct_text *to)
{
	struct ct_field_value v;
	unsigned fixed;

	put_address(p, c, CT_FIELD_SADDR, "-s", to);
	put_address(p, c, CT_FIELD_DADDR, "-d", to);
	put_iface(p, c, CT_FIELD_IIF, "-i", to);
	put_iface(p, c, CT_FIELD_OIF, "-o", to);
	if (c->value[CT_FIELD_PROTO] == CT_DD_TRUE ||
	    !one_block(p, CT_FIELD_PROTO, c->value[CT_FIELD_PROTO], &v, &fixed) || fixed < 8)
		return;
	if (ct_rule_proto_name(v.bytes[0]))
		ct_text_printf(to, " -p %s", ct_rule_proto_name(v.bytes[0]));
	else
		ct_text_printf(to, " -p %u", (unsigned)v.bytes[0]);
	if (v.bytes[0] != 6 && v.bytes[0] != 17 && v.bytes[0] != 132)
		return;
	if (c->value[CT_FIELD_SPORT] != CT_DD_TRUE)
		put_ports(p, c, CT_FIELD_SPORT, ct_rule_proto_name(v.bytes[0]), "sport", to);
	if (c->value[CT_FIELD_DPORT] != CT_DD_TRUE)
		put_ports(p, c, CT_FIELD_DPORT, ct_rule_proto_name(v.bytes[0]), "dport", to);
}
