/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The hash of keys: a few rounds of AES under a secret key, without which nobody can aim at a
 * bucket. Two rounds let every bit of a block reach every other, the third is kept in reserve.
 * Where the processor has instructions for a round they are used, a tenth of any other keyed
 * hash's cost; elsewhere the same is computed, so that one seed means one behaviour everywhere.
 */
#ifndef CT_ENGINE_HASH_H
#define CT_ENGINE_HASH_H

#include <stdbool.h>
#include <stdint.h>

#if defined(__x86_64__)
#include <wmmintrin.h>
#define HASH_AES 1
#else
#define HASH_AES 0
#endif

enum { HASH_KEYS = 4 };

struct hash_key {
	_Alignas(16) uint64_t at[HASH_KEYS][2];
};

/* Derives the keys of one of several uses from a seed. */
void ct_hash_key_make(struct hash_key *out, const uint8_t seed[16], uint64_t use);

/* Can ct_hash_words_aes() be called here? */
bool ct_hash_has_aes(void);

/* One round on words. */
void ct_hash_round(uint64_t state[2], const uint64_t key[2]);

/* Of one or two blocks of two words. */
static inline uint64_t ct_hash_words_soft(const struct hash_key *k, const uint64_t *words,
					  unsigned n_blocks)
{
	uint64_t s[2] = { words[0] ^ k->at[0][0], words[1] ^ k->at[0][1] };

	for (unsigned i = 1; i < n_blocks; i++) {
		ct_hash_round(s, k->at[1]);
		ct_hash_round(s, k->at[2]);
		s[0] ^= words[(size_t)i * 2];
		s[1] ^= words[(size_t)i * 2 + 1];
	}
	for (unsigned i = 1; i < HASH_KEYS; i++)
		ct_hash_round(s, k->at[i]);
	return s[0] ^ s[1];
}

#if HASH_AES
/* The same; for functions that are compiled for such a processor. */
__attribute__((target("aes"), always_inline)) static inline uint64_t
ct_hash_words_aes(const struct hash_key *k, const uint64_t *words, unsigned n_blocks)
{
	const __m128i *keys = (const __m128i *)(const void *)k->at;
	/* Words that were just written are not yet to be had as one block from memory. */
	__m128i s = _mm_set_epi64x((int64_t)words[1], (int64_t)words[0]);

	s = _mm_xor_si128(s, keys[0]);

	for (unsigned i = 1; i < n_blocks; i++) {
		s = _mm_aesenc_si128(s, keys[1]);
		s = _mm_aesenc_si128(s, keys[2]);
		s = _mm_xor_si128(s, _mm_set_epi64x((int64_t)words[(size_t)i * 2 + 1],
						    (int64_t)words[(size_t)i * 2]));
	}
	s = _mm_aesenc_si128(s, keys[1]);
	s = _mm_aesenc_si128(s, keys[2]);
	s = _mm_aesenc_si128(s, keys[3]);
	return (uint64_t)_mm_cvtsi128_si64(_mm_xor_si128(s, _mm_unpackhi_epi64(s, s)));
}
#endif

#endif
