/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Rule sets out of files, with the file's name in front of what is wrong.
 */
#ifndef OPS_SIM_RULES_H
#define OPS_SIM_RULES_H

#include "ops/rules/rules.h"

/* The largest rule set that is read. */
#define SIM_MAX_RULES_SIZE (64u << 20)

/* Reads @path ("-" is standard input) as iptables-save, or with CT_SYNTAX_IP6TABLES ip6tables-save
 * text; "FILE:LINE: sentence" in @err. Counters stand as the file has them. */
int sim_rules_file(const char *path, unsigned syntax, struct ct_ruleset **out, struct ct_err *err);

/* The same in any spelling, and which it was; @syntax counts for iptables-save text only. */
int sim_rules_any(const char *path, unsigned syntax, struct ct_ruleset **out,
		  enum rules_spelling *spelling, struct ct_err *err);

/* The sets of a file that "ipset save" wrote; as above. */
int sim_sets_file(const char *path, struct ct_ipsets **out, struct ct_err *err);

#endif
