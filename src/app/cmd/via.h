/* SPDX-License-Identifier: BSD-2-Clause
 *
 * --via: how the table of the running kernel is read, and what is said about it.
 */
#ifndef APP_CMD_VIA_H
#define APP_CMD_VIA_H

#include "app/cmd/cmd.h"
#include "ops/table/look.h"
#include "ops/table/table.h"

#define VIA_VALUE "netlink|bpf|auto"
#define VIA_HELP                                                                                   \
	"how to read: bpf is in place, by a program in the kernel; auto takes that for large "     \
	"tables"

/* The value of --via. -EINVAL with a sentence. */
int via_parse(const char *value, enum table_via *out, struct ct_err *err);

/* Opens the table of @h by @o, and says why it is not read in place where that was asked for. */
int via_open(const struct common_options *common, struct host *h, const struct table_options *o,
	     struct table **out, struct ct_err *err);

/* The same for a look that only counts. */
int via_look(const struct common_options *common, struct host *h, const struct look_options *o,
	     struct look **out, struct ct_err *err);

#endif
