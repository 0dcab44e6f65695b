/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Addresses and ports of a packet replaced where it stands, its checksums carried along.
 */
#ifndef CT_NAT_REWRITE_H
#define CT_NAT_REWRITE_H

#include <conntune/nat_range.h>
#include <conntune/packet.h>

/* Carries the checksum at @sum over a change of @size bytes, which is even. What was wrong stays
 * as wrong: inet_proto_csum_replace4() and its like. */
void ct_nat_sum_replace(uint8_t *sum, const uint8_t *from, const uint8_t *to, size_t size);

/* Gives the IP header that begins @at bytes into the packet, and what it carries, the source or
 * destination of @want. Fewer bytes than a layer 4 has are fine, as errors quote them.
 * False when there is too little of it to translate: the packet is to be dropped. */
bool ct_nat_rewrite(uint8_t *data, uint32_t size, uint32_t at, const struct ct_tuple *want,
		    enum ct_manip manip);

#endif
