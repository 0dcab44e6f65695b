/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What only a whole table can tell: where its rules jump, and whether they may stand there.
 */
#ifndef CT_RULESET_CHECK_H
#define CT_RULESET_CHECK_H

#include "lib/ruleset/kind.h"

/* Sorts the chains of @t, ties jumps to chains, finds from which hooks each chain is reached.
 * -EINVAL with a sentence: a loop that a packet could enter; in strict mode also what iptables or
 * the kernel refuse. */
int ct_rule_table_check(struct ct_reading *r, struct ct_rule_table *t);

#endif
