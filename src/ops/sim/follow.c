/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Answers that follow a translation: see follow.h.
 */
#include "ops/sim/follow.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/packet/checksum.h"

enum { MAX_FLOWS = 1 << 20, ROOM_SIZE = 65536, FIRST_SLOTS = 1024 };

/* A direction of a flow: addresses, ports, or an echo's identifier twice. No padding. */
struct flow {
	union ct_addr src, dst;
	uint16_t a, b; /* as they stand in the packet */
	uint8_t family, proto;
	uint16_t zero;
};

struct answer {
	struct flow from, to; /* to: as the peer sees it */
	const char *in;	      /* where the peer is; null: the slot is free */
	bool is_gone;	      /* nothing is translated any more */
};

struct sim_follow {
	struct answer *slots; /* owned */
	uint32_t n, n_slots;
};

struct sim_follow *sim_follow_new(void)
{
	struct sim_follow *f = calloc(1, sizeof(*f));

	if (!f)
		return NULL;
	f->n_slots = FIRST_SLOTS;
	f->slots = calloc(f->n_slots, sizeof(*f->slots));
	if (f->slots)
		return f;
	free(f);
	return NULL;
}

void sim_follow_free(struct sim_follow *f)
{
	if (!f)
		return;
	free(f->slots);
	free(f);
}

static struct answer *slot_of(const struct sim_follow *f, const struct flow *flow)
{
	const uint8_t *bytes = (const uint8_t *)flow;
	uint64_t h = 0xcbf29ce484222325u;

	for (size_t i = 0; i < sizeof(*flow); i++)
		h = (h ^ bytes[i]) * 0x100000001b3u;
	for (h ^= h >> 29;; h++) {
		struct answer *a = &f->slots[h & (f->n_slots - 1)];

		if (!a->in || memcmp(&a->from, flow, sizeof(*flow)) == 0)
			return a;
	}
}

static int grow(struct sim_follow *f)
{
	struct sim_follow more = { .n = f->n, .n_slots = 2 * f->n_slots };

	more.slots = calloc(more.n_slots, sizeof(*more.slots));
	if (!more.slots)
		return -ENOMEM;
	for (uint32_t i = 0; i < f->n_slots; i++)
		if (f->slots[i].in)
			*slot_of(&more, &f->slots[i].from) = f->slots[i];
	free(f->slots);
	*f = more;
	return 0;
}

/* Layer 4 behind the extension headers that every flow may have; 0 when the packet is cut. */
static uint32_t find_l4(const uint8_t *d, uint32_t size, uint8_t *proto)
{
	uint32_t at = 40;

	if (d[0] >> 4 == 4) {
		*proto = d[9];
		return (d[6] & 0x1f) || d[7] ? 0 : (d[0] & 15U) * 4;
	}
	*proto = d[6];
	while (*proto == 0 || *proto == 43 || *proto == 60 || *proto == 135) {
		if (at + 8 > size)
			return 0;
		*proto = d[at];
		at += 8 + 8U * d[at + 1];
	}
	return at;
}

static bool has_ports(uint8_t proto)
{
	return proto == 6 || proto == 17 || proto == 132 || proto == 136;
}

/* The flow of a packet, and where its layer 4 stands. False when it is none that is followed. */
static bool read_flow(const uint8_t *d, uint32_t size, struct flow *out, uint32_t *l4)
{
	bool is_v6 = size > 0 && d[0] >> 4 == 6;
	size_t len = is_v6 ? 16 : 4, at = is_v6 ? 8 : 12;

	memset(out, 0, sizeof(*out));
	if (size < (is_v6 ? 40 : 20) || (!is_v6 && d[0] >> 4 != 4))
		return false;
	out->family = is_v6 ? CT_FAMILY_IPV6 : CT_FAMILY_IPV4;
	memcpy(&out->src, d + at, len);
	memcpy(&out->dst, d + at + len, len);
	*l4 = find_l4(d, size, &out->proto);
	if (*l4 == 0)
		return false;
	if (has_ports(out->proto)) {
		if (size < *l4 + 4)
			return false;
		memcpy(&out->a, d + *l4, 2);
		memcpy(&out->b, d + *l4 + 2, 2);
	} else if (out->proto == 1 || out->proto == 58) {
		uint8_t type = size < *l4 + 6 ? 255 : d[*l4];

		if (out->proto == 1 ? type != 0 && type != 8 : type != 128 && type != 129)
			return false;
		memcpy(&out->a, d + *l4 + 4, 2);
		out->b = out->a;
	}
	return true;
}

static struct flow turned(const struct flow *f)
{
	struct flow t = *f;

	t.src = f->dst;
	t.dst = f->src;
	t.a = f->b;
	t.b = f->a;
	return t;
}

void sim_follow_learn(struct sim_follow *f, const uint8_t *sent, uint32_t sent_size,
		      const uint8_t *left, uint32_t left_size, const char *out)
{
	struct flow was, is, back;
	struct answer *a;
	uint32_t l4;

	if (!out || !read_flow(sent, sent_size, &was, &l4) ||
	    !read_flow(left, left_size, &is, &l4) || was.proto != is.proto)
		return;
	back = turned(&was);
	a = slot_of(f, &back);
	if (memcmp(&was, &is, sizeof(was)) == 0) {
		a->is_gone = true;
		return;
	}
	if (!a->in && f->n >= f->n_slots / 2) {
		if (f->n >= MAX_FLOWS || grow(f) < 0)
			return;
		a = slot_of(f, &back);
	}
	f->n += !a->in;
	*a = (struct answer){ back, turned(&is), out, false };
}

static void put_addrs(uint8_t *d, const struct flow *to)
{
	bool is_v6 = to->family == CT_FAMILY_IPV6;
	size_t len = is_v6 ? 16 : 4, at = is_v6 ? 8 : 12;

	memcpy(d + at, &to->src, len);
	memcpy(d + at + len, &to->dst, len);
}

static void put_flow(uint8_t *d, uint32_t l4, const struct flow *to)
{
	put_addrs(d, to);
	if (has_ports(to->proto)) {
		memcpy(d + l4, &to->a, 2);
		memcpy(d + l4 + 2, &to->b, 2);
	} else if (to->proto == 1 || to->proto == 58) {
		memcpy(d + l4 + 4, &to->a, 2);
	}
}

static void fix_header(uint8_t *d)
{
	uint16_t sum;

	if (d[0] >> 4 != 4)
		return;
	memset(d + 10, 0, 2);
	sum = ct_checksum_of(d, (d[0] & 15U) * 4);
	memcpy(d + 10, &sum, 2);
}

/* Where the packet that an error quotes begins; 0 when it is no error. */
static uint32_t quoted_at(const uint8_t *d, uint32_t size)
{
	uint32_t l4 = (d[0] & 15U) * 4;

	if (d[0] >> 4 == 4 && d[9] == 1 && size > l4)
		return d[l4] == 3 || d[l4] == 4 || d[l4] == 5 || d[l4] == 11 || d[l4] == 12 ? l4 + 8
											    : 0;
	if (d[0] >> 4 == 6 && size > 40 && d[6] == 58)
		return d[40] >= 1 && d[40] <= 4 ? 48 : 0;
	return 0;
}

static const struct answer *answer_to(const struct sim_follow *f, const struct flow *flow)
{
	const struct answer *a = slot_of(f, flow);

	return a->in && !a->is_gone ? a : NULL;
}

/* Its own copy, whose checksum the peer would have got right. */
static uint8_t *own(struct ct_packet *p, uint8_t *room)
{
	if (p->data != room)
		memcpy(room, p->data, p->size);
	p->data = room;
	p->flags |= CT_PACKET_CHECKSUM_OK;
	return room;
}

/* An error about what the peer saw. */
static const char *apply_inside(const struct sim_follow *f, struct ct_packet *p, uint8_t *room)
{
	uint32_t at = quoted_at(p->data, p->size), l4;
	bool is_v6 = p->data[0] >> 4 == 6;
	size_t len = is_v6 ? 16 : 4, dst = is_v6 ? 24 : 16;
	struct flow quoted, back;
	const struct answer *a;
	uint8_t *d;

	if (at == 0 || at >= p->size || !read_flow(p->data + at, p->size - at, &quoted, &l4))
		return NULL;
	back = turned(&quoted);
	a = answer_to(f, &back);
	if (!a)
		return NULL;
	d = own(p, room);
	back = turned(&a->to);
	put_flow(d + at, l4, &back);
	fix_header(d + at);
	if (memcmp(d + dst, &quoted.src, len) == 0)
		memcpy(d + dst, &a->to.dst, len);
	fix_header(d);
	return a->in;
}

const char *sim_follow_apply(const struct sim_follow *f, struct ct_packet *p, uint8_t *room)
{
	const struct answer *a;
	struct flow flow;
	uint32_t l4;

	if (p->size > ROOM_SIZE || p->size < 20)
		return NULL;
	a = read_flow(p->data, p->size, &flow, &l4) ? answer_to(f, &flow) : NULL;
	if (!a)
		return apply_inside(f, p, room);
	put_flow(own(p, room), l4, &a->to);
	fix_header(room);
	return a->in;
}
