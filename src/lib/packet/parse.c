/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Finding the layer 4 header and the tuple in a packet: see include/conntune/packet.h. Answers to
 * Linux 6.18, net/netfilter/nf_conntrack_core.c (get_l4proto() and what it calls) and
 * nf_conntrack_proto_gre.c (gre_pkt_to_tuple()).
 */
#include <conntune/packet.h>

#include <errno.h>
#include <string.h>

#include "lib/packet/extension.h"
#include "lib/packet/wire.h"

const char *ct_info_name(enum ct_info info)
{
	switch (info) {
	case CT_INFO_ESTABLISHED:
	case CT_INFO_ESTABLISHED_REPLY:
		return "ESTABLISHED";
	case CT_INFO_RELATED:
	case CT_INFO_RELATED_REPLY:
		return "RELATED";
	case CT_INFO_NEW:
		return "NEW";
	case CT_INFO_UNTRACKED:
		return "UNTRACKED";
	case CT_INFO_INVALID:
		break;
	}
	return "INVALID";
}

void ct_packet_init(struct ct_packet *p, const uint8_t *data, size_t size)
{
	*p = (struct ct_packet){ .data = data,
				 .size = size > UINT32_MAX ? UINT32_MAX : (uint32_t)size,
				 .info = CT_INFO_INVALID };
}

/* ipv4_get_l4proto() */
static int parse_ipv4(struct ct_packet *p)
{
	uint32_t offset;

	if (p->size < 20 || (wire_be16(p->data + 6) & 0x1fff) != 0)
		return -EBADMSG;
	offset = (p->data[0] & 15U) * 4;
	if (offset > p->size)
		return -EBADMSG;
	p->family = CT_FAMILY_IPV4;
	p->proto = p->data[9];
	p->offset = offset;
	return 0;
}

int ct_ipv6_skip(const struct ct_packet *p, uint8_t *next, uint32_t *offset)
{
	uint8_t proto = *next;
	uint32_t at = *offset;

	while (proto == PROTO_HOPOPTS || proto == PROTO_ROUTING || proto == PROTO_FRAGMENT ||
	       proto == PROTO_AH || proto == PROTO_DSTOPTS) {
		const uint8_t *header = p->data + at;
		uint32_t length, needed = proto == PROTO_FRAGMENT ? 4 : 2;

		if (p->size < needed || at > p->size - needed)
			return -EBADMSG;
		length = (header[1] + 1U) * 8;
		if (proto == PROTO_AH)
			length = (header[1] + 2U) * 4;
		if (proto == PROTO_FRAGMENT) {
			if ((wire_be16(header + 2) & 0xfff8) != 0)
				return -EBADMSG;
			length = 8;
		}
		proto = header[0];
		at += length;
	}
	if (proto == PROTO_NONE)
		return -EBADMSG;
	*next = proto;
	/* A last header that claims to reach beyond the packet leaves nothing behind it, which the
	 * kernel does not mind as long as the protocol needs nothing. */
	*offset = at < p->size ? at : p->size;
	return 0;
}

/* ipv6_get_l4proto() */
static int parse_ipv6(struct ct_packet *p)
{
	uint8_t proto;
	uint32_t offset = 40;

	if (p->size < 40)
		return -EBADMSG;
	proto = p->data[6];
	if (ct_ipv6_skip(p, &proto, &offset) < 0)
		return -EBADMSG;
	p->family = CT_FAMILY_IPV6;
	p->proto = proto;
	p->offset = offset;
	return 0;
}

int ct_packet_parse(struct ct_packet *p)
{
	if (p->size == 0)
		return -EBADMSG;
	if (p->data[0] >> 4 == 4)
		return parse_ipv4(p);
	if (p->data[0] >> 4 == 6)
		return parse_ipv6(p);
	return -EBADMSG;
}

/* gre_pkt_to_tuple() without a key map: the sender's key is not known. */
static int gre_parts(const uint8_t *l4, uint32_t left, struct ct_tuple *t)
{
	if (left < 4 || (wire_be16(l4) & 7) != 1)
		return 0;
	if (left < 8)
		return 0;
	if (wire_be16(l4 + 2) != 0x880b)
		return -EBADMSG;
	t->dst_part = wire_raw16(l4 + 6);
	return 0;
}

static int tuple_parts(const struct ct_packet *p, struct ct_tuple *t)
{
	const uint8_t *l4 = p->data + p->offset;
	uint32_t left = p->size - p->offset;

	switch (p->proto) {
	case PROTO_TCP:
	case PROTO_UDP:
	case PROTO_SCTP:
	case PROTO_UDPLITE:
		if (left < 4)
			return -EBADMSG;
		t->src_part = wire_raw16(l4);
		t->dst_part = wire_raw16(l4 + 2);
		return 0;
	case PROTO_ICMP:
	case PROTO_ICMPV6:
		if (left < 8)
			return -EBADMSG;
		t->src_part = wire_raw16(l4 + 4);
		ct_tuple_set_icmp(t, l4[0], l4[1]);
		return 0;
	case PROTO_GRE:
		return gre_parts(l4, left, t);
	default:
		return 0;
	}
}

int ct_packet_tuple(const struct ct_packet *p, struct ct_tuple *out)
{
	struct ct_tuple t = { .family = p->family, .proto = p->proto };

	if (tuple_parts(p, &t) < 0)
		return -EBADMSG;
	if (p->family == CT_FAMILY_IPV4) {
		t.src.ip4 = wire_raw32(p->data + 12);
		t.dst.ip4 = wire_raw32(p->data + 16);
	} else {
		memcpy(t.src.bytes, p->data + 8, 16);
		memcpy(t.dst.bytes, p->data + 24, 16);
	}
	*out = t;
	return 0;
}
