/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Reading numbers of the wire at a place already known to be inside the packet, without casts
 * that alignment or aliasing could break. What may lie outside goes through base/bytes.h.
 */
#ifndef CT_PACKET_WIRE_H
#define CT_PACKET_WIRE_H

#include <stdint.h>
#include <string.h>

enum {
	PROTO_HOPOPTS = 0,
	PROTO_ICMP = 1,
	PROTO_TCP = 6,
	PROTO_UDP = 17,
	PROTO_ROUTING = 43,
	PROTO_FRAGMENT = 44,
	PROTO_GRE = 47,
	PROTO_AH = 51,
	PROTO_ICMPV6 = 58,
	PROTO_NONE = 59,
	PROTO_DSTOPTS = 60,
	PROTO_SCTP = 132,
	PROTO_UDPLITE = 136,
};

/* As they stand: network order stays network order. */
static inline uint16_t wire_raw16(const uint8_t *p)
{
	uint16_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static inline uint32_t wire_raw32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

/* In host order. */
static inline uint16_t wire_be16(const uint8_t *p)
{
	return __builtin_bswap16(wire_raw16(p));
}

static inline uint32_t wire_be32(const uint8_t *p)
{
	return __builtin_bswap32(wire_raw32(p));
}

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "wire_be16() and wire_be32() swap; a big-endian machine must not"
#endif

#endif
