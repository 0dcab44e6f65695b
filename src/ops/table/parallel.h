/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Two dumps of one table side by side.
 */
#ifndef OPS_TABLE_PARALLEL_H
#define OPS_TABLE_PARALLEL_H

#include "ops/table/provider.h"

/* Opens the table of @h as two filtered dumps that together deliver what one would, each read by
 * its own thread. -EOPNOTSUPP when the kernel cannot split it so; then nothing was opened. */
int parallel_open(struct host *h, const struct table_options *options, struct table **out,
		  struct ct_err *err);

#endif
