/* SPDX-License-Identifier: BSD-2-Clause
 *
 * lib/engine/hash: a round is AES's, and the processor's instructions compute the same.
 */
#include "lib/engine/hash.h"

#include <conntune/engine.h>
#include <string.h>

#include "lib/engine/engine.h"
#include "tap.h"
#include "unit/lib/engine/build.h"

/* The example of Intel's white paper on AESENC. */
TEST(a_round_is_that_of_aes)
{
	uint64_t s[2] = { UINT64_C(0x63746f725d53475d), UINT64_C(0x7b5b546573745665) };
	const uint64_t key[2] = { UINT64_C(0x5b477565726f6e5d), UINT64_C(0x4869285368617929) };

	ct_hash_round(s, key);
	OK(s[0] == UINT64_C(0x8b104b58ded7e595));
	OK(s[1] == UINT64_C(0xa8311c2f9fdba3c5));
}

#if HASH_AES
__attribute__((target("aes"))) static uint64_t with_aes(const struct hash_key *k,
							const uint64_t *words, unsigned n)
{
	return ct_hash_words_aes(k, words, n);
}

TEST(the_processor_computes_the_same)
{
	const uint8_t seed[16] = "sixteen bytes...";
	struct hash_key k;
	uint64_t words[4] = { 1, 2, 3, 4 };
	unsigned wrong = 0;

	ct_hash_key_make(&k, seed, 1);
	for (unsigned i = 0; ct_hash_has_aes() && i < 10000; i++) {
		uint64_t one = ct_hash_words_soft(&k, words, 1);
		uint64_t two = ct_hash_words_soft(&k, words, 2);

		wrong += one != with_aes(&k, words, 1);
		wrong += two != with_aes(&k, words, 2);
		words[i % 4] ^= one;
		words[(i + 1) % 4] += two;
	}
	EQ_INT(wrong, 0);
}
#else
TEST(the_processor_computes_the_same)
{
	OK(!ct_hash_has_aes());
}
#endif

/* Flips each bit of a block: about half of the hash's bits change. */
TEST(every_bit_reaches_every_other)
{
	const uint8_t seed[16] = { 0 };
	struct hash_key k;
	unsigned least = 64, most = 0, changed[64] = { 0 };

	ct_hash_key_make(&k, seed, 0);
	for (unsigned bit = 0; bit < 128; bit++) {
		unsigned n = 0;

		for (uint64_t block = 0; block < 64; block++) {
			uint64_t a[2] = { block, ~block }, b[2] = { block, ~block };
			uint64_t differ;

			b[bit / 64] ^= UINT64_C(1) << bit % 64;
			differ = ct_hash_words_soft(&k, a, 1) ^ ct_hash_words_soft(&k, b, 1);
			n += (unsigned)__builtin_popcountll(differ);
			for (unsigned i = 0; i < 64; i++)
				changed[i] += differ >> i & 1;
		}
		n /= 64;
		least = n < least ? n : least;
		most = n > most ? n : most;
	}
	OK(least >= 29 && most <= 35);
	for (unsigned i = 0; i < 64; i++)
		OK(changed[i] > 128 * 64 * 2 / 5 && changed[i] < 128 * 64 * 3 / 5);
}

TEST(a_table_is_the_same_either_way)
{
	struct ct_engine_config cfg;
	struct ct_engine *with, *without;
	struct made m;
	unsigned wrong = 0;

	ct_engine_config_default(&cfg);
	cfg.fidelity = CT_FIDELITY_KERNEL;
	with = ct_engine_new(&cfg, NULL);
	without = ct_engine_new(&cfg, NULL);
	without->has_aes = false;
	for (unsigned i = 0; i < 1000; i++) {
		uint64_t a[CT_DIR_MAX], b[CT_DIR_MAX];

		(void)made_udp(&m, 0x0a000000 + i * 77, i, 0x0a636407, 53);
		ct_engine_in(without, &m.p, 0);
		ct_engine_confirm(without, &m.p, 0);
		ct_entry_hashes(without, m.p.entry.number, a);
		ct_engine_in(with, &m.p, 0);
		ct_engine_confirm(with, &m.p, 0);
		ct_entry_hashes(with, m.p.entry.number, b);
		wrong += memcmp(a, b, sizeof(a)) != 0;
	}
	EQ_INT(wrong, 0);
	ct_engine_free(with);
	ct_engine_free(without);
}

TAP_MAIN(&tap_a_round_is_that_of_aes, &tap_the_processor_computes_the_same,
	 &tap_every_bit_reaches_every_other, &tap_a_table_is_the_same_either_way)
