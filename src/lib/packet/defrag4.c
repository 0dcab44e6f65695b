/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Reassembly of IPv4. Answers to Linux 6.18, net/ipv4/netfilter/nf_defrag_ipv4.c and
 * net/ipv4/ip_fragment.c.
 */
#include <string.h>

#include "lib/packet/checksum.h"
#include "lib/packet/defrag.h"
#include "lib/packet/wire.h"

enum { IP_MF = 0x2000, IP_DF = 0x4000, IP_OFFSET = 0x1fff, MAX_IPV4 = 65535 };

/* ip_frag_too_far(): so many fragments of other packets came from this source in between that
 * the identification may have gone around. */
static bool is_too_far(const struct ct_defrag *d, struct defrag_queue *q)
{
	uint32_t start = q->rid;

	if (!q->peer)
		return false;
	q->rid = ++q->peer->rid;
	return q->n_runs > 0 && q->rid - start > d->cfg.settings.ip_max_dist;
}

/* ip_frag_queue() up to the insertion: where the fragment ends, and what that says of the whole.
 * False when the two do not fit together. */
static bool set_end(struct defrag_queue *q, struct defrag_piece *piece, bool has_more)
{
	if (!has_more) {
		if (piece->end < q->len || (q->has_last && piece->end != q->len))
			return false;
		q->has_last = true;
		q->len = piece->end;
	} else {
		/* What is beyond a multiple of 8 does not count. */
		piece->end &= ~7U;
		if (piece->end > q->len) {
			if (q->has_last)
				return false;
			q->len = piece->end;
		}
	}
	return piece->end != piece->offset;
}

static enum ct_defrag_result fail(struct ct_defrag *d, struct defrag_queue *q, struct ct_packet *p,
				  const char *why)
{
	d->dirs[DEFRAG_IPV4].stats.fails++;
	ct_defrag_kill(d, q);
	return defrag_drop(p, why);
}

/* ip_frag_reasm() */
static enum ct_defrag_result reassemble(struct ct_defrag *d, struct defrag_queue *q,
					struct ct_packet *p)
{
	uint8_t ecn = ct_defrag_ecn(q->ecn);
	uint32_t size = q->head_size + q->len;
	uint16_t sum;

	if (ecn == ECN_SPOILED)
		return fail(d, q, p, "ip fragments: ECN bits do not fit together");
	if (size > MAX_IPV4)
		return fail(d, q, p, "ip fragments: larger than an IP packet can be");
	size = ct_defrag_join(d, q, q->head_size);
	d->whole[1] |= ecn;
	d->whole[2] = (uint8_t)(size >> 8);
	d->whole[3] = (uint8_t)size;
	d->whole[6] = q->max_df_size == q->max_size ? IP_DF >> 8 : 0;
	d->whole[7] = 0;
	memset(d->whole + 10, 0, 2);
	sum = ct_checksum_of(d->whole, q->head_size);
	memcpy(d->whole + 10, &sum, sizeof(sum));
	ct_defrag_finish(d, q, p, size);
	d->dirs[DEFRAG_IPV4].stats.oks++;
	ct_defrag_kill(d, q);
	return CT_DEFRAG_WHOLE;
}

/* ip_frag_queue() */
static enum ct_defrag_result queue(struct ct_defrag *d, struct defrag_queue *q, struct ct_packet *p)
{
	uint16_t frag = wire_be16(p->data + 6);
	uint32_t header = (p->data[0] & 15U) * 4, offset = (frag & IP_OFFSET) * 8U, fragment_size;
	struct defrag_piece piece = { p, offset, offset + p->size - header, header };
	struct defrag_dir *dir = &d->dirs[DEFRAG_IPV4];

	if (is_too_far(d, q)) {
		dir->stats.fails++;
		ct_defrag_restart(d, q);
	}
	if (!set_end(q, &piece, frag & IP_MF))
		return fail(d, q, p, "ip fragment: its end does not fit the others");
	switch (ct_defrag_insert(d, q, &piece)) {
	case INSERT_OK:
		break;
	case INSERT_DUPLICATE:
		return defrag_drop(p, "ip fragment: already here");
	case INSERT_OVERLAP:
		dir->stats.overlaps++;
		return fail(d, q, p, "ip fragment: overlaps another");
	case INSERT_NO_MEMORY:
		return fail(d, q, p, "ip fragment: no memory");
	}
	q->ecn |= (uint8_t)(1 << (p->data[1] & 3));
	fragment_size = piece.end - piece.offset + header;
	if (fragment_size > q->max_size)
		q->max_size = fragment_size;
	if ((frag & IP_DF) && fragment_size > q->max_df_size)
		q->max_df_size = fragment_size;
	return defrag_is_complete(q) ? reassemble(d, q, p) : CT_DEFRAG_WAIT;
}

/* ipv4_conntrack_defrag(), ip_defrag() */
enum ct_defrag_result ct_defrag_ipv4(struct ct_defrag *d, struct ct_packet *p)
{
	struct defrag_dir *dir = &d->dirs[DEFRAG_IPV4];
	struct defrag_queue *q;
	struct defrag_key key;
	uint32_t header = (p->data[0] & 15U) * 4;

	if (!(wire_be16(p->data + 6) & (IP_MF | IP_OFFSET)) || header < 20 || header > p->size)
		return CT_DEFRAG_PASS;
	dir->stats.requests++;
	ct_defrag_key_begin(&key, p, CT_FAMILY_IPV4);
	memcpy(key.src, p->data + 12, 4);
	memcpy(key.dst, p->data + 16, 4);
	key.id = wire_raw16(p->data + 4);
	key.proto = p->data[9];
	q = ct_defrag_find(d, &key);
	if (!q) {
		dir->stats.fails++;
		return defrag_drop(p, "ip fragment: no room in the queues (ipfrag_high_thresh)");
	}
	return queue(d, q, p);
}
