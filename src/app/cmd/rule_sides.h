/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The rule sets that a command is about: of IPv4 and IPv6, from files or from a machine.
 */
#ifndef APP_CMD_RULE_SIDES_H
#define APP_CMD_RULE_SIDES_H

#include <conntune/ruleset.h>

#include "app/cmd/cmd.h"

struct rule_side {
	struct ct_ruleset *rules; /* owned; null: unknown */
	const char *name;	  /* of the file or program; borrowed */
};

struct rule_sides {
	struct rule_side v4, v6;
};
void rule_sides_fini(struct rule_sides *s);

/* Reads @path, "-" for standard input, as rules of both IP versions' tools would be read: of IPv6
 * when the name ends with 6 or when it cannot be IPv4. -EEXIST for a second one of a version; other
 * errors of reading; all with a sentence that names file and line. */
int rule_sides_add(struct rule_sides *s, const char *path, struct ct_err *err);

/* Reads what iptables-save and ip6tables-save say of the machine that @common names, in its network
 * namespace. A program that is missing leaves its side unknown; -ENOENT when both are. */
int rule_sides_live(struct rule_sides *s, const struct common_options *common, struct ct_err *err);

#endif
