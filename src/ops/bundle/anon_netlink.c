/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Addresses inside messages of ctnetlink; see anon.h.
 *
 * Answers to Linux 6.18, ctnetlink_dump_tuples() and ctnetlink_exp_dump_expect(). Only tuples
 * carry addresses; NAT shows as the difference of two tuples.
 */
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/netlink.h>
#include <string.h>

#include "ops/bundle/anon.h"
#include "ops/netlink/attr.h"

/* The same bytes, to be written: attributes are read through a cursor over constant ones. */
struct area {
	uint8_t *begin; /* of the payload */
	struct anon *anon;
};

static uint8_t *writable(const struct area *w, const uint8_t *p)
{
	const uint8_t *begin = w->begin;

	return w->begin + (p - begin);
}

static int rewrite_ip(const struct area *w, const struct nl_attr *nest)
{
	struct ct_bytes b = ct_bytes_of(nest->p, nest->size);
	struct nl_attr a;
	int r;

	while ((r = nl_attr_take(&b, &a)) > 0) {
		bool is_4 = a.type == CTA_IP_V4_SRC || a.type == CTA_IP_V4_DST;

		if (is_4 && a.size == 4)
			anon_ip4(w->anon, writable(w, a.p), 32);
		else if (!is_4 && a.size == 16)
			anon_ip6(w->anon, writable(w, a.p), 128);
		else /* an address we could not hide */
			return -EBADMSG;
	}
	return r;
}

static int rewrite_tuple(const struct area *w, const struct nl_attr *nest)
{
	struct ct_bytes b = ct_bytes_of(nest->p, nest->size);
	struct nl_attr a;
	int r;

	while ((r = nl_attr_take(&b, &a)) > 0)
		if (a.type == CTA_TUPLE_IP && rewrite_ip(w, &a) < 0)
			return -EBADMSG;
	return r;
}

static int rewrite_expect_nat(const struct area *w, const struct nl_attr *nest)
{
	struct ct_bytes b = ct_bytes_of(nest->p, nest->size);
	struct nl_attr a;
	int r;

	while ((r = nl_attr_take(&b, &a)) > 0)
		if (a.type == CTA_EXPECT_NAT_TUPLE && rewrite_tuple(w, &a) < 0)
			return -EBADMSG;
	return r;
}

static int rewrite_entry(const struct area *w, const struct nl_attr *a)
{
	if (a->type == CTA_TUPLE_ORIG || a->type == CTA_TUPLE_REPLY || a->type == CTA_TUPLE_MASTER)
		return rewrite_tuple(w, a);
	return 0;
}

/* The mask of an expectation is no address. */
static int rewrite_expect(const struct area *w, const struct nl_attr *a)
{
	if (a->type == CTA_EXPECT_MASTER || a->type == CTA_EXPECT_TUPLE)
		return rewrite_tuple(w, a);
	if (a->type == CTA_EXPECT_NAT)
		return rewrite_expect_nat(w, a);
	return 0;
}

/* True for the kinds of messages that carry no address. */
static bool is_plain(uint16_t type)
{
	return type < NLMSG_MIN_TYPE ||
	       type == (NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_GET_STATS_CPU) ||
	       type == (NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_GET_STATS) ||
	       type == (NFNL_SUBSYS_CTNETLINK_EXP << 8 | IPCTNL_MSG_EXP_GET_STATS_CPU);
}

static int rewrite_message(struct anon *anon, uint16_t type, uint8_t *payload, size_t size)
{
	struct area w = { .begin = payload, .anon = anon };
	struct ct_bytes b = ct_bytes_of(payload, size);
	struct nl_attr a;
	int r;

	if (is_plain(type))
		return 0;
	if (type >> 8 != NFNL_SUBSYS_CTNETLINK && type >> 8 != NFNL_SUBSYS_CTNETLINK_EXP)
		return -EBADMSG;
	if (take_skip(&b, sizeof(struct nfgenmsg)) < 0)
		return -EBADMSG;
	while ((r = nl_attr_take(&b, &a)) > 0) {
		r = type >> 8 == NFNL_SUBSYS_CTNETLINK ? rewrite_entry(&w, &a)
						       : rewrite_expect(&w, &a);
		if (r < 0)
			return r;
	}
	return r;
}

void anon_datagram(void *user, uint8_t *datagram, size_t size)
{
	while (size >= sizeof(struct nlmsghdr)) {
		struct nlmsghdr h;
		uint8_t *payload = datagram + sizeof(h);
		size_t step;

		memcpy(&h, datagram, sizeof(h));
		if (h.nlmsg_len < sizeof(h) || h.nlmsg_len > size)
			break;
		if (rewrite_message(user, h.nlmsg_type, payload, h.nlmsg_len - sizeof(h)) < 0)
			memset(payload, 0, h.nlmsg_len - sizeof(h));
		step = NLMSG_ALIGN((size_t)h.nlmsg_len);
		if (step >= size)
			return;
		datagram += step;
		size -= step;
	}
	memset(datagram, 0, size); /* no message: nobody knows what is in there */
}
