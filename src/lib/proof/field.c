/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Fields over variables: the most significant bit of a field is asked first.
 */
#include "lib/proof/field.h"

#include <string.h>

static const struct {
	const char *name;
	uint8_t bits;
} fields[] = {
#define FIELD(name, bits) { #name, bits },
#include "lib/proof/field.def"
#undef FIELD
};

static bool is_address(enum ct_field f)
{
	return fields[f].bits == 128;
}

unsigned ct_field_bits(enum ct_field f, uint8_t family)
{
	return is_address(f) && family == CT_FAMILY_IPV4 ? 32 : fields[f].bits;
}

unsigned ct_field_var(enum ct_field f)
{
	unsigned var = 0;

	for (unsigned i = 0; i < (unsigned)f; i++)
		var += fields[i].bits;
	return var;
}

const char *ct_field_name(enum ct_field f)
{
	return fields[f].name;
}

unsigned ct_field_vars_end(void)
{
	return ct_field_var(N_FIELDS);
}

struct ct_field_value ct_field_value(enum ct_field f, uint8_t family, uint64_t v)
{
	unsigned n = (ct_field_bits(f, family) + 7) / 8;
	struct ct_field_value out = { { 0 } };

	for (unsigned i = 0; i < n && i < 8; i++)
		out.bytes[n - 1 - i] = (uint8_t)(v >> 8 * i);
	return out;
}

struct ct_field_value ct_field_address(const union ct_addr *a)
{
	struct ct_field_value out;

	memcpy(out.bytes, a->bytes, sizeof(out.bytes));
	return out;
}

/* Bit @i of a field of @bits bits, the most significant one being 0. */
static bool bit(const struct ct_field_value *v, unsigned bits, unsigned i)
{
	i += (8 - bits % 8) % 8;
	return v->bytes[i / 8] >> (7 - i % 8) & 1;
}

ct_dd ct_field_masked(struct ct_dds *d, enum ct_field f, uint8_t family,
		      const struct ct_field_value *v, const struct ct_field_value *mask)
{
	unsigned bits = ct_field_bits(f, family), var = ct_field_var(f);
	ct_dd r = CT_DD_TRUE;

	for (unsigned i = bits; i-- > 0;) {
		if (!bit(mask, bits, i))
			continue;
		r = bit(v, bits, i) ? ct_dd_node(d, var + i, CT_DD_FALSE, r)
				    : ct_dd_node(d, var + i, r, CT_DD_FALSE);
	}
	return r;
}

/* Those at least @v, or at most. */
static ct_dd bound(struct ct_dds *d, enum ct_field f, uint8_t family,
		   const struct ct_field_value *v, bool is_lowest)
{
	unsigned bits = ct_field_bits(f, family), var = ct_field_var(f);
	ct_dd r = CT_DD_TRUE;

	for (unsigned i = bits; i-- > 0;) {
		if (is_lowest)
			r = bit(v, bits, i) ? ct_dd_node(d, var + i, CT_DD_FALSE, r)
					    : ct_dd_node(d, var + i, r, CT_DD_TRUE);
		else
			r = bit(v, bits, i) ? ct_dd_node(d, var + i, CT_DD_TRUE, r)
					    : ct_dd_node(d, var + i, r, CT_DD_FALSE);
	}
	return r;
}

ct_dd ct_field_range(struct ct_dds *d, enum ct_field f, uint8_t family,
		     const struct ct_field_value *from, const struct ct_field_value *to)
{
	return ct_dd_and(d, bound(d, f, family, from, true), bound(d, f, family, to, false));
}

ct_dd ct_field_within(struct ct_dds *d, enum ct_field f, uint64_t from, uint64_t to)
{
	struct ct_field_value a = ct_field_value(f, CT_FAMILY_IPV4, from);
	struct ct_field_value b = ct_field_value(f, CT_FAMILY_IPV4, to);

	return ct_field_range(d, f, CT_FAMILY_IPV4, &a, &b);
}

ct_dd ct_field_has(struct ct_dds *d, enum ct_field f, uint64_t v, uint64_t mask)
{
	struct ct_field_value a = ct_field_value(f, CT_FAMILY_IPV4, v);
	struct ct_field_value b = ct_field_value(f, CT_FAMILY_IPV4, mask);

	return ct_field_masked(d, f, CT_FAMILY_IPV4, &a, &b);
}

ct_dd ct_field_is(struct ct_dds *d, enum ct_field f, uint64_t v)
{
	return ct_field_has(d, f, v, UINT64_MAX);
}

void ct_field_becomes(struct ct_dds *d, struct ct_dd_subst *s, enum ct_field f, uint64_t v)
{
	unsigned bits = fields[f].bits, var = ct_field_var(f);

	(void)d;
	for (unsigned i = 0; i < bits; i++)
		ct_dd_subst_set(s, var + i, v >> (bits - 1 - i) & 1 ? CT_DD_TRUE : CT_DD_FALSE);
}

void ct_field_becomes_field(struct ct_dds *d, struct ct_dd_subst *s, enum ct_field f,
			    enum ct_field from, uint8_t family)
{
	unsigned bits = ct_field_bits(f, family);

	for (unsigned i = 0; i < bits; i++)
		ct_dd_subst_set(s, ct_field_var(f) + i,
				ct_dd_node(d, ct_field_var(from) + i, CT_DD_FALSE, CT_DD_TRUE));
}
