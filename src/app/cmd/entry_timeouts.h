/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The timeout an entry gets with each packet, as the settings of its namespace have it: what is
 * left of it tells how long the entry has been idle.
 */
#ifndef APP_CMD_ENTRY_TIMEOUTS_H
#define APP_CMD_ENTRY_TIMEOUTS_H

#include <conntune/entry.h>

#include "lib/ct/entry_match.h"
#include "ops/host/host.h"

/* In seconds; 0 unknown. */
struct entry_timeouts {
	uint32_t tcp[16], sctp[16]; /* by state */
	uint32_t udp, udp_stream, icmp, icmpv6, gre, gre_stream, generic;
};

/* Reads them; what cannot be read is unknown. */
void entry_timeouts_read(struct host *h, struct entry_timeouts *out);

/* The full timeout of @e in its state, 0 unknown. */
uint32_t entry_timeout_s(const struct entry_timeouts *t, const struct ct_entry *e);

/* What conditions on age and idle time need to know of @e. An entry with more time left than its
 * state gives, or with a fixed one, tells nothing of when it was last used. */
struct ct_match_times entry_times(const struct entry_timeouts *t, const struct ct_entry *e);

#endif
