/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Where a packet goes on to: the addresses, routes and interfaces of a machine, and which of them
 * the kernel chooses. One routing table; rules of policy routing are not known here.
 */
#ifndef CONNTUNE_ROUTE_H
#define CONNTUNE_ROUTE_H

#include <conntune/packet.h>

enum ct_route {
	CT_ROUTE_FORWARD, /* out of an interface */
	CT_ROUTE_LOCAL,
	CT_ROUTE_NOWHERE, /* routing drops it: its entry is never confirmed */
};

/* An address of the machine; the rest of its prefix is on the link. */
struct ct_route_addr {
	union ct_addr addr;
	uint8_t family, prefix;
	const char *iface; /* borrowed; null: not told */
};

/* What a route says of its destinations, RTN_*. */
enum ct_route_kind {
	CT_ROUTE_UNICAST,
	CT_ROUTE_TO_SELF,
	CT_ROUTE_BROADCAST,
	CT_ROUTE_REFUSED, /* blackhole, unreachable, prohibit, throw */
};

struct ct_route_line {
	union ct_addr dst, source; /* source: what the host itself sends from */
	uint8_t family, prefix;
	uint8_t kind; /* enum ct_route_kind */
	bool has_source;
	bool has_via;
	union ct_addr via; /* the gateway */
	uint32_t metric;
	uint32_t number;   /* ct_router_sort()'s: its place before */
	const char *iface; /* borrowed; null: not told */
};

/* Routes of one family and one prefix length, sorted by destination. */
struct ct_route_group {
	uint32_t first, n;
	uint8_t family, prefix;
};

/* net.ipv4.conf.*.rp_filter: what is asked of the way back to a packet's source. */
enum ct_rp_filter {
	CT_RP_OFF,
	CT_RP_STRICT, /* it leads to the interface the packet came in by */
	CT_RP_LOOSE,  /* there is one */
};

/* Room for the groups of both families: every length of prefix. */
#define CT_ROUTE_GROUPS (33 + 129)

struct ct_router {
	const struct ct_route_addr *addrs; /* borrowed */
	unsigned n_addrs;
	bool is_forwarding;
	/* Own and loopback addresses are refused as sources from outside (accept_local=0,
	 * route_localnet=0). */
	bool refuses_martians;
	uint8_t rp_filter; /* enum ct_rp_filter */
	/* Borrowed, sorted by ct_router_sort(). A family without any route reaches every unicast
	 * destination, by an interface that is not told. */
	const struct ct_route_line *lines;
	struct ct_route_group groups[CT_ROUTE_GROUPS];
	unsigned n_groups;
};

/* Where to, and by which interface. */
struct ct_routed {
	enum ct_route route;
	const char *out; /* of FORWARD; null: not told. "lo" for what a host sends to itself */
};

/* Sorts @n routes, which @r borrows from then on. Of two to the same prefix the lower metric is
 * taken, else the earlier. */
void ct_router_sort(struct ct_router *r, struct ct_route_line *lines, unsigned n);

/* For a packet that ct_packet_receive() took and that came in by @in (null: not told). Of multicast
 * groups only those that every host is in are joined. */
void ct_route_in(const struct ct_router *r, const struct ct_packet *p, const char *in,
		 struct ct_routed *out);

/* For a packet that the host itself sends. */
void ct_route_out(const struct ct_router *r, const struct ct_packet *p, struct ct_routed *out);

/* True when @addr (4 or 16 bytes) is one of the machine's own. */
bool ct_route_is_own(const struct ct_router *r, uint8_t family, const uint8_t *addr);

/* True when @addr (IPv4) is the highest address of a prefix that the machine is on. */
bool ct_route_is_broadcast(const struct ct_router *r, const uint8_t *addr);

/* The route to @addr; null without one. */
const struct ct_route_line *ct_route_find(const struct ct_router *r, uint8_t family,
					  const uint8_t *addr);

#endif
