/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The rows of step.c, one file each.
 */
#ifndef OPS_APPLY_INNER_H
#define OPS_APPLY_INNER_H

#include "ops/apply/step.h"

struct step_ops {
	int (*look)(struct host *h, const struct journal *j, const struct step *p,
		    enum step_found *out, char now[STEP_NOW], struct ct_err *err);
	int (*write)(struct host *h, const struct journal *j, const struct step *p, bool is_undo,
		     struct ct_err *err);
	void (*clean)(struct host *h, const struct step *p); /* or null */
	bool is_lasting;
};

#define STEP(kind) extern const struct step_ops step_##kind##_ops;
#include "ops/apply/step.def"
#undef STEP

#endif
