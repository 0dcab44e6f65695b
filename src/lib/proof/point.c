/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Points: the value of every field, looked at bit by bit.
 */
#include "lib/proof/point.h"

#include "lib/proof/session.h"

/* Bit @i of a field of @bits bits, the most significant one being 0. */
static unsigned place_of(unsigned bits, unsigned i)
{
	return i + (8 - bits % 8) % 8;
}

static unsigned field_of(unsigned var)
{
	unsigned f = 0;

	while (f < N_FIELDS && var >= ct_field_var((enum ct_field)(f + 1)))
		f++;
	return f;
}

static bool is_set(void *user, unsigned var)
{
	const struct ct_point *pt = user;
	unsigned f = field_of(var), at;

	if (f == N_FIELDS)
		return false;
	at = place_of(ct_field_bits((enum ct_field)f, pt->family),
		      var - ct_field_var((enum ct_field)f));
	return pt->value[f].bytes[at / 8] >> (7 - at % 8) & 1;
}

static void set(struct ct_point *pt, unsigned var, bool on)
{
	unsigned f = field_of(var), at;
	uint8_t one;

	if (f == N_FIELDS)
		return;
	at = place_of(ct_field_bits((enum ct_field)f, pt->family),
		      var - ct_field_var((enum ct_field)f));
	one = (uint8_t)(1u << (7 - at % 8));
	pt->value[f].bytes[at / 8] = (uint8_t)(on ? pt->value[f].bytes[at / 8] | one
						  : pt->value[f].bytes[at / 8] & ~one);
}

void ct_point_put(struct ct_point *pt, enum ct_field f, uint64_t v)
{
	pt->value[f] = ct_field_value(f, pt->family, v);
}

uint64_t ct_point_get(const struct ct_point *pt, enum ct_field f)
{
	uint64_t v = 0;

	for (unsigned i = 0; i < (ct_field_bits(f, pt->family) + 7) / 8; i++)
		v = v << 8 | pt->value[f].bytes[i];
	return v;
}

void ct_point_of(const struct ct_proof *p, const struct ct_witness *w, struct ct_point *out)
{
	struct ct_point *pt = out;

	*pt = (struct ct_point){ .family = p->family };
	ct_point_put(pt, CT_FIELD_STATE, w->state);
	ct_point_put(pt, CT_FIELD_HAS_SNAT, w->has_snat);
	ct_point_put(pt, CT_FIELD_HAS_DNAT, w->has_dnat);
	ct_point_put(pt, CT_FIELD_PROTO, w->proto);
	ct_point_put(pt, CT_FIELD_IIF, ct_atom_of(&p->atoms, w->in));
	ct_point_put(pt, CT_FIELD_OIF, ct_atom_of(&p->atoms, w->out));
	ct_point_put(pt, CT_FIELD_FRAGMENT, w->is_fragment);
	ct_point_put(pt, CT_FIELD_FLAGS, w->flags);
	ct_point_put(pt, CT_FIELD_ICMP_TYPE, w->icmp_type);
	ct_point_put(pt, CT_FIELD_ICMP_CODE, w->icmp_code);
	ct_point_put(pt, CT_FIELD_DPORT, w->dport);
	ct_point_put(pt, CT_FIELD_SPORT, w->sport);
	pt->value[CT_FIELD_DADDR] = ct_field_address(&w->dst);
	pt->value[CT_FIELD_SADDR] = ct_field_address(&w->src);
	ct_point_put(pt, CT_FIELD_DST_TYPE, w->dst_type);
	ct_point_put(pt, CT_FIELD_SRC_TYPE, w->src_type);
	ct_point_put(pt, CT_FIELD_TOS, w->tos);
	ct_point_put(pt, CT_FIELD_TTL, w->ttl);
	ct_point_put(pt, CT_FIELD_LENGTH, w->length);
	ct_point_put(pt, CT_FIELD_MARK, w->mark);
	ct_point_put(pt, CT_FIELD_CONNMARK, w->connmark);
}

uint32_t ct_point_at(const struct ct_proof *p, ct_dd f, const struct ct_point *pt)
{
	struct ct_point at = *pt;

	return ct_dd_at(p->d, f, is_set, &at);
}

void ct_point_change(const struct ct_proof *p, struct ct_point *pt, const struct ct_dd_subst *s)
{
	struct ct_point was = *pt;

	for (unsigned var = 0; var < ct_field_vars_end(); var++) {
		ct_dd becomes = ct_dd_subst_get(s, var);

		if (becomes != CT_DD_STAYS)
			set(pt, var, ct_dd_at(p->d, becomes, is_set, &was));
	}
}

uint32_t ct_proof_fate_at(struct ct_proof *p, ct_dd f, const struct ct_witness *w)
{
	struct ct_point pt;

	ct_point_of(p, w, &pt);
	return ct_point_at(p, f, &pt);
}
