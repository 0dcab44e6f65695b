/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Entries as the program in the kernel copied them to entries as everybody knows them: the fields
 * that ctnetlink would tell, under the conditions under which it does.
 *
 * Answers to Linux 6.18, nf_conntrack_netlink.c: ctnetlink_dump_info(), ctnetlink_dump_extinfo().
 */
#include <netinet/in.h>
#include <string.h>

#include "ops/table/inplace.h"

#define PROTO_FIELDS (CT_KNOWN_STATE | CT_KNOWN_TCP | CT_KNOWN_SCTP)
#define MORE_FIELDS                                                                                \
	(CT_KNOWN_START | CT_KNOWN_STOP | CT_KNOWN_DELTA | CT_KNOWN_HELPER | CT_KNOWN_LABELS |     \
	 CT_KNOWN_MASTER | CT_KNOWN_SEQADJ | CT_KNOWN_SYNPROXY)

uint32_t inplace_want(uint32_t want)
{
	uint32_t out = WALK_WANT_REPLY;

	if (want & PROTO_FIELDS)
		out |= WALK_WANT_PROTO;
	if (want & CT_KNOWN_COUNTERS)
		out |= WALK_WANT_COUNTERS;
	if (want & MORE_FIELDS)
		out |= WALK_WANT_MORE;
	return out;
}

static void take_tuple(const struct walk_tuple *from, struct ct_tuple *to)
{
	size_t size = from->l3num == CT_FAMILY_IPV4 ? 4 : 16;

	memcpy(&to->src, from->src, size);
	memcpy(&to->dst, from->dst, size);
	to->src_part = from->src_part;
	to->dst_part = from->dst_part;
	to->family = (uint8_t)from->l3num;
	to->proto = from->proto;
}

/* The protocols whose trackers tell ports, ids or keys. */
static bool has_parts(const struct walk_entry *from)
{
	switch (from->orig.proto) {
	case IPPROTO_ICMP:
	case IPPROTO_TCP:
	case IPPROTO_UDP:
	case IPPROTO_GRE:
	case IPPROTO_ICMPV6:
	case IPPROTO_SCTP:
	case IPPROTO_UDPLITE:
		return true;
	case IPPROTO_DCCP:
		return from->has & WALK_HAS_DCCP;
	default:
		return false;
	}
}

static uint32_t take_proto(const struct walk_entry *from, struct ct_entry *to)
{
	switch (from->orig.proto) {
	case IPPROTO_TCP:
		to->state = from->state;
		memcpy(to->tcp_wscale, from->wscale, sizeof(to->tcp_wscale));
		memcpy(to->tcp_flags, from->flags, sizeof(to->tcp_flags));
		return CT_KNOWN_STATE | CT_KNOWN_TCP;
	case IPPROTO_SCTP:
		to->state = from->state;
		to->sctp_vtag[0] = ntohl(from->vtag[0]);
		to->sctp_vtag[1] = ntohl(from->vtag[1]);
		return CT_KNOWN_STATE | CT_KNOWN_SCTP;
	case IPPROTO_DCCP:
		if (!(from->has & WALK_HAS_DCCP))
			return 0;
		to->state = from->state;
		return CT_KNOWN_STATE;
	default:
		return 0;
	}
}

static uint32_t take_counters(const struct walk_entry *from, struct ct_entry *to)
{
	memcpy(to->packets, from->packets, sizeof(to->packets));
	memcpy(to->bytes, from->bytes, sizeof(to->bytes));
	return CT_KNOWN_COUNTERS;
}

static uint32_t take_times(const struct walk_entry *from, struct ct_entry *to)
{
	to->start_ns = (int64_t)from->start;
	to->stop_ns = (int64_t)from->stop;
	return from->stop ? CT_KNOWN_START | CT_KNOWN_STOP : CT_KNOWN_START;
}

static uint32_t take_helper(const struct walk_entry *from, struct ct_entry *to)
{
	const char *name = (const char *)from->helper;

	to->helper = (struct ct_slice){ name, (uint32_t)strnlen(name, sizeof(from->helper)) };
	return CT_KNOWN_HELPER;
}

/* Labels of which none is set are not told. */
static uint32_t take_labels(const struct walk_entry *from, struct ct_entry *to)
{
	if (!from->labels[0] && !from->labels[1])
		return 0;
	memcpy(to->labels, from->labels, sizeof(from->labels));
	to->labels_len = sizeof(from->labels);
	return CT_KNOWN_LABELS;
}

static uint32_t take_seqadj(const struct walk_entry *from, struct ct_entry *to)
{
	for (size_t i = 0; i < CT_DIR_MAX; i++)
		to->seqadj[i] = (struct ct_seqadj){ from->seqadj[i][0], from->seqadj[i][1],
						    from->seqadj[i][2] };
	return CT_KNOWN_SEQADJ;
}

static uint32_t take_more(const struct walk_entry *from, struct ct_entry *to)
{
	uint32_t known = 0;

	if (from->has & WALK_HAS_TIMES)
		known |= take_times(from, to);
	if (from->has & WALK_HAS_HELPER)
		known |= take_helper(from, to);
	if (from->has & WALK_HAS_LABELS)
		known |= take_labels(from, to);
	if (from->has & WALK_HAS_SEQADJ)
		known |= take_seqadj(from, to);
	if (from->has & WALK_HAS_MASTER) {
		take_tuple(&from->master, &to->master);
		known |= CT_KNOWN_MASTER;
	}
	if (from->has & WALK_HAS_SYNPROXY) {
		to->synproxy_isn = from->synproxy[0];
		to->synproxy_its = from->synproxy[1];
		to->synproxy_tsoff = from->synproxy[2];
		known |= CT_KNOWN_SYNPROXY;
	}
	return known;
}

void inplace_entry(const struct walk_entry *from, uint32_t want, uint32_t hz, struct ct_entry *out)
{
	uint32_t known = CT_KNOWN_STATUS | CT_KNOWN_FLAGS | CT_KNOWN_ZONE | CT_KNOWN_USE;

	memset(out, 0, sizeof(*out));
	take_tuple(&from->orig, &out->tuple[CT_DIR_ORIG]);
	take_tuple(&from->reply, &out->tuple[CT_DIR_REPLY]);
	out->status = from->status;
	out->zone = from->zone;
	out->zone_dir = from->zone_dir;
	out->use = from->use;
	if (from->has & WALK_HAS_MARK) {
		out->mark = from->mark;
		known |= CT_KNOWN_MARK;
	}
	/* Flowtables keep neither of what an offloaded entry says; netlink is silent too. */
	if (!(from->status & CT_STATUS_OFFLOAD)) {
		out->timeout_s = (uint32_t)from->left / hz;
		known |= CT_KNOWN_TIMEOUT;
		if (want & PROTO_FIELDS)
			known |= take_proto(from, out);
	}
	if (from->has & WALK_HAS_COUNTERS)
		known |= take_counters(from, out);
	if (want & MORE_FIELDS)
		known |= take_more(from, out);
	out->known = (known & want) | CT_KNOWN_FAMILY | (has_parts(from) ? CT_KNOWN_PARTS : 0);
}
