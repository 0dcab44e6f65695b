/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What the two netlink sources share: messages to entries, and the judgement of a finished dump.
 */
#ifndef OPS_TABLE_DATAGRAM_H
#define OPS_TABLE_DATAGRAM_H

#include "ops/host/dump.h"
#include "ops/table/provider.h"

/* A reader of messages. It belongs to the thread that consumes the table. */
struct datagram_reader {
	uint32_t want;
	struct host *host; /* borrowed, for the time; null when there is none */
	int64_t n_buckets; /* of the kernel's table when the dump began; 0 unknown */
	bool is_resized;   /* they were others at its end */
	uint64_t n_seen;   /* messages, for sentences */
	uint64_t n_bad;
	char first_bad[256];
};

/* Begins to read for @want (0 means all); @h may be null. */
void datagram_begin(struct datagram_reader *r, struct host *h, uint32_t want);

/* Sets the age of @e where its beginning is known; @h tells the time and may be null. */
void datagram_set_delta(struct host *h, struct ct_entry *e);

/* Says that the dump has ended. */
void datagram_end(struct datagram_reader *r);

/* Reads one message into @out. True when it is an entry; else it is counted as bad. */
bool datagram_read(struct datagram_reader *r, uint16_t type, const void *payload, size_t size,
		   struct ct_entry *out);

/* Fills n_bad, first_bad, is_whole and why_not from what the reader and the dump saw. */
void datagram_judge(const struct datagram_reader *r, const struct dump_info *dump,
		    struct table_info *out);

#endif
