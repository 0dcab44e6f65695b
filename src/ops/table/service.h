/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Which side of a connection is the service.
 */
#ifndef OPS_TABLE_SERVICE_H
#define OPS_TABLE_SERVICE_H

#include <conntune/entry.h>

/* The port of the server of @e in host order, 0 for protocols without ports. It is the destination
 * port of the first packet, unless that one is ephemeral and the source port is not: then tracking
 * began in the middle, with a packet of the answer. @is_reversed (may be null) says so. */
uint16_t entry_service_port(const struct ct_entry *e, bool *is_reversed);

#endif
