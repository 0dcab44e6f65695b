/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The lines that make a limit and a number of buckets last on this machine: which file its init
 * system reads in time, and what must stand in it. Nothing is written here.
 */
#ifndef OPS_SETTINGS_PERSIST_H
#define OPS_SETTINGS_PERSIST_H

#include "ops/settings/boot.h"

#define PERSIST_MAX_LINES 6
struct persist_line {
	char file[64]; /* "/etc/sysctl.d/90-conntrack.conf", or "kernel command line" */
	char line[96];
	const char *why; /* what it is for */
};

/* Commands that set both at once on the running machine, for a shell. */
size_t persist_now(const struct boot *b, uint64_t max, uint64_t buckets, char out[2][128]);

/* The lines for the next boots; how many. */
size_t persist_lines(const struct boot *b, uint64_t max, uint64_t buckets,
		     struct persist_line out[PERSIST_MAX_LINES]);

#endif
