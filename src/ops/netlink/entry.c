/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Entries of the table to bytes of ctnetlink and back, by one set of layouts.
 *
 * Answers to Linux 6.18, ctnetlink_fill_info() and ctnetlink_parse_tuple(). A dump carries zones
 * in one of three places: for a zone of both directions at the top, unless it is 0; for a zone of
 * one direction inside the tuple of that direction.
 */
#include "ops/netlink/ctnetlink.h"

#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <netinet/in.h>

#include "ops/netlink/layout.h"

#define BIT(n)	  (1u << (n))
#define AT(field) .offset = offsetof(struct ct_entry, field)

static bool is_tcp(const struct ct_entry *e, const void *base)
{
	(void)base;
	return e->tuple[0].proto == IPPROTO_TCP;
}

static bool is_dccp(const struct ct_entry *e, const void *base)
{
	(void)base;
	return e->tuple[0].proto == IPPROTO_DCCP;
}

static bool is_sctp(const struct ct_entry *e, const void *base)
{
	(void)base;
	return e->tuple[0].proto == IPPROTO_SCTP;
}

static bool is_zone_both(const struct ct_entry *e, const void *base)
{
	(void)base;
	return e->zone_dir == CT_ZONE_BOTH && e->zone != 0;
}

/* Events of removal carry the state alone, so the rest of a nest may be absent. */
static const struct nl_field tcp_fields[] = {
	[CTA_PROTOINFO_TCP_STATE] = { NL_U8, AT(state), CT_KNOWN_STATE },
	[CTA_PROTOINFO_TCP_WSCALE_ORIGINAL] = { NL_U8, AT(tcp_wscale[0]), CT_KNOWN_TCP },
	[CTA_PROTOINFO_TCP_WSCALE_REPLY] = { NL_U8, AT(tcp_wscale[1]), CT_KNOWN_TCP },
	[CTA_PROTOINFO_TCP_FLAGS_ORIGINAL] = { NL_TCP_FLAGS, AT(tcp_flags[0]), CT_KNOWN_TCP },
	[CTA_PROTOINFO_TCP_FLAGS_REPLY] = { NL_TCP_FLAGS, AT(tcp_flags[1]), CT_KNOWN_TCP },
};
static const struct nl_layout tcp_layout = NL_LAYOUT(tcp_fields, );

static const struct nl_field sctp_fields[] = {
	[CTA_PROTOINFO_SCTP_STATE] = { NL_U8, AT(state), CT_KNOWN_STATE },
	[CTA_PROTOINFO_SCTP_VTAG_ORIGINAL] = { NL_BE32, AT(sctp_vtag[0]), CT_KNOWN_SCTP },
	[CTA_PROTOINFO_SCTP_VTAG_REPLY] = { NL_BE32, AT(sctp_vtag[1]), CT_KNOWN_SCTP },
};
static const struct nl_layout sctp_layout = NL_LAYOUT(sctp_fields, );

/* Until Linux 6.16. */
static const struct nl_field dccp_fields[] = {
	[CTA_PROTOINFO_DCCP_STATE] = { NL_U8, AT(state), CT_KNOWN_STATE },
};
static const struct nl_layout dccp_layout = NL_LAYOUT(dccp_fields, );

static const struct nl_field protoinfo_fields[] = {
	[CTA_PROTOINFO_TCP] = { NL_GROUP, .nest = &tcp_layout, .is_present = is_tcp },
	[CTA_PROTOINFO_DCCP] = { NL_GROUP, .nest = &dccp_layout, .is_present = is_dccp },
	[CTA_PROTOINFO_SCTP] = { NL_GROUP, .nest = &sctp_layout, .is_present = is_sctp },
};
static const struct nl_layout protoinfo_layout = NL_LAYOUT(protoinfo_fields, );

static const struct nl_field help_fields[] = {
	[CTA_HELP_NAME] = { NL_STRING, AT(helper) },
};
static const struct nl_layout help_layout = NL_LAYOUT(help_fields, .needs = BIT(CTA_HELP_NAME));

static const struct nl_field secctx_fields[] = {
	[CTA_SECCTX_NAME] = { NL_STRING, AT(secctx) },
};
static const struct nl_layout secctx_layout =
	NL_LAYOUT(secctx_fields, .needs = BIT(CTA_SECCTX_NAME));

/* Base: the number of one direction in packets[]. */
#define BYTES_FROM_PACKETS (offsetof(struct ct_entry, bytes) - offsetof(struct ct_entry, packets))
static const struct nl_field counter_fields[] = {
	[CTA_COUNTERS_PACKETS] = { NL_BE64 },
	[CTA_COUNTERS_BYTES] = { NL_BE64, .offset = BYTES_FROM_PACKETS },
};
static const struct nl_layout counter_layout =
	NL_LAYOUT(counter_fields, .needs = BIT(CTA_COUNTERS_PACKETS) | BIT(CTA_COUNTERS_BYTES));

static const struct nl_field timestamp_fields[] = {
	[CTA_TIMESTAMP_START] = { NL_BE64, AT(start_ns), CT_KNOWN_START },
	[CTA_TIMESTAMP_STOP] = { NL_BE64, AT(stop_ns), CT_KNOWN_STOP },
};
static const struct nl_layout timestamp_layout = NL_LAYOUT(timestamp_fields, );

#define SEQADJ_AT(field) .offset = offsetof(struct ct_seqadj, field)
static const struct nl_field seqadj_fields[] = {
	[CTA_SEQADJ_CORRECTION_POS] = { NL_BE32, SEQADJ_AT(position) },
	[CTA_SEQADJ_OFFSET_BEFORE] = { NL_BE32, SEQADJ_AT(offset_before) },
	[CTA_SEQADJ_OFFSET_AFTER] = { NL_BE32, SEQADJ_AT(offset_after) },
};
static const struct nl_layout seqadj_layout = NL_LAYOUT(
	seqadj_fields, .needs = BIT(CTA_SEQADJ_CORRECTION_POS) | BIT(CTA_SEQADJ_OFFSET_BEFORE) |
				BIT(CTA_SEQADJ_OFFSET_AFTER));

static const struct nl_field synproxy_fields[] = {
	[CTA_SYNPROXY_ISN] = { NL_BE32, AT(synproxy_isn) },
	[CTA_SYNPROXY_ITS] = { NL_BE32, AT(synproxy_its) },
	[CTA_SYNPROXY_TSOFF] = { NL_BE32, AT(synproxy_tsoff) },
};
static const struct nl_layout synproxy_layout =
	NL_LAYOUT(synproxy_fields,
		  .needs = BIT(CTA_SYNPROXY_ISN) | BIT(CTA_SYNPROXY_ITS) | BIT(CTA_SYNPROXY_TSOFF));

#define STATUS_BITS    (CT_KNOWN_STATUS | CT_KNOWN_FLAGS)
#define PROTOINFO_BITS (CT_KNOWN_STATE | CT_KNOWN_TCP | CT_KNOWN_SCTP)
#define TIMESTAMP_BITS (CT_KNOWN_START | CT_KNOWN_STOP)
#define NEST(layout, ...)                                                                          \
	{                                                                                          \
		NL_NEST, .nest = &(layout), __VA_ARGS__                                            \
	}
static const struct nl_field entry_fields[] = {
	[CTA_TUPLE_ORIG] = { NL_TUPLE, AT(tuple[0]), .nest = &nl_orig_layout },
	[CTA_TUPLE_REPLY] = { NL_TUPLE, AT(tuple[1]), .nest = &nl_reply_layout },
	[CTA_STATUS] = { NL_BE32, AT(status), STATUS_BITS },
	[CTA_PROTOINFO] = { NL_GROUP, .nest = &protoinfo_layout, .known = PROTOINFO_BITS },
	[CTA_HELP] = NEST(help_layout, .known = CT_KNOWN_HELPER),
	[CTA_TIMEOUT] = { NL_BE32, AT(timeout_s), CT_KNOWN_TIMEOUT },
	[CTA_MARK] = { NL_BE32, AT(mark), CT_KNOWN_MARK },
	[CTA_COUNTERS_ORIG] = NEST(counter_layout, AT(packets[0]), .known = CT_KNOWN_COUNTERS),
	[CTA_COUNTERS_REPLY] = NEST(counter_layout, AT(packets[1]), .known = CT_KNOWN_COUNTERS),
	[CTA_USE] = { NL_BE32, AT(use), CT_KNOWN_USE },
	[CTA_ID] = { NL_BE32, AT(id), CT_KNOWN_ID },
	[CTA_TUPLE_MASTER] = { NL_TUPLE, AT(master), CT_KNOWN_MASTER, .hides = CT_KNOWN_PARTS,
			       .nest = &nl_tuple_layout },
	[CTA_SEQ_ADJ_ORIG] = NEST(seqadj_layout, AT(seqadj[0]), .known = CT_KNOWN_SEQADJ),
	[CTA_SEQ_ADJ_REPLY] = NEST(seqadj_layout, AT(seqadj[1]), .known = CT_KNOWN_SEQADJ),
	[CTA_ZONE] = { NL_ZONE, CT_ZONE_BOTH, .known = CT_KNOWN_ZONE, .is_present = is_zone_both },
	[CTA_SECCTX] = NEST(secctx_layout, .known = CT_KNOWN_SECCTX),
	[CTA_TIMESTAMP] = { NL_GROUP, .nest = &timestamp_layout, .known = TIMESTAMP_BITS },
	[CTA_LABELS] = { NL_LABELS, .known = CT_KNOWN_LABELS },
	[CTA_SYNPROXY] = NEST(synproxy_layout, .known = CT_KNOWN_SYNPROXY),
};
static const struct nl_layout entry_layout =
	NL_LAYOUT(entry_fields, .needs = BIT(CTA_TUPLE_ORIG) | BIT(CTA_TUPLE_REPLY));

int nl_entry_decode(const void *payload, size_t size, uint32_t want, struct ct_entry *out)
{
	const uint8_t *bytes = payload;
	struct nl_reader r = { .want = (want ? want : CT_KNOWN_ALL) | CT_KNOWN_PARTS,
			       .entry = out };
	uint32_t seen;
	int error;

	if (size < sizeof(struct nfgenmsg))
		return -EBADMSG;
	memset(out, 0, sizeof(*out));
	out->zone_dir = CT_ZONE_BOTH;
	r.family = bytes[0];
	error = nl_layout_read(
		&r, ct_bytes_of(bytes + sizeof(struct nfgenmsg), size - sizeof(struct nfgenmsg)),
		&entry_layout, out, &seen);
	if (error < 0)
		return error;
	/* What stands for both directions is not known from one. */
	if (!(seen & BIT(CTA_COUNTERS_ORIG)) != !(seen & BIT(CTA_COUNTERS_REPLY)))
		r.known &= ~(uint32_t)CT_KNOWN_COUNTERS;
	if (!(seen & BIT(CTA_SEQ_ADJ_ORIG)) != !(seen & BIT(CTA_SEQ_ADJ_REPLY)))
		r.known &= ~(uint32_t)CT_KNOWN_SEQADJ;
	/* ctnetlink_dump_zone_id(): zone 0 is told by silence. */
	out->known = r.known | CT_KNOWN_FAMILY | (r.want & CT_KNOWN_ZONE);
	return 0;
}

int nl_entry_encode(const struct ct_entry *e, void *buf, size_t size)
{
	struct nl_message m = { .buf = buf, .size = size };
	uint8_t *head = nl_message_room(&m, sizeof(struct nfgenmsg));

	if (!head)
		return -ENOSPC;
	head[0] = e->tuple[CT_DIR_ORIG].family;
	nl_layout_write(&m, e, &entry_layout, e);
	return m.is_full ? -ENOSPC : (int)m.len;
}
