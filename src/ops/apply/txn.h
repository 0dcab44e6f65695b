/* SPDX-License-Identifier: BSD-2-Clause
 *
 * A change made, confirmed, taken back, and finished after a kill.
 *
 * Whatever ends a process of ours in whatever place, the journal tells the next one what to do: a
 * change that was not written to its end is taken back, so that the old or the new state stands,
 * never a mixture. A watcher, a process of its own, waits for the one that writes; it takes back
 * at once what that one left, and later what nobody confirmed. When the watcher is killed as
 * well, the next command does it, or the next boot.
 */
#ifndef OPS_APPLY_TXN_H
#define OPS_APPLY_TXN_H

#include "ops/apply/draft.h"
#include "ops/apply/step.h"

/* What is told while it goes on; all borrowed for the call. */
enum txn_event {
	TXN_WRITTEN,  /* a step was made */
	TXN_RESTORED, /* a step was taken back */
	TXN_KEPT,     /* it is neither as before nor as written: somebody else's, and left so */
	TXN_GONE,     /* the place is no more, or its values ended with the boot */
	TXN_REMOVED,  /* entries of what is no longer tracked left the table; @now says how many */
	TXN_UNDONE,   /* the whole change is taken back; @now says why */
};
struct txn_teller {
	void (*tell)(void *user, enum txn_event event, const struct journal *j,
		     const struct step *p, const char *now);
	void *user;
};

struct txn_options {
	uint32_t within_s;	      /* to be confirmed in this time; 0 not at all */
	struct journal_bounds bounds; /* may rise by so many a second, 0 for any */
};

/* Gives up what no change needs. A module that rules would have the kernel load is then not loaded
 * by us. To be called before the functions below. */
int txn_begin(struct ct_err *err);

/* Makes the change: journal, watcher, writes. On return its number stands in @d. An error after the
 * first write takes all back. -EBUSY when another one waits to be confirmed. */
int txn_commit(struct host *machine, struct draft *d, const struct txn_options *o,
	       const struct txn_teller *teller, struct ct_err *err);

/* Confirms the change that waits; its number. -ENOENT when none does. */
int txn_confirm(struct host *machine, unsigned *number, const struct txn_teller *teller,
		struct ct_err *err);

/* Takes back change @number, or with 0 the last one that holds. What somebody else wrote since
 * stays, unless @is_forced. -ENOENT with a sentence. */
int txn_undo(struct host *machine, unsigned number, bool is_forced, const struct txn_teller *teller,
	     struct ct_err *err);

/* Finishes what was interrupted, and takes back what was not confirmed in time. */
int txn_recover(struct host *machine, const struct txn_teller *teller, struct ct_err *err);

/* Watches change @number until it is confirmed or taken back. */
int txn_watch(struct host *machine, unsigned number, struct ct_err *err);

#endif
