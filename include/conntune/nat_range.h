/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What a rule asks of a translation: the addresses and ports to choose from, and how. The
 * library's counterpart of the kernel's struct nf_nat_range2, include/uapi/linux/netfilter/
 * nf_nat.h; the flags have its values.
 */
#ifndef CONNTUNE_NAT_RANGE_H
#define CONNTUNE_NAT_RANGE_H

#include <conntune/tuple.h>

enum ct_nat_flag {
	CT_NAT_MAP_ADDRS = 1 << 0,    /* min_addr to max_addr count */
	CT_NAT_MAP_PARTS = 1 << 1,    /* min_part to max_part count */
	CT_NAT_RANDOM = 1 << 2,	      /* --random: any port of the range, free or not */
	CT_NAT_PERSISTENT = 1 << 3,   /* the address depends on the client alone */
	CT_NAT_RANDOM_FULLY = 1 << 4, /* --random-fully: the same today */
	CT_NAT_SHIFT = 1 << 5,	      /* the range keeps the distance from base_part */
};

/* Parts are ports, ICMP identifiers or GRE keys, in host order. */
struct ct_nat_range {
	uint8_t flags; /* enum ct_nat_flag */
	union ct_addr min_addr, max_addr;
	uint16_t min_part, max_part, base_part;
};

/* How a range is come by. */
enum ct_nat_kind {
	CT_NAT_NONE,
	CT_NAT_SNAT,
	CT_NAT_DNAT,
	CT_NAT_MASQUERADE, /* the address is that of the interface the packet leaves by */
	CT_NAT_REDIRECT,   /* to the machine itself */
	CT_NAT_NETMAP,	   /* the bits that min_addr and max_addr share replace the address's */
};

/* Which half of a packet a translation changes: enum nf_nat_manip_type. */
enum ct_manip { CT_MANIP_SRC, CT_MANIP_DST };

#endif
