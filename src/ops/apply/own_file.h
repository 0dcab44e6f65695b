/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Files of ours among the machine's, and blocks of ours in files of others: marked, so that they
 * are found again and can go without a trace.
 */
#ifndef OPS_APPLY_OWN_FILE_H
#define OPS_APPLY_OWN_FILE_H

#include "ops/apply/draft.h"

struct own_file {
	const char *path;
	bool is_shared; /* others write it too: ours is a block in it */
	uint32_t mode;	/* of a new one */
};

/* Every file in which something of ours can stand; ends with a null path. */
extern const struct own_file own_files[];
const struct own_file *own_file_find(const char *path);

/* What stands there between our marks, or in all of our file less its heading. Empty when nothing
 * does. -EEXIST with a sentence when a file under our name was written by somebody else. */
int own_file_read(struct host *h, const struct own_file *f, struct ct_buf *out, struct ct_err *err);

/* Adds to @d the write that makes @lines all that is ours in @f; empty removes it. */
int own_file_put(struct draft *d, struct host *h, const struct own_file *f,
		 const struct ct_buf *lines, struct ct_err *err);

#endif
