/* SPDX-License-Identifier: BSD-2-Clause
 *
 * A change to be judged: settings, what would not be tracked, and growth, out of words.
 */
#ifndef OPS_WHATIF_CHANGE_H
#define OPS_WHATIF_CHANGE_H

#include "lib/ct/entry_match.h"
#include "ops/settings/settings.h"

#define CHANGE_MAX_SETS	   64
#define CHANGE_MAX_NOTRACK 8

struct change_set {
	const struct setting *setting;
	int64_t value;
};

struct change_notrack {
	char text[160];
	struct ct_match match;
};

struct change {
	struct change_set set[CHANGE_MAX_SETS];
	struct change_notrack notrack[CHANGE_MAX_NOTRACK];
	unsigned n_sets, n_notrack;
	double growth; /* 0 not given */
};

/* Takes "NAME=VALUE": a timeout (seconds, or with a unit), nf_conntrack_max, nf_conntrack_buckets.
 * -ENOENT for a name that does not exist, with the nearest one; -EOPNOTSUPP for a setting whose
 * effect is not reckoned; -EINVAL, -E2BIG. */
int change_add_set(struct change *c, const char *text, struct ct_err *err);

/* Takes conditions as "tcp dport 6379": a protocol and pairs of field and value. A packet is meant
 * in either direction. Only what a rule can see of a packet: addresses, ports, protocol, family.
 * -EINVAL, -E2BIG. */
int change_add_notrack(struct change *c, const char *text, struct ct_err *err);

/* Takes "3x", "1.5" or "+20%". -EINVAL. */
int change_set_growth(struct change *c, const char *text, struct ct_err *err);

/* Whether rules against the packets of condition @i would keep @e out: its packets fit in one
 * direction or the other. */
bool change_untracks(const struct change *c, unsigned i, const struct ct_entry *e);

/* The value given to @name, or null. */
const struct change_set *change_find(const struct change *c, const char *name);

#endif
