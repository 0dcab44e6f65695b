/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Which of several addresses a connection gets: always the same for one client and one server.
 * Answers to Linux 6.18, find_best_ips_proto() of net/netfilter/nf_nat_core.c; the hash is Bob
 * Jenkins' lookup3 (public domain), which the kernel has as jhash2().
 */
#include <string.h>

#include "lib/nat/nat.h"

static uint32_t rotate(uint32_t v, unsigned bits)
{
	return v << bits | v >> (32 - bits);
}

struct mix {
	uint32_t a, b, c;
};

static void mix_words(struct mix *m)
{
	m->a = (m->a - m->c) ^ rotate(m->c, 4);
	m->c += m->b;
	m->b = (m->b - m->a) ^ rotate(m->a, 6);
	m->a += m->c;
	m->c = (m->c - m->b) ^ rotate(m->b, 8);
	m->b += m->a;
	m->a = (m->a - m->c) ^ rotate(m->c, 16);
	m->c += m->b;
	m->b = (m->b - m->a) ^ rotate(m->a, 19);
	m->a += m->c;
	m->c = (m->c - m->b) ^ rotate(m->b, 4);
	m->b += m->a;
}

static void mix_last(struct mix *m)
{
	m->c = (m->c ^ m->b) - rotate(m->b, 14);
	m->a = (m->a ^ m->c) - rotate(m->c, 11);
	m->b = (m->b ^ m->a) - rotate(m->a, 25);
	m->c = (m->c ^ m->b) - rotate(m->b, 16);
	m->a = (m->a ^ m->c) - rotate(m->c, 4);
	m->b = (m->b ^ m->a) - rotate(m->a, 14);
	m->c = (m->c ^ m->b) - rotate(m->b, 24);
}

/* lookup3's hashword() of the four words of an address. */
static uint32_t hash_addr(const union ct_addr *addr, uint32_t seed)
{
	uint32_t begin = UINT32_C(0xdeadbeef) + (4 << 2) + seed;
	struct mix m = { begin + addr->ip6[0], begin + addr->ip6[1], begin + addr->ip6[2] };

	mix_words(&m);
	m.a += addr->ip6[3];
	mix_last(&m);
	return m.c;
}

/* reciprocal_scale() */
static uint32_t scale(uint32_t v, uint32_t below)
{
	return (uint32_t)((uint64_t)v * below >> 32);
}

void ct_nat_spread(struct ct_tuple *t, const struct ct_nat_range *range, uint16_t zone,
		   enum ct_manip manip)
{
	union ct_addr *addr = manip == CT_MANIP_SRC ? &t->src : &t->dst;
	unsigned last = t->family == CT_FAMILY_IPV4 ? 0 : 3;
	bool is_persistent = range->flags & CT_NAT_PERSISTENT, is_full = false;
	uint32_t v;

	if (!(range->flags & CT_NAT_MAP_ADDRS))
		return;
	if (memcmp(&range->min_addr, &range->max_addr, sizeof(*addr)) == 0) {
		*addr = range->min_addr;
		return;
	}
	v = hash_addr(&t->src, is_persistent ? 0 : t->dst.ip6[last] ^ zone);
	for (unsigned i = 0; i <= last; i++) {
		uint32_t min = is_full ? 0 : __builtin_bswap32(range->min_addr.ip6[i]);
		uint32_t max = __builtin_bswap32(range->max_addr.ip6[i]);

		/* Below the first word that is not at its end, the others are free. */
		addr->ip6[i] =
			__builtin_bswap32(min + scale(v, is_full ? UINT32_MAX : max - min + 1));
		if (addr->ip6[i] != range->max_addr.ip6[i])
			is_full = true;
		/* A destination on its way to a new one counts as that. */
		if (!is_persistent)
			v ^= t->dst.ip6[i];
	}
}
