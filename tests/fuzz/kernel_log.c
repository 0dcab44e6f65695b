/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Any bytes as a kernel log: counts stay consistent and texts printable.
 */
#include "ops/facts/kernel_log.h"

#include <ctype.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_event(const struct kernel_log_event *e, uint64_t n_lines)
{
	if (e->n > n_lines)
		abort();
	for (const char *p = e->last; *p; p++)
		if (!isprint((unsigned char)*p))
			abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct kernel_log log = { 0 };
	uint64_t named = 0;

	kernel_log_text(&log, (const char *)data, size);
	check_event(&log.full, log.n_lines);
	check_event(&log.expect_full, log.n_lines);
	check_event(&log.syn_flood, log.n_lines);
	check_event(&log.boot_miss, log.n_lines);
	for (unsigned i = 0; i < log.n_netns; i++)
		named += log.netns[i].full.n;
	if (log.n_netns > KERNEL_LOG_MAX_NETNS || named + log.full_unnamed.n > log.full.n)
		abort();
	return 0;
}
