/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The kernel's table read where it lies: private to ops/table. See inplace.c.
 */
#ifndef OPS_TABLE_INPLACE_H
#define OPS_TABLE_INPLACE_H

#include "bpf/table_walk.h"
#include "ops/table/provider.h"

/* The programs in the kernel, and the table they read. */
struct inplace;

/* Gives up every right of the calling thread but those that this needs, loads the programs, finds
 * the table and checks it. @n_slots runs may be under way at once. @hashsize is what the kernel
 * says is its size. What the kernel's verifier says goes into @log (may be null). -EPERM, -ENOSYS,
 * -ENOENT, -ENOMEM, each with a sentence. */
int inplace_load(uint32_t hashsize, unsigned n_slots, struct ct_buf *log, struct inplace **out,
		 struct ct_err *err);
void inplace_free(struct inplace *p);
DEFINE_AUTO_FREE(inplace);

/* Runs the program that copies entries. A negative error when it could not be run at all. */
int inplace_walk(struct inplace *p, struct walk_args *args);

/* What slot @slot holds after a run. */
const struct walk_entry *inplace_entries(const struct inplace *p, unsigned slot);

/* What the finding asks of the programs. */
struct inplace_eye {
	void *user;
	/* The address of a symbol, or 0. */
	uint64_t (*symbol)(void *user, const char *name);
	/* Copies @len bytes (at most WALK_MAX_PEEK). Negative when they cannot be read. */
	int (*peek)(void *user, uint64_t address, void *out, uint32_t len);
	/* Whether the chain of @bucket ends as it must. */
	bool (*probe)(void *user, uint64_t array, uint32_t bucket);
};

/* Finds the table of @hashsize buckets. -ENOENT with a sentence. */
int inplace_find(const struct inplace_eye *eye, uint32_t hashsize, struct walk_table *out,
		 struct ct_err *err);

/* What is to be told of each entry so that the fields @want (enum ct_known) are there. */
uint32_t inplace_want(uint32_t want);

/* Fills @out with the fields @want of @from; @hz ticks are a second. Slices point into @from. */
void inplace_entry(const struct walk_entry *from, uint32_t want, uint32_t hz, struct ct_entry *out);

/* Opens the table of @h in place. Like table_open(); -EOPNOTSUPP when @h is a copy or nothing of
 * this was built in. */
int inplace_open(struct host *h, const struct table_options *o, struct table **out,
		 struct ct_err *err);

#endif
