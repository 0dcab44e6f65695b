/* SPDX-License-Identifier: BSD-2-Clause
 *
 * /proc/net/stat/nf_conntrack (ip_conntrack): one line of hexadecimal numbers for each processor,
 * under names that changed over the kernels.
 */
#ifndef OPS_FACTS_PROC_STAT_H
#define OPS_FACTS_PROC_STAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ops/netlink/ctnetlink.h"

#define STATS_MAX_CPUS 4096

/* The counters of a namespace: per processor and summed. */
struct stats {
	uint32_t known; /* bit 1 << enum nl_stat */
	uint64_t sum[NL_STAT_MAX];
	struct nl_stats *cpu; /* n_cpus of them, owned */
	unsigned n_cpus;
	uint64_t entries; /* the count as this file has it */
	bool is_entries_known;
	uint64_t expect_create; /* expectations ever registered */
	bool is_expect_create_known;
};
void stats_fini(struct stats *s);

/* Adds the counters of one processor. -ENOMEM, -E2BIG. */
int stats_add(struct stats *s, const struct nl_stats *cpu);

/* Reads the whole file into @out (zeroed). -EBADMSG when it is none; -ENOMEM, -E2BIG. */
int proc_stat_parse(const char *text, size_t len, struct stats *out);

#endif
