/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What is wrong with a rule set's use of tracking. Every finding is proved over all packets
 * (lib/proof) and names the rule, a class of packets, and one packet of it.
 */
#ifndef OPS_LINT_LINT_H
#define OPS_LINT_LINT_H

#include <conntune/err.h>
#include <conntune/ruleset.h>

#include "ops/report/finding.h"

/* The rules of one IP version; a null rule set is unknown. */
struct lint_side {
	const struct ct_ruleset *rules;
	const char *name; /* of the file, for evidence */
};

struct lint_subject {
	struct lint_side v4, v6;
};

/* Looks for everything of lint.def and adds findings to @r: something wrong, "nothing wrong", or
 * why it could not be judged. -ENOMEM, -E2BIG with a sentence. */
int lint_run(const struct lint_subject *s, struct report *r, struct ct_err *err);

#endif
