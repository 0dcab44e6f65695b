/* SPDX-License-Identifier: BSD-2-Clause
 *
 * HyperLogLog (Flajolet and others, 2007) with linear counting while few registers are set;
 * space-saving (Metwally and others, 2005).
 */
#include "ops/facts/sketch.h"

#include <math.h>
#include <string.h>

#define N_REGISTERS (1u << DISTINCT_BITS)

/* Mixes 64 bits so that each input bit reaches each output bit (the finish of MurmurHash3). */
static uint64_t mix(uint64_t x)
{
	x ^= x >> 33;
	x *= UINT64_C(0xff51afd7ed558ccd);
	x ^= x >> 33;
	x *= UINT64_C(0xc4ceb9fe1a85ec53);
	return x ^ x >> 33;
}

static uint64_t hash_addr(const union ct_addr *a)
{
	uint64_t high, low;

	memcpy(&high, a->bytes, 8);
	memcpy(&low, a->bytes + 8, 8);
	return mix(mix(high) ^ (low + UINT64_C(0x9e3779b97f4a7c15)));
}

void distinct_add(struct distinct *d, const union ct_addr *a)
{
	uint64_t h = hash_addr(a), rest = h << DISTINCT_BITS | 1u << (DISTINCT_BITS - 1);
	uint8_t rank = (uint8_t)(__builtin_clzll(rest) + 1);
	unsigned i = (unsigned)(h >> (64 - DISTINCT_BITS));

	if (rank > d->rank[i])
		d->rank[i] = rank;
}

uint64_t distinct_count(const struct distinct *d)
{
	double sum = 0, estimate;
	unsigned n_zero = 0;

	for (unsigned i = 0; i < N_REGISTERS; i++) {
		sum += ldexp(1, -d->rank[i]);
		n_zero += d->rank[i] == 0;
	}
	estimate = 0.7213 / (1 + 1.079 / N_REGISTERS) * N_REGISTERS * N_REGISTERS / sum;
	if (estimate <= 2.5 * N_REGISTERS && n_zero > 0)
		estimate = N_REGISTERS * log((double)N_REGISTERS / n_zero);
	return (uint64_t)(estimate + 0.5);
}

void heavy_add(struct heavy *h, const union ct_addr *a, uint8_t family)
{
	struct heavy_slot *least = &h->slot[0];

	for (unsigned i = 0; i < h->n_slots; i++) {
		struct heavy_slot *s = &h->slot[i];

		if (memcmp(&s->addr, a, sizeof(*a)) == 0 && s->family == family) {
			s->n++;
			return;
		}
		if (s->n < least->n)
			least = s;
	}
	if (h->n_slots < HEAVY_SLOTS) {
		h->slot[h->n_slots++] = (struct heavy_slot){ *a, family, 1, 0 };
		return;
	}
	*least = (struct heavy_slot){ *a, family, least->n + 1, least->n };
}

const struct heavy_slot *heavy_top(const struct heavy *h)
{
	const struct heavy_slot *top = NULL;

	for (unsigned i = 0; i < h->n_slots; i++)
		if (!top || h->slot[i].n - h->slot[i].error > top->n - top->error)
			top = &h->slot[i];
	return top;
}
