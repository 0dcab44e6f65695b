/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The nest of a tuple: its layout, and a short way through the usual shapes.
 *
 * Answers to Linux 6.18, ctnetlink_dump_tuples() and nf_ct_port_tuple_to_nlattr(). Two tuples are
 * most of what a dump of a million entries makes us read, and nearly all of them are composed in
 * the same order with the same sizes; comparing their headers with that shape costs a fifth of
 * walking them. A tuple that differs anywhere is walked by its layout.
 */
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <netinet/in.h>

#include "ops/netlink/layout.h"

#define BIT(n) (1u << (n))

static bool is_ipv4(const struct ct_entry *e, const void *base)
{
	(void)e;
	return ((const struct ct_tuple *)base)->family == CT_FAMILY_IPV4;
}

static bool is_ipv6(const struct ct_entry *e, const void *base)
{
	(void)e;
	return ((const struct ct_tuple *)base)->family == CT_FAMILY_IPV6;
}

/* A master has no known bit of its own for this. */
static bool has_parts(const struct ct_entry *e, const struct ct_tuple *t)
{
	return t == &e->master ? t->src_part || t->dst_part : e->known & CT_KNOWN_PARTS;
}

static bool has_icmp(const struct ct_entry *e, const void *base)
{
	const struct ct_tuple *t = base;

	return t->proto == IPPROTO_ICMP && has_parts(e, t);
}

static bool has_icmpv6(const struct ct_entry *e, const void *base)
{
	const struct ct_tuple *t = base;

	return t->proto == IPPROTO_ICMPV6 && has_parts(e, t);
}

static bool has_ports(const struct ct_entry *e, const void *base)
{
	const struct ct_tuple *t = base;

	return t->proto != IPPROTO_ICMP && t->proto != IPPROTO_ICMPV6 && has_parts(e, t);
}

static bool is_zone_orig(const struct ct_entry *e, const void *base)
{
	(void)base;
	return (e->known & CT_KNOWN_ZONE) && e->zone_dir == CT_ZONE_ORIG;
}

static bool is_zone_reply(const struct ct_entry *e, const void *base)
{
	(void)base;
	return (e->known & CT_KNOWN_ZONE) && e->zone_dir == CT_ZONE_REPLY;
}

#define TUPLE_AT(field) .offset = offsetof(struct ct_tuple, field)

static const struct nl_field ip_fields[] = {
	[CTA_IP_V4_SRC] = { NL_ADDR4, TUPLE_AT(src), .is_present = is_ipv4 },
	[CTA_IP_V4_DST] = { NL_ADDR4, TUPLE_AT(dst), .is_present = is_ipv4 },
	[CTA_IP_V6_SRC] = { NL_ADDR6, TUPLE_AT(src), .is_present = is_ipv6 },
	[CTA_IP_V6_DST] = { NL_ADDR6, TUPLE_AT(dst), .is_present = is_ipv6 },
};
static const struct nl_layout ip_layout =
	NL_LAYOUT(ip_fields, .needs = BIT(CTA_IP_V4_SRC) | BIT(CTA_IP_V4_DST),
		  .or_needs = BIT(CTA_IP_V6_SRC) | BIT(CTA_IP_V6_DST));

/* ICMP types and codes are the two bytes of the destination part. */
#define ICMP_TYPE   .offset = offsetof(struct ct_tuple, dst_part)
#define PARTS(when) .known = CT_KNOWN_PARTS, .is_present = (when)
#define ICMP_CODE   .offset = offsetof(struct ct_tuple, dst_part) + 1
static const struct nl_field proto_fields[] = {
	[CTA_PROTO_NUM] = { NL_U8, TUPLE_AT(proto) },
	[CTA_PROTO_SRC_PORT] = { NL_RAW16, TUPLE_AT(src_part), PARTS(has_ports) },
	[CTA_PROTO_DST_PORT] = { NL_RAW16, TUPLE_AT(dst_part), PARTS(has_ports) },
	[CTA_PROTO_ICMP_ID] = { NL_RAW16, TUPLE_AT(src_part), PARTS(has_icmp) },
	[CTA_PROTO_ICMP_TYPE] = { NL_U8, ICMP_TYPE, PARTS(has_icmp) },
	[CTA_PROTO_ICMP_CODE] = { NL_U8, ICMP_CODE, PARTS(has_icmp) },
	[CTA_PROTO_ICMPV6_ID] = { NL_RAW16, TUPLE_AT(src_part), PARTS(has_icmpv6) },
	[CTA_PROTO_ICMPV6_TYPE] = { NL_U8, ICMP_TYPE, PARTS(has_icmpv6) },
	[CTA_PROTO_ICMPV6_CODE] = { NL_U8, ICMP_CODE, PARTS(has_icmpv6) },
};
static const struct nl_layout proto_layout = NL_LAYOUT(proto_fields, .needs = BIT(CTA_PROTO_NUM));

/* A zone of one direction stands in its tuple; offsets do not apply to it. */
static const struct nl_field orig_fields[] = {
	[CTA_TUPLE_IP] = { NL_NEST, .nest = &ip_layout },
	[CTA_TUPLE_PROTO] = { NL_NEST, .nest = &proto_layout },
	[CTA_TUPLE_ZONE] = { NL_ZONE, CT_ZONE_ORIG, .is_present = is_zone_orig },
};
static const struct nl_field reply_fields[] = {
	[CTA_TUPLE_IP] = { NL_NEST, .nest = &ip_layout },
	[CTA_TUPLE_PROTO] = { NL_NEST, .nest = &proto_layout },
	[CTA_TUPLE_ZONE] = { NL_ZONE, CT_ZONE_REPLY, .is_present = is_zone_reply },
};
static const struct nl_field tuple_fields[] = {
	[CTA_TUPLE_IP] = { NL_NEST, .nest = &ip_layout },
	[CTA_TUPLE_PROTO] = { NL_NEST, .nest = &proto_layout },
};
#define TUPLE_NEEDS (BIT(CTA_TUPLE_IP) | BIT(CTA_TUPLE_PROTO))
const struct nl_layout nl_orig_layout = NL_LAYOUT(orig_fields, .needs = TUPLE_NEEDS);
const struct nl_layout nl_reply_layout = NL_LAYOUT(reply_fields, .needs = TUPLE_NEEDS);
const struct nl_layout nl_tuple_layout = NL_LAYOUT(tuple_fields, .needs = TUPLE_NEEDS);

/* The heads of the attributes of a tuple with ports, in the kernel's order, by their offsets. */
struct shape_head {
	uint16_t at, len, type;
};
#define SHAPE_HEADS 7
#define SHAPE(size, src, dst)                                                                      \
	{                                                                                          \
		{ 0, 4 + 2 * (4 + (size)), CTA_TUPLE_IP | NL_ATTR_NESTED },                        \
			{ 4, 4 + (size), (src) }, { 8 + (size), 4 + (size), (dst) },               \
			{ 12 + 2 * (size), 28, CTA_TUPLE_PROTO | NL_ATTR_NESTED },                 \
			{ 16 + 2 * (size), 5, CTA_PROTO_NUM },                                     \
			{ 24 + 2 * (size), 6, CTA_PROTO_SRC_PORT },                                \
			{ 32 + 2 * (size), 6, CTA_PROTO_DST_PORT },                                \
	}
static const struct shape_head shape4[SHAPE_HEADS] = SHAPE(4, CTA_IP_V4_SRC, CTA_IP_V4_DST);
static const struct shape_head shape6[SHAPE_HEADS] = SHAPE(16, CTA_IP_V6_SRC, CTA_IP_V6_DST);

static inline bool is_shape(const uint8_t *p, const struct shape_head *heads)
{
	uint32_t differs = 0;

	for (size_t i = 0; i < SHAPE_HEADS; i++) {
		uint16_t len, type;

		memcpy(&len, p + heads[i].at, 2);
		memcpy(&type, p + heads[i].at + 2, 2);
		differs |= (uint32_t)(len ^ heads[i].len) | (uint32_t)(type ^ heads[i].type);
	}
	return differs == 0;
}

static inline void take_shape(const uint8_t *p, size_t size, struct ct_tuple *out)
{
	memcpy(&out->src, p + 8, size);
	memcpy(&out->dst, p + 12 + size, size);
	out->proto = p[20 + 2 * size];
	memcpy(&out->src_part, p + 28 + 2 * size, 2);
	memcpy(&out->dst_part, p + 36 + 2 * size, 2);
}

bool nl_tuple_read_usual(const struct nl_attr *a, struct ct_tuple *out)
{
	if (a->size == 48 && out->family == CT_FAMILY_IPV4 && is_shape(a->p, shape4)) {
		take_shape(a->p, 4, out);
		return true;
	}
	if (a->size == 72 && out->family == CT_FAMILY_IPV6 && is_shape(a->p, shape6)) {
		take_shape(a->p, 16, out);
		return true;
	}
	return false;
}
