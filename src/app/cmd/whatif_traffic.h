/* SPDX-License-Identifier: BSD-2-Clause
 *
 * conntune whatif --traffic: packets through engines under other settings, one run for each
 * combination.
 */
#ifndef APP_CMD_WHATIF_TRAFFIC_H
#define APP_CMD_WHATIF_TRAFFIC_H

#include "app/cmd/cmd.h"
#include "ops/sweep/sweep.h"

enum { WHATIF_MAX_FILES = 64 };

struct whatif_traffic {
	char *files[WHATIF_MAX_FILES]; /* borrowed */
	unsigned n_files;
	struct grid grid;
};

/* Adds a file. -E2BIG with a sentence. */
int whatif_traffic_add(struct whatif_traffic *t, const char *path, struct ct_err *err);

/* Runs all combinations with what @change sets in each of them; an exit code. */
int whatif_traffic_run(const struct whatif_traffic *t, const struct change *change,
		       const struct common_options *common);

#endif
