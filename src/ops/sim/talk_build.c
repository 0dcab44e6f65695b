/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The packets of a conversation: headers, numbers that follow one another, checksums.
 */
#include <string.h>

#include "lib/packet/checksum.h"
#include "ops/sim/talk.h"

enum { HOPS = 64, TAG_ON = 0x22222222, TAG_BACK = 0x11111111, FIRST_ON = 1000, FIRST_BACK = 5000 };

enum { FIN = 1, SYN = 2, ACK = 16 };

/* Bytes being appended. */
struct bytes {
	uint8_t *at;
	uint32_t n;
};

static void put8(struct bytes *b, unsigned v)
{
	b->at[b->n++] = (uint8_t)v;
}

static void put16(struct bytes *b, unsigned v)
{
	put8(b, v >> 8);
	put8(b, v & 0xff);
}

static void put32(struct bytes *b, uint32_t v)
{
	put16(b, v >> 16);
	put16(b, v & 0xffff);
}

static void put(struct bytes *b, const void *p, uint32_t n)
{
	memcpy(b->at + b->n, p, n);
	b->n += n;
}

/* Sequence numbers follow what was sent unless the step says others. */
static void put_tcp(struct bytes *b, const struct talk_step *s, struct talk_flow *flow,
		    const struct talk_ends *e)
{
	unsigned dir = s->kind == TALK_BACK;
	uint32_t seq = s->has_seq ? s->seq : flow->next[dir];
	uint32_t ack = s->has_ack ? s->ack : s->tcp_flags & ACK ? flow->next[!dir] : 0;

	put16(b, e->sport);
	put16(b, e->dport);
	put32(b, seq);
	put32(b, ack);
	put8(b, 5 << 4);
	put8(b, s->tcp_flags);
	put16(b, s->window);
	put32(b, 0);
	flow->next[dir] = seq + s->n_data + !!(s->tcp_flags & SYN) + !!(s->tcp_flags & FIN);
}

/* A tag is chosen by its receiver; an INIT carries that of its sender. */
static void put_sctp(struct bytes *b, const struct talk_step *s, const struct talk_ends *e)
{
	bool is_back = s->kind == TALK_BACK, is_init = s->type == 1 || s->type == 2;
	uint32_t tag = s->type == 1 ? 0 : is_back ? TAG_BACK : TAG_ON;
	uint32_t size = is_init ? 20 : s->type == 0 ? 16 + (uint32_t)s->n_data : 8;

	put16(b, e->sport);
	put16(b, e->dport);
	put32(b, s->has_tag ? s->tag : tag);
	put32(b, 0);
	put8(b, s->type);
	put8(b, s->type == 0 ? 3 : 0);
	put16(b, size);
	if (is_init) {
		put32(b, is_back ? TAG_ON : TAG_BACK);
		put32(b, 65535);
		put16(b, 1);
		put16(b, 1);
		put32(b, 1);
	} else {
		put32(b, 1);
		if (s->type == 0) {
			put32(b, 0);
			put32(b, 0);
		}
	}
}

static void put_gre(struct bytes *b, const struct talk_step *s)
{
	put16(b, s->has_tag ? 0x2000 : 0);
	put16(b, s->family == CT_FAMILY_IPV6 ? 0x86dd : 0x0800);
	if (s->has_tag)
		put32(b, s->tag);
}

static void put_icmp(struct bytes *b, const struct talk_step *s, const struct talk_ends *e)
{
	put8(b, s->type);
	put8(b, s->code);
	put16(b, 0);
	put16(b, e->sport);
	put16(b, 1);
}

static void put_error(struct bytes *b, const struct talk_step *s, const struct talk_flow *flow)
{
	put8(b, s->type);
	put8(b, s->code);
	put16(b, 0);
	put32(b, 0);
	put(b, flow->last, flow->n_last);
}

static void put_l4(struct bytes *b, const struct talk_step *s, struct talk_flow *flow,
		   const struct talk_ends *e)
{
	if (s->kind == TALK_ERROR) {
		put_error(b, s, flow);
		return;
	}
	switch (s->proto) {
	case 6:
		put_tcp(b, s, flow, e);
		break;
	case 17:
	case 136:
		put16(b, e->sport);
		put16(b, e->dport);
		put16(b, 8u + s->n_data);
		put16(b, 0);
		break;
	case 33:
		put16(b, e->sport);
		put16(b, e->dport);
		put32(b, 4u << 24);
		put32(b, 0);
		put32(b, 0);
		break;
	case 132:
		put_sctp(b, s, e);
		break;
	case 1:
	case 58:
		put_icmp(b, s, e);
		break;
	case 47:
		put_gre(b, s);
		break;
	default:
		put32(b, 1);
		put32(b, 1);
		break;
	}
	put(b, s->data, s->n_data);
}

static void set16(uint8_t *at, uint16_t v)
{
	memcpy(at, &v, 2);
}

/* Where the checksum of layer 4 stands in its header; 0 when it has none. */
static uint32_t checksum_at(uint8_t proto)
{
	switch (proto) {
	case 6:
		return 16;
	case 17:
	case 136:
	case 33:
		return 6;
	case 1:
	case 58:
		return 2;
	default:
		return 0;
	}
}

static void put_checksum(uint8_t *data, uint32_t size, uint32_t l4, uint8_t proto)
{
	uint32_t at = checksum_at(proto), len = size - l4;
	struct ct_packet p;
	uint64_t sum;

	if (proto == 132) {
		uint32_t crc = ~ct_crc32c(UINT32_MAX, data + l4, len);

		memcpy(data + l4 + 8, &crc, 4);
		return;
	}
	if (at == 0)
		return;
	ct_packet_init(&p, data, size);
	(void)ct_packet_parse(&p);
	sum = proto == 1 ? 0 : ct_checksum_pseudo(&p, proto, len);
	sum = ct_checksum_add(sum, data + l4, len);
	set16(data + l4 + at, (uint16_t)~ct_checksum_fold(sum));
	if (proto == 17 && data[l4 + at] == 0 && data[l4 + at + 1] == 0)
		set16(data + l4 + at, 0xffff);
}

static uint32_t put_ipv4(uint8_t *out, const struct talk_ends *e, uint8_t proto, uint8_t hops)
{
	struct bytes b = { out, 0 };

	put16(&b, 0x4500);
	put16(&b, 0);
	put32(&b, 0x4000); /* whole, not to be fragmented */
	put8(&b, hops);
	put8(&b, proto);
	put16(&b, 0);
	put(&b, &e->src, 4);
	put(&b, &e->dst, 4);
	return b.n;
}

static uint32_t put_ipv6(uint8_t *out, const struct talk_ends *e, uint8_t proto, uint8_t hops)
{
	struct bytes b = { out, 0 };

	put32(&b, 6u << 28);
	put16(&b, 0);
	put8(&b, proto);
	put8(&b, hops);
	put(&b, &e->src, 16);
	put(&b, &e->dst, 16);
	return b.n;
}

static struct talk_ends turned(const struct talk_ends *e)
{
	return (struct talk_ends){ e->dst, e->src, e->dport, e->sport };
}

/* Who sends it, and to whom: an error comes from the receiver of the last packet, or from a router
 * on its way. */
static struct talk_ends ends_of(const struct talk_step *s, const struct talk_flow *flow)
{
	struct talk_ends e = flow->ours;

	if (s->kind == TALK_BACK || (s->kind == TALK_ERROR && !flow->is_last_back))
		e = turned(&flow->theirs);
	if (s->kind == TALK_ERROR && s->has_source)
		e.src = s->ends.src;
	return e;
}

uint32_t talk_build(const struct talk_step *s, struct talk_flow *flow, uint8_t *out)
{
	bool is_v6 = s->family == CT_FAMILY_IPV6;
	uint8_t proto = s->kind == TALK_ERROR ? (is_v6 ? 58 : 1) : s->proto;
	uint8_t hops = s->hops ? s->hops : HOPS;
	struct talk_ends e;
	struct bytes b = { out, 0 };
	uint32_t l4;

	if (s->kind == TALK_BEGIN) {
		*flow = (struct talk_flow){ .begin = s,
					    .ours = s->ends,
					    .theirs = s->ends,
					    .next = { FIRST_ON, FIRST_BACK } };
	}
	e = ends_of(s, flow);
	l4 = b.n = is_v6 ? put_ipv6(out, &e, proto, hops) : put_ipv4(out, &e, proto, hops);
	put_l4(&b, s, flow, &e);
	if (is_v6) {
		out[4] = (uint8_t)((b.n - 40) >> 8);
		out[5] = (uint8_t)(b.n - 40);
	} else {
		out[2] = (uint8_t)(b.n >> 8);
		out[3] = (uint8_t)b.n;
		set16(out + 10, ct_checksum_of(out, 20));
	}
	put_checksum(out, b.n, l4, proto);
	return b.n;
}

static bool has_ports(uint8_t proto)
{
	return proto == 6 || proto == 17 || proto == 132 || proto == 136 || proto == 33;
}

void talk_arrived(const struct talk_step *s, struct talk_flow *flow, const uint8_t *data,
		  uint32_t size)
{
	bool is_v6 = data[0] >> 4 == 6;
	uint32_t l4 = is_v6 ? 40 : (data[0] & 15U) * 4, len = is_v6 ? 16 : 4;
	struct talk_ends *e = &flow->theirs;

	/* What a router quotes: the header and eight bytes, as the oldest rule has it. */
	flow->n_last = size < l4 + 8 ? size : l4 + 8;
	memcpy(flow->last, data, flow->n_last);
	flow->is_last_back = s->kind == TALK_BACK;
	if (s->kind == TALK_BACK || s->kind == TALK_ERROR || size < l4 + 8)
		return;
	memcpy(&e->src, data + (is_v6 ? 8 : 12), len);
	memcpy(&e->dst, data + (is_v6 ? 24 : 16), len);
	if (has_ports(s->proto)) {
		e->sport = (uint16_t)(data[l4] << 8 | data[l4 + 1]);
		e->dport = (uint16_t)(data[l4 + 2] << 8 | data[l4 + 3]);
	} else if (s->proto == 1 || s->proto == 58) {
		e->sport = e->dport = (uint16_t)(data[l4 + 4] << 8 | data[l4 + 5]);
	}
}
