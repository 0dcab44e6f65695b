/* SPDX-License-Identifier: BSD-2-Clause
 *
 * One packet as a point of the space.
 */
#ifndef CT_PROOF_POINT_H
#define CT_PROOF_POINT_H

#include "lib/proof/classes.h"

struct ct_point {
	struct ct_field_value value[N_FIELDS];
	uint8_t family;
};

/* The point of a witness, nothing changed yet. */
void ct_point_of(const struct ct_proof *p, const struct ct_witness *w, struct ct_point *out);

void ct_point_put(struct ct_point *pt, enum ct_field f, uint64_t v);
uint64_t ct_point_get(const struct ct_point *pt, enum ct_field f); /* of at most 64 bits */

/* The leaf of @f there; choices count as false. */
uint32_t ct_point_at(const struct ct_proof *p, ct_dd f, const struct ct_point *pt);

/* Changes the point as @s says. */
void ct_point_change(const struct ct_proof *p, struct ct_point *pt, const struct ct_dd_subst *s);

#endif
