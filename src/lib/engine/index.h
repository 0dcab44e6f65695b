/* SPDX-License-Identifier: BSD-2-Clause
 *
 * How the index of exact fidelity lies in memory, and the first look at it: see index.c.
 */
#ifndef CT_ENGINE_INDEX_H
#define CT_ENGINE_INDEX_H

#include "lib/engine/engine.h"

#include <string.h>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

enum { SLOTS = 10 };

struct line {
	uint16_t tag[SLOTS];	/* 0: empty */
	uint32_t n_past;	/* entries whose way from home led past this line */
	uint32_t number[SLOTS]; /* with REF_REPLY for a second key */
};
_Static_assert(sizeof(struct line) == 64, "one line of cache");

struct lines {
	struct line *at;
	uint32_t n;
};

struct index {
	struct lines now, old; /* old: what is still to be moved from */
	struct lines next;     /* a larger array that is being emptied before its use */
	uint32_t n_moved;      /* lines of old done */
	uint32_t n_cleared;    /* lines of next done */
	uint64_t n_slots;
};

static inline uint32_t line_home(uint64_t hash, uint32_t n)
{
	return (uint32_t)((hash >> 32) * n >> 32);
}

static inline uint16_t line_tag(uint64_t hash)
{
	uint16_t tag = (uint16_t)hash;

	return tag ? tag : 1;
}

/* A bit for each slot whose tag is @tag. */
static inline unsigned line_match(const struct line *l, uint16_t tag)
{
#if defined(__SSE2__)
	const __m128i *at = (const __m128i *)(const void *)l->tag,
		      wanted = _mm_set1_epi16((short)tag);
	__m128i first = _mm_cmpeq_epi16(_mm_load_si128(at), wanted);
	__m128i rest = _mm_cmpeq_epi16(_mm_load_si128(at + 1), wanted);

	return (unsigned)_mm_movemask_epi8(_mm_packs_epi16(first, rest)) & ((1U << SLOTS) - 1);
#else
	unsigned bits = 0;

	for (unsigned i = 0; i < SLOTS; i++)
		bits |= (unsigned)(l->tag[i] == tag) << i;
	return bits;
#endif
}

/* Always inline: gcc takes a function that only prefetches for one without effect and leaves its
 * calls out. */
__attribute__((always_inline)) static inline void ct_index_prefetch(const struct index *ix,
								    uint64_t hash)
{
	__builtin_prefetch(&ix->now.at[line_home(hash, ix->now.n)]);
}

/* A reference to the first entry whose tag fits, to prefetch it; 0 when there is none. */
static inline uint32_t ct_index_guess(const struct index *ix, uint64_t hash)
{
	uint32_t home = line_home(hash, ix->now.n);
	const struct line *l = &ix->now.at[home];
	unsigned bits = line_match(l, line_tag(hash));

	if (!bits && l->n_past && home + 1 < ix->now.n)
		bits = line_match(++l, line_tag(hash));
	return bits ? l->number[__builtin_ctz(bits)] : 0;
}

#endif
