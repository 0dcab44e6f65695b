/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The arithmetic of a full table: chances and rates, numbers in and numbers out.
 *
 * Answers to Linux 6.18 nf_conntrack_core.c, early_drop().
 */
#ifndef OPS_FACTS_ODDS_H
#define OPS_FACTS_ODDS_H

#include <stdint.h>

#define ODDS_EVICTION_RANGE 8 /* NF_CT_EVICTION_RANGE: buckets that early_drop() looks at */

/* The chance that a new connection is dropped when its namespace is full: that none of the 8
 * buckets looked at holds a link of one of the @n_victims entries that early drop may take (of this
 * namespace, not ASSURED). Each entry is linked twice among @n_buckets. 0 to 1. */
double odds_next_dropped(uint64_t n_victims, uint64_t n_buckets);

/* The largest number of entries for which the chance that a new one is refused because a chain is
 * too long on @release (size_insert_failure_on()) stays at or below @chance. */
uint64_t odds_capacity(uint32_t release, uint64_t n_buckets, double chance);

/* The share of buckets with at least one link, 0 to 1. */
double odds_buckets_used(uint64_t n_entries, uint64_t n_buckets);

#endif
