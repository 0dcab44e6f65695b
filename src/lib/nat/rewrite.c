/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Packets rewritten: see rewrite.h. Answers to Linux 6.18, net/netfilter/nf_nat_proto.c:
 * nf_nat_ipv4_manip_pkt(), nf_nat_ipv6_manip_pkt(), l4proto_manip_pkt() and what it calls.
 */
#include "lib/nat/rewrite.h"

#include <string.h>

#include "lib/packet/checksum.h"
#include "lib/packet/extension.h"
#include "lib/packet/wire.h"

enum { IPV4_HEADER = 20, IPV6_HEADER = 40, PORTS_AT_LEAST = 8, UDP_HEADER = 8, TCP_HEADER = 20 };

/* One header on its way to a new address. */
struct rewrite {
	uint8_t *data;
	uint32_t size;
	uint32_t l3, l4; /* where the headers begin */
	const struct ct_tuple *want;
	enum ct_manip manip;
};

void ct_nat_sum_replace(uint8_t *sum, const uint8_t *from, const uint8_t *to, size_t size)
{
	/* The high half keeps the sum from zero, whose complement no checksum ever is. */
	uint64_t v = UINT64_C(0xffff0000) | (uint16_t)~wire_raw16(sum);
	uint16_t folded;

	for (size_t i = 0; i < size; i += 2)
		v += (uint64_t)(uint16_t)~wire_raw16(from + i) + wire_raw16(to + i);
	folded = (uint16_t)~ct_checksum_fold(v);
	memcpy(sum, &folded, 2);
}

static uint32_t left(const struct rewrite *w)
{
	return w->size - w->l4;
}

static bool is_ipv6(const struct rewrite *w)
{
	return w->want->family == CT_FAMILY_IPV6;
}

static uint32_t addr_size(const struct rewrite *w)
{
	return is_ipv6(w) ? 16 : 4;
}

/* The address that is to change, where it stands. */
static uint8_t *old_addr(const struct rewrite *w)
{
	uint8_t *src = w->data + w->l3 + (is_ipv6(w) ? 8 : 12);

	return w->manip == CT_MANIP_SRC ? src : src + addr_size(w);
}

static const uint8_t *new_addr(const struct rewrite *w)
{
	return (w->manip == CT_MANIP_SRC ? &w->want->src : &w->want->dst)->bytes;
}

/* The pseudo header's share of a layer 4 checksum: nf_csum_update(). */
static void sum_addr(const struct rewrite *w, uint8_t *sum)
{
	ct_nat_sum_replace(sum, old_addr(w), new_addr(w), addr_size(w));
}

static void put_part(uint8_t *at, ct_be16 part)
{
	memcpy(at, &part, 2);
}

/* Replaces the port; @sum: where its checksum stands, or null when it is not there to be carried
 * along. */
static void put_port(const struct rewrite *w, uint8_t *sum)
{
	bool is_src = w->manip == CT_MANIP_SRC;
	uint8_t *port = w->data + w->l4 + (is_src ? 0 : 2), to[2];

	put_part(to, is_src ? w->want->src_part : w->want->dst_part);
	if (sum) {
		sum_addr(w, sum);
		ct_nat_sum_replace(sum, port, to, 2);
	}
	memcpy(port, to, 2);
}

static bool rewrite_tcp(const struct rewrite *w)
{
	if (left(w) < PORTS_AT_LEAST)
		return false;
	put_port(w, left(w) >= TCP_HEADER ? w->data + w->l4 + 16 : NULL);
	return true;
}

/* A zero checksum of UDP says that there is none; one that becomes zero is written as ~0. */
static bool rewrite_udp(const struct rewrite *w, bool may_lack_sum)
{
	uint8_t *sum = w->data + w->l4 + 6;

	if (left(w) < UDP_HEADER)
		return false;
	if (may_lack_sum && wire_raw16(sum) == 0) {
		put_port(w, NULL);
		return true;
	}
	put_port(w, sum);
	if (wire_raw16(sum) == 0)
		memset(sum, 0xff, 2);
	return true;
}

static bool rewrite_sctp(const struct rewrite *w)
{
	enum { HEADER = 12, SUM = 8 };
	uint8_t *l4 = w->data + w->l4;
	uint32_t crc;

	if (left(w) < PORTS_AT_LEAST)
		return false;
	put_port(w, NULL);
	if (left(w) < HEADER)
		return true;
	memset(l4 + SUM, 0, 4);
	crc = ~ct_crc32c(UINT32_MAX, l4, left(w));
	memcpy(l4 + SUM, &crc, 4);
	return true;
}

/* Only what asks and answers has an identifier. */
static bool rewrite_icmp(const struct rewrite *w)
{
	uint8_t *l4 = w->data + w->l4, to[2];

	if (left(w) < 8)
		return false;
	if (l4[0] != 0 && l4[0] != 8 && (l4[0] < 13 || l4[0] > 18))
		return true;
	put_part(to, w->want->src_part);
	ct_nat_sum_replace(l4 + 2, l4 + 4, to, 2);
	memcpy(l4 + 4, to, 2);
	return true;
}

static bool rewrite_icmpv6(const struct rewrite *w)
{
	enum { ECHO_REQUEST = 128, ECHO_REPLY = 129 };
	uint8_t *l4 = w->data + w->l4, to[2];

	if (left(w) < 8)
		return false;
	sum_addr(w, l4 + 2);
	if (l4[0] != ECHO_REQUEST && l4[0] != ECHO_REPLY)
		return true;
	put_part(to, w->want->src_part);
	ct_nat_sum_replace(l4 + 2, l4 + 4, to, 2);
	memcpy(l4 + 4, to, 2);
	return true;
}

/* Only PPTP's version has a key that both ends know, and only the receiver's is in the packet. */
static bool rewrite_gre(const struct rewrite *w)
{
	const uint8_t *l4 = w->data + w->l4;

	if (left(w) < 8)
		return false;
	if (w->manip != CT_MANIP_DST)
		return true;
	switch (l4[1] & 7) {
	case 0:
		return true;
	case 1:
		put_part(w->data + w->l4 + 6, w->want->dst_part);
		return true;
	default:
		return false;
	}
}

static bool rewrite_l4(const struct rewrite *w)
{
	switch (w->want->proto) {
	case PROTO_TCP:
		return rewrite_tcp(w);
	case PROTO_UDP:
		return rewrite_udp(w, true);
	case PROTO_UDPLITE:
		return rewrite_udp(w, false);
	case PROTO_SCTP:
		return rewrite_sctp(w);
	case PROTO_ICMP:
		return rewrite_icmp(w);
	case PROTO_ICMPV6:
		return rewrite_icmpv6(w);
	case PROTO_GRE:
		return rewrite_gre(w);
	default:
		return true;
	}
}

static bool rewrite_ipv4(struct rewrite *w)
{
	uint8_t *ip = w->data + w->l3;

	if (w->size - w->l3 < IPV4_HEADER)
		return false;
	w->l4 = w->l3 + (ip[0] & 15U) * 4;
	if (w->l4 > w->size || !rewrite_l4(w))
		return false;
	sum_addr(w, ip + 10);
	memcpy(old_addr(w), new_addr(w), 4);
	return true;
}

/* Where layer 4 begins; false when it cannot be found or is a later fragment's: then only the
 * address changes. */
static bool find_l4(struct rewrite *w)
{
	struct ct_packet p = { .data = w->data, .size = w->size };
	uint8_t next = w->data[w->l3 + 6];

	w->l4 = w->l3 + IPV6_HEADER;
	return ct_ipv6_skip(&p, &next, &w->l4) == 0;
}

static bool rewrite_ipv6(struct rewrite *w)
{
	if (w->size - w->l3 < IPV6_HEADER)
		return false;
	if (find_l4(w) && !rewrite_l4(w))
		return false;
	memcpy(old_addr(w), new_addr(w), 16);
	return true;
}

bool ct_nat_rewrite(uint8_t *data, uint32_t size, uint32_t at, const struct ct_tuple *want,
		    enum ct_manip manip)
{
	struct rewrite w = { .data = data, .size = size, .l3 = at, .want = want, .manip = manip };

	if (at > size)
		return false;
	return is_ipv6(&w) ? rewrite_ipv6(&w) : rewrite_ipv4(&w);
}
