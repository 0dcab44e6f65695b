/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What the two ways into a plan share.
 */
#ifndef OPS_PLAN_INNER_H
#define OPS_PLAN_INNER_H

#include "ops/plan/plan.h"

/* Adds a setting by its name, judged; @out (may be null) is borrowed from the plan. */
int plan_put_set(struct plan *p, const char *name, int64_t to, struct plan_set **out,
		 struct ct_err *err);

#endif
