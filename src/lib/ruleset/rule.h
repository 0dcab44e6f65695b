/* SPDX-License-Identifier: BSD-2-Clause
 *
 * One rule out of the words of its line.
 */
#ifndef CT_RULESET_RULE_H
#define CT_RULESET_RULE_H

#include "lib/ruleset/ext.h"
#include "lib/ruleset/words.h"

#define CT_MAX_RULE_EXTS 64  /* matches of one rule */
#define CT_MAX_ADDRS	 256 /* in a list after -s or -d */

struct ct_rule_nets {
	union ct_addr addr[CT_MAX_ADDRS], mask[CT_MAX_ADDRS];
	unsigned n;
};

/* Room for one rule at a time; too large for the stack. */
struct ct_rule_reader {
	struct ct_reading in;
	struct ct_words words;
	unsigned at; /* the next word */
	bool is_not; /* a '!' stood before it */
	struct ct_rule rule;
	struct ct_rule_ext *last; /* the extension that unknown words belong to */
	struct ct_rule_ext **end; /* where the next match is hung */
	struct ct_rule_option option[CT_MAX_RULE_EXTS + 1][CT_MAX_OPTIONS];
	unsigned n_exts;
	struct ct_rule_nets src, dst;
	bool is_other_family; /* -4 or -6 says that the rule is not for us */
};

/* Reads the words from number @from on as a rule: what may follow "-A CHAIN". Leaves it in
 * rd->rule, with the lists of addresses beside it; everything else in the arena. */
int ct_rule_read(struct ct_rule_reader *rd, unsigned from);

#endif
