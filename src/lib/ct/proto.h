/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What the tuples of a protocol carry beside addresses.
 */
#ifndef CT_PROTO_H
#define CT_PROTO_H

#include <stdint.h>

enum ct_parts {
	CT_PARTS_NONE,	/* nothing: the kernel tracks addresses only */
	CT_PARTS_PORTS, /* source and destination port */
	CT_PARTS_ICMP,	/* type, code, identifier */
	CT_PARTS_KEYS,	/* the keys of GRE */
};

enum {
	CT_PROTO_ICMP = 1,
	CT_PROTO_TCP = 6,
	CT_PROTO_UDP = 17,
	CT_PROTO_DCCP = 33,
	CT_PROTO_GRE = 47,
	CT_PROTO_ICMPV6 = 58,
	CT_PROTO_SCTP = 132,
};

/* The parts of protocol @proto where its tracker is built in. */
enum ct_parts ct_proto_parts(uint8_t proto);

#endif
