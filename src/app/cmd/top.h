/* SPDX-License-Identifier: BSD-2-Clause
 *
 * conntune top: what was asked for, what was counted, and how it is shown. Private to top*.c.
 */
#ifndef APP_CMD_TOP_H
#define APP_CMD_TOP_H

#include "app/cmd/cmd.h"
#include "app/cmd/entry_timeouts.h"
#include "lib/ct/entry_match.h"
#include "ops/table/table.h"
#include "ops/table/tally.h"

struct top_state {
	struct ct_match match;
	struct tally_options by;
	uint64_t limit;
	uint64_t every_ms, times; /* 0: once; 0: without end */
	const char *from;
	enum table_via via;
	bool is_limit_set, is_parallel, is_repeated;
};

/* One table that was read. */
struct top_part {
	char name[64];	/* of its namespace, "" for the machine as it is */
	uint64_t inode; /* of it, where that was needed */
	struct table_info info;
};

/* A run: state, and what the visits of namespaces add to. */
struct top_run {
	const struct top_state *state;
	const struct common_options *common;
	struct tally *tally;
	struct entry_timeouts timeouts;
	struct top_part *parts;
	size_t n_parts;
	uint64_t n_looks;
	bool is_many; /* namespaces; all of them are shown together */
};

/* Writes the largest groups. An exit code. */
int top_write(struct top_run *run);

/* Tells what is missing. EXIT_FAILED when something is. */
int top_tell_missing(const struct top_run *run);

#endif
