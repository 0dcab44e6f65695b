/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What rules ask beyond the packet, answered from the engine and the routes.
 */
#ifndef CT_HOOKS_ASK_H
#define CT_HOOKS_ASK_H

#include <conntune/hooks.h>

/* Fills @ask with functions that answer from @h, which is borrowed. */
void ct_hooks_ask(struct ct_hooks *h, struct ct_rule_ask *ask);

/* What routing says of an address, as the host or (when @iface is given) as one of its interfaces
 * sees it: inet_addr_type_dev_table(), ipv6_addr_type(). */
enum ct_addr_type ct_hooks_addr_type(const struct ct_router *r, uint8_t family, const uint8_t *addr,
				     const char *iface);

#endif
