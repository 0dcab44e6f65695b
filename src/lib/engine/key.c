/* SPDX-License-Identifier: BSD-2-Clause
 *
 * One key for both directions of a connection, its keyed hash, and the way back to tuples.
 *
 * The endpoint (address, part) that sorts lower comes first; of ICMP, the one that asks. So a
 * packet of either direction makes the same key, and one place in the index serves both. The hash
 * has the engine's secret seed for a key: see hash.h.
 */
#include "lib/engine/key.h"

#include <string.h>

#include "lib/packet/wire.h"

/* The kernel's buckets tell the directions apart; equal tuples have no direction. */
static inline const struct hash_key *key_for(const struct ct_engine *en, const struct probe *pr)
{
	return &en->key[en->chains && pr->is_high ? HASH_OTHER : HASH_TABLE];
}

#if HASH_AES
__attribute__((target("aes"))) static void probe_hash_aes(const struct ct_engine *en,
							  struct probe *pr)
{
	uint64_t words[4];

	if (pr->key.is_ipv6) {
		memcpy(words, pr->addr6, 32);
		pr->key.addr.fingerprint = ct_hash_words_aes(&en->key[HASH_ADDR6], words, 2);
	}
	memcpy(words, &pr->key, 16);
	pr->hash = ct_hash_words_aes(key_for(en, pr), words, 1);
}
#endif

static void probe_hash_soft(const struct ct_engine *en, struct probe *pr)
{
	uint64_t words[4];

	if (pr->key.is_ipv6) {
		memcpy(words, pr->addr6, 32);
		pr->key.addr.fingerprint = ct_hash_words_soft(&en->key[HASH_ADDR6], words, 2);
	}
	memcpy(words, &pr->key, 16);
	pr->hash = ct_hash_words_soft(key_for(en, pr), words, 1);
}

static inline void probe_hash(const struct ct_engine *en, struct probe *pr)
{
#if HASH_AES
	if (en->has_aes) {
		probe_hash_aes(en, pr);
		return;
	}
#endif
	probe_hash_soft(en, pr);
}

static bool is_icmp(uint8_t proto)
{
	return proto == PROTO_ICMP || proto == PROTO_ICMPV6;
}

/* ICMP's key has the type of the request; a type that has no answer counts as a request. */
static bool icmp_order(struct probe *pr, const struct ct_tuple *t)
{
	uint8_t type = ct_tuple_icmp_type(t);
	bool is_answer = t->proto == PROTO_ICMP
				 ? type == 0 || type == 14 || type == 16 || type == 18
				 : type == 129 || type == 140;
	struct ct_tuple other;

	pr->key.low_part = t->src_part;
	pr->key.high_part = t->dst_part;
	if (is_answer && ct_tuple_invert(&other, t) == 0)
		pr->key.high_part = other.dst_part;
	return is_answer;
}

static bool port_order(struct probe *pr, const struct ct_tuple *t, int addr_order)
{
	bool is_high = addr_order > 0 || (addr_order == 0 && t->src_part > t->dst_part);

	if (addr_order == 0 && t->src_part == t->dst_part)
		pr->rare |= PROBE_SELF;
	pr->key.low_part = is_high ? t->dst_part : t->src_part;
	pr->key.high_part = is_high ? t->src_part : t->dst_part;
	return is_high;
}

void ct_probe_make(const struct ct_engine *en, const struct ct_tuple *t, uint16_t zone,
		   struct probe *out)
{
	bool is_ipv6 = t->family == CT_FAMILY_IPV6;
	int order;

	memset(&out->key, 0, sizeof(out->key));
	out->key.proto = t->proto;
	out->key.is_ipv6 = is_ipv6;
	out->key.zone = zone;
	out->rare = 0;
	if (is_ipv6)
		order = memcmp(&t->src, &t->dst, 16);
	else
		order = (t->src.ip4 > t->dst.ip4) - (t->src.ip4 < t->dst.ip4);
	out->is_high = is_icmp(t->proto) ? icmp_order(out, t) : port_order(out, t, order);
	if (is_ipv6) {
		memcpy(out->addr6, out->is_high ? &t->dst : &t->src, 16);
		memcpy(out->addr6 + 16, out->is_high ? &t->src : &t->dst, 16);
	} else {
		out->key.addr.ip4.low = out->is_high ? t->dst.ip4 : t->src.ip4;
		out->key.addr.ip4.high = out->is_high ? t->src.ip4 : t->dst.ip4;
	}
	probe_hash(en, out);
}

void ct_probe_narrow(const struct ct_engine *en, struct probe *pr, uint16_t zone, enum ct_dir dir)
{
	pr->key.zone = zone;
	pr->rare = (pr->rare & PROBE_SELF) | (dir == CT_DIR_ORIG ? PROBE_ORIG : PROBE_REPLY);
	probe_hash(en, pr);
}

/* All of ct_probe_quick() but the hash. */
__attribute__((always_inline)) static inline bool quick_key(struct ct_packet *p, struct probe *out)
{
	enum { PLAIN = 0x45, IS_FRAGMENT = 0x3fff };
	const uint8_t *ip = p->data;
	uint64_t src, dst, differ, addr, rest;

	if (p->size < 28 || zone_is_narrow(p->zone_dir) || ip[0] != PLAIN ||
	    (wire_be16(ip + 6) & IS_FRAGMENT) != 0 || (ip[9] != PROTO_TCP && ip[9] != PROTO_UDP))
		return false;
	p->family = CT_FAMILY_IPV4;
	p->proto = ip[9];
	p->offset = 20;
	src = (uint64_t)wire_raw32(ip + 12) << 16 | wire_raw16(ip + 20);
	dst = (uint64_t)wire_raw32(ip + 16) << 16 | wire_raw16(ip + 22);
	out->is_high = src > dst;
	out->rare = src == dst ? PROBE_SELF : 0;
	/* Directions come at random: a branch on them would be guessed wrong half of the time. */
	differ = (src ^ dst) & -(uint64_t)out->is_high;
	src ^= differ;
	dst ^= differ;
	addr = src >> 16 | dst >> 16 << 32;
	rest = (src & 0xffff) | (dst & 0xffff) << 16 | (uint64_t)p->proto << 32 |
	       (uint64_t)p->zone << 48;
	key_set(&out->key, addr, rest);
	return true;
}

/* Without the processor's help, a hash takes longer than to see that it is the last packet's. */
static inline bool is_same_hash(const struct ct_engine *en, const struct probe *before,
				const struct probe *pr)
{
	return before && key_equal(&before->key, &pr->key) &&
	       (!en->chains || before->is_high == pr->is_high);
}

#if HASH_AES
__attribute__((target("aes"))) static bool quick_aes(const struct ct_engine *en,
						     struct ct_packet *p, struct probe *out)
{
	uint64_t words[2];

	if (!quick_key(p, out))
		return false;
	memcpy(&words[0], &out->key.addr, 8);
	memcpy(&words[1], &out->key.low_part, 8);
	out->hash = ct_hash_words_aes(key_for(en, out), words, 1);
	return true;
}
#endif

bool ct_probe_quick(const struct ct_engine *en, struct ct_packet *p, const struct probe *before,
		    struct probe *out)
{
#if HASH_AES
	if (en->has_aes)
		return quick_aes(en, p, out);
#endif
	if (!quick_key(p, out))
		return false;
	if (is_same_hash(en, before, out))
		out->hash = before->hash;
	else
		probe_hash_soft(en, out);
	return true;
}

static bool is_self(const struct probe *pr)
{
	if (is_icmp(pr->key.proto) || pr->key.low_part != pr->key.high_part)
		return false;
	if (!pr->key.is_ipv6)
		return pr->key.addr.ip4.low == pr->key.addr.ip4.high;
	return memcmp(pr->addr6, pr->addr6 + 16, 16) == 0;
}

void ct_entry_hashes(const struct ct_engine *en, uint32_t number, uint64_t hash[CT_DIR_MAX])
{
	struct probe pr;

	for (int dir = 0; dir < CT_DIR_MAX; dir++) {
		ct_entry_probe(en, number, (enum ct_dir)dir, &pr);
		hash[dir] = pr.hash;
	}
}

/* One of an entry's keys, with its addresses; true when it is the second. */
static bool entry_key(const struct ct_engine *en, uint32_t number, enum ct_dir dir,
		      const struct key **key, const uint8_t **addr6)
{
	const struct entry *e = entry_at(en, number);
	const struct chunk *c = pool_chunk(en->pools, number);
	bool is_second = dir == CT_DIR_REPLY && (e->flags & ENTRY_SECOND);

	*key = is_second ? &c->second[number & CHUNK_MASK] : &e->key;
	if (e->flags & ENTRY_IPV6)
		*addr6 = (is_second ? c->second6 : c->addr6)[number & CHUNK_MASK];
	return is_second;
}

/* Is the sender of direction @dir the high endpoint of its key? */
static bool is_sender_high(const struct entry *e, enum ct_dir dir, bool is_second)
{
	if (is_second)
		return e->flags & ENTRY_SECOND_HIGH;
	return !(e->flags & ENTRY_ORIG_HIGH) == (dir == CT_DIR_REPLY);
}

void ct_entry_probe(const struct ct_engine *en, uint32_t number, enum ct_dir dir, struct probe *out)
{
	const struct entry *e = entry_at(en, number);
	const struct key *key;
	const uint8_t *addr6 = NULL;
	bool is_second = entry_key(en, number, dir, &key, &addr6);

	out->key = *key;
	if (addr6)
		memcpy(out->addr6, addr6, 32);
	out->rare = is_self(out) ? PROBE_SELF : 0;
	out->is_high = !out->rare && is_sender_high(e, dir, is_second);
	probe_hash(en, out);
}

void ct_entry_tuple(const struct ct_engine *en, uint32_t number, enum ct_dir dir,
		    struct ct_tuple *out)
{
	const struct key *key;
	const uint8_t *addr6 = NULL;
	bool is_second = entry_key(en, number, dir, &key, &addr6);
	struct ct_tuple t = { .proto = key->proto,
			      .family = addr6 ? CT_FAMILY_IPV6 : CT_FAMILY_IPV4,
			      .src_part = key->low_part,
			      .dst_part = key->high_part };

	if (addr6) {
		memcpy(&t.src, addr6, 16);
		memcpy(&t.dst, addr6 + 16, 16);
	} else {
		t.src.ip4 = key->addr.ip4.low;
		t.dst.ip4 = key->addr.ip4.high;
	}
	/* An entry of ICMP always begins with a request, and no tuple in the table lacks an
	 * inverse. */
	if (is_sender_high(entry_at(en, number), dir, is_second))
		(void)ct_tuple_invert(&t, &t);
	*out = t;
}
