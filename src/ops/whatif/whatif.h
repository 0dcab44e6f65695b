/* SPDX-License-Identifier: BSD-2-Clause
 *
 * One look at a table, and what it would hold under a change.
 *
 *     whatif_new(&change, &settings, seed, &w);
 *     while (table_next(t, &e, err) > 0) whatif_add(w, &e);
 *     whatif_end(w, &outcome);
 *
 * No entry is kept but a few examples: counts and ages by kind, counts by service.
 */
#ifndef OPS_WHATIF_WHATIF_H
#define OPS_WHATIF_WHATIF_H

#include "ops/whatif/breaks.h"
#include "ops/whatif/change.h"
#include "ops/whatif/idle.h"
#include "ops/whatif/services.h"
#include "ops/whatif/steady.h"

struct whatif;

/* One kind of entries. */
struct whatif_row {
	uint64_t now;	    /* all of it */
	uint64_t n_notrack; /* of these, what would not be tracked */
	uint32_t full_s, then_s;
	double rate_per_s; /* that end by their timeout: Little's law */
	double rate_then_per_s;
	double settled; /* there will be when nothing changes */
	double then, low, high;
	bool is_young, goes_on, is_beyond, has_gap;
};

struct whatif_notrack {
	uint64_t n;	   /* entries it would keep out */
	uint64_t n_alone;  /* of these, those that no other condition meets */
	uint64_t n_nat;	   /* of these, those with addresses translated */
	uint64_t n_helped; /* with a helper, or made by one */
	struct ct_tuple nat_example[CT_DIR_MAX];
};

struct whatif_outcome {
	struct whatif_row row[WHATIF_SLOTS];
	struct whatif_row total; /* its timeouts are 0 */
	struct whatif_notrack notrack[CHANGE_MAX_NOTRACK];
	uint64_t n_certainty[WHATIF_CERTAINTIES]; /* of what stays tracked */
	uint64_t n_unsure;			  /* whose fate depends on the clock that ran */
	double unassured_now, unassured_then;
	uint32_t effect_s;	     /* until the last entry given an old timeout is gone */
	uint32_t oldest_s;	     /* idle age of the oldest entry seen */
	double factor[WHATIF_SLOTS]; /* for services_top() */
	struct breaks breaks;
};

/* @now are the settings the table runs on. Borrows @c. @seed by chance. -ENOMEM. */
int whatif_new(const struct change *c, const struct settings *now, uint64_t seed,
	       struct whatif **out);
void whatif_free(struct whatif *w);
DEFINE_AUTO_FREE(whatif);

/* Lets what breaks be matched to @ends, which it borrows. */
void whatif_set_endpoints(struct whatif *w, const struct endpoints *ends);

/* The fields of entries it looks at (enum ct_known). */
uint32_t whatif_want(const struct change *c);

/* The timeouts now and under the change. */
const struct whatif_timeouts *whatif_now(const struct whatif *w);
const struct whatif_timeouts *whatif_then(const struct whatif *w);

void whatif_add(struct whatif *w, const struct ct_entry *e);
void whatif_end(const struct whatif *w, struct whatif_outcome *out);

struct services *whatif_services(struct whatif *w);

/* True when the addresses or ports of @e are translated. */
bool whatif_is_translated(const struct ct_entry *e);

#endif
