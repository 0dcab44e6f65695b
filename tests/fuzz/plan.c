/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Plan files: what is read is within bounds, and is written and read again into the same.
 */
#include "ops/plan/plan.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(int is_true)
{
	if (!is_true)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_fini(plan) struct plan one = { 0 }, two = { 0 };
	auto_fini(ct_buf) struct ct_buf a = { 0 }, b = { 0 };

	if (plan_read(&one, (const char *)data, size, NULL) < 0)
		return 0;
	must(one.n_sets <= PLAN_MAX_SETS && one.n_notrack <= PLAN_MAX_NOTRACK);
	for (unsigned i = 0; i < one.n_sets; i++)
		must(setting_accepts(one.set[i].setting, 0, one.set[i].to, NULL) == 0);
	must(plan_write(&one, &a) == 0);
	must(plan_read(&two, a.p, a.len, NULL) == 0);
	must(plan_write(&two, &b) == 0);
	must(strcmp(a.p, b.p) == 0);
	return 0;
}
