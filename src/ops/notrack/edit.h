/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Rules put into the text of a rule set, which otherwise stays as it is.
 */
#ifndef OPS_NOTRACK_EDIT_H
#define OPS_NOTRACK_EDIT_H

#include "lib/base/buf.h"
#include "lib/ruleset/model.h"

/* Puts "-A CHAIN WORDS" before line @line (from 1) of @text. -ENOMEM. */
int edit_insert(struct ct_buf *text, unsigned line, const char *chain, const char *words);

/* The line before which a first rule of table @name stands; the table is added at the end of
 * @text when @rs, the same rules read, has none. 0 and a line in @out, or -ENOMEM. */
int edit_table_top(struct ct_buf *text, const struct ct_ruleset *rs, const char *name,
		   unsigned *out);

#endif
