/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The Internet checksum (RFC 1071) and SCTP's CRC32c (RFC 9260).
 */
#ifndef CT_PACKET_CHECKSUM_H
#define CT_PACKET_CHECKSUM_H

#include <conntune/packet.h>
#include <stddef.h>
#include <stdint.h>

/* Adds @size bytes at @p to a running sum that began with 0; a part of odd size comes last. */
uint64_t ct_checksum_add(uint64_t sum, const uint8_t *p, size_t size);

/* Folds a running sum to the 16 bits whose complement stands in headers, in memory order. */
uint16_t ct_checksum_fold(uint64_t sum);

/* The checksum over @size bytes at @p is right when this is 0: complement of the folded sum. */
uint16_t ct_checksum_of(const uint8_t *p, size_t size);

/* The sum of the pseudo header of a parsed packet, for @proto and @size bytes of layer 4. */
uint64_t ct_checksum_pseudo(const struct ct_packet *p, uint8_t proto, uint32_t size);

/* CRC32c (Castagnoli) of @size bytes, continued from @crc, which begins as ~0. */
uint32_t ct_crc32c(uint32_t crc, const uint8_t *p, size_t size);

#endif
