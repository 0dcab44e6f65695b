/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Proves over all packets what rules that keep packets from the tracker do to them.
 */
#ifndef OPS_APPLY_UNTRACK_PROOF_H
#define OPS_APPLY_UNTRACK_PROOF_H

#include <conntune/ruleset.h>

#include "ops/apply/untrack.h"

/* Compares two rule sets of @family that differ in the rules for @c. 0 when no packet of a
 * connection that was let in ends, and none loses its translation, because it is not tracked any
 * more; -EPERM with a sentence that names such packets; another error when it could not be proved.
 */
int untrack_prove(const struct untrack_class *c, uint8_t family, const struct ct_ruleset *before,
		  const struct ct_ruleset *after, struct ct_err *err);

#endif
