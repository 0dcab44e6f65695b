/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Checksums: see checksum.h. Answers to Linux 6.18, nf_ip_checksum(), nf_ip6_checksum() in
 * net/netfilter/utils.c and sctp_compute_cksum().
 */
#include "lib/packet/checksum.h"

#include <string.h>

#include "lib/packet/wire.h"

uint64_t ct_checksum_add(uint64_t sum, const uint8_t *p, size_t size)
{
	for (; size >= 4; size -= 4, p += 4)
		sum += wire_raw32(p);
	if (size >= 2) {
		sum += wire_raw16(p);
		p += 2;
		size -= 2;
	}
	if (size)
		sum += *p; /* little-endian: the byte is the low half of its word */
	return sum;
}

uint16_t ct_checksum_fold(uint64_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

uint16_t ct_checksum_of(const uint8_t *p, size_t size)
{
	return (uint16_t)~ct_checksum_fold(ct_checksum_add(0, p, size));
}

uint64_t ct_checksum_pseudo(const struct ct_packet *p, uint8_t proto, uint32_t size)
{
	bool is_v6 = p->family == CT_FAMILY_IPV6;
	uint64_t sum =
		is_v6 ? ct_checksum_add(0, p->data + 8, 32) : ct_checksum_add(0, p->data + 12, 8);

	return sum + __builtin_bswap32(size) + ((uint64_t)proto << 8);
}

/* One table step for each nibble: small, and the polynomial is its only constant. */
static uint32_t crc32c_nibble(uint32_t v)
{
	for (int i = 0; i < 4; i++)
		v = v & 1 ? v >> 1 ^ UINT32_C(0x82f63b78) : v >> 1;
	return v;
}

uint32_t ct_crc32c(uint32_t crc, const uint8_t *p, size_t size)
{
	uint32_t table[16];

	for (uint32_t i = 0; i < 16; i++)
		table[i] = crc32c_nibble(i);
	for (size_t i = 0; i < size; i++) {
		crc ^= p[i];
		crc = crc >> 4 ^ table[crc & 15];
		crc = crc >> 4 ^ table[crc & 15];
	}
	return crc;
}

/* sctp_csum_check(): the checksum field itself counts as zero. */
static bool is_sctp_right(const uint8_t *l4, uint32_t size)
{
	static const uint8_t zero[4];
	uint32_t crc;

	if (size < 12)
		return false;
	crc = ct_crc32c(UINT32_MAX, l4, 8);
	crc = ct_crc32c(crc, zero, 4);
	crc = ~ct_crc32c(crc, l4 + 12, size - 12);
	return crc == wire_raw32(l4 + 8);
}

/* udp_csum and udplite_csum of nf_conntrack_proto_udp.c, the latter with UDP's protocol number in
 * its pseudo header as the kernel has it. */
static bool is_udp_right(const struct ct_packet *p, const uint8_t *l4, uint32_t size)
{
	uint32_t covered = size;

	if (size < 8)
		return false;
	if (wire_raw16(l4 + 6) == 0)
		return p->proto == PROTO_UDP;
	if (p->proto == PROTO_UDPLITE) {
		covered = wire_be16(l4 + 4);
		if (covered == 0)
			covered = size;
		if (covered < 8 || covered > size)
			return false;
	}
	return ct_checksum_fold(ct_checksum_add(ct_checksum_pseudo(p, PROTO_UDP, size), l4,
						covered)) == 0xffff;
}

bool ct_packet_checksum(const struct ct_packet *p)
{
	const uint8_t *l4 = p->data + p->offset;
	uint32_t size = p->size - p->offset;
	uint64_t sum;

	switch (p->proto) {
	case PROTO_SCTP:
		return is_sctp_right(l4, size);
	case PROTO_UDP:
	case PROTO_UDPLITE:
		return is_udp_right(p, l4, size);
	case PROTO_ICMP:
		return ct_checksum_of(l4, size) == 0;
	case PROTO_TCP:
	case PROTO_ICMPV6:
		sum = ct_checksum_pseudo(p, p->proto, size);
		return ct_checksum_fold(ct_checksum_add(sum, l4, size)) == 0xffff;
	default:
		return true;
	}
}
