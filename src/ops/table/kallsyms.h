/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Addresses by name from the kernel's symbol table as text. The kernel shows them to those only who
 * have CAP_SYSLOG, or not at all (kernel.kptr_restrict): all of them are zero then.
 */
#ifndef OPS_TABLE_KALLSYMS_H
#define OPS_TABLE_KALLSYMS_H

#include "ops/host/host.h"

struct kallsyms_name {
	const char *name;
	uint64_t address; /* the answer; untouched when it is not there */
};

/* Looks for @names in whole lines; the first of several symbols of one name counts. */
void kallsyms_scan(const char *text, size_t len, struct kallsyms_name *names, size_t n);

/* The same in /proc/kallsyms of @h. -ENOENT, -EACCES, -EIO. */
int kallsyms_read(struct host *h, struct kallsyms_name *names, size_t n);

#endif
