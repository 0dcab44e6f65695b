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

/* Is the key of @e that @ref speaks of that of the probe? Of an entry with one key, the direction
 * is left open. */
static inline bool ct_probe_matches(const struct ct_engine *en, const struct probe *pr,
				    uint32_t ref, const struct entry *e)
{
	if (!(e->flags & (ENTRY_IPV6 | ENTRY_SECOND)))
		return key_equal(&e->key, &pr->key);
	if (e->flags & ENTRY_SECOND)
		return ct_second_matches(en, pr, ref);
	return key_equal(&e->key, &pr->key) &&
	       memcmp(entry_addr6(en->pools, ref & REF_NUMBER), pr->addr6, 32) == 0;
}

/* The direction of the tuple that a matching probe has found. When both tuples are equal, the
 * kernel finds the one it inserted last: the reply. */
static inline enum ct_dir ct_probe_dir(const struct probe *pr, const struct entry *e, uint32_t ref)
{
	bool is_orig_high = e->flags & ENTRY_ORIG_HIGH;

	if ((pr->rare & PROBE_SELF) && !(e->flags & ENTRY_SECOND))
		return (pr->rare & PROBE_ORIG) && !(ref & REF_REPLY) ? CT_DIR_ORIG : CT_DIR_REPLY;
	return (ref & REF_REPLY) || pr->is_high != is_orig_high ? CT_DIR_REPLY : CT_DIR_ORIG;
}

/* May a probe that is limited to one direction take what it has found? */
static inline bool ct_probe_allows(const struct probe *pr, enum ct_dir dir)
{
	return !(pr->rare & (dir == CT_DIR_ORIG ? PROBE_REPLY : PROBE_ORIG));
}

#endif
