/* SPDX-License-Identifier: BSD-2-Clause
 *
 * A change before it is made: the plan turned into writes for this machine, in the order in which
 * they are safe, each with what stands there now.
 */
#ifndef OPS_APPLY_DRAFT_H
#define OPS_APPLY_DRAFT_H

#include "ops/apply/journal.h"
#include "ops/host/host.h"
#include "ops/plan/plan.h"

/* A text to be saved beside the journal before the first write. */
struct draft_text {
	const char *name; /* "0.old"; borrowed from the journal */
	struct ct_buf text;
};

struct draft {
	struct journal journal; /* without a number; its steps are the writes */
	struct draft_text *texts;
	size_t n_texts;
	const char **remarks; /* sentences: what needs no change, what to know before */
	size_t n_remarks;
};

struct draft_options {
	bool is_forced;	   /* also where somebody else changed it since the plan was made */
	const char *netns; /* label of the namespace that @h stands for, or null */
	bool is_for_show;  /* nothing will be written: rights are not asked for */
};

/* Turns @p into writes in the namespace of @h on @machine. -EROFS with a sentence that says where
 * to go when a value cannot be written here, -ESTALE when it is not what the plan says, -ENOENT
 * when it does not exist. */
int draft_make(struct host *machine, struct host *h, const struct plan *p,
	       const struct draft_options *o, struct draft *out, struct ct_err *err);
/* The writes that remove all that --persist ever wrote. */
int draft_forget(struct host *h, struct draft *d, struct ct_err *err);

void draft_fini(struct draft *d);

/* Adds a remark. -ENOMEM. */
int draft_remark(struct draft *d, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Adds a file to be written, @mode when it is new: @bytes null removes it. Nothing is added when it
 * is so already. */
int draft_add_file(struct draft *d, struct host *h, const char *path, const void *bytes,
		   size_t size, uint32_t mode, struct ct_err *err);

/* Saves @bytes under a name of its own ("3.SUFFIX"), which is borrowed from the journal; null when
 * memory is out. */
const char *draft_save(struct draft *d, const char *suffix, const void *bytes, size_t size);

#endif
