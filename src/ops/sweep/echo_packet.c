/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Packets made up: see echo_packet.h. Sums of layer 4 are left out; they count as right.
 */
#include "ops/sweep/echo_packet.h"

#include <netinet/in.h>
#include <string.h>

enum { FIN = 1, SYN = 2, RST = 4, ACK = 16, MAX_STEPS = 3, TTL = 64 };

/* A word of a conversation; the flags are TCP's, the numbers relative to the first ones. */
struct word {
	bool is_reply;
	uint8_t flags, seq, ack;
};

struct script {
	uint8_t n[ECHO_PHASES];
	struct word word[ECHO_PHASES][MAX_STEPS];
};

#define O(...)                                                                                     \
	{                                                                                          \
		false, __VA_ARGS__                                                                 \
	}
#define R(...)                                                                                     \
	{                                                                                          \
		true, __VA_ARGS__                                                                  \
	}
#define OPEN                                                                                       \
	{                                                                                          \
		O(SYN, 0, 0), R(SYN | ACK, 0, 1), O(ACK, 1, 1)                                     \
	}
#define TALK                                                                                       \
	{                                                                                          \
		O(ACK, 1, 1), R(ACK, 1, 1)                                                         \
	}
#define FIN_O O(FIN | ACK, 1, 1)
#define FIN_R R(FIN | ACK, 1, 2)

/* nf_conntrack_proto_tcp.c, tcp_conntracks: the shortest way into each state. */
static const struct script tcp_scripts[] = {
	[WHATIF_TCP_SYN_SENT] = { { 1, 2, 1 },
				  { { O(SYN, 0, 0) },
				    { O(SYN, 0, 0), O(SYN, 0, 0) },
				    { O(SYN, 0, 0) } } },
	[WHATIF_TCP_SYN_RECV] = { { 2, 2, 1 },
				  { { O(SYN, 0, 0), R(SYN | ACK, 0, 1) },
				    { O(SYN, 0, 0), R(SYN | ACK, 0, 1) },
				    { R(SYN | ACK, 0, 1) } } },
	[WHATIF_TCP_ESTABLISHED] = { { 3, 2, 1 }, { OPEN, TALK, { O(ACK, 1, 1) } } },
	[WHATIF_TCP_FIN_WAIT] = { { 3, 2, 1 }, { OPEN, TALK, { FIN_O } } },
	[WHATIF_TCP_CLOSE_WAIT] = { { 3, 2, 2 }, { OPEN, TALK, { FIN_O, R(ACK, 1, 2) } } },
	[WHATIF_TCP_LAST_ACK] = { { 3, 2, 2 }, { OPEN, TALK, { FIN_O, FIN_R } } },
	[WHATIF_TCP_TIME_WAIT] = { { 3, 2, 3 }, { OPEN, TALK, { FIN_O, FIN_R, O(ACK, 2, 2) } } },
	[WHATIF_TCP_CLOSE] = { { 3, 2, 1 }, { OPEN, TALK, { O(RST | ACK, 1, 1) } } },
};

static const struct script question = {
	{ 1, 2, 1 }, { { O(0, 0, 0) }, { O(0, 0, 0), O(0, 0, 0) }, { O(0, 0, 0) } }
};
static const struct script dialogue = {
	{ 2, 2, 1 }, { { O(0, 0, 0), R(0, 0, 0) }, { O(0, 0, 0), R(0, 0, 0) }, { O(0, 0, 0) } }
};

static const struct script *script_of(enum whatif_slot slot, bool is_answered)
{
	if (slot == WHATIF_TCP_UNACKED)
		slot = WHATIF_TCP_ESTABLISHED;
	if (slot == WHATIF_TCP_SYN_SENT2)
		slot = WHATIF_TCP_SYN_SENT;
	if (slot <= WHATIF_TCP_CLOSE)
		return &tcp_scripts[slot];
	return is_answered ? &dialogue : &question;
}

bool echo_can_speak(uint8_t proto)
{
	return proto != IPPROTO_SCTP && proto != IPPROTO_DCCP;
}

unsigned echo_script_len(enum whatif_slot slot, bool is_answered, enum echo_phase phase)
{
	return script_of(slot, is_answered)->n[phase];
}

static void put_be(uint8_t *at, uint32_t v, unsigned size)
{
	while (size-- > 0)
		*at++ = (uint8_t)(v >> 8 * size);
}

static unsigned put_tcp(uint8_t *l4, const struct ct_tuple *t, const struct word *w)
{
	enum { WINDOW = 65535, HEADER = 20 };
	const uint32_t first_o = 1000, first_r = 500000;

	memcpy(l4, &t->src_part, 2);
	memcpy(l4 + 2, &t->dst_part, 2);
	put_be(l4 + 4, (w->is_reply ? first_r : first_o) + w->seq, 4);
	put_be(l4 + 8, w->flags & ACK ? (w->is_reply ? first_o : first_r) + w->ack : 0u, 4);
	l4[12] = HEADER / 4 << 4;
	l4[13] = w->flags;
	put_be(l4 + 14, WINDOW, 2);
	return HEADER;
}

/* Bytes of layer 4. */
static unsigned put_l4(uint8_t *l4, const struct ct_tuple *t, const struct word *w)
{
	enum { HEADER = 8 };

	switch (t->proto) {
	case IPPROTO_TCP:
		return put_tcp(l4, t, w);
	case IPPROTO_UDP:
	case IPPROTO_UDPLITE:
		memcpy(l4, &t->src_part, 2);
		memcpy(l4 + 2, &t->dst_part, 2);
		put_be(l4 + 4, HEADER, 2);
		break;
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6:
		memcpy(l4, &t->dst_part, 2);
		memcpy(l4 + 4, &t->src_part, 2);
		break;
	default: /* GRE without a key, and what has no ports */
		break;
	}
	return HEADER;
}

static void put_ip4_sum(uint8_t *ip)
{
	unsigned sum = 0;

	for (unsigned i = 0; i < 20; i += 2)
		sum += (unsigned)ip[i] << 8 | ip[i + 1];
	sum = (sum & 0xffff) + (sum >> 16);
	sum += sum >> 16;
	put_be(ip + 10, ~sum & 0xffff, 2);
}

void echo_packet_make(struct echo_packet *p, const struct ct_tuple *t, enum whatif_slot slot,
		      bool is_answered, enum echo_phase phase, unsigned step)
{
	const struct word *w = &script_of(slot, is_answered)->word[phase][step];
	bool is_v6 = t->family == CT_FAMILY_IPV6;
	unsigned head = is_v6 ? 40 : 20, len;
	struct ct_tuple way = *t;

	if (w->is_reply)
		(void)ct_tuple_invert(&way, t);
	memset(p->data, 0, sizeof(p->data));
	len = put_l4(p->data + head, &way, w);
	p->size = head + len;
	if (is_v6) {
		p->data[0] = 6 << 4;
		put_be(p->data + 4, len, 2);
		p->data[6] = way.proto;
		p->data[7] = TTL;
		memcpy(p->data + 8, way.src.bytes, 16);
		memcpy(p->data + 24, way.dst.bytes, 16);
		return;
	}
	p->data[0] = 4 << 4 | 5;
	put_be(p->data + 2, p->size, 2);
	p->data[8] = TTL;
	p->data[9] = way.proto;
	memcpy(p->data + 12, way.src.bytes, 4);
	memcpy(p->data + 16, way.dst.bytes, 4);
	put_ip4_sum(p->data);
}
