/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Messages of ctnetlink to values and back. Bytes only: no socket, no allocation.
 *
 * Answers to Linux 6.18 nf_conntrack_netlink.c and uapi nfnetlink_conntrack.h.
 */
#ifndef OPS_NETLINK_CTNETLINK_H
#define OPS_NETLINK_CTNETLINK_H

#include <conntune/entry.h>

#define NL_MAX_REQUEST 1024 /* bytes any request of ours fits in */

/* What a dump may be narrowed to inside the kernel. A field counts when its bit is set. */
enum nl_filter_field {
	NL_FILTER_FAMILY = 1 << 0,
	NL_FILTER_MARK = 1 << 1,
	NL_FILTER_STATUS = 1 << 2,
	NL_FILTER_ZONE = 1 << 3,
	NL_FILTER_PROTO = 1 << 4, /* these need NL_FILTER_FAMILY as well */
	NL_FILTER_SRC = 1 << 5,
	NL_FILTER_DST = 1 << 6,
	NL_FILTER_SPORT = 1 << 7,
	NL_FILTER_DPORT = 1 << 8,
	NL_FILTER_REPLY_SRC = 1 << 9,
	NL_FILTER_REPLY_DST = 1 << 10,
	NL_FILTER_REPLY_SPORT = 1 << 11,
	NL_FILTER_REPLY_DPORT = 1 << 12,
};
struct nl_filter {
	unsigned fields;
	uint8_t family;
	uint32_t mark, mark_mask;
	uint32_t status, status_mask; /* (status & mask) == status; mask not 0 */
	uint16_t zone;
	struct ct_tuple tuple[CT_DIR_MAX]; /* only the members named by fields */
};

/* Writes the request of a full or filtered dump of the table into @buf (NL_MAX_REQUEST bytes);
 * @filter may be null. Returns its size in bytes, or -EINVAL for a filter ctnetlink cannot do.
 * IPv6 addresses are left out of it, because kernels compare them wrongly; what is delivered is
 * then more. */
int nl_dump_request(void *buf, const struct nl_filter *filter);

/* What the answers are called where a machine is recorded: recorded/netlink/NAME. */
#define NL_NAME_TABLE	     "conntrack"
#define NL_NAME_STATS_CPU    "conntrack-stats-cpu"
#define NL_NAME_STATS	     "conntrack-stats"
#define NL_NAME_EXPECT	     "expect"
#define NL_NAME_EXPECT_STATS "expect-stats-cpu"

/* Requests of the other reads: per-CPU statistics, count and max, expectations and their
 * statistics. Each returns the size in bytes. */
int nl_stats_cpu_request(void *buf);
int nl_stats_request(void *buf);
int nl_expect_dump_request(void *buf);
int nl_expect_stats_cpu_request(void *buf);

/* Writes the request that removes the entry @e (its first tuple, zone and identifier, as far as
 * they are known) into @buf. Its size, or -EINVAL. */
int nl_delete_request(void *buf, const struct ct_entry *e);

/* Reads one entry message (@payload behind the netlink header). Only the fields in @want
 * (enum ct_known bits) are decoded besides the tuples; CT_KNOWN_ALL for everything. Slices point
 * into @payload. What is not wanted is not looked at either. -EBADMSG when it is cut or contradicts
 * itself; @out is then undefined. */
int nl_entry_decode(const void *payload, size_t size, uint32_t want, struct ct_entry *out);

/* Writes an entry as the payload of a message of the dump kind: what nl_entry_decode() reads.
 * Returns its size; -ENOSPC. */
int nl_entry_encode(const struct ct_entry *e, void *buf, size_t size);

/* The counters of one CPU or a sum, with the kernel's names; absent ones are unknown. */
enum nl_stat {
#define NL_STAT(name, attr, text) NL_STAT_##name,
#include "ops/netlink/stat.def"
#undef NL_STAT
	NL_STAT_MAX
};
struct nl_stats {
	uint32_t known; /* bit 1 << enum nl_stat */
	uint16_t cpu;
	uint32_t value[NL_STAT_MAX]; /* 32-bit counters that wrap, as in the kernel */
};
int nl_stats_cpu_decode(const void *payload, size_t size, struct nl_stats *out);
const char *nl_stat_name(enum nl_stat s);

/* The counters of expectations of one CPU (IPCTNL_MSG_EXP_GET_STATS_CPU). */
struct nl_expect_stats {
	uint16_t cpu;
	uint32_t n_new, n_create, n_delete;
};
int nl_expect_stats_cpu_decode(const void *payload, size_t size, struct nl_expect_stats *out);

/* Count and max of a namespace (IPCTNL_MSG_CT_GET_STATS); max is absent before 4.18. */
struct nl_level {
	uint32_t count, max;
	bool is_max_known;
};
int nl_stats_decode(const void *payload, size_t size, struct nl_level *out);

/* One expectation. */
struct nl_expect {
	struct ct_tuple master, tuple, mask;
	uint32_t timeout_s, flags, class_no, id;
	uint16_t zone;
	bool is_timeout_known;
	struct ct_slice helper;
};
int nl_expect_decode(const void *payload, size_t size, struct nl_expect *out);

#endif
