/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What stands behind a table cursor: private to ops/table.
 *
 * A source embeds `struct table` as its first member, fills it on opening, and is reached through
 * its provider only. table.c dispatches and counts what was delivered.
 */
#ifndef OPS_TABLE_PROVIDER_H
#define OPS_TABLE_PROVIDER_H

#include "ops/table/table.h"

struct table_provider {
	/* As table_next(); the counting of entries is done by the caller. */
	int (*next)(struct table *t, struct ct_entry *out, struct ct_err *err);
	/* Fills what only the source knows: n_bad, first_bad, is_whole, why_not. The rest of
	 * @out is filled before. */
	void (*info)(const struct table *t, struct table_info *out);
	/* Releases the whole source, @t included. */
	void (*free)(struct table *t);
};

struct table {
	const struct table_provider *provider;
	enum table_source source;
	bool is_filtered;
	uint64_t n_entries; /* delivered so far; kept by table_next() */
};

/* Opens lines from descriptor @fd as a table of kind @source (TABLE_LISTING, or TABLE_PROC when
 * the lines are known to be the kernel's own). Takes @fd over, even on failure. @name is copied.
 * -ENOMEM. */
int table_open_lines(int fd, const char *name, enum table_source source, struct table **out,
		     struct ct_err *err);

#endif
