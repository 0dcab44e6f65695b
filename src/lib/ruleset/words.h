/* SPDX-License-Identifier: BSD-2-Clause
 *
 * A line of a rule set as words.
 */
#ifndef CT_RULESET_WORDS_H
#define CT_RULESET_WORDS_H

#include <stddef.h>

#define CT_MAX_WORDS	 255u	/* iptables-restore's MAX_ARGC */
#define CT_MAX_RULE_LINE 10240u /* and the length of its lines */

struct ct_words {
	char *word[CT_MAX_WORDS + 1]; /* quotes removed; a null at the end */
	const char *raw[CT_MAX_WORDS], *raw_end[CT_MAX_WORDS]; /* as they stand in the line */
	unsigned n;
	char bytes[CT_MAX_RULE_LINE + CT_MAX_WORDS + 1]; /* what the words point into */
};

/* Splits @line at blanks; double quotes hold a word together, a backslash inside them keeps the
 * next character: iptables-restore's add_param_to_argv(). -EINVAL for an open quote or a control
 * character, -E2BIG for too many words or a line that is too long. Borrows @line. */
int ct_words_split(struct ct_words *w, const char *line, size_t len);

#endif
