/* SPDX-License-Identifier: BSD-2-Clause
 *
 * hooks/translate: NAT targets of rule sets on a router and on a host: what leaves, by which
 * interface, and what is told of the way.
 */
#include <conntune/hooks.h>

#include <stdlib.h>
#include <string.h>

#include "tap.h"
#include "unit/lib/engine/build.h"

enum { CLIENT = 0x0a00010a, SERVER = 0x0a00020a, LAN = 0x0a000101, WAN = 0x0b000201 };
enum { FAR = 0x0c000005 };

struct world {
	struct ct_hooks h;
	struct ct_route_addr addrs[4];
	struct ct_route_line routes[4];
	struct made m;
	struct ct_passage out;
};

static union ct_addr addr(uint32_t v)
{
	return (union ct_addr){ .ip4 = __builtin_bswap32(v) };
}

/* lan0 10.0.1.1/24, wan0 11.0.2.1/24 and 13.0.0.1/24, everything else behind 13.0.0.9. */
static void world_init(struct world *w, const char *nat_rules)
{
	struct ct_nat_config nat = { .engine = NULL };
	struct ct_engine_config cfg;
	char text[512];

	memset(w, 0, sizeof(*w));
	ct_engine_config_default(&cfg);
	w->h.engine = nat.engine = ct_engine_new(&cfg, NULL);
	w->h.nat = ct_nat_new(&nat, NULL);
	(void)snprintf(text, sizeof(text), "*nat\n%s\nCOMMIT\n", nat_rules);
	w->h.rules4 = ct_ruleset_parse(text, strlen(text), CT_SYNTAX_IPTABLES, NULL);
	w->addrs[0] = (struct ct_route_addr){ addr(LAN), CT_FAMILY_IPV4, 24, "lan0" };
	w->addrs[1] = (struct ct_route_addr){ addr(WAN), CT_FAMILY_IPV4, 24, "wan0" };
	w->addrs[2] = (struct ct_route_addr){ addr(0x0d000001), CT_FAMILY_IPV4, 24, "wan0" };
	w->routes[0] = (struct ct_route_line){
		.family = CT_FAMILY_IPV4, .iface = "wan0", .has_via = true, .via = addr(0x0d000009)
	};
	w->routes[1] = (struct ct_route_line){
		.family = CT_FAMILY_IPV4, .iface = "lan0", .dst = addr(LAN), .prefix = 24
	};
	w->routes[2] = (struct ct_route_line){
		.family = CT_FAMILY_IPV4, .iface = "wan0", .dst = addr(WAN), .prefix = 24
	};
	w->h.router = (struct ct_router){ .addrs = w->addrs, .n_addrs = 3, .is_forwarding = true };
	ct_router_sort(&w->h.router, w->routes, 3);
	OK(w->h.rules4 && w->h.nat);
}

static void world_fini(struct world *w)
{
	ct_nat_free(w->h.nat);
	ct_engine_free(w->h.engine);
	ct_ruleset_free(w->h.rules4);
}

static void pass(struct world *w, struct ct_packet *p, const char *in)
{
	const struct ct_way way = { .in = in, .is_sent = !in };

	ct_hooks_packet(&w->h, p, &way, 0, &w->out);
}

static uint32_t at32(const uint8_t *b)
{
	return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

static void check(const struct world *w, uint32_t src, uint32_t dst, const char *out)
{
	OK(w->out.is_through);
	EQ_INT(at32(w->out.data + 12), src);
	EQ_INT(at32(w->out.data + 16), dst);
	EQ_STR(w->out.way_on.out ? w->out.way_on.out : "-", out);
	OK(ct_packet_checksum(&w->m.p));
}

TEST(a_forwarded_port_is_routed_by_its_new_address)
{
	struct world w;

	world_init(&w, "-A PREROUTING -d 11.0.2.1 -p udp --dport 53 -j DNAT --to 10.0.1.10:5353");
	pass(&w, made_udp(&w.m, FAR, 4000, WAN, 53), "wan0");
	check(&w, FAR, CLIENT, "lan0");
	EQ_INT(w.out.way_on.route, CT_ROUTE_FORWARD);
	EQ_INT(w.out.manips, 1 << CT_MANIP_DST);
	pass(&w, made_udp(&w.m, CLIENT, 5353, FAR, 4000), "lan0");
	check(&w, WAN, FAR, "wan0");
	EQ_INT(w.out.manips, 1 << CT_MANIP_SRC);
	world_fini(&w);
}

/* A gateway in the second subnet: its address is the one to be known by. */
TEST(masquerading_takes_the_address_next_to_the_gateway)
{
	struct world w;

	world_init(&w, "-A POSTROUTING -o wan0 -j MASQUERADE");
	pass(&w, made_udp(&w.m, CLIENT, 4000, FAR, 53), "lan0");
	check(&w, 0x0d000001, FAR, "wan0");
	pass(&w, made_udp(&w.m, CLIENT, 4001, WAN + 7, 53), "lan0");
	check(&w, WAN, WAN + 7, "wan0");
	world_fini(&w);
}

TEST(a_masqueraded_flow_ends_where_it_leaves_by_another_interface)
{
	struct world w;
	struct ct_engine_stats s;

	world_init(&w, "-A POSTROUTING -j MASQUERADE");
	pass(&w, made_udp(&w.m, CLIENT, 4000, FAR, 53), "lan0");
	OK(w.out.is_through);
	for (unsigned i = 0; i < 3; i++)
		if (w.routes[i].prefix == 0)
			w.routes[i].iface = "lan0";
	pass(&w, made_udp(&w.m, CLIENT, 4000, FAR, 53), "lan0");
	OK(!w.out.is_through);
	ct_engine_stats(w.h.engine, &s);
	EQ_INT(s.count, 0);
	pass(&w, made_udp(&w.m, CLIENT, 4000, FAR, 53), "lan0");
	check(&w, LAN, FAR, "lan0");
	world_fini(&w);
}

TEST(what_is_redirected_arrives_here)
{
	struct world w;

	world_init(&w, "-A PREROUTING -i lan0 -p udp -j REDIRECT --to-ports 3128\n"
		       "-A OUTPUT -p udp --dport 80 -j REDIRECT");
	pass(&w, made_udp(&w.m, CLIENT, 4000, FAR, 53), "lan0");
	OK(w.out.is_through);
	EQ_INT(w.out.way_on.route, CT_ROUTE_LOCAL);
	EQ_INT(at32(w.out.data + 16), LAN);
	EQ_INT(w.out.data[22] << 8 | w.out.data[23], 3128);
	pass(&w, made_udp(&w.m, WAN, 4000, FAR, 80), NULL);
	check(&w, WAN, 0x7f000001, "lo");
	EQ_INT(w.out.at, CT_AT_INPUT);
	world_fini(&w);
}

TEST(the_hosts_own_packets_are_routed_again)
{
	struct world w;

	world_init(&w, "-A OUTPUT -d 12.0.0.5 -j DNAT --to 10.0.1.10");
	pass(&w, made_udp(&w.m, LAN, 4000, FAR, 80), NULL);
	check(&w, LAN, CLIENT, "lan0");
	world_fini(&w);
}

TEST(a_network_is_mapped_bit_by_bit)
{
	struct world w;

	world_init(&w, "-A POSTROUTING -o wan0 -s 10.0.1.0/24 -j NETMAP --to 172.20.5.0/24");
	pass(&w, made_udp(&w.m, CLIENT, 4000, FAR, 80), "lan0");
	check(&w, 0xac14050a, FAR, "wan0");
	world_fini(&w);
}

/* One dropped packet of a chain without an address, and no entry left. */
TEST(no_address_to_masquerade_as_is_the_end)
{
	struct world w;
	struct ct_engine_stats s;

	world_init(&w, "-A POSTROUTING -j MASQUERADE");
	w.h.router.n_addrs = 0;
	pass(&w, made_udp(&w.m, CLIENT, 4000, FAR, 80), "lan0");
	OK(!w.out.is_through);
	EQ_INT(w.out.at, CT_AT_POSTROUTING);
	ct_engine_stats(w.h.engine, &s);
	EQ_INT(s.count, 0);
	world_fini(&w);
}

TEST(without_rules_nothing_is_decided)
{
	struct world w;

	world_init(&w, ":PREROUTING ACCEPT [0:0]");
	pass(&w, made_udp(&w.m, CLIENT, 4000, FAR, 80), "lan0");
	check(&w, CLIENT, FAR, "wan0");
	EQ_INT(ct_engine_status(w.h.engine, w.m.p.entry), CT_STATUS_CONFIRMED);
	world_fini(&w);
}

static void note(void *user, const struct ct_trace *t)
{
	static const char *const kinds[] = {
		[CT_TRACE_TRACK] = "track", [CT_TRACE_RULE] = "rule",
		[CT_TRACE_TABLE] = "table", [CT_TRACE_NAT] = "nat",
		[CT_TRACE_ROUTE] = "route", [CT_TRACE_CONFIRM] = "confirm"
	};
	char *text = user;
	size_t len = strlen(text);

	(void)snprintf(text + len, 512 - len, "%d:%s:%s:%u ", (int)t->at, kinds[t->kind],
		       t->verdict ? t->verdict : "-", t->line);
}

TEST(every_step_is_told)
{
	struct world w;
	char told[512] = "";

	world_init(&w, "-A PREROUTING -p udp -j DNAT --to 10.0.1.10\n-A POSTROUTING -j MASQUERADE");
	w.h.trace = note;
	w.h.trace_user = told;
	pass(&w, made_udp(&w.m, FAR, 4000, WAN, 53), "wan0");
	EQ_STR(told, "0:track:-:0 0:rule:DNAT:2 0:table:-:2 0:nat:-:0 0:route:-:0 "
		     "4:rule:MASQUERADE:3 4:table:-:3 4:nat:-:0 4:confirm:-:0 ");
	world_fini(&w);
}

TAP_MAIN(&tap_a_forwarded_port_is_routed_by_its_new_address,
	 &tap_masquerading_takes_the_address_next_to_the_gateway,
	 &tap_a_masqueraded_flow_ends_where_it_leaves_by_another_interface,
	 &tap_what_is_redirected_arrives_here, &tap_the_hosts_own_packets_are_routed_again,
	 &tap_a_network_is_mapped_bit_by_bit, &tap_no_address_to_masquerade_as_is_the_end,
	 &tap_without_rules_nothing_is_decided, &tap_every_step_is_told)
