/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Two sketches of constant memory over addresses: how many distinct ones, and which are frequent.
 */
#ifndef OPS_FACTS_SKETCH_H
#define OPS_FACTS_SKETCH_H

#include <conntune/tuple.h>
#include <stdint.h>

/* HyperLogLog with 1024 registers: the standard error is 1.04 / sqrt(1024) = 3 %. Zeroed is empty.
 */
#define DISTINCT_BITS 10
struct distinct {
	uint8_t rank[1 << DISTINCT_BITS];
};
void distinct_add(struct distinct *d, const union ct_addr *a);
uint64_t distinct_count(const struct distinct *d);

/* Space-saving: the frequent addresses, each with a count that is at most @error too high. An
 * address with more than n / HEAVY_SLOTS of n occurrences is always among them. Zeroed is empty. */
#define HEAVY_SLOTS 64
struct heavy_slot {
	union ct_addr addr;
	uint8_t family;
	uint64_t n, error;
};
struct heavy {
	struct heavy_slot slot[HEAVY_SLOTS];
	unsigned n_slots;
};
void heavy_add(struct heavy *h, const union ct_addr *a, uint8_t family);

/* The slot with the highest sure count (n - error), or null when nothing was added. */
const struct heavy_slot *heavy_top(const struct heavy *h);

#endif
