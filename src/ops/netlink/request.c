/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The requests of all reads of ctnetlink, and what a dump may be narrowed to.
 *
 * Answers to Linux 6.18, ctnetlink_alloc_filter(). Its traps: a status mask of 0 is refused, ports
 * need the protocol of the same direction, tuples need the family, and the flags of a tuple filter
 * are in native order while everything else is big-endian. IPv6 addresses cannot be asked for:
 * ctnetlink_filter_match_tuple() tests them the wrong way round and drops what is equal.
 */
#include "ops/netlink/ctnetlink.h"

#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/netlink.h>

#include "ops/netlink/attr.h"

/* Bits of CTA_FILTER_ORIG_FLAGS and CTA_FILTER_REPLY_FLAGS; net/netfilter/nf_internals.h, which
 * no installed header repeats. */
enum {
	FLAG_IP_SRC = 1 << 0,
	FLAG_IP_DST = 1 << 1,
	FLAG_PROTO_NUM = 1 << 3,
	FLAG_SRC_PORT = 1 << 4,
	FLAG_DST_PORT = 1 << 5,
};
/* CTA_FILTER and its two members; the header of Linux 5.6 and older lacks them. */
enum { ATTR_FILTER = 25, ATTR_STATUS_MASK = 26, ATTR_ORIG_FLAGS = 1, ATTR_REPLY_FLAGS = 2 };

#define NL_FILTER_REPLY                                                                            \
	(NL_FILTER_REPLY_SRC | NL_FILTER_REPLY_DST | NL_FILTER_REPLY_SPORT | NL_FILTER_REPLY_DPORT)
#define NL_FILTER_ORIG                                                                             \
	(NL_FILTER_PROTO | NL_FILTER_SRC | NL_FILTER_DST | NL_FILTER_SPORT | NL_FILTER_DPORT)
#define NL_FILTER_PORTS                                                                            \
	(NL_FILTER_SPORT | NL_FILTER_DPORT | NL_FILTER_REPLY_SPORT | NL_FILTER_REPLY_DPORT)

static void begin(struct nl_message *m, void *buf, unsigned subsystem, unsigned message,
		  unsigned flags, uint8_t family)
{
	struct nlmsghdr head = { .nlmsg_type = (uint16_t)(subsystem << 8 | message),
				 .nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags),
				 .nlmsg_seq = 1 };
	struct nfgenmsg generic = { .nfgen_family = family, .version = NFNETLINK_V0 };
	uint8_t *at;

	*m = (struct nl_message){ .buf = buf, .size = NL_MAX_REQUEST };
	at = nl_message_room(m, sizeof(head) + sizeof(generic));
	memcpy(at, &head, sizeof(head));
	memcpy(at + sizeof(head), &generic, sizeof(generic));
}

static int finish(struct nl_message *m)
{
	uint32_t len = (uint32_t)m->len;

	if (m->is_full)
		return -EINVAL;
	memcpy(m->buf + offsetof(struct nlmsghdr, nlmsg_len), &len, sizeof(len));
	return (int)m->len;
}

static int request(void *buf, unsigned subsystem, unsigned message, unsigned flags)
{
	struct nl_message m;

	begin(&m, buf, subsystem, message, flags, 0);
	return finish(&m);
}

/* The members of one direction's tuple, by the bits the kernel knows them by. */
static uint32_t tuple_flags(const struct nl_filter *f, enum ct_dir dir)
{
	static const struct {
		unsigned fields[CT_DIR_MAX];
		uint32_t flags;
	} list[] = {
		{ { NL_FILTER_PROTO, 0 }, FLAG_PROTO_NUM },
		{ { NL_FILTER_SRC, NL_FILTER_REPLY_SRC }, FLAG_IP_SRC },
		{ { NL_FILTER_DST, NL_FILTER_REPLY_DST }, FLAG_IP_DST },
		{ { NL_FILTER_SPORT, NL_FILTER_REPLY_SPORT }, FLAG_SRC_PORT | FLAG_PROTO_NUM },
		{ { NL_FILTER_DPORT, NL_FILTER_REPLY_DPORT }, FLAG_DST_PORT | FLAG_PROTO_NUM },
	};
	uint32_t flags = 0;

	for (size_t i = 0; i < sizeof(list) / sizeof(list[0]); i++)
		if (f->fields & list[i].fields[dir])
			flags |= list[i].flags;
	if (f->family == CT_FAMILY_IPV6)
		flags &= ~(uint32_t)(FLAG_IP_SRC | FLAG_IP_DST);
	return flags;
}

static void put_tuple(struct nl_message *m, unsigned type, const struct nl_filter *f,
		      enum ct_dir dir, uint32_t flags)
{
	const struct ct_tuple *t = &f->tuple[dir];
	size_t tuple = nl_nest_begin(m, type), nest;

	if (flags & (FLAG_IP_SRC | FLAG_IP_DST)) {
		nest = nl_nest_begin(m, CTA_TUPLE_IP);
		if (flags & FLAG_IP_SRC)
			nl_attr_put(m, CTA_IP_V4_SRC, &t->src, 4);
		if (flags & FLAG_IP_DST)
			nl_attr_put(m, CTA_IP_V4_DST, &t->dst, 4);
		nl_nest_end(m, nest);
	}
	if (flags & FLAG_PROTO_NUM) {
		nest = nl_nest_begin(m, CTA_TUPLE_PROTO);
		nl_attr_put_u8(m, CTA_PROTO_NUM, f->tuple[CT_DIR_ORIG].proto);
		if (flags & FLAG_SRC_PORT)
			nl_attr_put(m, CTA_PROTO_SRC_PORT, &t->src_part, 2);
		if (flags & FLAG_DST_PORT)
			nl_attr_put(m, CTA_PROTO_DST_PORT, &t->dst_part, 2);
		nl_nest_end(m, nest);
	}
	nl_nest_end(m, tuple);
}

/* A tuple of TCP, UDP or their like, with all it has. */
static void put_whole_tuple(struct nl_message *m, const struct ct_tuple *t)
{
	bool is_v6 = t->family == CT_FAMILY_IPV6;
	size_t size = is_v6 ? 16 : 4, tuple = nl_nest_begin(m, CTA_TUPLE_ORIG), nest;

	nest = nl_nest_begin(m, CTA_TUPLE_IP);
	nl_attr_put(m, is_v6 ? CTA_IP_V6_SRC : CTA_IP_V4_SRC, &t->src, size);
	nl_attr_put(m, is_v6 ? CTA_IP_V6_DST : CTA_IP_V4_DST, &t->dst, size);
	nl_nest_end(m, nest);
	nest = nl_nest_begin(m, CTA_TUPLE_PROTO);
	nl_attr_put_u8(m, CTA_PROTO_NUM, t->proto);
	nl_attr_put(m, CTA_PROTO_SRC_PORT, &t->src_part, 2);
	nl_attr_put(m, CTA_PROTO_DST_PORT, &t->dst_part, 2);
	nl_nest_end(m, nest);
	nl_nest_end(m, tuple);
}

static void put_tuples(struct nl_message *m, const struct nl_filter *f)
{
	uint32_t orig = tuple_flags(f, CT_DIR_ORIG), reply = tuple_flags(f, CT_DIR_REPLY);
	size_t nest;

	if (!orig && !reply)
		return;
	if (orig)
		put_tuple(m, CTA_TUPLE_ORIG, f, CT_DIR_ORIG, orig);
	if (reply)
		put_tuple(m, CTA_TUPLE_REPLY, f, CT_DIR_REPLY, reply);
	nest = nl_nest_begin(m, ATTR_FILTER);
	nl_attr_put(m, ATTR_ORIG_FLAGS, &orig, sizeof(orig));
	nl_attr_put(m, ATTR_REPLY_FLAGS, &reply, sizeof(reply));
	nl_nest_end(m, nest);
}

static bool is_possible(const struct nl_filter *f)
{
	if ((f->fields & NL_FILTER_STATUS) && f->status_mask == 0)
		return false;
	if ((f->fields & NL_FILTER_STATUS) && (f->status & ~f->status_mask))
		return false;
	if ((f->fields & NL_FILTER_PORTS) && !(f->fields & NL_FILTER_PROTO))
		return false;
	if (!(f->fields & (NL_FILTER_ORIG | NL_FILTER_REPLY)))
		return true;
	return (f->fields & NL_FILTER_FAMILY) &&
	       (f->family == CT_FAMILY_IPV4 || f->family == CT_FAMILY_IPV6);
}

int nl_dump_request(void *buf, const struct nl_filter *filter)
{
	static const struct nl_filter all = { 0 };
	const struct nl_filter *f = filter ? filter : &all;
	struct nl_message m;

	if (!is_possible(f))
		return -EINVAL;
	begin(&m, buf, NFNL_SUBSYS_CTNETLINK, IPCTNL_MSG_CT_GET, NLM_F_DUMP,
	      f->fields & NL_FILTER_FAMILY ? f->family : 0);
	if (f->fields & NL_FILTER_MARK) {
		nl_attr_put_be32(&m, CTA_MARK, f->mark);
		nl_attr_put_be32(&m, CTA_MARK_MASK, f->mark_mask);
	}
	if (f->fields & NL_FILTER_STATUS) {
		nl_attr_put_be32(&m, CTA_STATUS, f->status);
		nl_attr_put_be32(&m, ATTR_STATUS_MASK, f->status_mask);
	}
	if (f->fields & NL_FILTER_ZONE)
		nl_attr_put_be16(&m, CTA_ZONE, f->zone);
	if (f->fields & (NL_FILTER_ORIG | NL_FILTER_REPLY))
		put_tuples(&m, f);
	return finish(&m);
}

int nl_delete_request(void *buf, const struct ct_entry *e)
{
	const struct ct_tuple *t = &e->tuple[CT_DIR_ORIG];
	struct nl_message m;

	begin(&m, buf, NFNL_SUBSYS_CTNETLINK, IPCTNL_MSG_CT_DELETE, NLM_F_ACK, t->family);
	put_whole_tuple(&m, t);
	if ((e->known & CT_KNOWN_ZONE) && e->zone)
		nl_attr_put_be16(&m, CTA_ZONE, e->zone);
	if (e->known & CT_KNOWN_ID)
		nl_attr_put_be32(&m, CTA_ID, e->id);
	return finish(&m);
}

int nl_stats_cpu_request(void *buf)
{
	return request(buf, NFNL_SUBSYS_CTNETLINK, IPCTNL_MSG_CT_GET_STATS_CPU, NLM_F_DUMP);
}

int nl_stats_request(void *buf)
{
	return request(buf, NFNL_SUBSYS_CTNETLINK, IPCTNL_MSG_CT_GET_STATS, NLM_F_ACK);
}

int nl_expect_dump_request(void *buf)
{
	return request(buf, NFNL_SUBSYS_CTNETLINK_EXP, IPCTNL_MSG_EXP_GET, NLM_F_DUMP);
}

int nl_expect_stats_cpu_request(void *buf)
{
	return request(buf, NFNL_SUBSYS_CTNETLINK_EXP, IPCTNL_MSG_EXP_GET_STATS_CPU, NLM_F_DUMP);
}
