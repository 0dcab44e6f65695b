/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What would help: steps out of facts and a goal, each tried on the table before it is advised.
 *
 *     advice_new(facts, report, &goal, seed, &a);
 *     while (table_next(t, &e, err) > 0) advice_add(a, &e);     one look tries all steps
 *     advice_end(a);
 *     advice_n(a), advice_at(a, i)                              the best single step first
 *
 * Nothing is lowered silently, nothing takes more memory than it may, and what needs NAT stays
 * tracked. Raising the limit is called a palliative, and stands behind the cures.
 */
#ifndef OPS_ADVICE_ADVICE_H
#define OPS_ADVICE_ADVICE_H

#include "lib/base/clean.h"
#include "ops/diagnose/check.h"
#include "ops/whatif/level.h"
#include "ops/whatif/whatif.h"

struct advice_goal {
	double growth;		  /* so many times the connections; 0 is 1 */
	double headroom;	  /* so many times as many entries shall fit; 0 is 2 */
	uint64_t mem_bytes;	  /* the table may take; 0 is an eighth of the memory */
	uint32_t keep_sessions_s; /* silence of a live session that must be endured; 0: 2 h 15 min,
				   * longer than TCP keepalive waits by default */
	bool no_rules;		  /* settings only */
};

enum advice_kind { ADVICE_SET, ADVICE_NOTRACK, ADVICE_APPLICATION };

struct advice_step {
	enum advice_kind kind;
	const struct setting *setting; /* of SET */
	int64_t from, to;
	char class[160];     /* of NOTRACK, as --notrack takes it */
	const char *reason;  /* one sentence; in the report's arena, as all text here */
	const char *cure;    /* of APPLICATION: what to change there */
	const char *danger;  /* or null */
	const char *undo;    /* a command, or null */
	bool is_palliative;  /* it gives room, and cures nothing */
	bool is_counted;     /* the figures below are known */
	double entries;	     /* there would be with this step alone */
	double entries_with; /* with this one and all before it */
	uint64_t n_breaks;   /* sessions that would be forgotten though they live */
	struct level level;  /* with all up to this one */
};

struct advice;

/* Borrows all; @r takes the texts. -ENOMEM. */
int advice_new(const struct facts *f, struct report *r, const struct advice_goal *goal,
	       uint64_t seed, struct advice **out);
void advice_free(struct advice *a);
DEFINE_AUTO_FREE(advice);

/* A class of packets that rules cannot exempt is left out: asked before the table is read.
 * 0 when they can; else why not in @err. */
typedef int advice_rules_fn(void *user, const char *class, struct ct_err *err);
void advice_try_rules(struct advice *a, advice_rules_fn *can, void *user);

/* The fields of entries it looks at (enum ct_known). */
uint32_t advice_want(const struct advice *a);
void advice_add(struct advice *a, const struct ct_entry *e);
/* Judges and orders. The table may be read a second time between this and advice_settle(), so that
 * steps are tried together: advice_add() then counts for that. */
void advice_end(struct advice *a);
void advice_settle(struct advice *a);

size_t advice_n(const struct advice *a);
const struct advice_step *advice_at(const struct advice *a, size_t i);

/* As it is, and how many entries must fit in the end. */
const struct level *advice_now(const struct advice *a);
double advice_needed(const struct advice *a);

/* Why a class was left out: texts, or null behind the last. */
const char *advice_left_out(const struct advice *a, size_t i);

#endif
