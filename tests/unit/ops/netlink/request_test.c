/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Requests: what ctnetlink can do is asked for in its bytes, what it cannot is refused here.
 */
#include "ops/netlink/ctnetlink.h"

#include <arpa/inet.h>
#include <errno.h>

#include "tap.h"

static uint8_t room[NL_MAX_REQUEST];

TEST(a_full_dump_is_20_bytes)
{
	const uint8_t want[20] = { 20, 0, 0, 0, 1, 1, 1, 3, 1 };

	EQ_INT(nl_dump_request(room, NULL), 20);
	OK(memcmp(room, want, sizeof(want)) == 0);
}

TEST(status_and_mark_are_value_and_mask)
{
	const uint8_t want[] = { 8, 0, 8, 0, 0, 0, 0, 5, 8, 0, 21, 0, 0, 0, 0, 15,
				 8, 0, 3, 0, 0, 0, 0, 0, 8, 0, 26, 0, 0, 0, 0, 4 };
	const struct nl_filter f = { .fields = NL_FILTER_MARK | NL_FILTER_STATUS,
				     .mark = 5,
				     .mark_mask = 15,
				     .status_mask = CT_STATUS_ASSURED };

	EQ_INT(nl_dump_request(room, &f), 20 + (int)sizeof(want));
	OK(memcmp(room + 20, want, sizeof(want)) == 0);
}

TEST(tuple_flags_are_native_and_ports_bring_their_protocol)
{
	const uint8_t want[] = {
		24, 0, 1,  0x80, 20, 0,	   2, 0x80, /* tuple, proto */
		5,  0, 1,  0,	 6,  0,	   0, 0,    /* number */
		6,  0, 3,  0,	 1,  0xbb, 0, 0,    /* destination port 443 */
		20, 0, 25, 0x80, 8,  0,	   1, 0,    /* filter */
	};
	struct nl_filter f = { .fields = NL_FILTER_FAMILY | NL_FILTER_PROTO | NL_FILTER_DPORT,
			       .family = CT_FAMILY_IPV4 };
	uint32_t flags;

	f.tuple[CT_DIR_ORIG].proto = 6;
	f.tuple[CT_DIR_ORIG].dst_part = htons(443);
	EQ_INT(nl_dump_request(room, &f), 20 + (int)sizeof(want) + 12);
	EQ_INT(room[16], CT_FAMILY_IPV4);
	OK(memcmp(room + 20, want, sizeof(want)) == 0);
	memcpy(&flags, room + 20 + sizeof(want), 4);
	EQ_INT(flags, 8 | 32);
}

TEST(addresses_are_asked_for_in_ipv4_only)
{
	const struct nl_filter all = { .fields = NL_FILTER_FAMILY, .family = CT_FAMILY_IPV6 };
	struct nl_filter f = { .fields = NL_FILTER_FAMILY | NL_FILTER_SRC | NL_FILTER_REPLY_DST,
			       .family = CT_FAMILY_IPV6 };
	uint8_t plain[NL_MAX_REQUEST];
	int size = nl_dump_request(plain, &all);

	EQ_INT(nl_dump_request(room, &f), size);
	OK(memcmp(room, plain, (size_t)size) == 0);
	f.family = CT_FAMILY_IPV4;
	EQ_INT(nl_dump_request(room, &f), size + 2 * (4 + 4 + 8) + 20);
}

TEST(what_the_kernel_would_refuse_is_refused)
{
	struct nl_filter f = { .fields = NL_FILTER_STATUS };

	EQ_INT(nl_dump_request(room, &f), -EINVAL); /* mask 0 */
	f = (struct nl_filter){ .fields = NL_FILTER_STATUS, .status = 6, .status_mask = 4 };
	EQ_INT(nl_dump_request(room, &f), -EINVAL); /* could match nothing */
	f = (struct nl_filter){ .fields = NL_FILTER_PROTO };
	EQ_INT(nl_dump_request(room, &f), -EINVAL); /* no family */
	f = (struct nl_filter){ .fields = NL_FILTER_FAMILY | NL_FILTER_DPORT,
				.family = CT_FAMILY_IPV4 };
	EQ_INT(nl_dump_request(room, &f), -EINVAL); /* no protocol */
}

TAP_MAIN(&tap_a_full_dump_is_20_bytes, &tap_status_and_mark_are_value_and_mask,
	 &tap_tuple_flags_are_native_and_ports_bring_their_protocol,
	 &tap_addresses_are_asked_for_in_ipv4_only, &tap_what_the_kernel_would_refuse_is_refused)
