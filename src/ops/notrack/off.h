/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Switching tracking off altogether: which rules keep it on, which of these decide anything, and
 * in which order the kernel's modules can go.
 */
#ifndef OPS_NOTRACK_OFF_H
#define OPS_NOTRACK_OFF_H

#include <conntune/err.h>
#include <conntune/ruleset.h>

/* What a rule needs the tracker for. */
enum off_why {
	OFF_NAT,   /* it translates */
	OFF_STATE, /* it asks for a state, and some packet's fate hangs on it */
	OFF_IDLE,  /* it asks for a state on which nothing hangs */
	OFF_ENTRY, /* it asks for something else of a connection's entry, or writes to it */
	OFF_WHYS
};

/* "translates addresses", ... */
const char *off_why_text(enum off_why why);

/* A rule that keeps tracking on: its words, as iptables-save has them. False ends it. */
typedef bool off_rule_fn(void *user, enum off_why why, const char *table, unsigned line,
			 const char *words);

/* Each rule of @rs that needs the tracker. Whether a state decides is proved for each over all
 * packets. 0, 1 when @see ended it, or an error with a sentence. */
int off_rules(const struct ct_ruleset *rs, off_rule_fn *see, void *user, struct ct_err *err);

/* The modules that use nf_conntrack, and it, in the order in which they can be removed, out of
 * /proc/modules. -ENOENT when it is no module (or not loaded), -E2BIG. */
typedef void off_module_fn(void *user, const char *name, unsigned n_users);
int off_modules(const char *proc_modules, off_module_fn *see, void *user);

#endif
