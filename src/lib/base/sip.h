/* SPDX-License-Identifier: BSD-2-Clause
 *
 * SipHash-1-3: a hash under a secret key, without which nobody can aim at a bucket.
 */
#ifndef CT_BASE_SIP_H
#define CT_BASE_SIP_H

#include <stdint.h>

static inline uint64_t ct_sip_rotate(uint64_t v, int bits)
{
	return v << bits | v >> (64 - bits);
}

struct ct_sip {
	uint64_t a, b, c, d;
};

static inline void ct_sip_round(struct ct_sip *s)
{
	s->a += s->b;
	s->c += s->d;
	s->b = ct_sip_rotate(s->b, 13) ^ s->a;
	s->d = ct_sip_rotate(s->d, 16) ^ s->c;
	s->a = ct_sip_rotate(s->a, 32) + s->d;
	s->c += s->b;
	s->d = ct_sip_rotate(s->d, 21) ^ s->a;
	s->b = ct_sip_rotate(s->b, 17) ^ s->c;
	s->c = ct_sip_rotate(s->c, 32);
}

/* SipHash-1-3 of @n whole words. */
static inline uint64_t ct_sip_words(const uint64_t key[2], const uint64_t *words, unsigned n)
{
	struct ct_sip s = { key[0] ^ UINT64_C(0x736f6d6570736575),
			    key[1] ^ UINT64_C(0x646f72616e646f6d),
			    key[0] ^ UINT64_C(0x6c7967656e657261),
			    key[1] ^ UINT64_C(0x7465646279746573) };
	uint64_t last = (uint64_t)n * 8 << 56;

	for (unsigned i = 0; i < n; i++) {
		s.d ^= words[i];
		ct_sip_round(&s);
		s.a ^= words[i];
	}
	s.d ^= last;
	ct_sip_round(&s);
	s.a ^= last;
	s.c ^= 0xff;
	ct_sip_round(&s);
	ct_sip_round(&s);
	ct_sip_round(&s);
	return s.a ^ s.b ^ s.c ^ s.d;
}

#endif
