/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Payloads of TCP changed in place, and what follows from another length. Answers to Linux 6.18,
 * net/netfilter/nf_nat_helper.c, mangle_contents(), __nf_nat_mangle_tcp_packet();
 * nf_conntrack_seqadj.c, nf_ct_seq_adjust(), nf_ct_sack_adjust().
 */
#include <string.h>

#include "lib/nat/nat.h"
#include "lib/nat/rewrite.h"
#include "lib/packet/checksum.h"
#include "lib/packet/wire.h"

enum { TCP_HEADER = 20, TCP_SUM = 16, MAX_TOTAL = 65535 };

static void put16(uint8_t *at, uint32_t v)
{
	at[0] = (uint8_t)(v >> 8);
	at[1] = (uint8_t)v;
}

static void put32(uint8_t *at, uint32_t v)
{
	put16(at, v >> 16);
	put16(at + 2, v & 0xffff);
}

/* Lengths and checksums of a packet whose contents are others now. */
static void finish(struct ct_packet *p)
{
	uint8_t *ip = p->bytes, *l4 = p->bytes + p->offset;
	uint32_t size = p->size - p->offset;
	uint16_t sum;

	if (p->family == CT_FAMILY_IPV6) {
		put16(ip + 4, p->size - 40);
	} else {
		put16(ip + 2, p->size);
		memset(ip + 10, 0, 2);
		sum = ct_checksum_of(ip, p->offset);
		memcpy(ip + 10, &sum, 2);
	}
	memset(l4 + TCP_SUM, 0, 2);
	sum = (uint16_t)~ct_checksum_fold(
		ct_checksum_add(ct_checksum_pseudo(p, p->proto, size), l4, size));
	memcpy(l4 + TCP_SUM, &sum, 2);
}

bool ct_nat_replace(struct ct_nat *nat, struct ct_packet *p, uint32_t at, uint32_t size,
		    const char *text, uint32_t len)
{
	uint8_t *bytes = ct_nat_bytes(nat, p), *l4, *from;
	uint32_t begin;

	if (!bytes || p->size - p->offset < TCP_HEADER)
		return false;
	l4 = bytes + p->offset;
	begin = p->offset + (l4[12] >> 4) * 4U + at;
	if (begin + size > p->size || p->size - size + len > MAX_TOTAL ||
	    p->size - size + len > p->room)
		return false;
	from = bytes + begin;
	memmove(from + len, from + size, p->size - begin - size);
	memcpy(from, text, len);
	p->size = p->size - size + len;
	finish(p);
	return ct_engine_set_seqadj(nat->engine, p->entry, ct_info_dir((enum ct_info)p->info),
				    wire_be32(l4 + 4), (int32_t)len - (int32_t)size) == 0;
}

static bool is_after(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) > 0;
}

static void replace32(uint8_t *sum, uint8_t *at, uint32_t v)
{
	uint8_t to[4];

	put32(to, v);
	ct_nat_sum_replace(sum, at, to, 4);
	memcpy(at, to, 4);
}

/* What the receiver of shifted bytes says of them, as their sender knows it. */
static uint32_t unshift(const struct ct_seqadj *s, uint32_t v)
{
	return v -
	       (is_after(v - s->offset_before, s->position) ? s->offset_after : s->offset_before);
}

/* The blocks of one SACK option. */
static void adjust_blocks(uint8_t *l4, uint8_t *block, uint32_t size, const struct ct_seqadj *s)
{
	for (uint32_t i = 0; i + 8 <= size; i += 8) {
		replace32(l4 + TCP_SUM, block + i, unshift(s, wire_be32(block + i)));
		replace32(l4 + TCP_SUM, block + i + 4, unshift(s, wire_be32(block + i + 4)));
	}
}

/* False when the options break off. */
static bool adjust_sack(uint8_t *l4, uint32_t end, const struct ct_seqadj *s)
{
	enum { END = 0, NOP = 1, SACK = 5 };
	uint32_t i = TCP_HEADER;

	while (i < end) {
		if (l4[i] == END)
			return true;
		if (l4[i] == NOP) {
			i++;
			continue;
		}
		if (i + 1 >= end || l4[i + 1] < 2 || i + l4[i + 1] > end)
			return false;
		if (l4[i] == SACK && l4[i + 1] >= 10 && (l4[i + 1] - 2) % 8 == 0)
			adjust_blocks(l4, l4 + i + 2, l4[i + 1] - 2U, s);
		i += l4[i + 1];
	}
	return true;
}

bool ct_nat_adjust(struct ct_nat *nat, struct ct_packet *p)
{
	enum { ACK = 16 };
	enum ct_dir dir = ct_info_dir((enum ct_info)p->info);
	struct ct_seqadj s[CT_DIR_MAX];
	const struct ct_seqadj *mine = &s[dir], *theirs = &s[ct_nat_other(dir)];
	uint32_t seq, left = p->size - p->offset, header;
	uint8_t *bytes, *l4;

	if (ct_engine_seqadj(nat->engine, p->entry, s) < 0)
		return true;
	bytes = ct_nat_bytes(nat, p);
	if (!bytes || left < TCP_HEADER)
		return false;
	l4 = bytes + p->offset;
	header = (l4[12] >> 4) * 4U;
	seq = wire_be32(l4 + 4);
	replace32(l4 + TCP_SUM, l4 + 4,
		  seq + (is_after(seq, mine->position) ? mine->offset_after : mine->offset_before));
	if (!(l4[13] & ACK))
		return true;
	replace32(l4 + TCP_SUM, l4 + 8, unshift(theirs, wire_be32(l4 + 8)));
	return header <= left && adjust_sack(l4, header, theirs);
}
