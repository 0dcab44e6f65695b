/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The tuple that a connection gets: one that no other has, if there is one within the range.
 * Answers to Linux 6.18, net/netfilter/nf_nat_core.c: get_unique_tuple(), nf_in_range(),
 * l4proto_in_range(), nf_nat_l4proto_unique_tuple(), nf_nat_used_tuple_harder().
 *
 * Left out, because one thread cannot meet it: the kernel lets a connection that may clash keep
 * its tuple when its mirror image came in at the same moment, nf_nat_used_tuple_new().
 */
#include <string.h>

#include "lib/nat/nat.h"
#include "lib/packet/wire.h"

enum {
	MAX_ATTEMPTS = 128, /* in the first round; each further one has half as many */
	MIN_ATTEMPTS = 16,
	HARDER = 32, /* with so few attempts left, who has ended may be evicted */
};

/* A search under way. */
struct search {
	struct ct_nat *nat;
	struct ct_handle handle;
	const struct ct_entry *e;
	const struct ct_nat_range *range;
	enum ct_manip manip;
	struct ct_tuple *t; /* the candidate */
};

static bool is_icmp(uint8_t proto)
{
	return proto == PROTO_ICMP || proto == PROTO_ICMPV6;
}

static bool has_ports(uint8_t proto)
{
	return proto == PROTO_TCP || proto == PROTO_UDP || proto == PROTO_UDPLITE ||
	       proto == PROTO_SCTP;
}

/* The part that a translation may change; ICMP's identifier serves both ends. */
static ct_be16 *part_of(struct ct_tuple *t, enum ct_manip manip)
{
	return manip == CT_MANIP_SRC || is_icmp(t->proto) ? &t->src_part : &t->dst_part;
}

static uint16_t host16(ct_be16 v)
{
	return __builtin_bswap16(v);
}

static bool is_part_in_range(const struct ct_tuple *t, const struct ct_nat_range *range,
			     enum ct_manip manip)
{
	struct ct_tuple copy = *t;
	uint16_t part = host16(*part_of(&copy, manip));

	if (!has_ports(t->proto) && !is_icmp(t->proto) && t->proto != PROTO_GRE)
		return true;
	return part >= range->min_part && part <= range->max_part;
}

bool ct_nat_in_range(const struct ct_tuple *t, const struct ct_nat_range *range)
{
	unsigned size = t->family == CT_FAMILY_IPV6 ? 16 : 4;

	if (range->flags & CT_NAT_MAP_ADDRS && (memcmp(&t->src, &range->min_addr, size) < 0 ||
						memcmp(&t->src, &range->max_addr, size) > 0))
		return false;
	return !(range->flags & CT_NAT_MAP_PARTS) || is_part_in_range(t, range, CT_MANIP_SRC);
}

static bool is_used(const struct search *s)
{
	struct ct_tuple reply;

	return ct_tuple_invert(&reply, s->t) < 0 ||
	       ct_engine_is_taken(s->nat->engine, &reply, s->handle);
}

/* tcp_in_timewait_or_close(), nf_seq_has_advanced(): may @s's SYN take the place of an entry? */
static bool is_evictable(const struct search *s, struct ct_handle other)
{
	const uint32_t kept = CT_STATUS_FIXED_TIMEOUT | CT_STATUS_DYING;
	struct ct_engine *en = s->nat->engine;
	uint32_t mine, theirs;
	struct ct_entry e;

	if (ct_engine_entry(en, other, &e) < 0 || e.status & kept ||
	    !(e.status & CT_STATUS_SRC_NAT) ||
	    (e.state != CT_TCP_TIME_WAIT && e.state != CT_TCP_CLOSE))
		return false;
	return ct_engine_tcp_end(en, other, CT_DIR_ORIG, &theirs) == 0 &&
	       ct_engine_tcp_end(en, s->handle, CT_DIR_ORIG, &mine) == 0 &&
	       (int32_t)(mine - theirs) > 0;
}

/* Near the end of a round, a new TCP connection evicts who has ended. */
static bool is_used_harder(const struct search *s, unsigned attempts_left)
{
	struct ct_engine *en = s->nat->engine;
	struct ct_handle other;
	struct ct_tuple reply;
	enum ct_dir dir;

	if (attempts_left > HARDER || s->t->proto != PROTO_TCP || s->e->state != CT_TCP_SYN_SENT)
		return is_used(s);
	if (ct_tuple_invert(&reply, s->t) < 0)
		return true;
	if (ct_engine_find(en, &reply, s->e->zone, &other, &dir) < 0)
		return false;
	if (dir == CT_DIR_ORIG || !is_evictable(s, other))
		return true;
	return ct_engine_delete(en, other) < 0;
}

/* The numbers to search among. */
struct window {
	uint32_t min, size;
};

static struct window window_between(uint32_t min, uint32_t max)
{
	return (struct window){ min, max - min + 1 };
}

/* Ports keep their class: below 512 they may vouch for who sends (rsh), below 1024 for root. */
static struct window class_of(uint16_t port)
{
	if (port < 512)
		return window_between(1, 511);
	return port < 1024 ? window_between(600, 1023) : window_between(1024, 65535);
}

/* False when there is nothing that could be changed. */
static bool find_window(const struct search *s, struct window *out)
{
	bool has_range = s->range->flags & CT_NAT_MAP_PARTS;
	uint16_t from = s->range->min_part, to = s->range->max_part;

	if (is_icmp(s->t->proto)) {
		*out = has_range ? window_between(from, to) : window_between(0, 65535);
		return true;
	}
	if (s->t->proto == PROTO_GRE) {
		*out = has_range ? window_between(from, to) : window_between(1, 65535);
		return s->e->known & CT_KNOWN_MASTER;
	}
	if (!has_ports(s->t->proto) || (!has_range && s->manip == CT_MANIP_DST))
		return false;
	if (!has_range)
		*out = class_of(host16(*part_of(s->t, s->manip)));
	else
		*out = from <= to ? window_between(from, to) : window_between(to, from);
	return true;
}

static bool is_random(const struct ct_nat_range *range)
{
	return range->flags & (CT_NAT_RANDOM | CT_NAT_RANDOM_FULLY);
}

static uint16_t first_offset(const struct search *s)
{
	if (s->range->flags & CT_NAT_SHIFT)
		return (uint16_t)(host16(*part_of(s->t, s->manip)) - s->range->base_part);
	if (is_random(s->range) || s->manip == CT_MANIP_SRC)
		return (uint16_t)ct_nat_random(s->nat, 65536);
	return 0;
}

/* Leaves the last candidate when all that were tried are used: confirm then drops the packet. */
static void search_part(const struct search *s)
{
	ct_be16 *part = part_of(s->t, s->manip);
	struct window w;
	unsigned attempts;
	uint16_t offset;

	if (!find_window(s, &w))
		return;
	offset = first_offset(s);
	attempts = w.size < MAX_ATTEMPTS ? w.size : MAX_ATTEMPTS;
	for (;; attempts /= 2, offset = (uint16_t)ct_nat_random(s->nat, 65536)) {
		for (unsigned i = 0; i < attempts; i++, offset++) {
			*part = host16((uint16_t)(w.min + offset % w.size));
			if (!is_used_harder(s, attempts - i))
				return;
		}
		if (attempts >= w.size || attempts < MIN_ATTEMPTS)
			return;
	}
}

/* A source stays, or gets what the same client's port has elsewhere. */
static bool keep_source(const struct search *s, const struct ct_tuple *current)
{
	if (ct_nat_in_range(current, s->range)) {
		*s->t = *current;
		return !is_used(s);
	}
	return ct_source_mapped(s->nat, current, s->e, s->range, s->t) && !is_used(s);
}

/* The part as it is will do. A range of one port is not even looked up. */
static bool keep_part(const struct search *s)
{
	const struct ct_nat_range *r = s->range;

	if (!(r->flags & CT_NAT_MAP_PARTS))
		return !is_used(s);
	return !(r->flags & CT_NAT_SHIFT) && is_part_in_range(s->t, r, s->manip) &&
	       (r->min_part == r->max_part || !is_used(s));
}

void ct_nat_choose(struct ct_nat *nat, struct ct_handle h, const struct ct_entry *e,
		   const struct ct_tuple *current, const struct ct_nat_range *range,
		   enum ct_manip manip, struct ct_tuple *out)
{
	const struct search s = {
		.nat = nat, .handle = h, .e = e, .range = range, .manip = manip, .t = out
	};

	if (manip == CT_MANIP_SRC && !is_random(range) && keep_source(&s, current))
		return;
	*out = *current;
	ct_nat_spread(out, range, e->zone, manip);
	if (is_random(range) || !keep_part(&s))
		search_part(&s);
}
