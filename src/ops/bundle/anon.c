/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Addresses to addresses; see anon.h.
 */
#include "ops/bundle/anon.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define CACHE_SLOTS 8192u /* a power of two; each kind of address has its own */

struct slot4 {
	uint32_t from, to;
	uint8_t bits;
	bool is_used;
};

struct slot6 {
	uint8_t from[16], to[16];
	uint8_t bits;
	bool is_used;
};

struct anon {
	uint64_t key[2];
	struct slot4 cache4[CACHE_SLOTS];
	struct slot6 cache6[CACHE_SLOTS];
};

/* A prefix that stays what it is, and with @is_kept all below it. */
struct special {
	uint8_t address[16];
	uint8_t bits;
	bool is_kept;
};

static const struct special specials4[] = {
	{ { 0 }, 8, true },					 /* "this network", 0.0.0.0 */
	{ { 10 }, 8, false },	     { { 100, 64 }, 10, false }, /* carrier NAT */
	{ { 127 }, 8, true },	     { { 169, 254 }, 16, false },
	{ { 172, 16 }, 12, false },  { { 192, 168 }, 16, false },
	{ { 224, 0, 0 }, 24, true }, /* groups of the local network */
	{ { 224 }, 4, false },	     { { 240 }, 4, false },
	{ { 255 }, 8, true }, /* broadcast; netmasks */
};

/* IPv4 inside IPv6 is handled apart: see ip4_inside(). */
static const struct special specials6[] = {
	{ { 0 }, 96, false },
	{ { [10] = 0xff, [11] = 0xff }, 96, false }, /* ::ffff:0:0/96 */
	{ { 0x00, 0x64, 0xff, 0x9b }, 96, false },   /* 64:ff9b::/96 */
	{ { 0xfc }, 8, false },
	{ { 0xfd }, 8, false },
	{ { 0xfe, 0x80 }, 10, false },
	{ { 0xff, 0x01 }, 112, true },
	{ { 0xff, 0x02 }, 112, true }, /* well-known groups */
	{ { 0xff, 0x05 }, 112, true },
	{ { 0xff, 0xff }, 16, true }, /* masks */
	{ { 0xff }, 8, false },
};

#define N_SPECIALS4 (sizeof(specials4) / sizeof(specials4[0]))
#define N_SPECIALS6 (sizeof(specials6) / sizeof(specials6[0]))

static uint64_t rotate(uint64_t x, unsigned n)
{
	return x << n | x >> (64 - n);
}

static void sip_round(uint64_t v[4])
{
	v[0] += v[1];
	v[1] = rotate(v[1], 13) ^ v[0];
	v[0] = rotate(v[0], 32);
	v[2] += v[3];
	v[3] = rotate(v[3], 16) ^ v[2];
	v[0] += v[3];
	v[3] = rotate(v[3], 21) ^ v[0];
	v[2] += v[1];
	v[1] = rotate(v[1], 17) ^ v[2];
	v[2] = rotate(v[2], 32);
}

static uint64_t load64(const uint8_t *p)
{
	uint64_t v = 0;

	for (unsigned i = 0; i < 8; i++)
		v |= (uint64_t)p[i] << (8 * i);
	return v;
}

/* SipHash-2-4 (Aumasson and Bernstein) of 24 bytes. */
static uint64_t hash(const struct anon *a, const uint8_t in[24])
{
	uint64_t v[4] = { a->key[0] ^ UINT64_C(0x736f6d6570736575),
			  a->key[1] ^ UINT64_C(0x646f72616e646f6d),
			  a->key[0] ^ UINT64_C(0x6c7967656e657261),
			  a->key[1] ^ UINT64_C(0x7465646279746573) };

	for (unsigned i = 0; i < 4; i++) {
		uint64_t m = i < 3 ? load64(in + (size_t)i * 8) : UINT64_C(24) << 56;

		v[3] ^= m;
		sip_round(v);
		sip_round(v);
		v[0] ^= m;
	}
	v[2] ^= 0xff;
	for (unsigned i = 0; i < 4; i++)
		sip_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

/* True when the first @bits of both are the same. */
static bool shares(const uint8_t *a, const uint8_t *b, unsigned bits)
{
	unsigned whole = bits / 8, rest = bits % 8;

	if (memcmp(a, b, whole) != 0)
		return false;
	return rest == 0 || ((a[whole] ^ b[whole]) >> (8 - rest)) == 0;
}

/* True when bit @at of @address must stay. */
static bool is_fixed(const uint8_t *address, unsigned at, const struct special *list, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct special *s = &list[i];

		if (at < s->bits ? shares(address, s->address, at)
				 : s->is_kept && shares(address, s->address, s->bits))
			return true;
	}
	return false;
}

/* Turns bits [@from, @to) of @address; @kind keeps the kinds of addresses apart. */
static void turn(const struct anon *a, uint8_t kind, uint8_t *address, unsigned from, unsigned to,
		 const struct special *list, size_t n)
{
	uint8_t original[16] = { 0 };

	memcpy(original, address, (to + 7) / 8);
	for (unsigned at = from; at < to; at++) {
		uint8_t in[24] = { 0 };

		if (is_fixed(original, at, list, n))
			continue;
		memcpy(in, original, at / 8);
		if (at % 8)
			in[at / 8] = (uint8_t)(original[at / 8] & (0xff00u >> (at % 8)));
		in[16] = kind;
		in[17] = (uint8_t)at;
		if (hash(a, in) & 1)
			address[at / 8] ^= (uint8_t)(0x80u >> (at % 8));
	}
}

void anon_ip4(struct anon *a, uint8_t address[4], unsigned bits)
{
	struct slot4 *slot;
	uint32_t from;

	memcpy(&from, address, sizeof(from));
	slot = &a->cache4[(from * 2654435761u + bits) >> 7 & (CACHE_SLOTS - 1)];
	if (!slot->is_used || slot->from != from || slot->bits != bits) {
		turn(a, 4, address, 0, bits, specials4, N_SPECIALS4);
		*slot = (struct slot4){ .from = from, .bits = (uint8_t)bits, .is_used = true };
		memcpy(&slot->to, address, sizeof(slot->to));
	}
	memcpy(address, &slot->to, sizeof(slot->to));
}

/* True for forms that carry an IPv4 address in their last 32 bits. */
static bool ip4_inside(const uint8_t address[16])
{
	return shares(address, specials6[0].address, 96) ||
	       shares(address, specials6[1].address, 96) ||
	       shares(address, specials6[2].address, 96);
}

static void turn6(struct anon *a, uint8_t address[16], unsigned bits)
{
	if (ip4_inside(address)) {
		if (bits > 96)
			anon_ip4(a, address + 12, bits - 96);
		return;
	}
	/* ff is followed by flags and scope, which say what kind of group it is */
	turn(a, 6, address, address[0] == 0xff ? 16 : 0, bits, specials6, N_SPECIALS6);
}

void anon_ip6(struct anon *a, uint8_t address[16], unsigned bits)
{
	uint64_t mix = load64(address) * UINT64_C(0x9e3779b97f4a7c15) ^
		       load64(address + 8) * UINT64_C(0xc2b2ae3d27d4eb4f) ^ bits;
	struct slot6 *slot = &a->cache6[mix >> 40 & (CACHE_SLOTS - 1)];

	if (!slot->is_used || memcmp(slot->from, address, 16) != 0 || slot->bits != bits) {
		slot->is_used = true;
		slot->bits = (uint8_t)bits;
		memcpy(slot->from, address, 16);
		turn6(a, address, bits);
		memcpy(slot->to, address, 16);
	}
	memcpy(address, slot->to, 16);
}

void anon_mac(struct anon *a, uint8_t address[6])
{
	static const uint8_t zeros[6] = { 0 }, ones[6] = { 255, 255, 255, 255, 255, 255 };
	uint8_t in[24] = { 0 }, kind = address[0] & 3;
	uint64_t h;

	if (memcmp(address, zeros, 6) == 0 || memcmp(address, ones, 6) == 0)
		return;
	memcpy(in, address, 6);
	in[16] = 48;
	h = hash(a, in);
	for (unsigned i = 0; i < 6; i++)
		address[i] = (uint8_t)(h >> (8 * i));
	address[0] = (uint8_t)((address[0] & ~3u) | kind);
}

int anon_new(const uint8_t key[ANON_KEY_BYTES], struct anon **out)
{
	struct anon *a = calloc(1, sizeof(*a));

	if (!a)
		return -ENOMEM;
	a->key[0] = load64(key);
	a->key[1] = load64(key + 8);
	*out = a;
	return 0;
}

void anon_free(struct anon *a)
{
	if (a)
		explicit_bzero(a->key, sizeof(a->key));
	free(a);
}
