/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The parts of draft.c: each turns one kind of wish into writes.
 */
#ifndef OPS_APPLY_DRAFTS_H
#define OPS_APPLY_DRAFTS_H

#include "ops/apply/draft.h"

int draft_settings(struct host *machine, struct host *h, const struct plan *p,
		   const struct draft_options *o, struct draft *d, struct ct_err *err);

/* The same for the next boots, as files. */
int draft_persist(struct host *h, const struct plan *p, const struct draft_options *o,
		  struct draft *d, struct ct_err *err);

/* Classes that are not tracked, as rules. */
int draft_untrack(struct host *h, const struct plan *p, const struct draft_options *o,
		  struct draft *d, struct ct_err *err);

#endif
