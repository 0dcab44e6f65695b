/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Reassembly of IPv6 for the tracker. Answers to Linux 6.18,
 * net/ipv6/netfilter/nf_defrag_ipv6_hooks.c and nf_conntrack_reasm.c.
 *
 * What the tracker does not understand goes on as it came, for the host's own reassembly to
 * judge: such a fragment meets the tracker by itself.
 */
#include <string.h>

#include "lib/packet/defrag.h"
#include "lib/packet/extension.h"
#include "lib/packet/wire.h"

enum { HEADER = 40, FRAGMENT_HEADER = 8, IP6_MF = 1, MAX_PAYLOAD = 65535 };

/* find_prev_fhdr(): the fragment header at @at, and the place of the field that announces it. The
 * kernel keeps that place in a byte. */
static bool find_fragment_header(const struct ct_packet *p, uint32_t *at, uint8_t *next_at)
{
	uint8_t next = p->data[6], announced = 6;
	uint32_t start = HEADER;

	while (next != PROTO_FRAGMENT) {
		const uint8_t *header = p->data + start;

		if (next != PROTO_HOPOPTS && next != PROTO_ROUTING && next != PROTO_AH &&
		    next != PROTO_DSTOPTS)
			return false;
		if (start + 2 > p->size)
			return false;
		announced = (uint8_t)start;
		start += next == PROTO_AH ? (header[1] + 2U) * 4 : (header[1] + 1U) * 8;
		next = header[0];
	}
	if (start > p->size)
		return false;
	*at = start;
	*next_at = announced;
	return true;
}

/* ipv6frag_thdr_truncated(): RFC 8200 wants the first fragment to hold all headers. */
static bool is_header_cut(const struct ct_packet *p, uint32_t at)
{
	uint8_t next = PROTO_FRAGMENT;

	if (ct_ipv6_skip(p, &next, &at) < 0)
		return false;
	switch (next) {
	case PROTO_TCP:
		return p->size - at < 20;
	case PROTO_UDP:
	case PROTO_ICMPV6:
		return p->size - at < 8;
	default:
		return p->size - at < 1;
	}
}

static uint8_t traffic_class(const struct ct_packet *p)
{
	return (uint8_t)((p->data[0] & 15) << 4 | p->data[1] >> 4);
}

/* nf_ct_frag6_reasm() */
static enum ct_defrag_result reassemble(struct ct_defrag *d, struct defrag_queue *q,
					struct ct_packet *p)
{
	uint8_t ecn = ct_defrag_ecn(q->ecn);
	uint32_t payload = q->head_size - FRAGMENT_HEADER - HEADER + q->len;
	struct defrag_dir *dir = &d->dirs[DEFRAG_IPV6];

	if (ecn == ECN_SPOILED || payload > MAX_PAYLOAD) {
		dir->stats.fails++;
		ct_defrag_kill(d, q);
		return defrag_drop(p, ecn == ECN_SPOILED
					      ? "ipv6 fragments: ECN bits do not fit together"
					      : "ipv6 fragments: larger than a packet can be");
	}
	/* The fragment header, last of the kept ones, is left out. */
	(void)ct_defrag_join(d, q, q->head_size - FRAGMENT_HEADER);
	d->whole[q->next_at] = q->head[q->head_size - FRAGMENT_HEADER];
	d->whole[1] |= (uint8_t)(ecn << 4);
	d->whole[4] = (uint8_t)(payload >> 8);
	d->whole[5] = (uint8_t)payload;
	ct_defrag_finish(d, q, p, HEADER + payload);
	dir->stats.oks++;
	ct_defrag_kill(d, q);
	return CT_DEFRAG_WHOLE;
}

/* nf_ct_frag6_queue() */
static enum ct_defrag_result queue(struct ct_defrag *d, struct defrag_queue *q, struct ct_packet *p,
				   uint32_t at, uint8_t next_at)
{
	uint16_t frag = wire_be16(p->data + at + 2);
	uint32_t offset = frag & 0xfff8U, header = at + FRAGMENT_HEADER;
	struct defrag_piece piece = { p, offset, offset + p->size - header, header };
	struct defrag_dir *dir = &d->dirs[DEFRAG_IPV6];

	if (piece.end > MAX_PAYLOAD)
		return defrag_drop(p, "ipv6 fragment: ends beyond the largest packet");
	if (!(frag & IP6_MF)) {
		if (piece.end < q->len || (q->has_last && piece.end != q->len))
			return defrag_drop(p, "ipv6 fragment: its end does not fit the others");
		q->has_last = true;
		q->len = piece.end;
	} else {
		if (piece.end & 7) {
			dir->stats.fails++;
			ct_defrag_kill(d, q);
			return CT_DEFRAG_PASS;
		}
		if (piece.end > q->len) {
			if (q->has_last)
				return defrag_drop(p, "ipv6 fragment: reaches beyond the last one");
			q->len = piece.end;
		}
	}
	if (piece.end == piece.offset)
		return defrag_drop(p, "ipv6 fragment: empty");
	switch (ct_defrag_insert(d, q, &piece)) {
	case INSERT_OK:
		break;
	case INSERT_DUPLICATE:
		return defrag_drop(p, "ipv6 fragment: already here");
	case INSERT_OVERLAP:
		/* RFC 5722 */
		dir->stats.overlaps++;
		dir->stats.fails++;
		ct_defrag_kill(d, q);
		return defrag_drop(p, "ipv6 fragment: overlaps another");
	case INSERT_NO_MEMORY:
		return defrag_drop(p, "ipv6 fragment: no memory");
	}
	q->ecn |= (uint8_t)(1 << (traffic_class(p) & 3));
	if (offset == 0)
		q->next_at = next_at;
	return defrag_is_complete(q) ? reassemble(d, q, p) : CT_DEFRAG_WAIT;
}

/* Multicast or link-local: one address on two links is two, __ipv6_addr_type(). */
static bool is_of_a_link(const uint8_t *addr)
{
	return addr[0] == 0xff || (addr[0] == 0xfe && addr[1] >> 6 == 2);
}

/* ipv6_defrag(), nf_ct_frag6_gather() */
enum ct_defrag_result ct_defrag_ipv6(struct ct_defrag *d, struct ct_packet *p)
{
	struct ct_packet cut = *p;
	struct defrag_queue *q;
	struct defrag_key key;
	enum ct_defrag_result r;
	uint32_t at, payload = wire_be16(p->data + 4);
	uint8_t next_at;

	/* A jumbogram has no fragment header. */
	if (payload == 0 || HEADER + payload > p->size)
		return CT_DEFRAG_PASS;
	cut.size = HEADER + payload;
	if (!find_fragment_header(&cut, &at, &next_at) || is_header_cut(&cut, at))
		return CT_DEFRAG_PASS;
	d->dirs[DEFRAG_IPV6].stats.requests++;
	if (at + FRAGMENT_HEADER > cut.size)
		return defrag_drop(p, "ipv6 fragment: its header is cut short");
	ct_defrag_key_begin(&key, p, CT_FAMILY_IPV6);
	memcpy(key.src, p->data + 8, 16);
	memcpy(key.dst, p->data + 24, 16);
	key.id = wire_raw32(p->data + at + 4);
	key.iif = is_of_a_link(key.dst) ? p->iif : 0;
	q = ct_defrag_find(d, &key);
	if (!q)
		return defrag_drop(p, "ipv6 fragment: no room in the queues "
				      "(nf_conntrack_frag6_high_thresh)");
	r = queue(d, q, &cut, at, next_at);
	if (r == CT_DEFRAG_WHOLE)
		*p = cut;
	p->why = cut.why;
	return r;
}
