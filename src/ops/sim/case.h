/* SPDX-License-Identifier: BSD-2-Clause
 *
 * A recorded case: a directory whose case.json says which capture the kernel was given, under
 * which settings and rules and in which role, so that an engine can be given the same.
 */
#ifndef OPS_SIM_CASE_H
#define OPS_SIM_CASE_H

#include "ops/sim/sim.h"

enum { SIM_PATH = 4096 };

struct sim_case {
	struct sim_machine machine;
	struct ct_ruleset *rules4, *rules6, *rules_nft; /* owned */
	struct ct_ipsets *sets;				/* owned */
	char capture[SIM_PATH];
	char numbering[SIM_PATH]; /* the capture whose frames are counted; empty: the same */
};

/* Reads DIR/case.json: @cfg then is what it says (its numbering is left to the caller), and borrows
 * from @c. @remark as in struct sim_sysctls. -EINVAL or an errno, with a sentence. */
int sim_case_read(struct sim_case *c, struct sim_config *cfg, const char *dir,
		  void (*remark)(void *user, const char *text), void *user, struct ct_err *err);
void sim_case_fini(struct sim_case *c);

/* Puts the rules of a file in their place: iptables', by @syntax ip6tables', or nft's; what was
 * there goes. -EINVAL with a sentence. */
int sim_case_rules(struct sim_case *c, const char *path, unsigned syntax, struct ct_err *err);

/* Puts the sets of a file in their place; what was there goes. -EINVAL with a sentence. */
int sim_case_sets(struct sim_case *c, const char *path, struct ct_err *err);

/* All counters of its rules to 0. */
void sim_case_zero(struct sim_case *c);

/* "NAME:PORT" to the helpers of @cfg. -EINVAL with a sentence. */
int sim_add_helper(struct sim_config *cfg, const char *text, struct ct_err *err);

#endif
