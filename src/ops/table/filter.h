/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What of the conditions on entries the kernel can check while it dumps.
 */
#ifndef OPS_TABLE_FILTER_H
#define OPS_TABLE_FILTER_H

#include "lib/ct/entry_match.h"
#include "ops/netlink/ctnetlink.h"

/* Fills @out with as much of @m as ctnetlink can narrow a dump to: it lets through everything that
 * @m chooses, and more, so the conditions are still to be checked. False when that is nothing. */
bool table_filter_of(const struct ct_match *m, struct nl_filter *out);

#endif
