/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Counters and expectations: what is absent is unknown, what is cut is refused.
 */
#include "ops/netlink/ctnetlink.h"

#include <arpa/inet.h>
#include <errno.h>

#include "ops/netlink/attr.h"
#include "tap.h"

static uint8_t room[512];

static struct nl_message begin(uint8_t family, uint16_t id)
{
	struct nl_message m = { .buf = room, .size = sizeof(room) };
	uint8_t *head = nl_message_room(&m, 4);

	head[0] = family;
	head[2] = (uint8_t)(id >> 8);
	head[3] = (uint8_t)id;
	return m;
}

TEST(counters_absent_from_this_kernel_are_unknown)
{
	struct nl_message m = begin(0, 258);
	struct nl_stats s;

	nl_attr_put_be32(&m, 2, 17);
	nl_attr_put_be32(&m, 11, 4294967295u);
	EQ_INT(nl_stats_cpu_decode(room, m.len, &s), 0);
	EQ_INT(s.cpu, 258);
	EQ_INT(s.known, 1u << NL_STAT_FOUND | 1u << NL_STAT_EARLY_DROP);
	EQ_INT(s.value[NL_STAT_FOUND], 17);
	EQ_INT(s.value[NL_STAT_EARLY_DROP], 4294967295u);
	EQ_STR(nl_stat_name(NL_STAT_CHAINTOOLONG), "chaintoolong");
	EQ_INT(nl_stats_cpu_decode(room, m.len - 1, &s), -EBADMSG);
	nl_attr_put_be16(&m, 4, 1);
	EQ_INT(nl_stats_cpu_decode(room, m.len, &s), -EBADMSG);
}

TEST(max_came_later_than_count)
{
	struct nl_message m = begin(0, 0);
	struct nl_level level;

	EQ_INT(nl_stats_decode(room, m.len, &level), -EBADMSG);
	nl_attr_put_be32(&m, 1, 77143);
	EQ_INT(nl_stats_decode(room, m.len, &level), 0);
	EQ_INT(level.count, 77143);
	OK(!level.is_max_known);
	nl_attr_put_be32(&m, 2, 262144);
	EQ_INT(nl_stats_decode(room, m.len, &level), 0);
	OK(level.is_max_known);
	EQ_INT(level.max, 262144);
}

static void put_tuple(struct nl_message *m, unsigned type, uint16_t port)
{
	static const uint8_t a[4] = { 10, 0, 0, 1 };
	size_t tuple = nl_nest_begin(m, type), nest = nl_nest_begin(m, 1);

	nl_attr_put(m, 1, a, 4);
	nl_attr_put(m, 2, a, 4);
	nl_nest_end(m, nest);
	nest = nl_nest_begin(m, 2);
	nl_attr_put_u8(m, 1, 6);
	nl_attr_put_be16(m, 2, 0);
	nl_attr_put_be16(m, 3, port);
	nl_nest_end(m, nest);
	nl_nest_end(m, tuple);
}

TEST(expectations_have_three_tuples)
{
	struct nl_message m = begin(CT_FAMILY_IPV4, 0);
	struct nl_expect x;

	put_tuple(&m, 1, 21);
	put_tuple(&m, 2, 40000);
	EQ_INT(nl_expect_decode(room, m.len, &x), -EBADMSG);
	put_tuple(&m, 3, 65535);
	EQ_INT(nl_expect_decode(room, m.len, &x), 0);
	OK(!x.is_timeout_known);
	nl_attr_put_be32(&m, 4, 299);
	nl_attr_put(&m, 6, "ftp", 4);
	nl_attr_put_be16(&m, 7, 5);
	EQ_INT(nl_expect_decode(room, m.len, &x), 0);
	OK(x.is_timeout_known);
	EQ_INT(x.timeout_s, 299);
	EQ_INT(x.zone, 5);
	EQ_INT(x.helper.len, 3);
	EQ_INT(ntohs(x.master.dst_part), 21);
	EQ_INT(ntohs(x.tuple.dst_part), 40000);
	EQ_INT(x.mask.dst_part, 65535);
}

TAP_MAIN(&tap_counters_absent_from_this_kernel_are_unknown, &tap_max_came_later_than_count,
	 &tap_expectations_have_three_tuples)
