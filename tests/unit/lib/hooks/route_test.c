/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Where packets go: the longest prefix, the lower metric, kinds of routes, sources that are
 * checked.
 */
#include <conntune/route.h>

#include <conntune/entry.h>
#include <string.h>

#include "tap.h"

static struct ct_route_line lines[] = {
	{ .family = CT_FAMILY_IPV4, .metric = 100, .iface = "wan1" },
	{ .family = CT_FAMILY_IPV4, .metric = 50, .iface = "wan0" },
	{ .dst.bytes = { 10, 1, 2, 3 }, .family = CT_FAMILY_IPV4, .prefix = 8, .iface = "lan0" },
	{ .dst.bytes = { 10, 9 }, .family = CT_FAMILY_IPV4, .prefix = 16, .iface = "dmz0" },
	{ .dst.bytes = { 10, 9, 9 },
	  .family = CT_FAMILY_IPV4,
	  .prefix = 24,
	  .kind = CT_ROUTE_REFUSED },
	{ .dst.bytes = { 203, 0, 113, 64 },
	  .family = CT_FAMILY_IPV4,
	  .prefix = 26,
	  .kind = CT_ROUTE_TO_SELF },
	{ .dst.bytes = { 0x20, 1, 0xd, 0xb8 },
	  .family = CT_FAMILY_IPV6,
	  .prefix = 32,
	  .iface = "lan0" },
};

static const struct ct_route_addr addrs[] = {
	{ .addr.bytes = { 192, 0, 2, 1 }, .family = CT_FAMILY_IPV4, .prefix = 24, .iface = "wan0" },
};

static struct ct_router router(void)
{
	struct ct_router r = { .addrs = addrs, .n_addrs = 1, .is_forwarding = true };

	ct_router_sort(&r, lines, sizeof(lines) / sizeof(lines[0]));
	return r;
}

/* "lan0", "here", "nowhere", "?" for an interface that is not told. */
static const char *way(const struct ct_router *r, const char *src, const char *dst, const char *in)
{
	static uint8_t bytes[40];
	struct ct_routed to;
	struct ct_packet p;
	union ct_addr a, b;
	uint8_t family;

	OK(ct_addr_parse(src, strlen(src), &a, &family) == 0);
	OK(ct_addr_parse(dst, strlen(dst), &b, &family) == 0);
	bytes[0] = family == CT_FAMILY_IPV6 ? 0x60 : 0x45;
	memcpy(bytes + (family == CT_FAMILY_IPV6 ? 8 : 12), &a, family == CT_FAMILY_IPV6 ? 16 : 4);
	memcpy(bytes + (family == CT_FAMILY_IPV6 ? 24 : 16), &b, family == CT_FAMILY_IPV6 ? 16 : 4);
	ct_packet_init(&p, bytes, sizeof(bytes));
	if (in)
		ct_route_in(r, &p, in, &to);
	else
		ct_route_out(r, &p, &to);
	if (to.route == CT_ROUTE_FORWARD)
		return to.out ? to.out : "?";
	return to.route == CT_ROUTE_LOCAL ? "here" : "nowhere";
}

TEST(longest_prefix_then_metric)
{
	struct ct_router r = router();

	EQ_STR(way(&r, "198.51.100.7", "10.2.3.4", "wan0"), "lan0");
	EQ_STR(way(&r, "198.51.100.7", "10.9.8.7", "wan0"), "dmz0");
	EQ_STR(way(&r, "198.51.100.7", "10.9.9.7", "wan0"), "nowhere");
	EQ_STR(way(&r, "10.2.3.4", "198.51.100.7", "lan0"), "wan0");
	EQ_STR(way(&r, "2001:db8::1", "2001:db8:1::1", "lan0"), "lan0");
	EQ_STR(way(&r, "2001:db8::1", "2001:db9::1", "lan0"), "nowhere");
}

TEST(what_is_for_the_machine_itself)
{
	struct ct_router r = router();

	EQ_STR(way(&r, "198.51.100.7", "192.0.2.1", "wan0"), "here");
	EQ_STR(way(&r, "198.51.100.7", "192.0.2.255", "wan0"), "here");
	EQ_STR(way(&r, "198.51.100.7", "203.0.113.70", "wan0"), "here");
	EQ_STR(way(&r, "198.51.100.7", "203.0.113.5", "wan0"), "wan0");
	EQ_STR(way(&r, "198.51.100.7", "224.0.0.1", "wan0"), "here");
	EQ_STR(way(&r, "198.51.100.7", "239.1.1.1", "wan0"), "nowhere");
	EQ_STR(way(&r, "192.0.2.1", "127.0.0.1", NULL), "here");
	EQ_STR(way(&r, "192.0.2.1", "10.9.1.1", NULL), "dmz0");
	EQ_STR(way(&r, "192.0.2.1", "10.9.9.1", NULL), "nowhere");
	EQ_STR(way(&r, "192.0.2.1", "192.0.2.255", NULL), "wan0");
	r.is_forwarding = false;
	EQ_STR(way(&r, "198.51.100.7", "10.2.3.4", "wan0"), "nowhere");
}

TEST(sources_are_checked)
{
	struct ct_router r = router();

	EQ_STR(way(&r, "192.0.2.1", "10.2.3.4", "wan0"), "lan0");
	EQ_STR(way(&r, "10.2.3.4", "10.9.1.1", "wan0"), "dmz0");
	r.rp_filter = CT_RP_STRICT;
	EQ_STR(way(&r, "10.2.3.4", "10.9.1.1", "wan0"), "nowhere");
	EQ_STR(way(&r, "10.2.3.4", "192.0.2.1", "wan0"), "nowhere");
	EQ_STR(way(&r, "10.2.3.4", "10.9.1.1", "lan0"), "dmz0");
	EQ_STR(way(&r, "0.0.0.0", "255.255.255.255", "lan0"), "here");
	r.rp_filter = CT_RP_LOOSE;
	EQ_STR(way(&r, "10.2.3.4", "10.9.1.1", "wan0"), "dmz0");
	EQ_STR(way(&r, "10.9.9.4", "10.9.1.1", "wan0"), "nowhere");
	r.refuses_martians = true;
	EQ_STR(way(&r, "192.0.2.1", "10.2.3.4", "wan0"), "nowhere");
	EQ_STR(way(&r, "198.51.100.7", "127.0.0.1", "wan0"), "nowhere");
	EQ_STR(way(&r, "127.0.0.1", "127.0.0.1", "lo"), "here");
}

TEST(nobody_and_groups_send_nothing)
{
	struct ct_router r = router();

	EQ_STR(way(&r, "0.0.0.0", "10.2.3.4", "wan0"), "nowhere");
	EQ_STR(way(&r, "0.0.51.217", "10.2.3.4", "wan0"), "lan0");
	EQ_STR(way(&r, "224.0.0.1", "224.0.0.1", "wan0"), "nowhere");
	EQ_STR(way(&r, "255.255.255.255", "224.0.0.1", "wan0"), "nowhere");
	EQ_STR(way(&r, "0.0.0.0", "224.0.0.1", "wan0"), "here");
}

TEST(link_local_addresses_stay_on_their_link)
{
	struct ct_route_line of_link[] = {
		{ .dst.bytes = { 0xfe, 0x80, [15] = 1 },
		  .family = CT_FAMILY_IPV6,
		  .prefix = 128,
		  .iface = "lan0" },
		{ .family = CT_FAMILY_IPV6, .prefix = 0, .iface = "wan0" },
	};
	struct ct_router r = { .is_forwarding = true };

	ct_router_sort(&r, of_link, 2);
	EQ_STR(way(&r, "fe80::2", "fe80::1", "lan0"), "lan0");
	EQ_STR(way(&r, "fe80::2", "fe80::1", "wan0"), "wan0");
	EQ_STR(way(&r, "fe80::1", "fe80::2", "lan0"), "nowhere");
	EQ_STR(way(&r, "2001:db8::1", "fe80::2", "lan0"), "nowhere");
	EQ_STR(way(&r, "fe80::1", "2001:db8::1", "lan0"), "nowhere");
	EQ_STR(way(&r, "fe80::1", "2001:db8::1", "wan0"), "wan0");
	EQ_STR(way(&r, "::", "2001:db8::1", "lan0"), "nowhere");
}

TEST(without_routes_everything_is_reachable)
{
	struct ct_router r = { .is_forwarding = true };

	EQ_STR(way(&r, "198.51.100.7", "10.2.3.4", "wan0"), "?");
	EQ_STR(way(&r, "2001:db8::1", "2001:db9::1", "lan0"), "?");
}

TAP_MAIN(&tap_longest_prefix_then_metric, &tap_what_is_for_the_machine_itself,
	 &tap_sources_are_checked, &tap_nobody_and_groups_send_nothing,
	 &tap_link_local_addresses_stay_on_their_link, &tap_without_routes_everything_is_reachable)
