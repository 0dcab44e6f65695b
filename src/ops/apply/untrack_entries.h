/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Entries of what is no longer tracked; see untrack_entries.c.
 */
#ifndef OPS_APPLY_UNTRACK_ENTRIES_H
#define OPS_APPLY_UNTRACK_ENTRIES_H

#include "ops/apply/step.h"

/* Removes from the table the entries of the classes that @j keeps from the tracker; how many. What
 * cannot be read or removed stays until its time is up. */
uint64_t untrack_entries(struct site *s, const struct journal *j);

#endif
