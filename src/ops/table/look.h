/* SPDX-License-Identifier: BSD-2-Clause
 *
 * A look at the table that only counts, as often as asked.
 *
 *     look_open(h, &options, &l, err);
 *     each second: tally_new(...), look_again(l, tally, &info, err);
 *
 * Read in place, the kernel itself counts, by programs that stay loaded from look to look; then a
 * look at a million entries takes a tenth of a second or less. Where that cannot be done, or
 * entries must meet conditions, which the programs do not know, each look reads the entries one by
 * one.
 */
#ifndef OPS_TABLE_LOOK_H
#define OPS_TABLE_LOOK_H

#include "ops/table/table.h"
#include "ops/table/tally.h"

struct look_options {
	struct table_options
		table; /* want: what is_meant looks at; why_not and log: of look_open() */
	const struct tally_options *by; /* copied; what it points to is borrowed */
	/* Which entries count; null for all. */
	bool (*is_meant)(void *user, const struct ct_entry *e);
	/* With all namespaces at once: the number that the tally knows the one of @inode by, of
	 * which @n more entries were found. Null: the namespace of the host only. */
	uint32_t (*netns_of)(void *user, uint32_t inode, uint64_t n);
	uint32_t netns; /* else: its number */
	void *user;
};

struct look;

/* Opens a look at the table of @h, which must outlive it. -EOPNOTSUPP when all namespaces at once
 * are asked for and this cannot be read in place; else as table_open(). */
int look_open(struct host *h, const struct look_options *o, struct look **out, struct ct_err *err);

/* Whether the kernel counts. */
bool look_is_in_place(const struct look *l);

/* Counts the table as it is now into @into, which must have the same keys. A negative error, with
 * @info telling what was read until then. */
int look_again(struct look *l, struct tally *into, struct table_info *info, struct ct_err *err);

void look_free(struct look *l);
DEFINE_AUTO_FREE(look);

#endif
