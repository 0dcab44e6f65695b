/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What the packet path asks of keys for every packet: see key.c.
 */
#ifndef CT_ENGINE_KEY_H
#define CT_ENGINE_KEY_H

#include "lib/engine/engine.h"

#include <string.h>

static inline bool key_equal(const struct key *a, const struct key *b)
{
	uint64_t x[2], y[2];

	memcpy(x, a, sizeof(x));
	memcpy(y, b, sizeof(y));
	return ((x[0] ^ y[0]) | (x[1] ^ y[1])) == 0;
}

/* The two words of a key, as they lie in memory on a little-endian machine. */
static inline void key_set(struct key *k, uint64_t addr, uint64_t rest)
{
	memcpy(&k->addr, &addr, sizeof(addr));
	memcpy(&k->low_part, &rest, sizeof(rest));
}

static inline bool ct_probe_matches(const struct ct_engine *en, const struct probe *pr,
				    uint32_t number)
{
	const struct entry *e = entry_at(en, number);

	if (!key_equal(&e->key, &pr->key))
		return false;
	return !e->key.is_ipv6 || memcmp(entry_addr6(en->pools, number), pr->addr6, 32) == 0;
}

/* When both tuples are equal, the kernel finds the one it inserted last: the reply. */
static inline enum ct_dir ct_probe_dir(const struct probe *pr, const struct entry *e)
{
	bool is_orig_high = e->flags & ENTRY_ORIG_HIGH;

	return pr->is_self || pr->is_high != is_orig_high ? CT_DIR_REPLY : CT_DIR_ORIG;
}

#endif
