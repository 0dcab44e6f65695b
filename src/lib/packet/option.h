/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The options of an IPv4 header, as far as they decide whether a packet goes on.
 */
#ifndef CT_PACKET_OPTION_H
#define CT_PACKET_OPTION_H

#include <stdbool.h>
#include <stdint.h>

/* What routing makes of the options in a header of @size bytes (20 to 60): false when it drops the
 * packet because they are broken, or because they ask for a route of the sender's choice, which is
 * off by default. */
bool ct_options_are_fine(const uint8_t *header, uint32_t size);

#endif
