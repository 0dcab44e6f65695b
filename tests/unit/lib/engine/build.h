/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Packets for tests: IPv4 with right lengths and checksums, in a buffer of the caller.
 */
#ifndef TESTS_UNIT_LIB_ENGINE_BUILD_H
#define TESTS_UNIT_LIB_ENGINE_BUILD_H

#include <conntune/packet.h>
#include <string.h>

#include "lib/packet/checksum.h"

struct made {
	uint8_t bytes[256];
	struct ct_packet p;
};

static inline void made_put16(uint8_t *at, unsigned v)
{
	at[0] = (uint8_t)(v >> 8);
	at[1] = (uint8_t)v;
}

static inline void made_put32(uint8_t *at, uint32_t v)
{
	made_put16(at, v >> 16);
	made_put16(at + 2, v & 0xffff);
}

/* Sets the sum at @at of layer 4 over the pseudo header. */
static inline void made_sum(struct made *m, uint32_t at)
{
	uint64_t sum = ct_checksum_pseudo(&m->p, m->p.proto, m->p.size - 20);
	uint16_t folded;

	folded = (uint16_t)~ct_checksum_fold(ct_checksum_add(sum, m->bytes + 20, m->p.size - 20));
	memcpy(m->bytes + at, &folded, 2);
}

static inline void made_ip(struct made *m, uint8_t proto, uint32_t src, uint32_t dst,
			   uint32_t l4_size)
{
	uint16_t sum;

	memset(m->bytes, 0, sizeof(m->bytes));
	m->bytes[0] = 0x45;
	made_put16(m->bytes + 2, 20 + l4_size);
	m->bytes[8] = 64;
	m->bytes[9] = proto;
	made_put32(m->bytes + 12, src);
	made_put32(m->bytes + 16, dst);
	sum = ct_checksum_of(m->bytes, 20);
	memcpy(m->bytes + 10, &sum, 2);
	ct_packet_init(&m->p, m->bytes, 20 + l4_size);
	(void)ct_packet_parse(&m->p);
}

static inline struct ct_packet *made_udp(struct made *m, uint32_t src, unsigned sport, uint32_t dst,
					 unsigned dport)
{
	made_ip(m, 17, src, dst, 12);
	made_put16(m->bytes + 20, sport);
	made_put16(m->bytes + 22, dport);
	made_put16(m->bytes + 24, 12);
	made_sum(m, 26);
	return &m->p;
}

static inline struct ct_packet *made_tcp(struct made *m, uint32_t src, unsigned sport, uint32_t dst,
					 unsigned dport, uint8_t flags, uint32_t seq, uint32_t ack)
{
	made_ip(m, 6, src, dst, 20);
	made_put16(m->bytes + 20, sport);
	made_put16(m->bytes + 22, dport);
	made_put32(m->bytes + 24, seq);
	made_put32(m->bytes + 28, ack);
	m->bytes[32] = 5 << 4;
	m->bytes[33] = flags;
	made_put16(m->bytes + 34, 65535);
	made_sum(m, 36);
	return &m->p;
}

#endif
