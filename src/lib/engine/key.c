/* SPDX-License-Identifier: BSD-2-Clause
 *
 * One key for both directions of a connection, its keyed hash, and the way back to tuples.
 *
 * The endpoint (address, part) that sorts lower comes first; of ICMP, the one that asks. So a
 * packet of either direction makes the same key, and one place in the index serves both. The hash
 * is SipHash-1-3 under the engine's secret seed: without it, nobody can aim at a bucket.
 */
#include <string.h>

#include "lib/base/sip.h"
#include "lib/engine/engine.h"
#include "lib/packet/wire.h"

static void probe_hash(const struct ct_engine *en, struct probe *pr)
{
	uint64_t words[4];

	if (pr->key.is_ipv6) {
		memcpy(words, pr->addr6, 32);
		pr->key.addr.fingerprint = ct_sip_words(en->key[1], words, 4);
	}
	memcpy(words, &pr->key, 16);
	/* The kernel's buckets tell the directions apart; equal tuples have no direction. */
	if (en->chains && pr->is_high && !pr->is_self)
		pr->hash = ct_sip_words(en->key[2], words, 2);
	else
		pr->hash = ct_sip_words(en->key[0], words, 2);
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

	pr->is_self = addr_order == 0 && t->src_part == t->dst_part;
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
	out->is_self = false;
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

bool ct_probe_quick(struct ct_packet *p, struct probe *out)
{
	const uint8_t *ip = p->data;
	uint64_t src, dst;

	/* IPv4 without options, not a fragment, with ports: nearly all there is. */
	if (p->size < 28 || ip[0] != 0x45 || (ip[6] & 0x1f) != 0 || ip[7] != 0 ||
	    (ip[9] != PROTO_TCP && ip[9] != PROTO_UDP))
		return false;
	p->family = CT_FAMILY_IPV4;
	p->proto = ip[9];
	p->offset = 20;
	src = (uint64_t)wire_raw32(ip + 12) << 16 | wire_raw16(ip + 20);
	dst = (uint64_t)wire_raw32(ip + 16) << 16 | wire_raw16(ip + 22);
	out->is_high = src > dst;
	out->is_self = src == dst;
	if (out->is_high) {
		uint64_t t = src;

		src = dst;
		dst = t;
	}
	out->key = (struct key){
		.addr.ip4 = { (ct_be32)(src >> 16), (ct_be32)(dst >> 16) },
		.low_part = (ct_be16)src,
		.high_part = (ct_be16)dst,
		.proto = p->proto,
		.zone = p->zone,
	};
	return true;
}

void ct_probe_hash(const struct ct_engine *en, struct probe *pr, const struct probe *before)
{
	if (before && pr->is_high == before->is_high &&
	    memcmp(&pr->key, &before->key, sizeof(pr->key)) == 0)
		pr->hash = before->hash;
	else
		probe_hash(en, pr);
}

bool ct_probe_matches(const struct ct_engine *en, const struct probe *pr, uint32_t number)
{
	const struct entry *e = entry_at(en, number);

	if (memcmp(&e->key, &pr->key, sizeof(e->key)) != 0)
		return false;
	return !e->key.is_ipv6 || memcmp(entry_addr6(en->pools, number), pr->addr6, 32) == 0;
}

/* When both tuples are equal, the kernel finds the one it inserted last: the reply. */
enum ct_dir ct_probe_dir(const struct probe *pr, const struct entry *e)
{
	bool is_orig_high = e->flags & ENTRY_ORIG_HIGH;

	if (pr->is_self)
		return CT_DIR_REPLY;
	return pr->is_high == is_orig_high ? CT_DIR_ORIG : CT_DIR_REPLY;
}

static bool is_self(const struct ct_engine *en, uint32_t number)
{
	const struct entry *e = entry_at(en, number);
	const uint8_t *addr;

	if (is_icmp(e->key.proto) || e->key.low_part != e->key.high_part)
		return false;
	if (!e->key.is_ipv6)
		return e->key.addr.ip4.low == e->key.addr.ip4.high;
	addr = entry_addr6(en->pools, number);
	return memcmp(addr, addr + 16, 16) == 0;
}

void ct_entry_hashes(const struct ct_engine *en, uint32_t number, uint64_t hash[CT_DIR_MAX])
{
	struct probe pr;

	ct_entry_probe(en, number, &pr);
	hash[CT_DIR_ORIG] = pr.hash;
	pr.is_high = !pr.is_high;
	probe_hash(en, &pr);
	hash[CT_DIR_REPLY] = pr.hash;
}

void ct_entry_probe(const struct ct_engine *en, uint32_t number, struct probe *out)
{
	const struct entry *e = entry_at(en, number);

	out->key = e->key;
	out->is_high = e->flags & ENTRY_ORIG_HIGH;
	out->is_self = is_self(en, number);
	if (e->key.is_ipv6)
		memcpy(out->addr6, entry_addr6(en->pools, number), 32);
	probe_hash(en, out);
}

void ct_entry_tuple(const struct ct_engine *en, uint32_t number, enum ct_dir dir,
		    struct ct_tuple *out)
{
	const struct entry *e = entry_at(en, number);
	bool is_high = e->flags & ENTRY_ORIG_HIGH;
	struct ct_tuple t = { .proto = e->key.proto,
			      .family = e->key.is_ipv6 ? CT_FAMILY_IPV6 : CT_FAMILY_IPV4,
			      .src_part = e->key.low_part,
			      .dst_part = e->key.high_part };

	if (e->key.is_ipv6) {
		memcpy(&t.src, entry_addr6(en->pools, number), 16);
		memcpy(&t.dst, entry_addr6(en->pools, number) + 16, 16);
	} else {
		t.src.ip4 = e->key.addr.ip4.low;
		t.dst.ip4 = e->key.addr.ip4.high;
	}
	/* An entry of ICMP always begins with a request, and no tuple in the table lacks an
	 * inverse. */
	if (is_high != (dir == CT_DIR_REPLY))
		(void)ct_tuple_invert(&t, &t);
	*out = t;
}
