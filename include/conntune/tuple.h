/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Addresses and tuples: one direction of a connection as the tracker knows it.
 *
 * Answers to Linux 6.18, include/net/netfilter/nf_conntrack_tuple.h. Addresses and parts stay in
 * network byte order inside a tuple; unused bytes are zero, so tuples compare as bytes.
 */
#ifndef CONNTUNE_TUPLE_H
#define CONNTUNE_TUPLE_H

#include <stdbool.h>
#include <stdint.h>

typedef uint16_t ct_be16; /* network byte order */
typedef uint32_t ct_be32; /* network byte order */

enum ct_dir { CT_DIR_ORIG, CT_DIR_REPLY };
#define CT_DIR_MAX 2

/* The values are the kernel's AF_INET and AF_INET6, as /proc and netlink show them. */
enum ct_family { CT_FAMILY_UNSPEC = 0, CT_FAMILY_IPV4 = 2, CT_FAMILY_IPV6 = 10 };

/* IPv4 stands in the first four bytes, the rest zero. */
union ct_addr {
	uint8_t bytes[16];
	ct_be32 ip4;
	ct_be32 ip6[4];
};

struct ct_tuple {
	union ct_addr src;
	union ct_addr dst;
	ct_be16 src_part; /* source port; ICMP identifier; GRE source key; else 0 */
	ct_be16 dst_part; /* destination port; ICMP type (first byte), code (second); GRE key */
	uint8_t family;	  /* enum ct_family, or another AF number from a foreign table */
	uint8_t proto;	  /* IP protocol number */
};

/* The ICMP type and code of a tuple, which share the destination part. */
uint8_t ct_tuple_icmp_type(const struct ct_tuple *t);
uint8_t ct_tuple_icmp_code(const struct ct_tuple *t);
void ct_tuple_set_icmp(struct ct_tuple *t, uint8_t type, uint8_t code);

/* Builds the tuple of the other direction: addresses and parts swapped, ICMP and ICMPv6 types
 * mapped to their answer (nf_ct_invert_tuple(), icmp_invert(), icmpv6_invert()). @out may be @in.
 * -EINVAL when an ICMP type has no inverse; @out is then untouched. */
int ct_tuple_invert(struct ct_tuple *out, const struct ct_tuple *in);

/* True when both tuples are equal in every field. */
bool ct_tuple_equal(const struct ct_tuple *a, const struct ct_tuple *b);

#endif
