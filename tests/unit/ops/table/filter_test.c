/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Conditions become as much of a kernel filter as ctnetlink takes, and never too much.
 */
#include "ops/table/filter.h"

#include <arpa/inet.h>

#include "tap.h"

static struct nl_filter filter_of(const struct ct_match *m)
{
	uint8_t request[NL_MAX_REQUEST];
	struct nl_filter f;

	OK(table_filter_of(m, &f) == (f.fields != 0));
	OK(nl_dump_request(request, &f) > 0);
	return f;
}

static void add(struct ct_match *m, enum ct_match_field field, const char *value)
{
	struct ct_err err = { "" };

	if (ct_match_add(m, field, value, &err) < 0)
		TAP_FAIL("%s", err.text);
}

TEST(nothing_asked_is_nothing_filtered)
{
	struct ct_match m = { 0 };

	EQ_INT(filter_of(&m).fields, 0);
}

TEST(single_values_are_asked_of_the_kernel)
{
	struct ct_match m = { 0 };
	struct nl_filter f;

	add(&m, CT_MATCH_SRC, "10.0.0.1");
	add(&m, CT_MATCH_PROTO, "tcp");
	add(&m, CT_MATCH_DPORT, "443");
	add(&m, CT_MATCH_MARK, "1/0xf");
	add(&m, CT_MATCH_ZONE, "5");
	add(&m, CT_MATCH_STATUS, "seen_reply,!assured");
	f = filter_of(&m);
	EQ_INT(f.fields, NL_FILTER_FAMILY | NL_FILTER_SRC | NL_FILTER_PROTO | NL_FILTER_DPORT |
				 NL_FILTER_MARK | NL_FILTER_ZONE | NL_FILTER_STATUS);
	EQ_INT(f.family, CT_FAMILY_IPV4);
	EQ_INT(ntohl(f.tuple[0].src.ip4), 0x0a000001);
	EQ_INT(ntohs(f.tuple[0].dst_part), 443);
	EQ_INT(f.mark_mask, 15);
	EQ_INT(f.status, CT_STATUS_SEEN_REPLY);
	EQ_INT(f.status_mask, CT_STATUS_SEEN_REPLY | CT_STATUS_ASSURED);
}

TEST(networks_tell_the_family)
{
	struct ct_match m = { 0 };

	add(&m, CT_MATCH_DST, "fd00::/8,fe80::/10");
	EQ_INT(filter_of(&m).fields, NL_FILTER_FAMILY);
	EQ_INT(filter_of(&m).family, CT_FAMILY_IPV6);
}

TEST(what_the_kernel_cannot_is_left_to_us)
{
	struct ct_match m = { 0 };

	add(&m, CT_MATCH_SRC, "10.0.0.1,fd00::1");
	add(&m, CT_MATCH_DST, "!10.0.0.2");
	add(&m, CT_MATCH_PROTO, "tcp");
	add(&m, CT_MATCH_DPORT, "443");
	add(&m, CT_MATCH_MARK, "1,2");
	add(&m, CT_MATCH_ZONE, "!5");
	add(&m, CT_MATCH_STATUS, "assured,!assured");
	EQ_INT(filter_of(&m).fields, 0);
}

/* Ports mean nothing to the kernel without their protocol. */
TEST(ports_need_their_protocol)
{
	struct ct_match m = { 0 };

	add(&m, CT_MATCH_FAMILY, "ipv4");
	add(&m, CT_MATCH_DPORT, "443");
	EQ_INT(filter_of(&m).fields, NL_FILTER_FAMILY);
}

TAP_MAIN(&tap_nothing_asked_is_nothing_filtered, &tap_single_values_are_asked_of_the_kernel,
	 &tap_networks_tell_the_family, &tap_what_the_kernel_cannot_is_left_to_us,
	 &tap_ports_need_their_protocol)
