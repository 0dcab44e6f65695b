/* SPDX-License-Identifier: BSD-2-Clause
 *
 * A plan: what to change, from what to what, and why. Values only; nothing is changed here.
 *
 * It comes from words on a command line or from a file (docs/plan.md). A file may come from
 * anywhere, so its reader is bounded, and what it does not understand it refuses: half of a plan is
 * another plan.
 */
#ifndef OPS_PLAN_PLAN_H
#define OPS_PLAN_PLAN_H

#include "ops/settings/settings.h"
#include "ops/settings/words.h"

#define PLAN_VERSION	 1
#define PLAN_MAX_BYTES	 (1u << 20)
#define PLAN_MAX_SETS	 64
#define PLAN_MAX_NOTRACK 16
#define PLAN_MAX_TEXT	 1000 /* bytes of a reason, a name, a class */

/* One setting. All text is borrowed from the plan. */
struct plan_set {
	const struct setting *setting;
	bool is_from_known;
	int64_t from;	    /* what it was when the plan was made */
	int64_t to;	    /* what it shall be */
	const char *reason; /* one sentence, or null */
};

/* One class of packets that shall not be tracked: "tcp dport 6379". */
struct plan_notrack {
	const char *text, *reason;
};

struct plan {
	struct plan_set set[PLAN_MAX_SETS];
	struct plan_notrack notrack[PLAN_MAX_NOTRACK];
	unsigned n_sets, n_notrack;
	bool is_persistent; /* also for the next boots */
	const char *netns;  /* the network namespace it is for, or null: that we run in */
	const char *reason; /* of the whole, or null */
	struct words words;
};

/* Takes "NAME=VALUE": any setting that can be written; times with a unit. -ENOENT for a name that
 * does not exist, -EINVAL, -EROFS, -ERANGE, -E2BIG, each with a sentence. */
int plan_add_set(struct plan *p, const char *text, struct ct_err *err);

/* Takes a class in words. What they mean is found out when it is applied. -EINVAL, -E2BIG. */
int plan_add_notrack(struct plan *p, const char *text, struct ct_err *err);

/* The value wanted for setting @name, or null. */
const struct plan_set *plan_find(const struct plan *p, const char *name);

/* Reads a plan file (any bytes), adding to @p. -EINVAL with a sentence that names the line or the
 * change, -EFBIG, -ENOMEM. */
int plan_read(struct plan *p, const char *text, size_t len, struct ct_err *err);

/* Writes @p as a plan file, which plan_read() reads into the same. -ENOMEM. */
int plan_write(const struct plan *p, struct ct_buf *out);

void plan_fini(struct plan *p);

#endif
