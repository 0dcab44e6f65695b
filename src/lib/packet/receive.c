/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What IP input refuses before netfilter sees a packet, and what may be sent. Answers to Linux
 * 6.18, ip_rcv_core() of net/ipv4/ip_input.c, ip6_rcv_core() of net/ipv6/ip6_input.c,
 * raw_send_hdrinc() of net/ipv4/raw.c and rawv6_send_hdrinc() of net/ipv6/raw.c.
 */
#include <conntune/packet.h>

#include <errno.h>
#include <string.h>

#include "lib/packet/checksum.h"
#include "lib/packet/wire.h"

enum { MAX_IPV4 = 65535 };

static int refuse(struct ct_packet *p, const char *why)
{
	p->why = why;
	return -EBADMSG;
}

static int receive_ipv4(struct ct_packet *p)
{
	uint32_t header, total;

	if (p->size < 20)
		return refuse(p, "ip: packet is shorter than a header");
	header = (p->data[0] & 15U) * 4;
	if (header < 20)
		return refuse(p, "ip: header length below 20");
	if (header > p->size)
		return refuse(p, "ip: header is longer than the packet");
	total = wire_be16(p->data + 2);
	if (total == 0 && (p->flags & CT_PACKET_OFFLOAD)) {
		total = p->size < MAX_IPV4 ? p->size : MAX_IPV4;
	} else if (!(p->flags & CT_PACKET_CHECKSUM_OK) && ct_checksum_of(p->data, header) != 0) {
		return refuse(p, "ip: bad header checksum");
	}
	if (total > p->size)
		return refuse(p, "ip: packet is cut short");
	if (total < header)
		return refuse(p, "ip: total length is shorter than the header");
	p->size = total;
	return 0;
}

/* ipv6_hop_jumbo(): more than the header could say, and no more than there is. */
static bool is_jumbogram(const struct ct_packet *p, uint32_t payload)
{
	return wire_be16(p->data + 4) == 0 && payload > MAX_IPV4 && payload <= p->size - 40;
}

/* ip6_tlvopt_unknown(): the two high bits of an unknown option say whether it may be skipped. */
static bool is_option_fine(const struct ct_packet *p, const uint8_t *option, uint32_t at)
{
	enum { ROUTER_ALERT = 5, JUMBO = 0xc2 };

	switch (option[0]) {
	case ROUTER_ALERT:
		return option[1] == 2;
	case JUMBO:
		return option[1] == 4 && (at & 3) == 2 && is_jumbogram(p, wire_be32(option + 2));
	default:
		return option[0] >> 6 == 0;
	}
}

/* ip6_parse_tlv() for the hop-by-hop header, the only one that every node reads. */
static bool are_options_fine(const struct ct_packet *p, uint32_t size)
{
	enum { MAX_PADDING = 7, MAX_OPTIONS = 8 };
	const uint8_t *header = p->data + 40;
	unsigned padding = 0, count = 0;

	for (uint32_t at = 2; at < size;) {
		uint32_t n = header[at] == 0 ? 1 : at + 2 > size ? UINT32_MAX : header[at + 1] + 2U;

		if (n > size - at)
			return false;
		if (header[at] <= 1) {
			padding += n;
			for (uint32_t i = 2; i < n; i++)
				if (header[at + i] != 0)
					return false;
		} else {
			if (++count > MAX_OPTIONS || !is_option_fine(p, header + at, 40 + at))
				return false;
			padding = 0;
		}
		if (padding > MAX_PADDING)
			return false;
		at += n;
	}
	return true;
}

/* ipv6_parse_hopopts() */
static int receive_hop_options(struct ct_packet *p)
{
	uint32_t size;

	if (p->size < 48)
		return refuse(p, "ipv6: hop-by-hop header is cut short");
	size = (p->data[41] + 1U) * 8;
	if (p->size < 40 + size)
		return refuse(p, "ipv6: hop-by-hop header is cut short");
	return are_options_fine(p, size) ? 0 : refuse(p, "ipv6: hop-by-hop option");
}

static int receive_ipv6(struct ct_packet *p)
{
	static const uint8_t loopback[16] = { [15] = 1 };
	uint32_t payload;

	if (p->size < 40)
		return refuse(p, "ipv6: packet is shorter than a header");
	if (memcmp(p->data + 24, loopback, 16) == 0 || memcmp(p->data + 8, loopback, 16) == 0)
		return refuse(p, "ipv6: loopback address on the wire");
	if (p->data[8] == 0xff)
		return refuse(p, "ipv6: multicast source");
	/* RFC 4291: nothing sends to interface-local scope, and scope 0 is reserved. */
	if (p->data[24] == 0xff && ((p->data[25] & 15) == 0 || (p->data[25] & 15) == 1))
		return refuse(p, "ipv6: multicast scope that does not leave a host");
	payload = wire_be16(p->data + 4);
	/* Zero before hop-by-hop options announces a jumbogram. */
	if (payload != 0 || p->data[6] != PROTO_HOPOPTS) {
		if (40 + payload > p->size)
			return refuse(p, "ipv6: packet is cut short");
		p->size = 40 + payload;
	}
	return p->data[6] == PROTO_HOPOPTS ? receive_hop_options(p) : 0;
}

int ct_packet_receive(struct ct_packet *p)
{
	if (p->size == 0)
		return refuse(p, "ip: no bytes");
	if (p->data[0] >> 4 == 4)
		return receive_ipv4(p);
	if (p->data[0] >> 4 == 6)
		return receive_ipv6(p);
	return refuse(p, "ip: version is neither 4 nor 6");
}

/* Padding behind the packet was never part of it. */
static void trim(struct ct_packet *p, uint32_t total)
{
	if (total < p->size)
		p->size = total;
}

int ct_packet_send(struct ct_packet *p)
{
	uint32_t header = p->size > 0 ? (p->data[0] & 15U) * 4 : 0;

	if (p->size >= 20 && p->data[0] >> 4 == 4) {
		if (header < 20 || header > p->size)
			return refuse(p, "ip: header length");
		if (wire_be16(p->data + 2) >= 20)
			trim(p, wire_be16(p->data + 2));
		return 0;
	}
	if (p->size >= 40 && p->data[0] >> 4 == 6) {
		trim(p, 40U + wire_be16(p->data + 4));
		return 0;
	}
	return refuse(p, "ip: packet is shorter than a header");
}
