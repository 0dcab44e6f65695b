/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The kernel's table read where it lies: private to ops/table. See inplace.c.
 */
#ifndef OPS_TABLE_INPLACE_H
#define OPS_TABLE_INPLACE_H

#include "bpf/table_walk.h"
#include "ops/table/provider.h"
#include "ops/table/tally.h"

/* The programs in the kernel, and the table they read. */
struct inplace;

/* What is loaded, and for what. */
struct inplace_ask {
	struct host *host;	  /* borrowed */
	uint32_t hashsize;	  /* what the kernel says is the size of its table */
	unsigned n_slots;	  /* runs that may be under way at once */
	const struct walk_by *by; /* how to count; null: entries are copied. Borrowed */
	enum table_via via;	  /* forms newer than what it names are passed over */
	struct ct_buf *log;	  /* what the kernel's verifier says; may be null */
};

/* Gives up every right of the calling thread but those that this needs, loads the programs, finds
 * the table and checks it. -EPERM, -ENOSYS, -ENOENT, -ENOMEM, each with a sentence. */
int inplace_load(const struct inplace_ask *ask, struct inplace **out, struct ct_err *err);
void inplace_free(struct inplace *p);
DEFINE_AUTO_FREE(inplace);

/* Looks for the table where it was found once: it moves when it is resized. -ENOENT. */
int inplace_find_again(struct inplace *p, uint32_t hashsize, struct ct_err *err);

/* Runs the program that copies or counts entries. A negative error when it could not be run at all.
 */
int inplace_walk(struct inplace *p, struct walk_args *args);

/* What slot @slot holds after a run. */
const struct walk_entry *inplace_entries(const struct inplace *p, unsigned slot);

/* What slot @slot counted; to be read and emptied between runs. */
struct walk_groups *inplace_groups(const struct inplace *p, unsigned slot);

/* The timeouts that idle times are reckoned from. */
struct walk_timeouts *inplace_timeouts(const struct inplace *p);

/* Whether reading in place is to be tried; else why not. Who asks for it by name gets it, and what
 * it cannot tell stays unknown. In kernel.c. */
bool inplace_is_wanted(struct host *h, const struct table_options *o, struct ct_err *why_not);

/* Says of a look that was taken whether it was whole. */
void inplace_judge(bool is_resized, uint64_t n_unsure, struct table_info *out);

/* What is asked of the machine first. */
struct inplace_facts {
	uint32_t hashsize, netns, hz; /* buckets, inode, ticks a second */
};
int inplace_learn(struct host *h, struct inplace_facts *out, struct ct_err *err);
int inplace_hashsize(struct host *h, uint32_t *out, struct ct_err *err);

#define INPLACE_MAX_WALKERS 8u
#define INPLACE_FIRST_STEP  256u /* buckets of a run, until it is known how full they are */

/* How many threads walk. */
unsigned inplace_n_walkers(struct host *h, bool is_parallel);

/* How many buckets to take, after a run over @step of them found @n_nodes entries. */
uint32_t inplace_step(uint32_t step, uint32_t n_nodes);

/* Buckets to be read. */
struct inplace_range {
	uint32_t from, upto, netns, want;
	unsigned slot;
	/* Called after each run that was right, with @from behind it; may change @slot. False ends
	 * the reading. */
	bool (*take)(void *user, struct inplace_range *r, const struct walk_args *a);
	void *user;
	/* the answer */
	uint64_t n_unsure; /* chains that changed whenever they were read */
	uint64_t n_again;  /* runs that were repeated */
	bool is_resized;
};

/* Reads them all; a negative error of the program. */
int inplace_read(struct inplace *p, struct inplace_range *r);

/* A resizing that is under way has not put the new array in its place yet, but has emptied the
 * first buckets of the old one: nf_conntrack_hash_resize() moves them in order. Whether that has
 * become of the buckets up to @upto, which held @n_nodes entries. The end of a namespace empties
 * buckets all over; where it looks like either, this waits for the new array. */
bool inplace_is_emptied(struct inplace *p, unsigned slot, uint32_t hashsize, uint32_t upto,
			uint32_t n_nodes);

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

/* Puts x in the place of each digit of what may be an address of the kernel. */
void inplace_hide_addresses(char *text);

/* The symbols that finding asks for. */
#define INPLACE_N_SYMBOLS 6
extern const char *const inplace_symbols[INPLACE_N_SYMBOLS];

/* Finds the table of @hashsize buckets. -ENOENT with a sentence. */
int inplace_find(const struct inplace_eye *eye, uint32_t hashsize, struct walk_table *out,
		 struct ct_err *err);

/* The same when the variables in @t were found before, and only what they hold is new. */
int inplace_find_moved(const struct inplace_eye *eye, uint32_t hashsize, struct walk_table *t,
		       struct ct_err *err);

/* What is to be told of each entry so that the fields @want (enum ct_known) are there. */
uint32_t inplace_want(uint32_t want);

/* Fills @out with the fields @want of @from; @hz ticks are a second. Slices point into @from. */
void inplace_entry(const struct walk_entry *from, uint32_t want, uint32_t hz, struct ct_entry *out);

/* How the program counts by the keys of @o, in one namespace or all. A negative error when there
 * is no chance to be had. */
int inplace_by(const struct tally_options *o, bool all_netns, uint32_t hz, struct walk_by *out);

/* Tells the program what idle times are reckoned from. */
void inplace_set_timeouts(const struct tally_options *o, struct walk_timeouts *to);

/* What the program counted as one. */
struct inplace_counted {
	struct ct_entry entry; /* like all of them in what the keys look at */
	struct tally_group group;
	uint32_t netns; /* inode, where all are counted */
};
void inplace_group(const __u64 *word, const struct walk_by *by, uint32_t has,
		   const struct tally_options *o, struct inplace_counted *out);

/* Programs that count, kept loaded. */
struct inplace_counter;
struct inplace_sink {
	/* Called by one thread at a time. A negative error ends the look. */
	int (*add)(void *user, const struct inplace_counted *counted);
	void *user;
};
struct inplace_told {
	uint64_t n_expired, n_unsure, n_again;
	bool is_resized;
};

/* Loads them for the table of @h, or of all namespaces. As inplace_open(). Borrows @h, and what
 * @by points to. */
int inplace_counter_open(struct host *h, const struct table_options *o,
			 const struct tally_options *by, bool all_netns,
			 struct inplace_counter **out, struct ct_err *err);
int inplace_counter_look(struct inplace_counter *c, const struct inplace_sink *sink,
			 struct inplace_told *told, struct ct_err *err);
void inplace_counter_free(struct inplace_counter *c);
DEFINE_AUTO_FREE(inplace_counter);

/* Opens the table of @h in place. Like table_open(); -EOPNOTSUPP when @h is a copy or nothing of
 * this was built in. */
int inplace_open(struct host *h, const struct table_options *o, struct table **out,
		 struct ct_err *err);

#endif
