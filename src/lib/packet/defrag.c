/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Reassembly: see include/conntune/defrag.h. A queue for each datagram keeps copies of its
 * fragments; runs say which bytes are there, because the kernel's answer to a fragment depends on
 * them: one inside a run is a duplicate, one that overlaps in any other way ends the queue.
 */
#include <conntune/defrag.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/packet/checksum.h"
#include "lib/packet/wire.h"

enum {
	N_HEADS = 256,
	N_SENDERS = 1024,
	MAX_DISTANCE = 64, /* net.ipv4.ipfrag_max_dist */
	MAX_DATAGRAM = 65535,
	IPV6_HEADER = 40,
	FRAGMENT_HEADER = 8,
	FIRST_IN = 1,
	LAST_IN = 2,
};

struct piece {
	struct piece *next; /* in order of offset */
	uint32_t offset, len;
	uint32_t run_end; /* of the run that this piece begins; 0 when it continues one */
	uint8_t data[];
};

struct queue {
	struct queue *next;
	ct_time deadline;
	uint8_t addrs[32];
	uint32_t id;
	uint8_t family, proto, hook, flags;
	uint16_t zone;
	uint32_t len, meat; /* where the datagram ends as far as known; bytes that are there */
	struct piece *pieces, *last;
	uint8_t *head; /* headers of the first fragment, without the fragment header */
	uint32_t head_len;
	uint32_t next_at;  /* IPv6: of the byte that named the fragment header */
	uint32_t distance; /* IPv4: the sender's count at the fragment before */
};

/* How many fragments an IPv4 sender has sent, inet_peer's rid. */
struct sender {
	ct_be32 addr;
	uint32_t count;
};

struct ct_defrag {
	struct ct_defrag_config cfg;
	size_t held; /* bytes in queues */
	ct_time now, next_sweep;
	struct queue *heads[N_HEADS];
	struct sender senders[N_SENDERS];
	uint8_t whole[MAX_DATAGRAM + 60];
};

/* What the headers of a fragment say. */
struct fragment {
	const uint8_t *data;
	uint32_t offset, end;
	uint32_t head_len, next_at;
	bool is_last;
};

static void *libc_alloc(void *user, size_t size, size_t align)
{
	(void)user;
	return aligned_alloc(align, (size + align - 1) / align * align);
}

static void libc_free(void *user, void *p, size_t size)
{
	(void)user, (void)size;
	free(p);
}

static void *take(struct ct_defrag *d, size_t size)
{
	void *p = d->cfg.memory.alloc(d->cfg.memory.user, size, 16);

	if (p)
		d->held += size;
	return p;
}

static void give(struct ct_defrag *d, void *p, size_t size)
{
	if (!p)
		return;
	d->held -= size;
	d->cfg.memory.free(d->cfg.memory.user, p, size);
}

void ct_defrag_config_default(struct ct_defrag_config *cfg)
{
	*cfg = (struct ct_defrag_config){ .ipv4_time_s = 30,
					  .ipv6_time_s = 60,
					  .high_thresh_bytes = 4 << 20 };
}

struct ct_defrag *ct_defrag_new(const struct ct_defrag_config *cfg, struct ct_err *err)
{
	struct ct_memory m = cfg->memory;
	struct ct_defrag *d;

	if (!m.alloc)
		m = (struct ct_memory){ libc_alloc, libc_free, NULL };
	d = m.alloc(m.user, sizeof(*d), 16);
	if (!d) {
		(void)ct_err_set(err, -ENOMEM, "no memory for reassembly");
		return NULL;
	}
	memset(d, 0, sizeof(*d));
	d->cfg = *cfg;
	d->cfg.memory = m;
	d->now = d->next_sweep = INT64_MIN;
	return d;
}

static void queue_empty(struct ct_defrag *d, struct queue *q)
{
	while (q->pieces) {
		struct piece *p = q->pieces;

		q->pieces = p->next;
		give(d, p, sizeof(*p) + p->len);
	}
	give(d, q->head, q->head_len);
	q->head = NULL;
	q->last = NULL;
	q->flags = 0;
	q->len = q->meat = q->head_len = 0;
}

static void queue_free(struct ct_defrag *d, struct queue *q)
{
	queue_empty(d, q);
	give(d, q, sizeof(*q));
}

/* Ends queues whose time is over, or all. */
static void sweep(struct ct_defrag *d, bool is_all)
{
	for (unsigned i = 0; i < N_HEADS; i++) {
		struct queue **at = &d->heads[i];

		while (*at) {
			struct queue *q = *at;

			if (!is_all && q->deadline > d->now) {
				at = &q->next;
				continue;
			}
			*at = q->next;
			queue_free(d, q);
		}
	}
}

void ct_defrag_free(struct ct_defrag *d)
{
	struct ct_memory m;

	if (!d)
		return;
	sweep(d, true);
	m = d->cfg.memory;
	m.free(m.user, d, sizeof(*d));
}

static int refuse(struct ct_packet *p, const char *why)
{
	p->why = why;
	return -EBADMSG;
}

static void queue_end(struct ct_defrag *d, struct queue *gone)
{
	for (unsigned i = 0; i < N_HEADS; i++)
		for (struct queue **at = &d->heads[i]; *at; at = &(*at)->next)
			if (*at == gone) {
				*at = gone->next;
				queue_free(d, gone);
				return;
			}
}

/* What tells one datagram's fragments from another's. */
static void set_key(struct queue *q, const struct ct_packet *p, uint32_t id)
{
	bool is_v6 = p->data[0] >> 4 == 6;

	q->family = is_v6 ? CT_FAMILY_IPV6 : CT_FAMILY_IPV4;
	memcpy(q->addrs, p->data + (is_v6 ? 8 : 12), is_v6 ? 32 : 8);
	q->proto = is_v6 ? 0 : p->data[9];
	q->id = id;
	q->hook = p->hook;
	q->zone = p->zone;
}

static bool is_same(const struct queue *a, const struct queue *b)
{
	return a->id == b->id && a->family == b->family && a->proto == b->proto &&
	       a->hook == b->hook && a->zone == b->zone && memcmp(a->addrs, b->addrs, 32) == 0;
}

/* The queue of a fragment, begun when there is none; null when memory is out or above limit. */
static struct queue *find_queue(struct ct_defrag *d, const struct ct_packet *p, uint32_t id)
{
	struct queue key = { 0 }, *q;
	unsigned head = (id ^ id >> 8 ^ id >> 16 ^ id >> 24) % N_HEADS;
	uint32_t time_s;

	set_key(&key, p, id);
	for (q = d->heads[head]; q; q = q->next)
		if (is_same(q, &key))
			return q;
	if (d->held > d->cfg.high_thresh_bytes)
		return NULL;
	q = take(d, sizeof(*q));
	if (!q)
		return NULL;
	*q = key;
	time_s = q->family == CT_FAMILY_IPV6 ? d->cfg.ipv6_time_s : d->cfg.ipv4_time_s;
	q->deadline = d->now + (ct_time)time_s * CT_NS_PER_S;
	q->next = d->heads[head];
	d->heads[head] = q;
	return q;
}

enum placed { PLACED, PLACED_DUPLICATE, PLACED_OVERLAP, PLACED_NO_MEMORY };

/* inet_frag_queue_insert() */
static enum placed place(struct ct_defrag *d, struct queue *q, const struct fragment *f)
{
	uint32_t last_end = q->last ? q->last->offset + q->last->len : 0;
	struct piece **at = &q->pieces, *run = NULL, *new;
	bool continues = q->last && f->offset == last_end;

	for (struct piece *p = q->pieces; p; p = p->next) {
		if (p->run_end) {
			run = p;
			if (f->offset < run->run_end && f->end > run->offset)
				return f->offset >= run->offset && f->end <= run->run_end
					       ? PLACED_DUPLICATE
					       : PLACED_OVERLAP;
		}
		if (p->offset < f->offset)
			at = &p->next;
	}
	new = take(d, sizeof(*new) + f->end - f->offset);
	if (!new)
		return PLACED_NO_MEMORY;
	*new = (struct piece){ .next = *at, .offset = f->offset, .len = f->end - f->offset };
	memcpy(new->data, f->data, new->len);
	if (continues)
		run->run_end = f->end;
	else
		new->run_end = f->end;
	*at = new;
	if (!new->next)
		q->last = new;
	q->meat += new->len;
	return PLACED;
}

/* The headers come from the first fragment. */
static bool keep_head(struct ct_defrag *d, struct queue *q, const struct ct_packet *p,
		      const struct fragment *f)
{
	q->head = take(d, f->head_len);
	if (!q->head)
		return false;
	memcpy(q->head, p->data, f->head_len);
	q->head_len = f->head_len;
	q->next_at = f->next_at;
	q->flags |= FIRST_IN;
	return true;
}

/* ip_frag_reasm(), nf_ct_frag6_reasm() */
static int assemble(struct ct_defrag *d, struct queue *q, struct ct_packet *p, uint8_t next)
{
	uint32_t total = q->head_len + q->len, at = q->head_len;
	bool is_v6 = q->family == CT_FAMILY_IPV6;
	uint16_t sum;

	if ((is_v6 ? total - IPV6_HEADER : total) > MAX_DATAGRAM) {
		queue_end(d, q);
		return refuse(p, "fragments: datagram is too long");
	}
	memcpy(d->whole, q->head, q->head_len);
	for (const struct piece *piece = q->pieces; piece; piece = piece->next) {
		memcpy(d->whole + at, piece->data, piece->len);
		at += piece->len;
	}
	if (is_v6) {
		d->whole[4] = (uint8_t)((total - IPV6_HEADER) >> 8);
		d->whole[5] = (uint8_t)(total - IPV6_HEADER);
		d->whole[q->next_at] = next;
	} else {
		d->whole[2] = (uint8_t)(total >> 8);
		d->whole[3] = (uint8_t)total;
		memset(d->whole + 6, 0, 2);
		memset(d->whole + 10, 0, 2);
		sum = ct_checksum_of(d->whole, q->head_len);
		memcpy(d->whole + 10, &sum, 2);
	}
	p->data = d->whole;
	p->size = total;
	queue_end(d, q);
	return 1;
}

/* The checks and steps that both families share. @kills: what is broken ends the queue too. */
static int queue_fragment(struct ct_defrag *d, struct queue *q, struct ct_packet *p,
			  struct fragment *f, uint8_t next, bool kills)
{
	bool is_broken = false;

	if (f->is_last) {
		is_broken |= f->end < q->len || ((q->flags & LAST_IN) && f->end != q->len);
		if (!is_broken) {
			q->flags |= LAST_IN;
			q->len = f->end;
		}
	} else if (f->end > q->len) {
		is_broken |= q->flags & LAST_IN;
		if (!is_broken)
			q->len = f->end;
	}
	if (is_broken || f->end == f->offset) {
		if (kills)
			queue_end(d, q);
		return refuse(p, "fragments: ends contradict each other");
	}
	switch (place(d, q, f)) {
	case PLACED:
		break;
	case PLACED_DUPLICATE:
		return 0;
	case PLACED_OVERLAP:
		queue_end(d, q);
		return refuse(p, "fragments: overlap");
	case PLACED_NO_MEMORY:
		queue_end(d, q);
		return refuse(p, "fragments: no memory");
	}
	if (f->offset == 0 && !keep_head(d, q, p, f)) {
		queue_end(d, q);
		return refuse(p, "fragments: no memory");
	}
	if (q->flags == (FIRST_IN | LAST_IN) && q->meat == q->len)
		return assemble(d, q, p, next);
	return 0;
}

/* ip_frag_too_far(), ip_frag_reinit(): identifications come round again, so a sender that has sent
 * many other fragments since means another datagram. */
static void check_distance(struct ct_defrag *d, struct queue *q, const struct ct_packet *p)
{
	ct_be32 addr = wire_raw32(p->data + 12);
	struct sender *s = &d->senders[(addr ^ addr >> 10 ^ addr >> 20) % N_SENDERS];

	if (s->addr != addr)
		*s = (struct sender){ .addr = addr, .count = q->distance };
	s->count++;
	if (q->last && s->count - q->distance > MAX_DISTANCE) {
		queue_empty(d, q);
		q->deadline = d->now + (ct_time)d->cfg.ipv4_time_s * CT_NS_PER_S;
	}
	q->distance = s->count;
}

/* ip_defrag() */
static int defrag_ipv4(struct ct_defrag *d, struct ct_packet *p)
{
	uint16_t word = wire_be16(p->data + 6);
	uint32_t header = (p->data[0] & 15U) * 4;
	struct fragment f = { .data = p->data + header,
			      .offset = (word & 0x1fffU) * 8,
			      .head_len = header,
			      .is_last = !(word & 0x2000) };
	struct queue *q;

	if (f.offset == 0 && f.is_last)
		return 1;
	f.end = f.offset + p->size - header;
	if (!f.is_last)
		f.end &= ~UINT32_C(7);
	q = find_queue(d, p, wire_raw16(p->data + 4));
	if (!q)
		return refuse(p, "fragments: too many");
	check_distance(d, q, p);
	return queue_fragment(d, q, p, &f, 0, true);
}

/* find_prev_fhdr(): the place of the fragment header, and of the byte that names it. 0: none. */
static uint32_t find_fragment_header(const struct ct_packet *p, uint32_t *next_at)
{
	uint8_t proto = p->data[6];
	uint32_t at = IPV6_HEADER, named = 6;

	while (proto != PROTO_FRAGMENT) {
		uint32_t length;

		if (proto != PROTO_HOPOPTS && proto != PROTO_ROUTING && proto != PROTO_AH &&
		    proto != PROTO_DSTOPTS)
			return 0;
		if (at + 2 > p->size)
			return 0;
		length =
			proto == PROTO_AH ? (p->data[at + 1] + 2U) * 4 : (p->data[at + 1] + 1U) * 8;
		named = at;
		proto = p->data[at];
		at += length;
	}
	*next_at = named;
	return at;
}

/* ipv6frag_thdr_truncated(): RFC 8200 wants all headers in the first fragment. */
static bool is_header_missing(const struct ct_packet *p)
{
	struct ct_packet whole = *p;
	uint32_t left, needed = 1;

	if (ct_packet_parse(&whole) < 0)
		return false;
	left = whole.size - whole.offset;
	if (whole.proto == PROTO_TCP)
		needed = 20;
	else if (whole.proto == PROTO_UDP || whole.proto == PROTO_ICMPV6)
		needed = 8;
	return left < needed;
}

/* nf_ct_frag6_gather() */
static int defrag_ipv6(struct ct_defrag *d, struct ct_packet *p)
{
	struct fragment f = { 0 };
	uint32_t at = find_fragment_header(p, &f.next_at);
	const uint8_t *header = p->data + at;
	struct queue *q;
	uint16_t word;

	if (!at || wire_raw16(p->data + 4) == 0)
		return 1;
	if (at + FRAGMENT_HEADER > p->size)
		return refuse(p, "fragments: header is cut short");
	word = wire_be16(header + 2);
	/* A first fragment of nothing is let through, as seen on 6.18; the tracker refuses it. */
	if ((word & 0xfff8) == 0 && at + FRAGMENT_HEADER == p->size)
		return 1;
	if ((word & 0xfff8) == 0 && is_header_missing(p))
		return refuse(p, "fragments: headers are not all in the first");
	f.data = header + FRAGMENT_HEADER;
	f.offset = word & 0xfff8U;
	f.end = f.offset + p->size - at - FRAGMENT_HEADER;
	f.head_len = at;
	f.is_last = !(word & 1);
	q = find_queue(d, p, wire_raw32(header + 4));
	if (!q)
		return refuse(p, "fragments: too many");
	if (f.end > MAX_DATAGRAM)
		return refuse(p, "fragments: offset is too large");
	/* This one goes on as it is, for the tracker to judge. */
	if (!f.is_last && (f.end & 7)) {
		queue_end(d, q);
		return 1;
	}
	return queue_fragment(d, q, p, &f, header[0], false);
}

int ct_defrag_in(struct ct_defrag *d, struct ct_packet *p, ct_time now)
{
	d->now = now > d->now ? now : d->now;
	if (d->now >= d->next_sweep) {
		sweep(d, false);
		d->next_sweep = d->now + CT_NS_PER_S;
	}
	return p->data[0] >> 4 == 4 ? defrag_ipv4(d, p) : defrag_ipv6(d, p);
}
