/* SPDX-License-Identifier: BSD-2-Clause
 *
 * One write of a change, made and taken back. Each kind is a row of functions (step.c).
 */
#ifndef OPS_APPLY_STEP_H
#define OPS_APPLY_STEP_H

#include "ops/apply/journal.h"
#include "ops/host/netns.h"

/* A machine and the namespace of it that was visited last, so that many steps find it once. */
struct site {
	struct host *machine; /* borrowed */
	struct netns_list list;
	struct host *inside; /* of namespace @netns; null when none was entered */
	uint64_t netns;
};
void site_fini(struct site *s);

/* The host of namespace @netns (an inode; 0 for the machine as it is), borrowed until the next
 * call. -ENOENT when that namespace is gone. */
int site_in(struct site *s, uint64_t netns, struct host **out, struct ct_err *err);

/* What stands there now. */
enum step_found {
	STEP_OLD,   /* as before the change */
	STEP_NEW,   /* as the change makes it */
	STEP_OTHER, /* neither: somebody else wrote it */
	STEP_GONE,  /* the place is no more */
};

#define STEP_NOW 80
int step_look(struct site *s, const struct journal *j, const struct step *p, enum step_found *out,
	      char now[STEP_NOW], struct ct_err *err);

/* Makes the write (@is_undo: takes it back) and sees that it holds. */
int step_write(struct site *s, const struct journal *j, const struct step *p, bool is_undo,
	       struct ct_err *err);

/* Removes what a kill in the middle of its write left about. */
void step_clean(struct site *s, const struct step *p);

/* Whether it outlives a boot. */
bool step_is_lasting(const struct step *p);

#endif
