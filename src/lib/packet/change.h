/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Changes of a packet in the bytes that its caller lent for it (struct ct_packet: bytes, room).
 * Checksums are carried along: what was right stays right, what was wrong stays as wrong. Each
 * asks for a packet that ct_packet_parse() took and whose bytes may be changed; the TCP ones for
 * one that is TCP and not a later fragment.
 */
#ifndef CT_PACKET_CHANGE_H
#define CT_PACKET_CHANGE_H

#include <conntune/packet.h>

/* Carries the checksum at @sum (network order) over a change of 16 bits, as they stand in memory:
 * csum_replace2(). */
void ct_change_sum(uint8_t *sum, uint16_t from, uint16_t to);

/* Time to live, or hop limit. */
void ct_change_hops(struct ct_packet *p, uint8_t hops);

/* Type of service, or traffic class. */
void ct_change_tos(struct ct_packet *p, uint8_t tos);

/* Clears the TCP flags of @flags among CWR (0x80) and ECE (0x40). -EBADMSG without a header. */
int ct_change_tcp_flags(struct ct_packet *p, uint8_t flags);

/* Lowers the maximum segment size to @mss, or adds it where a header alone lacks it:
 * tcpmss_mangle_packet(). -EBADMSG when the header is broken; -ENOSPC without room for it. */
int ct_change_mss(struct ct_packet *p, uint16_t mss);

/* Puts NOPs in the place of the TCP options whose bits are set: tcpoptstrip_mangle_packet().
 * -EBADMSG when the header is broken. */
int ct_change_strip(struct ct_packet *p, const uint8_t kinds[32]);

#endif
