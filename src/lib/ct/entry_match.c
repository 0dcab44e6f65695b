/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Conditions on entries; see entry_match.h. match_value.c reads them.
 */
#include "lib/ct/entry_match.h"

#include <arpa/inet.h>
#include <string.h>

#include "lib/ct/proto.h"

static bool in_net(const struct ct_match_net *net, const union ct_addr *a, uint8_t family)
{
	unsigned whole = net->bits / 8, rest = net->bits % 8;

	if (net->family != family || memcmp(net->addr.bytes, a->bytes, whole) != 0)
		return false;
	return rest == 0 || (net->addr.bytes[whole] ^ a->bytes[whole]) >> (8 - rest) == 0;
}

static bool in_nets(const struct ct_match_list *l, const union ct_addr *a, uint8_t family)
{
	for (uint8_t i = 0; i < l->n; i++)
		if (in_net(&l->net[i], a, family))
			return true;
	return false;
}

static bool in_ranges(const struct ct_match_list *l, uint64_t v)
{
	for (uint8_t i = 0; i < l->n; i++)
		if (v >= l->range[i].from && v <= l->range[i].to)
			return true;
	return false;
}

static bool any_addr(const struct ct_match_list *l, const struct ct_entry *e)
{
	for (int d = 0; d < CT_DIR_MAX; d++) {
		const struct ct_tuple *t = &e->tuple[d];

		if (in_nets(l, &t->src, t->family) || in_nets(l, &t->dst, t->family))
			return true;
	}
	return false;
}

static bool has_ports(const struct ct_entry *e)
{
	enum ct_parts parts = ct_proto_parts(e->tuple[0].proto);

	return (e->known & CT_KNOWN_PARTS) && parts != CT_PARTS_ICMP && parts != CT_PARTS_KEYS;
}

static bool is_port(const struct ct_match_list *l, const struct ct_entry *e, ct_be16 port)
{
	return has_ports(e) && in_ranges(l, ntohs(port));
}

static bool any_port(const struct ct_match_list *l, const struct ct_entry *e)
{
	for (int d = 0; d < CT_DIR_MAX; d++)
		if (is_port(l, e, e->tuple[d].src_part) || is_port(l, e, e->tuple[d].dst_part))
			return true;
	return false;
}

static bool is_state(const struct ct_match_list *l, const struct ct_entry *e)
{
	unsigned which;

	if (!(e->known & CT_KNOWN_STATE) || e->state > 63)
		return false;
	switch (e->tuple[0].proto) {
	case CT_PROTO_TCP:
		which = 0;
		break;
	case CT_PROTO_SCTP:
		which = 1;
		break;
	case CT_PROTO_DCCP:
		which = 2;
		break;
	default:
		return false;
	}
	return l->range[which].from >> e->state & 1;
}

/* The bits that are known of @e. A line shows few: that it stands there says confirmed, its tuples
 * say translated, and [OFFLOAD] takes the place of [ASSURED]. */
static uint32_t status_known(const struct ct_entry *e)
{
	uint32_t offload = CT_STATUS_OFFLOAD | CT_STATUS_HW_OFFLOAD, known;

	if (e->known & CT_KNOWN_STATUS)
		return UINT32_MAX;
	known = CT_STATUS_CONFIRMED | CT_STATUS_SRC_NAT | CT_STATUS_DST_NAT;
	if (e->known & CT_KNOWN_FLAGS)
		known |= offload | CT_STATUS_SEEN_REPLY;
	if (e->known & CT_KNOWN_FLAGS && !(e->status & offload && !(e->status & CT_STATUS_ASSURED)))
		known |= CT_STATUS_ASSURED;
	return known;
}

/* Lines do not show whether an entry is translated; its tuples do. */
static uint32_t status_of(const struct ct_entry *e)
{
	const struct ct_tuple *orig = &e->tuple[CT_DIR_ORIG], *reply = &e->tuple[CT_DIR_REPLY];
	uint32_t status = e->status;

	if (e->known & CT_KNOWN_STATUS)
		return status;
	status |= CT_STATUS_CONFIRMED;
	if (memcmp(&orig->src, &reply->dst, sizeof(orig->src)) != 0 ||
	    (has_ports(e) && orig->src_part != reply->dst_part))
		status |= CT_STATUS_SRC_NAT;
	if (memcmp(&orig->dst, &reply->src, sizeof(orig->dst)) != 0 ||
	    (has_ports(e) && orig->dst_part != reply->src_part))
		status |= CT_STATUS_DST_NAT;
	return status;
}

static bool is_status(const struct ct_match *m, const struct ct_entry *e)
{
	uint32_t status = status_of(e);

	return (status & m->status_on) == m->status_on && (status & m->status_off) == 0 &&
	       ((m->status_on | m->status_off) & ~status_known(e)) == 0;
}

/* Zone 0 is where everything is that was put nowhere; conntrack does not write it. */
static bool is_zone(const struct ct_match_list *l, const struct ct_entry *e)
{
	return in_ranges(l, e->known & CT_KNOWN_ZONE ? e->zone : 0);
}

static bool is_mark(const struct ct_match_list *l, const struct ct_entry *e)
{
	for (uint8_t i = 0; i < l->n && (e->known & CT_KNOWN_MARK); i++)
		if ((e->mark & l->range[i].to) == l->range[i].from)
			return true;
	return false;
}

static bool fits(const struct ct_match_list *l, enum ct_match_field field, const struct ct_entry *e,
		 const struct ct_match_times *times)
{
	const struct ct_tuple *orig = &e->tuple[CT_DIR_ORIG], *reply = &e->tuple[CT_DIR_REPLY];

	switch (field) {
	case CT_MATCH_SRC:
		return in_nets(l, &orig->src, orig->family);
	case CT_MATCH_DST:
		return in_nets(l, &orig->dst, orig->family);
	case CT_MATCH_REPLY_SRC:
		return in_nets(l, &reply->src, reply->family);
	case CT_MATCH_REPLY_DST:
		return in_nets(l, &reply->dst, reply->family);
	case CT_MATCH_ADDR:
		return any_addr(l, e);
	case CT_MATCH_SPORT:
		return is_port(l, e, orig->src_part);
	case CT_MATCH_DPORT:
		return is_port(l, e, orig->dst_part);
	case CT_MATCH_REPLY_SPORT:
		return is_port(l, e, reply->src_part);
	case CT_MATCH_REPLY_DPORT:
		return is_port(l, e, reply->dst_part);
	case CT_MATCH_PORT:
		return any_port(l, e);
	case CT_MATCH_FAMILY:
		return in_ranges(l, orig->family);
	case CT_MATCH_PROTO:
		return in_ranges(l, orig->proto);
	case CT_MATCH_STATE:
		return is_state(l, e);
	case CT_MATCH_ZONE:
		return is_zone(l, e);
	case CT_MATCH_MARK:
		return is_mark(l, e);
	case CT_MATCH_TIMEOUT:
		return (e->known & CT_KNOWN_TIMEOUT) && in_ranges(l, e->timeout_s);
	case CT_MATCH_AGE:
		return times && times->is_age_known && in_ranges(l, times->age_s);
	case CT_MATCH_IDLE:
		return times && times->is_idle_known && in_ranges(l, times->idle_s);
	case CT_MATCH_STATUS:
	case CT_MATCH_FIELDS:
		break;
	}
	return true;
}

bool ct_match_entry(const struct ct_match *m, const struct ct_entry *e,
		    const struct ct_match_times *times)
{
	if (ct_match_has(m, CT_MATCH_STATUS) && !is_status(m, e))
		return false;
	for (uint32_t left = m->fields & ~(1u << CT_MATCH_STATUS); left; left &= left - 1) {
		enum ct_match_field field = (enum ct_match_field)__builtin_ctz(left);
		const struct ct_match_list *l = &m->list[field];

		if (fits(l, field, e, times) == l->is_not)
			return false;
	}
	return true;
}

uint32_t ct_match_want(const struct ct_match *m)
{
	static const uint32_t wants[CT_MATCH_FIELDS] = {
		[CT_MATCH_SPORT] = CT_KNOWN_PARTS,
		[CT_MATCH_DPORT] = CT_KNOWN_PARTS,
		[CT_MATCH_REPLY_SPORT] = CT_KNOWN_PARTS,
		[CT_MATCH_REPLY_DPORT] = CT_KNOWN_PARTS,
		[CT_MATCH_PORT] = CT_KNOWN_PARTS,
		[CT_MATCH_STATE] = CT_KNOWN_STATE,
		[CT_MATCH_STATUS] = CT_KNOWN_STATUS | CT_KNOWN_FLAGS,
		[CT_MATCH_ZONE] = CT_KNOWN_ZONE,
		[CT_MATCH_MARK] = CT_KNOWN_MARK,
		[CT_MATCH_TIMEOUT] = CT_KNOWN_TIMEOUT,
		[CT_MATCH_AGE] = CT_KNOWN_START | CT_KNOWN_DELTA,
		[CT_MATCH_IDLE] =
			CT_KNOWN_TIMEOUT | CT_KNOWN_STATE | CT_KNOWN_STATUS | CT_KNOWN_FLAGS,
	};
	uint32_t want = CT_KNOWN_FAMILY;

	for (unsigned i = 0; i < CT_MATCH_FIELDS; i++)
		if (m->fields >> i & 1)
			want |= wants[i];
	return want;
}
