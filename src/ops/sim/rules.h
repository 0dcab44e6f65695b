/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Rule sets out of files, with the file's name in front of what is wrong.
 */
#ifndef OPS_SIM_RULES_H
#define OPS_SIM_RULES_H

#include <conntune/ruleset.h>

/* The largest rule set that is read. */
#define SIM_MAX_RULES_SIZE (64u << 20)

/* Reads @path ("-" is standard input) as iptables-save, or with CT_SYNTAX_IP6TABLES ip6tables-save
 * text; "FILE:LINE: sentence" in @err. Counters stand as the file has them. */
int sim_rules_file(const char *path, unsigned syntax, struct ct_ruleset **out, struct ct_err *err);

#endif
