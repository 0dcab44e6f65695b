/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Entries by service and kind, now and under a change, in bounded memory.
 */
#ifndef OPS_WHATIF_SERVICES_H
#define OPS_WHATIF_SERVICES_H

#include "lib/base/clean.h"
#include "ops/whatif/slot.h"

#define SERVICES_MAX (1u << 17) /* pairs of service and kind */

struct services;

struct service_key {
	uint8_t proto;
	uint16_t port;
};

/* @seed by chance, so that nobody can choose collisions. -ENOMEM. */
int services_new(uint64_t seed, struct services **out);
void services_free(struct services *s);
DEFINE_AUTO_FREE(services);

/* Counts one entry. Past the limit it is counted among all the others. */
void services_add(struct services *s, struct service_key key, enum whatif_slot slot, bool stands,
		  bool breaks);

struct service_row {
	struct service_key key;
	uint64_t now, n_breaks;
	double then;
};

/* Fills @out with the @max largest, or those with most that breaks; how many. An entry that stands
 * counts as @factor of its kind. */
size_t services_top(struct services *s, const double factor[WHATIF_SLOTS], bool by_breaks,
		    struct service_row *out, size_t max);

/* Entries that found no place. */
uint64_t services_missed(const struct services *s);

#endif
