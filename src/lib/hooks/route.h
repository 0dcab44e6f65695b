/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Where a packet that came in goes on to: as much of routing as decides which hooks it meets.
 */
#ifndef CT_HOOKS_ROUTE_H
#define CT_HOOKS_ROUTE_H

#include <conntune/packet.h>

enum ct_route {
	CT_ROUTE_FORWARD,
	CT_ROUTE_LOCAL,
	CT_ROUTE_NOWHERE, /* routing drops it: its entry is never confirmed */
};

/* An address of the machine; the rest of its prefix is on the link. */
struct ct_route_addr {
	union ct_addr addr;
	uint8_t family, prefix;
};

struct ct_router {
	const struct ct_route_addr *addrs; /* borrowed */
	unsigned n_addrs;
	bool is_forwarding;
};

/* For a packet that ct_packet_receive() took. Every unicast destination counts as reachable, and
 * no multicast group as joined but those that every host is in. */
enum ct_route ct_route_of(const struct ct_router *r, const struct ct_packet *p);

/* True when @addr (4 or 16 bytes) is one of the machine's own. */
bool ct_route_is_own(const struct ct_router *r, uint8_t family, const uint8_t *addr);

#endif
