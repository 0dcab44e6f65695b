/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Packets as points of a space: which variables of a diagram stand for which field, and sets of
 * packets that differ from the others in one field.
 */
#ifndef CT_PROOF_FIELD_H
#define CT_PROOF_FIELD_H

#include <conntune/tuple.h>

#include "lib/proof/dd.h"

enum ct_field {
#define FIELD(name, bits) CT_FIELD_##name,
#include "lib/proof/field.def"
#undef FIELD
	N_FIELDS
};

/* What the tracker says of a packet, if it tracks it. */
enum ct_proof_state {
	CT_PROOF_INVALID,
	CT_PROOF_NEW,
	CT_PROOF_RELATED,
	CT_PROOF_ESTABLISHED,
	CT_PROOF_UNTRACKED,
	N_PROOF_STATES
};

/* A value of a field, most significant byte first at the front; short fields use the last bits of
 * as many bytes as they need. */
struct ct_field_value {
	uint8_t bytes[16];
};

/* Bits and first variable of a field; of addresses for a family. */
unsigned ct_field_bits(enum ct_field f, uint8_t family);
unsigned ct_field_var(enum ct_field f);
const char *ct_field_name(enum ct_field f); /* "DPORT" */

/* The first variable behind all fields: choices begin here. */
unsigned ct_field_vars_end(void);

struct ct_field_value ct_field_value(enum ct_field f, uint8_t family, uint64_t v);
struct ct_field_value ct_field_address(const union ct_addr *a);

/* Packets whose @f is @v in the bits of @mask. */
ct_dd ct_field_masked(struct ct_dds *d, enum ct_field f, uint8_t family,
		      const struct ct_field_value *v, const struct ct_field_value *mask);

/* Packets whose @f is from @from to @to. */
ct_dd ct_field_range(struct ct_dds *d, enum ct_field f, uint8_t family,
		     const struct ct_field_value *from, const struct ct_field_value *to);

/* The same for numbers. */
ct_dd ct_field_is(struct ct_dds *d, enum ct_field f, uint64_t v);
ct_dd ct_field_within(struct ct_dds *d, enum ct_field f, uint64_t from, uint64_t to);
ct_dd ct_field_has(struct ct_dds *d, enum ct_field f, uint64_t v, uint64_t mask);

/* Lets @s give field @f the value @v, or that of field @from, in the bits of @mask. */
void ct_field_becomes(struct ct_dds *d, struct ct_dd_subst *s, enum ct_field f, uint64_t v);
void ct_field_becomes_field(struct ct_dds *d, struct ct_dd_subst *s, enum ct_field f,
			    enum ct_field from, uint8_t family);

#endif
