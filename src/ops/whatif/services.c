/* SPDX-License-Identifier: BSD-2-Clause
 *
 * An open table of pairs, folded into services at the end. See services.h.
 */
#include "ops/whatif/services.h"

#include <errno.h>
#include <stdlib.h>

struct pair {
	struct service_key key;
	uint8_t slot;
	bool is_used;
	uint32_t n, n_stand, n_breaks;
};

#define MAX_PAIRS (SERVICES_MAX / 4 * 3) /* so that a search ends soon */

struct services {
	uint64_t seed, n_missed;
	size_t n_pairs;
	struct pair pair[SERVICES_MAX];
};

int services_new(uint64_t seed, struct services **out)
{
	struct services *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	s->seed = seed;
	*out = s;
	return 0;
}

void services_free(struct services *s)
{
	free(s);
}

uint64_t services_missed(const struct services *s)
{
	return s->n_missed;
}

/* The finisher of MurmurHash3, by Austin Appleby, in the public domain. */
static size_t hash(uint64_t seed, uint64_t v)
{
	v ^= seed;
	v = (v ^ v >> 33) * UINT64_C(0xff51afd7ed558ccd);
	v = (v ^ v >> 33) * UINT64_C(0xc4ceb9fe1a85ec53);
	return (size_t)(v ^ v >> 33) % SERVICES_MAX;
}

static bool is_same(const struct pair *p, struct service_key key, enum whatif_slot slot)
{
	return p->key.proto == key.proto && p->key.port == key.port && p->slot == slot;
}

void services_add(struct services *s, struct service_key key, enum whatif_slot slot, bool stands,
		  bool breaks)
{
	uint64_t word = (uint64_t)key.proto << 32 | (uint64_t)key.port << 8 | (uint64_t)slot;
	size_t at = hash(s->seed, word);
	struct pair *p;

	while (s->pair[at].is_used && !is_same(&s->pair[at], key, slot))
		at = (at + 1) % SERVICES_MAX;
	p = &s->pair[at];
	if (!p->is_used && s->n_pairs == MAX_PAIRS) {
		s->n_missed++;
		return;
	}
	if (!p->is_used) {
		s->n_pairs++;
		*p = (struct pair){ .key = key, .slot = (uint8_t)slot, .is_used = true };
	}
	p->n++;
	p->n_stand += stands;
	p->n_breaks += breaks;
}

/* By service, unused places last. */
static int by_service(const void *left, const void *right)
{
	const struct pair *a = left, *b = right;

	if (a->is_used != b->is_used)
		return a->is_used ? -1 : 1;
	if (a->key.proto != b->key.proto)
		return a->key.proto < b->key.proto ? -1 : 1;
	if (a->key.port != b->key.port)
		return a->key.port < b->key.port ? -1 : 1;
	return (a->slot > b->slot) - (a->slot < b->slot);
}

static void offer(struct service_row *out, size_t *n, size_t max, const struct service_row *row,
		  bool by_breaks)
{
	uint64_t weight = by_breaks ? row->n_breaks : row->now;
	size_t at = *n;

	if (weight == 0)
		return;
	while (at > 0 && (by_breaks ? out[at - 1].n_breaks : out[at - 1].now) < weight)
		at--;
	if (at == max)
		return;
	if (*n < max)
		++*n;
	for (size_t i = *n - 1; i > at; i--)
		out[i] = out[i - 1];
	out[at] = *row;
}

size_t services_top(struct services *s, const double factor[WHATIF_SLOTS], bool by_breaks,
		    struct service_row *out, size_t max)
{
	struct service_row row = { 0 };
	size_t n = 0;

	qsort(s->pair, SERVICES_MAX, sizeof(s->pair[0]), by_service);
	for (size_t i = 0; i < s->n_pairs; i++) {
		const struct pair *p = &s->pair[i];

		if (i == 0 || p->key.proto != row.key.proto || p->key.port != row.key.port) {
			offer(out, &n, max, &row, by_breaks);
			row = (struct service_row){ .key = p->key };
		}
		row.now += p->n;
		row.n_breaks += p->n_breaks;
		row.then += p->n_stand * factor[p->slot];
	}
	offer(out, &n, max, &row, by_breaks);
	return n;
}
