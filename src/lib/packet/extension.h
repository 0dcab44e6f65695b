/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The walk over IPv6 extension headers.
 */
#ifndef CT_PACKET_EXTENSION_H
#define CT_PACKET_EXTENSION_H

#include <conntune/packet.h>

/* ipv6_skip_exthdr(): from a header of kind @next at @offset to the first one that is no
 * extension, whose kind and place are stored there. -EBADMSG when a header is cut, when nothing
 * follows, or at a fragment header that is not the first fragment's. */
int ct_ipv6_skip(const struct ct_packet *p, uint8_t *next, uint32_t *offset);

#endif
