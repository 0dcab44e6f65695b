/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Changes of a packet: see change.h. Answers to Linux 6.18, net/netfilter/xt_HL.c, xt_DSCP.c,
 * xt_TCPMSS.c, xt_TCPOPTSTRIP.c, net/ipv4/netfilter/ipt_ECN.c.
 */
#include "lib/packet/change.h"

#include <errno.h>

#include "lib/packet/wire.h"

enum {
	TCP_HEADER = 20,
	TCP_MAX_HEADER = 60,
	OPTION_NOP = 1,
	OPTION_MSS = 2,
	MSS_SIZE = 4,
};

static void put_raw16(uint8_t *p, uint16_t v)
{
	memcpy(p, &v, sizeof(v));
}

static void put_be16(uint8_t *p, uint16_t v)
{
	put_raw16(p, __builtin_bswap16(v));
}

/* One's complement: the carry comes in again at the other end. */
static uint16_t add16(uint16_t a, uint16_t b)
{
	uint32_t sum = (uint32_t)a + b;

	return (uint16_t)(sum + (sum >> 16));
}

void ct_change_sum(uint8_t *sum, uint16_t from, uint16_t to)
{
	uint16_t old = (uint16_t)~wire_raw16(sum);

	put_raw16(sum, (uint16_t)~add16(add16(old, (uint16_t)~from), to));
}

/* Puts @v at @at, an even number of bytes behind the beginning of what @sum covers. */
static void replace16(uint8_t *sum, uint8_t *at, uint16_t v)
{
	ct_change_sum(sum, wire_raw16(at), v);
	put_raw16(at, v);
}

void ct_change_hops(struct ct_packet *p, uint8_t hops)
{
	uint8_t *at = p->bytes + 8, word[2] = { hops, at[1] };

	if (p->family == CT_FAMILY_IPV6)
		p->bytes[7] = hops;
	else
		replace16(p->bytes + 10, at, wire_raw16(word));
}

void ct_change_tos(struct ct_packet *p, uint8_t tos)
{
	uint8_t *at = p->bytes, word[2] = { at[0], tos };

	if (p->family == CT_FAMILY_IPV6) {
		at[0] = (uint8_t)((at[0] & 0xf0) | tos >> 4);
		at[1] = (uint8_t)((at[1] & 0x0f) | tos << 4);
	} else {
		replace16(at + 10, at, wire_raw16(word));
	}
}

/* TCP --------------------------------------------------------------------------------------- */

struct tcp {
	uint8_t *header;
	uint32_t size, header_size; /* up to the end of the packet; of the header */
};

static int tcp_find(struct ct_packet *p, struct tcp *t)
{
	if (p->offset > p->size || p->size - p->offset < TCP_HEADER)
		return -EBADMSG;
	t->header = p->bytes + p->offset;
	t->size = p->size - p->offset;
	t->header_size = (uint32_t)(t->header[12] >> 4) * 4;
	return 0;
}

/* How far it is from the option at @at to the next; @at + 1 is within the header. */
static uint32_t option_size(const uint8_t *at)
{
	return at[0] <= OPTION_NOP || at[1] == 0 ? 1 : at[1];
}

int ct_change_tcp_flags(struct ct_packet *p, uint8_t flags)
{
	struct tcp t;
	uint8_t word[2];

	if (tcp_find(p, &t) < 0)
		return -EBADMSG;
	word[0] = t.header[12];
	word[1] = (uint8_t)(t.header[13] & ~flags);
	replace16(t.header + 16, t.header + 12, wire_raw16(word));
	return 0;
}

/* The packet is @more bytes longer: its IP header says so. */
static void grow(struct ct_packet *p, uint16_t more)
{
	uint8_t total[2];

	p->size += more;
	if (p->family == CT_FAMILY_IPV6) {
		put_be16(p->bytes + 4, (uint16_t)(wire_be16(p->bytes + 4) + more));
		return;
	}
	put_be16(total, (uint16_t)(wire_be16(p->bytes + 2) + more));
	replace16(p->bytes + 10, p->bytes + 2, wire_raw16(total));
}

/* A new option becomes the first. Who sends none can take what RFC 9293 and RFC 8200 promise, and
 * no more. */
static int mss_add(struct ct_packet *p, struct tcp *t, uint16_t mss)
{
	uint16_t least = p->family == CT_FAMILY_IPV6 ? 1220 : 536;
	uint8_t *options = t->header + TCP_HEADER, *sum = t->header + 16;
	uint8_t word[2], option[MSS_SIZE] = { OPTION_MSS, MSS_SIZE };

	if (p->room - p->size < MSS_SIZE)
		return -ENOSPC;
	put_be16(option + 2, mss < least ? mss : least);
	memmove(options + MSS_SIZE, options, t->size - TCP_HEADER);
	memcpy(options, option, MSS_SIZE);
	ct_change_sum(sum, __builtin_bswap16((uint16_t)t->size),
		      __builtin_bswap16((uint16_t)(t->size + MSS_SIZE)));
	ct_change_sum(sum, 0, wire_raw16(option));
	ct_change_sum(sum, 0, wire_raw16(option + 2));
	word[0] = (uint8_t)(t->header[12] + (MSS_SIZE / 4 << 4));
	word[1] = t->header[13];
	replace16(sum, t->header + 12, wire_raw16(word));
	grow(p, MSS_SIZE);
	return 0;
}

int ct_change_mss(struct ct_packet *p, uint16_t mss)
{
	struct tcp t;

	if (tcp_find(p, &t) < 0 || t.size < t.header_size || t.header_size < TCP_HEADER)
		return -EBADMSG;
	for (uint32_t i = TCP_HEADER; i + MSS_SIZE <= t.header_size;
	     i += option_size(t.header + i)) {
		uint8_t *at = t.header + i;

		if (at[0] != OPTION_MSS || at[1] != MSS_SIZE)
			continue;
		if (wire_be16(at + 2) > mss) {
			ct_change_sum(t.header + 16, wire_raw16(at + 2), __builtin_bswap16(mss));
			put_be16(at + 2, mss);
		}
		return 0;
	}
	/* With data behind it, or as long as it can be, the header stays as it is. */
	if (t.size > t.header_size || t.header_size == TCP_MAX_HEADER)
		return 0;
	return mss_add(p, &t, mss);
}

/* One byte; which half of its word it is decides how it counts. */
static void replace8(uint8_t *sum, uint8_t *at, bool is_high, uint8_t v)
{
	uint8_t from[2] = { is_high ? *at : 0, is_high ? 0 : *at };
	uint8_t to[2] = { is_high ? v : 0, is_high ? 0 : v };

	ct_change_sum(sum, wire_raw16(from), wire_raw16(to));
	*at = v;
}

int ct_change_strip(struct ct_packet *p, const uint8_t kinds[32])
{
	struct tcp t;
	uint32_t size;

	if (tcp_find(p, &t) < 0 || t.size < t.header_size)
		return -EBADMSG;
	for (uint32_t i = TCP_HEADER; i + 1 < t.header_size; i += size) {
		uint8_t kind = t.header[i];

		size = option_size(t.header + i);
		if (i + size > t.header_size)
			break;
		if (!(kinds[kind / 8] >> kind % 8 & 1))
			continue;
		for (uint32_t k = i; k < i + size; k++)
			replace8(t.header + 16, t.header + k, k % 2 == 0, OPTION_NOP);
	}
	return 0;
}
